"""The one thread that owns the models and drives searches.

Others send it commands and read views. It never dies: what goes wrong ends the runs concerned, with
the reason in their state. Runs that somebody waits for go before those of batches, also before
those of other processes on the same home.
"""

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from engine import events as ev
from engine.errors import LabError
from engine.search.driver import Driver, Limits, Search
from lab.failures import in_words
from lab.live import digest
from lab.models import Loader, Models
from lab.results import ModelSettings, RunState, Status
from sessions.errors import StoreError
from sessions.store import Digest, Store

Grading = Callable[[str | None, str | None], bool | None]
"""Whether an answer (first) is right by the oracle answer; None without an oracle answer."""

INTERACTIVE, BATCH = 0, -1
"""Priorities of runs."""

_KEPT_SEARCHES = 4

_LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 10.0
"""How long a batch stands still for another process at most before it does one more step: a process
that somebody has suspended must not hold it up for ever."""


class Log(Protocol):
    """Where the events of a session go."""

    @property
    def session(self) -> str: ...

    def commit(self, events: Sequence[ev.Event], summed: Digest | None = None) -> None:
        """Put events on disk; `summed` is the digest after them. Raises StoreError."""


class Ending(NamedTuple):
    """How a run ended: by itself (or by pause or stop), by an error in words, or dropped."""

    finished: bool
    error: str = ""


OnEnd = Callable[[Ending], None]
"""Called in the model thread when a run has ended; must not wait."""


def _ignore(ending: Ending) -> None:
    pass


@dataclass(frozen=True)
class _Run:
    live: Log
    limits: Limits
    priority: int = INTERACTIVE
    on_end: OnEnd = _ignore


@dataclass(frozen=True)
class _Load:
    on_end: OnEnd


@dataclass(frozen=True)
class _Pause:
    session: str


@dataclass(frozen=True)
class _Stop:
    session: str


@dataclass(frozen=True)
class _Drop:
    session: str


@dataclass(frozen=True)
class _Close:
    pass


_Command = _Run | _Load | _Pause | _Stop | _Drop | _Close


@dataclass
class _Job:
    """A session with something to do: the search and its runs.

    Each run in `waiting` holds one count of the session's lease.
    """

    session: str
    search: Search | None = None
    waiting: deque[_Run] = field(default_factory=deque)  # the present run is the first
    generated: int = 0


