"""Time, comparisons and replays: what the script asks of them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ui.interface import ParameterInfo, Workbench
from ui.parameters import explanation

MOST_FRAMES = 2_000
"""Events in one answer; a long log comes in several."""

_MOST_SESSIONS = 200


class StudiesDoor:
    """Ways to look into searches, for the view.

    Args:
        workbench: what is shown.
    """

    FUNCTIONS: tuple[str, ...] = (
        "frames",
        "fork_at",
        "go_back_to",
        "comparable",
        "compare_sessions",
        "what_if_form",
        "what_if_look",
        "what_if_generate",
        "what_if_state",
        "calibration",
        "annotate_next",
        "lens_taught",
        "lens_look",
        "lens_state",
        "lens_cancel",
    )

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    @property
    def _studies(self) -> Any:
        return getattr(self._workbench, "studies", None)

    @property
    def _steering(self) -> Any:
        return getattr(self._workbench, "steering", None)

    # Time.

    def frames(self, session: str, after: int = 0) -> dict[str, Any]:
        """What events changed, after one that is known; see `lab.timeline`."""
        if self._studies is None:
            return {"reset": False, "frames": [], "more": 0, "total": 0}
        found: dict[str, Any] = self._studies.timelines.frames(session, int(after), MOST_FRAMES)
        return found

    def fork_at(self, session: str, at: int) -> dict[str, Any]:
        """A new session with what happened up to an event."""
        return {"session": self._steering.fork(session, int(at))}

    def go_back_to(self, session: str, at: int) -> dict[str, Any]:
        """Go back to the end of the last thing that was done before an event, or with it."""
        ends = [
            item.last
            for item in self._steering.history(session)
            if item.standing and item.last <= int(at)
        ]
        if ends:
            self._steering.rewind(session, max(ends))
        return {}

    # Comparison.

    def comparable(self, session: str) -> dict[str, Any]:
        """Other sessions of the same question, the newest first."""
        sessions = self._workbench.sessions()
        question = next((one.question for one in sessions if one.id == session), None)
        same = [one for one in sessions if one.question == question and one.id != session]
        return {
            "sessions": [
                {
                    "id": one.id,
                    "name": one.name,
                    "algorithm": one.algorithm,
                    "iterations": one.iterations,
                    "nodes": one.nodes,
                    "answer": one.answer,
                    "correct": one.correct,
                    "created": one.created,
                }
                for one in same[:_MOST_SESSIONS]
            ],
            "total": len(same),
        }

    def compare_sessions(self, session: str, other: str, method: str = "paper") -> dict[str, Any]:
        """Two sessions of one question side by side; see `lab.compare`."""
        found: dict[str, Any] = msgspec.to_builtins(
            self._studies.comparisons.sessions(session, other, method)
        )
        return found

    # What if.

    def what_if_form(self, session: str) -> dict[str, Any]:
        """The parameters of a session's search and of its policy, each with its present value, and
        how many iterations it has.
        """
        settings = self._workbench.settings(session)
        kind = next(
            (one for one in self._workbench.algorithms() if one.name == settings.algorithm), None
        )
        return {
            "iterations": self._studies.what_ifs.iterations(session),
            "algorithm": kind.title if kind else settings.algorithm,
            "params": [_field(one, settings.params) for one in (kind.parameters if kind else ())],
            "sampling": [
                _field(one, settings.sampling) for one in self._workbench.sampling_parameters()
            ],
        }

    def what_if_look(self, session: str, supposed: Mapping[str, Any]) -> dict[str, Any]:
        """See how much of a replay is stored; generates nothing."""
        what_ifs = self._studies.what_ifs
        return {"id": what_ifs.look(session, what_ifs.supposition(supposed))}

    def what_if_generate(self, id: str) -> dict[str, Any]:
        """Generate what a replay lacks, and make a session of it."""
        self._studies.what_ifs.generate(str(id))
        return {}

    def what_if_state(self, id: str) -> dict[str, Any]:
        """How far a replay is."""
        found: dict[str, Any] = msgspec.to_builtins(self._studies.what_ifs.state(str(id)))
        return found

    # Human and process reward model.

    def calibration(self, session: str, scope: str = "session") -> dict[str, Any]:
        """The process reward model against what a person said; see `lab.insight`."""
        found: dict[str, Any] = msgspec.to_builtins(
            self._studies.insights.calibration(session, scope)
        )
        return found

    def annotate_next(self, session: str, method: str = "paper") -> dict[str, Any]:
        """The nodes whose verdict would change most; see `lab.insight`."""
        found: dict[str, Any] = msgspec.to_builtins(
            self._studies.insights.annotate_next(session, method)
        )
        return found

    # Round lens.

    def lens_taught(self) -> dict[str, Any]:
        """Whether a round has taught a model in use."""
        return {"taught": self._studies.lenses.taught()}

    def lens_look(self, session: str) -> dict[str, Any]:
        """Have a tree valued by the models of every round; see `lab.lens`."""
        return {"id": self._studies.lenses.look(session)}

    def lens_state(self, id: str) -> dict[str, Any]:
        """How far that is, and what is known."""
        found: dict[str, Any] = msgspec.to_builtins(self._studies.lenses.state(str(id)))
        return found

    def lens_cancel(self, id: str) -> dict[str, Any]:
        self._studies.lenses.cancel(str(id))
        return {}


def _field(info: ParameterInfo, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": info.name,
        "symbol": info.symbol,
        "kind": info.kind,
        "value": values.get(info.name, info.default),
        "minimum": info.minimum,
        "maximum": info.maximum,
        "choices": list(info.choices),
        "help": explanation(info),
        "advanced": info.advanced,
    }
