"""What a person does to a search between two iterations, as scripts of requests and events.

Each act is made for the tree as it stands, and is refused in words where it does not fit. Those
that need no model can be performed at once (`perform`); the driver fulfils what others ask for. An
act that begins with `Added` or `RolledOut` ends with `Acted`, so that a log tells where it ends.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine import events as ev
from engine.errors import EventError, ParameterError
from engine.models.base import Sampling
from engine.node import Node
from engine.search.asking import judge, look_for_answers, verdicts
from engine.search.backup import mean_of_children
from engine.search.parameters import parse
from engine.search.registry import algorithm, params_of
from engine.search.requests import (
    Branching,
    Evaluate,
    Part,
    Proposal,
    Proposals,
    Script,
    propose,
    those_that_run,
)
from engine.search.twins import twins
from engine.tree import Tree

Act = Callable[[Tree], Script]
"""Makes the script for a tree."""

MOST_CHILDREN = 64
MOST_STEPS = 100
_ATTEMPTS = 3


def perform(tree: Tree, act: Act) -> list[ev.Event]:
    """Perform an act that asks nothing of a model; the tree is changed.

    Raises:
        EventError: it does not fit the tree, which may be changed in part then.
        ParameterError: a value is out of range.
    """
    found: list[ev.Event] = []
    for item in act(tree):
        if not isinstance(item, ev.Event):
            raise EventError("This needs a model: it cannot be done at once.")
        tree.apply(item)
        found.append(item)
    return found


# Without a model.


def overrule(node: int, value: float | None, locked: bool = True) -> Act:
    """Give a node another V; None takes it back.

    V of the nodes above follows at once, as if the node had been valued so from the beginning.
    Locked, it stays whatever is found below; otherwise until the search backs up through it.
    """

    def script(tree: Tree) -> Script:
        target = _step(tree, node)
        own: list[ev.Backup] = []
        if value is None:
            own = [ev.Backup(node, _without_person(tree, target), target.visits)]
        fresh = own[0].value if own else value
        assert fresh is not None
        yield ev.Overruled(node, value, locked, [*own, *_above(tree, target, fresh)])
        yield from _reopen(tree)

    return script


def prune(node: int, pruned: bool = True) -> Act:
    """Take a node out of the search with everything below, or bring it back."""

    def script(tree: Tree) -> Script:
        target = _step(tree, node)
        if target.pruned == pruned:
            return
        yield ev.Pruned(node, pruned, _without(tree, target, pruned))
        yield from _reopen(tree)

    return script


def change_parameters(changes: dict[str, object]) -> Act:
    """Go on with other parameters; those that are not named stay, the policy's under "sampling".

    The script raises ParameterError for an unknown one, or a value out of range.
    """

    def script(tree: Tree) -> Script:
        kind = algorithm(tree.algorithm)
        new = {**tree.params, **changes}
        sampling = {**_mapping(tree.params.get("sampling")), **_mapping(changes.get("sampling"))}
        new.pop("sampling", None)
        full = parse(kind.params, new).model_dump()
        full["sampling"] = parse(Sampling, sampling).model_dump()
        if full != tree.params:
            yield ev.ParametersChanged(full)
            yield from _reopen(tree)

    return script


def choose_models(policy: str, prm: str) -> Act:
    """Go on with other models or adapters."""

    def script(tree: Tree) -> Script:
        if (policy, prm) != (tree.policy, tree.prm):
            yield ev.ModelsChosen(policy, prm)

    return script


def keep_rollout(node: int) -> Act:
    """Make nodes of the steps of the last roll-out from a node, with the values they got; the
    answer is read if it came to one.
    """

    def script(tree: Tree) -> Script:
        start = tree.node(node)
        if start.rolled_out is None or not start.rolled_out.steps:
            raise EventError(f"Node {node} has not been rolled out: there is nothing to keep.")
        steps = [
            RolledStep(step.candidates[step.chosen], step.chosen, step.value, step.verdict)
            for step in start.rolled_out.steps
            if step.chosen is not None and step.value is not None
        ]
        yield from keep_steps(node, steps)(tree)

    return script


class RolledStep(NamedTuple):
    """A step of a roll-out, with the slot that it came from and what the models said of it."""

    text: str
    slot: int
    value: float
    verdict: ev.Verdict


def keep_steps(node: int, steps: Sequence[RolledStep]) -> Act:
    """Make nodes of steps that follow each other below a node; those that are there are kept."""

    def script(tree: Tree) -> Script:
        parent, before = _open(tree, node), len(tree.nodes)
        for step in steps:
            known = _child(tree, parent, step.text)
            if known is None:
                child = ev.NewNode(len(tree.nodes), step.text, step.slot)
                yield ev.Added(parent.id, [child], "rollout")
                yield ev.Evaluated([ev.NodeValue(child.id, _clamped(tree, step.value))])
                if step.verdict != "unknown":
                    yield ev.Judged(child.id, step.verdict, "reply")
                known = tree.node(child.id)
            parent = known
        new = range(before, len(tree.nodes))
        yield from look_for_answers(tree, [i for i in new if tree.node(i).finished])
        if new:
            yield ev.Acted()

    return script


# With a model.


def write_step(parent: int, text: str) -> Act:
    """Add a step of one's own below a node; the PRM values it, the self-critic looks at it."""

    def script(tree: Tree) -> Script:
        above = _open(tree, parent)
        step = text if text.endswith("\n") else f"{text}\n"
        if not step.strip():
            raise EventError("The step is empty: write what the solution does next.")
        known = _child(tree, above, step)
        if known is not None:
            raise EventError(f"Node {parent} has this step already: it is node {known.id}.")
        # Where a solution goes on from its own slot, this one has one of its own, too.
        new = ev.NewNode(len(tree.nodes), step, unused_slot(tree, above))
        yield ev.Added(parent, [new], "person")
        yield from _look_at(tree, [new.id])
        yield ev.Acted()

    return script


