"""The part of the scripted workbench that searches datasets: its batches get on without models."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.tasks.datasets import Dataset, DatasetProblem
from lab.results import BatchState
from sessions.batches import BatchProblem


@dataclass
class Batch:
    """One scripted batch; `fails` are positions whose search fails."""

    state: BatchState
    dataset: Dataset
    problems: list[BatchProblem] = field(default_factory=list)
    fails: set[int] = field(default_factory=set)
    halt: bool = False


class FakeBatches:
    """Batches whose answers are right two times out of three; `pace` seconds a problem."""

    pace: float
    lock: Any

    def __init__(self) -> None:
        self.held: dict[str, Batch] = {}
        self.batch_of: dict[str, str] = {}
        self.datasets: dict[str, Dataset] = {}
        self.fails: set[int] = set()

    def offer(self, source: str, questions: list[str], **more: Any) -> Dataset:
        """Make a dataset that `dataset` finds."""
        problems = [
            DatasetProblem(f"p{k}", text, str(k), f"line {k}")
            for k, text in enumerate(questions, 1)
        ]
        fields = more.get("fields", {"content": "question", "answer": "answer", "id": "id"})
        made = Dataset(
            source, more.get("split", ""), fields, problems,
            more.get("rejected", []), more.get("repeated", []),
        )  # fmt: skip
        self.datasets[source] = made
        return made

    def dataset(
        self, source: str, fields: Any = None, split: str | None = None, limit: int | None = None
    ) -> Dataset:
        if source not in self.datasets:
            raise ValueError(f"There is no file or folder {source!r}.")
        found = self.datasets[source]
        return msgspec.structs.replace(found, problems=found.problems[:limit])

    def solve(
        self,
        dataset: Dataset,
        algorithm: str = "mcts_star",
        params: Any = None,
        sampling: Any = None,
        seed: int = 0,
        iterations: int | None = None,
        tokens: int | None = None,
        parallel: int = 8,
        name: str = "",
        fresh: bool = False,
    ) -> str:
        setting = {
            "algorithm": algorithm, "params": {**(params or {}), "sampling": sampling or {}},
            "seed": seed, "policy": "scripted, no model", "prm": "scripted, no model",
            "limits": {"iterations": iterations, "tokens": tokens},
        }  # fmt: skip
        same = [
            key
            for key, one in self.held.items()
            if one.state.setting == setting and one.dataset.problems == dataset.problems
        ]
        key = same[-1] if same and not fresh else f"batch-{len(self.held) + 1}"
        if key not in self.held:
            state = BatchState(
                key, name, dataset.source, setting, len(dataset.problems), created=1.79e9
            )
            self.held[key] = Batch(state, dataset, fails=set(self.fails))
        batch = self.held[key]
        if not batch.state.active:
            batch.halt = False
            batch.state = msgspec.structs.replace(batch.state, status="running", rate=1234.0)
            threading.Thread(target=self._search, args=(batch,), daemon=True).start()
        return key

    def wait(self, batch: str) -> None:
        """Until nobody works on a batch."""
        while self.held[batch].state.active:
            time.sleep(0.01)

    def batch(self, batch: str) -> BatchState:
        if batch not in self.held:
            raise ValueError(f"There is no batch {batch[:40]!r}.")
        return self.held[batch].state

    def batches(self) -> list[BatchState]:
        return [one.state for one in reversed(self.held.values())]

    def batch_problems(self, batch: str) -> list[BatchProblem]:
        return list(self.held[batch].problems) if batch in self.held else []

    def stop_batch(self, batch: str) -> None:
        self.held[batch].halt = True

    def _search(self, batch: Batch) -> None:
        while len(batch.problems) < batch.state.problems and not batch.halt:
            time.sleep(self.pace)
            self._one(batch)
        batch.state = msgspec.structs.replace(batch.state, status="idle", left=None, running=0)

    def _one(self: Any, batch: Batch) -> None:
        with self.lock:
            position = len(batch.problems)
            problem = batch.dataset.problems[position]
            session = self.create(problem.content, problem.answer, name=problem.label)
            self.batch_of[session] = batch.state.id
            failed = position in batch.fails
            right = position % 3 != 0
            batch.problems.append(
                BatchProblem(
                    position=position,
                    label=problem.label,
                    place=problem.place,
                    session=session,
                    status="failed" if failed else "done",
                    answer=None if failed else problem.answer if right else "7",
                    correct=None if failed else right,
                    tokens=0 if failed else 100 + position,
                    message="The question fills the context <b>whole</b>." if failed else "",
                )
            )
            state = batch.state
            batch.state = msgspec.structs.replace(
                state,
                done=state.done + (not failed),
                failed=state.failed + failed,
                right=state.right + (right and not failed),
                wrong=state.wrong + (not right and not failed),
                tokens=state.tokens + 100,
                seconds=state.seconds + self.pace,
                left=self.pace * (state.problems - position - 1),
                message=f"{problem.place}: it failed <b>so</b>." if failed else state.message,
            )
