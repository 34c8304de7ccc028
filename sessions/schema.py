"""The tables, how they came about, and whether a file may be opened at all.

A file is looked at before it is opened for writing, so that one which is not ours, is damaged or
belongs to a newer lab stays as it is, byte for byte.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from sqlite_utils import Database

from sessions.database import BUSY_SECONDS, connect, in_words, user_version, worded
from sessions.errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreForeignError,
    StoreNewerError,
    StoreUnwritableError,
)

# In the file's header, so that a store is told from any other SQLite database.
APPLICATION_ID = int.from_bytes(b"rMCT")

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_CHECK_SECONDS = 2.0


def _tables(db: Database) -> None:
    """Version 1: sessions, their append-only logs, stored replies, holders of leases."""
    db.executescript("""
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            tags TEXT NOT NULL,         -- JSON list of strings
            question TEXT NOT NULL,
            gold TEXT,
            algorithm TEXT NOT NULL,
            seed INTEGER NOT NULL,
            policy TEXT NOT NULL,
            prm TEXT NOT NULL,
            created REAL NOT NULL,      -- seconds since 1970, as are all times here
            updated REAL NOT NULL,
            events INTEGER NOT NULL,    -- length of the log; the rest sums the log up for lists
            iterations INTEGER NOT NULL,
            nodes INTEGER NOT NULL,
            answer TEXT,
            correct INTEGER
        ) STRICT;
        CREATE TABLE events (
            session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
            seq INTEGER NOT NULL,       -- from 1 on, without gaps
            at REAL NOT NULL,
            body TEXT NOT NULL,         -- JSON of engine.events
            PRIMARY KEY (session, seq)
        ) STRICT;
        CREATE TRIGGER events_follow_each_other BEFORE INSERT ON events
            WHEN NEW.seq != 1 + coalesce(
                (SELECT max(seq) FROM events WHERE session = NEW.session), 0)
            BEGIN SELECT RAISE(ABORT, 'events of a log are numbered without gaps'); END;
        CREATE TRIGGER events_never_change BEFORE UPDATE ON events
            BEGIN SELECT RAISE(ABORT, 'a log is append-only'); END;
        CREATE TRIGGER events_go_with_their_session BEFORE DELETE ON events
            WHEN EXISTS (SELECT 1 FROM sessions WHERE id = OLD.session)
            BEGIN SELECT RAISE(ABORT, 'a log is append-only'); END;
        CREATE TABLE completions (address TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
        CREATE TABLE valuations (address TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
        CREATE TABLE judgements (address TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
        CREATE TABLE summaries (address TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
        CREATE TABLE holders (
            session TEXT PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
            pid INTEGER NOT NULL,
            host TEXT NOT NULL,
            program TEXT NOT NULL,
            since REAL NOT NULL
        ) STRICT;
    """)


# The schema version is the number of migrations that were run. Append only: a released migration
# never changes.
MIGRATIONS: tuple[Callable[[Database], None], ...] = (_tables,)


def prepare(path: Path, locks: Path) -> int:
    """Make sure that `path` is a store with today's tables: check it, create it or upgrade it.

    Args:
        path: the store's file; its folder exists.
        locks: folder of lock files; it exists.

    Returns:
        The schema version.

    Raises:
        StoreForeignError, StoreDamagedError, StoreNewerError: it cannot be opened; not touched.
        StoreUnwritableError: its folder cannot be written.
        StoreBusyError: another process is creating or upgrading it and does not come to an end.
    """
    lock = FileLock(locks / "store.lock", timeout=BUSY_SECONDS)
    try:
        if not _is_empty(path) and inspect(path) == len(MIGRATIONS):
            return len(MIGRATIONS)
        with lock, in_words(path):
            if _is_empty(path):
                _create(path)
            elif inspect(path) < len(MIGRATIONS):
                with closing(connect(path, "rw")) as db:
                    _upgrade(db)
    except Timeout as error:
        raise StoreBusyError(
            f"Another process has been creating or upgrading {path} for more than "
            f"{BUSY_SECONDS:g} s. Wait for it or end it, then try again."
        ) from error
    except OSError as error:
        raise StoreUnwritableError(
            f"{path} cannot be created or opened ({error.strerror or error}). Choose a home "
            "folder that you may write to."
        ) from error
    return len(MIGRATIONS)


def inspect(path: Path) -> int:
    """The schema version of a store that may be opened; reads only.

    Raises:
        StoreForeignError, StoreDamagedError, StoreNewerError: it must not be opened.
        StoreBusyError, StoreUnwritableError, OSError: it cannot be read now.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise StoreForeignError(
            f"{path} is not an SQLite database, so it cannot be the lab's store. Move it away or "
            "choose another home folder; it was not touched."
        )
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise StoreForeignError(
            f"{path} is a database of another program. Move it away or choose another home "
            "folder; it was not touched."
        )
    while True:
        # Without a write-ahead log nobody has it open and the main file is complete; reading it so
        # leaves no trace at all.
        mode: Literal["ro", "immutable"] = "ro" if _wal(path).exists() else "immutable"
        before = path.stat().st_mtime_ns
        try:
            with closing(connect(path, mode)) as db:
                return _checked(db, path)
        except (sqlite3.DatabaseError, StoreDamagedError) as error:
            if mode == "immutable" and (_wal(path).exists() or path.stat().st_mtime_ns != before):
                continue  # somebody opened it meanwhile: what was read may be half a change
            if isinstance(error, StoreDamagedError):
                raise
            found = worded(path, error)
            if isinstance(found, (StoreBusyError, StoreUnwritableError)):
                raise found from error
            raise _damaged(path, str(error)) from error


def _is_empty(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _checked(db: Database, path: Path) -> int:
    version = user_version(db)
    if version > len(MIGRATIONS):
        raise StoreNewerError(
            f"{path} was written by a newer lab (store version {version}; this lab knows "
            f"{len(MIGRATIONS)}). Install the newer lab or choose another home folder; the file "
            "was not touched."
        )
    # The check reads the whole file; on a huge one it ends early and finds only early damage, the
    # rest is found when it is read.
    deadline = time.monotonic() + _CHECK_SECONDS
    db.conn.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)
    try:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        found = "ok"
    if found != "ok" or version < 1:
        raise _damaged(path, found)
    return version


def _damaged(path: Path, what: str) -> StoreDamagedError:
    return StoreDamagedError(
        f"{path} is damaged ({what}). Restore a copy or choose another home folder; it was not "
        "touched. `sqlite3 FILE .recover` may save what is left."
    )


def _create(path: Path) -> None:
    """Build the store beside `path` and move it there: it is never seen half made."""
    if _wal(path).exists():
        # SQLite would take it for the new file's own and mix two databases.
        raise StoreDamagedError(
            f"{_wal(path)} lies there without the database that it belongs to. Put {path.name} "
            "back, or move the rest away too; nothing was touched."
        )
    draft = path.with_name(f"{path.name}.new")
    for leftover in path.parent.glob(f"{draft.name}*"):  # of a process that was killed here
        leftover.unlink()
    draft.touch()
    with closing(connect(draft, "rw")) as db:
        _upgrade(db)
        db.enable_wal()
    draft.replace(path)


def _upgrade(db: Database) -> None:
    """Run the missing migrations in one transaction: all of them count or none."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for migration in MIGRATIONS[user_version(db) :]:
            migration(db)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise
