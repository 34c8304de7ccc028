"""rStar-Math (arXiv 2501.04519): roll-outs through code-augmented steps.

A step is a sentence as a comment and the Python that does it; a candidate is valid only if all code
so far runs. One iteration is one roll-out from the root to an end, every node on its way expanded.
Q of a node is q / N: terminal-guided, q sums what the oracle says of the ends reached through it;
PPM-guided, it starts with what the process preference model says of the node, and an end is worth
what that says of it, or what a person does (as the paper searches where no answer is known). Both
together are how the paper makes data once it has a model.

Rewards here are 1 and 0 where the paper has 1 and -1, so that V stays between 0 and 1; with half
the paper's c the choices are the same. Code runs only where that is switched on.
"""

import math
from typing import Literal

from engine import events as ev
from engine.errors import ParameterError
from engine.search import chains
from engine.search.asking import judge, look_for_answers, no_step
from engine.search.backup import averages
from engine.search.parameters import Parameters, parameter
from engine.search.requests import (
    Branching,
    Part,
    Proposals,
    Script,
    propose,
    those_that_run,
)
from engine.tree import Node, Tree


class RStarMathParams(Parameters):
    """Parameters of rStar-Math."""

    branch: int = parameter(
        8, "Candidates asked for at an expansion.", symbol="n", origin="paper", ge=1, le=64
    )
    exploration_constant: float = parameter(
        1.0, "Weight of exploration: half the paper's.", symbol="c", origin="ours", ge=0.0, le=1e3
    )
    guide: Literal["ppm", "terminal", "ppm_terminal"] = parameter(
        "ppm",
        "What Q is made of: the model's values alone; the oracle's verdicts on ends alone; or the "
        "model's values of nodes and the oracle's verdicts on ends.",
        origin="paper",
    )
    run_code: bool = parameter(
        False,
        "Ask for steps with Python, run them, and drop candidates that fail. It is a model's code: "
        "it runs in a process that can only compute.",
        origin="paper",
    )
    final_choice: Literal["vote", "best"] = parameter(
        "best", "Answer of the best finished solution, or value-weighted vote.", origin="paper"
    )
    reselect_finished: bool = parameter(
        False,
        "Walk to finished solutions again and again: Q is then the share of right ends.",
        origin="ours",
        advanced=True,
    )
    attempts: int = parameter(
        3, "Tries for a proposal before its slot is given up.", advanced=True, ge=1, le=20
    )
    max_depth: int = parameter(
        16, "Longest solution in steps.", origin="paper", advanced=True, ge=1, le=1000
    )


def iterate(tree: Tree, params: RStarMathParams) -> Script:
    """One roll-out."""
    if asks_oracle(params) and tree.gold is None:
        raise ParameterError(
            f"Roll-outs with guide = {params.guide} ask the oracle: give the right answer, or take "
            "guide = ppm."
        )
    path, picks = [0], list[ev.Pick]()
    node = tree.root
    yield from judge(tree, [0])
    while not node.finished:
        if not list(tree.shown(node.id)):
            yield from _expand(tree, node, params)
        open_children = [child for child in tree.shown(node.id) if not child.exhausted]
        if not open_children:
            break
        pick = _pick(node, open_children, params)
        picks.append(pick)
        path.append(pick.chosen)
        node = tree.node(pick.chosen)
    yield ev.Selected(path, picks, node.finished)
    yield from look_for_answers(tree, [node.id] if node.finished else [])
    yield ev.BackedUp(_backups(tree, path, _reward(tree.node(path[-1]), params), params))
    over = _newly_exhausted(tree, path, params)
    if over:
        yield ev.Exhausted(over)


def asks_oracle(params: RStarMathParams) -> bool:
    """Whether the right answer rewards its roll-outs."""
    return params.guide != "ppm"