def expand(node: int, count: int, temperature: float | None = None) -> Act:
    """Ask the policy for more children of a node, at another temperature if one is given.

    They come from slots that nothing has been asked of there, so that they are new draws.
    """

    def script(tree: Tree) -> Script:
        parent = _open(tree, node)
        if not 1 <= count <= MOST_CHILDREN:
            raise ParameterError(
                f"The number of children cannot be {count}: it takes 1 to {MOST_CHILDREN}."
            )
        if temperature is not None:
            parse(Sampling, {"temperature": temperature})
        first = unused_slot(tree, parent)
        slots = tuple(range(first, first + count))
        branching = Branching(tree.steps(node), slots)
        found: Proposals = (yield from propose(tree, [branching], _ATTEMPTS, temperature))[0]
        found = yield from those_that_run(tree, branching.steps, found)
        new = _distinct(tree, parent, found.accepted)
        yield ev.Added(node, new, "policy", temperature, found.rejected, slots[-1] + 1)
        yield from _look_at(tree, [child.id for child in new])
        yield ev.Acted()

    return script


def roll_out(node: int, steps: int) -> Act:
    """Write on greedily from a node to see where it leads: one step a time, each valued.

    V of the node stays; the steps can be kept as nodes (`keep_rollout`).
    """

    def script(tree: Tree) -> Script:
        start = _open(tree, node)
        if start.dead_end:
            raise EventError(
                f"Node {node} is a dead end: the policy wrote no step. Write one, or ask for more "
                "children."
            )
        if not 1 <= steps <= MOST_STEPS:
            raise ParameterError(
                f"The steps cannot be {steps}: a roll-out takes 1 to {MOST_STEPS}."
            )
        text = tree.steps(node)
        taken: list[ev.RolloutStep] = []
        best = start.value
        for _ in range(steps):
            found: Proposals = (yield from propose(tree, [Branching(text, (0,))], _ATTEMPTS))[0]
            found = yield from those_that_run(tree, text, found)
            if not found.accepted:
                taken.append(ev.RolloutStep([], [], None, None, "unknown", found.rejected))
                break
            text = (*text, found.accepted[0].step)
            value = _clamped(tree, (yield Evaluate((text,)))[0])
            best = max(best, value)
            (verdict,) = yield from verdicts([(text, found.accepted[0])])
            step = ev.RolloutStep([text[-1]], [value], 0, value, verdict, found.rejected)
            taken.append(step)
            if verdict == "end":
                break
        pick = ev.Pick(node if start.parent is None else start.parent, [], node)
        yield ev.RolledOut(node, pick, taken, best, start.value, start.value, start.visits)
        yield ev.Acted()

    return script