class Worker:
    """Runs searches of several sessions side by side, an iteration of each in turn.

    Args:
        store: for logs and stored replies; leases of runs are given back to it.
        settings: models to load at the first run.
        load: loads them, in the worker's thread.
        grading: compares answers.
        home: where reports of internal errors go.
    """

    def __init__(
        self,
        store: Store,
        settings: ModelSettings,
        load: Loader,
        grading: Grading,
        home: Path,
    ) -> None:
        self._store = store
        self._settings = settings
        self._load = load
        self._grading = grading
        self._home = home
        self._commands: queue.SimpleQueue[_Command] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._states: dict[str, RunState] = {}
        self._began: dict[str, float] = {}
        self._coming: Counter[str] = Counter()  # runs asked for that the thread has not seen yet
        # All below is the thread's own.
        self._models: Models | None = None
        self._driver: Driver | None = None
        self._loading = ""
        self._jobs: dict[str, _Job] = {}
        self._searches: dict[str, Search] = {}
        self._standing_since: float | None = None  # for another process
        self._thread = threading.Thread(target=self._work, name="models", daemon=True)
        self._thread.start()

    # For any thread.

    def run(
        self,
        live: Log,
        limits: Limits,
        priority: int = INTERACTIVE,
        on_end: OnEnd = _ignore,
    ) -> None:
        """Run a session; if it runs already, again afterwards.

        Raises:
            SessionInUseError: another process works on it.
        """
        self._store.leases.acquire(live.session)
        with self._changed:
            state = self._states.get(live.session, RunState())
            if state.active:
                self._set(live.session, target=_sum(state.target, limits.iterations))
            else:
                self._states[live.session] = RunState("queued", target=limits.iterations)
                self._began[live.session] = time.monotonic()
            self._coming[live.session] += 1
        self._commands.put(_Run(live, limits, priority, on_end))

    def load(self, on_end: OnEnd) -> None:
        """Load the models if they are not loaded, and say when they are or why not."""
        self._commands.put(_Load(on_end))

    def pause(self, session: str) -> None:
        """End the run after the present iteration; nothing if there is none."""
        self._say_pausing(session)
        self._commands.put(_Pause(session))

    def stop(self, session: str) -> None:
        """End the run at the next model call; nothing if there is none."""
        self._say_pausing(session)
        self._commands.put(_Stop(session))

    def drop(self, session: str) -> None:
        """End all runs of a session at the next model call, without a conclusion; nothing if there
        is none. Its log goes on from there as if it had never been interrupted.
        """
        self._commands.put(_Drop(session))

    def state(self, session: str) -> RunState:
        """The present or last run of a session."""
        with self._changed:
            return self._state(session)

    def wait(self, session: str, timeout: float | None) -> RunState:
        """Wait until the session has nothing to do, at most `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._state(session).active, timeout)
            return self._state(session)

    def forget(self, session: str) -> None:
        """Drop the state of a session unless it is running."""
        with self._changed:
            if not self._states.get(session, RunState()).active:
                self._states.pop(session, None)
                self._began.pop(session, None)

    @property
    def loading(self) -> str:
        """How far loading the models is, "" if they are not being loaded."""
        return self._loading

    @property
    def notices(self) -> list[str]:
        """What the loaded models have to say."""
        models = self._models
        return list(models.notices) if models else []

    def close(self, timeout: float) -> bool:
        """Drop unfinished iterations and end the thread; False if a model call outlasts it."""
        self._commands.put(_Close())
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _state(self, session: str) -> RunState:
        state = self._states.get(session, RunState())
        if not state.active:
            return state
        seconds = time.monotonic() - self._began[session]
        return msgspec.structs.replace(state, seconds=seconds)

    def _say_pausing(self, session: str) -> None:
        with self._changed:
            if self._states.get(session, RunState()).status == "running":
                self._set(session, status="pausing")

    def _set(self, session: str, **changes: object) -> None:
        state = self._states.get(session, RunState())
        self._states[session] = msgspec.structs.replace(state, **changes)
        self._changed.notify_all()

    # For the thread.

    def _work(self) -> None:
        while True:
            for command in self._received():
                if isinstance(command, _Close):
                    self._end_all()
                    return
                self._obey(command)
            self._advance()

    def _received(self) -> list[_Command]:
        """The commands that have come in; waits for one if there is nothing to do."""
        if self._jobs:
            commands = []
        else:
            self._store.turns.release()
            commands = [self._commands.get()]
        while not self._commands.empty():
            commands.append(self._commands.get())
        return commands

    def _obey(self, command: _Command) -> None:
        if isinstance(command, _Run):
            self._take_on(command)
        elif isinstance(command, _Load):
            try:
                self._ready_driver(None)
                command.on_end(Ending(True))
            except (Exception, SystemExit) as error:
                command.on_end(Ending(False, self._words(error)))
        elif isinstance(command, _Drop):
            if command.session in self._jobs:
                self._end(command.session, "idle")
        elif isinstance(command, (_Pause, _Stop)):
            self._end_early(command)

    def _end_early(self, command: _Pause | _Stop) -> None:
        job = self._jobs.get(command.session)
        if job is None or job.search is None or self._driver is None:
            return  # its run has ended meanwhile
        while len(job.waiting) > 1:
            job.waiting.pop().on_end(Ending(False))
            self._give_back(command.session)
        try:
            if isinstance(command, _Pause):
                self._driver.pause(job.search)
            else:
                self._driver.stop(job.search)
        except Exception as error:
            self._fail([command.session], error)

    def _take_on(self, command: _Run) -> None:
        session = command.live.session
        with self._changed:
            self._coming[session] -= 1
            if not self._coming[session]:
                del self._coming[session]
        job = self._jobs.setdefault(session, _Job(session))
        job.waiting.append(command)
        if job.search is None:
            try:
                driver = self._ready_driver(session)
                job.search = self._search(session)
                self._start(driver, job)
            except (Exception, SystemExit) as error:
                self._fail([session], error)

    def _start(self, driver: Driver, job: _Job) -> None:
        assert job.search is not None
        job.generated = job.search.tree.cost.policy_generated
        run = job.waiting[0]
        driver.start(
            job.search, run.limits, lambda search, events: self._keep(job, events), run.priority
        )
        with self._changed:
            self._set(job.session, status="running", message="")

    def _ready_driver(self, session: str | None) -> Driver:
        """The driver with its models loaded; the state of a session, if one waits, says how far."""
        if self._driver is None:

            def tell(what: str, share: float) -> None:
                self._loading = f"loading {what}: {100 * share:.0f} %"
                if session is not None:
                    with self._changed:
                        self._set(session, status="loading", message=self._loading)

            tell("the models", 0.0)
            try:
                self._models = self._load(self._settings, tell)
            finally:
                self._loading = ""
            self._driver = Driver(self._models.policy, self._models.prm, self._store.archive)
        return self._driver

    def _search(self, session: str) -> Search:
        """The search of a session as it is on disk; kept ones save folding long logs again."""
        kept = self._searches.pop(session, None)
        length = self._store.length(session)
        if kept is None or len(kept.log) != length:
            log = self._store.events(session)
            first = log[0]
            assert isinstance(first, ev.SearchCreated)
            kept = Search(log, lambda answer: self._grading(answer, first.gold))
        return kept

    def _advance(self) -> None:
        if self._driver is None or not self._jobs or self._stands_back():
            return
        try:
            for search, error in self._driver.tick():
                failed = [name for name, job in self._jobs.items() if job.search is search]
                self._fail(failed, error)
        except (Exception, SystemExit) as error:
            # Of no search in particular, such as a library that wants the program to end.
            self._fail(list(self._jobs), error)
        active = {id(search) for search in self._driver.active}
        for session, job in list(self._jobs.items()):
            if id(job.search) not in active:
                self._next(session, job)

    def _stands_back(self) -> bool:
        """Whether there are only runs of batches, and somebody waits for another process's."""
        turns = self._store.turns
        if any(job.waiting[0].priority >= INTERACTIVE for job in self._jobs.values()):
            turns.claim()
            return False
        turns.release()
        now = time.monotonic()
        if turns.elsewhere():
            self._standing_since = self._standing_since or now
            if now < self._standing_since + PATIENCE_SECONDS:
                time.sleep(_LOOK_SECONDS)
                return True
        self._standing_since = None
        return False

    def _next(self, session: str, job: _Job) -> None:
        """A run has ended: begin the one that was asked for meanwhile, or end the job."""
        assert self._driver is not None
        assert job.search is not None
        run = job.waiting.popleft()
        self._give_back(session)
        if job.waiting:
            self._start(self._driver, job)
        else:
            if run.priority >= INTERACTIVE:  # nobody comes back to those of a batch so soon
                self._searches[session] = job.search
            while len(self._searches) > _KEPT_SEARCHES:
                del self._searches[next(iter(self._searches))]
            self._end(session, "idle")
        run.on_end(Ending(True))

    def _keep(self, job: _Job, events: Sequence[ev.Event]) -> None:
        """Put an iteration on disk, then show it."""
        assert job.search is not None
        tree = job.search.tree
        job.waiting[0].live.commit(events, digest(tree))
        with self._changed:
            state = self._states[job.session]
            finished = sum(isinstance(event, ev.IterationFinished) for event in events)
            generated = tree.cost.policy_generated - job.generated
            job.generated = tree.cost.policy_generated
            self._set(
                job.session,
                done=state.done + finished,
                tokens=state.tokens + generated,
            )

    def _fail(self, sessions: Sequence[str], error: BaseException) -> None:
        message = self._words(error)
        for session in sessions:
            self._end(session, "failed", message)

    def _words(self, error: BaseException) -> str:
        return str(error) if isinstance(error, LabError) else in_words(error, self._home)

    def _end(self, session: str, status: Status, message: str = "") -> None:
        """Forget a job, give its lease back, say how it ended."""
        job = self._jobs.pop(session)
        if job.search is not None and self._driver is not None:
            self._driver.abandon(job.search)
        for _ in job.waiting:
            self._give_back(session)
        with self._changed:
            if session in self._coming:  # whoever waits for the session waits for that run too
                self._set(session, status="queued", message=message)
            else:
                seconds = time.monotonic() - self._began[session]
                self._set(session, status=status, message=message, seconds=seconds)
        for run in job.waiting:
            run.on_end(Ending(False, message))

    def _end_all(self) -> None:
        with self._changed:
            self._coming.clear()
            for session, state in list(self._states.items()):
                if state.active and session not in self._jobs:
                    self._set(session, status="idle")
        for session in list(self._jobs):
            self._end(session, "idle")

    def _give_back(self, session: str) -> None:
        # The lock itself is free in any case; only the words on who had it may stay behind.
        with suppress(StoreError):
            self._store.leases.release(session)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
