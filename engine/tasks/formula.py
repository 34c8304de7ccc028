r"""Formulas as people and models write them, LaTeX or typed; nothing is evaluated.

What is read is a tree of `Node`s. A formula is read whole or not at all: what the grammar does not
know is refused, never dropped. It goes over a text once, with limits on length and depth, so that
hostile text is refused at once.
"""

import re
from collections.abc import Callable, Collection
from fractions import Fraction
from functools import partial, reduce
from typing import NamedTuple, TypeVar

from engine.errors import TaskError
from engine.tasks.notation import plain

LONGEST = 2_000
"""Characters of a formula."""

DEEPEST = 20
"""Brackets, roots and fractions within each other."""

_Found = TypeVar("_Found")


class Node(NamedTuple):
    """A part of a formula.

    Attributes:
        kind: "number", "based" (41_5), "name", "call", "group" (brackets), "set", "list" (parts
            side by side), "relation" (= <), "ratio", "matrix", or an operation's sign.
        parts: its operands.
        text: a number, name, function, brackets, or the signs between the parts.
    """

    kind: str
    parts: tuple["Node", ...] = ()
    text: str = ""


FUNCTIONS = frozenset(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln log exp sqrt cbrt abs"
    " det max min gcd lcm arg Re Im".split()
)
_CONSTANTS = {"pi": "pi", "infty": "infty", "infinity": "infty", "inf": "infty"}
_CONSTANTS |= {"emptyset": "emptyset", "i": "i", "e": "e"}
_GREEK = frozenset(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi"
    " rho sigma tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
    " ell hbar".split()
)
_MARKED = ("overline", "vec", "hat", "bar", "angle", "triangle", "mathbb", "mathcal", "widehat")
_CALLED = frozenset("fghPFGHE")
"""Letters that before a bracket are functions."""

