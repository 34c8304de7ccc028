"""Inferred rewards of the reference implementation: value targets and hard estimates.

All are pure functions of a tree, its finished leaves and their verdicts; none changes the tree.
Words: m is a node's reasoning distance, the number of steps still missing to a correct answer;
`distance` is m + 1, as the reference counts it (1 at a correct leaf).
"""

from collections.abc import Iterable, Mapping

import msgspec

from engine.tree import Node, Tree


class ValueTarget(msgspec.Struct, frozen=True):
    """A training target: the value that a PRM should give to a partial solution."""

    node: int
    steps: str
    value: float


class Label(msgspec.Struct, frozen=True):
    """What the leaves say about one node.

    Attributes:
        distance: m + 1.
        right: whether a correct leaf lies below (or is the node): 1 - r of the paper.
        value: the paper's quality value v in [0, 1] (Eq. 1-2).
    """

    distance: int
    right: bool
    value: float


def quality_labels(tree: Tree, verdicts: Mapping[int, bool]) -> dict[int, Label]:
    """The paper's v for every node on the way to a finished leaf; the rest is pruned.

    v_k = max(v_{k-1} + w_k, 0) with w_k = (1 - v_{k-1}) / (m_k + 1) * (1 - 2 r_k) and v_0 = 0.
    A node with a correct leaf below takes the smallest m of these; every other kept node takes the
    m of its nearest ancestor that has one. On a wholly correct trace of K steps v_k = k / K.

    Args:
        tree: a searched tree.
        verdicts: finished leaf -> correct.

    Returns:
        Labels by id, depth-first, the root (v = 0) first; empty if no leaf is correct.
    """
    right = _distances(tree, [leaf for leaf, correct in verdicts.items() if correct])
    if not right:
        return {}
    kept = _on_the_way(tree, verdicts)
    labels: dict[int, Label] = {}
    for node in tree.depth_first():
        if node.id not in kept:
            continue
        if node.parent is None:
            labels[node.id] = Label(right[node.id], True, 0.0)
            continue
        parent = labels[node.parent]
        distance = right.get(node.id, parent.distance)
        sign = 1 if node.id in right else -1
        value = max(0.0, parent.value + (1 - parent.value) * sign / distance)
        labels[node.id] = Label(distance, node.id in right, value)
    return labels


def quality_targets(tree: Tree, verdicts: Mapping[int, bool]) -> list[ValueTarget]:
    """Value targets of a `full` search with a value model: `quality_labels` without the root."""
    labels = quality_labels(tree, verdicts)
    return [_target(tree, tree.node(i), label.value) for i, label in labels.items() if i]


def hard_estimates(tree: Tree, verdicts: Mapping[int, bool]) -> dict[int, int]:
    """1 for every node with a correct leaf at or below it, 0 for the others that lead to a leaf.

    Returns:
        Estimates by id, depth-first, the root included.
    """
    right = _distances(tree, [leaf for leaf, correct in verdicts.items() if correct])
    kept = _on_the_way(tree, verdicts)
    return {node.id: int(node.id in right) for node in tree.depth_first() if node.id in kept}


def hard_targets(tree: Tree, verdicts: Mapping[int, bool]) -> list[ValueTarget]:
    """Value targets of a `prm` search: hard estimates; empty if no leaf is correct."""
    if not any(verdicts.values()):
        return []
    estimates = hard_estimates(tree, verdicts)
    return [_target(tree, tree.node(i), value) for i, value in estimates.items()]


def progress_targets(tree: Tree, chosen: int) -> list[ValueTarget]:
    """Value targets of a `simple` search: progress along the way to the chosen node.

    With D the depth of the chosen node, a node on the way at depth d gets d / D and a sibling of it
    max((d - 2) / D, 0). Whether the solution is correct is not asked. Empty for the root.
    """
    total = tree.node(chosen).depth
    way = set(tree.path(chosen))
    targets: list[ValueTarget] = []
    for identifier in reversed(tree.path(chosen)[:-1]):
        ancestor = tree.node(identifier)
        for child in (tree.node(i) for i in ancestor.children):
            if child.id in way:
                value = child.depth / total
            else:
                value = max((ancestor.depth - 1) / total, 0.0)
            targets.append(_target(tree, child, value))
    return targets


def _target(tree: Tree, node: Node, value: float) -> ValueTarget:
    return ValueTarget(node.id, "".join(tree.steps(node.id)), value)


def _distances(tree: Tree, correct: Iterable[int]) -> dict[int, int]:
    """Steps to the nearest correct leaf plus one, for every node with a correct leaf below."""
    distances: dict[int, int] = {}
    for leaf in correct:
        for steps, identifier in enumerate(reversed(tree.path(leaf)), start=1):
            distances[identifier] = min(steps, distances.get(identifier, steps))
    return distances


def _on_the_way(tree: Tree, leaves: Iterable[int]) -> set[int]:
    return {identifier for leaf in leaves for identifier in tree.path(leaf)}
