"""One SQLite connection that several threads may use in turn, with errors in words.

Knows nothing of tables. Connections never create the file: `sessions.schema.prepare` does.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlite_utils import Database

from sessions.errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreNewerError,
    StoreUnwritableError,
)

BUSY_SECONDS = 30.0

# FULL waits for the disk at every commit; NORMAL leaves that to the next FULL commit or checkpoint.
# Neither loses anything when the process is killed; only a power cut tells them apart.
Synchronous = Literal["FULL", "NORMAL"]


class Connection:
    """A connection to an existing store.

    Args:
        path: the file; it must exist.
        synchronous: how long a commit waits for the disk.
        version: schema version that the tables must have while this connection writes.

    Raises:
        StoreError: the file cannot be opened.
    """

    def __init__(self, path: Path, synchronous: Synchronous, version: int) -> None:
        self._path = path
        self._version = version
        self._lock = threading.RLock()
        with in_words(path):
            self._db = connect(path, "rw")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute(f"PRAGMA synchronous = {synchronous}")

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """The database for queries.

        Raises:
            StoreError: a query failed.
        """
        with self._lock, in_words(self._path):
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """A transaction that has the write lock from its start; an exception undoes all of it.

        Raises:
            StoreError: it could not be started or committed, or a newer lab changed the tables.
        """
        with self._lock, in_words(self._path):
            # IMMEDIATE, because a transaction that starts as a reader cannot wait for its turn to
            # write once another process has written.
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if user_version(self._db) != self._version:
                    raise StoreNewerError(
                        f"{self._path} was upgraded by a newer lab while this one had it open; "
                        "restart this one with the newer version. Nothing was written."
                    )
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._db.rollback()
                raise

    def close(self) -> None:
        """Close it; further use is an error."""
        with self._lock:
            self._db.close()


def connect(path: Path, mode: Literal["rw", "ro", "immutable"]) -> Database:
    """A connection to an existing file.

    `ro` never changes the file; `immutable` moreover takes no locks and makes no files beside it,
    and sees only what a checkpoint has moved into the main file.

    Raises:
        sqlite3.Error: the file cannot be opened.
    """
    query = "immutable=1" if mode == "immutable" else f"mode={mode}"
    raw = sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        timeout=BUSY_SECONDS,
        check_same_thread=False,
    )
    try:
        # Plugins of sqlite-utils belong to the user's other work.
        return Database(raw, execute_plugins=False)
    except sqlite3.Error:
        raw.close()
        raise


def user_version(db: Database) -> int:
    """The schema version in the file's header."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about `path` into the store's.

    Raises:
        StoreError: in place of any sqlite3.Error.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise worded(path, error) from error


def worded(path: Path, error: sqlite3.Error) -> StoreError:
    """SQLite's error about a file as the store's, to be raised."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusyError(
            f"{path} was locked by another process for more than {BUSY_SECONDS:g} s. Close the "
            "other program that works on the file, then try again."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreDamagedError(
            f"{path} is damaged ({error}). Restore a copy, or start with another home folder; "
            "`sqlite3 FILE .recover` may save what is left."
        )
    if code in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_IOERR,
    ):
        return StoreUnwritableError(
            f"{path} cannot be read or written ({error}). Check the free space and the "
            "permissions of its folder, or choose another home folder."
        )
    return StoreError(f"{path}: {error}.")
