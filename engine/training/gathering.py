"""Examples out of searched trees: which solutions are imitated, which values are learnt.

Pure functions of a tree and its rewards; see `engine.rewards` for the rewards and
`engine.exports.labels` for what counts as a right solution.
"""

from collections.abc import Iterable

from engine.exports.labels import LabelledTree
from engine.rewards.rows import Reward
from engine.training.examples import Solution, Source, Valued
from engine.tree import Tree


def solutions(
    found: LabelledTree, session: str, least_value: float = 0.0, most: int | None = None
) -> list[Solution]:
    """The distinct right solutions of a tree, best first.

    Args:
        found: the tree.
        session: whose tree it is.
        least_value: lowest value that the PRM gave to a finished solution: a filter of false
            positives. (Before its end even a right one is worth little by Eq. 1-2.)
        most: at most so many of a tree, so that easy questions do not outweigh hard ones.
    """
    tree = found.tree
    right = [trace for trace in found.traces if trace.correct]
    kept = [trace for trace in right if _value(tree, trace.leaf) >= least_value]
    kept.sort(key=lambda trace: (-trace.value, trace.leaf))
    distinct = {trace.steps: trace for trace in reversed(kept)}
    chosen = [trace for trace in kept if distinct[trace.steps] is trace][:most]
    return [
        Solution(tree.question, trace.steps, source=Source(session, trace.leaf)) for trace in chosen
    ]


def _value(tree: Tree, leaf: int) -> float:
    """What the PRM said of a finished solution; 1 where it was not asked."""
    value = tree.node(leaf).prm_value
    return 1.0 if value is None else value


def valued(found: LabelledTree, session: str) -> list[Valued]:
    """The values that a tree's rewards give, every node once, along as few texts as possible."""
    tree = found.tree
    rewards = {row.node: row.value for row in found.targets if row.parent is not None}
    examples = []
    done: set[int] = set()
    for leaf in _ends(tree, found.targets):
        path = tree.path(leaf)[1:]
        values = tuple(None if i in done else rewards.get(i) for i in path)
        if any(value is not None for value in values):
            source = Source(session, leaf)
            examples.append(Valued(tree.question, tree.steps(leaf), values, source))
        done.update(path)
    return examples


def _ends(tree: Tree, rows: Iterable[Reward]) -> list[int]:
    """The nodes among the rows that no other row lies below, the deepest first."""
    nodes = {row.node for row in rows}
    inner = {tree.node(node).parent for node in nodes}
    return sorted(nodes - inner, key=lambda node: (-tree.node(node).depth, node))
