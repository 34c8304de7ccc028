"""A search run again with something changed: what a person supposes, from the replies of before.

The acts of the search that is replayed are done again after the same iterations, on the nodes with
the same steps. With models that only know stored replies (`Remembering`), the replay ends where the
first one is missing, and says how many are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from engine import events as ev
from engine.errors import EventError, LabError
from engine.history import items
from engine.search import acts
from engine.search.acts import perform
from engine.search.driver import Driver, Grader, Limits, Search, create
from engine.tree import Tree, standing


class MissingRepliesError(LabError):
    """Replies that are not stored are needed."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count:,} replies are not stored: they must be generated.")
        self.count = count


class Remembering:
    """A policy or process reward model that knows stored replies only: it stands for another one,
    and whatever is asked of it is missing.

    Args:
        model: the other one; its identity makes the addresses, and it reads tokens of known texts.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.identity = model.identity
        self.text = model.text

    def propose(self, requests: Sequence[Any]) -> Any:
        """Raises MissingRepliesError."""
        raise MissingRepliesError(len(requests))

    def score(self, requests: Sequence[Any]) -> Any:
        """Raises MissingRepliesError."""
        raise MissingRepliesError(len(requests))

    def judge(self, requests: Sequence[Any], mode: str) -> Any:
        """Raises MissingRepliesError."""
        raise MissingRepliesError(len(requests))

    def summarise(self, requests: Sequence[Any]) -> Any:
        """Raises MissingRepliesError."""
        raise MissingRepliesError(len(requests))


class Supposition(msgspec.Struct, frozen=True):
    """What is supposed to be otherwise.

    Attributes:
        params: of the algorithm; sampling: of the policy; those not named stay.
        values: V of nodes of the replayed search, locked from their creation on.
        flips: verdicts on answers of its leaves.
        marks: verdicts on its steps.
        iterations: of the whole, None for as many as it had.
    """

    params: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    values: dict[int, float] = {}
    flips: dict[int, bool] = {}
    marks: dict[int, ev.Mark] = {}
    iterations: int | None = None


class Replay(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        log: of the new search, as far as it came.
        iterations: finished ones.
        wanted: of the whole.
        missing: replies that the next iteration lacks first, 0 if it came to the end. What it lacks
            after these depends on them.
        left_out: acts and suppositions whose node the new search does not have, in words.
    """

    log: list[ev.Event]
    iterations: int
    wanted: int
    missing: int
    left_out: list[str]


def replay(
    log: Sequence[ev.Event],
    supposed: Supposition,
    driver: Driver,
    grade: Grader,
    stopped: Callable[[], bool] = lambda: False,
) -> Replay:
    """Run a search again with something changed.

    Args:
        log: of the search; it is not changed.
        supposed: what is changed.
        driver: with its models, or with models that only remember.
        grade: tells right answers from wrong ones.
        stopped: asked between iterations; the replay ends there.

    Raises:
        ParameterError: a parameter is unknown or out of range.
        LabError: a model fails, other than by a missing reply.
    """
    tree = Tree.fold(log)
    wanted = tree.iteration if supposed.iterations is None else supposed.iterations
    player = _Player(tree, _first(tree, supposed), driver, grade)
    done = _acts(log)
    missing = 0
    try:
        player.suppose(supposed.values)
        for iteration in range(wanted + 1):
            for act in done.get(iteration, []):
                player.again(act)
            player.suppose(supposed.values)
            if iteration == wanted or stopped() or player.search.stopped:
                break
            player.iterate()
    except MissingRepliesError as error:
        missing = error.count
    player.judge(supposed)
    search = player.search
    return Replay(search.log, search.tree.iteration, wanted, missing, player.left_out())


