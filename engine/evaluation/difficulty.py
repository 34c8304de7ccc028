"""Problems by difficulty: as their dataset has it, or else by the length of the question."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import as_file
from pathlib import Path
from typing import Any

import msgspec

from engine.tasks.problems import SPLITS, bundled_files
from engine.tasks.tables import open_tables

FIELDS = ("steps", "num_steps", "level", "difficulty", "hops")
"""Fields of datasets that say how difficult a problem is, the first that is there."""

LENGTH = "words of the question"
MOST_SLICES = 6
_PARTS = 4
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Slice(msgspec.Struct, frozen=True):
    """Problems of a like difficulty: its name, and which ones, by their place in the list."""

    label: str
    problems: list[int]


class Difficulty(msgspec.Struct, frozen=True):
    """How problems differ.

    Attributes:
        by: the dataset's field, or `LENGTH`.
        slices: from easy to difficult; a problem is in one of them at most.
    """

    by: str
    slices: list[Slice]


def field_of(source: str, content: str) -> tuple[str, dict[str, float]]:
    """The difficulty that a dataset states.

    Args:
        source: as `engine.tasks.datasets.read_dataset` takes it.
        content: its field with the question.

    Returns:
        The field's name, and question (white space made one) -> number; ("", {}) where there is no
        such field.

    Raises:
        TaskError: the dataset cannot be read.
    """
    if source in SPLITS:
        file = bundled_files().get(f"stories-{source}")
        if file is None:
            return "", {}
        with as_file(file) as path:
            return _read(path, content)
    return _read(Path(source).expanduser(), content)


def _read(path: Path, content: str) -> tuple[str, dict[str, float]]:
    tables = open_tables(path)[1]
    there = {name for table in tables for name in table.fields}
    field = next((name for name in FIELDS if name in there), "")
    found: dict[str, float] = {}
    if not field or content not in there:
        return "", {}
    for table in tables:
        for _, row in table.rows([name for name in (field, content) if name in table.fields]):
            number = None if isinstance(row, str) else _number(row.get(field))
            if number is not None and not isinstance(row, str):
                found[plain(str(row.get(content)))] = number
    return field, found


def plain(question: str) -> str:
    """A question as it is looked up: white space is how a file is laid out."""
    return " ".join(question.split())


def _number(value: Any) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    found = _NUMBER.search(value[:100]) if isinstance(value, str) else None
    return float(found.group()) if found else None


def difficulty(questions: Sequence[str], by: str, stated: Mapping[str, float]) -> Difficulty:
    """Problems in slices: one for each number where there are few, else quarters of equal size.

    Args:
        questions: of the problems.
        by: name of what `stated` holds.
        stated: see `field_of`; without a number for nine in ten the questions' lengths are taken.
    """
    known = [stated.get(plain(question)) for question in questions]
    if not questions or sum(one is not None for one in known) < 0.9 * len(questions):
        by, known = LENGTH, [float(len(question.split())) for question in questions]
    numbers = sorted({one for one in known if one is not None})
    if len(numbers) <= MOST_SLICES:
        bounds = [(one, one) for one in numbers]
    else:
        bounds = _quarters(sorted(one for one in known if one is not None))
    slices = [
        Slice(_label(low, high), [i for i, one in enumerate(known) if _within(one, low, high)])
        for low, high in bounds
    ]
    return Difficulty(by, [one for one in slices if one.problems])


def _quarters(numbers: list[float]) -> list[tuple[float, float]]:
    bounds: list[tuple[float, float]] = []
    for part in range(_PARTS):
        chosen = numbers[part * len(numbers) // _PARTS : (part + 1) * len(numbers) // _PARTS]
        # Equal numbers stay together: a part begins above the one before it.
        chosen = [one for one in chosen if not bounds or one > bounds[-1][1]]
        if chosen:
            bounds.append((chosen[0], chosen[-1]))
    return bounds


def _within(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value <= high


def _label(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
