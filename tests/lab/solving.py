"""What tests of batches share: data sets in files, and logs without what may differ."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.models.base import PrefixRequest, Valuation
from engine.tasks.datasets import Dataset
from lab.workbench import Workbench
from sessions.rows import SessionRow
from sessions.store import Store
from tests.engine.worlds import World

# Work that depends on what else ran; what a search was charged with does not.
WORK = ("seconds", "forwarded", "cached", "padded")


def write(path: Path, count: int, first: int = 0) -> str:
    """A file of problems of the tests' world."""
    rows = [{"question": f"What {n}?", "answer": "1"} for n in range(first, first + count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def dataset(bench: Workbench, count: int) -> Dataset:
    return bench.dataset(write(bench.home / f"{count}.jsonl", count))


def log(bench: Workbench, session: str) -> list[dict[str, Any]]:
    """A session's log; of costs what every run has to charge alike."""
    events = bench.export(session)["log"]
    for event in events:
        for name in list(event.get("cost", ())):
            if any(word in name for word in WORK):
                del event["cost"][name]
    return list(events)


def logs(bench: Workbench, batch: str) -> dict[str, list[dict[str, Any]]]:
    """The logs of a batch by question."""
    found = {}
    for problem in bench.batch_problems(batch):
        assert problem.session is not None
        events = log(bench, problem.session)
        found[events[0]["question"]] = events
    return found


class Picky(World):
    """A world that has no value for some questions."""

    def __init__(self, *bad: str) -> None:
        super().__init__(words=9)
        self.bad = set(bad)

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        for request in requests:
            if request.question in self.bad:
                raise RuntimeError(f"no value for {request.question}")
        return super().score(requests)


def done(store: Store) -> dict[str, SessionRow]:
    """The sessions of finished problems, as they are on disk."""
    return {
        problem.session: store.session(problem.session)
        for row in store.batches.rows()
        for problem in store.batches.problems(row.id)
        if problem.status == "done" and problem.session is not None
    }
