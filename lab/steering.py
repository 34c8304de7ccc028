"""What a person does to a search: values, branches, steps, parameters, models; back and forth."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from engine import events as ev
from engine.errors import EventError, ParameterError, TaskError
from engine.history import Item, after_undoing, end_before, items, present
from engine.search import acts
from engine.search.acts import Act, perform
from engine.search.driver import Limits
from engine.search.registry import algorithm, params_of
from engine.tasks.same import comparison_for, same_or_none
from engine.tree import Tree
from lab.adapters import Adapters
from lab.live import LiveSession, digest
from lab.view import outcome
from lab.worker import Worker
from sessions.adapters import ROLES, Role
from sessions.errors import SessionInUseError
from sessions.rows import Arrival
from sessions.store import Store

Annotation = ev.Noted | ev.Marked | ev.Regraded | ev.Tagged

LONGEST_STEP = 20_000
LONGEST_TAG = 60
MOST_TAGS = 20


class ChangedValue(msgspec.Struct, frozen=True):
    """V of a node before and after."""

    node: int
    before: float
    after: float


class Consequences(msgspec.Struct, frozen=True):
    """What an act that needs no model would do.

    Attributes:
        values: V that changes, of the node itself and of those above.
        path_before, path_after: what the next iteration would select; empty where the algorithm
            does not select by V, or has nothing left to do.
        answer_before, answer_after: the answer that wins.
        same_answer: whether these are one answer, however they are spelled, or both none.
    """

    values: list[ChangedValue]
    path_before: list[int]
    path_after: list[int]
    answer_before: str | None
    answer_after: str | None
    same_answer: bool


class Steering:
    """Steers the sessions of a home. Safe to use from many threads; nothing waits for a model.

    What needs no model happens at once, or after the present iteration of a session that runs. What
    needs one is done by the model thread between two iterations; how it goes is the state of the
    session's run.

    Args:
        store: of the sessions.
        worker: has the models.
        adapters: of the models.
        current: gives a session with everything that is on disk of it.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        adapters: Adapters,
        current: Callable[[str], LiveSession],
    ) -> None:
        self._store = store
        self._worker = worker
        self._adapters = adapters
        self._current = current

    def overrule(self, session: str, node: int, value: float | None, locked: bool = True) -> None:
        """Give a node another V; None takes it back. See `engine.search.acts.overrule`.

        Raises:
            EventError: there is no such node, it is the root, or the value is out of range.
            SessionInUseError: another process works on the session.
            StoreError: it cannot be written.
        """
        self.at_once(session, acts.overrule(node, value, locked), node)

    def prune(self, session: str, node: int, pruned: bool = True) -> None:
        """Take a node out with everything below, or bring it back; raises as `overrule`."""
        self.at_once(session, acts.prune(node, pruned), node)

    def keep_rollout(self, session: str, node: int) -> None:
        """Make nodes of the steps of the last roll-out from a node; raises as `expand`."""
        self._with_models(session, acts.keep_rollout(node), node)

    def tag(self, session: str, node: int | None, tags: Sequence[str]) -> None:
        """Put tags on a node, or on the session if `node` is None, in place of those there.

        Raises:
            TaskError: there are too many, or one is too long.
            EventError, SessionInUseError, StoreError: as for `overrule`.
        """
        named = list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
        if len(named) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in named):
            raise TaskError(f"There can be {MOST_TAGS} tags of {LONGEST_TAG} characters each.")
        self.annotate(session, [ev.Tagged(node, named)])
        if node is None:
            self._store.tag(session, named)

    def parameters(
        self,
        session: str,
        params: Mapping[str, Any] | None = None,
        sampling: Mapping[str, Any] | None = None,
    ) -> None:
        """Let a search go on with other parameters; those that are not named stay.

        Raises:
            ParameterError: an unknown one, or a value out of range.
            SessionInUseError, StoreError: as for `overrule`.
        """
        self.at_once(
            session, acts.change_parameters({**(params or {}), "sampling": dict(sampling or {})})
        )

    def use(self, session: str, adapters: Mapping[Role, str | None]) -> None:
        """Let a search go on with other adapters of the models in use.

        Args:
            session: id; it must not be running.
            adapters: role -> adapter, None for the bare model; roles that are left out stay.

        Raises:
            AdapterNotFoundError: there is no such adapter.
            ParameterError: it is not one of the models in use.
            SessionInUseError: the session is running.
            StoreError: it cannot be written.
        """
        chosen = {role: self._adapters.label(role, one) for role, one in adapters.items()}
        with self._idle(session, "choose models") as live:
            with live.view.reading() as tree:
                labels = {"policy": tree.policy, "prm": tree.prm, **chosen}
            live.act(acts.choose_models(*(labels[role] for role in ROLES)))

    def write(self, session: str, parent: int, text: str) -> None:
        """Add a step of one's own; the process reward model values it.

        Raises:
            TaskError: it is empty, too long or no text.
            EventError: no step can follow this node.
            SessionInUseError: another process works on the session.
            ParameterError: it needs other models.
        """
        if len(text) > LONGEST_STEP:
            raise TaskError(f"The step has {len(text):,} characters; it can have {LONGEST_STEP:,}.")
        self._with_models(session, acts.write_step(parent, _text(text)), parent)

    def expand(
        self, session: str, node: int, count: int = 3, temperature: float | None = None
    ) -> None:
        """Ask for more children of a node, at another temperature if one is given.

        Raises:
            EventError: no step can follow this node.
            ParameterError: a number is out of range, or the session needs other models.
            SessionInUseError: another process works on the session.
        """
        self._with_models(session, acts.expand(node, count, temperature), node)

    def roll_out(self, session: str, node: int, steps: int = 8) -> None:
        """Write on greedily from a node, to see where it leads; raises as `expand`."""
        self._with_models(session, acts.roll_out(node, steps), node)

    def consequences(
        self, session: str, node: int, value: float | None, pruned: bool | None = None
    ) -> Consequences:
        """What overruling a node, or pruning it if `pruned` is given, would do; nothing is written.

        Raises:
            EventError: it does not fit.
        """
        act = acts.overrule(node, value) if pruned is None else acts.prune(node, pruned)
        live = self._current(session)
        _check_finished(live, node)
        log = list(live.view.log)
        before, after = Tree.fold(log), Tree.fold(log)
        perform(after, act)
        values = [
            ChangedValue(one.id, one.value, other.value)
            for one, other in zip(before.nodes, after.nodes, strict=True)
            if one.value != other.value
        ]
        one, other = outcome(before).answer, outcome(after).answer
        return Consequences(
            values,
            _next_path(before),
            _next_path(after),
            one,
            other,
            same_or_none(one, other, comparison_for(before.gold)),
        )

    # Time.

    def history(self, session: str) -> list[Item]:
        """Everything that was done to a session, undone things too, in the order of doing."""
        return items(self._current(session).view.log)

    def rewind(self, session: str, to: int) -> None:
        """Go to the state at the end of an item of the history.

        Raises:
            EventError: there is no such place.
            SessionInUseError: it is running, here or in another process.
            StoreError: it cannot be written.
        """
        with self._idle(session, "go back") as live:
            log = live.view.log
            if to != end_before(log, to):
                raise EventError(f"Event {to} is in the midst of something: take the end of it.")
            if to != present(log):
                self._rewind(live, to)

    def undo(self, session: str) -> None:
        """Take back what was done last: an iteration in the midst of which the search is held, else
        an item of the history. Nothing where nothing is left. Raises as `rewind`.
        """
        with self._idle(session, "go back") as live:
            done = [item for item in items(live.view.log) if item.standing]
            if live.view.unfinished():
                self._worker.stop(session)
            elif len(done) > 1:
                self._rewind(live, done[-1].before)

    def redo(self, session: str) -> None:
        """Do again what was taken back last; nothing where nothing is. Raises as `rewind`."""
        with self._idle(session, "go on") as live:
            to = after_undoing(live.view.log)
            if to is not None:
                self._rewind(live, to)

    def fork(self, session: str, at: int | None = None, name: str = "") -> str:
        """A new session with the log of this one up to the end of an item of the history.

        Args:
            session: id.
            at: a place in the log: up to the last item that ends there or before; None for the
                present state.
            name: of the new session.

        Returns:
            Its id.

        Raises:
            EventError: there is no such place.
            StoreError: it cannot be read or written.
        """
        row, log = self._store.session(session), self._store.log(session)
        end = present(log) if at is None else end_before(log, at)
        kept = log[:end]
        title = name or f"{row.title} @ {end}"[:200]
        arrival = Arrival(kept, digest(Tree.fold(kept)), title, row.tags)
        return self._store.take_in([arrival]).sessions[0]

    # Running, besides what the workbench offers. These return at once.

    def hold(self, session: str) -> None:
        """End a run before it asks a model again, in the midst of an iteration; the next run goes
        on there. Nothing if none runs.
        """
        self._worker.hold(session)

    def run_until_right(self, session: str) -> None:
        """Run a session until the answer that wins is right, or nothing is left to do.

        Raises:
            ParameterError: nothing tells what is right, or the session needs other models.
            SessionInUseError: another process works on it.
        """
        live = self._current(session)
        with live.view.reading() as tree:
            self._adapters.check(session, tree)
            if tree.gold is None and all(node.regraded is None for node in tree.nodes):
                raise ParameterError(
                    "Nothing tells whether an answer is right: start a search with an oracle "
                    "answer, or give a verdict on an answer."
                )
        self._worker.run(live, Limits(until_right=True))

    # How.

    def at_once(self, session: str, act: Act, node: int | None = None) -> None:
        """Do something that needs no model.

        Args:
            session: id.
            act: what.
            node: to which node, None for the whole session.

        Raises:
            LabError: it does not fit.
        """
        live = self._current(session)
        _check_finished(live, node)
        with self._store.leases.holding(session), live.at_rest():
            if not self._worker.state(session).active:
                live.act(act)
                return
        perform(Tree.fold(list(live.view.log)), act)  # what does not fit is better said at once
        self._worker.act(live, act)

    def annotate(self, session: str, events: Sequence[Annotation]) -> None:
        """Say something that no search asks for: it is there at once, also while one runs.

        Raises:
            EventError: it does not fit.
            SessionInUseError: another process works on the session.
            StoreError: it cannot be written.
        """
        live = self._current(session)
        for event in events:
            _check_finished(live, event.node)
        with self._store.leases.holding(session):
            live.annotate(events, lambda places: self._worker.annotate(live, events, places))

    def _with_models(self, session: str, act: Act, node: int) -> None:
        live = self._current(session)
        _check_finished(live, node)
        tree = Tree.fold(list(live.view.log))
        self._adapters.check(session, tree)
        next(act(tree), None)  # its own checks come first
        self._worker.act(live, act)

    @contextmanager
    def _idle(self, session: str, then: str) -> Iterator[LiveSession]:
        """A session in which nothing happens within the block."""
        with self._store.leases.holding(session):
            live = self._current(session)
            live.catch_up()
            with live.at_rest():
                if self._worker.state(session).active:
                    raise SessionInUseError(f"Session {session} is running: pause it, then {then}.")
                yield live

    def _rewind(self, live: LiveSession, to: int) -> None:
        with live.view.reading() as tree:
            before = tree.tags
        live.rewind(to)
        with live.view.reading() as tree:
            after = tree.tags
        if after != before:
            self._store.tag(live.session, after)


def _check_finished(live: LiveSession, node: int | None) -> None:
    if node is not None and live.view.unfinished(node):
        raise EventError(
            f"Node {node} belongs to an iteration that is not finished: let it finish first."
        )


def _next_path(tree: Tree) -> list[int]:
    kind = algorithm(tree.algorithm)
    if kind.selects is None:
        return []
    params = params_of(tree)
    return [] if kind.stopped(tree, params) else kind.selects(tree, params)


def _text(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TaskError(f"The step is not valid Unicode text: {error.reason}.") from error
    return text.replace("\r\n", "\n")
