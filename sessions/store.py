"""Sessions on disk: their logs, and the lines that lists of sessions show."""

import json
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlite_utils import Database

from engine.days import day_of
from engine.errors import EventError
from engine.events import AnyEvent, Event, ModelsChosen, SearchCreated, decode, encode
from sessions.adapters import StoredAdapters
from sessions.archive import SqliteArchive
from sessions.batches import Batches, Place, Result, Work, begin, enter, finish, session_at
from sessions.database import Connection
from sessions.errors import (
    EventDamagedError,
    LogConflictError,
    StoreUnwritableError,
)
from sessions.evaluations import StoredEvaluations
from sessions.labelled import Labelled
from sessions.leases import Leases, not_found
from sessions.rounds import StoredRounds
from sessions.rows import Arrival, Digest, SessionRow, TakenIn
from sessions.schema import prepare
from sessions.turns import Turns

FILE_NAME = "lab.sqlite"


class Store:
    """The one SQLite file of a home folder. Safe to use from several threads and processes.

    Args:
        home: folder, created if missing.
        program: how this process calls itself where it keeps others from a session.

    Raises:
        StoreError: the folder or the file cannot be used; see `sessions.schema.prepare`.
    """

    def __init__(self, home: Path, program: str = "lab") -> None:
        locks = home / "locks"
        try:
            locks.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnwritableError(
                f"The home folder {home} cannot be used ({error.strerror or error}). Choose one "
                "that you may write to."
            ) from error
        self.path = home / FILE_NAME
        version = prepare(self.path, locks)
        # A commit of the log waits for the disk. Stored replies only save work, and reads must
        # not queue behind either, hence three connections.
        self._log = Connection(self.path, "FULL", version)
        self._reads = Connection(self.path, "NORMAL", version)
        self._replies = Connection(self.path, "NORMAL", version)
        self.archive = SqliteArchive(self._replies)
        self.leases = Leases(locks, self._reads, self._log, program)
        self.batches = Batches(locks, self._reads, self._log)
        self.rounds = StoredRounds(locks, self._reads, self._log)
        self.adapters = StoredAdapters(home / "adapters", self._reads, self._log)
        self.evaluations = StoredEvaluations(locks, self._reads, self._log)
        self.labelled = Labelled(self._reads)
        self.turns = Turns(locks)

    def close(self) -> None:
        """Give back all locks and close the file."""
        self.leases.close()
        self.batches.close()
        self.rounds.close()
        self.evaluations.close()
        self.turns.release()
        for connection in (self._replies, self._reads, self._log):
            connection.close()

    def create(
        self,
        first: SearchCreated,
        name: str = "",
        tags: Sequence[str] = (),
        place: Place | None = None,
    ) -> str:
        """Start a session with the first event of its log.

        Args:
            first: the event.
            name: for lists.
            tags: for lists.
            place: of its problem in a batch, whose session it becomes in place of a former one.

        Returns:
            Its id, 8 hex digits.

        Raises:
            StoreError: it cannot be written.
        """
        bodies = _bodies([first])
        with self._log.writing() as db:
            session = self._insert(db, _unused_id(db), first, name, tags, time.time())
            self._extend(db, session, 0, bodies, Digest(), time.time())
            if place is not None:
                enter(db, place, session)
        return session

    def take_in(self, arrivals: Sequence[Arrival], work: Work | None = None) -> TakenIn:
        """Store whole sessions, all of them or none.

        One whose id and log are here already is not stored again; of a batch that is here already
        only what is missing is.

        Args:
            arrivals: the sessions.
            work: the batch whose problems they are, in the order of its problems.

        Raises:
            EventError: an event would not be readable again; nothing was stored.
            StoreError: it cannot be written; nothing was stored.
        """
        bodies = [_bodies(arrival.log) for arrival in arrivals]
        sessions, known = [], []
        with self._log.writing() as db:
            batch = begin(db, work) if work is not None else None
            for position, (arrival, lines) in enumerate(zip(arrivals, bodies, strict=True)):
                if batch is None:
                    there = arrival.wanted if _has(db, arrival.wanted, arrival.log) else None
                else:
                    there = session_at(db, batch, position)
                if there is not None:
                    _undelete(db, there)
                    known.append(there)
                    sessions.append(there)
                    continue
                session = self._arrive(db, arrival, lines)
                sessions.append(session)
                if batch is not None:
                    enter(db, Place(batch, position, arrival.label, arrival.place), session)
                    if arrival.result is not None:
                        finish(db, session, arrival.result)
        return TakenIn(sessions, known, batch)

    def _arrive(self, db: Database, arrival: Arrival, bodies: list[str]) -> str:
        first = arrival.log[0]
        assert isinstance(first, SearchCreated)
        now = time.time()
        created = now if arrival.created is None else arrival.created
        wanted = arrival.wanted
        session = wanted if wanted and not _taken(db, wanted) else _unused_id(db)
        self._insert(db, session, first, arrival.name, arrival.tags, created)
        self._extend(db, session, 0, bodies, arrival.digest, now)
        return session

    def _insert(
        self,
        db: Database,
        session: str,
        first: SearchCreated,
        name: str,
        tags: Sequence[str],
        created: float,
    ) -> str:
        db.table("sessions").insert(
            {
                "id": session,
                "name": name,
                "tags": json.dumps(list(tags)),
                **{field: getattr(first, field) for field in _COPIED},
                "created": created,
                "updated": created,
                "events": 0,
                **msgspec.structs.asdict(Digest()),
            }
        )
        return session

    def append(
        self,
        session: str,
        expected: int,
        events: Sequence[Event],
        digest: Digest,
        result: Result | None = None,
        models: tuple[str, str] | None = None,
    ) -> int:
        """Append events to a log and renew its digest, in one transaction.

        Args:
            session: id.
            expected: length of the log that the events follow.
            events: in order.
            digest: of the state after them.
            result: of the session's problem in its batch, if that is finished now.
            models: policy and process reward model that it goes on with, None if they stay or the
                events say so.

        Returns:
            The new length.

        Raises:
            LogConflictError: the log does not have the expected length; nothing was appended.
            SessionNotFoundError: there is no such session.
            EventError: an event would not be readable again; nothing was appended.
            StoreError: it cannot be written; nothing was appended.
        """
        bodies = _bodies(events)
        with self._log.writing() as db:
            row = db.execute("SELECT events FROM sessions WHERE id = ?", [session]).fetchone()
            if row is None:
                raise not_found(session)
            if row[0] != expected:
                raise LogConflictError(
                    f"The log of session {session} has {row[0]} events, not {expected}: another "
                    "process continued it. Open the session again; nothing was appended."
                )
            self._extend(db, session, expected, bodies, digest, time.time())
            chosen = next((e for e in reversed(events) if isinstance(e, ModelsChosen)), None)
            if chosen is not None:
                models = (chosen.policy, chosen.prm)
            if models is not None:
                db.execute(
                    "UPDATE sessions SET policy = ?, prm = ? WHERE id = ?", [*models, session]
                )
            if result is not None:
                finish(db, session, result)
        return expected + len(bodies)

    def events(self, session: str, after: int = 0) -> list[AnyEvent]:
        """The events of a log with a number greater than `after`, in order.

        Raises:
            SessionNotFoundError: there is no such session.
            EventDamagedError: one is missing or cannot be decoded.
        """
        with self._reads.reading() as db:
            length = self._length(db, session)
            rows = db.execute(
                "SELECT seq, CAST(body AS BLOB) FROM events "
                "WHERE session = ? AND seq > ? AND seq <= ? ORDER BY seq",
                [session, after, length],
            ).fetchall()
        events = []
        for expected, (seq, body) in enumerate(rows, start=after + 1):
            if seq != expected:
                raise _gap(session, expected)
            try:
                events.append(decode(body))
            except EventError as error:
                raise EventDamagedError(
                    f"Event {seq} of session {session} cannot be read ({error.__cause__}). The "
                    "session may come from a newer lab or be damaged; nothing was changed."
                ) from error
        if after + len(rows) < length:
            raise _gap(session, after + len(rows) + 1)
        return events

    def log(self, session: str) -> list[AnyEvent]:
        """All events of a session, as searches go on with them: a first one without a day, as
        older labs wrote it, gets that on which its session was created. Raises as `events`.
        """
        events = self.events(session)
        first = events[0] if events else None
        if isinstance(first, SearchCreated) and not first.date:
            events[0] = msgspec.structs.replace(first, date=day_of(self.session(session).created))
        return events

    def length(self, session: str) -> int:
        """How many events the log has.

        Raises:
            SessionNotFoundError: there is no such session.
        """
        with self._reads.reading() as db:
            return self._length(db, session)

    def sessions(self) -> list[SessionRow]:
        """All sessions but the deleted ones, the newest first."""
        return self._rows("deleted IS NULL ORDER BY created DESC, id")

    def deleted(self) -> list[SessionRow]:
        """Sessions that are deleted and can be had back, the last deleted first."""
        return self._rows("deleted IS NOT NULL ORDER BY deleted DESC, id")

    def _rows(self, which: str) -> list[SessionRow]:
        with self._reads.reading() as db:
            rows = list(db.query(f"{_SESSIONS} WHERE {which}"))
        return [_session_row(row) for row in rows]

    def session(self, session: str) -> SessionRow:
        """One session.

        Raises:
            SessionNotFoundError: there is none with this id.
        """
        with self._reads.reading() as db:
            row = next(iter(db.query(f"{_SESSIONS} WHERE id = ?", [session])), None)
        if row is None:
            raise not_found(session)
        return _session_row(row)

    def rename(self, session: str, name: str) -> None:
        """Give a session another name.

        Raises:
            SessionNotFoundError: there is none with this id.
        """
        self._set(session, "name", name)

    def tag(self, session: str, tags: Sequence[str]) -> None:
        """Replace the tags of a session.

        Raises:
            SessionNotFoundError: there is none with this id.
        """
        self._set(session, "tags", json.dumps(list(tags)))

    def put_away(self, session: str) -> None:
        """Delete a session so that `bring_back` still can bring it back.

        Raises:
            SessionNotFoundError: there is none with this id.
            SessionInUseError: another process works on it.
        """
        with self.leases.holding(session):
            self._set(session, "deleted", time.time())

    def bring_back(self, session: str) -> None:
        """List a session again that was put away; nothing if it was not.

        Raises:
            SessionNotFoundError: there is none with this id.
        """
        self._set(session, "deleted", None)

    def delete(self, session: str) -> None:
        """Delete a session and its log for good; stored replies stay, as others may share them.

        Raises:
            SessionNotFoundError: there is none with this id.
            SessionInUseError: another process works on it.
        """
        self.session(session)
        with self.leases.holding(session), self._log.writing() as db:
            db.execute("DELETE FROM sessions WHERE id = ?", [session])
        self.leases.remove(session)

    def _set(self, session: str, column: str, value: str | float | None) -> None:
        with self._log.writing() as db:
            changed = db.execute(
                f"UPDATE sessions SET {column} = ? WHERE id = ?", [value, session]
            ).rowcount
        if not changed:
            raise not_found(session)

    def _length(self, db: Database, session: str) -> int:
        row = db.execute("SELECT events FROM sessions WHERE id = ?", [session]).fetchone()
        if row is None:
            raise not_found(session)
        return int(row[0])

    def _extend(
        self,
        db: Database,
        session: str,
        length: int,
        bodies: list[str],
        digest: Digest,
        now: float,
    ) -> None:
        db.conn.executemany(
            "INSERT INTO events (session, seq, at, body) VALUES (?, ?, ?, ?)",
            ((session, seq, now, body) for seq, body in enumerate(bodies, start=length + 1)),
        )
        db.execute(
            "UPDATE sessions SET events = ?, updated = ?, iterations = ?, nodes = ?, answer = ?, "
            "correct = ? WHERE id = ?",
            [
                length + len(bodies),
                now,
                digest.iterations,
                digest.nodes,
                digest.answer,
                digest.correct,
                session,
            ],
        )


