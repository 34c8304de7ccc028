"""What if: a search replayed with something changed, beside the one that was."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import msgspec

from engine.errors import LabError, ParameterError
from engine.events import AnyEvent
from engine.search.driver import Driver
from engine.search.replay import Remembering, Replay, Supposition, replay
from engine.tree import Tree
from lab.adapters import Adapters
from lab.commands import Ending
from lab.drivers import Drivers
from lab.live import LiveSession, digest
from lab.worker import Grading, Worker
from sessions.rows import Arrival
from sessions.store import Store

_KEPT = 20


class WhatIf(msgspec.Struct, frozen=True):
    """A replay, and how far it is.

    Attributes:
        id: of the replay.
        session: that is replayed.
        status: looking: how much of it is stored; known: told below, nothing was generated;
            generating: what is missing; done: it is a session.
        iterations: that come from stored replies, or are done; of `wanted`.
        missing: replies that the next iteration lacks first, 0 if none is missing.
        likely: replies that are likely to be missing in all, by what the iterations took so far.
        left_out: what has no place in the replay, in words.
        made: the session it became, None as long as it is none.
        message: the error in words.
    """

    id: str
    session: str
    status: Literal["looking", "known", "generating", "done", "failed"]
    iterations: int = 0
    wanted: int = 0
    missing: int = 0
    likely: int = 0
    left_out: list[str] = []
    made: str | None = None
    message: str = ""


class _Strict(Supposition, frozen=True, forbid_unknown_fields=True):
    """The same, of which no field may be misspelt."""


class WhatIfs:
    """The replays of this process. Safe to use from many threads; nothing waits for a model.

    Args:
        store: of the sessions.
        worker: has the models.
        adapters: of the models.
        current: gives a session with everything that is on disk of it.
        grading: compares answers.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        adapters: Adapters,
        current: Callable[[str], LiveSession],
        grading: Grading,
    ) -> None:
        self._store = store
        self._worker = worker
        self._adapters = adapters
        self._current = current
        self._grading = grading
        self._found: OrderedDict[str, tuple[WhatIf, Supposition]] = OrderedDict()
        self._lock = threading.Lock()

    @staticmethod
    def supposition(entered: Mapping[str, Any]) -> Supposition:
        """A supposition out of plain data, as a page or a file has it.

        Raises:
            ParameterError: a field is unknown or of another type.
        """
        try:
            return msgspec.convert(dict(entered), _Strict, strict=False)
        except msgspec.ValidationError as error:
            raise ParameterError(f"This cannot be supposed: {error}.") from error

    def iterations(self, session: str) -> int:
        """How many a session has.

        Raises:
            StoreError: it does not exist or cannot be read.
        """
        with self._current(session).view.reading() as tree:
            return tree.iteration

    def look(self, session: str, supposed: Supposition) -> str:
        """See how much of a replay is stored; generates nothing, and returns its id at once.

        Raises:
            ParameterError: the session needs other models.
            StoreError: it does not exist or cannot be read.
        """
        self._check(session)
        new = secrets.token_hex(4)
        self._put(WhatIf(new, session, "looking"), supposed)
        self._begin(new, generate=False)
        return new

    def generate(self, identifier: str) -> None:
        """Make a session of a replay, and generate what is missing; returns at once.

        Raises:
            LabError: there is no such replay, or it is not known yet.
        """
        state = self.state(identifier)
        if state.status != "known":
            raise LabError(
                f"The replay {identifier} is {state.status}: wait, or ask for a new one."
            )
        self._change(identifier, status="generating")
        self._begin(identifier, generate=True)

    def state(self, identifier: str) -> WhatIf:
        """How far a replay is.

        Raises:
            LabError: there is none with this id in this process.
        """
        with self._lock:
            if identifier not in self._found:
                raise LabError(f"There is no replay {identifier[:40]!r} here: ask for it again.")
            return self._found[identifier][0]

    def _check(self, session: str) -> None:
        with self._current(session).view.reading() as tree:
            self._adapters.check(session, tree)

    def _begin(self, identifier: str, generate: bool) -> None:
        def ended(ending: Ending) -> None:
            if ending.error:
                self._change(identifier, status="failed", message=ending.error)

        title = "a search is replayed"
        self._worker.task(title, lambda drivers: self._work(identifier, drivers, generate), ended)

    def _work(self, identifier: str, drivers: Drivers, generate: bool) -> None:
        """In the model thread."""
        with self._lock:
            state, supposed = self._found[identifier]
        log = self._store.log(state.session)
        tree = Tree.fold(log)
        driver = self._driver(drivers, tree, generate)
        grade = lambda answer: self._grading(answer, tree.gold)  # noqa: E731
        found = replay(log, supposed, driver, grade, lambda: self._worker.closing)
        whole = not found.missing and not self._worker.closing
        made = self._keep(state.session, supposed, found) if whole else None
        self._change(
            identifier,
            status="done" if made else "known",
            iterations=found.iterations,
            wanted=found.wanted,
            missing=found.missing,
            likely=_likely(found),
            left_out=found.left_out,
            made=made,
        )

    def _driver(self, drivers: Drivers, tree: Tree, generate: bool) -> Driver:
        if generate:
            return drivers.of(tree.policy, tree.prm)
        policy, prm = drivers.models_of(tree.policy, tree.prm)
        return Driver(Remembering(policy), Remembering(prm), self._store.archive)

    def _keep(self, session: str, supposed: Supposition, found: Replay) -> str:
        row = self._store.session(session)
        name = f"{row.title}, if {_words(supposed)}"[:200]
        log = cast(list[AnyEvent], found.log)
        arrival = Arrival(log, digest(Tree.fold(found.log)), name, ["what if"])
        return self._store.take_in([arrival]).sessions[0]

    def _put(self, state: WhatIf, supposed: Supposition) -> None:
        with self._lock:
            self._found[state.id] = state, supposed
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)

    def _change(self, identifier: str, **changes: object) -> None:
        with self._lock:
            if identifier in self._found:
                state, supposed = self._found[identifier]
                self._found[identifier] = msgspec.structs.replace(state, **changes), supposed


def _likely(found: Replay) -> int:
    """As many for each iteration that is left as the first that lacks some."""
    return found.missing * max(1, found.wanted - found.iterations)


def _words(supposed: Supposition) -> str:
    parts = [
        f"{name} = {value}" for name, value in {**supposed.params, **supposed.sampling}.items()
    ]
    parts += [f"V of {node} = {value:g}" for node, value in supposed.values.items()]
    parts += [
        f"answer {node} {'right' if right else 'wrong'}" for node, right in supposed.flips.items()
    ]
    parts += [f"step {node} {mark or 'unmarked'}" for node, mark in supposed.marks.items()]
    return ", ".join(parts) or "nothing were changed"
