"""Searches that somebody may soon go on with: folding a long log again takes time, and one may be
held in the midst of an iteration. Belongs to the model thread.
"""

from typing import NamedTuple

from engine.search.driver import Search
from lab.commands import Log
from lab.drivers import Drivers

_MOST = 4


class _Kept(NamedTuple):
    search: Search
    live: Log


class KeptSearches:
    """The latest searches without a run.

    Args:
        drivers: that may hold them.
    """

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers
        self._kept: dict[str, _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, session: str) -> bool:
        return session in self._kept

    def keep(self, session: str, search: Search, live: Log) -> None:
        """Keep one, and let the oldest go if there are many."""
        self._kept[session] = _Kept(search, live)
        while len(self._kept) > _MOST:
            self.drop(next(iter(self._kept)))

    def get(self, session: str) -> Search | None:
        """The search of a session, if it is kept."""
        return self._kept[session].search if session in self._kept else None

    def take(self, session: str, length: int) -> Search | None:
        """The same, no longer kept, if it knows a log of this length; otherwise it is dropped."""
        found = self.get(session)
        if found is not None and len(found.log) == length:
            del self._kept[session]
            return found
        self.drop(session)
        return None

    def drop(self, session: str) -> None:
        """Forget one, and the iteration in the midst of which it may be held."""
        kept = self._kept.pop(session, None)
        if kept is not None:
            for driver in self._drivers.all:
                driver.abandon(kept.search)
            kept.live.preview([])

    def clear(self) -> None:
        """Forget all of them."""
        for session in list(self._kept):
            self.drop(session)
