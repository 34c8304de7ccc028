"""What the cells of a row say: texts, numbers and lists of either, whatever the file writes.

A cell that is no such thing raises `TaskError`, whose message names the field.
"""

import math
from collections.abc import Iterable

from engine.errors import TaskError
from engine.tasks.tables import Row, kind_of

_PLAIN_WHOLE = 10**15
"""Up to here a whole number of a float is written without a point: 51.0 is 51."""


def same_name(field: str) -> str:
    """The name of a field without what names of the same thing differ in: letter case, spaces and
    strokes. "Correct Answer", "correct_answer" and "correctAnswer" are one.
    """
    return "".join(sign for sign in field.casefold() if sign not in " _-")


def found_names(there: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Fields that are there of those that are wanted, in the order of these."""
    names: dict[str, str] = {}
    exact = set(there)
    for field in exact if isinstance(there, set) else there:
        names.setdefault(same_name(field), field)
    found = (one if one in exact else names.get(same_name(one)) for one in wanted)
    return list(dict.fromkeys(field for field in found if field is not None))


def value_of(row: Row, field: str) -> object:
    """What a row has in a field; "choices.text" is the text in the object choices."""
    if field in row or "." not in field:
        return row.get(field)
    outer, _, inner = field.partition(".")
    value = row.get(outer)
    return value.get(inner) if isinstance(value, dict) else None


def is_empty(value: object) -> bool:
    """Whether a cell says nothing: null, a blank text, NaN, an empty list or object, false."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, (list, dict)):
        return not value
    return value is None or value is False or is_nan(value)


def is_nan(value: object) -> bool:
    """Whether a cell says that it is no number."""
    return isinstance(value, float) and math.isnan(value)


def text_of(row: Row, field: str) -> str:
    """The text in a field, "" where it is missing."""
    return _text(field, value_of(row, field))


def number_or_text(row: Row, field: str) -> str:
    """The text or number in a field as a text, "" where it is missing."""
    return written(field, value_of(row, field))


def texts_of(row: Row, field: str) -> list[str]:
    """The texts and numbers in a field: several where it holds a list, none where it is empty.
    True and false are "Yes" and "No".
    """
    value = value_of(row, field)
    items = value if isinstance(value, list) else [value]
    found = [{True: "Yes", False: "No"}[item] if isinstance(item, bool) else written(field, item)
             for item in items]  # fmt: skip
    return [text for text in found if text]


def written(field: str, value: object) -> str:
    """A text or number as a text, "" for null; raises TaskError for what is neither."""
    if isinstance(value, float) and not math.isfinite(value):
        raise TaskError(f"{field!r} is {_NOT_FINITE.get(value, 'NaN')}, not a number")
    if isinstance(value, float) and value.is_integer() and abs(value) < _PLAIN_WHOLE:
        return str(int(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return str(value)
        except ValueError as error:  # a whole number of thousands of digits
            raise TaskError(f"{field!r} is not a usable number") from error
    text = _text(field, value)
    if text.casefold() == "nan":  # as tables write what was no number
        raise TaskError(f"{field!r} is NaN, not a number")
    return text


_NOT_FINITE = {math.inf: "Infinity", -math.inf: "-Infinity"}


def _text(field: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TaskError(f"{field!r} is {kind_of(value)}, not a text")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise TaskError(f"{field!r} is not valid Unicode text") from error
    return value.replace("\r\n", "\n").strip()
