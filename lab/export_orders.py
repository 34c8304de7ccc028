"""Exports as a page asks for them: counted first, then written under a plain name into one folder.

A page never names a place, only a file name without any folder; what is there is not replaced.
"""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import ExportError, ParameterError
from engine.exports.collect import FORMATS, Counts
from engine.exports.files import CONTAINERS, Container
from engine.exports.rows import SCORES, RowSettings
from lab.export import DOCUMENTS, Exports, Selection
from sessions.store import Store

LONGEST_NAME = 80

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*", re.ASCII)
_SUFFIXES: dict[Container, str] = {"jsonl": ".jsonl", "parquet": ".parquet", "datasets": ""}
_DOCUMENTS = {
    "json": "The session: its outcome, its nodes and its whole log; reads back exactly.",
    "jsonl": "Sessions as JSON, one a line; the only one for several trees.",
    "graphml": "A directed graph for networkx, Gephi or yEd.",
    "html": "A page for any browser, complete in itself; needs no network.",
    "png": "A picture.",
    "svg": "A picture whose lines and texts stay lines and texts.",
    "pdf": "A picture for papers.",
}


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be exported.

    Attributes:
        selection: which sessions.
        form: one of the formats of rows, or of the documents.
        rows: whether `form` is one of rows.
        container: of rows.
        settings: of rows.
        bare: rows without the columns that tell where they come from.
        name: of the file, without suffix; "" for one that says what is in it.
    """

    selection: Selection = Selection()
    form: str = "values"
    rows: bool = True
    container: Container = "jsonl"
    settings: RowSettings = RowSettings()
    bare: bool = False
    name: str = ""


class FormInfo(msgspec.Struct, frozen=True):
    """A format of rows or a document: its name, one line on it, and whether it can be messages."""

    name: str
    summary: str
    chat: bool = False


class Options(msgspec.Struct, frozen=True):
    """What can be asked for.

    Attributes:
        formats: of rows.
        documents: that a tree can be written as.
        containers: of rows.
        scores: what a step of a pair can be better by.
        batch: that the session belongs to, if there is one.
        datasets: that batches here were made of.
        algorithms: of the sessions here.
        sessions: how many there are.
        folder: where files go.
    """

    formats: list[FormInfo]
    documents: list[FormInfo]
    containers: list[str]
    scores: list[str]
    batch: str | None
    datasets: list[str]
    algorithms: list[str]
    sessions: int
    folder: str


class Outlook(msgspec.Struct, frozen=True):
    """What an order would write: so many sessions, and for rows what comes of them."""

    sessions: int
    counts: Counts | None


class Saved(msgspec.Struct, frozen=True):
    """What was written.

    Attributes:
        name: of the file or folder in the exports' folder; None if there was nothing to write.
        path: where it is.
        size: in bytes, of all files of a folder.
        folder: whether it is a folder.
        sessions, counts: as in `Outlook`.
    """

    name: str | None
    path: str | None
    size: int
    folder: bool
    sessions: int
    counts: Counts | None


class Orders:
    """Takes orders for exports; safe to use from many threads.

    Args:
        exports: of the store.
        store: where the sessions are.
        folder: where files go.
    """

    def __init__(self, exports: Exports, store: Store, folder: Path) -> None:
        self._exports = exports
        self._store = store
        self._folder = folder

    def options(self, session: str | None) -> Options:
        """What can be asked for; `session` is the one that is open.

        Raises:
            StoreError: the store cannot be read.
        """
        rows = self._store.sessions()
        batches = self._store.batches.rows()
        return Options(
            formats=[FormInfo(f.name, f.summary, bool(f.chat_columns)) for f in FORMATS.values()],
            documents=[FormInfo(name, _DOCUMENTS[name]) for name in DOCUMENTS],
            containers=list(CONTAINERS),
            scores=list(SCORES),
            batch=next((row.batch for row in rows if row.id == session), None),
            datasets=sorted({batch.dataset for batch in batches}),
            algorithms=sorted({row.algorithm for row in rows}),
            sessions=len(rows),
            folder=str(self._folder),
        )

    def count(self, entered: Mapping[str, Any]) -> Outlook:
        """What an order would write; nothing is written.

        Args:
            entered: the fields of an `Order`.

        Raises:
            ParameterError: a field or a value that there is not, or no session is meant.
            StoreError: the store cannot be read, or something that is named does not exist.
        """
        order = _order(entered)
        if order.rows:
            report = self._exports.count_rows(order.selection, order.form, order.settings)
            return Outlook(report.selected, report.counts)
        return Outlook(len(self._exports.select(order.selection)), None)

    def save(self, entered: Mapping[str, Any]) -> Saved:
        """Write what an order asks for.

        Args:
            entered: the fields of an `Order`.

        Raises:
            ParameterError: a field or a value that there is not, a name that is no plain one, no
                session is meant, or several for a document of one.
            ExportError: something of that name is there already, or it cannot be written.
            StoreError: the store cannot be read, or something that is named does not exist.
        """
        order = _order(entered)
        path = self._place(order)
        if order.rows:
            rows = self._exports.save_rows(
                order.selection, order.form, path, order.settings, order.container, order.bare
            )
            return _saved(path if rows.path else None, rows.selected, rows.counts)
        trees = self._exports.save_trees(order.selection, path, order.form)
        return _saved(path, len(trees.sessions), None)

    def _place(self, order: Order) -> Path:
        suffix = _SUFFIXES[order.container] if order.rows else f".{order.form}"
        if order.name:
            path = self._folder / f"{plain_name(order.name)}{suffix}"
            if path.exists():
                raise ExportError(
                    f"{path.name} is there already in {self._folder}: choose another name, or "
                    "none for one that is free."
                )
            return path
        stem = _stem(order)
        taken = {path.name for path in self._folder.glob(f"{stem}*")}
        free = (f"{stem}{f'-{n}' if n > 1 else ''}{suffix}" for n in range(1, len(taken) + 2))
        return self._folder / next(name for name in free if name not in taken)


def plain_name(name: str) -> str:
    """The name, if it is one of a file in the folder of exports and nothing else.

    Raises:
        ParameterError: it has other characters than letters, digits, space, `.`, `_` and `-`,
            begins with another one than a letter or digit, or is too long.
    """
    if not _PLAIN.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ParameterError(
            f"A file cannot be called {name[:40]!r}: it takes up to {LONGEST_NAME} letters, "
            "digits, spaces, dots, - and _, a letter or digit first, and no folder."
        )
    return name


def _order(entered: Mapping[str, Any]) -> Order:
    try:
        order = msgspec.convert(entered, Order, strict=True)
    except msgspec.ValidationError as error:
        raise ParameterError(f"This export cannot be made: {error}.") from error
    known = tuple(FORMATS) if order.rows else DOCUMENTS
    if order.form not in known:
        what = "format of rows" if order.rows else "document"
        raise ParameterError(f"There is no {what} {order.form!r}: take {', '.join(known)}.")
    return order


def _stem(order: Order) -> str:
    """What a file holds, of which session or batch, and when it was made."""
    chosen = order.selection
    parts = [order.form if order.rows else "tree"]
    if order.rows:
        parts.append(order.settings.method)
    if chosen.sessions and len(chosen.sessions) == 1:
        parts.append(chosen.sessions[0])
    elif chosen.batch:
        parts.append(f"batch-{chosen.batch}")
    parts.append(time.strftime("%Y%m%d-%H%M%S"))
    return "-".join(re.sub(r"[^A-Za-z0-9-]", "", part)[:LONGEST_NAME] for part in parts)


def _saved(path: Path | None, sessions: int, counts: Counts | None) -> Saved:
    if path is None:
        return Saved(None, None, 0, False, sessions, counts)
    folder = path.is_dir()
    files = [file for file in path.rglob("*") if file.is_file()] if folder else [path]
    size = sum(file.stat().st_size for file in files)
    return Saved(path.name, str(path), size, folder, sessions, counts)
