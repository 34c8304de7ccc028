"""Evaluations: methods compared at equal budgets on the problems of a dataset.

Each run of searches is a batch, which goes on by itself where it was ended; the outcomes are read
from the logs (`engine.evaluation.budgets`). A thread an evaluation goes through its runs.
"""

import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import LabError, ParameterError
from engine.evaluation.contenders import CONTENDERS, Contender, contender
from engine.evaluation.difficulty import difficulty, field_of
from engine.tasks.datasets import Dataset, read_dataset
from engine.verifiers.traces import Trace
from lab import evaluation_files, evaluation_words
from lab.adapters import Adapters
from lab.evaluation_compare import Comparison, compare
from lab.evaluation_plan import EvaluationSettings, checked, planned, problems_of
from lab.evaluation_readings import Readings
from lab.evaluation_report import Report, Run, SliceScore, best, report, slices, solved
from lab.evaluation_run import Work
from lab.evaluation_states import Best, EvaluationPlan, EvaluationState, RunState
from lab.results import BatchState
from lab.solve import Solver
from lab.verifications import KS, VerifierScore, samples_of, verified
from lab.verifier_models import Asked, VerifierModels
from sessions.errors import EvaluationInUseError, StoreError
from sessions.evaluations import EvaluationRow
from sessions.store import Store

__all__ = ["EvaluationSettings", "EvaluationState", "Evaluations"]

_PACES = 10
"""Earlier batches that the pace is taken from."""


