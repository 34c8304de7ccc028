"""The value of written arithmetic, plain or LaTeX, exactly; no text is ever run as a program.

A reader of its own goes over a text once, with limits on length, depth and the size of numbers, so
that hostile text is refused at once. Roots, pi and functions are taken to the precision of a float.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

from engine.errors import TaskError

LONGEST = 300
"""Characters of an expression."""

DEEPEST = 20
"""Brackets within brackets."""

_MOST_BITS = 8_000
"""Size of a number; what is larger is refused."""

_MEANS = {"\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u2217": "*", "\u00f7": "/", "\u2215": "/"}
_MEANS |= {"\u2212": "-", "\u2013": "-", "\u03c0": r"\pi ", "\u221a": "sqrt ", "**": "^"}
_MEANS |= {r"\left": "", r"\right": "", r"\times": "*", r"\cdot": "*", r"\ast": "*", r"\div": "/"}
_MEANS |= {r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\!": "", "{,}": ","}
_MEANS |= {r"\,": " ", r"\;": " ", r"\:": " ", r"\ ": " ", "~": " ", r"\{": "{", r"\}": "}"}
_WRITTEN = re.compile(
    "|".join(
        re.escape(one) + r"(?![A-Za-z])" * one[-1].isalpha() for one in sorted(_MEANS, reverse=True)
    )
)
_TOKEN = re.compile(
    r"\s*(?:(?P<mixed>\d{1,9}\s+\d{1,9}/\d{1,9}(?![\d.]))"
    r"|(?P<number>(?=\.?\d)(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d{1,3}(?: \d{3})+(?!\d)|\d*)"
    r"(?:\.\d*)?(?:[eE][-+]?\d{1,3}(?!\d))?)"
    r"|(?P<word>\\[A-Za-z]+|(?:sqrt|pi)(?![A-Za-z])|e(?=\^))"
    r"|(?P<sign>[-+*/^(){}\[\]]))"
)
_CROSS = re.compile(r"(?<=[\d)\]}])\s*[xX]\s*(?=[\d(\[{\\])")
_LOWERED = dict(
    zip(
        map(ord, "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b"),
        "0123456789-",
        strict=True,
    )
)
_RAISED = re.compile(f"(?<=\\d)[{''.join(map(chr, _LOWERED))}]+")
_DIGIT = re.compile(r"\s*(\d)")
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "\\sqrt": math.sqrt,
    "sqrt": math.sqrt,
    "\\ln": math.log,
    "\\exp": math.exp,
    "\\sin": math.sin,
    "\\cos": math.cos,
    "\\tan": math.tan,
}
_CONSTANTS = {"\\pi": Fraction(math.pi), "pi": Fraction(math.pi), "e": Fraction(math.e)}


def value_of_whole(text: str) -> tuple[Fraction, Counter[int]]:
    """The exact value of an expression of whole numbers, and which of them it uses how often.

    Reads + - * / as they are written by hand, in Unicode and in LaTeX, brackets of all kinds,
    fractions, and brackets side by side as a product. A minus before a number or a bracket is
    allowed: there is always a subtraction that says the same.

    Raises:
        TaskError: it is no such expression, or beyond the limits.
        ZeroDivisionError: it divides by zero.
    """
    reader = _Reader(text, whole=True)
    value = reader.sum()
    if reader.rest.strip():
        raise TaskError("An expression has whole numbers, + - * / and brackets, nothing else.")
    return value, reader.used


def leading_value(text: str) -> tuple[Fraction, str] | None:
    """The value of the expression that a text begins with, and what follows it.

    Besides what `value_of_whole` reads: decimals, thousands separators, mixed numbers, powers,
    3e-7, roots, pi, e^x, logarithms and the functions of angles in radians. None if a text begins
    with none of it, or is beyond the limits.
    """
    if len(text) > LONGEST:
        return None
    reader = _Reader(text, whole=False)
    try:
        value = reader.sum()
    except (TaskError, ArithmeticError, ValueError):
        return None
    return value, reader.rest


class _Reader:
    """Reads sums of products from left to right; `rest` is what it has not read.

    Whatever is no arithmetic (a unit, words) ends what is read, with the sign before it; an
    expression of whole numbers has no such end.
    """

    def __init__(self, text: str, *, whole: bool) -> None:
        if len(text) > LONGEST:
            raise TaskError(f"An expression has at most {LONGEST} characters.")
        self.used: Counter[int] = Counter()
        self._text = _plain(text)
        self._place = 0
        self._depth = 0
        self._whole = whole

    @property
    def rest(self) -> str:
        return self._text[self._place :]

    def sum(self) -> Fraction:
        value = self._product()
        while True:
            with self._end_of_it() as going:
                sign = self._take("+-")
                term = self._product() if sign else None
                if term is not None:
                    going.append(True)
                    value = _sized(value + term if sign == "+" else value - term)
            if not going:
                return value

    def _product(self) -> Fraction:
        value, plain = self._signed()
        while True:
            with self._end_of_it() as going:
                sign = self._take("*/")
                mixed = not sign and plain and self._next() == "\\frac"
                if sign or self._goes_on():
                    factor, plain = self._signed() if sign else self._power()
                    going.append(True)
                    value, plain = _sized(self._joined(value, sign, factor, mixed)), False
            if not going:
                return value

    @contextmanager
    def _end_of_it(self) -> Iterator[list[bool]]:
        """Give back what was read in vain; what it yields is empty then."""
        begin, depth = self._place, self._depth
        going: list[bool] = []
        try:
            yield going
        except TaskError:
            if self._whole or going:
                raise
            self._place, self._depth = begin, depth

    def _joined(self, value: Fraction, sign: str, factor: Fraction, mixed: bool) -> Fraction:
        if mixed and 0 < factor < 1:  # 2\frac{1}{2} is two and a half
            if self._whole:
                raise TaskError("A mixed number is no expression.")
            return value + factor
        return value / factor if sign == "/" else value * factor

    def _goes_on(self) -> bool:
        """Whether a factor follows without a sign: a bracket, or a word of LaTeX."""
        following = self._next()
        return following in _CLOSES or following.startswith("\\")

    def _signed(self) -> tuple[Fraction, bool]:
        """A factor with the signs before it; whether it is a whole number by itself."""
        negative = False
        while sign := self._take("+-"):
            negative ^= sign == "-"
        value, plain = self._power()
        return (-value if negative else value), plain

    def _power(self) -> tuple[Fraction, bool]:
        value, plain = self._atom()
        if self._whole:
            return value, plain
        with self._end_of_it() as going:
            if self._take("^"):
                negative = bool(self._take("-"))
                exponent, _ = self._atom()
                going.append(True)
                value, plain = _raised(value, -exponent if negative else exponent), False
        return value, plain

    def _atom(self) -> tuple[Fraction, bool]:
        """A number, a bracket or a function; whether it is a whole number."""
        found = _TOKEN.match(self._text, self._place)
        if found is None:
            raise TaskError("A number or a bracket is missing.")
        self._place = found.end()
        if found["mixed"]:
            if self._whole:
                raise TaskError("A mixed number is no expression.")
            ones, over, under = map(int, re.findall(r"\d+", found["mixed"]))
            if over >= under:
                raise TaskError("The fraction of a mixed number is less than one.")
            return ones + Fraction(over, under), False
        if found["number"]:
            return self._number(found["number"])
        if found["word"]:
            return self._word(found["word"]), False
        return self._bracket(found["sign"]), False

    def _number(self, text: str) -> tuple[Fraction, bool]:
        if not self._whole:
            value = Fraction(re.sub("[, ]", "", text))
            return _sized(value), value.denominator == 1
        if not text.isdecimal() or len(text) > 20:
            raise TaskError("Only whole numbers are allowed.")
        self.used[int(text)] += 1
        return Fraction(text), True

    def _word(self, word: str) -> Fraction:
        if word == "\\frac":
            over = self._argument()
            return over / self._argument()
        if self._whole:
            raise TaskError("Only + - * / of whole numbers are allowed.")
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        if word not in _FUNCTIONS:
            raise TaskError(f"Not a function that is read: {word}.")
        if word == "\\sqrt" and self._take("["):
            root = self._bracket("[")
            return _raised(self._argument(), 1 / root)
        operand = self._atom()[0] if word == "sqrt" else self._argument()
        return Fraction(_FUNCTIONS[word](float(operand)))

    def _argument(self) -> Fraction:
        """What a word of LaTeX stands before: a bracket, another word, or a single digit."""
        digit = _DIGIT.match(self._text, self._place)
        if digit is None:
            return self._atom()[0]
        self._place = digit.end()
        return self._number(digit[1])[0]

    def _bracket(self, opening: str) -> Fraction:
        if opening not in _CLOSES:
            raise TaskError("A number or a bracket is missing.")
        self._depth += 1
        if self._depth > DEEPEST:
            raise TaskError(f"Brackets lie in each other at most {DEEPEST} deep.")
        value = self.sum()
        if not self._take(_CLOSES[opening]):
            raise TaskError(f"{_CLOSES[opening]!r} is missing.")
        self._depth -= 1
        return value

    def _next(self) -> str:
        """The word or sign that comes next, "" if it is neither."""
        found = _TOKEN.match(self._text, self._place)
        return (found["word"] or found["sign"] or "") if found else ""

    def _take(self, signs: str) -> str:
        """Read the next sign if it is one of these."""
        sign = self._next()
        if not sign or sign not in signs:
            return ""
        self._place = self._text.index(sign, self._place) + 1
        return sign


def _plain(text: str) -> str:
    """With the signs of programmers and LaTeX for those of a printed text."""
    text = _WRITTEN.sub(lambda found: _MEANS[found[0]], text)
    text = _RAISED.sub(lambda found: f"^{{{found[0].translate(_LOWERED)}}}", text)
    return _CROSS.sub("*", text)


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator == 1 and abs(exponent) * size <= _MOST_BITS:
        return base ** int(exponent)
    power = float(base) ** float(exponent)
    if isinstance(power, complex):
        raise TaskError("A power of a negative number is not real.")
    return Fraction(power)


def _sized(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > 2 * _MOST_BITS:
        raise TaskError("A number is too large.")
    return value
