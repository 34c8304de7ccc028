"""Exports: sessions chosen from the store, turned into rows or documents, and put into files."""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from engine.errors import EventError, ParameterError
from engine.exports import graph, page, picture
from engine.exports.collect import MARKS, Collection, Counts
from engine.exports.files import CONTAINERS, Container, container, write_file, write_rows
from engine.exports.rows import RowSettings
from engine.imports.sessions import FORMAT
from engine.tree import Tree
from lab.view import node_records, session_result
from sessions.errors import EventDamagedError, SessionNotFoundError
from sessions.rows import SessionRow
from sessions.store import Store

if TYPE_CHECKING:
    from lab.export_orders import Orders

Answered = Literal["right", "wrong", "ungraded", "none"]
ANSWERED: tuple[Answered, ...] = ("right", "wrong", "ungraded", "none")

MEASURED = "searches of held-out problems, of rounds and evaluations"

_DRAWN: dict[str, Callable[[Tree, Path], None]] = {
    "graphml": graph.write_graphml,
    "html": page.write_page,
    "png": lambda tree, path: picture.write_picture(tree, path, "png"),
    "svg": lambda tree, path: picture.write_picture(tree, path, "svg"),
    "pdf": lambda tree, path: picture.write_picture(tree, path, "pdf"),
}
DOCUMENTS = ("json", "jsonl", *_DRAWN)
"""What a tree can be written as; only jsonl holds several."""


class Selection(msgspec.Struct, frozen=True):
    """Which sessions: those that meet everything that is given; all, if nothing is.

    Attributes:
        sessions: ids.
        batch: id of a batch that they belong to.
        dataset: what the batch was made of, as it was named there.
        algorithm: name.
        answered: right, wrong, ungraded (an answer and nothing to compare it with) or none.
        since, until: when they were made, Unix time; `until` is left out itself.
        measured: take the searches of rounds' and evaluations' held-out problems too, which rows
            otherwise leave out unless sessions, a batch or a dataset are named.
    """

    sessions: Sequence[str] | None = None
    batch: str | None = None
    dataset: str | None = None
    algorithm: str | None = None
    answered: Answered | None = None
    since: float | None = None
    until: float | None = None
    measured: bool = False


class RowsReport(msgspec.Struct, frozen=True):
    """What an export of rows did.

    Attributes:
        format: of the rows.
        path, container: where they are, and as what; path is None if there were none to write.
        selected: sessions that were looked at.
        counts: what came of them.
    """

    format: str
    path: str | None
    container: Container
    selected: int
    counts: Counts


class TreesReport(msgspec.Struct, frozen=True):
    """What an export of trees did: where they are, as what, and which sessions they are of."""

    path: str
    document: str
    sessions: list[str]


