"""Locks on pieces of work that only one process may do; the system takes them from a dead one."""

from pathlib import Path

from filelock import FileLock, Timeout

from sessions.errors import StoreError, StoreUnwritableError

_PATIENCE_SECONDS = 0.25


class Holds:
    """The locks of one kind that this process holds.

    Args:
        folder: of lock files; it exists.
        kind: first part of their names.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._held: dict[str, FileLock] = {}

    def take(self, name: str, in_use: StoreError) -> None:
        """Keep a piece of work from other processes.

        Raises:
            StoreError: `in_use`, another one has it.
            StoreUnwritableError: the lock file cannot be written.
        """
        lock = FileLock(self._folder / f"{self._kind}-{name}.lock", thread_local=False)
        try:
            lock.acquire(timeout=_PATIENCE_SECONDS, poll_interval=0.02)
        except Timeout as error:
            raise in_use from error
        except OSError as error:
            raise StoreUnwritableError(
                f"{lock.lock_file} cannot be locked ({error.strerror or error}). Check the "
                "permissions of its folder, or choose another home folder."
            ) from error
        self._held[name] = lock

    def release(self, name: str) -> None:
        """Let others have it; nothing if this process does not."""
        lock = self._held.pop(name, None)
        if lock is not None:
            lock.release()

    def close(self) -> None:
        """Give back all of them."""
        for name in list(self._held):
            self.release(name)
