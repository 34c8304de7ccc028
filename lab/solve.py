"""Searching whole datasets: a thread a batch keeps a number of searches going until none is left.

The searches themselves run in the model thread, all of them in one batch of model calls and behind
those that somebody waits for. What is finished is on disk with its result; everything else goes on
from its log the next time.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine import events as ev
from engine.days import day_of
from engine.errors import EventError, LabError, ParameterError
from engine.search.driver import Limits
from engine.tasks.datasets import Dataset, DatasetProblem
from engine.tree import Tree
from lab.adapters import Adapters
from lab.failures import in_words
from lab.live import LiveSession, Summed
from lab.results import BatchState
from lab.worker import BATCH, Ending, Worker
from sessions.batches import BatchProblem, BatchRow, Place, Result
from sessions.errors import (
    EventDamagedError,
    SessionInUseError,
    SessionNotFoundError,
    StoreError,
)
from sessions.store import Store

MOST_PARALLEL = 1024
_SPEND_SECONDS = 2.0
_LONGEST_LABEL = 200
_FRUITLESS = 8


class BatchFailedError(LabError):
    """One search of a batch after the other fails: something is wrong with all of them."""


@dataclass(frozen=True)
class Sessions:
    """Live sessions of the lab, shared with whoever looks at them.

    live: the one of a session. let_go: a batch does not need a session any more.
    """

    live: Callable[[str], LiveSession]
    let_go: Callable[[str], None]


class Solver:
    """The batches of a home, and those that this process works on.

    Args:
        store: where they are kept.
        worker: runs the searches.
        sessions: live sessions of the lab.
        home: where reports of internal errors go.
        adapters: know which models are in use.
    """

    def __init__(
        self, store: Store, worker: Worker, sessions: Sessions, home: Path, adapters: Adapters
    ) -> None:
        self._adapters = adapters
        self._store = store
        self._worker = worker
        self._sessions = sessions
        self._home = home
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()

    def start(
        self,
        dataset: Dataset,
        first: ev.SearchCreated,
        limits: Limits,
        parallel: int,
        name: str = "",
        fresh: bool = False,
    ) -> str:
        """Work on a dataset; goes on with the latest batch of this work.

        Args:
            dataset: the problems.
            first: the first event of every session; question and answer are the problem's.
            limits: of every search as a whole, whatever part of it is on disk already.
            parallel: searches at a time.
            name: of a new batch.
            fresh: make a new one in any case.

        Returns:
            The batch's id.

        Raises:
            ParameterError: `parallel` is out of its range.
            BatchInUseError: another process works on it.
            StoreError: it cannot be read or written.
        """
        if not 1 <= parallel <= MOST_PARALLEL:
            raise ParameterError(
                f"parallel cannot be {parallel!r}: it takes a whole number from 1 to "
                f"{MOST_PARALLEL:,}."
            )
        setting = {
            "algorithm": first.algorithm,
            "params": first.params,
            "seed": first.seed,
            "policy": first.policy,
            "prm": first.prm,
            "limits": {"iterations": limits.iterations, "tokens": limits.tokens},
        }
        first = msgspec.structs.replace(first, step_format=self._adapters.step_format())
        if first.step_format and not first.step_format.startswith("lines"):
            setting["step_format"] = first.step_format  # those of another format are none of its
        if first.version > 1:  # searches of an earlier version are none of this batch's
            setting["version"] = first.version
        with self._lock:
            batch = self._store.batches.begin(
                dataset.digest, setting, len(dataset.problems), dataset.source, name, fresh
            )
            known = self._runs.get(batch)
            if known is not None and known.active:
                return batch
            self._store.batches.hold(batch)
            try:
                work = _Work(batch, dataset.problems, first, limits, parallel)
                run = _Run(self._store, self._worker, self._sessions, self._home, work)
            except BaseException:
                self._store.batches.release(batch)
                raise
            self._runs[batch] = run
            run.start()
        return batch

    def state(self, batch: str) -> BatchState:
        """How far a batch is.

        Raises:
            BatchNotFoundError: there is none with this id.
        """
        run = self._runs.get(batch)
        if run is not None and run.active:
            return run.state()
        return self._resting(self._store.batches.row(batch))

    def states(self) -> list[BatchState]:
        """All batches, the newest first."""
        return [
            run.state() if (run := self._runs.get(row.id)) and run.active else self._resting(row)
            for row in self._store.batches.rows()
        ]

    def stop(self, batch: str) -> None:
        """End the work on a batch at the next model call; nothing if there is none."""
        run = self._runs.get(batch)
        if run is not None:
            run.stop()

    def wait(self, batch: str, timeout: float | None) -> BatchState:
        """Wait until this process does not work on a batch, at most `timeout` seconds."""
        run = self._runs.get(batch)
        if run is not None:
            run.join(timeout)
        return self.state(batch)

    def close(self, timeout: float) -> None:
        """End all work."""
        runs = list(self._runs.values())
        for run in runs:
            run.stop()
        deadline = time.monotonic() + timeout
        for run in runs:
            run.join(max(0.0, deadline - time.monotonic()))

    def _resting(self, row: BatchRow) -> BatchState:
        """The state of a batch that this process does not work on, or not any more."""
        state, run = _on_disk(row), self._runs.get(row.id)
        if run is None:
            return state
        last = run.state()
        return msgspec.structs.replace(
            state, status=last.status, message=last.message, rate=last.rate
        )


def _on_disk(row: BatchRow) -> BatchState:
    return BatchState(
        id=row.id,
        name=row.name,
        dataset=row.dataset,
        setting=row.setting,
        problems=row.problems,
        done=row.done,
        right=row.right,
        wrong=row.wrong,
        ungraded=row.ungraded,
        failed=row.failed,
        deleted=row.deleted,
        tokens=row.tokens,
        seconds=row.seconds,
        created=row.created,
    )


class _Work(msgspec.Struct, frozen=True):
    batch: str
    problems: Sequence[DatasetProblem]
    first: ev.SearchCreated
    limits: Limits
    parallel: int


class _Log:
    """The log of a problem's session: its end carries the result."""

    def __init__(
        self, run: "_Run", place: Place, live: LiveSession, graded: bool, tokens: int
    ) -> None:
        self.session = live.session
        self.place = place
        self._graded = graded
        self._run = run
        self._live = live
        self._tokens = tokens

    def at_rest(self) -> AbstractContextManager[None]:
        """Nobody writes meanwhile; see `LiveSession.at_rest`."""
        return self._live.at_rest()

    def told(self, *, upto: int = 0, place: int = 0) -> None:
        """The search knows; see `LiveSession.told`."""
        self._live.told(upto=upto, place=place)

    def preview(self, events: Sequence[ev.Event]) -> None:
        """Show an unfinished iteration; see `LiveSession.preview`."""
        self._live.preview(events)

    def commit(
        self, events: Sequence[ev.Event], summed: Summed | None = None, after: int | None = None
    ) -> None:
        """Put events on disk; see `LiveSession.commit`."""
        spent = sum(
            event.cost.policy_generated
            for event in events
            if isinstance(event, (ev.IterationFinished, ev.Concluded))
        )
        last, result = events[-1], None
        # Without a reason somebody has ended the search by hand: it is not finished.
        if isinstance(last, ev.Concluded) and last.reason and summed is not None:
            unanswered = self._graded and summed.answer is None
            correct = False if unanswered else summed.correct
            result = Result(summed.answer, correct, self._tokens + spent, summed.tie)
        self._live.commit(events, summed, after, result)
        self._tokens += spent
        self._run.progressed(spent, result)


