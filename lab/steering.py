"""What a person does to a search: values, branches, steps, parameters, models; back and forth."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from engine import events as ev
from engine.errors import EventError, ParameterError, TaskError
from engine.history import Item, end_before, items
from engine.search import acts
from engine.search.acts import Act, perform
from engine.search.driver import Limits
from engine.search.registry import algorithm
from engine.tree import Tree
from lab.adapters import Adapters
from lab.live import LiveSession, digest
from lab.view import outcome
from lab.worker import Worker
from sessions.adapters import ROLES, Role
from sessions.errors import SessionInUseError
from sessions.store import Arrival, Store

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
            does not select by V.
        answer_before, answer_after: the answer that wins.
    """

    values: list[ChangedValue]
    path_before: list[int]
    path_after: list[int]
    answer_before: str | None
    answer_after: str | None


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
        self.at_once(session, acts.overrule(node, value, locked))

    def prune(self, session: str, node: int, pruned: bool = True) -> None:
        """Take a node out with everything below, or bring it back; raises as `overrule`."""
        self.at_once(session, acts.prune(node, pruned))

    def keep_rollout(self, session: str, node: int) -> None:
        """Make nodes of the steps of the last roll-out from a node; raises as `overrule`."""
        self.at_once(session, acts.keep_rollout(node))

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
        if self._worker.state(session).active:
            raise SessionInUseError(f"Session {session} is running: pause it, then choose models.")
        with self._current(session).view.reading() as tree:
            labels: dict[Role, str] = {"policy": tree.policy, "prm": tree.prm}
        for role, adapter in adapters.items():
            labels[role] = self._adapters.label(role, adapter)
        self.at_once(session, acts.choose_models(*(labels[role] for role in ROLES)))

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
        self._with_models(session, acts.write_step(parent, _text(text)))

    def expand(
        self, session: str, node: int, count: int = 3, temperature: float | None = None
    ) -> None:
        """Ask for more children of a node, at another temperature if one is given.

        Raises:
            EventError: no step can follow this node.
            ParameterError: a number is out of range, or the session needs other models.
            SessionInUseError: another process works on the session.
        """
        self._with_models(session, acts.expand(node, count, temperature))

    def roll_out(self, session: str, node: int, steps: int = 8) -> None:
        """Write on greedily from a node, to see where it leads; raises as `expand`."""
        self._with_models(session, acts.roll_out(node, steps))

    def consequences(
        self, session: str, node: int, value: float | None, pruned: bool | None = None
    ) -> Consequences:
        """What overruling a node, or pruning it if `pruned` is given, would do; nothing is written.

        Raises:
            EventError: it does not fit.
        """
        act = acts.overrule(node, value) if pruned is None else acts.prune(node, pruned)
        log = self._current(session).view.log
        before, after = Tree.fold(log), Tree.fold(log)
        perform(after, act)
        values = [
            ChangedValue(one.id, one.value, other.value)
            for one, other in zip(before.nodes, after.nodes, strict=True)
            if one.value != other.value
        ]
        return Consequences(
            values,
            _next_path(before),
            _next_path(after),
            outcome(before).answer,
            outcome(after).answer,
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
        if self._worker.state(session).active:
            raise SessionInUseError(f"Session {session} is running: pause it, then go back.")
        with self._store.leases.holding(session):
            live = self._current(session)
            if to != end_before(live.view.log, to):
                raise EventError(f"Event {to} is in the midst of something: take the end of it.")
            live.rewind(to)

    def undo(self, session: str) -> None:
        """Take back what was done last; nothing where nothing is left. Raises as `rewind`."""
        done = [item for item in self.history(session) if item.standing]
        if len(done) > 1:
            self.rewind(session, done[-1].before)

    def redo(self, session: str) -> None:
        """Do again what was taken back last; nothing where nothing is. Raises as `rewind`."""
        found = self.history(session)
        at = max(item.last for item in found if item.standing)
        following = [item for item in found if item.before == at]
        if following:
            self.rewind(session, following[-1].last)

    def fork(self, session: str, at: int | None = None, name: str = "") -> str:
        """A new session with the log of this one up to a place, or to what it ends an item before.

        Returns:
            Its id.

        Raises:
            EventError: there is no such place.
            StoreError: it cannot be read or written.
        """
        row, log = self._store.session(session), self._store.events(session)
        end = end_before(log, len(log) if at is None else at)
        kept = log[:end]
        title = name or f"{row.name or session} @ {end}"
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

    def at_once(self, session: str, act: Act) -> None:
        """Do something that needs no model.

        Raises:
            LabError: it does not fit.
        """
        live = self._current(session)
        if self._worker.state(session).active:
            perform(Tree.fold(live.view.log), act)  # what does not fit must not end the run
            self._worker.act(live, act)
            return
        with self._store.leases.holding(session):
            live.act(act)

    def annotate(self, session: str, events: Sequence[Annotation]) -> None:
        """Say something that no search asks for: it is there at once, also while one runs.

        Raises:
            EventError: it does not fit.
            SessionInUseError: another process works on the session.
            StoreError: it cannot be written.
        """
        live = self._current(session)
        with self._store.leases.holding(session):
            if self._worker.state(session).active:
                self._worker.annotate(live, events, live.annotate(events, True))
            else:
                live.annotate(events, False)

    def _with_models(self, session: str, act: Act) -> None:
        live = self._current(session)
        with live.view.reading() as tree:
            self._adapters.check(session, tree)
            next(act(tree), None)  # its own checks come first
        self._worker.act(live, act)


def _next_path(tree: Tree) -> list[int]:
    kind = algorithm(tree.algorithm)
    if kind.selects is None:
        return []
    values = {name: value for name, value in tree.params.items() if name != "sampling"}
    return kind.selects(tree, kind.params.model_validate(values))


def _text(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TaskError(f"The step is not valid Unicode text: {error.reason}.") from error
    return text.replace("\r\n", "\n")
