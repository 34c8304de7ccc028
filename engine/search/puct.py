"""PUCT: tree search with the policy's own probabilities as prior (after AlphaZero).

A selected leaf is expanded, its children are valued by the process reward model in one pass, and
the best of these values is backed up as a mean. Selection takes the child with the largest
Q + c P sqrt(N) / (1 + n).
"""

import math
from typing import Literal

from engine import events as ev
from engine.search import chains
from engine.search.asking import judge
from engine.search.backup import averages
from engine.search.parameters import Parameters, parameter
from engine.search.requests import Script
from engine.tree import Node, Tree


class PuctParams(Parameters):
    """Parameters of PUCT."""

    branch: int = parameter(
        4, "Children asked for at an expansion.", symbol="b", origin="paper", ge=1, le=64
    )
    exploration_constant: float = parameter(
        1.0, "Weight of the prior in selection.", symbol="c", origin="paper", ge=0.0, le=1000.0
    )
    prior: Literal["token", "step", "uniform"] = parameter(
        "token",
        "P of a child: from its log-probability a token, of the whole step, or the same for all.",
        origin="ours",
        advanced=True,
    )
    first_play: Literal["prm", "parent"] = parameter(
        "prm",
        "Q of an unvisited child: its own PRM value, or its parent's Q.",
        origin="ours",
        advanced=True,
    )
    final_choice: Literal["vote", "best"] = parameter(
        "vote", "Value-weighted vote, or answer of the best finished solution.", origin="ours"
    )
    attempts: int = parameter(
        3, "Tries for a proposal before its slot is given up.", advanced=True, ge=1, le=20
    )
    max_depth: int = parameter(
        32, "Deepest node that may be expanded.", origin="ours", advanced=True, ge=1, le=1000
    )


def iterate(tree: Tree, params: PuctParams) -> Script:
    """Select, expand, value, back up."""
    path, picks = _select(tree, params)
    leaf = tree.node(path[-1])
    yield from judge(tree, [leaf.id])
    yield ev.Selected(path, picks, leaf.finished)
    new: list[int] = []
    if not leaf.finished and leaf.depth >= params.max_depth:
        yield ev.Judged(leaf.id, "end", "depth")
    elif not leaf.finished:
        first = params.branch * leaf.expansions
        slots = {leaf.id: tuple(range(first, first + params.branch))}
        new = yield from chains.grow(tree, slots, params.attempts, distinct=True)
        yield from chains.evaluate(tree, new)
        yield from chains.judge_and_answer(tree, new)
    value = max((tree.node(i).value for i in new), default=leaf.prm_value or 0.0)
    yield ev.BackedUp(averages(tree, path, value))
    over = _newly_exhausted(tree, path)
    if over:
        yield ev.Exhausted(over)


def _select(tree: Tree, params: PuctParams) -> tuple[list[int], list[ev.Pick]]:
    node, path, picks = tree.root, [0], list[ev.Pick]()
    while open_children := [c for c in tree.shown(node.id) if not c.exhausted]:
        priors = _priors(open_children, params)
        scores = [
            _score(node, child, prior, params)
            for child, prior in zip(open_children, priors, strict=True)
        ]
        top = max(score.total for score in scores)
        chosen = next(score.node for score in scores if score.total == top)
        picks.append(ev.Pick(node.id, scores, chosen))
        path.append(chosen)
        node = tree.node(chosen)
    return path, picks


def _score(parent: Node, child: Node, prior: float, params: PuctParams) -> ev.Score:
    value = child.value if child.visits or params.first_play == "prm" else parent.value
    root = math.sqrt(max(1, parent.visits))
    bonus = params.exploration_constant * prior * root / (1 + child.visits)
    return ev.Score(child.id, value, bonus, value + bonus)


def _priors(children: list[Node], params: PuctParams) -> list[float]:
    """Probabilities of the children, summing to 1; a person's own steps are as likely as the mean.

    The k-th child has log-probability l_k: of its step, or that divided by its number of tokens.
    """
    if params.prior == "uniform":
        return [1 / len(children)] * len(children)
    logs = [
        None
        if child.logprob is None
        else child.logprob / (max(1, child.tokens) if params.prior == "token" else 1)
        for child in children
    ]
    known = [value for value in logs if value is not None]
    middle = math.fsum(known) / len(known) if known else 0.0
    full = [middle if value is None else value for value in logs]
    top = max(full)
    weights = [math.exp(value - top) for value in full]
    return [weight / math.fsum(weights) for weight in weights]


def _newly_exhausted(tree: Tree, path: list[int]) -> list[int]:
    """Nodes of a path, deepest first, below which nothing can change any more."""
    done: list[int] = []
    for identifier in reversed(path):
        node = tree.node(identifier)
        below = list(tree.shown(identifier))
        over = all(c.exhausted or c.id in done for c in below) if below else node.finished
        if not over:
            break
        done.append(identifier)
    return done


def stopped(tree: Tree, params: PuctParams) -> ev.StopReason:
    """Exhausted once nothing is left to select."""
    return "exhausted" if tree.root.exhausted else ""


def end_leaves(tree: Tree, params: PuctParams) -> list[int]:
    """Ids, depth-first, of the finished solutions."""
    return chains.finished(tree)


def conclude(tree: Tree, params: PuctParams, reason: ev.StopReason) -> Script:
    """Choose the answer by `final_choice`."""
    yield from chains.conclude(tree, params.final_choice, reason)


def selects(tree: Tree, params: PuctParams) -> list[int]:
    """Ids, root first, of what the next iteration would select."""
    return _select(tree, params)[0]
