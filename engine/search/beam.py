"""Step beam search: grow every kept partial solution, keep the best by the PRM's value.

The first step is asked for width x branch times, later ones branch times below each of the kept
(arXiv 2408.03314). Finished solutions are put aside as answers and take no places, as in
search-and-learn; with `finished_take_places` they compete for the places of their length.
"""

from typing import Literal

from engine import events as ev
from engine.search import chains
from engine.search.parameters import Parameters, parameter
from engine.search.requests import Script
from engine.tree import Tree


class BeamParams(Parameters):
    """Parameters of step beam search."""

    width: int = parameter(2, "Partial solutions kept.", symbol="w", origin="paper", ge=1, le=256)
    branch: int = parameter(
        8, "Children asked for below each of them.", symbol="b", origin="paper", ge=1, le=256
    )
    finished_take_places: bool = parameter(
        False,
        "Let finished solutions take places in the width, so that the search ends earlier.",
        origin="ours",
        advanced=True,
    )
    final_choice: Literal["best", "vote"] = parameter(
        "best", "Answer of the best finished solution, or value-weighted vote.", origin="paper"
    )
    attempts: int = parameter(
        3, "Tries for a proposal before its slot is given up.", advanced=True, ge=1, le=20
    )
    max_depth: int = parameter(
        32, "Longest solution in steps.", origin="ours", advanced=True, ge=1, le=1000
    )


def iterate(tree: Tree, params: BeamParams) -> Script:
    """Grow the beam by one step and keep its best."""
    if tree.root.verdict == "unknown":
        yield ev.Judged(0, "continue", "text")
    slots = chains.beam_slots(tree, params.width, params.branch)
    new = yield from chains.grow(tree, slots, params.attempts, distinct=True)
    yield from chains.evaluate(tree, new)
    yield from chains.judge_and_answer(tree, new)
    yield from chains.keep_best(
        tree, new, params.width, params.finished_take_places, params.max_depth
    )


def stopped(tree: Tree, params: BeamParams) -> ev.StopReason:
    """Complete once the beam is empty."""
    return "" if tree.growing else "complete"


def end_leaves(tree: Tree, params: BeamParams) -> list[int]:
    """Ids, depth-first, of the finished solutions, those that lost their place included."""
    return chains.finished(tree)


def conclude(tree: Tree, params: BeamParams, reason: ev.StopReason) -> Script:
    """Choose the answer by `final_choice`."""
    yield from chains.conclude(tree, params.final_choice, reason)