class Exports:
    """Exports of one store; reads only what is on disk, so runs go on meanwhile.

    Attributes:
        folder: where exports go that nobody named a place for; made when it is needed.

    Args:
        store: where the sessions are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.folder = store.path.parent / "exports"

    @cached_property
    def orders(self) -> "Orders":
        """Exports into that folder, as a page asks for them."""
        from lab.export_orders import Orders

        return Orders(self, self._store, self.folder)

    def select(self, selection: Selection) -> list[str]:
        """Ids of the chosen sessions, the oldest first.

        Raises:
            SessionNotFoundError, BatchNotFoundError: one that is named does not exist.
            ParameterError: none is left.
        """
        rows = {row.id: row for row in self._store.sessions()}
        for session in selection.sessions or ():
            if session not in rows:
                raise SessionNotFoundError(f"There is no session {session[:40]!r}.")
        if selection.batch is not None:
            self._store.batches.row(selection.batch)
        batches = {row.id: row.dataset for row in self._store.batches.rows()}
        chosen = [row for row in rows.values() if _meets(row, selection, batches)]
        if not chosen:
            raise ParameterError(f"None of the {len(rows):,} sessions here is meant: say others.")
        return [row.id for row in sorted(chosen, key=lambda row: (row.created, row.id))]

    def save_rows(
        self,
        selection: Selection,
        name: str,
        path: Path,
        settings: RowSettings | None = None,
        kind: Container | None = None,
        bare: bool = False,
        force: bool = False,
    ) -> RowsReport:
        """Write training rows of sessions; nothing is written if there are none.

        Args:
            selection: which sessions.
            name: of the format, see `engine.exports.collect.FORMATS`.
            path: file, or folder for `datasets`.
            settings: what is taken from a tree.
            kind: how it is written; by the path's suffix if None.
            bare: without the columns that tell where a row comes from.
            force: replace what is there.

        Raises:
            ParameterError: a format or setting that there is not, or no session is meant.
            ExportError: something is there already, or it cannot be written.
            StoreError: the store cannot be read, or something that is named does not exist.
        """
        kind = container(path) if kind is None else _known("container", kind, CONTAINERS)
        collection = Collection(name, settings or RowSettings())
        chosen = self._collect(selection, collection)
        rows, columns = collection.records(), dict(collection.columns)
        if bare:
            columns = {name: kind for name, kind in columns.items() if name not in MARKS}
            rows = [{name: row[name] for name in columns} for row in rows]
        if rows:
            write_rows(rows, columns, path, kind, force)
        where = str(path) if rows else None
        return RowsReport(name, where, kind, chosen, collection.counts())

    def count_rows(
        self, selection: Selection, name: str, settings: RowSettings | None = None
    ) -> RowsReport:
        """What `save_rows` would write; nothing is written.

        Raises:
            ParameterError: a format or setting that there is not, or no session is meant.
            StoreError: the store cannot be read, or something that is named does not exist.
        """
        collection = Collection(name, settings or RowSettings())
        chosen = self._collect(selection, collection)
        return RowsReport(name, None, "jsonl", chosen, collection.counts())

    def _collect(self, selection: Selection, collection: Collection) -> int:
        """Fill a collection; how many sessions were looked at."""
        chosen = self.select(selection)
        if not (selection.measured or selection.sessions or selection.batch or selection.dataset):
            measuring = self._measuring()
            kept = [session for session in chosen if session not in measuring]
            collection.leave_out(MEASURED, len(chosen) - len(kept))
            chosen = kept
        for session in chosen:
            try:
                collection.add(session, self._tree(session))
            except (EventError, EventDamagedError, ParameterError, SessionNotFoundError) as error:
                collection.skip(session, f"cannot be read: {error}")
        return len(chosen)

    def _measuring(self) -> set[str]:
        """Sessions whose problems measure what was learnt: learning from them would spoil that."""
        batches = {
            (row.result(phase) or {}).get(name)
            for row in self._store.rounds.rows()
            for phase in ("greedy", "guided")
            for name in ("before", "after")
        }
        for evaluation in self._store.evaluations.rows():
            batches |= set(evaluation.batches.values())
        return {row.id for row in self._store.sessions() if row.batch and row.batch in batches}

    def save_trees(
        self,
        selection: Selection,
        path: Path,
        document: str | None = None,
        force: bool = False,
    ) -> TreesReport:
        """Write the tree of a session as a document, or those of many as JSON lines.

        Args:
            selection: which sessions.
            path: the file.
            document: one of `DOCUMENTS`; by the path's suffix if None.
            force: replace what is there.

        Raises:
            ParameterError: no such document, no session is meant, or several for one document.
            ExportError: something is there already, or it cannot be written.
            StoreError: the store or a session cannot be read.
        """
        document = _known("document", document or path.suffix.lower().lstrip("."), DOCUMENTS)
        chosen = self.select(selection)
        if document == "jsonl":
            write_file(path, lambda draft: self._save_lines(chosen, draft), force)
            return TreesReport(str(path), document, chosen)
        if len(chosen) > 1:
            raise ParameterError(
                f"{len(chosen):,} sessions are meant, and {document} holds one: name one, or "
                "write them as .jsonl."
            )
        if document == "json":
            text = json.dumps(self.document(chosen[0]), ensure_ascii=True, indent=2) + "\n"
            write_file(path, lambda draft: _write_text(draft, text), force)
        else:
            tree = self._tree(chosen[0])
            write_file(path, lambda draft: _DRAWN[document](tree, draft), force)
        return TreesReport(str(path), document, chosen)

    def document(self, session: str) -> dict[str, Any]:
        """A session as JSON-able data: its outcome, its nodes and its whole log.

        Raises:
            StoreError: it does not exist or cannot be read.
        """
        row, log = self._store.session(session), self._store.events(session)
        tree = Tree.fold(log)
        return {
            "format": FORMAT,
            "session": session,
            "name": row.name,
            "tags": row.tags,
            "created": row.created,
            "result": msgspec.to_builtins(session_result(session, tree)),
            "nodes": node_records(tree),
            "log": msgspec.to_builtins(log),
        }

    def _tree(self, session: str) -> Tree:
        return Tree.fold(self._store.events(session))

    def _save_lines(self, chosen: Sequence[str], draft: Path) -> None:
        with draft.open("w", encoding="ascii", newline="\n") as file:
            for session in chosen:
                file.write(json.dumps(self.document(session), ensure_ascii=True) + "\n")


def _meets(row: SessionRow, wanted: Selection, batches: dict[str, str]) -> bool:
    return all(
        (
            wanted.sessions is None or row.id in wanted.sessions,
            wanted.batch is None or row.batch == wanted.batch,
            wanted.dataset is None or batches.get(row.batch or "") == wanted.dataset,
            wanted.algorithm is None or row.algorithm == wanted.algorithm,
            wanted.answered is None or _answered(row) == wanted.answered,
            wanted.since is None or row.created >= wanted.since,
            wanted.until is None or row.created < wanted.until,
        )
    )


def _answered(row: SessionRow) -> Answered:
    if row.digest.answer is None:
        return "none"
    if row.digest.correct is None:
        return "ungraded"
    return "right" if row.digest.correct else "wrong"


def _known(what: str, name: str, names: Sequence[Any]) -> Any:
    if name not in names:
        raise ParameterError(f"There is no {what} {name!r}: take {', '.join(names)}.")
    return name


def _write_text(draft: Path, text: str) -> None:
    draft.write_text(text, "ascii")
