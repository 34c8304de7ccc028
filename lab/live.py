"""A session in this process: its log on disk and its view, advanced together."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from engine.events import Event, Rewound
from engine.search.acts import Act, perform
from engine.tree import Tree
from lab.view import View, outcome
from sessions.batches import Result
from sessions.rows import Digest
from sessions.store import Store


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
        self._order = threading.RLock()
        self._aside: list[int] = []  # places of events that a search under way does not know of

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

    def preview(self, events: Sequence[Event]) -> None:
        """Show events of an unfinished iteration, which are not on disk, until others are."""
        if self._view is not None:
            self._view.preview(events)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nobody else writes to the log within the block."""
        with self._order:
            yield

    def act(self, act: Act) -> None:
        """Do something between two iterations that needs no model: at once, or not at all.

        Raises:
            LabError: it does not fit.
            StoreError: it is not on disk, and not shown.
        """
        with self._order:
            view = self._catch_up()
            tree = Tree.fold(view.log)
            events = perform(tree, act)
            if events:
                self._store.append(self.session, view.length, events, digest(tree))
                view.publish(events)

    def annotate(self, events: Sequence[Event], tell: Callable[[list[int]], None]) -> None:
        """Put words of a person on disk that no search asks for: at once, also while one runs.

        Args:
            events: notes, tags, marks, verdicts on answers.
            tell: called with their places in the log, to tell a search that is under way; must not
                wait, and must lead to `told`.

        Raises:
            LabError: one does not fit.
            StoreError: they are not on disk, and not shown.
        """
        with self._order:
            view = self._catch_up()
            tree = Tree.fold(view.log)
            for event in events:
                tree.apply(event)
            self._store.append(self.session, view.length, events, digest(tree))
            places = list(range(view.length + 1, view.length + 1 + len(events)))
            view.publish(events, aside=True)
            self._aside += places
            tell(places)

    def told(self, *, upto: int = 0, place: int = 0) -> None:
        """The search under way knows an annotation now, or all up to a place."""
        with self._order:
            self._aside = [one for one in self._aside if one > upto and one != place]

    def rewind(self, to: int) -> None:
        """Go back to the state after an event of the log, or to one that was gone back from.

        Raises:
            EventError: there is no such event, or it is in the midst of an iteration.
            StoreError: it is not on disk, and not shown.
        """
        with self._order:
            view = self._catch_up()
            events = [Rewound(to)]
            tree = Tree.fold([*view.log, *events])
            models = (tree.policy, tree.prm)
            self._store.append(self.session, view.length, events, digest(tree), models=models)
            view.publish(events)

    def commit(
        self,
        events: Sequence[Event],
        summed: Digest | None = None,
        after: int | None = None,
        result: Result | None = None,
    ) -> None:
        """Put events on disk in one transaction, then show them.

        summed: the digest after them; None if they leave that of the log as it is. result: of the
        session's problem in its batch, if that is finished now. after: length of the log that they
        follow as a search knows it, annotations aside that it was not told of; None for what it is.

        Raises:
            LogConflictError: the log has another length.
            StoreError: they are not on disk, and not shown.
        """
        with self._order:
            if summed is None:
                with self._catch_up().reading() as tree:
                    summed = digest(tree)
            seen = self._view is not None
            length = self._catch_up().length if seen else self._store.length(self.session)
            if after is not None and self._aside:  # the search does not know of all
                summed = digest(Tree.fold([*self._store.events(self.session), *events]))
            if after is not None:
                length = after + len(self._aside)
            self._store.append(self.session, length, events, summed, result)
            if self._view is not None:
                self._view.publish(events)

    def _catch_up(self) -> View:
        view = self._view or View(self.session)
        if self._store.length(self.session) > view.length:
            view.publish(
                self._store.events(self.session, after=view.length)
                if view.length
                else self._store.log(self.session)
            )
        self._view = view
        return view


class Summed(Digest, frozen=True):
    """The line that lists show, and what shares the first place with the answer, in words."""

    tie: str = ""


def digest(tree: Tree) -> Digest:
    """The line that lists of sessions show of a tree."""
    found = outcome(tree)
    return Digest(tree.iteration, len(tree.nodes), found.answer, found.correct)


def summed(tree: Tree) -> Summed:
    """The same with what is told of a vote without a single winner."""
    found = outcome(tree)
    words = "" if found.tie is None else found.tie.words
    return Summed(tree.iteration, len(tree.nodes), found.answer, found.correct, words)
