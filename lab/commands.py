"""What the model thread is told to do, and what it answers."""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from engine import events as ev
from engine.search.acts import Act
from engine.search.driver import Limits
from lab.drivers import Drivers
from lab.live import Summed
from lab.results import ModelSettings

INTERACTIVE, BATCH = 0, -1
"""Priorities of runs."""


class Log(Protocol):
    """Where the events of a session go."""

    @property
    def session(self) -> str: ...

    def commit(
        self, events: Sequence[ev.Event], summed: Summed | None = None, after: int | None = None
    ) -> None:
        """Put events on disk; `summed` is the digest after them, `after` the length of the log
        that they follow. Raises StoreError.
        """

    def at_rest(self) -> AbstractContextManager[None]:
        """Nobody writes to the log within the block; nothing of this may be called there but
        `told`.
        """

    def told(self, *, upto: int = 0, place: int = 0) -> None:
        """The search knows an annotation now, or all up to a place of the log."""

    def preview(self, events: Sequence[ev.Event]) -> None:
        """Show events of an unfinished iteration, which are not on disk."""


class Ending(NamedTuple):
    """How a run ended: by itself (or by pause or stop), by an error in words, or dropped."""

    finished: bool
    error: str = ""


OnEnd = Callable[[Ending], None]
"""Called in the model thread when a run has ended; must not wait."""


Work = Callable[[Drivers], None]
"""Work in the model thread with the models loaded. Must look at `Worker.closing` now and then."""


def ignore(ending: Ending) -> None:
    """For those who do not wait for an end."""


@dataclass(frozen=True)
class Run:
    """Run a session."""

    live: Log
    limits: Limits
    priority: int = INTERACTIVE
    on_end: OnEnd = ignore


@dataclass(frozen=True)
class Do:
    """Do something to a session between two iterations."""

    live: Log
    act: Act


@dataclass(frozen=True)
class Annotate:
    """Let the search of a session know what a person has said; it is on disk."""

    live: Log
    events: Sequence[ev.Event]
    places: Sequence[int]


@dataclass(frozen=True)
class Load:
    """Load the models."""

    on_end: OnEnd


@dataclass(frozen=True)
class Change:
    """Let the models go and use others."""

    settings: ModelSettings
    on_end: OnEnd


@dataclass(frozen=True)
class Task:
    """Do something else with the models."""

    title: str
    work: Work
    on_end: OnEnd


@dataclass(frozen=True)
class Pause:
    """End a run after its iteration."""

    session: str


@dataclass(frozen=True)
class Hold:
    """Hold a run before it asks a model again; the next one goes on there."""

    session: str


@dataclass(frozen=True)
class Stop:
    """End a run at the next model call."""

    session: str


@dataclass(frozen=True)
class Drop:
    """End all runs of a session without a conclusion."""

    session: str


@dataclass(frozen=True)
class Close:
    """End the thread."""


Command = Run | Do | Annotate | Load | Change | Task | Pause | Hold | Stop | Drop | Close


class Inbox:
    """Commands on their way to the model thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._urgent = threading.Event()

    def put(self, command: Command) -> None:
        """Send one; for any thread."""
        self._queue.put(command)
        if isinstance(command, Hold | Stop | Drop | Close):
            self._urgent.set()

    def urgent(self) -> bool:
        """Whether one has come that programs of a model must not hold up; for any thread."""
        return self._urgent.is_set()

    def take(self, wait: bool) -> list[Command]:
        """Those that have come, at least one if it may wait."""
        self._urgent.clear()  # first: what comes from here on is taken now or urgent again
        commands = [self._queue.get()] if wait else []
        while not self._queue.empty():
            commands.append(self._queue.get())
        return commands
