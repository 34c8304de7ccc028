"""Independent solutions: zero-shot chain of thought, self-consistency, best-of-N, weighted vote.

One iteration lets every unfinished solution grow by one step, all in one batch. The k-th solution
draws from slot k at every step, so two that share a prefix still go their own ways, and it is the
same however many grow at once.
"""

import math
from typing import Literal

from engine import events as ev
from engine.search import chains
from engine.search.answers import AnswerGroup, answer_groups, best_solution, concluded
from engine.search.parameters import Parameters, parameter
from engine.search.requests import Script
from engine.tasks.same import comparison_for
from engine.tree import Node, Tree


class SamplingParams(Parameters):
    """Parameters of sampling."""

    samples: int = parameter(16, "Solutions sampled.", symbol="N", origin="paper", ge=1, le=1024)
    final_choice: Literal["majority", "best", "vote"] = parameter(
        "majority",
        "Most frequent answer, answer of the best solution, or vote weighted by the PRM.",
        origin="paper",
    )
    aggregate: Literal["last", "min", "product", "mean"] = parameter(
        "min", "How the PRM's values of the steps become one value of a solution.", origin="paper"
    )
    at_once: int = parameter(
        1024,
        "Solutions that grow at a time; the next ones begin when these are finished. With one, a "
        "limit of tokens cuts off no more than the last solution.",
        origin="ours",
        advanced=True,
        ge=1,
        le=1024,
    )
    attempts: int = parameter(
        3, "Tries for a step before a solution is given up.", advanced=True, ge=1, le=20
    )
    max_depth: int = parameter(
        32, "Longest solution in steps.", origin="ours", advanced=True, ge=1, le=1000
    )


def iterate(tree: Tree, params: SamplingParams) -> Script:
    """Every unfinished solution grows by one step; where there is none, the next ones begin."""
    if not tree.root.expanded:
        yield ev.Judged(0, "continue", "text")
    growing = [i for i in chains.open_nodes(tree) if i]
    slots: dict[int, tuple[int, ...]]
    if growing:
        slots = {i: (tree.node(i).slot,) for i in growing}
    else:
        begun = _begun(tree, params)
        slots = {0: tuple(range(begun, min(params.samples, begun + params.at_once)))}
    # A sample without a first step ends no other one.
    last = _begun(tree, params) + params.at_once >= params.samples
    more = not growing and not (last and not tree.root.expanded)
    new = yield from chains.grow(tree, slots, params.attempts, distinct=False, more=more)
    if params.final_choice != "majority":
        yield from chains.evaluate(tree, new)
    yield from chains.judge_and_answer(tree, new)
    too_long = [i for i in chains.open_nodes(tree) if tree.node(i).depth >= params.max_depth]
    if too_long:
        yield ev.Exhausted(too_long)


def stopped(tree: Tree, params: SamplingParams) -> ev.StopReason:
    """Complete once no solution can grow or begin."""
    more = not tree.root.finished and _begun(tree, params) < params.samples
    return "" if tree.growing or more else "complete"


def _begun(tree: Tree, params: SamplingParams) -> int:
    """How many solutions were begun, those without a usable first step too."""
    return tree.root.expansions * params.at_once


def end_leaves(tree: Tree, params: SamplingParams) -> list[int]:
    """Ids of the finished solutions."""
    return chains.finished(tree)


def groups(tree: Tree, params: SamplingParams) -> list[AnswerGroup]:
    """The answers found so far, by their number or by the values of their solutions."""
    leaves = [tree.node(i) for i in end_leaves(tree, params)]
    if params.final_choice == "majority":
        weights = {leaf.id: 1.0 for leaf in leaves}
    else:
        weights = {leaf.id: solution_score(tree, leaf, params.aggregate) for leaf in leaves}
    return answer_groups(leaves, weights, comparison_for(tree.gold))


def conclude(tree: Tree, params: SamplingParams, reason: ev.StopReason) -> Script:
    """Choose the answer by `final_choice`."""
    leaves = [tree.node(i) for i in end_leaves(tree, params)]
    scores = {leaf.id: solution_score(tree, leaf, params.aggregate) for leaf in leaves}
    best = best_solution(leaves, scores)
    first = 0 if best is None else best.id
    yield concluded(reason, first, groups(tree, params), params.final_choice != "best")


def solution_score(tree: Tree, leaf: Node, how: str) -> float:
    """One value of a solution from the PRM's values of its steps (0 where it was not asked)."""
    values = [tree.node(i).prm_value or 0.0 for i in tree.path(leaf.id)[1:]]
    if not values:
        return 0.0
    if how == "last":
        return values[-1]
    if how == "min":
        return min(values)
    if how == "product":
        return math.prod(values)
    return math.fsum(values) / len(values)
