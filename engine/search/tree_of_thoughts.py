"""Tree of Thoughts (arXiv 2305.10601): breadth-first and depth-first, with thoughts of one step.

Breadth-first keeps the best states of each depth, greedily or drawn in proportion to their values;
depth-first goes down the best child first, gives up below a threshold and goes back.
"""

from bisect import bisect_right
from collections import Counter
from itertools import accumulate
from typing import Literal

from engine import events as ev
from engine.randomness import generator
from engine.search import chains
from engine.search.answers import AnswerGroup, answer_groups
from engine.search.parameters import Parameters, parameter
from engine.search.requests import Script
from engine.tasks.same import comparison_for
from engine.tree import Tree


class TreeOfThoughtsParams(Parameters):
    """Parameters of Tree of Thoughts."""

    order: Literal["bfs", "dfs"] = parameter(
        "bfs",
        "Breadth-first: a depth at a time; depth-first: the best child first.",
        origin="paper",
    )
    branch: int = parameter(
        5, "Thoughts asked for below a state.", symbol="k", origin="paper", ge=1, le=256
    )
    width: int = parameter(
        5, "States kept at each depth (bfs).", symbol="b", origin="paper", ge=1, le=256
    )
    keep: Literal["greedy", "sample", "sample_distinct"] = parameter(
        "greedy",
        "Keep the best states, or draw them by value (bfs): with replacement, so that a state may "
        "be drawn, and gone on from, several times; or each at most once.",
        origin="paper",
    )
    threshold: float = parameter(
        -1.0,
        "A state must be worth more to be gone on from, or to answer; the default lets all pass.",
        symbol="v_th",
        origin="paper",
        ge=-1e3,
        le=1e3,
    )
    first_solution: bool = parameter(
        False, "Stop at the first finished solution (dfs).", origin="paper", advanced=True
    )
    final_choice: Literal["best", "vote"] = parameter(
        "best", "Answer of the best finished solution, or value-weighted vote.", origin="paper"
    )
    attempts: int = parameter(
        3, "Tries for a thought before its slot is given up.", advanced=True, ge=1, le=20
    )
    max_depth: int = parameter(
        32, "Deepest state.", symbol="T", origin="ours", advanced=True, ge=1, le=1000
    )


def iterate(tree: Tree, params: TreeOfThoughtsParams) -> Script:
    """Grow a whole depth (bfs), or the state whose turn it is (dfs)."""
    if tree.root.verdict == "unknown":
        yield ev.Judged(0, "continue", "text")
    states = chains.open_nodes(tree) if params.order == "bfs" else [_next(tree)]
    times = _times(tree, states, params)
    slots = {i: tuple(range(times[i] * params.branch)) for i in states}
    new = yield from chains.grow(tree, slots, params.attempts, distinct=True)
    yield from chains.evaluate(tree, new)
    yield from chains.judge_and_answer(tree, new)
    promising = [i for i in new if tree.node(i).value > params.threshold]
    kept = set(_kept(tree, promising, params) if params.order == "bfs" else promising)
    given_up = [i for i in new if i not in kept or tree.node(i).depth >= params.max_depth]
    if given_up:
        yield ev.Exhausted(given_up)


def stopped(tree: Tree, params: TreeOfThoughtsParams) -> ev.StopReason:
    """Complete once no state is left, or at the first solution if that is asked for."""
    first = params.order == "dfs" and params.first_solution
    if first and any(tree.node(leaf).answer is not None for leaf in end_leaves(tree, params)):
        return "complete"
    return "" if tree.growing else "complete"


def end_leaves(tree: Tree, params: TreeOfThoughtsParams) -> list[int]:
    """Ids, depth-first, of the finished solutions that are worth more than the threshold."""
    return [i for i in chains.finished(tree) if tree.node(i).value > params.threshold]


def groups(tree: Tree, params: TreeOfThoughtsParams) -> list[AnswerGroup]:
    """The answers found so far, by the sum of their V."""
    leaves = map(tree.node, end_leaves(tree, params))
    return answer_groups(leaves, by=comparison_for(tree.gold))


def conclude(tree: Tree, params: TreeOfThoughtsParams, reason: ev.StopReason) -> Script:
    """Choose the answer by `final_choice`."""
    yield from chains.conclude_from(tree, end_leaves(tree, params), params.final_choice, reason)


def _next(tree: Tree) -> int:
    """The first open state on a walk that goes down the best children first, ties by creation."""

    def way(node: int) -> list[tuple[float, int]]:
        return [(-tree.node(i).value, i) for i in tree.path(node)[1:]]

    return min(tree.growing, key=way)


def _kept(tree: Tree, states: list[int], params: TreeOfThoughtsParams) -> list[int]:
    """`width` of the states of a depth; sorted() is stable, so that ties go by creation."""
    if params.keep == "sample" and any(_worth(tree, i) > 0 for i in states):
        return list(_drawn(tree, states, params))
    if params.keep != "sample_distinct":
        return sorted(states, key=lambda i: -tree.node(i).value)[: params.width]

    def key(state: int) -> float:
        # The exponential race: the smallest are a draw without replacement in proportion to V.
        draw = generator("keep", tree.seed, tree.question, list(tree.steps(state)))
        value = _worth(tree, state)
        return float(draw.exponential()) / value if value > 0 else float("inf")

    return sorted(states, key=key)[: params.width]


def _times(tree: Tree, states: list[int], params: TreeOfThoughtsParams) -> Counter[int]:
    """How many times each state was drawn when its depth was: it is asked for as many children."""
    times = Counter(dict.fromkeys(states, 1))
    if params.order == "bfs" and params.keep == "sample":
        for iteration, depth in {(tree.node(i).iteration, tree.node(i).depth) for i in states if i}:
            level = [n for n in tree.nodes if (n.iteration, n.depth) == (iteration, depth)]
            rivals = [n.id for n in level if n.origin == "policy"]
            drawn = _drawn(tree, [i for i in rivals if _worth(tree, i) > params.threshold], params)
            times.update({i: drawn[i] - 1 for i in states if drawn[i]})
    return times


def _drawn(tree: Tree, states: list[int], params: TreeOfThoughtsParams) -> Counter[int]:
    """`width` draws from the states of a depth in proportion to V, with replacement."""
    bounds = list(accumulate(max(0.0, _worth(tree, i)) for i in states))
    if not bounds or bounds[-1] <= 0:
        return Counter()
    draw = generator("keep", tree.seed, tree.question, tree.node(states[0]).depth)
    points = draw.random(params.width) * bounds[-1]
    return Counter(states[min(bisect_right(bounds, p), len(states) - 1)] for p in points)


def _worth(tree: Tree, state: int) -> float:
    """What the PRM said, so that a person's word on a state does not change an earlier draw."""
    return tree.node(state).prm_value or 0.0