_CLOSES = {"(": ")", "[": "]", "{": "}", "\\{": "\\}", "\\langle": "\\rangle"}
_CLOSES |= {"\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}
_TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|[A-Za-z]+'*|\.{3}|[^\s\w.]|\w", re.DOTALL)
_INTEGER = r"\d{1,3}(?:,\d{3})+(?![\d,])|\d{1,3}(?: \d{3})+(?! ?\d)|\d+"
_NUMBER = re.compile(
    rf"(?:(?P<whole>{_INTEGER})?\.\\overline\s?\{{(?P<again0>\d+)\}}"
    rf"|(?P<number>(?:{_INTEGER})\.\d+|(?:{_INTEGER})\.?(?!\d)|\.\d+)"
    r"(?:\\overline\s?\{(?P<again>\d+)\}|[eE](?P<power>[-+]?\d{1,3})(?![\d.]))?)"
)
_MIXED = re.compile(r"(\d{1,9})(?:\s+and\s+|\s+)(\d{1,9})\s?/\s?(\d{1,9})(?![\d.])")
_SUBSCRIPT = re.compile(r"\s*_\s*(?:\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}|(\\[A-Za-z]+|\d+|[A-Za-z]))")
_RELATIONS = {"=": "=", "<": "<", ">": ">", "\\le": "<=", "\\ge": ">=", "\\ne": "!=", "\\in": "in"}
_RELATIONS |= {"\\approx": "="}
_UNIONS = {"\\cup": "cup", "\\cap": "cap", "\\setminus": "minus"}
_BETWEEN = re.compile(r"\s*(?:([,;])\s*(?:(?:and|or)(?![A-Za-z]))?|(and|or)(?![A-Za-z])|(\\quad))")


def read(text: str) -> Node:
    """The formula that a whole text is.

    Raises:
        TaskError: it is none, or beyond the limits.
    """
    reader = Reader(plain(text[: 2 * LONGEST]))
    node = reader.list()
    if reader.rest:
        raise TaskError(f"This is not read as mathematics: {reader.rest[:40]!r}.")
    return node


class Reader:
    """Reads from left to right; `rest` is what it has not read.

    Args:
        text: in plain notation.
        numeric: no names; what is no arithmetic (a unit, words) ends what is read.
    """

    def __init__(self, text: str, *, numeric: bool = False, longest: int = LONGEST) -> None:
        if len(text) > longest:
            raise TaskError(f"A formula has at most {longest} characters.")
        self._text = text
        self._place = 0
        self._depth = 0
        self._numeric = numeric
        self._in_bars = False
        self._in_function = False

    @property
    def rest(self) -> str:
        return self._text[self._place :].strip()

    def list(self) -> Node:
        """Parts with commas, "and" or "or" between them; a single one stands for itself."""
        parts, signs = [self._ratio()], []
        while sign := _BETWEEN.match(self._text, self._place):
            self._place = sign.end()
            word = re.search("and|or", sign[0])
            signs.append(word[0] if word else ",")
            parts.append(self._ratio())
        if not signs:
            return parts[0]
        words = set(signs) - {","}
        return Node("list", tuple(parts), words.pop() if len(words) == 1 else ",")

    def _ratio(self) -> Node:
        return self._series(self._relation, {":": ":"}, "ratio")

    def _relation(self) -> Node:
        return self._series(self._union, _RELATIONS, "relation")

    def _union(self) -> Node:
        node = self.sum()
        while sign := self._take(_UNIONS):
            node = Node(_UNIONS[sign], (node, self.sum()))
        return node

    def _series(self, operand: Callable[[], Node], signs: dict[str, str], kind: str) -> Node:
        parts, found = [operand()], []
        while sign := self._take(signs):
            found.append(signs[sign])
            parts.append(operand())
        return Node(kind, tuple(parts), " ".join(found)) if found else parts[0]

    def sum(self) -> Node:
        signed = self._peek() in ("\\pm", "\\mp")
        node = Node("number", text="0") if signed else self._product()
        while True:
            found = self._perhaps(self._term)
            if found is None:
                return node
            node = Node(found[0], (node, found[1]))

    def _term(self) -> tuple[str, Node] | None:
        sign = self._take("+-" if self._numeric else ("+", "-", "\\pm", "\\mp"))
        return (sign, self._product()) if sign else None

    def _product(self) -> Node:
        node = self._signed()
        while True:
            found = self._perhaps(partial(self._factor, node))
            if found is None:
                return node
            node = found

    def _factor(self, before: Node) -> Node | None:
        if sign := self._take("*/"):
            return Node(sign, (before, self._signed()))
        if not self._goes_on(before):
            return None
        ones = before.parts[0] if before.kind == "neg" else before
        factor = self._power()
        if (
            ones.kind == "number"
            and ones.text.isdecimal()
            and factor.kind == "/"
            and factor.text == "frac"
        ):
            over, under = (part.text for part in factor.parts)
            if over.isdecimal() and under.isdecimal():
                if int(over) >= int(under):
                    raise TaskError("The fraction of a mixed number is less than one.")
                mixed = Node("+", (ones, factor), "mixed")
                return mixed if ones is before else Node("neg", (mixed,))
        return Node("*", (before, factor))

    def _goes_on(self, before: Node) -> bool:
        """Whether a factor follows without a sign."""
        sign = self._peek()
        if not sign:  # a digit after a bracket: (n-2) 2^n
            before_it = self._text[: self._place].rstrip()[-1:]
            return not self._numeric and bool(self.rest) and before_it in (")", "]", "}")
        if sign == "[":
            return self._numeric or before.kind in ("group", "+", "-")
        if sign in ("(", "{", "\\{") or (sign == "|" and not self._in_bars):
            return True
        if sign.startswith("\\"):
            return (
                sign[1:].isalpha()
                and sign not in _RELATIONS
                and sign not in _UNIONS
                and (sign not in ("\\pm", "\\mp", "\\circ", "\\quad", "\\end", *_CLOSES.values()))
            )
        return sign[:1].isalpha() and sign not in ("and", "or")

    def _signed(self) -> Node:
        negative = False
        while sign := self._take("+-"):
            negative ^= sign == "-"
        node = self._power()
        return Node("neg", (node,)) if negative else node

    def _power(self) -> Node:
        node = self._factorial(self._atom())
        found = self._perhaps(lambda: self._exponent(node))
        return node if found is None else self._factorial(found)

    def _exponent(self, base: Node) -> Node | None:
        if not self._take("^"):
            return None
        if self._take(("\\circ",)):
            if self._numeric and not self._in_function:
                raise TaskError("Degrees are a unit.")
            return Node("degrees", (base,))
        negative = self._take("+-") == "-"
        exponent = self._atom()
        return Node("^", (base, Node("neg", (exponent,)) if negative else exponent))

    def _factorial(self, node: Node) -> Node:
        if self._peek() == "!":
            self._take("!")
            if self._peek() == "!":
                raise TaskError("Double factorials are not read.")
            return Node("!", (node,))
        return node

    def _atom(self) -> Node:
        self._skip()
        if (number := self._number()) is not None:
            return number
        sign = self._next()
        if sign in _CLOSES or sign == "|":
            return self._bracket(sign)
        word = sign.removeprefix("\\")
        if word.rstrip("'").isalpha():
            return self._word(word, sign != word)
        raise TaskError("A number, a name or a bracket is missing.")

    def _number(self) -> Node | None:
        if mixed := _MIXED.match(self._text, self._place):
            ones, over, under = map(int, mixed.groups())
            if over < under:
                self._place = mixed.end()
                return Node("number", text=str(ones + Fraction(over, under)))
            if " and " not in mixed[0]:
                raise TaskError("The fraction of a mixed number is less than one.")
        found = _NUMBER.match(self._text, self._place)
        if found is None:
            return None
        self._place = found.end()
        digits = re.sub(r"[, ]", "", found["number"] or f"{found['whole'] or 0}.")
        if not self._numeric and (base := _SUBSCRIPT.match(self._text, self._place)):
            self._place = base.end()
            return Node("based", text=f"{digits}_{_bare(base)}")
        if again := found["again"] or found["again0"]:
            places = len(digits.partition(".")[2]) if "." in digits else -1
            if places < 0:
                raise TaskError("Only decimals repeat.")
            value = Fraction(digits.rstrip(".")) + Fraction(
                int(again), (10 ** len(again) - 1) * 10**places
            )
            return Node("number", text=str(value))
        power = found["power"]
        return Node("number", text=str(Fraction(f"{digits}e{power}")) if power else digits)

    def _word(self, word: str, command: bool) -> Node:
        if word == "frac":
            return Node("/", (self._argument(), self._argument()), "frac")
        if word in ("sqrt", "cbrt"):
            return self._root(word, command)
        if word == "binom":
            return Node("call", (self._argument(), self._argument()), "binom")
        if word == "begin":
            return self._matrix()
        if word in FUNCTIONS:
            return self._function(word, command)
        if word in _CONSTANTS and (word != "e" or not self._numeric or self._peek() == "^"):
            if self._numeric and word not in ("pi", "e"):
                raise TaskError("No number.")
            return Node("name", text=_CONSTANTS[word] + self._subscript())
        if self._numeric:
            raise TaskError("No number.")
        return self._name(word, command)

    def _name(self, word: str, command: bool) -> Node:
        if command and word in _MARKED:
            inside = re.compile(r"\s*(?:\{([^{}]*)\}|([A-Za-z]+))").match(self._text, self._place)
            if inside is None:
                raise TaskError(f"Nothing stands after \\{word}.")
            self._place = inside.end()
            return Node("name", text=f"{word} {_bare(inside)}" + self._subscript())
        letters = word.rstrip("'")
        if command or letters in _GREEK:
            if letters not in _GREEK:
                raise TaskError(f"\\{word} is not read.")
        elif len(letters) > 1:
            return self._letters(word)
        elif not letters.isascii():
            raise TaskError(f"{word} is not read.")
        name = word + self._subscript()
        if letters in _CALLED and self._text.startswith("(", self._place):
            self._next()
            return Node("call", self._bracket("(", apart=True).parts, name)
        return Node("name", text=name)

    def _letters(self, word: str) -> Node:
        """Two or three letters side by side are a product, more are a word."""
        letters = word.rstrip("'")
        if len(letters) > 3 or not letters.isascii() or word != letters:
            raise TaskError(f"{word} is a word.")
        self._place -= len(letters)
        nodes = []
        for letter in letters:
            self._place += 1
            nodes.append(Node("name", text=_CONSTANTS.get(letter, letter) + self._subscript()))
        return reduce(lambda one, other: Node("*", (one, other), "letters"), nodes)

    def _subscript(self) -> str:
        found = _SUBSCRIPT.match(self._text, self._place)
        if found is None or self._numeric:
            return ""
        self._place = found.end()
        return "_" + _bare(found)

    def _root(self, word: str, command: bool) -> Node:
        degree = Node("number", text="3" if word == "cbrt" else "2")
        if command and self._take("["):
            degree, _ = self._inside(("]",), self.sum)
        operand = self._argument() if command else self._factorial(self._atom())
        return Node("root", (operand, degree))

    def _function(self, word: str, command: bool) -> Node:
        base = None
        if word == "log" and (
            found := re.compile(r"\s*_\s*(?:\{|(\d|[A-Za-z]))").match(self._text, self._place)
        ):
            self._place = found.end()
            base = (
                Node("number" if found[1].isdecimal() else "name", text=found[1])
                if (found[1])
                else self._inside(("}",), self.sum)[0]
            )
        power = None
        if self._take("^"):
            power = Node("neg", (self._atom(),)) if self._take("-") else self._atom()
            if power == Node("neg", (Node("number", text="1"),)) or power == Node(
                "group", (Node("neg", (Node("number", text="1"),)),), "{}"
            ):
                word, power = "arc" + word, None
        outside, self._in_function = self._in_function, True
        node = Node("call", (*self._operands(), *((base,) if base else ())), word)
        self._in_function = outside
        return Node("^", (node, power)) if power else node

    def _operands(self) -> tuple[Node, ...]:
        """What a function stands before: a bracket, or a product without functions."""
        if self._peek() == "(":
            self._next()
            return self._bracket("(", apart=True).parts
        node = self._signed()
        while (sign := self._peek()) and self._goes_on(node):
            if sign in ("(", "[", "|") or sign.removeprefix("\\") in FUNCTIONS - {"sqrt"}:
                break
            node = Node("*", (node, self._power()))
        return (node,)

    def _argument(self) -> Node:
        """What a command of LaTeX stands before: a group, another command, a letter or a digit."""
        self._skip()
        sign = self._text[self._place : self._place + 1]
        if sign.isdecimal():
            self._place += 1
            return Node("number", text=sign)
        if sign.isascii() and sign.isalpha() and not self._numeric:
            self._place += 1
            return Node("name", text=_CONSTANTS.get(sign, sign))
        return self._atom()

    def _bracket(self, opening: str, *, apart: bool = False) -> Node:
        """What stands in brackets; one thing in them stands for itself, but for sets and floors.

        apart: always as a group, for the operands of a function.
        """
        if opening == "|":
            if self._in_bars:
                raise TaskError("Bars within bars are not read.")
            self._in_bars = True
            node, _ = self._inside(("|",), self.sum)
            self._in_bars = False
            return Node("call", (node,), "abs")
        bars, self._in_bars = self._in_bars, False
        closing = _CLOSES[opening]
        mixed = {")", "]"} if closing in ")]" else {closing}
        node, closed = self._inside(mixed, self.sum if self._numeric else self.list)
        self._in_bars = bars
        parts = node.parts if node.kind == "list" and node.text == "," else (node,)
        if opening == "\\{" and node.kind in ("relation", "list") and node.text not in (",", "="):
            return node  # those numbers for which it holds
        if opening == "\\{" or (opening == "{" and len(parts) > 1):
            return Node("set", parts)
        if opening in ("\\lfloor", "\\lceil"):
            return Node("call", parts, opening[1:])
        if apart or len(parts) > 1 or opening == "\\langle":
            return Node("group", parts, opening + closed)
        if closing != closed:
            raise TaskError(f"{closing!r} is missing.")
        return node if opening != "[" or node.kind != "group" else Node("group", parts, "[]")

    def _inside(self, closings: Collection[str], inner: Callable[[], Node]) -> tuple[Node, str]:
        """What stands before one of these signs, and which of them it is."""
        self._deeper()
        node = inner()
        closed = self._take(closings)
        if not closed:
            raise TaskError(f"{' or '.join(sorted(closings))} is missing.")
        self._depth -= 1
        return node, closed

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise TaskError(f"Brackets lie in each other at most {DEEPEST} deep.")

    def _matrix(self) -> Node:
        kind = re.compile(r"\s?\{([pb]?matrix|array|cases)\}(?:\{[lcr| ]*\})?").match(
            self._text, self._place
        )
        if kind is None or kind[1] == "cases" or self._numeric:
            raise TaskError("Of environments only matrices are read.")
        self._place = kind.end()
        self._deeper()
        rows: list[Node] = []
        while not self._take(("\\end",)):
            cells = [self._relation()]
            while self._take("&"):
                cells.append(self._relation())
            rows.append(Node("row", tuple(cells)))
            if not self._take(("\\\\",)) and self._peek() != "\\end":
                raise TaskError("A row of a matrix does not end.")
        ending = f"{{{kind[1]}}}"
        if not self.rest.startswith(ending):
            raise TaskError(f"{ending} is missing.")
        self._place = self._text.index(ending, self._place) + len(ending)
        self._depth -= 1
        return Node("matrix", tuple(rows))

    def _perhaps(self, further: Callable[[], _Found | None]) -> _Found | None:
        """What follows, if it goes on; of numbers with a unit the unit is given back."""
        place, depth = self._place, self._depth
        try:
            return further()
        except TaskError:
            if not self._numeric:
                raise
            self._place, self._depth, self._in_bars = place, depth, False
            return None

    def _skip(self) -> None:
        while self._text[self._place : self._place + 1].isspace():
            self._place += 1

    def _peek(self) -> str:
        """The next word or sign, "" at the end or before a number."""
        self._skip()
        found = _TOKEN.match(self._text, self._place)
        return "" if found is None or found[0].isdecimal() else found[0]

    def _next(self) -> str:
        sign = self._peek()
        self._place += len(sign)
        return sign

    def _take(self, signs: Collection[str]) -> str:
        """Read the next sign if it is one of these."""
        sign = self._peek()
        if not sign or sign not in signs:
            return ""
        self._place += len(sign)
        return sign


def _bare(found: re.Match[str]) -> str:
    """What a subscript says, without its braces and spaces."""
    return re.sub(r"[\s{}\\]", "", found[1] if found[1] is not None else found[2])
