"""Replays a recorded trace of the reference implementation through the production search.

The policy, the PRM and the self-critic answer from the trace's tables; everything else is the code
that a person's search runs through: driver, fulfiller, algorithm, tree, rewards.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from engine import events as ev
from engine.models.scripted import Script, ScriptedPolicy, ScriptedPRM
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search, create
from engine.search.mcts_star import REFERENCE

VERDICTS = {"<end>": "end", "<continue>": "continue", "": "unknown"}


def script(trace: dict[str, Any]) -> Script:
    """What the scripted models say; unlike in a lab, an empty answer is an answer too."""
    summaries = {
        prefix: (row["summary"], row["extracted"]) for prefix, row in trace["summary"].items()
    }
    return msgspec.structs.replace(Script.from_trace(trace), summaries=summaries)


class Replay:
    """A trace run to its end.

    Attributes:
        trace: the file.
        search: the finished search.
        iterations: the events of each iteration.
        trees: {id: (V, visits)} after each iteration.
    """

    def __init__(self, path: Path) -> None:
        self.trace: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.iterations: list[list[ev.Event]] = []
        self.trees: list[dict[int, tuple[float, int]]] = []
        self.search = Search([self._created()], self._grade)
        models = script(self.trace)
        driver = Driver(ScriptedPolicy(models), ScriptedPRM(models), MemoryArchive())
        limits = Limits(iterations=self.trace["params"]["iteration_limit"])
        driver.run([self.search], limits, self._record)

    def _created(self) -> ev.SearchCreated:
        trace = self.trace
        params = {**REFERENCE, **trace["params"], "tie_rule": trace["tie_rule"]}
        del params["iteration_limit"]
        params["rollout_choice"] = trace["rollout_choice_rule"] or "seeded"
        return create(trace["question"], trace["answer"], "mcts_star", params, 0, "trace", "trace")

    def _record(self, search: Search, events: list[ev.Event]) -> None:
        if not isinstance(events[-1], ev.IterationFinished):
            return
        self.iterations.append(events)
        self.trees.append({n.id: (n.value, n.visits) for n in search.tree.nodes})

    def _grade(self, answer: str | None) -> bool | None:
        """The trace's verdict on an extracted answer."""
        verdicts = {row["extracted"]: row["correct"] for row in self.trace["summary"].values()}
        return verdicts[answer] if answer is not None else None
