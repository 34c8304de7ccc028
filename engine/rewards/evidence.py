"""What finished leaves and a person's verdicts say about every node of a tree.

The rules are those of docs/rewards.md. A leaf counts as right if its answer is accepted and no step
on its way is marked wrong; a mark `wrong` holds for everything below it, other marks for their own
step alone.
"""

from collections.abc import Container, Iterator, Mapping
from typing import Literal

from engine.events import Mark
from engine.rewards.rows import Unused
from engine.search.parameters import parse
from engine.search.registry import algorithm
from engine.tree import Node, Tree

Answerless = Literal["pruned", "wrong"]
_PRECEDENCE: tuple[Mark, ...] = ("", "unclear", "right", "wrong")


def end_leaves(tree: Tree) -> list[int]:
    """Ids, depth-first, of the finished leaves, by the rule of the tree's own algorithm.

    Raises:
        ParameterError: the tree's algorithm or parameters are unknown here.
    """
    kind = algorithm(tree.algorithm)
    values = {name: value for name, value in tree.params.items() if name != "sampling"}
    return kind.end_leaves(tree, parse(kind.params, values))


def leaf_verdicts(tree: Tree, answerless: Answerless, by_person: bool = True) -> dict[int, bool]:
    """Finished leaf -> whether its answer is accepted: by a person, else by the oracle.

    Leaves whose answer nobody has judged are left out, like unfinished branches.

    Args:
        tree: a searched tree.
        answerless: whether leaves without an answer (dead ends, solutions that the end gate cut
            off) count as wrong or are left out, too.
        by_person: whether a person is asked at all.
    """
    verdicts: dict[int, bool] = {}
    for node in map(tree.node, end_leaves(tree)):
        if by_person and node.regraded is not None:
            verdicts[node.id] = node.regraded
        elif node.answer is None and (node.answered or node.verdict_source == "dead_end"):
            if answerless == "wrong":
                verdicts[node.id] = False
        elif node.correct is not None:
            verdicts[node.id] = node.correct
    return verdicts


def none_correct(finished: int) -> str:
    """In words, without a full stop: of so many finished solutions none is correct."""
    if finished == 1:
        return "The only finished solution is not correct"
    return f"None of the {finished:,} finished solutions is correct"


