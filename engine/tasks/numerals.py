"""Numbers as answers state them, read exactly: nothing is rounded, nothing is evaluated."""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from engine.errors import TaskError
from engine.tasks.arithmetic import value_of
from engine.tasks.formula import Reader
from engine.tasks.notation import plain, trimmed

__all__ = ["LONGEST", "Amount", "amount_of", "label_of", "number_of", "trimmed"]

LONGEST = 2000
"""No longer text, in characters, states a number."""

_NAMED = r"\\?[A-Za-z]\w{0,15}(?:_\{[\w ,]{0,20}\})?(?:\s*\(\s*[A-Za-z]\s*\))?"
_SUM = rf"{_NAMED}(?:\s?[-+*/]\s?{_NAMED}){{0,5}}"
_EQUALS = re.compile(
    rf"(?P<name>{_SUM}|\\(?:Delta|angle)\s?\w{{1,9}})\s?="
    r"|(?:[-\d\s.+*/^(){}]|,(?=\d{3})){1,200}="
)
_ABOUT = re.compile(
    r"^(?:\\approx|about|approximately|approx\.?|around|roughly|exactly|only|~)(?![A-Za-z])\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[(\[]?([A-J])[.)\]]\s*(?=[-+$\\.]{0,3}\s?(?:\d|[dt]?frac|sqrt))")
_CURRENCY = re.compile(
    r"([-+]?)\s*(US ?\$|USD|EUR|GBP|Rs\.?|[$\u20ac\u00a3\u00a5\u20b9])\s*(?=[-+]?[\d.\\])"
)
_UNIT = re.compile(
    r"\\?%|per ?cent|[/(]? ?(?:\\[Oo]mega|\\mu ?|\\AA|[^\W\d_]{2}|\^ ?\\circ"
    r"|[mgshlLVWANJCFK\u00c5\u03a9\u03bc](?![^\W\d_])).{0,80}"
)
_NO_UNIT = re.compile(
    r"(?<![\^{\-A-Za-z])\d|[=<>,;?!|\[\]&\"+\ufffd]|(?:^|\s)-|\\(?!circ|[Oo]mega|mu\b|AA|%|frac)"
    r"|\((?:hundred|thousand|million|billion|dozen)"
    r"|\b(?:or|and|not|to|either|than|minus|negative|below|wrong|incorrect|root|pi|mod|if"
    r"|hal(?:f|ves)|thirds?|quarters?|(?:four|fif|six|seven|eigh|nin|ten|hundred|thousand)ths?"
    r"|times\s\S)\b|^(?:squared|cubed|factorial)\b",
    re.IGNORECASE,
)
"""What is no unit, but makes another number of it, or none."""


class Amount(NamedTuple):
    """A number with its unit.

    Attributes:
        number: as a formula without unknowns.
        value: its value, None where that is no fraction.
        unit: its text in plain notation, "" without one.
        name: what it is the value of, "" if that is not said.
    """

    number: str
    value: Fraction | None
    unit: str
    name: str = ""


def number_of(text: str) -> Fraction | None:
    """The exact number that a text states, None if it states none or more than one.

    Reads thousands separators, decimals, fractions (plain, mixed and LaTeX), percentages (50 % is
    1/2), currency signs, a unit after the number, and "x = 5" as 5.
    """
    found = amount_of(text)
    if found is None or found.value is None:
        return None
    return found.value / 100 if found.unit == "%" else found.value


@lru_cache(maxsize=4096)
def amount_of(text: str) -> Amount | None:
    """The number that a whole text states and its unit; None if there is none, or more."""
    if len(text) > LONGEST:
        return None
    name, text = "", plain(trimmed(text)).strip('"')
    text = text[label.end() :] if (label := _LABEL.match(text)) else text
    while equals := _EQUALS.match(text):
        name, text = equals["name"] or name, text[equals.end() :].strip()
    text = _ABOUT.sub("", text, count=1)
    currency = ""
    if sign := _CURRENCY.match(text):
        currency, text = sign[2], sign[1] + text[sign.end() :]
    text = re.sub(r"^\((\d[\d.]*)\)$", r"\1", text)
    try:
        reader = Reader(text, numeric=True)
        node = reader.sum()
    except TaskError:
        return None
    unit = reader.rest.strip(". ")
    if unit and (not _UNIT.fullmatch(unit) or _NO_UNIT.search(unit)):
        return None
    if currency and len(unit) == 1 and unit.isalpha():  # $5K
        return None
    try:
        value = value_of(node)
    except TaskError:
        value = None
    except (ArithmeticError, ValueError):
        return None
    unit = "%" if re.fullmatch(r"%|per ?cent", unit) else f"{unit} {currency}".strip()
    return Amount(text[: len(text) - len(reader.rest)], value, unit, re.sub(r"[\s{}\\]", "", name))


def label_of(text: str) -> str:
    r"""The letter of an option before a number, as in "(B) 12" or "\textbf{(B) } 12", else ""."""
    found = _LABEL.match(plain(trimmed(text[:LONGEST])))
    return found[1] if found else ""
