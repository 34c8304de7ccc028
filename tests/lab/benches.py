"""Worlds that can be held up or broken, and what tests of the workbench do again and again."""

import threading
from collections.abc import Sequence
from typing import Any

from engine.models.base import Completion, PrefixRequest, ProposalRequest, Valuation
from lab.results import ModelSettings, RunState
from lab.workbench import Workbench
from tests.engine.worlds import World

SETTINGS = ModelSettings(policy="world", prm="world")
LONG = 60.0


class Gate(World):
    """A world whose proposals wait for permission, counted."""

    def __init__(self) -> None:
        super().__init__(words=9)
        self.asked = threading.Semaphore(0)
        self.allowed = threading.Semaphore(0)
        self.open = False

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        self.asked.release()
        if not self.open:
            assert self.allowed.acquire(timeout=LONG)
        return super().propose(requests)

    def let_all_through(self) -> None:
        self.open = True
        self.allowed.release(1000)


class Broken(World):
    """A world whose PRM fails in a way of one's choice."""

    def __init__(self) -> None:
        super().__init__(words=9)
        self.error: BaseException | None = None
        self.value: float | None = None

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        if self.error is not None:
            raise self.error
        if self.value is not None:
            return [Valuation(self.value) for _ in requests]
        return super().score(requests)


def grown(bench: Workbench, session: str) -> list[dict[str, Any]]:
    """The tree without answers: the end of each run reads that of its best node so far."""
    nodes = bench.export(session)["nodes"]
    return [{**node, "answer": None, "correct": None} for node in nodes]


def finish(bench: Workbench, session: str, **limits: Any) -> RunState:
    bench.run(session, **limits)
    return bench.wait(session, timeout=LONG)
