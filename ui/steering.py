"""Steering a search, its history, and what is known of a node: what the page's script asks."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ui.interface import Workbench
from ui.steering_interface import Item

_LONGEST = 200  # characters of a step or note in the history


class SteeringDoor:
    """What a person does to a session, for the view.

    Acts that need no model are done when the answer comes; how the others go is the state of the
    session's run.

    Args:
        workbench: what is shown.
    """

    FUNCTIONS: tuple[str, ...] = (
        "pause",
        "stop",
        "overrule",
        "prune",
        "write_step",
        "expand",
        "roll_out",
        "keep_rollout",
        "tag",
        "consequences",
        "history",
        "rewind",
        "undo",
        "redo",
        "fork",
        "value_history",
        "tokens",
        "reading",
    )

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def pause(self, session: str) -> dict[str, Any]:
        """Hold a run before it asks a model again."""
        self._workbench.steering.hold(session)
        return {}

    def stop(self, session: str) -> dict[str, Any]:
        """End a run; an unfinished iteration is dropped."""
        self._workbench.stop(session)
        return {}

    def overrule(
        self, session: str, node: int, value: float | None, locked: bool = True
    ) -> dict[str, Any]:
        given = None if value is None else float(value)
        self._workbench.steering.overrule(session, int(node), given, bool(locked))
        return {}

    def prune(self, session: str, node: int, pruned: bool) -> dict[str, Any]:
        self._workbench.steering.prune(session, int(node), bool(pruned))
        return {}

    def write_step(self, session: str, node: int, text: str) -> dict[str, Any]:
        self._workbench.steering.write(session, int(node), str(text))
        return {}

    def expand(
        self, session: str, node: int, count: Any, temperature: Any = None
    ) -> dict[str, Any]:
        heat = None if temperature is None else float(temperature)
        self._workbench.steering.expand(session, int(node), _whole(count, "children"), heat)
        return {}

    def roll_out(self, session: str, node: int, steps: Any) -> dict[str, Any]:
        self._workbench.steering.roll_out(session, int(node), _whole(steps, "steps"))
        return {}

    def keep_rollout(self, session: str, node: int) -> dict[str, Any]:
        self._workbench.steering.keep_rollout(session, int(node))
        return {}

    def tag(self, session: str, node: int, tags: Sequence[str]) -> dict[str, Any]:
        self._workbench.steering.tag(session, int(node), [str(tag) for tag in tags])
        return {}

    def consequences(
        self, session: str, node: int, value: float | None = None, pruned: bool | None = None
    ) -> dict[str, Any]:
        """What overruling or pruning would do; nothing is written."""
        given = None if value is None else float(value)
        found = self._workbench.steering.consequences(session, int(node), given, pruned)
        return dict(msgspec.to_builtins(found))

    # Time.

    def history(self, session: str) -> dict[str, Any]:
        """Everything that was done, iterations in a row as one line, and the place of the state.

        Returns:
            `rows` in the order of doing; `at`, the place in the log where the state is.
        """
        items = self._workbench.steering.history(session)
        at = max((item.last for item in items if item.standing), default=0)
        return {"rows": _rows(items), "at": at}

    def rewind(self, session: str, to: int) -> dict[str, Any]:
        self._workbench.steering.rewind(session, int(to))
        return {}

    def undo(self, session: str) -> dict[str, Any]:
        self._workbench.steering.undo(session)
        return {}

    def redo(self, session: str) -> dict[str, Any]:
        self._workbench.steering.redo(session)
        return {}

    def fork(self, session: str, at: int) -> dict[str, Any]:
        """A new session with the log up to a place."""
        return {"session": self._workbench.steering.fork(session, int(at))}

    # One node.

    def value_history(self, session: str, node: int) -> dict[str, Any]:
        """V of a node over time."""
        return {"points": msgspec.to_builtins(self._workbench.studies.values(session, int(node)))}

    def tokens(self, session: str, node: int) -> dict[str, Any]:
        """The tokens of a node's step with their log-probabilities."""
        return dict(msgspec.to_builtins(self._workbench.studies.tokens(session, int(node))))

    def reading(self, session: str, node: int) -> dict[str, Any]:
        """What the models read at a node, the raw reply, and what was refused beside it."""
        return dict(msgspec.to_builtins(self._workbench.studies.reading(session, int(node))))


def _whole(number: Any, what: str) -> int:
    if not isinstance(number, int | float) or number != int(number):
        raise ValueError(f"The number of {what} cannot be {number!r}: it is a whole number.")
    return int(number)


def _rows(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Items as lines; iterations that follow one another are one line with the `ends` of each."""
    rows: list[dict[str, Any]] = []
    for item in items:
        last = rows[-1] if rows else None
        follows = last is not None and (last["doing"], last["standing"], last["last"]) == (
            "iteration",
            item.standing,
            item.before,
        )
        if last is not None and follows and item.doing == "iteration":
            last["to"], last["last"] = item.iteration, item.last
            last["ends"].append(item.last)
            continue
        rows.append(
            {
                "doing": item.doing,
                "from": item.iteration,
                "to": item.iteration,
                "first": item.first,
                "last": item.last,
                "before": item.before,
                "ends": [item.last],
                "standing": item.standing,
                "node": item.node,
                "value": item.value,
                "text": item.text[:_LONGEST],
            }
        )
    return rows
