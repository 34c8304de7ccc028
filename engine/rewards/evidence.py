"""What finished leaves and a person's verdicts say about every node of a tree.

The rules are those of docs/rewards.md. A leaf counts as right if its answer is accepted and no step
on its way is marked wrong; a mark `wrong` holds for everything below it, other marks for their own
step alone.
"""

from collections.abc import Container, Mapping
from typing import Literal

from engine.rewards.rows import Unused
from engine.search.parameters import parse
from engine.search.registry import algorithm
from engine.tree import Node, Tree

Answerless = Literal["pruned", "wrong"]


def end_leaves(tree: Tree) -> list[int]:
    """Ids, depth-first, of the finished leaves, by the rule of the tree's own algorithm.

    Raises:
        ParameterError: the tree's algorithm or parameters are unknown here.
    """
    kind = algorithm(tree.algorithm)
    values = {name: value for name, value in tree.params.items() if name != "sampling"}
    return kind.end_leaves(tree, parse(kind.params, values))


def leaf_verdicts(tree: Tree, answerless: Answerless) -> dict[int, bool]:
    """Finished leaf -> whether its answer is accepted: by a person, else by the oracle.

    Leaves whose answer nobody has judged are left out, like unfinished branches.

    Args:
        tree: a searched tree.
        answerless: whether leaves without an answer (dead ends, solutions that the end gate cut
            off) count as wrong or are left out, too.
    """
    verdicts: dict[int, bool] = {}
    for node in map(tree.node, end_leaves(tree)):
        if node.regraded is not None:
            verdicts[node.id] = node.regraded
        elif node.answered and node.answer is None:
            if answerless == "wrong":
                verdicts[node.id] = False
        elif node.correct is not None:
            verdicts[node.id] = node.correct
    return verdicts


class Evidence:
    """Of each node: the leaves at or below it, the way to a correct one, a person's verdicts.

    Attributes:
        tree: what it was made from; it is not changed.
        accepted: leaf -> whether its answer is accepted.
        distance: steps to the nearest right leaf plus one, of nodes with one at or below.
        nearest: that leaf.
        wrong_by: node -> the uppermost node at or above it that is marked wrong.
        decided: nodes with a leaf at or below that counts as it does by a person's verdict.
        kept: nodes on the way to a leaf; also those with a verdict of their own right below these.
    """

    def __init__(self, tree: Tree, verdicts: Mapping[int, bool]) -> None:
        self.tree = tree
        self.accepted = dict(verdicts)
        self.distance: dict[int, int] = {}
        self.nearest: dict[int, int] = {}
        self.wrong_by: dict[int, int] = {}
        self.decided: set[int] = set()
        self.kept: set[int] = set()
        self._leaves = [node.id for node in tree.depth_first() if node.id in verdicts]
        self._slices: dict[int, tuple[int, int]] = {}
        self._spread_wrong_marks()
        self._gather_leaves()
        for node in tree.nodes:
            known_before = node.parent == 0 or node.parent in self.kept
            if known_before and has_verdict(node):
                self.kept.add(node.id)

    def _spread_wrong_marks(self) -> None:
        for node in self.tree.nodes:  # parents come first
            above = None if node.parent is None else self.wrong_by.get(node.parent)
            if above is not None:
                self.wrong_by[node.id] = above
            elif node.mark == "wrong":
                self.wrong_by[node.id] = node.id

    def _gather_leaves(self) -> None:
        for place, leaf in enumerate(self._leaves):
            self._slices[leaf] = (place, place + 1)
            if self.counts_right(leaf):
                self.distance[leaf], self.nearest[leaf] = 1, leaf
            if leaf in self.wrong_by or self.tree.node(leaf).regraded is not None:
                self.decided.add(leaf)
        for node in reversed(self.tree.nodes):  # children come before their parent
            if node.id not in self._slices:
                continue
            self.kept.add(node.id)
            if node.parent is not None:
                self._hand_up(node.id, node.parent)

    def _hand_up(self, child: int, parent: int) -> None:
        first, last = self._slices[child]
        begin, end = self._slices.get(parent, (first, last))
        self._slices[parent] = (min(begin, first), max(end, last))
        if child in self.decided:
            self.decided.add(parent)
        if child in self.distance:
            steps, leaf = self.distance[child] + 1, self.nearest[child]
            known = self.distance.get(parent)
            if known is None or (steps, leaf) < (known, self.nearest[parent]):
                self.distance[parent], self.nearest[parent] = steps, leaf

    def counts_right(self, leaf: int) -> bool:
        """Whether a leaf's answer is accepted and no step on its way is marked wrong."""
        return self.accepted[leaf] and leaf not in self.wrong_by

    def leaves(self, node: int) -> list[int]:
        """The leaves at or below a node, depth-first."""
        first, last = self._slices.get(node, (0, 0))
        return self._leaves[first:last]

    def false_positives(self, node: int) -> tuple[int, ...]:
        """The leaves at or below with an accepted answer that a wrong step takes away."""
        return tuple(
            leaf for leaf in self.leaves(node) if self.accepted[leaf] and leaf in self.wrong_by
        )

    def protected(self, node: int) -> bool:
        """Whether it is marked right, and no step above it wrong."""
        return self.tree.node(node).mark == "right" and node not in self.wrong_by

    def overruled(self, node: int) -> float | None:
        """A person's value of a node in [0, 1]; None if there is none."""
        value = self.tree.node(node).overruled
        if value is None:
            return None
        low, high = self.tree.value_range
        return (value - low) / (high - low)

    def unused(self, rows: Container[int], empty: str) -> tuple[Unused, ...]:
        """A person's verdicts that decide no row.

        Args:
            rows: ids of the nodes with a row.
            empty: why there are no rows at all, "" if there are.
        """
        found = []
        for node in self.tree.nodes:
            above = self.wrong_by.get(node.id)
            if has_verdict(node) and node.id not in rows:
                reason = empty or "Its branch is pruned: nothing is known of the steps before it."
            elif node.mark == "right" and above is not None:
                reason = f"Node {above}, above it, is marked wrong."
            elif node.regraded is not None and node.id not in self.accepted:
                reason = "It is no finished leaf."
            else:
                continue
            found.append(Unused(node.id, reason))
        return tuple(found)


def has_verdict(node: Node) -> bool:
    """Whether a person said of this very node that it is right, wrong, or what it is worth."""
    return node.mark in ("right", "wrong") or node.overruled is not None
