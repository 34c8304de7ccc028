"""The search tree and the one function that changes it.

Field shapes: a tree of N nodes has ids 0..N-1 in creation order, root 0; a node's children are ids
in creation order. Values are in the PRM's range, visits are counts, depths are steps from the root.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import singledispatch

from engine import events as ev
from engine.errors import EventError


@dataclass(slots=True)
class Node:
    """A partial solution: the steps from the root to here.

    Attributes:
        id: creation order, root 0.
        parent: id, None for the root.
        depth: number of steps.
        step: text of the last step, closing newline included; "" for the root.
        value: V, the present value.
        visits: n.
        prm_value: what the PRM said, before roll-outs and backups; None while not valued.
        children: ids in creation order.
        expansions: how many times children were asked for and came.
        verdict: the self-critic's: unknown, continue or end.
        verdict_source: where the verdict came from.
        verdict_probability: of `end`, if the critic read it from logits.
        analysis: the textual critic's words, fed to the next expansion.
        closed: the end gate closed it (final_ans_flag of the reference).
        exhausted: nothing below can change any more.
        answered: whether a final answer was looked for.
        answer, correct, summary: what was found; correct is None without an oracle answer.
        slot, attempt: address of its random numbers below its parent.
        tokens, logprob: length and log-probability of the sampled step.
        iteration: in which it was created.
        note: a person's words, "" if none.
        mark, mark_reason: a person's verdict on the step, and why.
        regraded: a person's verdict on the answer, None if the oracle's stands.
        overruled: a person's V, None if there is none.
    """

    id: int
    parent: int | None
    depth: int
    step: str
    value: float = 0.0
    visits: int = 0
    prm_value: float | None = None
    children: list[int] = field(default_factory=list)
    expansions: int = 0
    verdict: ev.Verdict = "unknown"
    verdict_source: ev.VerdictSource = ""
    verdict_probability: float | None = None
    analysis: str = ""
    closed: bool = False
    exhausted: bool = False
    answered: bool = False
    answer: str | None = None
    correct: bool | None = None
    summary: str = ""
    slot: int = 0
    attempt: int = 0
    tokens: int = 0
    logprob: float | None = None
    iteration: int = 0
    note: str = ""
    mark: ev.Mark = ""
    mark_reason: str = ""
    regraded: bool | None = None
    overruled: float | None = None

    @property
    def accepted(self) -> bool | None:
        """Whether its answer counts as correct: a person's verdict goes before the oracle's."""
        return self.correct if self.regraded is None else self.regraded

    @property
    def expanded(self) -> bool:
        """Whether it has been expanded at least once."""
        return self.expansions > 0

    @property
    def finished(self) -> bool:
        """Whether the self-critic, a gate or a dead end says that no step follows."""
        return self.verdict == "end"


class Tree:
    """State of a search: the fold of its log.

    Nothing outside `apply` may change it; everything else reads. What a search asks for in every
    iteration is kept up to date with each event, so that its price does not grow with the tree.

    Attributes:
        closed: ids of the nodes that the end gate closed, in the order of their closing.
        growing: ids of the leaves that are neither finished nor exhausted.
        ends: ids of the finished leaves, depth-first. (A leaf here is an unexpanded node.)
    """

    def __init__(self) -> None:
        self.question = ""
        self.gold: str | None = None
        self.algorithm = ""
        self.params: dict[str, object] = {}
        self.seed = 0
        self.policy = ""
        self.prm = ""
        self.nodes: list[Node] = []
        self.closed: list[int] = []
        self.growing: set[int] = set()
        self.ends: list[int] = []
        self.iteration = 0
        self.phase = ""
        self.selected_path: list[int] = []
        self.picks: list[ev.Pick] = []
        self.rollout: ev.RolledOut | None = None
        self.stop: ev.StopReason = ""
        self.cost = ev.Cost()
        self.costs: list[ev.Cost] = []  # of each finished iteration
        self.drawn: set[str] = set()
        self.read: list[ev.Read] = []
        self.best: int | None = None
        self.voted: int | None = None
        self.chosen: int | None = None
        self.note = ""
        self.applied = 0

    @classmethod
    def fold(cls, log: Iterable[ev.Event]) -> "Tree":
        """The state after a log.

        Raises:
            EventError: an event does not fit the state before it.
        """
        tree = cls()
        for event in log:
            tree.apply(event)
        return tree

    @property
    def root(self) -> Node:
        """The node of the empty solution."""
        return self.node(0)

    @property
    def value_range(self) -> tuple[float, float]:
        """Bottom and top of V; [0, 1] where the algorithm has no parameters for it."""
        low, high = self.params.get("low", 0.0), self.params.get("high", 1.0)
        if isinstance(low, int | float) and isinstance(high, int | float) and low < high:
            return float(low), float(high)
        return 0.0, 1.0

    def node(self, identifier: int) -> Node:
        """The node with this id.

        Raises:
            EventError: there is no such node.
        """
        if not 0 <= identifier < len(self.nodes):
            raise EventError(
                f"There is no node {identifier}: this tree has the nodes 0 to "
                f"{len(self.nodes) - 1}."
            )
        return self.nodes[identifier]

    def path(self, identifier: int) -> list[int]:
        """Ids from the root to a node, both included."""
        node, path = self.node(identifier), [identifier]
        while node.parent is not None:
            node = self.nodes[node.parent]
            path.append(node.id)
        return path[::-1]

    def steps(self, identifier: int) -> tuple[str, ...]:
        """Texts of the steps from the root to a node; () for the root."""
        return tuple(self.nodes[i].step for i in self.path(identifier)[1:])

    def depth_first(self, start: int = 0) -> Iterator[Node]:
        """Nodes below and at `start`, parents first, children in creation order."""
        stack = [self.node(start).id]
        while stack:
            node = self.nodes[stack.pop()]
            yield node
            if node.children:
                stack.extend(reversed(node.children))

    def apply(self, event: ev.Event) -> None:
        """Change the state by one event; the only function that does.

        Raises:
            EventError: the event does not fit; the state is then unchanged.
        """
        if not self.nodes and not isinstance(event, ev.SearchCreated):
            raise EventError(
                f"A log starts with search_created, not with {type(event).__struct_config__.tag}."
            )
        _change(event, self)
        self.applied += 1


def _is_end(node: Node) -> bool:
    return node.finished and not node.expanded


def _file(tree: Tree, node: Node, was_end: bool) -> None:
    """Put a node that has changed where it belongs now in `growing` and `ends`."""
    if node.expanded or node.finished or node.exhausted:
        tree.growing.discard(node.id)
    else:
        tree.growing.add(node.id)
    if _is_end(node) != was_end:
        # Children are in creation order, so paths of ids sort depth-first.
        place = bisect_left(tree.ends, tree.path(node.id), key=tree.path)
        tree.ends[place : place + was_end] = [] if was_end else [node.id]


@singledispatch
def _change(event: ev.Event, tree: Tree) -> None:
    raise EventError(f"Unknown event {type(event).__name__}.")


@_change.register
def _(event: ev.SearchCreated, tree: Tree) -> None:
    if tree.nodes:
        raise EventError("A log has one search_created, at its start; here is a second one.")
    tree.question, tree.gold = event.question, event.gold
    tree.algorithm, tree.params, tree.seed = event.algorithm, event.params, event.seed
    tree.policy, tree.prm = event.policy, event.prm
    tree.nodes.append(Node(id=0, parent=None, depth=0, step=""))
    tree.growing.add(0)


@_change.register
def _(event: ev.IterationStarted, tree: Tree) -> None:
    if event.iteration != tree.iteration + 1:
        raise EventError(f"Iteration {event.iteration} cannot follow iteration {tree.iteration}.")
    tree.iteration = event.iteration
    tree.phase, tree.selected_path, tree.picks, tree.rollout = "started", [], [], None


@_change.register
def _(event: ev.Selected, tree: Tree) -> None:
    for identifier in event.path:
        tree.node(identifier)
    tree.phase, tree.selected_path, tree.picks = "selected", event.path, event.picks


@_change.register
def _(event: ev.Closed, tree: Tree) -> None:
    node = tree.node(event.node)
    if not node.closed:
        node.closed = True
        tree.closed.append(node.id)


@_change.register
def _(event: ev.Judged, tree: Tree) -> None:
    node = tree.node(event.node)
    was_end = _is_end(node)
    node.verdict, node.verdict_source = event.verdict, event.source
    node.verdict_probability, node.analysis = event.probability, event.analysis
    _file(tree, node, was_end)


@_change.register
def _(event: ev.Expanded, tree: Tree) -> None:
    parent = tree.node(event.node)
    first = len(tree.nodes)
    if [child.id for child in event.children] != list(range(first, first + len(event.children))):
        raise EventError(
            f"New nodes must be numbered from {first} on, in order of creation; got "
            f"{[child.id for child in event.children]}."
        )
    tree.phase = "expanded"
    if event.status == "expanded":
        was_end = _is_end(parent)
        parent.expansions += 1
        _file(tree, parent, was_end)
    for child in event.children:
        parent.children.append(child.id)
        tree.growing.add(child.id)
        tree.nodes.append(
            Node(
                id=child.id,
                parent=parent.id,
                depth=parent.depth + 1,
                step=child.step,
                slot=child.slot,
                attempt=child.attempt,
                tokens=child.tokens,
                logprob=child.logprob,
                iteration=tree.iteration,
            )
        )


@_change.register
def _(event: ev.Evaluated, tree: Tree) -> None:
    nodes = [tree.node(item.node) for item in event.values]
    for node, item in zip(nodes, event.values, strict=True):
        node.value = node.prm_value = item.value
    tree.phase = "evaluated"


@_change.register
def _(event: ev.RolledOut, tree: Tree) -> None:
    node = tree.node(event.node)
    node.value, node.visits = event.value_after, event.visits
    tree.phase, tree.rollout = "rolled out", event


@_change.register
def _(event: ev.BackedUp, tree: Tree) -> None:
    nodes = [tree.node(item.node) for item in event.backups]
    for node, item in zip(nodes, event.backups, strict=True):
        node.value, node.visits = item.value, item.visits
    tree.phase = "backed up"


@_change.register
def _(event: ev.Exhausted, tree: Tree) -> None:
    for node in [tree.node(identifier) for identifier in event.nodes]:
        node.exhausted = True
        tree.growing.discard(node.id)


@_change.register
def _(event: ev.Answered, tree: Tree) -> None:
    node = tree.node(event.node)
    node.answered, node.answer = True, event.answer
    node.correct, node.summary = event.correct, event.summary


@_change.register
def _(event: ev.IterationFinished, tree: Tree) -> None:
    if event.iteration != tree.iteration:
        raise EventError(
            f"Iteration {event.iteration} cannot finish: iteration {tree.iteration} is under way."
        )
    tree.cost = tree.cost + event.cost
    tree.costs.append(event.cost)
    tree.drawn.update(event.drawn)
    tree.read.append(event.read)
    tree.stop = event.stop


@_change.register
def _(event: ev.Concluded, tree: Tree) -> None:
    for identifier in (event.best, event.chosen, event.voted):
        if identifier is not None:
            tree.node(identifier)
    tree.best, tree.voted, tree.chosen = event.best, event.voted, event.chosen
    tree.cost = tree.cost + event.cost
    tree.drawn.update(event.drawn)
    tree.read.append(event.read)
    tree.phase = "concluded"


@_change.register
def _(event: ev.Noted, tree: Tree) -> None:
    if event.node is None:
        tree.note = event.text
    else:
        tree.node(event.node).note = event.text


@_change.register
def _(event: ev.Marked, tree: Tree) -> None:
    node = _step(tree, event.node)
    node.mark, node.mark_reason = event.verdict, event.reason if event.verdict else ""


@_change.register
def _(event: ev.Regraded, tree: Tree) -> None:
    node = tree.node(event.node)
    if event.correct is not None and not node.answered:
        raise EventError(
            f"Node {node.id} cannot be graded: no final answer was looked for there. Grade a "
            "finished solution, or mark the step."
        )
    node.regraded = event.correct


@_change.register
def _(event: ev.Overruled, tree: Tree) -> None:
    node = _step(tree, event.node)
    low, high = tree.value_range
    if event.value is not None and not (math.isfinite(event.value) and low <= event.value <= high):
        raise EventError(
            f"The value of node {node.id} cannot be {event.value!r}: it takes a number from "
            f"{low:g} to {high:g}."
        )
    node.overruled = event.value


def _step(tree: Tree, identifier: int) -> Node:
    """The node, which must have a step that a person can speak of."""
    node = tree.node(identifier)
    if node.parent is None:
        raise EventError("The root holds no step: mark or overrule a node below it.")
    return node