class _Run:
    """The work of this process on a batch, once."""

    def __init__(
        self, store: Store, worker: Worker, sessions: Sessions, home: Path, work: _Work
    ) -> None:
        self._store = store
        self._worker = worker
        self._sessions = sessions
        self._home = home
        self._work = work
        self._stopping = threading.Event()
        # What wakes the thread: a session and how its run ended, or None to look around.
        self._endings: queue.SimpleQueue[tuple[_Log, Ending] | None] = queue.SimpleQueue()
        self._flying: dict[str, _Log] = {}
        self._lock = threading.Lock()
        known = store.batches.problems(work.batch)
        self._known = {problem.position: problem for problem in known}
        state = _on_disk(store.batches.row(work.batch))
        self._state = msgspec.structs.replace(state, failed=0, status="loading")
        self._began = self._spent_until = time.monotonic()
        self._took: float | None = None
        self._new_tokens = self._new_done = 0
        self._fruitless = 0  # searches that have failed since the last finished iteration
        self._thread = threading.Thread(target=self._run, name="batch", daemon=True)
        # A `join` of the thread that Ctrl-C interrupts would take it for ended from then on.
        self._ended = threading.Event()

    # For any thread.

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float | None) -> None:
        self._ended.wait(timeout)

    def stop(self) -> None:
        with self._lock:
            if self._state.active:
                self._set(status="stopping")
        self._stopping.set()
        self._endings.put(None)

    @property
    def active(self) -> bool:
        return self._state.active

    def state(self) -> BatchState:
        with self._lock:
            state, running = self._state, len(self._flying)
            took = self._took or time.monotonic() - self._began
            rate = self._new_tokens / took if took > 0 else 0.0
            left = None
            if self._new_done and state.active:
                left = took / self._new_done * (state.problems - state.done - state.failed)
            seconds = state.seconds + took
        message = self._worker.loading if state.status == "loading" else state.message
        return msgspec.structs.replace(
            state, running=running, rate=rate, left=left, seconds=seconds, message=message
        )

    def progressed(self, tokens: int, result: Result | None) -> None:
        """Count what is on disk now."""
        with self._lock:
            state = self._state
            self._new_tokens += tokens
            self._fruitless = 0
            self._set(tokens=state.tokens + tokens)
            if result is not None:
                self._new_done += 1
                kind = {True: "right", False: "wrong", None: "ungraded"}[result.correct]
                self._set(done=state.done + 1, **{kind: getattr(state, kind) + 1})

    def _set(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)

    # For the thread of the batch.

    def _run(self) -> None:
        try:
            self._main()
        finally:
            self._ended.set()

    def _main(self) -> None:
        status, message = "idle", ""
        try:
            todo = [
                position
                for position in range(len(self._work.problems))
                if not _is_done(self._known.get(position))
            ]
            message = self._load() if todo else ""
            self._began = self._spent_until = time.monotonic()
            if message:
                status = "failed"
            else:
                self._solve(todo[::-1])
        except Exception as error:
            status = "failed"
            message = str(error) if isinstance(error, LabError) else in_words(error, self._home)
            self._drop_all()
        with suppress(StoreError):
            self._spend()
        self._store.batches.release(self._work.batch)
        with self._lock:
            self._took = time.monotonic() - self._began
            self._set(status=status, message=message or self._state.message)
        self._known.clear()
        self._work = msgspec.structs.replace(self._work, problems=())

    def _load(self) -> str:
        """Have the models loaded; why that failed, "" if it did not or nobody waits any more."""
        loaded: queue.SimpleQueue[Ending] = queue.SimpleQueue()

        def tell(ending: Ending) -> None:
            loaded.put(ending)
            self._endings.put(None)

        self._worker.load(tell)
        while loaded.empty() and not self._stopping.is_set():
            self._endings.get()
        return "" if loaded.empty() else loaded.get().error

    def _solve(self, todo: list[int]) -> None:
        """Search problems, the last in the list first."""
        with self._lock:
            if not self._stopping.is_set():
                self._set(status="running")
        while True:
            while todo and len(self._flying) < self._work.parallel and not self._stopping.is_set():
                self._begin(todo.pop())
            if not self._flying:
                return
            ended = self._endings.get()
            if ended is not None:
                self._end(*ended)
            elif self._stopping.is_set():
                self._drop_all()

    def _begin(self, position: int) -> None:
        problem = self._work.problems[position]
        place = Place(self._work.batch, position, problem.label[:_LONGEST_LABEL], problem.place)
        try:
            session, limits, tokens = self._session(place, problem)
        except (EventError, EventDamagedError) as error:
            self._failed(place, str(error))
            return
        graded = problem.answer is not None
        log = _Log(self, place, self._sessions.live(session), graded, tokens)
        with self._lock:
            self._flying[session] = log
            self._set(tokens=self._state.tokens + tokens)
        try:
            self._worker.run(log, limits, BATCH, lambda ending: self._endings.put((log, ending)))
        except SessionInUseError as error:
            self._end(log, Ending(False, str(error)))

    def _session(self, place: Place, problem: DatasetProblem) -> tuple[str, Limits, int]:
        """The session of a problem, what it may still do, and the tokens it has generated."""
        known, limits = self._known.pop(place.position, None), self._work.limits
        if known is not None and known.session is not None:
            with suppress(SessionNotFoundError):  # deleted meanwhile: done again
                tree = Tree.fold(self._store.events(known.session))
                generated = tree.cost.policy_generated
                left = Limits(
                    _less(limits.iterations, tree.iteration), _less(limits.tokens, generated)
                )
                return known.session, left, generated
        # All problems of a batch are of the day on which it began, however long it takes.
        first = msgspec.structs.replace(
            self._work.first,
            question=problem.content,
            gold=problem.answer,
            date=day_of(self._state.created),
        )
        return self._store.create(first, place.label, place=place), limits, 0

    def _end(self, log: _Log, ending: Ending) -> None:
        with self._lock:
            del self._flying[log.session]
        if ending.error:
            self._failed(log.place, ending.error)
        self._worker.forget(log.session)
        self._sessions.let_go(log.session)
        if time.monotonic() > self._spent_until + _SPEND_SECONDS:
            self._spend()

    def _failed(self, place: Place, message: str) -> None:
        self._store.batches.fail(place, message)
        with self._lock:
            where = place.place if place.label == place.place else f"{place.place} ({place.label})"
            self._set(failed=self._state.failed + 1, message=f"{where}: {message}")
            self._fruitless += 1
            fruitless = self._fruitless
        if fruitless >= max(_FRUITLESS, 2 * self._work.parallel):
            raise BatchFailedError(
                f"{fruitless} searches in a row failed without finishing an iteration; the last "
                f"one, {where}: {message}"
            )

    def _drop_all(self) -> None:
        for session in self._flying:
            self._worker.drop(session)

    def _spend(self) -> None:
        """Write down the time since the last time."""
        now = time.monotonic()
        self._store.batches.spend(self._work.batch, now - self._spent_until)
        self._spent_until = now


def _is_done(known: BatchProblem | None) -> bool:
    return known is not None and known.status == "done" and known.session is not None


def _less(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)
