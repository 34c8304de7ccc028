"""MCTS*: the process-reward guided tree search of ReST-MCTS* (arXiv 2406.03816, Alg. 2).

One iteration selects a node, asks the self-critic whether it is finished, expands it, rolls out
greedily from its best new child and backs visit-weighted means up to the root. With
`REFERENCE` parameters it reproduces the public reference implementation node by node; parameters
marked "ours" change what the reference does where that costs answers or tokens (docs/method.md).

Between iterations the generator holds no state: everything it needs is in the tree.
"""

import zlib
from typing import Literal

from pydantic import model_validator

from engine import events as ev
from engine.models.base import Steps
from engine.randomness import choose
from engine.search import answers
from engine.search.asking import judge, look_for_answers, no_step, verdicts
from engine.search.backup import backups
from engine.search.parameters import Parameters, parameter
from engine.search.requests import (
    Branching,
    Evaluate,
    Judge,
    Part,
    Proposal,
    Proposals,
    Script,
    propose,
)
from engine.search.selection import best_child
from engine.tasks.same import comparison_for
from engine.tree import Node, Tree


class MctsStarParams(Parameters):
    """Parameters of MCTS*; see `REFERENCE` for the reference's choices."""

    branch: int = parameter(3, "Children asked for at an expansion.", symbol="b", ge=1, le=64)
    exploration_constant: float = parameter(
        0.1, "Weight of exploration in selection.", symbol="c", ge=0.0, le=1000.0
    )
    alpha: float = parameter(
        0.5, "Share of the roll-out's value in a rolled-out child.", symbol="α", ge=0.0, le=1.0
    )
    roll_forward_steps: int = parameter(
        2, "Longest roll-out in steps; 0 rolls out nothing.", symbol="m", ge=0, le=100
    )
    roll_branch: int = parameter(
        1, "Candidates at each step of a roll-out.", symbol="b_r", advanced=True, ge=1, le=64
    )
    max_expansions: int = parameter(
        6,
        "Expansions of a node: another one while the PRM values none of its children above it.",
        origin="ours",
        ge=1,
        le=100,
    )
    min_gain: float = parameter(
        0.05,
        "By how much the PRM must value a child above its parent, else expand again.",
        origin="ours",
        advanced=True,
        ge=-1000.0,
        le=1000.0,
    )
    final_choice: Literal["vote", "best"] = parameter(
        "vote", "Answer by value-weighted vote over finished solutions, or of the best node."
    )
    same_answer: Literal["value", "text"] = parameter(
        "value",
        "A vote counts answers of one value as one, or those of one text, as the reference does.",
        origin="ours",
        advanced=True,
    )
    end_gate: float = parameter(
        0.9,
        "V from which a solution counts as finished.",
        symbol="l",
        advanced=True,
        ge=-1000.0,
        le=1000.0,
    )
    require_finished: bool = parameter(
        True,
        "Only what the self-critic calls finished may pass the gate or be the answer.",
        origin="ours",
        advanced=True,
    )
    sample_value: Literal["full", "simple"] = parameter(
        "full",
        "full: search on after the gate; simple: stop at the first node that passes it.",
        advanced=True,
    )
    reward_model_type: Literal["vm", "prm"] = parameter(
        "vm", "vm: gate and roll-outs on; prm: neither.", advanced=True
    )
    use_reflection: Literal["simple", "common"] = parameter(
        "simple",
        "simple: the self-critic gives a verdict; common: also words for the next expansion.",
        advanced=True,
    )
    roll_policy: Literal["greedy", "random"] = parameter(
        "greedy", "How a roll-out picks among its candidates.", advanced=True
    )
    rollout_start: Literal["node", "low"] = parameter(
        "node",
        "Where a roll-out's best value starts: at the node's own V, or at the bottom of the range.",
        origin="ours",
        advanced=True,
    )
    inf: float = parameter(
        1.0, "Bonus of an unvisited child.", symbol="inf", advanced=True, ge=-1e6, le=1e6
    )
    low: float = parameter(0.0, "Bottom of the value range.", advanced=True, ge=-1e6, le=1e6)
    high: float = parameter(1.0, "Top of the value range.", advanced=True, ge=-1e6, le=1e6)
    attempts: int = parameter(
        3, "Tries for a proposal before its slot is given up.", advanced=True, ge=1, le=20
    )
    max_depth: int = parameter(
        32, "Deepest node that may be expanded.", origin="ours", advanced=True, ge=1, le=1000
    )
    reselect_finished: bool = parameter(
        False,
        "Walk into finished branches again and again, as the reference does.",
        origin="ours",
        advanced=True,
    )
    tie_rule: Literal["first", "last", "random"] = parameter(
        "first", "Among children with equal scores.", advanced=True
    )
    rollout_choice: Literal["seeded", "first", "last", "crc32"] = parameter(
        "seeded", "How a random roll-out draws.", advanced=True
    )

    @model_validator(mode="after")
    def _has_a_range(self) -> "MctsStarParams":
        if self.low >= self.high:
            raise ValueError(
                f"low cannot be {self.low:g} with high {self.high:g}: it takes a number below high"
            )
        return self

    @property
    def gated(self) -> bool:
        """Whether the end gate and roll-outs are on."""
        return self.reward_model_type == "vm"


