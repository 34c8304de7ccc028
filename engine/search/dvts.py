"""Diverse verifier tree search: beams of one that do not compete with each other.

The subtrees are independent, so that the solutions stay different; each keeps the best of its
candidates at every step (Beeching, Tunstall, Rush: Scaling test-time compute with open models).
"""

from itertools import groupby
from typing import Literal

from engine import events as ev
from engine.search import chains
from engine.search.parameters import Parameters, parameter
from engine.search.requests import Script
from engine.tree import Tree


class DvtsParams(Parameters):
    """Parameters of diverse verifier tree search."""

    subtrees: int = parameter(
        4, "Independent subtrees.", symbol="N/M", origin="paper", ge=1, le=256
    )
    branch: int = parameter(
        4, "Candidates for each step of each of them.", symbol="M", origin="paper", ge=1, le=256
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


def iterate(tree: Tree, params: DvtsParams) -> Script:
    """Every subtree grows by one step and keeps the best candidate."""
    if tree.root.verdict == "unknown":
        yield ev.Judged(0, "continue", "text")
    slots = {i: _slots(tree, i, params) for i in chains.open_nodes(tree)}
    new = yield from chains.grow(tree, slots, params.attempts, distinct=False)
    yield from chains.evaluate(tree, new)
    yield from chains.judge_and_answer(tree, new)
    kept = set()
    # A candidate's slot tells its subtree: creation order is slot order below each parent.
    ordered = sorted(new, key=lambda i: _subtree(tree, i, params))
    for _, rivals in groupby(ordered, key=lambda i: _subtree(tree, i, params)):
        kept.add(max(rivals, key=lambda i: (tree.node(i).value, -i)))
    dropped = [i for i in new if i not in kept or tree.node(i).depth >= params.max_depth]
    if dropped:
        yield ev.Exhausted(dropped)


def _slots(tree: Tree, node: int, params: DvtsParams) -> tuple[int, ...]:
    """Own numbers in every subtree: two with the same steps still go their own ways."""
    if node == 0:
        return tuple(range(params.subtrees * params.branch))
    first = _subtree(tree, node, params) * params.branch
    return tuple(range(first, first + params.branch))


def _subtree(tree: Tree, node: int, params: DvtsParams) -> int:
    return tree.node(node).slot // params.branch


def stopped(tree: Tree, params: DvtsParams) -> ev.StopReason:
    """Complete once every subtree is finished."""
    return "" if tree.growing else "complete"


def end_leaves(tree: Tree, params: DvtsParams) -> list[int]:
    """Ids, depth-first, of the finished solutions, those that were not kept included."""
    return chains.finished(tree)


def conclude(tree: Tree, params: DvtsParams, reason: ev.StopReason) -> Script:
    """Choose the answer by `final_choice`."""
    yield from chains.conclude(tree, params.final_choice, reason)
