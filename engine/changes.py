"""What each event does to a tree; `Tree.apply` is the only caller."""

import math
from bisect import bisect_left
from datetime import date
from functools import singledispatch
from typing import TYPE_CHECKING

from engine import events as ev
from engine.errors import EventError
from engine.node import Node, Source
from engine.refused import of_event

if TYPE_CHECKING:
    from engine.tree import Tree


@singledispatch
def change(event: ev.Event, tree: "Tree") -> None:
    """Change a tree by one event.

    Raises:
        EventError: the event does not fit; the tree is then unchanged.
    """
    raise EventError(f"Unknown event {type(event).__name__}.")


def _is_end(node: Node) -> bool:
    return node.finished and not node.expanded and not node.hidden


def _file(tree: "Tree", node: Node, was_end: bool) -> None:
    """Put a node that has changed where it belongs now in `growing` and `ends`."""
    if node.expanded or node.finished or node.exhausted or node.hidden:
        tree.growing.discard(node.id)
    else:
        tree.growing.add(node.id)
    if _is_end(node) != was_end:
        # Children are in creation order, so paths of ids sort depth-first.
        place = bisect_left(tree.ends, tree.path(node.id), key=tree.path)
        tree.ends[place : place + was_end] = [] if was_end else [node.id]


@change.register(ev.SearchCreated)
def _(event: ev.SearchCreated, tree: "Tree") -> None:
    if tree.nodes:
        raise EventError("A log has one search_created, at its start; here is a second one.")
    tree.question, tree.gold = event.question, event.gold
    tree.algorithm, tree.params, tree.seed = event.algorithm, event.params, event.seed
    tree.version, tree.date = event.version, _day(event.date)
    tree.step_format = event.step_format
    tree.policy, tree.prm = event.policy, event.prm
    _note_source(tree)
    tree.nodes.append(Node(id=0, parent=None, depth=0, step=""))
    tree.growing.add(0)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError as error:
        raise EventError(
            f"The search began on {text!r:.40}, which is no day of the form YYYY-MM-DD."
        ) from error


@change.register(ev.IterationStarted)
def _(event: ev.IterationStarted, tree: "Tree") -> None:
    if event.iteration != tree.iteration + 1:
        raise EventError(f"Iteration {event.iteration} cannot follow iteration {tree.iteration}.")
    tree.iteration = event.iteration
    tree.phase, tree.selected_path, tree.picks, tree.rollout = "started", [], [], None


@change.register(ev.Selected)
def _(event: ev.Selected, tree: "Tree") -> None:
    for identifier in event.path:
        tree.node(identifier)
    tree.phase, tree.selected_path, tree.picks = "selected", event.path, event.picks


@change.register(ev.Closed)
def _(event: ev.Closed, tree: "Tree") -> None:
    node = tree.node(event.node)
    if not node.closed:
        node.closed = True
        tree.closed.append(node.id)


@change.register(ev.Judged)
def _(event: ev.Judged, tree: "Tree") -> None:
    node = tree.node(event.node)
    was_end = _is_end(node)
    node.verdict, node.verdict_source = event.verdict, event.source
    node.verdict_probability, node.analysis = event.probability, event.analysis
    _file(tree, node, was_end)


@change.register(ev.Expanded)
def _(event: ev.Expanded, tree: "Tree") -> None:
    parent = tree.node(event.node)
    _check_numbers(tree, event.children)
    tree.phase = "expanded"
    if event.status == "expanded":
        was_end = _is_end(parent)
        parent.expansions += 1
        _give_children(tree, parent, event.children, was_end)
    found = of_event(event)
    tree.refusals += found
    if event.status == "end_no_proposals" and found.refused:
        tree.blocked.add(parent.id)


def _check_numbers(tree: "Tree", children: list[ev.NewNode]) -> None:
    first, numbers = len(tree.nodes), [child.id for child in children]
    if numbers != list(range(first, first + len(children))):
        raise EventError(
            f"New nodes must be numbered from {first} on, in order of creation; got {numbers}."
        )


