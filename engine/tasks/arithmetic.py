"""The value of written arithmetic, exactly; no text is ever run as a program.

Only where a value is asked for within a tolerance are roots, pi and functions taken, to the
precision of a float.
"""

import math
import operator
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from engine.errors import TaskError
from engine.tasks.formula import Node, Reader
from engine.tasks.notation import plain

LONGEST = 300
"""Characters of an expression."""

_MOST_BITS = 8_000
"""Size of a number; what is larger is refused."""

_MOST_FACTORIAL = 500
_CROSS = re.compile(r"(?<=[\d)\]}])\s*[xX]\s*(?=[\d(\[{\\])")
_TWO: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_CONSTANTS = {"pi": math.pi, "e": math.e}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    name: getattr(math, name) for name in ("sin", "cos", "tan", "exp", "sinh", "cosh", "tanh")
} | {"ln": math.log}


def value_of_whole(text: str) -> tuple[Fraction, Counter[int]]:
    """The exact value of an expression of whole numbers, and which of them it uses how often.

    Reads + - * / as they are written by hand, in Unicode and in LaTeX, brackets of all kinds,
    fractions, and brackets side by side as a product. A minus before a number or a bracket is
    allowed: there is always a subtraction that says the same.

    Raises:
        TaskError: it is no such expression, or beyond the limits.
        ZeroDivisionError: it divides by zero.
    """
    reader = Reader(_CROSS.sub("*", plain(text[: 3 * LONGEST])), longest=LONGEST)
    node = reader.sum()
    used: Counter[int] = Counter()
    if reader.rest or not _whole(node, used):
        raise TaskError("An expression has whole numbers, + - * / and brackets, nothing else.")
    return value_of(node), used


def _whole(node: Node, used: Counter[int]) -> bool:
    if node.kind == "number" and node.text.isdecimal() and len(node.text) <= 20:
        used[int(node.text)] += 1
        return True
    kinds = (*_TWO, "neg")
    return node.kind in kinds and node.text != "mixed" and all(_whole(p, used) for p in node.parts)


def leading_value(text: str, *, rounded: bool = False) -> tuple[Fraction, str] | None:
    """The value of the arithmetic that a text begins with, and what follows it.

    None if a text begins with none of it, or is beyond the limits.
    """
    try:
        reader = Reader(plain(text[: 3 * LONGEST]), numeric=True, longest=LONGEST)
        return value_of(reader.sum(), rounded=rounded), reader.rest
    except (TaskError, ArithmeticError, ValueError):
        return None


def value_of(node: Node, *, rounded: bool = False) -> Fraction:
    """The value of a formula without unknowns.

    rounded: whether what is no fraction is taken to the precision of a float.

    Raises:
        TaskError: it has no such value, or one too large.
        ArithmeticError, ValueError: a function is not defined there.
    """
    kind, text = node.kind, node.text
    if kind == "number":
        return Fraction(text.rstrip(".") or "0") if len(text) <= LONGEST else _refused()
    if kind == "name" and rounded and text in _CONSTANTS:
        return Fraction(_CONSTANTS[text])
    parts = [value_of(part, rounded=rounded) for part in node.parts]
    match kind, text:
        case (("+" | "-" | "*" | "/"), _):
            return _sized(_TWO[kind](*parts))
        case "degrees", _ if rounded:
            return parts[0] * Fraction(math.pi) / 180
        case "neg", _:
            return -parts[0]
        case "^", _:
            return _raised(parts[0], parts[1], rounded)
        case "root", _:
            return _raised(parts[0], 1 / parts[1], rounded)
        case "!", _ if parts[0].denominator == 1 and 0 <= parts[0] <= _MOST_FACTORIAL:
            return Fraction(math.factorial(int(parts[0])))
        case "call", "abs":
            return abs(parts[0])
        case "call", "binom" if all(p.denominator == 1 and 0 <= p <= 500 for p in parts):
            return Fraction(math.comb(*map(int, parts)))
        case "call", _ if rounded and text in _FUNCTIONS and len(parts) == 1:
            return Fraction(_FUNCTIONS[text](float(parts[0])))
    return _refused()


def _refused() -> Fraction:
    raise TaskError("This has no value that is worked out here.")


def _raised(base: Fraction, exponent: Fraction, rounded: bool) -> Fraction:
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if exponent.denominator == 1 and abs(exponent) * size <= _MOST_BITS:
        return base ** int(exponent)
    if exponent == Fraction(1, 2) and base >= 0:
        root = Fraction(math.isqrt(base.numerator), math.isqrt(base.denominator))
        if root * root == base:
            return root
    power = float(base) ** float(exponent) if rounded else 1j
    return _refused() if isinstance(power, complex) else Fraction(power)


def _sized(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > 2 * _MOST_BITS:
        raise TaskError("A number is too large.")
    return value