REFERENCE: dict[str, object] = {
    "exploration_constant": 0.7,
    "max_expansions": 1,
    "min_gain": 0.0,
    "final_choice": "best",
    "require_finished": False,
    "rollout_start": "low",
    "same_answer": "text",
    "max_depth": 1000,
    "reselect_finished": True,
}
"""Parameters that differ from our defaults to reproduce the reference implementation."""


def iterate(tree: Tree, params: MctsStarParams) -> Script:
    """One iteration; the caller frames it with iteration_started and iteration_finished."""
    path, picks = _select(tree, params)
    node = tree.node(path[-1])
    terminal = not node.expanded and (yield from _at_gate(tree, node, params))
    yield ev.Selected(path, picks, terminal)
    if terminal:
        if not node.closed:
            yield ev.Closed(node.id)
        yield from look_for_answers(tree, [node.id])
        if params.sample_value == "simple":
            return
        yield ev.Judged(node.id, "end", "gate")
    new = yield from _expand(tree, node, params)
    touched = path
    if params.gated and new:
        rolled = yield from _simulate(tree, node, new, params)
        touched = [*path, rolled]
    yield ev.BackedUp(backups(tree, path))
    if not params.reselect_finished:
        finished = _newly_exhausted(tree, touched, params)
        if finished:
            yield ev.Exhausted(finished)


def stopped(tree: Tree, params: MctsStarParams) -> ev.StopReason:
    """Why the search has nothing more to do, "" if it has."""
    if params.sample_value == "simple" and _closed(tree):
        return "gate"
    return "exhausted" if tree.root.exhausted else ""


def conclude(tree: Tree, params: MctsStarParams, reason: ev.StopReason) -> Script:
    """Read the answers still missing and choose the final one."""
    leaves = [tree.node(leaf) for leaf in end_leaves(tree, params)]
    asked = [leaf.id for leaf in leaves]
    if params.require_finished:
        yield from look_for_answers(tree, asked)
        best = _best(tree, leaves, params)
    else:
        best = _best(tree, leaves, params)
        yield from look_for_answers(tree, [*asked, best])
    yield answers.concluded(reason, best, groups(tree, params), params.final_choice == "vote")


def end_leaves(tree: Tree, params: MctsStarParams) -> list[int]:
    """Ids, depth-first, of unexpanded nodes that are finished: verdict `end` (dead ends included)
    or, unless `require_finished`, V at or above the gate even if never selected.
    """
    if not params.gated or params.require_finished:
        return list(tree.ends)
    return [
        node.id
        for node in tree.depth_first()
        if not node.expanded
        and not node.hidden
        and (node.finished or node.machine_value >= params.end_gate)
    ]


def groups(tree: Tree, params: MctsStarParams) -> list[answers.AnswerGroup]:
    """The answers found so far, by the sum of their V."""
    leaves = map(tree.node, end_leaves(tree, params))
    by = "text" if params.same_answer == "text" else comparison_for(tree.gold)
    return answers.answer_groups(leaves, by=by)


def _closed(tree: Tree) -> list[int]:
    """Ids of the nodes that the end gate closed and nobody has pruned."""
    return [identifier for identifier in tree.closed if not tree.node(identifier).hidden]


def _best(tree: Tree, leaves: list[Node], params: MctsStarParams) -> int:
    """Of a `simple` search the node that the gate closed; else the best finished solution, as the
    reference has it (largest V, the first on ties) or, with `require_finished`, one with an answer
    before all others; else the best node of all.
    """
    simple = params.sample_value == "simple"
    closed = _closed(tree) if simple else []
    if closed:
        return min(closed)
    if params.require_finished:
        best = answers.best_solution(leaves)
    else:
        best = None if simple else max(leaves, key=lambda leaf: leaf.value, default=None)
    return answers.best_value(tree) if best is None else best.id


