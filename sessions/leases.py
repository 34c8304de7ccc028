"""Who may write to which session: one lease per session across processes.

The lease is a lock of the operating system on a file, so it ends with its process however that
ends. The table `holders` only says in words whose it is.
"""

import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from sessions.database import Connection
from sessions.errors import SessionInUseError, SessionNotFoundError, StoreUnwritableError

_SESSION_ID = re.compile(r"[0-9a-f]{8}")

# Looking whether a lease is free takes it for an instant; somebody who wants it waits that out.
_PATIENCE_SECONDS = 0.25


class Holder(msgspec.Struct, frozen=True):
    """A process that holds a session: its id, machine and program, and since when (Unix time)."""

    pid: int
    host: str
    program: str
    since: float

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since)
        when = f"{since:%H:%M}" if since.date() == datetime.now().date() else f"{since:%d %b %H:%M}"
        place = "" if self.host == socket.gethostname() else f" on {self.host}"
        return f"process {self.pid}{place} ({self.program}, since {when})"


def check_id(session: str) -> str:
    """The session id if it has the form of one; it names a file, so nothing else may pass.

    Raises:
        SessionNotFoundError: no session can have this id.
    """
    if not _SESSION_ID.fullmatch(session):
        raise SessionNotFoundError(
            f"There is no session {session[:40]!r}: ids are 8 characters of 0-9 and a-f."
        )
    return session


def not_found(session: str) -> SessionNotFoundError:
    """The error for an id that may once have been a session's."""
    return SessionNotFoundError(
        f"There is no session {check_id(session)}. It may have been deleted; "
        "`lab sessions list` shows all."
    )


class Leases:
    """The leases that this process holds, and whose the others are.

    A lease counts: this process may take one it has, and gives it up with the last release.

    Args:
        folder: of the lock files.
        reads, writes: connections to look holders up and to write them down.
        program: how this process calls itself in other processes' messages.
    """

    def __init__(self, folder: Path, reads: Connection, writes: Connection, program: str) -> None:
        self._folder = folder
        self._reads = reads
        self._writes = writes
        self._program = program
        self._held: dict[str, tuple[FileLock, int]] = {}
        self._lock = threading.Lock()

    def acquire(self, session: str) -> None:
        """Take the lease of a session.

        Raises:
            SessionInUseError: another process has it.
            SessionNotFoundError: there is no such session.
            StoreError: the holder cannot be written down.
        """
        with self._lock:
            lock, count = self._held.get(session) or (self._file_lock(session), 0)
            if count == 0:
                self._take(session, lock)
            self._held[session] = (lock, count + 1)

    def release(self, session: str) -> None:
        """Give back one count of a lease that this process holds."""
        with self._lock:
            lock, count = self._held.pop(session)
            if count > 1:
                self._held[session] = (lock, count - 1)
                return
            try:
                self._forget(session)
            finally:
                lock.release()

    @contextmanager
    def holding(self, session: str) -> Iterator[None]:
        """Hold the lease within a block; raises as `acquire` does."""
        self.acquire(session)
        try:
            yield
        finally:
            self.release(session)

    def held(self, session: str) -> bool:
        """Whether this process holds the lease."""
        with self._lock:
            return session in self._held

    def holders(self) -> dict[str, Holder]:
        """The other processes that hold sessions now, by session."""
        with self._reads.reading() as db:
            rows = list(db.table("holders").rows)
        found = {}
        for row in rows:
            session = row.pop("session")
            if not self.held(session) and self._taken(session):
                found[session] = Holder(**row)
        return found

    def remove(self, session: str) -> None:
        """Remove the lock file of a deleted session."""
        (self._folder / f"{check_id(session)}.lock").unlink(missing_ok=True)

    def close(self) -> None:
        """Give back everything."""
        with self._lock:
            for session, (lock, _) in self._held.items():
                try:
                    self._forget(session)
                finally:
                    lock.release()
            self._held.clear()

    def _file_lock(self, session: str) -> FileLock:
        # Not bound to a thread: a run is asked for in one and ends in another.
        return FileLock(self._folder / f"{check_id(session)}.lock", thread_local=False)

    def _forget(self, session: str) -> None:
        with self._writes.writing() as db:
            db.table("holders").delete_where("session = ?", [session])

    def _take(self, session: str, lock: FileLock) -> None:
        with self._reads.reading() as db:
            if not db.execute("SELECT 1 FROM sessions WHERE id = ?", [session]).fetchone():
                raise not_found(session)
        try:
            lock.acquire(timeout=_PATIENCE_SECONDS, poll_interval=0.02)
        except Timeout as error:
            raise SessionInUseError(self._refusal(session)) from error
        except OSError as error:
            raise StoreUnwritableError(
                f"{lock.lock_file} cannot be locked ({error.strerror or error}), so session "
                f"{session} could not be kept from other processes. Check the permissions of its "
                "folder, or choose another home folder."
            ) from error
        try:
            with self._writes.writing() as db:
                db.table("holders").insert(
                    {
                        "session": session,
                        "pid": os.getpid(),
                        "host": socket.gethostname(),
                        "program": self._program,
                        "since": time.time(),
                    },
                    pk="session",
                    replace=True,
                )
        except BaseException:
            lock.release()
            raise

    def _refusal(self, session: str) -> str:
        with self._reads.reading() as db:
            row = next(iter(db.table("holders").rows_where("session = ?", [session])), None)
        if row is None:
            return (
                f"Session {session} is in use by another process: let it finish or close it there."
            )
        del row["session"]
        return (
            f"Session {session} is in use by {Holder(**row)}: let it finish or close it there; "
            "until then it can be read here."
        )

    def _taken(self, session: str) -> bool:
        lock = self._file_lock(session)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return True
        except OSError:  # a folder that only others may write to: nothing can be said
            return False
        lock.release()
        return False