class Evidence:
    """Of each partial solution: the leaves below, the way to a correct one, a person's verdicts.

    Nodes with the same steps (samples of one policy) are one partial solution: they share all
    leaves below any of them and all verdicts on any of them. It goes by the id of the first such
    node, `same[node]`, and these ids are what the attributes hold, except for leaves.

    Args:
        tree: a searched tree.
        verdicts: finished leaf -> correct.
        by_person: whether what a person says of steps and values counts.

    Attributes:
        tree: what it was made from; it is not changed.
        by_person: as given.
        same: node -> the first node with the same steps.
        accepted: leaf -> whether its answer is accepted.
        mark, overruled: a person's verdicts, the latter in [0, 1]; of marks, `wrong` goes first.
        distance: steps to the nearest right leaf plus one, where there is one at or below.
        nearest: that leaf.
        wrong_by: the uppermost node at or above that is marked wrong, where there is one.
        decided: where a person has said of the very answer or, at or above, of a step that it is
            wrong.
        kept: all on the way to a leaf; also those right below them with a verdict of their own.
    """

    def __init__(self, tree: Tree, verdicts: Mapping[int, bool], by_person: bool = True) -> None:
        self.tree = tree
        self.by_person = by_person
        self.same = _same_steps(tree)
        self.accepted = dict(verdicts)
        self.mark: dict[int, Mark] = {}
        self.overruled: dict[int, float] = {}
        self.distance: dict[int, int] = {}
        self.nearest: dict[int, int] = {}
        self.wrong_by: dict[int, int] = {}
        self.decided: set[int] = set()
        self.kept: set[int] = set()
        self._leaves: dict[int, list[int]] = {}
        if by_person:
            self._gather_verdicts()
        self._gather_leaves()
        for node in self.solutions():
            known_before = node.parent == 0 or self.above(node.id) in self.kept
            if known_before and self._spoken_of(node.id):
                self.kept.add(node.id)

    def solutions(self) -> Iterator[Node]:
        """The first node of every partial solution, parents before children."""
        return (n for n in self.tree.nodes if self.same[n.id] == n.id and not n.hidden)

    def above(self, node: int) -> int | None:
        """The partial solution one step shorter; None for the root."""
        parent = self.tree.node(node).parent
        return None if parent is None else self.same[parent]

    def _gather_verdicts(self) -> None:
        low, high = self.tree.value_range
        marked_wrong: dict[int, int] = {}
        for node in self.tree.nodes:
            if node.hidden:
                continue
            first = self.same[node.id]
            if node.mark == "wrong":
                marked_wrong.setdefault(first, node.id)
            if _PRECEDENCE.index(node.mark) > _PRECEDENCE.index(self.mark.get(first, "")):
                self.mark[first] = node.mark
            if node.overruled is not None:
                self.overruled.setdefault(first, (node.overruled - low) / (high - low))
        for node in self.solutions():
            above = self.above(node.id)
            if above in self.wrong_by:
                self.wrong_by[node.id] = self.wrong_by[above]
            elif node.id in marked_wrong:
                self.wrong_by[node.id] = marked_wrong[node.id]
        self.decided.update(self.wrong_by)

    def _gather_leaves(self) -> None:
        for leaf in (node for node in self.tree.depth_first() if node.id in self.accepted):
            first = self.same[leaf.id]
            if self.by_person and leaf.regraded is not None:
                self.decided.add(first)
            for steps, node in enumerate(reversed(self.tree.path(first)), start=1):
                way = self.same[node]
                self.kept.add(way)
                self._leaves.setdefault(way, []).append(leaf.id)
                if self.counts_right(leaf.id) and steps < self.distance.get(way, steps + 1):
                    self.distance[way], self.nearest[way] = steps, leaf.id

    def counts_right(self, leaf: int) -> bool:
        """Whether a leaf's answer is accepted and no step on its way is marked wrong."""
        return self.accepted[leaf] and self.same[leaf] not in self.wrong_by

    def leaves(self, node: int) -> list[int]:
        """The leaves at or below a partial solution, depth-first."""
        return self._leaves.get(self.same[node], [])

    def false_positives(self, node: int) -> tuple[int, ...]:
        """The leaves at or below with an accepted answer that a wrong step takes away."""
        return tuple(
            leaf
            for leaf in self.leaves(node)
            if self.accepted[leaf] and self.same[leaf] in self.wrong_by
        )

    def protected(self, node: int) -> bool:
        """Whether it is marked right, and no step above it wrong."""
        first = self.same[node]
        return self.mark.get(first) == "right" and first not in self.wrong_by

    def _spoken_of(self, node: int) -> bool:
        """Whether a person said of it that it is right, wrong, or what it is worth."""
        return self.mark.get(self.same[node]) in ("right", "wrong") or node in self.overruled

    def unused(self, rows: Container[int], empty: str) -> tuple[Unused, ...]:
        """A person's verdicts that decide no row.

        Args:
            rows: ids of the nodes with a row.
            empty: why there are no rows at all, "" if there are.
        """
        found = []
        for node in self.tree.nodes:
            wrong_by = self.wrong_by.get(self.same[node.id])
            own = node.mark in ("right", "wrong") or node.overruled is not None
            if node.hidden and (own or node.regraded is not None):
                reason = "A person has pruned it."
            elif own and node.id not in rows:
                reason = empty or (
                    "Its branch is left out: no finished, judged solution lies below it, "
                    "and nothing is known of the steps before it."
                )
            elif node.mark == "right" and wrong_by is not None:
                reason = f"Node {wrong_by}, at or above it, is marked wrong."
            elif node.regraded is not None and node.id not in self.accepted:
                reason = "It is no finished leaf."
            else:
                continue
            found.append(Unused(node.id, reason))
        return tuple(found)


def _same_steps(tree: Tree) -> list[int]:
    """Node -> the first node with the same steps; pruned ones are nothing's like."""
    first: dict[tuple[int, str], int] = {}
    same: list[int] = []
    for node in tree.nodes:
        key = (-1 if node.parent is None else same[node.parent], node.step)
        same.append(node.id if node.hidden else first.setdefault(key, node.id))
    return same
