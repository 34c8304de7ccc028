"""A search run again with something changed: what a person supposes, from the replies of before.

What was done to the search that is replayed is done again after the same iterations, on the nodes
with the same steps: parameters change when they did, but for those that are supposed. Answers are
read where they were, at the ends of its runs. With models that only know stored replies
(`Remembering`), the replay ends where the first one is missing, and says how many are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from engine import events as ev
from engine.errors import EventError, LabError
from engine.history import Doing, items
from engine.search import acts
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
        self.dated = getattr(model, "dated", False)
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
        params: of the algorithm; sampling: of the policy; they hold from the first iteration to the
            last. Those not named are what they were, and change where they did.
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
        left_out: acts and suppositions that have no place in the new search, in words.
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
    player = _Player(tree, _first(log, tree, supposed), supposed, driver, grade)
    done = _acts(log)
    missing = 0
    try:
        player.suppose(supposed.values)
        for iteration in range(wanted + 1):
            for act in done.get(iteration, []):
                player.again(act)
            player.suppose(supposed.values)
            if iteration < wanted and player.search.stopped:
                player.ended(
                    [act for k in range(iteration + 1, wanted + 1) for act in done.get(k, [])]
                )
                break
            if iteration == wanted or stopped():
                break
            player.iterate()
        # A search that was taken back to before its answer was read has none: nor has the replay.
        unread = not any(act.doing == "concluded" for act in done.get(tree.iteration, []))
        as_it_was = player.search.tree.iteration == tree.iteration and unread
        if not player.concluded and not as_it_was and not stopped():
            player.conclude()
    except MissingRepliesError as error:
        missing = error.count
    player.judge(supposed)
    search = player.search
    return Replay(search.log, search.tree.iteration, wanted, missing, player.left_out())


class _Did(NamedTuple):
    """What was done between two iterations, as it stands in the log: mostly by a person.

    Attributes:
        events: of it.
        asked: how many children of the policy, where some were asked for.
    """

    doing: Doing
    events: list[ev.Event]
    iteration: int
    asked: int = 0

    @property
    def node(self) -> int | None:
        """That it was done to, None for the whole search."""
        return getattr(self.events[0], "node", None)

    def __str__(self) -> str:
        where = "" if self.node is None else f" node {self.node}"
        return f"{_SAID.get(self.doing, 'an act on')}{where}"


class _Player:
    """The new search, and which of the old one's nodes it has.

    Attributes:
        concluded: whether answers were read since the last iteration.
    """

    def __init__(
        self,
        old: Tree,
        first: ev.SearchCreated,
        supposed: Supposition,
        driver: Driver,
        grade: Grader,
    ) -> None:
        self.search = Search([first], grade)
        self.concluded = True
        self._old = old
        self._supposed = supposed
        self._driver = driver
        self._missed: dict[str, str] = {}
        if old.version != first.version:
            self._missed["version"] = "the rules of an earlier version of this search, which it had"
        self._by_steps: dict[tuple[str, ...], int] = {(): 0}
        self._seen = 1

    def iterate(self) -> None:
        limits = Limits(iterations=1, concludes=False)
        self._driver.run([self.search], limits, lambda search, events: None)
        self.concluded = False

    def conclude(self) -> None:
        """Read the answers and choose one."""
        self._driver.run([self.search], Limits(iterations=0), lambda search, events: None)
        self.concluded = True

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

    def again(self, did: _Did) -> None:
        """Do again what was done."""
        if did.doing == "concluded":
            self.conclude()
            return
        node = 0 if did.node is None else self._find(did.node)
        if node is None:
            self._missed[f"act {id(did)}"] = str(did)
            return
        try:
            self._again(did, node)
        except EventError as error:
            self._missed[f"act {id(did)}"] = f"{did}: {error}"

    def _again(self, did: _Did, node: int) -> None:
        match did.events[0]:
            case ev.Overruled(value=value, locked=locked):
                self._perform(acts.overrule(node, value, locked))
            case ev.Pruned(pruned=pruned):
                self._perform(acts.prune(node, pruned))
            case ev.ParametersChanged(params=params):
                self._perform(acts.change_parameters(_overlaid(params, self._supposed)))
            case ev.ModelsChosen():
                raise EventError("the replay has the last ones from the start.")
            case ev.Added(origin="person", children=[child]):
                self._perform(acts.write_step(node, child.step))
            case ev.Added(origin="policy", temperature=temperature):
                self._perform(acts.expand(node, did.asked, temperature))
            case ev.Added():
                self._perform(acts.keep_steps(node, _rolled(did.events)))
            case ev.RolledOut(steps=steps):
                self._perform(acts.roll_out(node, max(1, len(steps))))
            case event:
                here = {} if did.node is None else {"node": node}
                self._keep([msgspec.structs.replace(event, **here)])

    def ended(self, later: Sequence[_Did]) -> None:
        """What was done after an iteration that the new search has not: it has come to its end."""
        for did in (one for one in later if one.doing != "concluded"):
            self._missed[f"act {id(did)}"] = (
                f"{did} after iteration {did.iteration}: the replay ends after "
                f"{self.search.tree.iteration}"
            )

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
        errors: list[Exception] = []
        self._driver.act(self.search, act, lambda search, events: None)
        while self.search in self._driver.active:
            errors += [failed.error for failed in self._driver.tick()]
        if errors:
            raise errors[0]

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


def _first(log: Sequence[ev.Event], tree: Tree, supposed: Supposition) -> ev.SearchCreated:
    """As the search began, with what is supposed, and the models that it has now."""
    began = log[0]
    assert isinstance(began, ev.SearchCreated)
    params = _overlaid(began.params, supposed)
    return create(
        *(tree.question, tree.gold, tree.algorithm, params, tree.seed, tree.policy, tree.prm),
        date=tree.date,
        step_format=tree.step_format,
    )


def _overlaid(params: Mapping[str, object], supposed: Supposition) -> dict[str, object]:
    sampling = params.get("sampling")
    return {
        **params,
        **supposed.params,
        "sampling": {**(sampling if isinstance(sampling, dict) else {}), **supposed.sampling},
    }


def _acts(log: Sequence[ev.Event]) -> dict[int, list[_Did]]:
    """What was done between iterations, by the one before."""
    asked = _asked(log)
    found: dict[int, list[_Did]] = {}
    for item in items(log):
        events = list(log[item.first - 1 : item.last])
        doing = item.doing
        if doing == "iteration" and isinstance(events[-1], ev.Concluded):
            doing = "concluded"  # a run's end belongs to its last iteration
        if item.standing and doing not in ("created", "iteration"):
            did = _Did(doing, events, item.iteration, asked.get(item.first, 0))
            found.setdefault(item.iteration, []).append(did)
    return found


def _asked(log: Sequence[ev.Event]) -> dict[int, int]:
    """How many children a person asked the policy for, by the place of the event.

    The log tells which slot was the last one; the first one follows from the tree before it.
    """
    tree = Tree()
    found: dict[int, int] = {}
    for place, event in standing(log):
        if isinstance(event, ev.Added) and event.origin == "policy":
            slots = event.asked - acts.unused_slot(tree, tree.node(event.node))
            found[place] = max(1, slots, len(event.children))
        tree.apply(event)
    return found


def _rolled(events: Sequence[ev.Event]) -> list[acts.RolledStep]:
    """The steps that were kept of a roll-out, with what the models said of them."""
    values: dict[int, float] = {}
    verdicts: dict[int, ev.Verdict] = {}
    children: list[ev.NewNode] = []
    for event in events:
        match event:
            case ev.Added(children=added):
                children += added
            case ev.Evaluated(values=valued):
                values |= {one.node: one.value for one in valued}
            case ev.Judged(node=node, verdict=verdict):
                verdicts[node] = verdict
    return [
        acts.RolledStep(one.step, one.slot, values[one.id], verdicts.get(one.id, "unknown"))
        for one in children
    ]


_SAID: dict[Doing, str] = {
    "wrote": "the step written below",
    "asked": "more children asked for below",
    "rolled_out": "the roll-out from",
    "kept": "the roll-out kept below",
    "parameters": "the change of parameters",
    "models": "the choice of other models",
}
