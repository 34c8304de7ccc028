"""Nodes with the same steps: what is asked below one of them is asked below all."""

from collections.abc import Iterable

from engine.models.base import Steps
from engine.tree import Tree


def twins(tree: Tree, nodes: Iterable[int]) -> list[list[int]]:
    """For each solution that a node stands for, the ids of all its nodes, in creation order."""
    wanted = {tree.steps(i): None for i in nodes}
    depths = {len(steps) for steps in wanted}
    found: dict[Steps, list[int]] = {steps: [] for steps in wanted}
    lasts = {steps[-1] for steps in wanted if steps}
    for node in tree.nodes:
        if node.depth in depths and (node.depth == 0 or node.step in lasts):
            steps = tree.steps(node.id)
            if steps in found:
                found[steps].append(node.id)
    return list(found.values())
