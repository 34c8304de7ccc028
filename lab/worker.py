"""The one thread that owns the models and drives searches.

Others send it commands and read views. It never dies: what goes wrong ends the runs concerned, with
the reason in their state. Runs that somebody waits for go before those of batches, also before
those of other processes on the same home. A task, such as training, has the models to itself.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine import events as ev
from engine.errors import LabError
from engine.models.base import Policy, ProcessRewardModel
from engine.search.acts import Act
from engine.search.driver import Driver, Failure, Limits, Search
from lab.commands import (
    BATCH,
    INTERACTIVE,
    Annotate,
    Change,
    Close,
    Command,
    Do,
    Drop,
    Ending,
    Hold,
    Inbox,
    Load,
    Log,
    OnEnd,
    Pause,
    Run,
    Stop,
    Task,
    Work,
    ignore,
)
from lab.drivers import Drivers
from lab.failures import in_words
from lab.kept_searches import KeptSearches
from lab.live import summed
from lab.models import Loader, Models
from lab.results import ModelSettings, RunState, Status
from lab.run_states import RunStates
from sessions.errors import StoreError
from sessions.store import Store

__all__ = ["BATCH", "INTERACTIVE", "Ending", "Log", "OnEnd", "Worker"]

Grading = Callable[[str | None, str | None], bool | None]
"""Whether an answer (first) is right by the oracle answer; None without an oracle answer."""

_LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 10.0
"""How long a batch stands still for another process at most before it does one more step: a process
that somebody has suspended must not hold it up for ever."""


@dataclass
class _Job:
    """A session with something to do: the search and its runs.

    Each run in `waiting` holds one count of the session's lease.
    """

    session: str
    search: Search | None = None
    known: int = 0  # length of the log when it was read
    driver: Driver | None = None
    waiting: deque[Run] = field(default_factory=deque)  # the present run is the first
    generated: int = 0
    trouble: str = ""  # why an act of its runs was not done
    only_acts: bool = True


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
        self._grading = grading
        self._home = home
        self._commands = Inbox()
        self._states = RunStates()
        self._loading = self._busy = ""
        self._closing = threading.Event()
        # All below is the thread's own.
        self._drivers = Drivers(settings, load, store.archive, store.adapters.open)
        self._jobs: dict[str, _Job] = {}
        self._searches = KeptSearches(self._drivers)
        self._standing_since: float | None = None  # for another process
        self._thread = threading.Thread(target=self._work, name="models", daemon=True)
        self._thread.start()

    # For any thread.

    def run(
        self,
        live: Log,
        limits: Limits,
        priority: int = INTERACTIVE,
        on_end: OnEnd = ignore,
    ) -> None:
        """Run a session; if it runs already, again afterwards.

        Raises:
            SessionInUseError: another process works on it.
        """
        self._store.leases.acquire(live.session)
        self._states.ask(live.session, limits.iterations)
        self._commands.put(Run(live, limits, priority, on_end))

    def act(self, live: Log, act: Act) -> None:
        """Do something to a session between two iterations, with the models.

        Raises:
            SessionInUseError: another process works on it.
        """
        self._store.leases.acquire(live.session)
        self._states.ask(live.session, 0)
        self._commands.put(Do(live, act))

    def annotate(self, live: Log, events: Sequence[ev.Event], places: Sequence[int]) -> None:
        """Let the search, if there is one, know what is on disk at these places; does not wait."""
        self._commands.put(Annotate(live, events, places))

    def load(self, on_end: OnEnd) -> None:
        """Load the models if they are not loaded, and say when they are or why not."""
        self._commands.put(Load(on_end))

    def change(self, settings: ModelSettings, on_end: OnEnd) -> None:
        """Let the models go and use others from now on; refused while something runs."""
        self._commands.put(Change(settings, on_end))

    def task(self, title: str, work: Work, on_end: OnEnd) -> None:
        """Do some work with the models in their thread; searches wait meanwhile and say so.

        Args:
            title: what is done, for those who wait.
            work: the work.
            on_end: told when it is done, or why it failed; must not wait.
        """
        self._commands.put(Task(title, work, on_end))

    @property
    def closing(self) -> bool:
        """Whether the thread is to end, and a task with it."""
        return self._closing.is_set()

    @property
    def closed(self) -> bool:
        """Whether the thread has ended."""
        return not self._thread.is_alive()

    def pause(self, session: str) -> None:
        """End the run after the present iteration; nothing if there is none."""
        self._states.pausing(session)
        self._commands.put(Pause(session))

    def hold(self, session: str) -> None:
        """Hold the run before it asks a model again; nothing if there is none."""
        self._states.pausing(session)
        self._commands.put(Hold(session))

    def stop(self, session: str) -> None:
        """End the run at the next model call; nothing if there is none."""
        self._states.pausing(session)
        self._commands.put(Stop(session))

    def drop(self, session: str) -> None:
        """End all runs of a session at the next model call, without a conclusion; nothing if there
        is none. Its log goes on from there as if it had never been interrupted.
        """
        self._commands.put(Drop(session))

    def state(self, session: str) -> RunState:
        """The present or last run of a session."""
        return self._states.state(session, self._busy)

    def wait(self, session: str, timeout: float | None) -> RunState:
        """Wait until the session has nothing to do, at most `timeout` seconds."""
        self._states.wait(session, timeout)
        return self.state(session)

    def forget(self, session: str) -> None:
        """Drop the state of a session unless it is running."""
        self._states.forget(session)

    @property
    def loading(self) -> str:
        """How far loading the models is, "" if they are not being loaded."""
        return self._loading

    @property
    def models(self) -> Models | None:
        """The loaded models, for looking at; None if there are none."""
        return self._drivers.models

    def opened(self, policy: str) -> Policy | None:
        """The policy that logs name so, None if it is not loaded."""
        return self._drivers.opened(policy)

    def opened_both(self, policy: str, prm: str) -> tuple[Policy | None, ProcessRewardModel | None]:
        """The models that logs name so, None for what is not loaded."""
        return self._drivers.opened(policy), self._drivers.opened_prm(prm)

    def close(self, timeout: float) -> bool:
        """Drop unfinished iterations and end the thread; False if a model call outlasts it."""
        self._closing.set()
        self._commands.put(Close())
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # For the thread.

    def _work(self) -> None:
        while True:
            for command in self._received():
                if isinstance(command, Close):
                    self._end_all()
                    return
                self._obey(command)
            self._advance()

    def _received(self) -> list[Command]:
        """The commands that have come in; waits for one if there is nothing to do."""
        if not self._jobs:
            self._store.turns.release()
        return self._commands.take(wait=not self._jobs)

    def _obey(self, command: Command) -> None:
        if isinstance(command, Run):
            self._take_on(command)
        elif isinstance(command, Do):
            self._act(command)
        elif isinstance(command, Annotate):
            self._annotate(command)
        elif isinstance(command, Load):
            self._do("", lambda _: None, command.on_end)
        elif isinstance(command, Change):
            self._change(command)
        elif isinstance(command, Task):
            self._do(command.title, command.work, command.on_end)
        elif isinstance(command, Drop):
            if command.session in self._jobs:
                self._end(command.session, "idle")
            self._searches.drop(command.session)
        elif isinstance(command, (Pause, Hold, Stop)):
            self._end_early(command)

    def _change(self, command: Change) -> None:
        if not self._jobs:
            self._searches.clear()
            self._drivers.change(command.settings)
        command.on_end(Ending(not self._jobs, "A search is running" if self._jobs else ""))

    def _do(self, title: str, work: Work, on_end: OnEnd) -> None:
        self._busy = title
        try:
            self._ready(None)
            if not self._closing.is_set():
                work(self._drivers)
            ending = Ending(True)
        except (Exception, SystemExit) as error:
            ending = Ending(False, self._words(error))
        self._busy = ""
        on_end(ending)

    def _end_early(self, command: Pause | Hold | Stop) -> None:
        job = self._jobs.get(command.session)
        if job is None or job.search is None or job.driver is None:
            if isinstance(command, Stop):
                self._searches.drop(command.session)
            return  # its run has ended meanwhile
        while len(job.waiting) > 1:
            job.waiting.pop().on_end(Ending(False))
            self._give_back(command.session)
        try:
            if isinstance(command, Pause):
                job.driver.pause(job.search)
            elif isinstance(command, Hold):
                job.driver.hold(job.search)
            else:
                job.driver.stop(job.search)
        except Exception as error:
            self._fail([command.session], error)

    def _act(self, command: Do) -> None:
        """Between two iterations of the present run, or as a run of its own without any."""
        job = self._jobs.get(command.live.session)
        if job is None or job.search is None or job.driver is None:
            self._take_on(Run(command.live, Limits(iterations=0)), command.act)
            return
        self._states.arrive(job.session)
        self._give_back(job.session)  # the present run holds it as long as it lasts
        job.driver.act(job.search, command.act, lambda search, events: self._keep(job, events))

    def _annotate(self, command: Annotate) -> None:
        session = command.live.session
        job = self._jobs.get(session)
        search = job.search if job else self._searches.get(session)
        for event, place in zip(command.events, command.places, strict=True):
            # One that is kept may be held in the midst of an iteration, and must go on there.
            news = place > job.known if job else search and place == len(search.log) + 1
            if search is not None and news:
                search.tree.apply(event)
                search.log.append(event)
            command.live.told(place=place)

    def _take_on(self, command: Run, act: Act | None = None) -> None:
        session = command.live.session
        self._states.arrive(session)
        job = self._jobs.setdefault(session, _Job(session))
        job.waiting.append(command)
        if job.search is None:
            try:
                self._ready(session)
                with command.live.at_rest():
                    job.search = self._search(session)
                    job.known = len(job.search.log)
                    command.live.told(upto=job.known)
                job.driver = self._drivers.of(job.search.tree.policy, job.search.tree.prm)
                self._start(job, act)
            except (Exception, SystemExit) as error:
                self._fail([session], error)

    def _start(self, job: _Job, act: Act | None = None) -> None:
        assert job.search is not None
        assert job.driver is not None
        job.generated = job.search.tree.cost.policy_generated
        run = job.waiting[0]

        def keep(search: Search, events: Sequence[ev.Event]) -> None:
            self._keep(job, events)

        def show(search: Search, events: Sequence[ev.Event]) -> None:
            run.live.preview(events)

        if act is None:
            job.only_acts = False
            job.driver.start(job.search, run.limits, keep, run.priority, show)
        else:
            job.driver.act(job.search, act, keep, run.priority)
        self._states.set(job.session, status="running", message=job.trouble)

    def _ready(self, session: str | None) -> None:
        """Have the models loaded; the state of a session, if one waits, says how far that is."""
        if self._drivers.models is not None:
            return

        def tell(what: str, share: float) -> None:
            self._loading = f"loading {what}: {100 * share:.0f} %"
            if session is not None:
                self._states.set(session, status="loading", message=self._loading)

        tell("the models", 0.0)
        try:
            self._drivers.ready(tell)
        finally:
            self._loading = ""

    def _search(self, session: str) -> Search:
        """The search of a session as it is on disk; kept ones save folding long logs again."""
        kept = self._searches.take(session, self._store.length(session))
        if kept is not None:
            return kept
        log = self._store.log(session)
        first = log[0]
        assert isinstance(first, ev.SearchCreated)
        return Search(log, lambda answer: self._grading(answer, first.gold))

    def _advance(self) -> None:
        if not self._jobs or self._stands_back():
            return
        for driver in self._due():
            try:
                for failure in driver.tick(self._commands.urgent):
                    self._heed(failure)
            except (Exception, SystemExit) as error:
                # Of no search in particular, such as a library that wants the program to end.
                self._fail(
                    [name for name, job in self._jobs.items() if job.driver is driver], error
                )
        active = {id(search) for driver in self._drivers.all for search in driver.active}
        for session, job in list(self._jobs.items()):
            if id(job.search) not in active:
                self._next(session, job)

    def _due(self) -> list[Driver]:
        """The drivers that have runs of the highest priority."""
        top = max(job.waiting[0].priority for job in self._jobs.values())
        due = {
            id(job.driver): job.driver
            for job in self._jobs.values()
            if job.driver is not None and job.waiting[0].priority == top
        }
        return list(due.values())

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
        assert job.search is not None
        run = job.waiting.popleft()
        self._give_back(session)
        if job.waiting:
            self._start(job)
        else:
            if run.priority >= INTERACTIVE:  # nobody comes back to those of a batch so soon
                self._searches.keep(session, job.search, run.live)
            failed = job.only_acts and job.trouble
            self._end(session, "failed" if failed else "idle", job.trouble)
        run.on_end(Ending(True))

    def _keep(self, job: _Job, events: Sequence[ev.Event]) -> None:
        """Put an iteration on disk, then show it."""
        assert job.search is not None
        tree = job.search.tree
        job.waiting[0].live.commit(events, summed(tree), after=len(job.search.log))
        finished = sum(isinstance(event, ev.IterationFinished) for event in events)
        generated = tree.cost.policy_generated - job.generated
        job.generated = tree.cost.policy_generated
        self._states.add(job.session, finished, generated)

    def _heed(self, failure: Failure) -> None:
        """An error has ended a run, or an act: the run then goes on."""
        for session, job in list(self._jobs.items()):
            if job.search is failure.search and failure.ended:
                self._fail([session], failure.error)
            elif job.search is failure.search:
                job.trouble = self._words(failure.error)
                self._states.set(session, message=job.trouble)

    def _fail(self, sessions: Sequence[str], error: BaseException) -> None:
        message = self._words(error)
        for session in sessions:
            self._end(session, "failed", message)

    def _words(self, error: BaseException) -> str:
        return str(error) if isinstance(error, LabError) else in_words(error, self._home)

    def _end(self, session: str, status: Status, message: str = "") -> None:
        """Forget a job, give its lease back, say how it ended."""
        job = self._jobs.pop(session)
        if job.search is not None and job.driver is not None and session not in self._searches:
            job.driver.abandon(job.search)
        for _ in job.waiting:
            self._give_back(session)
        self._states.end(session, status, message)
        for run in job.waiting:
            run.on_end(Ending(False, message))

    def _end_all(self) -> None:
        self._states.end_coming()
        for session in list(self._jobs):
            self._end(session, "idle")

    def _give_back(self, session: str) -> None:
        # The lock itself is free in any case; only the words on who had it may stay behind.
        with suppress(StoreError):
            self._store.leases.release(session)