def _select(tree: Tree, params: MctsStarParams) -> tuple[list[int], list[ev.Pick]]:
    node, path, picks = tree.root, [0], list[ev.Pick]()
    while node.expanded and not _wants_more(tree, node, params):
        shown = list(tree.shown(node.id))
        if not shown:
            break
        open_children = [child.id for child in shown if not child.exhausted]
        pick = best_child(tree, node, open_children or [child.id for child in shown], params)
        picks.append(pick)
        path.append(pick.chosen)
        node = tree.node(pick.chosen)
    return path, picks


def _wants_more(tree: Tree, node: Node, params: MctsStarParams) -> bool:
    """Whether an expanded node should be expanded again: the PRM values no child above it.

    Compared are the PRM's own values, not V: what is found further down lowers V, and should make
    the search branch there, not here. A person's value goes before the PRM's, and where a person
    has pruned all children there must be others.
    """
    if node.finished:  # a person has written on below what the critic calls finished
        return False
    shown = list(tree.shown(node.id))
    if not shown:
        return node.expansions <= params.max_expansions
    if node.expansions >= params.max_expansions:
        return False
    own = _said(node)
    values = [value for child in shown if (value := _said(child)) is not None]
    least = params.low if own is None else own
    return max(values, default=least) <= least + params.min_gain


def _said(node: Node) -> float | None:
    """What a person, else the PRM, says of a node."""
    return node.prm_value if node.overruled is None else node.overruled


def _at_gate(tree: Tree, node: Node, params: MctsStarParams) -> Part[bool]:
    """Whether the end gate closes an unexpanded node (equality counts)."""
    if not params.gated or node.value < params.end_gate:
        return False
    if not params.require_finished:
        return True
    yield from judge(tree, [node.id])
    return node.finished


def _expand(tree: Tree, node: Node, params: MctsStarParams) -> Part[list[int]]:
    """Expand unless finished; the ids of the new children."""
    if node.finished:
        yield ev.Expanded(node.id, "skipped_end", [], [])
        return []
    yield from judge(tree, [node.id])
    if tree.node(node.id).finished:
        yield ev.Expanded(node.id, "end_by_critic", [], [])
        yield from look_for_answers(tree, [node.id])
        return []
    steps = tree.steps(node.id)
    analysis = yield from _reflect(tree, node, steps, params)
    if tree.node(node.id).finished:
        yield ev.Expanded(node.id, "end_by_critic", [], [])
        yield from look_for_answers(tree, [node.id])
        return []
    proposals = Proposals([], [])
    if node.depth < params.max_depth:
        first = params.branch * node.expansions
        slots = tuple(range(first, first + params.branch))
        branching = Branching(steps, slots, analysis)
        proposals = (yield from propose(tree, [branching], params.attempts))[0]
    accepted, rejected = proposals.accepted, proposals.rejected
    texts = [proposal.step for proposal in accepted]
    if not accepted and not node.expanded:
        yield ev.Expanded(node.id, "end_no_proposals", [], [], rejected)
        yield no_step(node.id, proposals)
        yield from look_for_answers(tree, [node.id])
        return []
    children = _distinct(tree, node, accepted)
    yield ev.Expanded(node.id, "expanded", children, texts, rejected)
    new = [child.id for child in children]
    yield from _evaluate(tree, new, params)
    if params.sample_value == "full":
        yield from judge(tree, new)
        yield from look_for_answers(tree, [i for i in new if tree.node(i).finished])
    return new


def _distinct(tree: Tree, node: Node, accepted: list[Proposal]) -> list[ev.NewNode]:
    """New children with texts that the node has not got yet, in order of proposal."""
    seen = {tree.node(child).step for child in node.children}
    children: list[ev.NewNode] = []
    for item in accepted:
        if item.step not in seen:
            seen.add(item.step)
            children.append(item.node(len(tree.nodes) + len(children)))
    return children


def _reflect(tree: Tree, node: Node, steps: Steps, params: MctsStarParams) -> Part[str]:
    """The textual critic's words on an unfinished solution, "" if it is not asked.

    Having thought about it, the critic may also find that the solution is finished after all.
    """
    if params.use_reflection != "common" or node.depth == 0:
        return ""
    if not node.analysis:
        reply = (yield Judge((steps,), "analysis"))[0]
        yield ev.Judged(node.id, reply.verdict, reply.source, reply.probability, reply.analysis)
    return node.analysis


