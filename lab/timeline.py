"""A session as it was at every event: what each one changed, for whoever plays it back.

The page gets all frames at once and folds them itself, so that moving in time asks nobody.
"""

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from engine import events as ev
from engine.tree import Tree, standing
from lab.live import LiveSession
from lab.view import View, acted, node_record, outcome, touched_by

_KEPT = 3
_MOST_ANSWERS = 12
_ENDS = (
    *(ev.IterationFinished, ev.Concluded, ev.Acted),
    *(ev.Overruled, ev.Pruned, ev.Regraded, ev.ParametersChanged),
)
"""After these the answer may be another one."""


class Timelines:
    """The timelines of the sessions that were asked for last. Safe to use from many threads.

    Args:
        current: gives a session with everything that is on disk of it.
    """

    def __init__(self, current: Callable[[str], LiveSession]) -> None:
        self._current = current
        self._known: OrderedDict[str, _Timeline] = OrderedDict()
        self._lock = threading.Lock()

    def frames(self, session: str, after: int = 0, limit: int | None = None) -> dict[str, Any]:
        """What events changed, from one place of the log on.

        Args:
            session: id.
            after: place of the last frame that is known already, 0 for none.
            limit: most frames of one answer, None for all.

        Returns:
            `frames`: of the events that count, in order: `at` (place in the log), `kind`,
            `iteration`, `phase`, `nodes` (of each node that changed its id and the fields that
            did, as in `View.delta`), and where they change `acted` (whether a person has acted
            since the iteration began), `path` (what was selected), `picks`, `best_path`, `value`
            (V of the node of the answer), `answer`, `correct`, `answers`, `tie`, and `cost` (so
            far: `policy_generated`, `prm_unique`, `seconds`). `reset`: they begin at the first
            event, because the log went back meanwhile. `more`: frames that were left out.
            `total`: frames in all.

        Raises:
            StoreError: the session does not exist or cannot be read.
        """
        view = self._current(session).view
        with self._lock:
            known = self._known.pop(session, None)
            if known is None or not known.goes_on(view):
                known = _Timeline()
            known.catch_up(view)
            self._known[session] = known
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
            first = bisect_left(known.frames, after, key=lambda frame: frame["at"])
            met = first < len(known.frames) and known.frames[first]["at"] == after
            reset, first = not met, first + 1 if met else 0
            last = len(known.frames) if limit is None else first + limit
            return {
                "reset": reset,
                "frames": known.frames[first:last],
                "more": max(0, len(known.frames) - last),
                "total": len(known.frames),
            }


class _Timeline:
    """Frames of one log, extended as it grows."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self._tree = Tree()
        self._records: dict[int, dict[str, Any]] = {}
        self._facts: dict[str, Any] = {}
        self._log: list[ev.Event] = []

    def goes_on(self, view: View) -> bool:
        """Whether the log is the known one with more behind it, none of which goes back."""
        length = len(self._log)
        more = view.log[length:]
        same = length == 0 or (len(view.log) >= length and view.log[length - 1] is self._log[-1])
        return same and not any(isinstance(event, ev.Rewound) for event in more)

    def catch_up(self, view: View) -> None:
        """Add the frames that are missing."""
        length = len(self._log)
        log = list(view.log)
        new = standing(log) if length == 0 else list(enumerate(log[length:], length + 1))
        for place, event in new:
            self._tree.apply(event)
            self.frames.append(self._frame(place, event))
        self._log = log

    def _frame(self, place: int, event: ev.Event) -> dict[str, Any]:
        tree = self._tree
        since = acted([event], self._facts.get("acted", False))
        facts = {**self._facts, "path": list(tree.selected_path), "acted": since}
        if isinstance(event, ev.IterationStarted | ev.Selected):
            facts["picks"] = msgspec.to_builtins(tree.picks)
        if isinstance(event, _ENDS) or not self._facts:
            facts |= _found(tree)
        changed = {name: value for name, value in facts.items() if self._facts.get(name) != value}
        self._facts = facts
        return {
            "at": place,
            "kind": type(event).__struct_config__.tag,
            "iteration": tree.iteration,
            "phase": tree.phase,
            "nodes": [self._changes(node) for node in sorted(set(touched_by(event, tree)))],
            **changed,
        }

    def _changes(self, node: int) -> dict[str, Any]:
        before = self._records.get(node, {})
        now = node_record(self._tree.node(node))
        self._records[node] = now
        fields = {name: value for name, value in now.items() if before.get(name, ...) != value}
        return {**fields, "id": node}


def _found(tree: Tree) -> dict[str, Any]:
    """What a tree answers, and what it took so far."""
    found, cost = outcome(tree), tree.cost
    return {
        "best_path": tree.path(found.best),
        "value": tree.node(found.best).value,
        "answer": found.answer,
        "correct": found.correct,
        "answers": msgspec.to_builtins(found.groups[:_MOST_ANSWERS]),
        "tie": msgspec.to_builtins(found.tie),
        "cost": {
            "policy_generated": cost.policy_generated,
            "prm_unique": cost.prm_unique,
            "seconds": cost.seconds,
        },
    }