def _give_children(
    tree: "Tree",
    parent: Node,
    children: list[ev.NewNode],
    was_end: bool,
    origin: ev.Origin = "policy",
    source: Source | None = None,
) -> None:
    for child in children:
        parent.children.append(child.id)
        tree.growing.add(child.id)
        tree.nodes.append(
            Node(
                id=child.id,
                parent=parent.id,
                depth=parent.depth + 1,
                step=child.step,
                slot=child.slot,
                attempt=child.attempt,
                tokens=child.tokens,
                logprob=child.logprob,
                end=child.end,
                iteration=tree.iteration,
                origin=origin,
                source=source or tree.source,
            )
        )
    _file(tree, parent, was_end)


def _note_source(tree: "Tree") -> None:
    """Keep what new nodes are made with, once for all of them."""
    sampling = tree.params.get("sampling")
    temperature = sampling.get("temperature") if isinstance(sampling, dict) else None
    known = float(temperature) if isinstance(temperature, int | float) else None
    tree.source = Source(tree.policy, tree.prm, known)


@change.register(ev.Evaluated)
def _(event: ev.Evaluated, tree: "Tree") -> None:
    nodes = [tree.node(item.node) for item in event.values]
    for node, item in zip(nodes, event.values, strict=True):
        node.value = node.prm_value = item.value
    tree.phase = "evaluated"


@change.register(ev.RolledOut)
def _(event: ev.RolledOut, tree: "Tree") -> None:
    node = tree.node(event.node)
    _back_up(node, event.value_after, event.visits)
    node.rolled_out = event
    tree.refusals += of_event(event)
    tree.rollout = event
    if tree.phase != "concluded":  # a person's roll-out changes no answer
        tree.phase = "rolled out"


@change.register(ev.BackedUp)
def _(event: ev.BackedUp, tree: "Tree") -> None:
    nodes = [tree.node(item.node) for item in event.backups]
    for node, item in zip(nodes, event.backups, strict=True):
        _back_up(node, item.value, item.visits)
    tree.phase = "backed up"


def _back_up(node: Node, value: float, visits: int) -> None:
    node.visits = visits
    if value == node.value or node.locked:  # logs of before there were locks would change it
        return
    node.value, node.found_value = value, None  # it is the search's again


@change.register(ev.Committed)
def _(event: ev.Committed, tree: "Tree") -> None:
    tree.tip, tree.committed_at = tree.node(event.node).id, tree.iteration


@change.register(ev.Exhausted)
def _(event: ev.Exhausted, tree: "Tree") -> None:
    for node in [tree.node(identifier) for identifier in event.nodes]:
        node.exhausted = True
        tree.growing.discard(node.id)


@change.register(ev.Answered)
def _(event: ev.Answered, tree: "Tree") -> None:
    node = tree.node(event.node)
    node.answered, node.answer = True, event.answer
    node.correct, node.summary = event.correct, event.summary


@change.register(ev.IterationFinished)
def _(event: ev.IterationFinished, tree: "Tree") -> None:
    if event.iteration != tree.iteration:
        raise EventError(
            f"Iteration {event.iteration} cannot finish: iteration {tree.iteration} is under way."
        )
    tree.cost = tree.cost + event.cost
    tree.costs.append(event.cost)
    tree.drawn.update(event.drawn)
    tree.read.append(event.read)
    tree.stop = event.stop


@change.register(ev.Concluded)
def _(event: ev.Concluded, tree: "Tree") -> None:
    for identifier in (event.best, event.chosen, event.voted):
        if identifier is not None:
            tree.node(identifier)
    tree.best, tree.voted, tree.chosen = event.best, event.voted, event.chosen
    tree.cost = tree.cost + event.cost
    tree.drawn.update(event.drawn)
    tree.read.append(event.read)
    tree.phase = "concluded"


@change.register(ev.Noted)
def _(event: ev.Noted, tree: "Tree") -> None:
    if event.node is None:
        tree.note = event.text
    else:
        tree.node(event.node).note = event.text


@change.register(ev.Marked)
def _(event: ev.Marked, tree: "Tree") -> None:
    node = _step(tree, event.node)
    node.mark, node.mark_reason = event.verdict, event.reason if event.verdict else ""


@change.register(ev.Regraded)
def _(event: ev.Regraded, tree: "Tree") -> None:
    node = tree.node(event.node)
    if event.correct is not None and not node.answered:
        raise EventError(
            f"Node {node.id} cannot be graded: no final answer was looked for there. Grade a "
            "finished solution, or mark the step."
        )
    node.regraded = event.correct