def _evaluate(tree: Tree, nodes: list[int], params: MctsStarParams) -> Part[None]:
    if not nodes:
        return
    values = yield Evaluate(tuple(tree.steps(i) for i in nodes))
    yield ev.Evaluated(
        [ev.NodeValue(i, _clamp(v, params)) for i, v in zip(nodes, values, strict=True)]
    )


def _simulate(tree: Tree, node: Node, new: list[int], params: MctsStarParams) -> Part[int]:
    """Roll out from the best new child and mix the best value found into its V; its id."""
    pick = best_child(tree, node, new, params)
    child = tree.node(pick.chosen)
    # The reference asks the critic again here even if it knows; the verdict is a pure function of
    # the text, so only an unknown one is asked.
    yield from judge(tree, [child.id])
    before = child.value
    steps: list[ev.RolloutStep] = []
    if child.finished:
        best = before
        yield from look_for_answers(tree, [child.id])
    else:
        best, steps = yield from _roll(tree, child, params)
    after = before if child.locked else before * (1 - params.alpha) + best * params.alpha
    yield ev.RolledOut(child.id, pick, steps, best, before, after, child.visits + 1)
    return child.id


def _roll(
    tree: Tree, child: Node, params: MctsStarParams
) -> Part[tuple[float, list[ev.RolloutStep]]]:
    text = tree.steps(child.id)
    best = child.value if params.rollout_start == "node" else params.low
    steps: list[ev.RolloutStep] = []
    for _ in range(params.roll_forward_steps):
        branching = Branching(text, tuple(range(params.roll_branch)))
        proposals = (yield from propose(tree, [branching], params.attempts))[0]
        candidates = [proposal.step for proposal in proposals.accepted]
        greedy = params.roll_policy == "greedy"
        values: list[float] | None = None
        if not candidates:
            values = [] if greedy else None
            rejected = proposals.rejected
            steps.append(ev.RolloutStep([], values, None, None, "unknown", rejected))
            break
        if greedy:
            raw = yield Evaluate(tuple((*text, step) for step in candidates))
            values = [_clamp(value, params) for value in raw]
            chosen = values.index(max(values))
            value = values[chosen]
        else:
            chosen = _draw(tree, text, candidates, params)
            value = _clamp((yield Evaluate(((*text, candidates[chosen]),)))[0], params)
        text = (*text, candidates[chosen])
        best = max(best, value)
        (verdict,) = yield from verdicts([(text, proposals.accepted[chosen])])
        step = ev.RolloutStep(candidates, values, chosen, value, verdict, proposals.rejected)
        steps.append(step)
        if verdict == "end":
            break
    return best, steps


def _draw(tree: Tree, text: Steps, candidates: list[str], params: MctsStarParams) -> int:
    """Index of the candidate that a random roll-out takes."""
    if params.rollout_choice == "first":
        return 0
    if params.rollout_choice == "last":
        return len(candidates) - 1
    if params.rollout_choice == "crc32":
        return zlib.crc32("\0".join(candidates).encode("utf-8")) % len(candidates)
    return choose(candidates, "roll-out", tree.seed, tree.question, list(text))


def _newly_exhausted(tree: Tree, path: list[int], params: MctsStarParams) -> list[int]:
    """Nodes of a path, deepest first, below which nothing can change any more.

    The last one may be a child that was only rolled out: if that is not finished, neither is
    anything above it.
    """
    done: list[int] = []
    for identifier in reversed(path):
        node = tree.node(identifier)
        if node.expanded:
            over = not _wants_more(tree, node, params) and all(
                child.exhausted or child.id in done for child in tree.shown(node.id)
            )
        else:
            # A `simple` search ends by walking into a node at the gate: leave it open.
            stops = params.sample_value == "simple" and params.gated
            over = node.finished and not (stops and node.value >= params.end_gate)
        if not over:
            break
        done.append(identifier)
    return done


def selects(tree: Tree, params: MctsStarParams) -> list[int]:
    """Ids, root first, of what the next iteration would select."""
    return _select(tree, params)[0]


def reopened(tree: Tree, params: MctsStarParams) -> list[int]:
    """Exhausted nodes below which something is left to do by these parameters."""
    found: set[int] = set()
    for node in reversed(tree.nodes):  # children before their parents
        if node.exhausted and node.expanded and not node.hidden:
            below = any(not one.exhausted or one.id in found for one in tree.shown(node.id))
            if below or _wants_more(tree, node, params):
                found.add(node.id)
    return sorted(found)


def _clamp(value: float, params: MctsStarParams) -> float:
    return min(max(value, params.low), params.high)