class Evaluations:
    """The evaluations of a home, and those that this process works on.

    Args:
        store: where they are.
        solver: runs their searches.
        adapters: of the models in use.
        asking: asks models about samples.

    Attributes:
        folder: where files of reports go that nobody named a place for.
        asking: of verifiers with models of their own, and how far that is.
    """

    def __init__(
        self, store: Store, solver: Solver, adapters: Adapters, asking: VerifierModels
    ) -> None:
        self.asking = asking
        self.folder: Path = store.path.parent / "exports"
        self._store = store
        self._solver = solver
        self._adapters = adapters
        self._readings = Readings(store)
        self._reports: dict[str, tuple[list[tuple[Run, int]], Report]] = {}
        self._verified: dict[str, tuple[Any, list[VerifierScore]]] = {}
        self._works: dict[str, Work] = {}
        self._lock = threading.Lock()
        self._reading = threading.Lock()  # a page asks for several parts of a report at once

    def methods(self) -> list[Contender]:
        """What can be compared."""
        return list(CONTENDERS.values())

    def method(self, name: str) -> Contender:
        """One of them, perhaps at other parameters: `beam:branch=2`.

        Raises:
            ParameterError: there is none, or it does not take them.
        """
        return contender(name)

    def usual(self, dataset: str) -> EvaluationSettings:
        """What is asked for if nobody says otherwise."""
        return EvaluationSettings(dataset)

    def plan(self, settings: EvaluationSettings) -> EvaluationPlan:
        """What an evaluation would do; nothing is changed.

        Raises:
            ParameterError, TaskError: as `start`.
        """
        settings = checked(settings)
        problems = problems_of(settings)
        row = self._store.evaluations.find(self._setting(settings, problems))
        count, runs = len(problems.problems), planned(settings)
        tokens = count * sum(max(run.budgets) for run in runs)
        pace = self._pace()
        return EvaluationPlan(
            problems=count,
            runs=[run.title for run in runs],
            searches=count * len(runs),
            tokens=tokens,
            seconds=None if pace is None else tokens / pace,
            shared=sum(contender(name).kind == "samples" for name in settings.methods),
            goes_on=None if row is None else row.id,
            done=0 if row is None else sum(run.done for run in self._state(row).runs),
        )

    def _pace(self) -> float | None:
        """Tokens a second of the latest batches with the models in use."""
        policy, prm = self._adapters.labels()
        paces = [
            row.tokens / row.seconds
            for row in self._store.batches.rows()
            if (row.setting.get("policy"), row.setting.get("prm")) == (policy, prm)
            and row.tokens > 0
            and row.seconds > 0
        ]
        return statistics.median(paces[:_PACES]) if paces else None

    def start(self, settings: EvaluationSettings, name: str = "", fresh: bool = False) -> str:
        """Work on an evaluation; goes on with the last one like it unless a `fresh` one is wanted.

        Returns:
            Its id, at once.

        Raises:
            ParameterError: a method, budget or seed is not usable.
            TaskError: the dataset cannot be read or has no right answers.
            EvaluationInUseError: another process works on it.
            StoreError: it cannot be written.
        """
        settings = checked(settings)
        problems = problems_of(settings)
        setting = self._setting(settings, problems)
        with self._lock:
            row = None if fresh else self._store.evaluations.find(setting)
            if row is None:
                row = self._store.evaluations.begin(setting, name)
            self._work(row, settings, problems)
        return row.id

    def go_on(self, identifier: str) -> None:
        """Work on an evaluation that was ended before its end.

        Raises:
            EvaluationNotFoundError: there is none with this id.
            ParameterError: its dataset or the models in use are not what they were.
        """
        row = self._store.evaluations.row(identifier)
        settings = _settings(row)
        problems = problems_of(settings)
        setting = self._setting(settings, problems)
        changed = [name for name, value in setting.items() if row.setting.get(name) != value]
        if changed:
            raise ParameterError(
                f"Evaluation {identifier} was not begun with the same {changed[0]}: go on with "
                "that, or begin a new one."
            )
        with self._lock:
            self._work(row, settings, problems)

    def _work(self, row: EvaluationRow, settings: EvaluationSettings, problems: Dataset) -> None:
        work = self._works.get(row.id)
        if work is None or not work.active:
            self._store.evaluations.hold(row.id)
            work = Work(self._store, self._solver, row, settings, problems, self._keep_best)
            self._works[row.id] = work
            work.start()

    def _keep_best(self, identifier: str) -> None:
        found = best(self.report(identifier))
        self._store.evaluations.note(identifier, "best", msgspec.to_builtins(found))

    def stop(self, identifier: str) -> None:
        """End this process's work on an evaluation at the next model call."""
        work = self._works.get(self._store.evaluations.row(identifier).id)
        if work is not None:
            work.stop()

    def wait(self, identifier: str, timeout: float | None = None) -> EvaluationState:
        """Wait until this process does not work on it, at most `timeout` seconds."""
        work = self._works.get(identifier)
        if work is not None:
            work.join(timeout)
        return self.state(identifier)

    def state(self, identifier: str) -> EvaluationState:
        """How far an evaluation is; cheap.

        Raises:
            EvaluationNotFoundError: there is none with this id.
        """
        return self._state(self._store.evaluations.row(identifier))

    def states(self) -> list[EvaluationState]:
        """All evaluations, the newest first."""
        return [self._state(row) for row in self._store.evaluations.rows()]

    def report(self, identifier: str) -> Report:
        """What is known so far: runs that are done, and of the others the problems that are.

        The first time the logs of all searches are read, which takes a while; then only new ones.

        Raises:
            EvaluationNotFoundError: there is none with this id.
            StoreError: a log cannot be read.
        """
        row = self._store.evaluations.row(identifier)
        settings, memory = _settings(row), row.found.get("memory", {})
        runs = [
            Run(run.method, run.seed, run.budgets, row.batches[run.name], memory.get(run.name, {}))
            for run in planned(settings)
            if run.name in row.batches
        ]
        with self._reading:
            ended = [(run, self._ended(run.batch)) for run in runs]
            known = self._reports.get(identifier)
            if known is None or known[0] != ended:
                known = (ended, report(self._readings, settings, runs))
                self._reports[identifier] = known
        return known[1]

    def _ended(self, batch: str) -> int:
        state = self._batch(batch)
        return state.done + state.failed if state else 0

    def headline(self, found: Report) -> list[str]:
        """What was best at each budget, a sentence each."""
        return evaluation_words.headline(found)

    def notes(self, found: Report) -> list[str]:
        """What has to be known to read the numbers."""
        return evaluation_words.notes(found)

    def solved(self, found: Report, budget: int) -> list[float]:
        """Of each problem the share of methods that solved it; see `lab.evaluation_report`."""
        return solved(found, budget)

    def slices(self, identifier: str, budget: int) -> tuple[str, list[SliceScore]]:
        """Accuracy on problems of a like difficulty, and what that goes by: a field of the dataset,
        or the questions' length.

        Raises:
            EvaluationNotFoundError: there is none with this id.
            StoreError: a log cannot be read.
        """
        source = self._store.evaluations.row(identifier).setting["dataset"]
        by, stated = "", dict[str, float]()
        with suppress(LabError):  # the file may have gone: then the questions' length tells
            by, stated = field_of(source, read_dataset(source, limit=1).fields["content"])
        found = self.report(identifier)
        parts = difficulty(found.questions, by, stated)
        return parts.by, slices(found, parts, budget)

    def verifiers(self, identifier: str) -> list[VerifierScore]:
        """Every verifier on the samples of an evaluation, all seeds together; none without samples.

        Raises:
            EvaluationNotFoundError: there is none with this id.
            StoreError: a log cannot be read.
        """
        batches = self._sampled(identifier)
        scores = self.asking.scores
        told = {name: len(found) for name, found in scores.items()}
        ended = [[(batch, self._ended(batch)) for batch in batches], self.asking.readers, told]
        known = self._verified.get(identifier)
        if known is None or known[0] != ended:
            found = verified(self._samples(batches), scores=scores)
            known = self._verified[identifier] = ended, found
        return known[1]

    def _sampled(self, identifier: str) -> list[str]:
        batches = self._store.evaluations.row(identifier).batches
        return [batches[name] for name in batches if name.startswith("samples ")]

    def _samples(self, batches: Sequence[str]) -> list[list[Trace]]:
        return [group for batch in batches for group in samples_of(self._store, batch)]

    def verified(self, batch: str, ks: Sequence[int] = KS) -> list[VerifierScore]:
        """Every verifier on the samples of a batch, as `verifiers`."""
        return verified(self._samples([batch]), ks=ks, scores=self.asking.scores)

    def samples(self, batch: str) -> list[list[Trace]]:
        """The samples of each problem of a batch that is done.

        Raises:
            StoreError: a log cannot be read.
        """
        return self._samples([batch])

    def ask_verifiers(self, identifier: str, asked: Asked) -> None:
        """Ask models about the samples of an evaluation; returns at once, see `asking`.

        Raises:
            EvaluationNotFoundError: there is none with this id.
            ParameterError: there are no samples; else as `lab.verifier_models`.
            StoreError: a log cannot be read.
        """
        self._ask(identifier, self._sampled(identifier), asked, ())

    def ask_about(self, batch: str, asked: Asked, wanted: Sequence[str] = ()) -> None:
        """The same of the samples of a batch; `wanted` are verifiers that must be asked."""
        self._ask(batch, [batch], asked, wanted)

    def _ask(self, about: str, batches: Sequence[str], asked: Asked, wanted: Sequence[str]) -> None:
        traces = [trace for group in self._samples(batches) for trace in group]
        if not traces:
            raise ParameterError("There is no sample yet that a model could be asked about.")
        self.asking.ask(traces, asked, wanted, about)

    def compare(self, one: str, other: str) -> Comparison:
        """Two evaluations on the problems, methods and budgets that both have.

        Raises:
            EvaluationNotFoundError: one of them is not there.
            StoreError: a log cannot be read.
        """
        return compare(self.report(one), self.report(other))

    def save(self, identifier: str, kind: str) -> Path:
        """Write a report into `folder` under a name of its own; the file.

        Raises:
            EvaluationNotFoundError: there is none with this id.
            ParameterError: there is no such kind, or nothing to draw.
            ExportError: it cannot be written.
        """
        found = self.report(identifier)
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = f"evaluation-{identifier}"
        names = (stem, *(f"{stem}-{number}" for number in range(2, 10_000)))
        free = (self.folder / f"{name}.{kind}" for name in names)
        path = next(one for one in free if not one.exists())
        evaluation_files.write(found, path, kind)
        return path

    def delete(self, identifier: str) -> None:
        """Forget an evaluation; its batches and their sessions stay.

        Raises:
            EvaluationNotFoundError: there is none with this id.
            EvaluationInUseError: somebody works on it.
        """
        if self.state(identifier).active:
            raise EvaluationInUseError(f"Evaluation {identifier} is running: stop it first.")
        self._store.evaluations.hold(identifier)
        self._store.evaluations.release(identifier)
        self._store.evaluations.delete(identifier)
        self._reports.pop(identifier, None)

    def close(self, timeout: float) -> None:
        """End all work."""
        works = list(self._works.values())
        for work in works:
            work.stop()
        deadline = time.monotonic() + timeout
        for work in works:
            work.join(max(0.0, deadline - time.monotonic()))

    def _setting(self, settings: EvaluationSettings, problems: Dataset) -> dict[str, Any]:
        policy, prm = self._adapters.labels()
        # Lists, not tuples: it is compared with what was read from the store.
        asked: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
        del asked["parallel"]
        return {
            **asked,
            "problems": problems.digest,
            "count": len(problems.problems),
            "policy": policy,
            "prm": prm,
        }

    def _state(self, row: EvaluationRow) -> EvaluationState:
        settings, total = _settings(row), row.setting["count"]
        memory = row.found.get("memory", {})
        runs = []
        for run in planned(settings):
            batch = row.batches.get(run.name)
            told = RunState(run.name, run.title, run.seed, run.budgets, batch, 0, total)
            state = self._batch(batch)
            if state is not None:
                told = msgspec.structs.replace(
                    told,
                    done=state.done + state.failed,
                    failed=state.failed,
                    tokens=state.tokens,
                    seconds=state.seconds,
                    memory=memory.get(run.name, {}),
                )
            runs.append(told)
        work = self._works.get(row.id)
        active = work is not None and work.active
        complete = all(run.done >= run.total for run in runs)
        status: Any = "done" if complete else "failed" if row.message else "idle"
        if active and work is not None:
            status = "stopping" if work.stopping else "running"
        return EvaluationState(
            row.id,
            row.name,
            settings,
            (row.setting["policy"], row.setting["prm"]),
            total,
            status,
            runs,
            msgspec.convert(row.found.get("best", []), list[Best]),
            row.message,
            work.left(runs) if active and work is not None else None,
            row.created,
        )

    def _batch(self, batch: str | None) -> BatchState | None:
        if batch is None:
            return None
        with suppress(StoreError):
            return self._solver.state(batch)
        return None


def _settings(row: EvaluationRow) -> EvaluationSettings:
    fields = {name: row.setting[name] for name in row.setting if name in _FIELDS}
    return msgspec.convert(fields, EvaluationSettings)


_FIELDS = {field.name for field in msgspec.structs.fields(EvaluationSettings)}
