"""Replays a recorded trace of the reference implementation through the production search.

The policy, the PRM and the self-critic answer from the trace's tables; everything else is the code
that a person's search runs through: driver, fulfiller, algorithm, tree, rewards.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine import events as ev
from engine.models.base import (
    Completion,
    CriticMode,
    Judgement,
    PrefixRequest,
    ProposalRequest,
    Summary,
    Valuation,
)
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search, create
from engine.search.mcts_star import REFERENCE

VERDICTS = {"<end>": "end", "<continue>": "continue", "": "unknown"}


class TracePolicy:
    """Policy and self-critic of a trace."""

    identity = "trace"

    def __init__(self, trace: dict[str, Any]) -> None:
        self._trace = trace

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        return [self._propose(request) for request in requests]

    def _propose(self, request: ProposalRequest) -> Completion:
        slots = self._trace["policy"]["".join(request.steps)]
        attempts = slots[request.slot] if request.slot < len(slots) else []
        if request.attempt >= len(attempts):
            return Completion(None, "", "no reply")
        attempt = attempts[request.attempt]
        return Completion(attempt["raw"], attempt["step"], "" if attempt["step"] else "rejected")

    def judge(self, requests: Sequence[PrefixRequest], mode: CriticMode) -> list[Judgement]:
        rows = [self._trace["end"]["".join(request.steps)] for request in requests]
        return [
            Judgement(VERDICTS[row["flag"]], "text" if row["text_rule"] else "reply")  # type: ignore[arg-type]
            for row in rows
        ]

    def summarise(self, requests: Sequence[PrefixRequest]) -> list[Summary]:
        rows = [self._trace["summary"]["".join(request.steps)] for request in requests]
        return [Summary(row["summary"], row["extracted"]) for row in rows]


class TracePRM:
    """Process reward model of a trace."""

    identity = "trace"

    def __init__(self, trace: dict[str, Any]) -> None:
        self._trace = trace

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        return [Valuation(self._trace["value"]["".join(r.steps)]) for r in requests]


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
        driver = Driver(TracePolicy(self.trace), TracePRM(self.trace), MemoryArchive())
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
