"""Lookahead search (arXiv 2408.03314): a beam whose candidates are valued by where they lead.

Each candidate is written on greedily for k steps, and the value of what stands there is its own.
With k = 0 it is step beam search.
"""

from typing import Literal

from engine import events as ev
from engine.models.base import Steps
from engine.search import chains
from engine.search.asking import verdicts
from engine.search.parameters import Parameters, parameter
from engine.search.requests import Branching, Evaluate, Part, Script, propose
from engine.tree import Tree


class LookaheadParams(Parameters):
    """Parameters of lookahead search."""

    width: int = parameter(2, "Partial solutions kept.", symbol="w", origin="paper", ge=1, le=256)
    branch: int = parameter(
        4, "Children asked for below each of them.", symbol="M", origin="paper", ge=1, le=256
    )
    steps: int = parameter(
        2, "How far each candidate is written on.", symbol="k", origin="paper", ge=0, le=100
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


def iterate(tree: Tree, params: LookaheadParams) -> Script:
    """Grow the beam by one step, look ahead from every candidate, keep the best."""
    if tree.root.verdict == "unknown":
        yield ev.Judged(0, "continue", "text")
    slots = chains.beam_slots(tree, params.width, params.branch)
    new = yield from chains.grow(tree, slots, params.attempts, distinct=True)
    yield from chains.judge_and_answer(tree, new)
    open_nodes = [i for i in new if not tree.node(i).finished]
    if params.steps == 0:
        yield from chains.evaluate(tree, new)
    else:
        yield from chains.evaluate(tree, [i for i in new if tree.node(i).finished])
        yield from _look(tree, open_nodes, params)
    yield from chains.keep_best(
        tree, new, params.width, params.finished_take_places, params.max_depth
    )


def _look(tree: Tree, nodes: list[int], params: LookaheadParams) -> Part[None]:
    """Write every node on greedily; its V is the value of what stands there."""
    texts: dict[int, Steps] = {i: tree.steps(i) for i in nodes}
    taken: dict[int, list[ev.RolloutStep]] = {i: [] for i in nodes}
    going = list(nodes)
    for _ in range(params.steps):
        if not going:
            break
        branchings = [Branching(texts[i], (0,)) for i in going]
        replies = yield from propose(tree, branchings, params.attempts, temperature=0.0)
        grown = {}
        refused = {start: reply.rejected for start, reply in zip(going, replies, strict=True)}
        for start, reply in zip(going, replies, strict=True):
            if reply.accepted:
                texts[start] = (*texts[start], reply.accepted[0].step)
                grown[start] = reply.accepted[0]
            else:
                none = ev.RolloutStep([], None, None, None, "unknown", reply.rejected)
                taken[start].append(none)
        if not grown:
            break
        found = yield from verdicts([(texts[i], last) for i, last in grown.items()])
        for start, verdict in zip(grown, found, strict=True):
            rejected = refused[start]
            step = ev.RolloutStep([texts[start][-1]], None, 0, None, verdict, rejected)
            taken[start].append(step)
        ended = {n for n, verdict in zip(grown, found, strict=True) if verdict == "end"}
        going = [i for i in grown if i not in ended]
    if not nodes:
        return
    values = yield Evaluate(tuple(texts[i] for i in nodes))
    for identifier, value in zip(nodes, values, strict=True):
        node = tree.node(identifier)
        pick = ev.Pick(node.parent or 0, [], identifier)
        after = node.value if node.locked else value
        yield ev.RolledOut(
            identifier, pick, taken[identifier], value, node.value, after, node.visits
        )


def stopped(tree: Tree, params: LookaheadParams) -> ev.StopReason:
    """Complete once the beam is empty."""
    return "" if tree.growing else "complete"


def end_leaves(tree: Tree, params: LookaheadParams) -> list[int]:
    """Ids, depth-first, of the finished solutions, those that lost their place included."""
    return chains.finished(tree)


def conclude(tree: Tree, params: LookaheadParams, reason: ev.StopReason) -> Script:
    """Choose the answer by `final_choice`."""
    yield from chains.conclude(tree, params.final_choice, reason)
