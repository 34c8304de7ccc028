"""A session in this process: its log on disk and its view, advanced together."""

import threading
from collections.abc import Sequence

from engine.events import Event
from engine.tree import Tree
from lab.view import View, outcome
from sessions.store import Digest, Store


class LiveSession:
    """Appends to a log, and shows what is on disk and nothing else.

    Attributes:
        session: id.
        view: what is shown.
    """

    def __init__(self, store: Store, session: str) -> None:
        self.session = session
        self.view = View(session)
        self._store = store
        # The order of the log is the order of the view: one writer at a time.
        self._order = threading.Lock()
        self.catch_up()

    def catch_up(self) -> None:
        """Show what another process has appended meanwhile.

        Raises:
            StoreError: the log cannot be read.
            EventError: it does not fold.
        """
        with self._order:
            self._catch_up()

    def commit(self, events: Sequence[Event], summed: Digest | None = None) -> None:
        """Put events on disk in one transaction, then show them.

        summed: the digest after them; None if they leave that of the log as it is.

        Raises:
            StoreError: they are not on disk, and not shown.
        """
        with self._order:
            self._catch_up()
            if summed is None:
                with self.view.reading() as tree:
                    summed = digest(tree)
            self._store.append(self.session, self.view.length, events, summed)
            self.view.publish(events)

    def _catch_up(self) -> None:
        if self._store.length(self.session) > self.view.length:
            self.view.publish(self._store.events(self.session, after=self.view.length))


def digest(tree: Tree) -> Digest:
    """The line that lists of sessions show of a tree."""
    found = outcome(tree)
    return Digest(tree.iteration, len(tree.nodes), found.answer, found.correct)
