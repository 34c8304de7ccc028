"""Evaluations: methods compared at equal budgets on the problems of a dataset.

Each run of searches is a batch, which goes on by itself where it was ended; the outcomes are read
from the logs (`engine.evaluation.budgets`). A thread an evaluation goes through its runs.
"""

import threading
import time
from contextlib import suppress
from typing import Any, Literal

import msgspec

from engine.errors import LabError, ParameterError
from engine.evaluation.contenders import USUAL, Contender, contender
from engine.search import driver
from engine.search.driver import Limits
from engine.tasks.datasets import Dataset, read_dataset
from lab.adapters import Adapters
from lab.evaluation_report import Report, Run, report
from lab.results import BatchState
from lab.solve import Solver
from sessions.errors import EvaluationInUseError, StoreError
from sessions.evaluations import EvaluationRow
from sessions.store import Store

_POLL_SECONDS = 0.1
MOST_RUNS = 400
PROBE = "cot"
"""Its solutions tell how long one is, and so how wide a search may be within a budget."""


class EvaluationSettings(msgspec.Struct, frozen=True):
    """What is asked for.

    Attributes:
        dataset: as `lab solve` takes it. limit: only its first problems. skip: leave so many
            before them.
        methods: names, see `engine.evaluation.contenders.CONTENDERS`.
        budgets: policy tokens of a problem, rising.
        seeds: every search is run with each of them.
        baseline: the method that the others are compared with.
        parallel: searches at a time; changes no result.
    """

    dataset: str
    limit: int | None = None
    skip: int = 0
    methods: tuple[str, ...] = USUAL
    budgets: tuple[int, ...] = (300, 600, 1200)
    seeds: tuple[int, ...] = (0,)
    baseline: str = "mcts_star"
    parallel: int = 32


class RunState(msgspec.Struct, frozen=True):
    """A run of searches, and how far it is: searches done of those there are."""

    name: str
    title: str
    batch: str | None
    done: int
    total: int


class EvaluationState(msgspec.Struct, frozen=True):
    """An evaluation, and how far it is.

    Attributes:
        id, name: see the store.
        setting: what was asked for.
        models: policy, PRM.
        problems: how many.
        status: what goes on in this process; idle is not at its end, and waits for somebody.
        runs: of searches, in order.
        message: the error in words.
        left: estimated seconds to its end, None where nothing can be said.
        created: Unix time.
    """

    id: str
    name: str
    setting: EvaluationSettings
    models: tuple[str, str]
    problems: int
    status: Literal["idle", "running", "stopping", "failed", "done"]
    runs: list[RunState]
    message: str
    left: float | None
    created: float

    @property
    def active(self) -> bool:
        """Whether this process works on it."""
        return self.status in ("running", "stopping")


