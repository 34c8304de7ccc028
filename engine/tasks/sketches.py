r"""What can be said of an answer at a glance, so that few pairs need a close look.

A sketch of an answer is its kind and the values that it may stand for. Two answers whose sketches
have nothing in common are not the same one; only the others are worth the time of a comparison. A
sketch never says that two answers are the same, and what it cannot read it leaves open.
"""

import math
import re
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

from engine.tasks.arithmetic import LONGEST, leading_value
from engine.tasks.numerals import trimmed

Kind = Literal["number", "formula", "quantity", "list", "words", "sentence", "open"]

_NUMERAL = re.compile(
    r"[-\u2212]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+|\d+/\d+"
    r"|\\[dt]?frac\{\d+\}\{\d+\})"
)
"""A number that can be read in one way only."""

_BEFORE = re.compile(
    r"(?:[A-Za-z]\w{0,15}(?:\([A-Za-z]\))?\s*=\s*|(?:about|approximately)\s+|\\approx\s*"
    r"|\\\$|[$\u20ac\u00a3\u00a5\u20b9~\u2248]\s*)+"
)
_UNIT = re.compile(r"[^\d=<>()\[\],;!|+*&]*(?:\^\{?[23]\}?)?")
_SAID = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_WORDS = re.compile(r"(?=.*[^\W\d_]{3})[^\W\d_](?:[^\W\d_]|[ .,'\u2019-])*")
_WORD = re.compile(r"(?<![\\\w])[^\W\d_]{3,}")
_FEW_WORDS, _MOST_NUMBERS = 3, 12
_FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?(?:/\d+)?")
_COUNTS = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty"
    r"|half|halves|thirds?|quarters?|dozen|hundred|thousand|\w+illion|none|infinity)\b",
    re.IGNORECASE,
)
"""Words that may say a number."""

_MULTIPLES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_INFINITY = "10^{300}"
"""Stands in for infinity: no answer has a number as large as this."""

_CLOSE = 1e-10
"""Values nearer to each other than this share, relatively, are looked at closely."""


class Sketch(NamedTuple):
    """What an answer looks like.

    Attributes:
        kind: number: one numeral, which says all; formula: an expression without letters;
            quantity: a number and something around it; list: of formulas in brackets; words;
            sentence: words with numbers among them; open: anything else.
        marks: of the values that it may stand for; two that may be the same share one. None of
            words and of what is open.
        exact: of a number, its value.
        around: of a quantity, what is not its number.
    """

    kind: Kind
    marks: frozenset[str] = frozenset()
    exact: Fraction | None = None
    around: str = ""


def comparable(one: Sketch, other: Sketch) -> bool:
    """Whether two answers of these looks may be the same one."""
    kinds = {one.kind, other.kind}
    if "open" in kinds or kinds == {"words"}:
        return True
    if kinds == {"number"}:
        return one.exact == other.exact
    if kinds == {"quantity"} and one.around != other.around:
        return True  # a unit may convert into the other
    return not one.marks.isdisjoint(other.marks)


@lru_cache(maxsize=65_536)
def sketch(answer: str) -> Sketch:
    """What an answer looks like."""
    text = trimmed(answer)
    if len(text) > LONGEST:
        return Sketch("open")
    said = _SAID.sub(r"\1", text).strip()
    if _WORDS.fullmatch(said) and not _BEFORE.match(said):
        return Sketch("open" if _COUNTS.search(said) else "words")
    text = text.replace("\\!", "").replace("{,}", ",").replace("\\left", "").replace("\\right", "")
    figures = _FIGURE.findall(text)
    if len(_WORD.findall(text)) > _FEW_WORDS and 0 < len(figures) <= _MOST_NUMBERS:
        return _sentence(figures)
    items = _items(text.strip())
    return _number(text) if items is None else _list(items)


def _sentence(figures: Iterable[str]) -> Sketch:
    """A sentence may stand for any number in it, also as a percentage."""
    read = (leading_value(figure, rounded=True) for figure in figures)
    values = [found[0] for found in read if found is not None]
    return Sketch("sentence", _marks([*values, *(value / 100 for value in values)]))


def _number(text: str) -> Sketch:
    before = _BEFORE.match(text)
    prefix = before[0] if before else ""
    found = leading_value(text[len(prefix) :], rounded=True)
    if found is None:
        return Sketch("open")
    value, rest = found[0], found[1].strip()
    if not prefix and not rest:
        if _NUMERAL.fullmatch(text):
            return Sketch("number", _marks([value]), value)
        return Sketch("formula", _marks([value]))
    if not _UNIT.fullmatch(rest):
        return Sketch("open")
    around = " ".join(f"{prefix}|{rest}".split())
    return Sketch("quantity", _marks(_meant(value, rest)), None, around)


def _meant(value: Fraction, unit: str) -> Iterable[Fraction]:
    """A number by itself and, where a unit says so, multiplied."""
    yield value
    if "%" in unit or "percent" in unit.replace(" ", ""):
        yield value / 100
    if "\u00b0" in unit or "circ" in unit or "degree" in unit:
        yield value * Fraction(math.pi) / 180
    for word, power in _MULTIPLES.items():
        if word in unit.lower():
            yield value * 10**power


def _items(text: str) -> list[str] | None:
    r"""The parts of a list in brackets, None if it is none: "(1, 2)", "\{1, 2\}", "[0, 1)"."""
    text = text.replace("\\{", "{").replace("\\}", "}")
    if text[:1] not in _BRACKETS or text[-1:] not in _BRACKETS.values():
        return None
    parts, depth = [""], 0
    for sign in text[1:-1]:
        depth += (sign in _BRACKETS) - (sign in _BRACKETS.values())
        if depth < 0:
            return None
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts if len(parts) > 1 and depth == 0 else None


def _list(items: list[str]) -> Sketch:
    values = []
    for place, item in enumerate(items):
        if place and re.match(r"\d{3}(?!\d)", item):  # (1,234) is a number or a list
            return Sketch("open")
        found = leading_value(item.strip().replace("\\infty", _INFINITY), rounded=True)
        if found is None or found[1].strip():
            return Sketch("open")
        values.append(found[0])
    # Lists of the same values have the same largest one, in whatever order and however often.
    return Sketch("list", frozenset(f"of {mark}" for mark in _marks([max(values)])))


def _marks(values: Iterable[Fraction]) -> frozenset[str]:
    """Values that are close to each other share a mark."""
    found = set[str]()
    for value in values:
        try:
            near = float(value)
        except OverflowError:
            found.add("huge")
        else:
            found |= {f"{near * share + 0.0:.8g}" for share in (1 - _CLOSE, 1.0, 1 + _CLOSE)}
    return frozenset(found)
