"""The search tree and the one function that changes it.

Field shapes: a tree of N nodes has ids 0..N-1 in creation order, root 0; a node's children are ids
in creation order. Values are in the PRM's range, visits are counts, depths are steps from the root.
"""

from collections.abc import Iterable, Iterator, Sequence

from engine import events as ev
from engine.changes import change
from engine.errors import EventError
from engine.node import Node, Source
from engine.refused import Refusals

__all__ = ["Node", "Source", "Tree"]


class Tree:
    """State of a search: the fold of its log.

    Nothing outside `apply` may change it; everything else reads. What a search asks for in every
    iteration is kept up to date with each event, so that its price does not grow with the tree.

    Attributes:
        date: the day on which the search began, YYYY-MM-DD; "" if it is not known.
        closed: ids of the nodes that the end gate closed, in the order of their closing.
        growing: ids of the leaves that are neither finished nor exhausted.
        ends: ids of the finished leaves, depth-first. (A leaf here is a node without children.)
            Neither of these two holds what a person has pruned.
        tip: the node that a search which goes step by step has come to; committed_at: in which
            iteration.
        source: what new nodes are made with.
        refusals: of the policy's replies.
        blocked: ids of the nodes below which every reply was refused.
    """

    def __init__(self) -> None:
        self.question = ""
        self.gold: str | None = None
        self.algorithm = ""
        self.version = 1
        self.params: dict[str, object] = {}
        self.seed = 0
        self.policy = ""
        self.prm = ""
        self.date = ""
        self.step_format = ""
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
        self.tip = 0
        self.committed_at = 0
        self.note = ""
        self.tags: tuple[str, ...] = ()
        self.source = Source("", "", None)
        self.refusals = Refusals()
        self.blocked: set[int] = set()
        self.applied = 0

    @classmethod
    def fold(cls, log: Iterable[ev.Event]) -> "Tree":
        """The state after a log.

        Raises:
            EventError: an event does not fit the state before it.
        """
        tree = cls()
        for _, event in standing(list(log)):
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

    def shown(self, identifier: int) -> Iterator[Node]:
        """The children of a node that nobody has pruned, in creation order."""
        return (
            child
            for child in map(self.nodes.__getitem__, self.node(identifier).children)
            if not child.pruned
        )

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
        change(event, self)
        self.applied += 1


def standing(log: Sequence[ev.Event]) -> list[tuple[int, ev.Event]]:
    """The events that a log's state is the fold of, each with its place, from 1 on.

    `Rewound` goes back to the state after an earlier event: what lies between does not count, until
    another one goes there.

    Raises:
        EventError: one goes to no event before it.
    """
    found: list[tuple[int, ev.Event]] = []
    place = len(log)
    while place > 0:
        event = log[place - 1]
        if isinstance(event, ev.Rewound):
            if not 1 <= event.to < place:
                raise EventError(f"Event {place} goes back to event {event.to}, which it cannot.")
            place = event.to
        else:
            found.append((place, event))
            place -= 1
    return found[::-1]
