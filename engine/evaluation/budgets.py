"""What a search would have answered within fewer tokens, read from its log.

A budget counts tokens sampled by the policy. It is cut exactly as the driver cuts it: an iteration
that would pass it does not count, so that no method overspends.
"""

import math
from collections.abc import Sequence

import msgspec

from engine import events as ev
from engine.evaluation.contenders import Contender
from engine.search.answers import AnswerGroup, answer_groups
from engine.search.parameters import parse
from engine.search.registry import algorithm
from engine.search.sampling import solution_score
from engine.tree import Node, Tree


class Outcome(msgspec.Struct, frozen=True):
    """What a search came to within a budget.

    Attributes:
        answer: None without one.
        right: by the oracle; an answer is missing is wrong.
        policy_tokens, prm_tokens, seconds: spent until there.
        iterations: finished within it.
        samples: finished solutions; right_samples: those with the right answer.
        majority: whether their most frequent answer is right.
    """

    answer: str | None
    right: bool
    policy_tokens: int
    prm_tokens: int
    seconds: float
    iterations: int
    samples: int
    right_samples: int
    majority: bool


def outcomes(log: Sequence[ev.Event], method: Contender, budgets: Sequence[int]) -> list[Outcome]:
    """The outcome of one search at each budget.

    Args:
        log: of a search that went to the largest budget, or to its end.
        method: how it searched, and how its answer is read.
        budgets: policy tokens, rising.
    """
    tree, found, left = Tree(), list[Outcome](), list(budgets)
    for group in _iterations(log):
        before = tree.cost.policy_generated
        spent = before + _cost(group).policy_generated
        while left and (spent > left[0] or before >= left[0]):
            found.append(_outcome(tree, method))
            left.pop(0)
        if not left:
            break
        for event in group:
            tree.apply(event)
    found += [_outcome(tree, method)] * len(left)
    return found


def _iterations(log: Sequence[ev.Event]) -> list[list[ev.Event]]:
    """The creation, then the events of each finished iteration; conclusions are left out, but for
    answers that were read for them, which belong to what came before.
    """
    groups: list[list[ev.Event]] = [[]]
    for event in log:
        if isinstance(event, ev.IterationStarted):
            groups.append([])
        if not isinstance(event, ev.Concluded):
            groups[-1].append(event)
    return groups


def _cost(group: Sequence[ev.Event]) -> ev.Cost:
    costs = [event.cost for event in group if isinstance(event, ev.IterationFinished)]
    return costs[0] if costs else ev.Cost()


def _outcome(tree: Tree, method: Contender) -> Outcome:
    kind = algorithm(tree.algorithm)
    values = {name: value for name, value in tree.params.items() if name != "sampling"}
    params = parse(kind.params, values)
    leaves = [tree.node(i) for i in kind.end_leaves(tree, params)]
    chosen = _chosen(tree, method, leaves, kind.groups(tree, params))
    equal = answer_groups(leaves, {leaf.id: 1.0 for leaf in leaves})
    answered = [leaf for leaf in leaves if leaf.answer is not None]
    return Outcome(
        answer=None if chosen is None else chosen.answer,
        right=chosen is not None and chosen.accepted is True,
        policy_tokens=tree.cost.policy_generated,
        prm_tokens=tree.cost.prm_unique,
        seconds=tree.cost.seconds,
        iterations=tree.iteration,
        samples=len(answered),
        right_samples=sum(leaf.accepted is True for leaf in answered),
        majority=bool(equal) and equal[0].correct is True,
    )


def _chosen(
    tree: Tree, method: Contender, leaves: list[Node], groups: list[AnswerGroup]
) -> Node | None:
    """The solution that answers."""
    if method.kind != "samples":
        best = tree.params.get("final_choice") == "best"
        if best and leaves:
            return max(leaves, key=lambda leaf: leaf.value)
        return tree.node(groups[0].node) if groups else None
    answered = [leaf for leaf in leaves if leaf.answer is not None]
    if not answered:
        return None
    scores = {leaf.id: solution_score(tree, leaf, method.aggregate) for leaf in answered}
    if method.reading == "best":
        return max(answered, key=lambda leaf: scores[leaf.id])
    weights = dict.fromkeys(scores, 1.0) if method.reading == "majority" else scores
    return tree.node(answer_groups(answered, weights)[0].node)


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that at least one of k of the samples is right, without bias (2107.03374, Eq. 1).

    Args:
        samples: drawn, n.
        right: of them, c.
        k: at most n.
    """
    if not 1 <= k <= samples:
        raise ValueError(f"k cannot be {k} with {samples} samples.")
    return 1.0 - math.comb(samples - right, k) / math.comb(samples, k)
