"""The numbers of every method: the paper's v, Monte-Carlo estimates, progress.

All are pure functions of what leaves and a person say (`Evidence`); none changes the tree. The
functions that end in `targets` give what a run of the reference implementation returns. Words: m is
a node's reasoning distance, the number of steps still missing to a correct answer; `distance` is
m + 1, as the reference counts it (1 at a correct leaf).
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from engine.rewards.evidence import Evidence
from engine.tree import Tree

Rollouts = Mapping[int, Sequence[bool]]
"""Node -> whether each extra roll-out that began there ended in a correct answer. Within this
module nodes are first ones (`Evidence.same`), and each has at least one.
"""


class ValueTarget(msgspec.Struct, frozen=True):
    """A training target: the value that a PRM should give to a partial solution."""

    node: int
    steps: str
    value: float


class Label(msgspec.Struct, frozen=True):
    """Eq. 1-2 at one node.

    Attributes:
        distance: m + 1.
        distance_from: the node whose m it is: this one, or the ancestor that it was taken from.
        right: 1 - r of the paper.
        weighted: w by the formula; 0 for the root.
        inferred: v by the formula, in [0, 1].
        overruled: a person's value in place of it, None if there is none.
        touched: whether a person's verdict on the step itself, or a wrong one above, enters.
    """

    distance: int
    distance_from: int
    right: bool
    weighted: float
    inferred: float
    overruled: float | None
    touched: bool

    @property
    def value(self) -> float:
        """The v that counts: a person's, else the inferred one."""
        return self.inferred if self.overruled is None else self.overruled


def quality(evidence: Evidence) -> dict[int, Label]:
    """The paper's v for every kept node.

    v_k = max(v_{k-1} + w_k, 0) with w_k = (1 - v_{k-1}) / (m_k + 1) * (1 - 2 r_k) and v_0 = 0.
    A node with a right leaf below takes the smallest m of these; any other kept node takes the m of
    its nearest ancestor that has one, but a step marked right is one step nearer. On a wholly
    correct trace of K steps v_k = k / K.

    Returns:
        Labels by id, depth-first, the root first; empty if no leaf is right.
    """
    if 0 not in evidence.distance:
        return {}
    touched = 0 in evidence.decided
    labels = {0: Label(evidence.distance[0], 0, True, 0.0, 0.0, None, touched)}
    for node in evidence.solutions():
        above = evidence.above(node.id)
        if above is not None and node.id in evidence.kept:
            labels[node.id] = _label(evidence, node.id, labels[above])
    return _of_all_nodes(evidence, labels)


Found = TypeVar("Found")


def _of_all_nodes(evidence: Evidence, found: Mapping[int, Found]) -> dict[int, Found]:
    """What was found of partial solutions, by node, depth-first."""
    return {
        node.id: found[evidence.same[node.id]]
        for node in evidence.tree.depth_first()
        if evidence.same[node.id] in found
    }


def _label(evidence: Evidence, node: int, parent: Label) -> Label:
    own = evidence.distance.get(node)
    protected = evidence.protected(node)
    if own is not None:
        distance, origin = own, node
    elif protected:
        # A right step brings the answer one step nearer, but is not the answer.
        distance, origin = max(parent.distance - 1, 2), node
    else:
        distance, origin = parent.distance, parent.distance_from
    right = own is not None or protected
    weighted = (1 - parent.value) * (1 if right else -1) / distance
    overruled = evidence.overruled.get(node)
    return Label(
        distance,
        origin,
        right,
        weighted,
        max(0.0, parent.value + weighted),
        overruled,
        protected or node in evidence.decided or overruled is not None,
    )


def rollouts_of(evidence: Evidence, rollouts: Rollouts) -> dict[int, list[bool]]:
    """How roll-outs ended, by the partial solution that they began at."""
    ends: dict[int, list[bool]] = {}
    for node, found in rollouts.items():
        if found:
            ends.setdefault(evidence.same[node], []).extend(found)
    return ends


class Estimate(msgspec.Struct, frozen=True):
    """A Monte-Carlo estimate, or progress, at one node.

    Attributes:
        inferred: by the method, in [0, 1].
        overruled: a person's value in place of it, None if there is none.
        touched: whether a person's verdict on the step itself, or a wrong one above, enters.
    """

    inferred: float
    overruled: float | None
    touched: bool

    @property
    def value(self) -> float:
        """The estimate that counts: a person's, else the inferred one."""
        return self.inferred if self.overruled is None else self.overruled


