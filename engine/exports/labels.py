"""A tree as training data sees it: its finished solutions and the rewards of its steps."""

from functools import cached_property

import msgspec

from engine.rewards.evidence import Evidence, end_leaves, leaf_verdicts
from engine.rewards.methods import METHODS, infer
from engine.rewards.rows import Reward, Rewards
from engine.tree import Node, Tree


class Trace(msgspec.Struct, frozen=True):
    """A finished solution.

    Attributes:
        leaf: id of its last node.
        steps: texts of its steps.
        summary: the policy's statement of the answer, "" if there is none.
        correct: whether its answer is accepted and no step marked wrong; None where nothing tells.
        value: V of the leaf, a person's before the search's.
        touched: whether a person's word decides `correct`.
    """

    leaf: int
    steps: tuple[str, ...]
    summary: str
    correct: bool | None
    value: float
    touched: bool

    @property
    def text(self) -> str:
        """The solution with its answer: the summary follows unless the steps state it."""
        solution = "".join(self.steps)
        if "final answer is" in solution or self.summary.strip() in solution:
            return solution
        return solution + self.summary


class Valued(msgspec.Struct, frozen=True):
    """What a step is worth, and whether a person's word decides it."""

    value: float
    touched: bool


class LabelledTree:
    """Finished solutions and rewards of a tree, which is not changed.

    Args:
        tree: a search.
        method: of the rewards, see `engine.rewards.methods`.
    """

    def __init__(self, tree: Tree, method: str) -> None:
        self.tree = tree
        self.method = method
        self._rewards: dict[str, Rewards] = {}

    @cached_property
    def _evidence(self) -> Evidence:
        """What its leaves and a person's verdicts say; dead ends are wrong."""
        return Evidence(self.tree, leaf_verdicts(self.tree, "wrong"))

    @cached_property
    def traces(self) -> list[Trace]:
        """Its finished solutions, depth-first; dead ends are wrong ones."""
        return [self._trace(self.tree.node(leaf)) for leaf in end_leaves(self.tree)]

    def _trace(self, node: Node) -> Trace:
        verdicts = self._evidence
        judged = node.id in verdicts.accepted
        return Trace(
            leaf=node.id,
            steps=self.tree.steps(node.id),
            summary=node.summary,
            correct=verdicts.counts_right(node.id) if judged else None,
            value=worth(node),
            touched=judged
            and (node.regraded is not None or verdicts.same[node.id] in verdicts.wrong_by),
        )

    def rewards(self, method: str | None = None) -> Rewards:
        """The rewards by its own method, or by another one."""
        name = method or self.method
        if name not in self._rewards:
            self._rewards[name] = infer(self.tree, name)
        return self._rewards[name]

    @cached_property
    def values(self) -> "dict[int, Valued]":
        """V of the nodes that the search valued or visited, pruned ones left out; the lowest value
        where a person has marked the step, or one above it, wrong.
        """
        tree, evidence = self.tree, self._evidence
        found = {}
        for node in tree.nodes:
            if node.hidden or (node.prm_value is None and not node.visits):
                continue
            wrong = evidence.same[node.id] in evidence.wrong_by
            value = tree.value_range[0] if wrong else worth(node)
            found[node.id] = Valued(value, wrong or node.overruled is not None)
        return found

    @property
    def targets(self) -> list[Reward]:
        """The rewards that are training targets, depth-first; nodes with the same steps repeat."""
        root = METHODS[self.method].trains_root
        return [row for row in self.rewards().rows if row.parent is not None or root]


def worth(node: Node) -> float:
    """V of a node: a person's, else that of the search."""
    return node.value if node.overruled is None else node.overruled


def is_right(reward: Reward) -> bool:
    """Whether a step is right: by r, or for methods without it if a right leaf lies below."""
    return bool(reward.right) if reward.r is None else reward.r == 0
