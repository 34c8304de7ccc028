"""Choosing a final answer from the finished solutions of a tree."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from engine import events as ev
from engine.tasks.same import Comparison, groups, heaviest_first, spellings
from engine.tree import Node, Tree


class AnswerGroup(msgspec.Struct, frozen=True):
    """All finished solutions with the same answer; see `engine.tasks.same`.

    Attributes:
        answer: as most of them spell it, the first on ties.
        count: how many solutions.
        weight: sum of their weights, V as a rule.
        node: id of the first of them (depth-first), by which the reference knows them.
        best: id of the one of the largest V, the first on ties: the way that is shown.
        correct: verdict of the best, None without an oracle answer.
        spellings: every way in which they spell it, the commonest first.
    """

    answer: str
    count: int
    weight: float
    node: int
    best: int
    correct: bool | None
    spellings: tuple[str, ...] = ()


def best_value(tree: Tree, by_person: bool = True) -> int:
    """The reference's getBestV: id of the node with the largest V, unfinished ones included.

    Children are visited in creation order and a later equal value replaces an earlier one, so ties
    go to the later and deeper node. What a person has pruned is left out.

    Args:
        tree: not changed.
        by_person: whether a person's values go before the machine's.
    """
    values = [
        (node.value if by_person else node.machine_value, node.id)
        for node in tree.nodes
        if not node.hidden
    ]
    top = max(values)[0]
    equal = {node for value, node in values if value == top}
    if len(equal) == 1:  # walk the tree only where its order decides
        return equal.pop()
    return [node.id for node in tree.depth_first() if node.id in equal][-1]


def best_solution(leaves: Iterable[Node], scores: Mapping[int, float] | None = None) -> Node | None:
    """The finished solution of the largest V, the first on ties; None without any.

    One with an answer goes before all without: a dead end may be worth much and says nothing.

    scores: of each leaf by id; its V if not given.
    """

    def worth(leaf: Node) -> tuple[bool, float]:
        return leaf.answer is not None, leaf.value if scores is None else scores[leaf.id]

    return max(leaves, key=worth, default=None)


def answer_groups(
    leaves: Iterable[Node],
    weights: Mapping[int, float] | None = None,
    by: Comparison = "value",
) -> list[AnswerGroup]:
    """Finished solutions grouped by answer, heaviest first; level ones in the order of the leaves.

    Args:
        leaves: those without an answer are left out.
        weights: of each leaf by id; its V if not given.
        by: how answers are compared, see `comparison_for`.
    """
    answered = [(leaf, leaf.answer) for leaf in leaves if leaf.answer is not None]
    found = []
    for group in groups([answer for _, answer in answered], by):
        nodes = [answered[index][0] for index in group]
        weight = _left_sum(weights[node.id] if weights else node.value for node in nodes)
        best = max(nodes, key=lambda node: node.value)  # the first of equals
        spelled = tuple(spellings([answered[index][1] for index in group]))
        found.append(
            AnswerGroup(
                spelled[0], len(nodes), weight, nodes[0].id, best.id, best.accepted, spelled
            )
        )
    if by == "text":  # to the last bit, as in the reference
        return sorted(found, key=lambda group: -group.weight)
    return heaviest_first(found, lambda group: group.weight)


def concluded(
    reason: ev.StopReason, best: int, ordered: Sequence[AnswerGroup], by_vote: bool
) -> ev.Concluded:
    """The end of a run, with the answers that its tree gives.

    Args:
        reason: why it ended.
        best: the node that is best by the algorithm's own rule.
        ordered: as `answer_groups` gives them, the winner first.
        by_vote: whether the winner of the vote answers, if there is one, and not `best`.
    """
    winner = ordered[0] if ordered else None
    chosen = winner.best if by_vote and winner else best
    return ev.Concluded(reason, best, winner.node if winner else None, chosen)


def _left_sum(values: Iterable[float]) -> float:
    """Plain left-to-right sum: Python 3.12's own `sum` compensates rounding, earlier ones do not,
    and a log must replay the same on both.
    """
    total = 0.0
    for value in values:
        total += value
    return total
