"""Backing values up: visit-weighted means (ReST-MCTS*, Alg. 2), which leave a person's values."""

from collections.abc import Mapping, Sequence

from engine.events import Backup
from engine.node import Node
from engine.tree import Tree


def backups(tree: Tree, path: Sequence[int], visits: int = 1) -> list[Backup]:
    """`visits` more on every node of a path; deepest first.

    A node takes the visit-weighted mean of its children once one of them has a visit. Pruned
    children do not count, and a locked value stays as it is.

    Args:
        tree: not changed.
        path: ids, root first.
        visits: to add; 0 where only values have changed.
    """
    found: list[Backup] = []
    fresh: dict[int, Backup] = {}
    for identifier in reversed(path):
        node = tree.node(identifier)
        value = None if node.locked else mean_of_children(tree, node, fresh)
        fresh[identifier] = Backup(
            identifier, node.value if value is None else value, node.visits + visits
        )
        found.append(fresh[identifier])
    return found


def mean_of_children(
    tree: Tree, node: Node, fresh: Mapping[int, Backup] | None = None
) -> float | None:
    """The visit-weighted mean of the children; None without any visit. Pruned ones do not count.

    Args:
        tree: not changed.
        node: whose children.
        fresh: in place of what the tree holds of these nodes, pruned or not.
    """
    weight, total = 0, 0.0
    for child in map(tree.node, node.children):
        now = fresh.get(child.id) if fresh else None
        if child.pruned and now is None:
            continue
        count, value = (child.visits, child.value) if now is None else (now.visits, now.value)
        weight += count
        total += value * count
    return total / weight if weight > 0 else None


def averages(tree: Tree, path: Sequence[int], value: float) -> list[Backup]:
    """One visit more on every node of a path, each V the mean of all values backed up through it.

    A locked value stays. Deepest first, as `backups`.
    """
    found = []
    for identifier in reversed(path):
        node = tree.node(identifier)
        mean = node.value + (value - node.value) / (node.visits + 1) if node.visits else value
        found.append(Backup(identifier, node.value if node.locked else mean, node.visits + 1))
    return found
