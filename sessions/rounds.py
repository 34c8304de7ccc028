"""Training rounds on disk: what was asked for, and the result of every phase that is done.

Rounds in a row make a series. What was asked for tells a series from others, so the same command
finds the round that it was at.
"""

import json
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from sqlite_utils import Database

from sessions.adapters import Role
from sessions.batches import identity
from sessions.database import Connection
from sessions.errors import RoundInUseError, RoundNotFoundError
from sessions.holds import Holds

RoundStatus = Literal["open", "done", "cancelled"]


class PhaseRow(msgspec.Struct, frozen=True):
    """A phase that was begun.

    Attributes:
        result: JSON-able; None until it is done.
        seconds: worked on it, in all processes together.
    """

    result: dict[str, Any] | None
    seconds: float


class RoundRow(msgspec.Struct, frozen=True):
    """A round and how far it is.

    Attributes:
        id: 8 hex digits.
        series: id of the first round in its row; `number` counts from there, from 1 on.
        recipe: name.
        setting: what was asked for, its words under "asked", how many rounds the series is to have
            under "rounds", and the adapters that it began with under "start".
        status: open until it is done or cancelled.
        message: why it did not go on, "" if nothing went wrong.
        phases: those that were begun.
        created, updated: Unix time.
    """

    id: str
    series: str
    number: int
    recipe: str
    setting: dict[str, Any]
    status: RoundStatus
    message: str
    created: float
    updated: float
    phases: dict[str, PhaseRow]

    def result(self, phase: str) -> dict[str, Any] | None:
        """The result of a phase; None if it is not done."""
        row = self.phases.get(phase)
        return row.result if row else None


class StoredRounds:
    """The rounds of a store; only one process works on one at a time.

    Args:
        folder: of the lock files.
        reads, writes: connections to the store.
    """

    def __init__(self, folder: Path, reads: Connection, writes: Connection) -> None:
        self._holds = Holds(folder, "rounds")
        self._reads = reads
        self._writes = writes

    def find(self, wanted: Mapping[str, Any], rounds: int) -> RoundRow | None:
        """The latest round of a series of so many rounds that was asked for alike and is not at its
        end, None if there is none.
        """
        with self._reads.reading() as db:
            row = db.execute(
                "SELECT id FROM rounds WHERE identity = ? ORDER BY created DESC, rowid DESC",
                [_identity(wanted, rounds)],
            ).fetchone()
        if row is None:
            return None
        found = self.row(row[0])
        ended = found.status == "cancelled" or (found.status == "done" and found.number >= rounds)
        return None if ended else found

    def begin(
        self,
        recipe: str,
        wanted: Mapping[str, Any],
        rounds: int,
        asked: Mapping[str, Any],
        start: Mapping[Role, str | None],
        after: RoundRow | None = None,
    ) -> RoundRow:
        """A new round.

        Args:
            recipe: name.
            wanted: what is asked for, JSON-able; the same for all rounds of a series.
            rounds: how many the series is to have.
            asked: the words it was asked for in, for going on without them.
            start: role -> adapter that it begins with, None for the bare model.
            after: the round before it in its series, None for the first.
        """
        now = time.time()
        with self._writes.writing() as db:
            new = _unused_id(db)
            db.table("rounds").insert(
                {
                    "id": new,
                    "series": after.series if after else new,
                    "number": after.number + 1 if after else 1,
                    "identity": _identity(wanted, rounds),
                    "recipe": recipe,
                    "setting": json.dumps(
                        {**wanted, "rounds": rounds, "asked": dict(asked), "start": dict(start)}
                    ),
                    "status": "open",
                    "message": "",
                    "created": now,
                    "updated": now,
                }
            )
        return self.row(new)

    def rows(self) -> list[RoundRow]:
        """All rounds, the newest first."""
        with self._reads.reading() as db:
            rows = list(db.query("SELECT * FROM rounds ORDER BY created DESC, rowid DESC"))
            return [_row(db, row) for row in rows]

    def row(self, identifier: str) -> RoundRow:
        """One round.

        Raises:
            RoundNotFoundError: there is none with this id.
        """
        with self._reads.reading() as db:
            rows = list(db.query("SELECT * FROM rounds WHERE id = ?", [identifier]))
            if not rows:
                raise _not_found(identifier)
            return _row(db, rows[0])

    def finish_phase(self, identifier: str, phase: str, result: Mapping[str, Any]) -> None:
        """Write down what a phase came to; it is done then."""
        body = json.dumps(result)
        with self._writes.writing() as db:
            db.execute(
                "INSERT INTO round_phases (round, phase, result, seconds) VALUES (?, ?, ?, 0) "
                "ON CONFLICT DO UPDATE SET result = excluded.result",
                [identifier, phase, body],
            )

    def spend(self, identifier: str, phase: str, seconds: float) -> None:
        """Add to the time that was worked on a phase."""
        with self._writes.writing() as db:
            db.execute(
                "INSERT INTO round_phases (round, phase, seconds) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET seconds = seconds + excluded.seconds",
                [identifier, phase, seconds],
            )

    def say(self, identifier: str, status: RoundStatus, message: str = "") -> None:
        """Change where a round stands.

        Raises:
            RoundNotFoundError: there is none with this id.
        """
        with self._writes.writing() as db:
            changed = db.execute(
                "UPDATE rounds SET status = ?, message = ?, updated = ? WHERE id = ?",
                [status, message, time.time(), identifier],
            ).rowcount
        if not changed:
            raise _not_found(identifier)

    def delete(self, identifier: str) -> None:
        """Forget a round; its adapters and sessions are not touched.

        Raises:
            RoundNotFoundError: there is none with this id.
        """
        with self._writes.writing() as db:
            if not db.execute("DELETE FROM rounds WHERE id = ?", [identifier]).rowcount:
                raise _not_found(identifier)

    def hold(self, series: str) -> None:
        """Keep a series from other processes.

        Raises:
            RoundInUseError: another one works on it.
            StoreUnwritableError: the lock file cannot be written.
        """
        self._holds.take(
            series,
            RoundInUseError(
                f"Another process works on round {series} or one that follows it: let it finish "
                "or end it, then go on here."
            ),
        )

    def release(self, series: str) -> None:
        """Let others work on a series; nothing if this process does not hold it."""
        self._holds.release(series)

    def close(self) -> None:
        """Give back all locks."""
        self._holds.close()


def _identity(wanted: Mapping[str, Any], rounds: int) -> str:
    return identity("round", {"wanted": dict(wanted), "rounds": rounds})


def _row(db: Database, row: dict[str, Any]) -> RoundRow:
    del row["identity"]
    row["setting"] = json.loads(row["setting"])
    found = db.query("SELECT * FROM round_phases WHERE round = ? ORDER BY rowid", [row["id"]])
    phases = {
        phase["phase"]: PhaseRow(
            None if phase["result"] is None else json.loads(phase["result"]), phase["seconds"]
        )
        for phase in found
    }
    return RoundRow(phases=phases, **row)


def _unused_id(db: Database) -> str:
    while True:
        new = secrets.token_hex(4)
        if not db.execute("SELECT 1 FROM rounds WHERE id = ?", [new]).fetchone():
            return new


def _not_found(identifier: str) -> RoundNotFoundError:
    return RoundNotFoundError(
        f"There is no round {identifier[:40]!r}; `lab rounds list` shows those there are."
    )