def _expand(tree: Tree, node: Node, params: RStarMathParams) -> Part[None]:
    """Valid candidates become children; without any the node is a dead end."""
    if node.depth >= params.max_depth:
        yield ev.Judged(node.id, "end", "depth")
        return
    first = params.branch * node.expansions
    slots = tuple(range(first, first + params.branch))
    steps = tree.steps(node.id)
    proposals = (yield from propose(tree, [Branching(steps, slots)], params.attempts))[0]
    distinct = list({item.step: item for item in reversed(proposals.accepted)}.values())[::-1]
    valid = yield from those_that_run(
        tree, steps, Proposals(distinct, proposals.rejected, proposals.end)
    )
    usable = {item.step for item in valid.accepted}
    texts = [item.step for item in proposals.accepted if item.step in usable]
    children = [item.node(len(tree.nodes) + k) for k, item in enumerate(valid.accepted)]
    if not children:
        yield ev.Expanded(node.id, "end_no_proposals", [], texts, valid.rejected)
        yield no_step(node.id, valid)
        return
    yield ev.Expanded(node.id, "expanded", children, texts, valid.rejected)
    new = [child.id for child in children]
    if params.guide != "terminal":
        yield from chains.evaluate(tree, new)
    yield from chains.judge_and_answer(tree, new)


def _pick(parent: Node, children: list[Node], params: RStarMathParams) -> ev.Pick:
    scores = [_score(parent, child, params) for child in children]
    top = max(score.total for score in scores)
    return ev.Pick(parent.id, scores, next(s.node for s in scores if s.total == top))


def _score(parent: Node, child: Node, params: RStarMathParams) -> ev.Score:
    """Q + c sqrt(ln N(parent) / N): without a prior, an unvisited child goes first."""
    counted = child.visits + (params.guide != "terminal")
    if counted == 0:
        bonus = 1e6
    else:
        above = parent.visits + (params.guide != "terminal")
        bonus = params.exploration_constant * math.sqrt(math.log(max(1, above)) / counted)
    return ev.Score(child.id, child.value, bonus, child.value + bonus)


def _reward(end: Node, params: RStarMathParams) -> float:
    """By a person, else by the oracle or the model; 0 where the roll-out did not come to an end."""
    if not end.finished or end.verdict_source in ("dead_end", "depth"):
        return 0.0
    if asks_oracle(params) or end.regraded is not None:
        return float(end.accepted is True)
    return 0.0 if end.answer is None else end.prm_value or 0.0


def _backups(
    tree: Tree, path: list[int], reward: float, params: RStarMathParams
) -> list[ev.Backup]:
    """Q after one more end; what the model said of a node counts like one end before."""
    if params.guide == "terminal":
        return averages(tree, path, reward)
    found = []
    for identifier in reversed(path):
        node = tree.node(identifier)
        known = node.visits + (node.prm_value is not None)
        mean = (node.value * known + reward) / (known + 1)
        found.append(ev.Backup(identifier, node.value if node.locked else mean, node.visits + 1))
    return found


def _newly_exhausted(tree: Tree, path: list[int], params: RStarMathParams) -> list[int]:
    """Ends, and nodes above them with nothing else left: each end is walked to once, as the
    authors' code does; with `reselect_finished` only dead ends are left out.
    """
    done: list[int] = []
    for identifier in reversed(path):
        node = tree.node(identifier)
        below = list(tree.shown(identifier))
        dead = node.verdict_source in ("dead_end", "depth")
        ended = node.finished and (dead or not params.reselect_finished)
        over = all(c.exhausted or c.id in done for c in below) if below else ended
        if not over:
            break
        done.append(identifier)
    return done


def stopped(tree: Tree, params: RStarMathParams) -> ev.StopReason:
    """Complete where no way is left to be written on."""
    return "" if tree.growing and not tree.root.exhausted else "complete"


def end_leaves(tree: Tree, params: RStarMathParams) -> list[int]:
    """Ids, depth-first, of the finished solutions."""
    return chains.finished(tree)


def conclude(tree: Tree, params: RStarMathParams, reason: ev.StopReason) -> Script:
    """Choose the answer by `final_choice`."""
    yield from chains.conclude(tree, params.final_choice, reason)
