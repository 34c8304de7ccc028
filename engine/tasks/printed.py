r"""Answers as Python prints them, in the notation of mathematics: `Fraction(1, 3)` is \frac{1}{3}.

What a program prints is read as an expression of Python, and never evaluated. What is written alike
in both stays as it stands.
"""

import ast
import math
import re
from collections.abc import Callable
from decimal import Decimal

LONGEST = 1_000
"""Of a longer text nothing is changed, in characters."""

_FLOAT = re.compile(r"(?<![\w.])\d+\.\d+(?:e[-+]?\d+)?(?![\d.])")
_LONG_FLOAT = 12
_SHORT_FLOAT = 8
"""Digits of a number that is printed in full, and at most of the one that was meant."""
_NEAR = 1e-9
_PLAIN = range(-7, 16)
"""Powers of ten that are written out."""

_ARRAY = re.compile(r"\[\s*[-\d.]+(?:\s+[-\d.]+)+\s*\]")
_NAMES = {"I": "i", "E": "e"}
_FAR = {"oo": r"\infty", "EmptySet": r"\emptyset"}


def as_written(text: str, interval: bool = False) -> str:
    """An answer that a program printed, as a person would write it.

    interval: whether two values in square brackets are an interval and no list.
    """
    if len(text) > LONGEST or not text.isascii():
        return text
    text = _FLOAT.sub(lambda found: _short(found[0]), text.strip())
    if _ARRAY.fullmatch(text):
        return ", ".join(text.strip("[] ").split())
    try:
        tree = ast.parse(text, mode="eval").body
        if isinstance(tree, ast.List) and not (interval and len(tree.elts) == 2):
            return ", ".join(_Writer(text).of(each) for each in tree.elts)
        return _Writer(text).of(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text


def _short(number: str) -> str:
    """A number with all its digits as the short one that it is but for rounding, if any."""
    value = float(number)
    if len(number.partition("e")[0].strip("0.")) <= _LONG_FLOAT or not math.isfinite(value):
        return number
    for digits in range(_SHORT_FLOAT):
        short = Decimal(f"{value:.{digits}e}")
        if math.isclose(short, value, rel_tol=_NEAR):
            plain = short.adjusted() in _PLAIN
            return f"{short.normalize():f}" if plain else f"{short.normalize():e}"
    return number


class _Writer:
    """Writes the parts of an expression; what is not known is written as it stands."""

    def __init__(self, text: str) -> None:
        self._text = text

    def of(self, node: ast.expr, inside: bool = False) -> str:
        """inside: it is a part of a formula, where I and E are numbers."""
        match node:
            case ast.Name(id=name) if name in _FAR or (inside and name in _NAMES):
                return (_FAR | _NAMES)[name]
            case ast.Constant(value=str() as words):
                return words
            case ast.Constant(value=complex()):
                return self._source(node).lower().replace("j", "i")
            case ast.Call(args=args, keywords=[]) if args:
                return self._call(node)
            case ast.Dict(keys=keys, values=values) if keys and all(keys):
                pairs = zip(keys, values, strict=True)
                return ", ".join(f"{self.of(k)} = {self.of(v)}" for k, v in pairs if k)
            case ast.Set(elts=elements):
                return rf"\{{{', '.join(map(self.of, elements))}\}}"
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                sign = self._text.index("**", left.end_col_offset)
                base = self._with([left], node.col_offset, sign).rstrip()
                return f"{base}^{{{self.of(right, True)}}}"
        parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        within = isinstance(node, ast.BinOp | ast.UnaryOp)
        return self._with(parts, node.col_offset, node.end_col_offset, within)

    def _call(self, node: ast.Call) -> str:
        name = self._source(node.func)
        write = _CALLS.get(name.rpartition(".")[2] if name.startswith(_MODULES) else name)
        if name == "Matrix" and isinstance(node.args[0], ast.List):
            return self._matrix(node.args[0].elts)
        if write is None:
            return self._with(node.args, node.col_offset, node.end_col_offset, True)
        try:
            return write(*[self.of(each, True) for each in node.args])
        except TypeError:  # other arguments than it takes
            return self._source(node)

    def _matrix(self, rows: list[ast.expr]) -> str:
        cells = [row.elts if isinstance(row, ast.List) else [row] for row in rows]
        lines = (" & ".join(self.of(each, True) for each in row) for row in cells)
        return r"\begin{pmatrix}" + r" \\ ".join(lines) + r"\end{pmatrix}"

    def _source(self, node: ast.expr) -> str:
        return self._text[node.col_offset : node.end_col_offset]

    def _with(self, parts: list[ast.expr], start: int, end: int | None, inside: bool = True) -> str:
        """A stretch of the text, its parts written anew."""
        written, place = "", start
        for part in sorted(parts, key=lambda part: part.col_offset):
            written += self._text[place : part.col_offset] + self.of(part, inside)
            place = part.end_col_offset or place
        return written + self._text[place:end]


def _interval(low: str, high: str, left_open: str = "False", right_open: str = "False") -> str:
    first = "(" if left_open == "True" or "infty" in low else "["
    return f"{first}{low}, {high}{')' if right_open == 'True' or 'infty' in high else ']'}"


def _fraction(above: str, below: str = "1") -> str:
    if below == "1":
        return above
    return (
        rf"-\frac{{{above[1:]}}}{{{below}}}" if above[0] == "-" else rf"\frac{{{above}}}{{{below}}}"
    )


def _itself(value: str) -> str:
    return value


_MODULES = ("np.", "numpy.", "mp.", "mpmath.", "sympy.", "math.", "fractions.", "decimal.")
_CALLS: dict[str, Callable[..., str]] = {
    "Fraction": _fraction,
    "Rational": _fraction,
    "sqrt": lambda x: rf"\sqrt{{{x}}}",
    "exp": lambda x: f"e^{{{x}}}",
    "log": lambda x: rf"\ln({x})",
    "Abs": lambda x: f"|{x}|",
    "Eq": lambda x, y: f"{x} = {y}",
    **{name: rf"\{name}({{}})".format for name in ("sin", "cos", "tan")},
    **dict.fromkeys(("Decimal", "Integer", "Float", "mpf", "float64", "int64"), _itself),
    "Interval": _interval,
    "Interval.open": lambda low, high: _interval(low, high, "True", "True"),
    "Interval.Lopen": lambda low, high: _interval(low, high, "True"),
    "Interval.Ropen": lambda low, high: _interval(low, high, "False", "True"),
    "Union": lambda *parts: r" \cup ".join(parts),
}
"""How calls are written, given their arguments as written."""
