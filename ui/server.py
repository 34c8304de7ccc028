"""What the page's script may ask: thin, JSON-able answers of the workbench."""

from collections.abc import Callable
from itertools import count
from typing import Any

from ui.batches import Batches, order
from ui.evaluations import EvaluationsDoor
from ui.interface import Workbench
from ui.models import ModelsDoor
from ui.rewards import RewardsDoor
from ui.rounds import RoundsDoor
from ui.sessions import SessionsDoor
from ui.steering import SteeringDoor
from ui.studies import StudiesDoor
from ui.tree_view import ServerFunction

_serial = count(1)


def reply(**content: Any) -> dict[str, Any]:
    """A reply of the form's presses; the serial makes two equal ones differ."""
    return {"serial": next(_serial), **content}


def words(error: Exception) -> str:
    """What to tell a person of an error."""
    return str(error) or type(error).__name__


def _exposed(door: Any, name: str) -> ServerFunction:
    method = getattr(door, name)

    def function(query: dict[str, Any]) -> Any:
        try:
            return method(**query)
        except Exception as error:  # the view shows it; a lost poll is asked again
            return {"error": words(error)}

    function.__name__ = name
    return function


class Server:
    """The server functions of the view, over one workbench.

    Every door (this one, those of the sheets) names its `FUNCTIONS`; each takes the fields of a
    query and returns something JSON-able.

    Args:
        workbench: what is shown.
        batches: the sheet of datasets.
        check: of a path that a person has entered; raises if it is out of bounds.
    """

    FUNCTIONS = (
        "delta",
        "node",
        "note",
        "about",
        "settings",
        "dataset",
        "batches",
        "problems",
        "go_on",
        "stop_batch",
    )

    def __init__(
        self, workbench: Workbench, batches: Batches, check: Callable[[str], str] = str
    ) -> None:
        self._workbench = workbench
        self._batches = batches
        self._doors: list[Any] = [
            self,
            SessionsDoor(workbench),
            ModelsDoor(workbench, check),
            RewardsDoor(workbench),
            RoundsDoor(workbench, check),
            SteeringDoor(workbench),
            StudiesDoor(workbench),
            EvaluationsDoor(workbench, check),
        ]

    def functions(self) -> list[ServerFunction]:
        """All of them, as Gradio wants them: plain functions with the names the script calls."""
        return [_exposed(door, name) for door in self._doors for name in door.FUNCTIONS]

    def delta(self, session: str, since: int) -> dict[str, Any]:
        """What changed; with everything of a session come its settings."""
        found = self._workbench.delta(session, int(since))
        new = since < 0 or found["reset"]
        return {**found, "settings": self.settings(session)} if new else found

    def node(self, session: str, node: int) -> dict[str, Any]:
        return self._workbench.node(session, int(node))

    def note(self, session: str, node: int, text: str) -> dict[str, Any]:
        self._workbench.note(session, int(node), str(text))
        return {}

    def about(self) -> dict[str, Any]:
        """The models in use, what a person should know about them once they are loaded, and the
        names of bundled problems.
        """
        models = self._workbench.models
        names = ("policy", "prm", "quant", "device")
        return {
            **{name: getattr(models, name) for name in names},
            "notices": list(self._workbench.notices()),
            "bundled": self._batches.bundled(),
        }

    def settings(self, session: str) -> dict[str, Any]:
        """What a session was made with, besides its question."""
        found = self._workbench.settings(session)
        return {
            "algorithm": found.algorithm,
            "params": dict(found.params),
            "sampling": dict(found.sampling),
            "seed": found.seed,
            "gold": found.gold,
        }

    # Datasets.

    def dataset(self, entered: dict[str, Any]) -> dict[str, Any]:
        """What a reader finds in a dataset."""
        return self._batches.report(order(entered))

    def batches(self) -> dict[str, Any]:
        """All batches, the newest first."""
        return {"batches": self._batches.states()}

    def problems(
        self, batch: str, kind: str, search: str, offset: int, limit: int
    ) -> dict[str, Any]:
        """Problems of a batch; see `Batches.problems`."""
        return self._batches.problems(batch, kind, str(search), int(offset), int(limit))

    def go_on(self, batch: str) -> dict[str, Any]:
        self._batches.go_on(batch)
        return {}

    def stop_batch(self, batch: str) -> dict[str, Any]:
        self._batches.stop(batch)
        return {}
