"""The search tree and the one function that changes it.

Field shapes: a tree of N nodes has ids 0..N-1 in creation order, root 0; a node's children are ids
in creation order. Values are in the PRM's range, visits are counts, depths are steps from the root.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import singledispatchmethod

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

    Nothing outside `apply` may change it; everything else reads.
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
        self.iteration = 0
        self.phase = ""
        self.selected_path: list[int] = []
        self.picks: list[ev.Pick] = []
        self.rollout: ev.RolledOut | None = None
        self.stop: ev.StopReason = ""
        self.cost = ev.Cost()
        self.drawn: set[str] = set()
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
        stack = [start]
        while stack:
            node = self.node(stack.pop())
            yield node
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
        self._apply(event)
        self.applied += 1

    @singledispatchmethod
    def _apply(self, event: ev.Event) -> None:
        raise EventError(f"Unknown event {type(event).__name__}.")

    @_apply.register
    def _(self, event: ev.SearchCreated) -> None:
        if self.nodes:
            raise EventError("A log has one search_created, at its start; here is a second one.")
        self.question, self.gold = event.question, event.gold
        self.algorithm, self.params, self.seed = event.algorithm, event.params, event.seed
        self.policy, self.prm = event.policy, event.prm
        self.nodes.append(Node(id=0, parent=None, depth=0, step=""))

    @_apply.register
    def _(self, event: ev.IterationStarted) -> None:
        if event.iteration != self.iteration + 1:
            raise EventError(
                f"Iteration {event.iteration} cannot follow iteration {self.iteration}."
            )
        self.iteration = event.iteration
        self.phase, self.selected_path, self.picks, self.rollout = "started", [], [], None

    @_apply.register
    def _(self, event: ev.Selected) -> None:
        for identifier in event.path:
            self.node(identifier)
        self.phase, self.selected_path, self.picks = "selected", event.path, event.picks

    @_apply.register
    def _(self, event: ev.Closed) -> None:
        self.node(event.node).closed = True

    @_apply.register
    def _(self, event: ev.Judged) -> None:
        node = self.node(event.node)
        node.verdict, node.verdict_source = event.verdict, event.source
        node.verdict_probability, node.analysis = event.probability, event.analysis

    @_apply.register
    def _(self, event: ev.Expanded) -> None:
        parent = self.node(event.node)
        first = len(self.nodes)
        if [child.id for child in event.children] != list(
            range(first, first + len(event.children))
        ):
            raise EventError(
                f"New nodes must be numbered from {first} on, in order of creation; got "
                f"{[child.id for child in event.children]}."
            )
        self.phase = "expanded"
        if event.status == "expanded":
            parent.expansions += 1
        for child in event.children:
            parent.children.append(child.id)
            self.nodes.append(
                Node(
                    id=child.id,
                    parent=parent.id,
                    depth=parent.depth + 1,
                    step=child.step,
                    slot=child.slot,
                    attempt=child.attempt,
                    tokens=child.tokens,
                    logprob=child.logprob,
                    iteration=self.iteration,
                )
            )

    @_apply.register
    def _(self, event: ev.Evaluated) -> None:
        nodes = [self.node(item.node) for item in event.values]
        for node, item in zip(nodes, event.values, strict=True):
            node.value = node.prm_value = item.value
        self.phase = "evaluated"

    @_apply.register
    def _(self, event: ev.RolledOut) -> None:
        node = self.node(event.node)
        node.value, node.visits = event.value_after, event.visits
        self.phase, self.rollout = "rolled out", event

    @_apply.register
    def _(self, event: ev.BackedUp) -> None:
        nodes = [self.node(item.node) for item in event.backups]
        for node, item in zip(nodes, event.backups, strict=True):
            node.value, node.visits = item.value, item.visits
        self.phase = "backed up"

    @_apply.register
    def _(self, event: ev.Exhausted) -> None:
        for node in [self.node(identifier) for identifier in event.nodes]:
            node.exhausted = True

    @_apply.register
    def _(self, event: ev.Answered) -> None:
        node = self.node(event.node)
        node.answered, node.answer = True, event.answer
        node.correct, node.summary = event.correct, event.summary

    @_apply.register
    def _(self, event: ev.IterationFinished) -> None:
        if event.iteration != self.iteration:
            raise EventError(
                f"Iteration {event.iteration} cannot finish: iteration {self.iteration} is "
                "under way."
            )
        self.cost = self.cost + event.cost
        self.drawn.update(event.drawn)
        self.stop = event.stop

    @_apply.register
    def _(self, event: ev.Concluded) -> None:
        for identifier in (event.best, event.chosen, event.voted):
            if identifier is not None:
                self.node(identifier)
        self.best, self.voted, self.chosen = event.best, event.voted, event.chosen
        self.phase = "concluded"

    @_apply.register
    def _(self, event: ev.Noted) -> None:
        if event.node is None:
            self.note = event.text
        else:
            self.node(event.node).note = event.text