def _look_at(tree: Tree, new: list[int]) -> Part[None]:
    """Let the PRM and the self-critic see new nodes, and read the answers of the finished ones."""
    if not new:
        return
    values = yield Evaluate(tuple(tree.steps(i) for i in new))
    yield ev.Evaluated(
        [ev.NodeValue(i, _clamped(tree, v)) for i, v in zip(new, values, strict=True)]
    )
    yield from judge(tree, new)
    yield from look_for_answers(tree, [i for i in new if tree.node(i).finished])


def _clamped(tree: Tree, value: float) -> float:
    low, high = tree.value_range
    return min(max(value, low), high)


def _mapping(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


def _step(tree: Tree, identifier: int) -> Node:
    node = tree.node(identifier)
    if node.parent is None:
        raise EventError("The root holds no step: choose a node below it.")
    return node


def _open(tree: Tree, identifier: int) -> Node:
    """The node, which must be one that steps can follow: a dead end lacks nothing else."""
    node = tree.node(identifier)
    if node.finished and not node.dead_end:
        raise EventError(f"Node {node.id} is finished: no step follows it.")
    if node.hidden:
        raise EventError(f"Node {node.id} is pruned: bring it back first.")
    return node


def _child(tree: Tree, parent: Node, step: str) -> Node | None:
    children = map(tree.node, parent.children)
    return next((child for child in children if child.step == step), None)


def unused_slot(tree: Tree, parent: Node) -> int:
    """The first of a group of `branch` beyond all that the search has asked for anywhere, or will
    ask for here by its own count: in some searches a solution goes on from the slot it began with,
    or a group is a subtree.
    """

    def number(name: str, without: int) -> int:
        value = tree.params.get(name, without)
        return value if isinstance(value, int) else without

    branch = number("branch", 1)
    times = max(number("max_expansions", 1) + 1, number("width", 1), number("subtrees", 1))
    (same,) = twins(tree, [parent.id])
    reserved = max(branch * times, number("samples", 0)) * len(same)
    used = max(max(node.slot + 1, node.asked) for node in tree.nodes)
    return -(-max(reserved, used) // branch) * branch


def _distinct(tree: Tree, parent: Node, accepted: Sequence[Proposal]) -> list[ev.NewNode]:
    seen = {tree.node(child).step for child in parent.children}
    new: list[ev.NewNode] = []
    for item in accepted:
        if item.step not in seen:
            seen.add(item.step)
            number = len(tree.nodes) + len(new)
            new.append(item.node(number))
    return new


def _above(tree: Tree, node: Node, value: float) -> list[ev.Backup]:
    """V of the nodes above a node that takes another one."""
    if not node.visits or node.pruned:
        return []
    return _followed(tree, node, ev.Backup(node.id, value, node.visits))


def _without(tree: Tree, node: Node, pruned: bool) -> list[ev.Backup]:
    """V of the nodes above a node that is pruned or brought back."""
    if not node.visits:
        return []
    return _followed(tree, node, ev.Backup(node.id, node.value, 0 if pruned else node.visits))


def _followed(tree: Tree, node: Node, now: ev.Backup) -> list[ev.Backup]:
    fresh = {node.id: now}
    below = node
    for identifier in reversed(tree.path(node.id)[:-1]):
        one = tree.node(identifier)
        # What is below a pruned node counts for nothing above it, and a person's value stands.
        if (below.pruned and below is not node) or one.found_value is not None:
            break
        # With every visited child pruned, the PRM's own value is all that is known.
        mean = mean_of_children(tree, one, fresh)
        value = one.prm_value if mean is None else mean
        if value is None or value == one.value:
            break
        fresh[identifier] = ev.Backup(identifier, value, one.visits)
        below = one
    return list(fresh.values())[1:]


def _without_person(tree: Tree, node: Node) -> float:
    """V of a node without a person's word on it."""
    mean = mean_of_children(tree, node) if node.found_value is not None else None
    return node.machine_value if mean is None else mean


def _reopen(tree: Tree) -> Part[None]:
    """Say what is not exhausted any more after the last event."""
    nodes = algorithm(tree.algorithm).reopened(tree, params_of(tree))
    if nodes:
        yield ev.Reopened(nodes)
