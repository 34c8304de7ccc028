"""UCT with roll-outs scored by the oracle, step by step (after arXiv 2501.01478).

From the partial solution so far, some simulations: select by UCB1, expand, write one new child on
to its end and ask the oracle whether the answer is right, back the reward up. Then the best next
step is committed to, and the search goes on from there with what it knows of it.
"""

import math
from typing import Literal

from engine import events as ev
from engine.errors import ParameterError
from engine.models.base import Steps
from engine.search import chains
from engine.search.asking import judge, look_for_answers, verdicts
from engine.search.backup import averages
from engine.search.parameters import Parameters, parameter
from engine.search.requests import Branching, FinalAnswer, Part, Script, Summarise, propose
from engine.tree import Node, Tree


class UctParams(Parameters):
    """Parameters of UCT with roll-outs."""

    branch: int = parameter(
        3, "Children asked for at an expansion.", symbol="b", origin="paper", ge=1, le=64
    )
    simulations: int = parameter(
        8, "Roll-outs before the next step is committed to.", origin="paper", ge=1, le=100_000
    )
    exploration_constant: float = parameter(
        1.4, "Weight of exploration in selection.", symbol="c", origin="paper", ge=0.0, le=1000.0
    )
    commit_by: Literal["value", "visits"] = parameter(
        "value", "What makes a next step the best one.", origin="paper", advanced=True
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


def iterate(tree: Tree, params: UctParams) -> Script:
    """One simulation; after enough of them, the next step is committed to."""
    if tree.gold is None:
        raise ParameterError(
            "This search asks the oracle whether a roll-out is right: give the right answer, or "
            "take a search that is guided by the process reward model."
        )
    path, picks = _select(tree, params)
    leaf = tree.node(path[-1])
    yield from judge(tree, [leaf.id])
    yield ev.Selected(path, picks, leaf.finished)
    if not leaf.finished and not list(tree.shown(leaf.id)):
        if leaf.depth >= params.max_depth:
            yield ev.Judged(leaf.id, "end", "depth")
        else:
            new = yield from chains.grow(
                tree, {leaf.id: _slots(leaf, params)}, params.attempts, distinct=True
            )
            if new:
                yield from chains.judge_and_answer(tree, new)
                leaf = tree.node(new[0])
                path = [*path, leaf.id]
    reward = yield from _reward(tree, leaf, params)
    yield ev.BackedUp(averages(tree, path, reward))
    if tree.iteration - tree.committed_at >= params.simulations or tree.node(tree.tip).finished:
        yield from _commit(tree, params)


def _slots(node: Node, params: UctParams) -> tuple[int, ...]:
    first = params.branch * node.expansions
    return tuple(range(first, first + params.branch))


def _select(tree: Tree, params: UctParams) -> tuple[list[int], list[ev.Pick]]:
    node, picks = tree.node(tree.tip), list[ev.Pick]()
    path = tree.path(node.id)
    while children := list(tree.shown(node.id)):
        scores = [_score(node, child, params) for child in children]
        top = max(score.total for score in scores)
        chosen = next(score.node for score in scores if score.total == top)
        picks.append(ev.Pick(node.id, scores, chosen))
        path.append(chosen)
        node = tree.node(chosen)
    return path, picks


def _score(parent: Node, child: Node, params: UctParams) -> ev.Score:
    """UCB1: mean reward + c sqrt(ln N / n); an unvisited child goes before all others."""
    if child.visits == 0:
        bonus = 1e6
    else:
        spread = math.sqrt(math.log(max(1, parent.visits)) / child.visits)
        bonus = params.exploration_constant * spread
    return ev.Score(child.id, child.value, bonus, child.value + bonus)


def _reward(tree: Tree, leaf: Node, params: UctParams) -> Part[float]:
    """1 if the solution, written on to its end, is right by a person or the oracle; else 0."""
    if leaf.finished:
        yield from look_for_answers(tree, [leaf.id])
        return float(tree.node(leaf.id).accepted is True)
    text: Steps = tree.steps(leaf.id)
    steps: list[ev.RolloutStep] = []
    ended = False
    # Every roll-out draws from a slot of its own: one from above may have come this way before.
    slot = params.branch * 1000 + tree.iteration
    while not ended and len(text) < params.max_depth:
        proposals = (yield from propose(tree, [Branching(text, (slot,))], params.attempts))[0]
        if not proposals.accepted:
            steps.append(ev.RolloutStep([], None, None, None, "unknown", proposals.rejected))
            break
        text = (*text, proposals.accepted[0].step)
        (verdict,) = yield from verdicts([(text, proposals.accepted[0])])
        ended = verdict == "end"
        rejected = proposals.rejected
        steps.append(ev.RolloutStep([text[-1]], None, 0, None, verdict, rejected))
    reward = 0.0
    if ended:
        found: FinalAnswer = (yield Summarise((text,)))[0]
        reward = float(found.correct is True)
    pick = ev.Pick(leaf.parent or 0, [], leaf.id)
    yield ev.RolledOut(leaf.id, pick, steps, reward, leaf.value, leaf.value, leaf.visits)
    return reward


def _commit(tree: Tree, params: UctParams) -> Part[None]:
    children = list(tree.shown(tree.tip))
    if not children:
        return

    def worth(child: Node) -> tuple[float, float]:
        value, visits = child.value if child.visits else -1.0, float(child.visits)
        return (value, visits) if params.commit_by == "value" else (visits, value)

    best = max(children, key=worth)  # the first of equals
    yield ev.Committed(best.id)
    yield from look_for_answers(tree, [best.id] if best.finished else [])


def stopped(tree: Tree, params: UctParams) -> ev.StopReason:
    """Complete once the solution that is committed to is finished."""
    return "complete" if tree.node(tree.tip).finished else ""


def end_leaves(tree: Tree, params: UctParams) -> list[int]:
    """Ids, depth-first, of the finished solutions."""
    return chains.finished(tree)


def conclude(tree: Tree, params: UctParams, reason: ev.StopReason) -> Script:
    """The solution that is committed to, if it has an answer; otherwise by `final_choice`."""
    tip = tree.node(tree.tip)
    if tip.finished:
        yield from look_for_answers(tree, [tip.id])
    if tip.answer is None or params.final_choice == "vote":
        yield from chains.conclude(tree, params.final_choice, reason)
        return
    found = chains.groups(tree, params)
    yield ev.Concluded(reason, tip.id, found[0].node if found else None, tip.id)


def selects(tree: Tree, params: UctParams) -> list[int]:
    """Ids, root first, of what the next simulation would select."""
    return _select(tree, params)[0]