_SESSIONS = (
    "SELECT sessions.*, batch_problems.batch FROM sessions "
    "LEFT JOIN batch_problems ON batch_problems.session = sessions.id"
)

# Fields of the first event that the list of sessions repeats.
_COPIED = ("question", "gold", "algorithm", "seed", "policy", "prm")


def _bodies(events: Sequence[Event]) -> list[str]:
    """The events as JSON; what could not be read back must not get into a log."""
    bodies = []
    for event in events:
        try:
            body = encode(event)
        except (UnicodeEncodeError, TypeError) as error:
            raise EventError(
                f"An event cannot be stored ({error}); nothing was appended."
            ) from error
        decode(body)
        bodies.append(body.decode())
    return bodies


def _undelete(db: Database, session: str) -> None:
    db.execute("UPDATE sessions SET deleted = NULL WHERE id = ?", [session])


def _unused_id(db: Database) -> str:
    while True:
        session = secrets.token_hex(4)
        if not _taken(db, session):
            return session


def _taken(db: Database, session: str) -> bool:
    return db.execute("SELECT 1 FROM sessions WHERE id = ?", [session]).fetchone() is not None


def _has(db: Database, session: str | None, log: Sequence[AnyEvent]) -> bool:
    """Whether a session of this id is there, with this log."""
    if session is None or not _taken(db, session):
        return False
    rows = db.execute(
        "SELECT CAST(body AS BLOB) FROM events WHERE session = ? ORDER BY seq", [session]
    ).fetchall()
    try:
        return [decode(body) for (body,) in rows] == list(log)
    except EventError:  # a damaged one is another one
        return False


def _session_row(row: dict[str, Any]) -> SessionRow:
    row["tags"] = json.loads(row["tags"])
    digest = {field: row.pop(field) for field in Digest.__struct_fields__}
    if digest["correct"] is not None:
        digest["correct"] = bool(digest["correct"])
    return SessionRow(digest=Digest(**digest), **row)


def _gap(session: str, seq: int) -> EventDamagedError:
    return EventDamagedError(
        f"Event {seq} of session {session} is missing: the store is damaged. Nothing was changed."
    )
