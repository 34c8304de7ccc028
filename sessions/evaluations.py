"""Evaluations: which methods were asked which problems within which budgets, and the batches."""

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sessions.batches import identity
from sessions.database import Connection
from sessions.errors import EvaluationInUseError, EvaluationNotFoundError
from sessions.holds import Holds


class EvaluationRow(msgspec.Struct, frozen=True):
    """An evaluation.

    Attributes:
        id: 8 hex digits.
        name: a person's, may be "".
        setting: what was asked for, JSON-able.
        batches: name of each run of searches -> its batch, as far as they were begun.
        message: why it did not go on, "" if nothing went wrong.
        found: name -> what was measured beside the searches, JSON-able.
        created, updated: Unix time.
    """

    id: str
    name: str
    setting: dict[str, Any]
    batches: dict[str, str]
    message: str
    created: float
    updated: float
    found: dict[str, Any]


class StoredEvaluations:
    """The evaluations of a store; only one process works on one at a time.

    Args:
        folder: of the lock files.
        reads, writes: connections to the store.
    """

    def __init__(self, folder: Path, reads: Connection, writes: Connection) -> None:
        self._holds = Holds(folder, "evaluations")
        self._reads = reads
        self._writes = writes

    def begin(self, setting: Mapping[str, Any], name: str = "") -> EvaluationRow:
        """A new evaluation."""
        new, now = secrets.token_hex(4), time.time()
        with self._writes.writing() as db:
            db.table("evaluations").insert(
                {
                    "id": new,
                    "identity": _identity(setting),
                    "name": name,
                    "setting": json.dumps(dict(setting)),
                    "batches": "{}",
                    "message": "",
                    "found": "{}",
                    "created": now,
                    "updated": now,
                }
            )
        return self.row(new)

    def find(self, setting: Mapping[str, Any]) -> EvaluationRow | None:
        """The latest one that was asked for alike, None if there is none."""
        with self._reads.reading() as db:
            row = db.execute(
                "SELECT id FROM evaluations WHERE identity = ? ORDER BY created DESC, rowid DESC",
                [_identity(setting)],
            ).fetchone()
        return None if row is None else self.row(row[0])

    def rows(self) -> list[EvaluationRow]:
        """All evaluations, the newest first."""
        with self._reads.reading() as db:
            rows = db.query("SELECT * FROM evaluations ORDER BY created DESC, rowid DESC")
            return [_row(row) for row in rows]

    def row(self, identifier: str) -> EvaluationRow:
        """One evaluation.

        Raises:
            EvaluationNotFoundError: there is none with this id.
        """
        with self._reads.reading() as db:
            rows = list(db.query("SELECT * FROM evaluations WHERE id = ?", [identifier]))
        if not rows:
            raise _not_found(identifier)
        return _row(rows[0])

    def enter(self, identifier: str, run: str, batch: str) -> None:
        """Note the batch of a run of searches."""
        batches = {**self.row(identifier).batches, run: batch}
        self._set(identifier, "batches", json.dumps(batches))

    def say(self, identifier: str, message: str) -> None:
        """Note why it did not go on; "" for nothing."""
        self._set(identifier, "message", message)

    def note(self, identifier: str, name: str, value: Any) -> None:
        """Keep something that was measured; JSON-able."""
        found = {**self.row(identifier).found, name: value}
        self._set(identifier, "found", json.dumps(found))

    def rename(self, identifier: str, name: str) -> None:
        """Give it another name."""
        self._set(identifier, "name", name)

    def delete(self, identifier: str) -> None:
        """Forget an evaluation; its batches and their sessions stay.

        Raises:
            EvaluationNotFoundError: there is none with this id.
        """
        with self._writes.writing() as db:
            gone = db.execute("DELETE FROM evaluations WHERE id = ?", [identifier]).rowcount
        if not gone:
            raise _not_found(identifier)

    def hold(self, identifier: str) -> None:
        """Keep an evaluation from other processes.

        Raises:
            EvaluationInUseError: another one works on it.
            StoreUnwritableError: the lock file cannot be written.
        """
        self._holds.take(
            identifier,
            EvaluationInUseError(
                f"Another process works on evaluation {identifier}: let it finish or end it."
            ),
        )

    def release(self, identifier: str) -> None:
        """Let others work on it; nothing if this process does not hold it."""
        self._holds.release(identifier)

    def close(self) -> None:
        """Give back all locks."""
        self._holds.close()

    def _set(self, identifier: str, column: str, value: str) -> None:
        with self._writes.writing() as db:
            changed = db.execute(
                f"UPDATE evaluations SET {column} = ?, updated = ? WHERE id = ?",
                [value, time.time(), identifier],
            ).rowcount
        if not changed:
            raise _not_found(identifier)


def _identity(setting: Mapping[str, Any]) -> str:
    return identity("evaluation", dict(setting))


def _row(row: dict[str, Any]) -> EvaluationRow:
    del row["identity"]
    for column in ("setting", "batches", "found"):
        row[column] = json.loads(row[column])
    return EvaluationRow(**row)


def _not_found(identifier: str) -> EvaluationNotFoundError:
    return EvaluationNotFoundError(
        f"There is no evaluation {identifier[:40]!r}; `lab evals list` shows those there are."
    )
