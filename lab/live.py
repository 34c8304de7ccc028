"""A session in this process: its log on disk and its view, advanced together."""

import threading
from collections.abc import Sequence

from engine.events import Event
from engine.tree import Tree
from lab.view import View, outcome
from sessions.batches import Result
from sessions.store import Digest, Store


class LiveSession:
    """Appends to a log, and shows what is on disk and nothing else.

    A view is made when somebody looks: of a thousand sessions of a batch hardly one is looked at.

    Attributes:
        session: id.
    """

    def __init__(self, store: Store, session: str) -> None:
        self.session = session
        self._view: View | None = None
        self._store = store
        # The order of the log is the order of the view: one writer at a time.
        self._order = threading.Lock()

    @property
    def view(self) -> View:
        """What is shown.

        Raises:
            StoreError: the log cannot be read.
            EventError: it does not fold.
        """
        if self._view is not None:
            return self._view
        with self._order:
            return self._catch_up()

    @property
    def seen(self) -> bool:
        """Whether somebody has looked at it."""
        return self._view is not None

    def catch_up(self) -> None:
        """Show what another process has appended meanwhile.

        Raises:
            StoreError: the log cannot be read.
            EventError: it does not fold.
        """
        with self._order:
            self._catch_up()

    def commit(
        self, events: Sequence[Event], summed: Digest | None = None, result: Result | None = None
    ) -> None:
        """Put events on disk in one transaction, then show them.

        summed: the digest after them; None if they leave that of the log as it is. result: of the
        session's problem in its batch, if that is finished now.

        Raises:
            StoreError: they are not on disk, and not shown.
        """
        with self._order:
            if summed is None:
                with self._catch_up().reading() as tree:
                    summed = digest(tree)
            seen = self._view is not None
            length = self._catch_up().length if seen else self._store.length(self.session)
            self._store.append(self.session, length, events, summed, result)
            if self._view is not None:
                self._view.publish(events)

    def _catch_up(self) -> View:
        view = self._view or View(self.session)
        if self._store.length(self.session) > view.length:
            view.publish(self._store.events(self.session, after=view.length))
        self._view = view
        return view


def digest(tree: Tree) -> Digest:
    """The line that lists of sessions show of a tree."""
    found = outcome(tree)
    return Digest(tree.iteration, len(tree.nodes), found.answer, found.correct)
