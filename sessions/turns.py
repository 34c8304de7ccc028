"""Whose turn it is on a machine that several processes share: a person's search goes first.

A process holds a lock of the operating system while it runs a search that somebody waits for; the
lock ends with the process, however that ends. Others only look whether it is held. It is a matter
of courtesy: nothing goes wrong without it.
"""

from pathlib import Path

from filelock import FileLock, Timeout


class Turns:
    """The turn of this home. Use from one thread.

    Args:
        folder: of the lock files.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = FileLock(folder / "turn.lock", thread_local=False)

    def claim(self) -> None:
        """Let the patient work of other processes wait; nothing if one of them has the turn."""
        if not self._lock.is_locked:
            self._try()

    def release(self) -> None:
        """Give the turn up."""
        self._lock.release()

    def elsewhere(self) -> bool:
        """Whether another process has the turn. This one must not have it."""
        if not self._try():
            return True
        self._lock.release()
        return False

    def _try(self) -> bool:
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        except OSError:  # a folder that cannot be written: then nobody waits for anybody
            return True
        return True
