"""Files of generation rows and of sessions, row by row; bad rows are told by their place."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from engine import events as ev
from engine.errors import EventError, ImportFileError, ParameterError
from engine.imports.generation import read_row
from engine.imports.sessions import SessionFile, read_session
from engine.tasks.datasets import Rejected
from engine.tasks.tables import Table, open_tables

Kind = Literal["questions", "generation", "sessions"]
KINDS: tuple[Kind, ...] = ("questions", "generation", "sessions")

_Item = TypeVar("_Item")
_SINGLE = {"content", "solution", "summary"}


class Generation(msgspec.Struct, frozen=True):
    """The log of a generation row, and where the row stands."""

    place: str
    log: list[ev.AnyEvent]


class Session(msgspec.Struct, frozen=True):
    """An exported session, and where it stands."""

    place: str
    file: SessionFile


def kind_of_file(path: Path) -> Kind:
    """What a file holds, by the fields of its first rows.

    Raises:
        TaskError: it cannot be read.
    """
    fields = {field for table in open_tables(path)[1] for field in table.fields}
    if {"format", "log"} <= fields:
        return "sessions"
    return "generation" if "policy_samples" in fields or fields >= _SINGLE else "questions"


def read_generation(path: Path) -> tuple[list[Generation], list[Rejected]]:
    """The logs of a file of generation rows, and the rows that are none.

    Raises:
        TaskError: the file cannot be read.
    """
    return _read(path, lambda place, row: Generation(place, read_row(row)))


def read_sessions(path: Path) -> tuple[list[Session], list[Rejected]]:
    """The sessions of a file, and the rows that are none.

    Raises:
        TaskError: the file cannot be read.
    """
    return _read(path, lambda place, row: Session(place, read_session(row)))


def _read(
    path: Path, read: Callable[[str, Mapping[str, Any]], _Item]
) -> tuple[list[_Item], list[Rejected]]:
    found, rejected = [], []
    for table in open_tables(path)[1]:
        for place, row in _rows(table):
            if isinstance(row, str):
                rejected.append(Rejected(place, row))
                continue
            try:
                _check_texts(row)
                found.append(read(place, row))
            except (ImportFileError, EventError, ParameterError) as error:
                rejected.append(Rejected(place, str(error)))
    return found, rejected


def _rows(table: Table) -> Iterator[tuple[str, dict[str, Any] | str]]:
    before = f"{table.file}, " if table.file else ""
    for number, row in table.rows(table.fields):
        if not isinstance(row, str):
            # Other rows of a table have the field; one that is not there takes its default.
            row = {name: value for name, value in row.items() if value is not None}
        yield f"{before}{table.unit} {number}", row


def _check_texts(row: Mapping[str, Any]) -> None:
    """Raises ImportFileError if a text of a row is not valid Unicode and so cannot be stored."""
    try:
        json.dumps(row, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise ImportFileError("a text of it is not valid Unicode") from error
