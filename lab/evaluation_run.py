"""The work on an evaluation: its runs of searches one after the other, in a thread."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from engine.errors import LabError
from engine.search import driver
from engine.search.driver import Limits
from engine.tasks.datasets import Dataset
from lab.evaluation_plan import PROBE, EvaluationSettings, Planned, planned
from lab.evaluation_states import RunState
from lab.peak import Peak
from lab.solve import Solver
from sessions.errors import StoreError
from sessions.evaluations import EvaluationRow
from sessions.store import Store

_POLL_SECONDS = 0.1
_LONG = 0.9


class Work:
    """The work of this process on an evaluation, once.

    Args:
        store: where it is.
        solver: runs the searches.
        row, settings, problems: of it.
        finished: called with its id at the end, before anybody hears of it.
    """

    def __init__(
        self,
        store: Store,
        solver: Solver,
        row: EvaluationRow,
        settings: EvaluationSettings,
        problems: Dataset,
        finished: Callable[[str], None],
    ) -> None:
        self._store = store
        self._solver = solver
        self._row = row
        self._settings = settings
        self._problems = problems
        self._finished = finished
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._at_first: int | None = None
        self._thread = threading.Thread(target=self._main, name="evaluation", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End at the next model call."""
        self._stopping.set()

    def join(self, timeout: float | None) -> None:
        """Wait for the end, at most `timeout` seconds."""
        self._ended.wait(timeout)

    @property
    def active(self) -> bool:
        """Whether it goes on."""
        return not self._ended.is_set()

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
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
            for run in planned(self._settings):
                if self._stopping.is_set():
                    break
                solution = self._solve(run, solution)
            self._finished(self._row.id)
        except LabError as error:
            message = str(error)
        except Exception as error:  # whatever it is, somebody must hear of it
            message = f"{type(error).__name__}: {error}"
        if message:
            with suppress(StoreError):
                evaluations.say(self._row.id, message)
        evaluations.release(self._row.id)
        self._ended.set()

    def _solve(self, run: Planned, solution: float) -> float:
        """One run; how long a long solution is, in tokens, which the first run tells."""
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
        peak, now = Peak(), time.time()
        batch = self._solver.start(self._problems, first, limits, self._settings.parallel, title)
        begun = self._store.batches.row(batch)  # by another evaluation, perhaps
        before = begun.done if begun.created < now else 0
        self._store.evaluations.enter(self._row.id, run.name, batch)
        while (state := self._solver.wait(batch, _POLL_SECONDS)).active:
            peak.look()
            if self._stopping.is_set():
                self._solver.stop(batch)
        peak.look()
        self._keep(run.name, peak.most() if state.done > before else self._seen(batch))
        if state.status == "failed":
            raise LabError(f"The searches of {run.title} failed: {state.message}")
        if method.name == PROBE and state.done:
            return self._long(batch)
        return solution

    def _long(self, batch: str) -> float:
        """Tokens of a long solution: nine in ten of a batch of single solutions are no longer. Half
        of the searches that are made for the mean are cut off before their answer.
        """
        rows = self._store.batches.problems(batch)
        lengths = sorted(row.tokens for row in rows if row.status == "done")
        return max(1.0, float(lengths[math.ceil(_LONG * len(lengths)) - 1]))

    def _seen(self, batch: str) -> dict[str, int]:
        """The most memory of a batch that other evaluations have worked on; empty without any."""
        found: dict[str, int] = {}
        for row in self._store.evaluations.rows():
            for run, memory in row.found.get("memory", {}).items():
                if row.batches.get(run) == batch:
                    found = _most(found, memory)
        return found

    def _keep(self, run: str, memory: dict[str, int]) -> None:
        """The most memory of a run, over all times that it was worked on."""
        known = self._store.evaluations.row(self._row.id).found.get("memory", {})
        if memory:
            most = _most(known.get(run, {}), memory)
            self._store.evaluations.note(self._row.id, "memory", {**known, run: most})


def _most(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}
