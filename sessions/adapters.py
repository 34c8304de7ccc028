"""Adapters that rounds have made: whose child each is, what it learnt from, and which are in use.

The weights lie in a folder an adapter, loadable by plain PEFT, with a readable `meta.json`; the
store holds the same, and what only it can promise: no adapter loses its parent.
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from sessions.database import Connection
from sessions.errors import AdapterNeededError, AdapterNotFoundError

META = "meta.json"
Role = Literal["policy", "prm"]
ROLES: tuple[Role, ...] = ("policy", "prm")


class AdapterRow(msgspec.Struct, frozen=True):
    """An adapter.

    Attributes:
        id: 8 hex digits.
        role: whether it is one of the policy or of the process reward model.
        base: label of the model that it is on.
        parent: adapter that it was trained on from, None for the bare model.
        round: that made it.
        meta: recipe, data, seed, settings, versions, training and evaluation, as in `meta.json`.
        created: Unix time.
        active: whether new sessions with this base use it.
    """

    id: str
    role: Role
    base: str
    parent: str | None
    round: str
    meta: dict[str, Any]
    created: float
    active: bool


class StoredAdapters:
    """The adapters of a store.

    Args:
        folder: of the adapters' own folders; made when there is one.
        reads, writes: connections to the store.
    """

    def __init__(self, folder: Path, reads: Connection, writes: Connection) -> None:
        self._folder = folder
        self._reads = reads
        self._writes = writes

    def directory(self, adapter: str) -> Path:
        """Where an adapter lies, whether there is one or not."""
        return self._folder / adapter

    def open(self, adapter: str) -> Path:
        """Where an adapter lies.

        Raises:
            AdapterNotFoundError: there is none with this id, or its folder is gone.
        """
        self.row(adapter)
        directory = self.directory(adapter)
        if not directory.is_dir():
            raise AdapterNotFoundError(
                f"The folder of adapter {adapter} is gone: {directory}. Put it back, or use "
                "another adapter (`lab rounds activate`)."
            )
        return directory

    def add(
        self, adapter: str, role: Role, base: str, parent: str | None, meta: Mapping[str, Any]
    ) -> None:
        """Enter an adapter whose folder is there; again with the same id changes what is known.

        `meta` has at least "round", and is written into its folder.
        """
        _write(self.directory(adapter) / META, meta)
        with self._writes.writing() as db:
            db.execute(
                "INSERT INTO adapters (id, role, base, parent, round, meta, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET meta = excluded.meta",
                [adapter, role, base, parent, meta["round"], json.dumps(meta), time.time()],
            )

    def rows(self) -> list[AdapterRow]:
        """All adapters, the oldest first."""
        with self._reads.reading() as db:
            return [_row(row) for row in db.query(f"{_ADAPTERS} ORDER BY created, a.rowid")]

    def row(self, adapter: str) -> AdapterRow:
        """One adapter.

        Raises:
            AdapterNotFoundError: there is none with this id.
        """
        with self._reads.reading() as db:
            rows = list(db.query(f"{_ADAPTERS} WHERE a.id = ?", [adapter]))
        if not rows:
            raise AdapterNotFoundError(
                f"There is no adapter {adapter[:40]!r}; `lab rounds list` shows those there are."
            )
        return _row(rows[0])

    def active(self, role: Role, base: str) -> str | None:
        """The adapter that new sessions with a base use; None for the bare model."""
        with self._reads.reading() as db:
            row = db.execute(
                "SELECT adapter FROM active_adapters WHERE role = ? AND base = ?", [role, base]
            ).fetchone()
        return None if row is None else str(row[0])

    def activate(self, role: Role, base: str, adapter: str | None) -> None:
        """Let new sessions with a base use an adapter, or None of them.

        Raises:
            AdapterNotFoundError: there is no such adapter of this role and base.
        """
        if adapter is not None:
            row = self.row(adapter)
            if (row.role, row.base) != (role, base):
                raise AdapterNotFoundError(
                    f"Adapter {adapter} is one of the {row.role} {row.base}, not of the {role} "
                    f"{base}: start the lab with that model to use it."
                )
        with self._writes.writing() as db:
            if adapter is None:
                db.execute("DELETE FROM active_adapters WHERE role = ? AND base = ?", [role, base])
            else:
                db.execute(
                    "INSERT OR REPLACE INTO active_adapters (role, base, adapter) VALUES (?, ?, ?)",
                    [role, base, adapter],
                )

    def delete(self, *adapters: str) -> None:
        """Delete adapters for good, all of them or none.

        Raises:
            AdapterNotFoundError: there is none with one of these ids.
            AdapterNeededError: one is in use, or others that stay were trained on from it.
        """
        for adapter in adapters:
            row = self.row(adapter)
            if row.active:
                raise AdapterNeededError(
                    f"Adapter {adapter} is the one in use for the {row.role} {row.base}: activate "
                    "another one first (`lab rounds activate`; `base` is the bare model)."
                )
        with self._writes.writing() as db:
            for adapter in adapters:
                children = [
                    str(row[0])
                    for row in db.execute("SELECT id FROM adapters WHERE parent = ?", [adapter])
                    if row[0] not in adapters
                ]
                if children:
                    raise AdapterNeededError(
                        f"Adapter {adapter} is needed: {', '.join(children)} "
                        f"{'was' if len(children) == 1 else 'were'} trained on from it. Delete "
                        "what came of it first."
                    )
            marks = ", ".join("?" * len(adapters))
            db.execute(f"UPDATE adapters SET parent = NULL WHERE id IN ({marks})", adapters)
            db.execute(f"DELETE FROM adapters WHERE id IN ({marks})", adapters)
        for adapter in adapters:
            shutil.rmtree(self.directory(adapter), ignore_errors=True)


_ADAPTERS = (
    "SELECT a.*, b.adapter IS NOT NULL AS active FROM adapters AS a "
    "LEFT JOIN active_adapters AS b ON b.adapter = a.id"
)


def _row(row: dict[str, Any]) -> AdapterRow:
    row["meta"] = json.loads(row["meta"])
    row["active"] = bool(row["active"])
    return AdapterRow(**row)


def _write(path: Path, meta: Mapping[str, Any]) -> None:
    """A file that is there whole or as it was before."""
    draft = path.with_name(f".{path.name}.new")
    with draft.open("w", encoding="ascii") as file:
        json.dump(meta, file, indent=2, ensure_ascii=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
