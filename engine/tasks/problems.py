"""Problems and problem files: one JSON object per line with at least id, content and answer."""

import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from engine.errors import TaskError

SUFFIX = ".jsonl"
LONGEST_QUESTION = 20_000
"""Characters that a question, or its answer, can have."""

SPLITS = ("samples", "heldout", "pool", "dev", "train")
"""Bundled problems. "samples" are held-out ones on which a search has something to do."""


class Problem(msgspec.Struct, frozen=True):
    """A question with its right answer.

    Attributes:
        id: unique in its file.
        content: the question's text.
        answer: the right answer.
        steps: reasoning steps of the shortest solution, 0 where not known.
        family: kind of problem, "" where not known; problems of one family grade alike.
        split: train, dev, pool or heldout; "" where not known.
        checker: how an answer is compared with the right one, see `engine.tasks.grading`.
    """

    id: str
    content: str
    answer: str
    steps: int = 0
    family: str = ""
    split: str = ""
    checker: str = "math"


def read_problems(path: Path | Traversable) -> list[Problem]:
    """The problems of a .jsonl file, in order; blank lines are skipped.

    Numbers are taken as ids and answers too; unknown fields are ignored.

    Raises:
        TaskError: the file cannot be read, or a line is no problem; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"The problem file {path} cannot be read: {error}.") from error
    problems = [
        _problem(line, f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not problems:
        raise TaskError(f"The problem file {path} holds no problem.")
    seen: set[str] = set()
    for problem in problems:
        if problem.id in seen:
            raise TaskError(f"The problem file {path} has the id '{problem.id}' twice.")
        seen.add(problem.id)
    return problems


def _problem(line: str, where: str) -> Problem:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise TaskError(f"{where}: not JSON ({error}).") from error
    if not isinstance(fields, dict):
        raise TaskError(f'{where}: a problem is an object with "id", "content" and "answer".')
    for name in ("id", "content", "answer"):
        value = fields.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and name != "content":
            fields[name] = value = str(value)
        if not isinstance(value, str) or not value.strip():
            raise TaskError(f'{where}: "{name}" is missing or not a text.')
    try:
        return msgspec.convert(fields, Problem)
    except msgspec.ValidationError as error:
        raise TaskError(f"{where}: {error}.") from error


def bundled_files() -> dict[str, Traversable]:
    """Problem files that come with the lab, by name without suffix; empty if there are none.

    They are package data, so this works in a source tree and in an installed wheel.
    """
    try:
        folder = resources.files("assets") / "problems"
    except ModuleNotFoundError:
        return {}
    if not folder.is_dir():
        return {}
    files = sorted(folder.iterdir(), key=lambda item: item.name)
    return {f.name.removesuffix(SUFFIX): f for f in files if f.name.endswith(SUFFIX)}


def bundled_problems(name: str) -> list[Problem]:
    """The problems of a bundled file, such as "stories-dev".

    Raises:
        TaskError: there is no bundled file of that name.
    """
    files = bundled_files()
    if name not in files:
        have = ", ".join(files) or "none"
        raise TaskError(f"There is no bundled problem file '{name}'; there are: {have}.")
    return read_problems(files[name])