class _Player:
    """The new search, and which of the old one's nodes it has."""

    def __init__(self, old: Tree, first: ev.SearchCreated, driver: Driver, grade: Grader) -> None:
        self.search = Search([first], grade)
        self._old = old
        self._driver = driver
        self._missed: dict[str, str] = {}
        self._by_steps: dict[tuple[str, ...], int] = {(): 0}
        self._seen = 1

    def iterate(self) -> None:
        self._driver.run([self.search], Limits(iterations=1), lambda search, events: None)

    def suppose(self, values: Mapping[int, float]) -> None:
        """Overrule the nodes that are there and are not overruled yet."""
        for old, value in values.items():
            key = f"value {old}"
            node = self._find(old)
            if node is None:
                self._missed[key] = f"node {old}, whose value was supposed"
            elif self.search.tree.node(node).overruled != value:
                self._missed.pop(key, None)
                self._perform(acts.overrule(node, value))

    def again(self, event: ev.Event) -> None:
        """Do again what a person did, as far as it needs no model."""
        old = getattr(event, "node", None)
        node = 0 if old is None else self._find(old)
        if node is None:
            self._missed[f"act {id(event)}"] = f"an act on node {old}"
            return
        try:
            match event:
                case ev.Overruled(value=value, locked=locked):
                    self._perform(acts.overrule(node, value, locked))
                case ev.Pruned(pruned=pruned):
                    self._perform(acts.prune(node, pruned))
                case _:
                    here = {} if old is None else {"node": node}
                    self._keep([msgspec.structs.replace(event, **here)])
        except EventError as error:
            self._missed[f"act {id(event)}"] = f"an act on node {old}: {error}"

    def judge(self, supposed: Supposition) -> None:
        verdicts: list[tuple[int, Callable[[int], ev.Event]]] = [
            *((old, _Graded(right)) for old, right in supposed.flips.items()),
            *((old, _Marks(mark)) for old, mark in supposed.marks.items()),
        ]
        for old, make in verdicts:
            node = self._find(old)
            if node is None or (isinstance(make, _Graded) and not self._answered(node)):
                self._missed[f"verdict {old}"] = f"node {old}, whose verdict was supposed"
            else:
                self._keep([make(node)])

    def left_out(self) -> list[str]:
        return list(dict.fromkeys(self._missed.values()))

    def _answered(self, node: int) -> bool:
        return self.search.tree.node(node).answered

    def _find(self, old: int) -> int | None:
        """The node with the same steps."""
        tree = self.search.tree
        while self._seen < len(tree.nodes):
            self._by_steps.setdefault(tree.steps(self._seen), self._seen)
            self._seen += 1
        return self._by_steps.get(self._old.steps(old))

    def _perform(self, act: acts.Act) -> None:
        self._keep(perform(Tree.fold(self.search.log), act))

    def _keep(self, events: Sequence[ev.Event]) -> None:
        for event in events:
            self.search.tree.apply(event)
            self.search.log.append(event)


class _Graded(msgspec.Struct, frozen=True):
    right: bool

    def __call__(self, node: int) -> ev.Event:
        return ev.Regraded(node, self.right)


class _Marks(msgspec.Struct, frozen=True):
    mark: ev.Mark

    def __call__(self, node: int) -> ev.Event:
        return ev.Marked(node, self.mark)


def _first(tree: Tree, supposed: Supposition) -> ev.SearchCreated:
    sampling = tree.params.get("sampling")
    params = {
        **tree.params,
        **supposed.params,
        "sampling": {**(sampling if isinstance(sampling, dict) else {}), **supposed.sampling},
    }
    return create(
        tree.question, tree.gold, tree.algorithm, params, tree.seed, tree.policy, tree.prm
    )


def _acts(log: Sequence[ev.Event]) -> dict[int, list[ev.Event]]:
    """What a person did that needs no model and changes no parameter, by the iteration before."""
    known = dict(standing(log))
    found: dict[int, list[ev.Event]] = {}
    for item in items(log):
        event = known.get(item.first)
        if item.standing and isinstance(event, _REPEATED):
            found.setdefault(item.iteration, []).append(event)
    return found


_REPEATED = (ev.Overruled, ev.Pruned, ev.Marked, ev.Regraded, ev.Noted, ev.Tagged)