@change.register(ev.Overruled)
def _(event: ev.Overruled, tree: "Tree") -> None:
    node = _step(tree, event.node)
    low, high = tree.value_range
    if event.value is not None and not (math.isfinite(event.value) and low <= event.value <= high):
        raise EventError(
            f"The value of node {node.id} cannot be {event.value!r}: it takes a number from "
            f"{low:g} to {high:g}."
        )
    changed = [(tree.node(item.node), item.value) for item in event.backups]
    if event.value is None:
        if node.found_value is not None:
            node.value = node.found_value
        node.locked, node.found_value = False, None
    else:
        if node.found_value is None:
            node.found_value = node.value
        node.locked, node.value = event.locked, event.value
    node.overruled = event.value
    for other, value in changed:
        other.value = value
    _reconsider(tree)


@change.register(ev.Pruned)
def _(event: ev.Pruned, tree: "Tree") -> None:
    node = _step(tree, event.node)
    changed = [(tree.node(item.node), item.value) for item in event.backups]
    node.pruned = event.pruned
    _hide(tree, node)
    for other, value in changed:
        other.value = value
    _go_on(tree)
    _reconsider(tree)


def _hide(tree: "Tree", node: Node) -> None:
    """Let what is at and below a node be hidden as far as something at or above it is pruned."""
    for one in tree.depth_first(node.id):
        above = one.parent is not None and tree.nodes[one.parent].hidden
        was_end, one.hidden = _is_end(one), one.pruned or above
        _file(tree, one, was_end)


@change.register(ev.Reopened)
def _(event: ev.Reopened, tree: "Tree") -> None:
    _reopen(tree, [tree.node(identifier) for identifier in event.nodes])


def _reopen(tree: "Tree", nodes: list[Node]) -> None:
    for node in nodes:
        node.exhausted = False
        _file(tree, node, _is_end(node))
    _go_on(tree)


def _go_on(tree: "Tree") -> None:
    """What ended the search may not end it now, unless nothing is left to do."""
    if not tree.root.exhausted:
        tree.stop = ""


def _reconsider(tree: "Tree") -> None:
    """What was chosen before a person spoke may not be chosen now."""
    if tree.phase == "concluded":
        tree.phase = ""


@change.register(ev.Added)
def _(event: ev.Added, tree: "Tree") -> None:
    parent = tree.node(event.node)
    _check_numbers(tree, event.children)
    if parent.hidden or (parent.finished and not parent.dead_end):
        state = "pruned" if parent.hidden else "finished"
        raise EventError(f"Node {parent.id} is {state}: no step can be added below it.")
    parent.asked = max(parent.asked, event.asked)
    tree.refusals += of_event(event)
    if event.children:
        was_end = _is_end(parent)
        if parent.dead_end:  # a step follows it after all
            parent.verdict, parent.verdict_source = "unknown", ""
        _reopen(tree, [tree.nodes[identifier] for identifier in tree.path(parent.id)])
        source = tree.source
        if event.temperature is not None:
            source = source._replace(temperature=event.temperature)
        _give_children(tree, parent, event.children, was_end, event.origin, source)
        _reconsider(tree)


@change.register(ev.Acted)
def _(event: ev.Acted, tree: "Tree") -> None:
    tree.cost = tree.cost + event.cost
    tree.drawn.update(event.drawn)
    tree.read.append(event.read)


@change.register(ev.ParametersChanged)
def _(event: ev.ParametersChanged, tree: "Tree") -> None:
    tree.params = event.params
    _go_on(tree)
    _note_source(tree)
    _reconsider(tree)


@change.register(ev.ModelsChosen)
def _(event: ev.ModelsChosen, tree: "Tree") -> None:
    tree.policy, tree.prm = event.policy, event.prm
    _note_source(tree)


@change.register(ev.Tagged)
def _(event: ev.Tagged, tree: "Tree") -> None:
    if event.node is None:
        tree.tags = tuple(event.tags)
    else:
        tree.node(event.node).tags = tuple(event.tags)


@change.register(ev.Rewound)
def _(event: ev.Rewound, tree: "Tree") -> None:
    raise EventError("Going back is no change of a tree: fold the log again.")


def _step(tree: "Tree", identifier: int) -> Node:
    """The node, which must have a step that a person can speak of."""
    node = tree.node(identifier)
    if node.parent is None:
        raise EventError("The root holds no step: mark or overrule a node below it.")
    return node
