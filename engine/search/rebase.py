"""REBASE: reward-balanced search (arXiv 2408.00724).

At every depth the places that are left go to the open nodes in proportion to exp(value / T), and
each node gets so many children; a finished solution keeps its place. All solutions vote. Every
place draws its own: nodes with the same steps ask from slots of their own.
"""

import math
from itertools import accumulate
from typing import Literal

from engine import events as ev
from engine.search import chains
from engine.search.parameters import Parameters, parameter
from engine.search.requests import Script
from engine.search.twins import twins
from engine.tree import Tree


class RebaseParams(Parameters):
    """Parameters of REBASE."""

    width: int = parameter(
        16, "Solutions in all: places at every depth.", symbol="N", origin="paper", ge=1, le=1024
    )
    balance: float = parameter(
        0.1,
        "Temperature of the softmax over values: small gives the best node most places.",
        symbol="T_b",
        origin="paper",
        gt=0.0,
        le=100.0,
    )
    rounding: Literal["ceil", "remainder"] = parameter(
        "ceil",
        "ceil: the best nodes round their shares up, as the authors' code; remainder: the largest "
        "remainders do.",
        origin="paper",
        advanced=True,
    )
    final_choice: Literal["vote", "best"] = parameter(
        "vote", "Value-weighted vote, or answer of the best finished solution.", origin="paper"
    )
    attempts: int = parameter(
        3, "Tries for a proposal before its slot is given up.", advanced=True, ge=1, le=20
    )
    max_depth: int = parameter(
        32, "Longest solution in steps.", origin="ours", advanced=True, ge=1, le=1000
    )


def iterate(tree: Tree, params: RebaseParams) -> Script:
    """Share the places among the open nodes and grow them."""
    if tree.root.verdict == "unknown":
        yield ev.Judged(0, "continue", "text")
    nodes = chains.open_nodes(tree)
    solutions = sum(not tree.node(end).dead_end for end in tree.ends)
    places = max(1, params.width - solutions)
    values = [tree.node(i).value for i in nodes]
    shares = share(values, places, params.balance, params.rounding)
    without = [i for i, count in zip(nodes, shares, strict=True) if not count]
    first = first_slots(tree, nodes, params.width)
    slots = {
        i: tuple(range(first[i], first[i] + n)) for i, n in zip(nodes, shares, strict=True) if n
    }
    new = yield from chains.grow(tree, slots, params.attempts, distinct=False)
    yield from chains.evaluate(tree, new)
    yield from chains.judge_and_answer(tree, new)
    over = [*without, *(i for i in new if tree.node(i).depth >= params.max_depth)]
    if over:
        yield ev.Exhausted(over)


def first_slots(tree: Tree, nodes: list[int], width: int) -> dict[int, int]:
    """The first slot of each node: the k-th with the same steps begins k widths further on.

    The k of a node follows from the nodes before it, not from how the places are shared out, so
    that another V elsewhere lets it keep its replies. What a person has asked for there is passed.
    """
    wanted = set(nodes)
    first: dict[int, int] = {}
    for same in twins(tree, nodes):
        passed = max(tree.node(i).asked for i in same)
        first.update({i: passed + k * width for k, i in enumerate(same) if i in wanted})
    return first


def share(values: list[float], places: int, balance: float, rounding: str) -> list[int]:
    """How many of the places each value gets: its share of exp(value / balance), rounded so that
    the sum is right.

    Args:
        values: of the nodes, at least one.
        places: to give away.
        balance: temperature.
        rounding: "ceil": from the best on, each its share of the places left, rounded up;
            "remainder": the largest remainders first. Ties go to the larger value, then in order.
    """
    top = max(values)
    weights = [math.exp((value - top) / balance) for value in values]
    if rounding == "ceil":
        return _rounded_up(values, weights, places)
    exact = [places * weight / math.fsum(weights) for weight in weights]
    given = [math.floor(part) for part in exact]
    order = sorted(range(len(values)), key=lambda i: (given[i] - exact[i], -values[i]))
    for i in order[: places - sum(given)]:
        given[i] += 1
    return given


def _rounded_up(values: list[float], weights: list[float], places: int) -> list[int]:
    order = sorted(range(len(values)), key=lambda i: -values[i])
    # What this node and those after it weigh; summed from the end, so that the last one's share of
    # it is exactly 1.
    rests = list(accumulate(weights[i] for i in reversed(order)))[::-1]
    given, left = [0] * len(values), places
    for i, rest in zip(order, rests, strict=True):
        given[i] = min(left, math.ceil(left * weights[i] / rest - 1e-9)) if rest else 0
        left -= given[i]
    given[order[0]] += left  # weights too small for a float
    return given


def stopped(tree: Tree, params: RebaseParams) -> ev.StopReason:
    """Complete once every place is taken by a finished solution."""
    return "" if tree.growing else "complete"


def end_leaves(tree: Tree, params: RebaseParams) -> list[int]:
    """Ids, depth-first, of the finished solutions."""
    return chains.finished(tree)


def conclude(tree: Tree, params: RebaseParams, reason: ev.StopReason) -> Script:
    """Choose the answer by `final_choice`."""
    yield from chains.conclude(tree, params.final_choice, reason)