def _estimate(evidence: Evidence, node: int, inferred: float, touched: bool) -> Estimate:
    overruled = evidence.overruled.get(node)
    return Estimate(inferred, overruled, touched or overruled is not None)


def hard(evidence: Evidence, rollouts: Rollouts) -> dict[int, Estimate]:
    """1 for every node with a correct completion at or below it, or marked right; 0 for the others.

    Returns:
        Estimates by id, depth-first, of kept nodes and of those that were rolled out from.
    """
    solved = set(evidence.distance)
    for start, ends in rollouts.items():
        if any(ends) and start not in evidence.wrong_by:
            solved.update(evidence.same[node] for node in evidence.tree.path(start))
    estimates = {}
    for node in evidence.solutions():
        if node.id in evidence.kept or node.id in rollouts:
            protected = evidence.protected(node.id)
            touched = protected or node.id in evidence.decided
            found = float(node.id in solved or protected)
            estimates[node.id] = _estimate(evidence, node.id, found, touched)
    return _of_all_nodes(evidence, estimates)


def soft(evidence: Evidence, rollouts: Rollouts) -> dict[int, Estimate]:
    """Share of correct completions: of a node's own roll-outs where there are any, else of the
    finished leaves at or below it.

    Returns:
        Estimates by id, depth-first, of nodes with completions; others that a person marked wrong
        or overruled have theirs, too.
    """
    estimates = {}
    for node in evidence.solutions():
        wrong, own = node.id in evidence.wrong_by, rollouts.get(node.id)
        ends = own or [evidence.counts_right(leaf) for leaf in evidence.leaves(node.id)]
        if ends:
            share = 0.0 if wrong else sum(ends) / len(ends)
            touched = wrong or (not own and node.id in evidence.decided)
            estimates[node.id] = _estimate(evidence, node.id, share, touched)
        elif node.id in evidence.kept and (wrong or node.id in evidence.overruled):
            estimates[node.id] = _estimate(evidence, node.id, 0.0, True)
    return _of_all_nodes(evidence, estimates)


def progress(evidence: Evidence, chosen: int) -> dict[int, Estimate]:
    """The reference's `simple` search: progress along the way to the chosen node.

    With D the depth of the chosen node, a node on the way at depth d gets d / D and a sibling of it
    max((d - 2) / D, 0); 0 from a step marked wrong on. Whether the solution is correct is not
    asked.

    Returns:
        Estimates by id, from the chosen node's parent's children up; empty for the root.
    """
    tree = evidence.tree
    total = tree.node(chosen).depth
    way = set(tree.path(chosen))
    estimates = {}
    for ancestor in map(tree.node, reversed(tree.path(chosen)[:-1])):
        for child in tree.shown(ancestor.id):
            steps = child.depth if child.id in way else max(ancestor.depth - 1, 0)
            first = evidence.same[child.id]
            wrong = first in evidence.wrong_by
            found = 0.0 if wrong else steps / total
            estimates[child.id] = _estimate(evidence, first, found, wrong)
    return estimates


def quality_labels(tree: Tree, verdicts: Mapping[int, bool]) -> dict[int, Label]:
    """`quality` of given verdicts (finished leaf -> correct)."""
    return quality(Evidence(tree, verdicts))


def hard_estimates(tree: Tree, verdicts: Mapping[int, bool]) -> dict[int, float]:
    """`hard` of given verdicts, root included, without roll-outs."""
    return {i: found.value for i, found in hard(Evidence(tree, verdicts), {}).items()}


def quality_targets(tree: Tree, verdicts: Mapping[int, bool]) -> list[ValueTarget]:
    """Value targets of the reference's `full` search with a value model: v without the root."""
    labels = quality_labels(tree, verdicts)
    return [_target(tree, i, label.value) for i, label in labels.items() if i]


def hard_targets(tree: Tree, verdicts: Mapping[int, bool]) -> list[ValueTarget]:
    """Value targets of its `prm` search: hard estimates; empty if no leaf is right."""
    if not any(verdicts.values()):
        return []
    return [_target(tree, i, value) for i, value in hard_estimates(tree, verdicts).items()]


def progress_targets(tree: Tree, chosen: int) -> list[ValueTarget]:
    """Value targets of its `simple` search."""
    found = progress(Evidence(tree, {}), chosen)
    return [_target(tree, i, estimate.value) for i, estimate in found.items()]


def _target(tree: Tree, node: int, value: float) -> ValueTarget:
    return ValueTarget(node, "".join(tree.steps(node)), value)