class Evaluations:
    """The evaluations of a home, and those that this process works on.

    Args:
        store: where they are.
        solver: runs their searches.
        adapters: of the models in use.
    """

    def __init__(self, store: Store, solver: Solver, adapters: Adapters) -> None:
        self._store = store
        self._solver = solver
        self._adapters = adapters
        self._works: dict[str, _Work] = {}
        self._lock = threading.Lock()

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
        problems = _problems(settings)
        setting = self._setting(_checked(settings), problems)
        with self._lock:
            row = None if fresh else self._store.evaluations.find(setting)
            if row is None:
                row = self._store.evaluations.begin(setting, name)
            work = self._works.get(row.id)
            if work is None or not work.active:
                self._store.evaluations.hold(row.id)
                work = _Work(self._store, self._solver, row, settings, problems)
                self._works[row.id] = work
                work.start()
        return row.id

    def go_on(self, identifier: str) -> None:
        """Work on an evaluation that was ended before its end.

        Raises:
            EvaluationNotFoundError: there is none with this id.
            ParameterError: its dataset or the models in use are not what they were.
        """
        row = self._store.evaluations.row(identifier)
        settings = _settings(row)
        problems = _problems(settings)
        setting = self._setting(settings, problems)
        changed = [name for name, value in setting.items() if row.setting.get(name) != value]
        if changed:
            raise ParameterError(
                f"Evaluation {identifier} was begun with another {changed[0]}: go on with that, or "
                "begin a new one."
            )
        self.start(settings)

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

        Raises:
            EvaluationNotFoundError: there is none with this id.
            StoreError: a log cannot be read.
        """
        row = self._store.evaluations.row(identifier)
        settings = _settings(row)
        runs = [
            Run(run.method, run.seed, run.budgets, row.batches[run.name])
            for run in _runs(settings)
            if run.name in row.batches
        ]
        return report(self._store, settings.methods, settings.baseline, settings.budgets, runs)

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
        asked: dict[str, Any] = msgspec.to_builtins(settings)
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
        runs = []
        for run in _runs(settings):
            batch = row.batches.get(run.name)
            state = self._batch(batch)
            done = state.done + state.failed if state else 0
            runs.append(RunState(run.name, run.title, batch, done, total))
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


class _Planned(msgspec.Struct, frozen=True):
    """One run of searches: of a method (or of several that share it) with a seed, to a budget."""

    name: str
    title: str
    method: Contender
    seed: int
    budgets: tuple[int, ...]


def _runs(settings: EvaluationSettings) -> list[_Planned]:
    """The runs of an evaluation in order; what shares its searches is one run."""
    found: dict[str, _Planned] = {}
    for seed in settings.seeds:
        for name in dict.fromkeys((PROBE, *settings.methods)):
            method = contender(name)
            shared = "samples" if method.kind == "samples" else name
            cuts = (
                [(b,) for b in settings.budgets] if method.kind == "width" else [settings.budgets]
            )
            for budgets in cuts:
                key = f"{shared} seed {seed}" + (f" @ {budgets[0]}" if len(cuts) > 1 else "")
                title = "Samples" if shared == "samples" else method.title
                found.setdefault(key, _Planned(key, title, method, seed, tuple(budgets)))
    return list(found.values())


class _Work:
    """The work of this process on an evaluation, once."""

    def __init__(
        self,
        store: Store,
        solver: Solver,
        row: EvaluationRow,
        settings: EvaluationSettings,
        problems: Dataset,
    ) -> None:
        self._store = store
        self._solver = solver
        self._row = row
        self._settings = settings
        self._problems = problems
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._at_first: int | None = None
        self._thread = threading.Thread(target=self._main, name="evaluation", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def join(self, timeout: float | None) -> None:
        self._ended.wait(timeout)

    @property
    def active(self) -> bool:
        return not self._ended.is_set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def left(self, runs: list[RunState]) -> float | None:
        """By the pace so far: searches of large budgets take longer, so this is a rough word."""
        done, total = sum(run.done for run in runs), sum(run.total for run in runs)
        if self._at_first is None:
            self._at_first = done
        new = done - self._at_first
        return (time.monotonic() - self._began) / new * (total - done) if new else None

    def _main(self) -> None:
        evaluations, message = self._store.evaluations, ""
        try:
            evaluations.say(self._row.id, "")
            solution = 1.0
            for run in _runs(self._settings):
                if self._stopping.is_set():
                    break
                solution = self._solve(run, solution)
        except LabError as error:
            message = str(error)
        except Exception as error:  # whatever it is, somebody must hear of it
            message = f"{type(error).__name__}: {error}"
        if message:
            with suppress(StoreError):
                evaluations.say(self._row.id, message)
        evaluations.release(self._row.id)
        self._ended.set()

    def _solve(self, run: _Planned, solution: float) -> float:
        """One run; how long a solution is, in tokens, which the first run tells."""
        method, most = run.method, max(run.budgets)
        setting = self._row.setting
        first = driver.create(
            "",
            None,
            method.algorithm,
            method.at(most, solution),
            run.seed,
            setting["policy"],
            setting["prm"],
        )
        # Some searches walk known ways again without a token: no longer than tokens would last.
        limits = Limits(iterations=most, tokens=most)
        title = f"evaluation {self._row.id}, {run.name}"
        batch = self._solver.start(self._problems, first, limits, self._settings.parallel, title)
        self._store.evaluations.enter(self._row.id, run.name, batch)
        while (state := self._solver.wait(batch, _POLL_SECONDS)).active:
            if self._stopping.is_set():
                self._solver.stop(batch)
        if state.status == "failed":
            raise LabError(f"The searches of {run.title} failed: {state.message}")
        if method.name == PROBE and state.done:
            return max(1.0, state.tokens / state.done)
        return solution


def _checked(settings: EvaluationSettings) -> EvaluationSettings:
    methods = tuple(dict.fromkeys(settings.methods))
    for name in (*methods, settings.baseline):
        contender(name)
    if settings.baseline not in methods:
        raise ParameterError(
            f"The baseline {settings.baseline} is not among the methods: add it, or take another."
        )
    budgets = settings.budgets
    if not budgets or list(budgets) != sorted(set(budgets)) or budgets[0] < 1:
        raise ParameterError(
            f"The budgets cannot be {budgets}: they take rising numbers of tokens from 1 on."
        )
    if not settings.seeds or len(set(settings.seeds)) != len(settings.seeds):
        raise ParameterError(f"The seeds cannot be {settings.seeds}: they take different ones.")
    runs = len(_runs(settings))
    if runs > MOST_RUNS:
        raise ParameterError(f"These are {runs} runs of searches; there can be {MOST_RUNS}.")
    return settings


def _settings(row: EvaluationRow) -> EvaluationSettings:
    fields = {name: row.setting[name] for name in row.setting if name in _FIELDS}
    return msgspec.convert(fields, EvaluationSettings)


_FIELDS = {field.name for field in msgspec.structs.fields(EvaluationSettings)}


def _problems(settings: EvaluationSettings) -> Dataset:
    limit = None if settings.limit is None else settings.skip + settings.limit
    whole = read_dataset(settings.dataset, limit=limit)
    chosen = whole.problems[settings.skip :]
    if not chosen or whole.ungraded:
        raise ParameterError(
            f"{settings.dataset} has {len(chosen):,} problems after the first {settings.skip:,}, "
            f"{whole.ungraded:,} of all without a right answer: an evaluation needs right answers."
        )
    return msgspec.structs.replace(whole, problems=chosen)
