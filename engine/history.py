"""What was done to a search, one after the other: iterations and a person's acts, undone ones too.

Places count the events of a log from 1. A log can be gone back to the end of any item, and is cut
there when a session is forked.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from engine import events as ev
from engine.errors import EventError
from engine.tree import standing

Doing = Literal[
    "created",
    "iteration",
    "concluded",
    "overruled",
    "restored",
    "pruned",
    "brought_back",
    "wrote",
    "asked",
    "rolled_out",
    "kept",
    "marked",
    "graded",
    "noted",
    "tagged",
    "parameters",
    "models",
]


class Item(msgspec.Struct, frozen=True):
    """One thing that was done.

    Attributes:
        doing: what.
        first, last: its events in the log.
        before: the place that it followed, 0 for the first.
        standing: whether it counts in the present state.
        iteration: the number of an iteration, or of the one before it.
        node: that it was done to, None for the whole session.
        value: that a person gave, or the temperature of children asked for; None otherwise.
        text: a step, reason, note or verdict in words; of a value "locked" or "unlocked" where the
            lock alone changed, "not locked" where it came without one.
    """

    doing: Doing
    first: int
    last: int
    before: int
    standing: bool
    iteration: int
    node: int | None = None
    value: float | None = None
    text: str = ""


def items(log: Sequence[ev.Event]) -> list[Item]:
    """Everything that was done, in the order of doing; what is in the midst is left out.

    Raises:
        EventError: the log goes back to where there is nothing.
    """
    counts = {place for place, _ in standing(log)}
    found: list[Item] = []
    at, iteration, first = 0, 0, 0
    known: dict[int, int] = {0: 0}  # the iteration at the end of each item
    params: dict[int, dict[str, object]] = {0: {}}  # the parameters there
    given: dict[int, dict[int, ev.Overruled]] = {0: {}}  # what was said last of each value there
    group: list[ev.Event] = []
    for place, event in enumerate(log, 1):
        if isinstance(event, ev.Rewound):
            at = event.to
            iteration, group = known.get(at, 0), []
            continue
        if not group:
            first = place
        group.append(event)
        if isinstance(event, ev.IterationStarted):
            iteration = event.iteration
        following = log[place] if place < len(log) else None
        if not _ends(group, following):
            continue
        node, value, text = _words(group, params[at], given[at])
        params[place], given[place] = _params(group[0], params[at]), _given(group[0], given[at])
        doing = _doing(group)
        found.append(Item(doing, first, place, at, place in counts, iteration, node, value, text))
        at, group = place, []
        known[at] = iteration
    return found


def present(log: Sequence[ev.Event]) -> int:
    """The place whose state a log is in: the end of an item; 1 at least."""
    return max((item.last for item in items(log) if item.standing), default=1)


def after_undoing(log: Sequence[ev.Event]) -> int | None:
    """The end of the item that was done at the present place and was left last, None if none is."""
    found, at = items(log), present(log)
    before = {item.last: item.before for item in found}
    visited = sorted(
        [(item.last, item.last) for item in found]
        + [(place, event.to) for place, event in enumerate(log, 1) if isinstance(event, ev.Rewound)]
    )
    for _, place in reversed(visited):
        while place in before:
            if before[place] == at:
                return place
            place = before[place]
    return None


def end_before(log: Sequence[ev.Event], place: int) -> int:
    """The end of the last item that ends at a place or before it; at least 1.

    Raises:
        EventError: the log has no such place.
    """
    if not 1 <= place <= len(log):
        raise EventError(f"There is no event {place}: this log has 1 to {len(log)}.")
    return max((item.last for item in items(log) if item.last <= place), default=1)


def _ends(group: list[ev.Event], following: ev.Event | None) -> bool:
    """Whether an item ends here."""
    last = group[-1]
    if isinstance(group[0], ev.IterationStarted):
        # The conclusion of a run belongs to its last iteration.
        done = any(isinstance(event, ev.IterationFinished) for event in group)
        return done and not _concludes(following) if not isinstance(last, ev.Concluded) else True
    if _concludes(group[0]):
        return isinstance(last, ev.Concluded)
    if isinstance(group[0], ev.Added | ev.RolledOut):
        return isinstance(last, ev.Acted)
    return not isinstance(following, ev.Reopened)


def _concludes(event: ev.Event | None) -> bool:
    return isinstance(event, ev.Answered | ev.Concluded)


def _doing(group: list[ev.Event]) -> Doing:
    match group[0]:
        case ev.SearchCreated():
            return "created"
        case ev.Overruled(value=value):
            return "restored" if value is None else "overruled"
        case ev.Pruned(pruned=pruned):
            return "pruned" if pruned else "brought_back"
        case ev.Added(origin=origin):
            named: dict[ev.Origin, Doing] = {"person": "wrote", "policy": "asked"}
            return named.get(origin, "kept")
        case ev.RolledOut():
            return "rolled_out"
        case ev.Marked():
            return "marked"
        case ev.Regraded():
            return "graded"
        case ev.Noted():
            return "noted"
        case ev.Tagged():
            return "tagged"
        case ev.ParametersChanged():
            return "parameters"
        case ev.ModelsChosen():
            return "models"
        case ev.IterationStarted():
            return "iteration"
        case _:
            return "concluded"


def _params(event: ev.Event, before: dict[str, object]) -> dict[str, object]:
    """The parameters after an event, the policy's beside those of the algorithm."""
    if not isinstance(event, ev.SearchCreated | ev.ParametersChanged):
        return before
    sampling = event.params.get("sampling")
    own = {name: value for name, value in event.params.items() if name != "sampling"}
    return {**own, **(sampling if isinstance(sampling, dict) else {})}


def _given(event: ev.Event, before: dict[int, ev.Overruled]) -> dict[int, ev.Overruled]:
    """What was said last of each value, after an event."""
    return {**before, event.node: event} if isinstance(event, ev.Overruled) else before


def _lock(event: ev.Overruled, before: ev.Overruled | None) -> str:
    """What a person's value has to do with its lock, in words; "" where it simply has one."""
    if before is not None and before.value == event.value and before.locked != event.locked:
        return "locked" if event.locked else "unlocked"
    return "" if event.locked or event.value is None else "not locked"


def _words(
    group: list[ev.Event], params: dict[str, object], given: dict[int, ev.Overruled]
) -> tuple[int | None, float | None, str]:
    """Node, value and text of an item; params, given: those before it."""
    match group[0]:
        case ev.Overruled(node=node, value=value) as event:
            return node, value, _lock(event, given.get(node))
        case ev.Pruned(node=node) | ev.RolledOut(node=node):
            return node, None, ""
        case ev.Added(node=node, children=children, temperature=heat):
            return node, heat, children[0].step if children else ""
        case ev.Marked(node=node, verdict=verdict, reason=reason):
            return node, None, f"{verdict}: {reason}" if reason else verdict
        case ev.Regraded(node=node, correct=correct):
            return node, None, {True: "right", False: "wrong", None: ""}[correct]
        case ev.Noted(node=node, text=text):
            return node, None, text
        case ev.Tagged(node=node, tags=tags):
            return node, None, ", ".join(tags)
        case ev.ParametersChanged():
            new = _params(group[0], params)
            changed = [
                f"{k.replace('_', ' ')} {params.get(k)} to {new[k]}"
                for k in new
                if new[k] != params.get(k)
            ]
            return None, None, ", ".join(changed)
        case ev.ModelsChosen(policy=policy, prm=prm):
            return None, None, f"{policy}, {prm}"
        case _:
            return None, None, ""
