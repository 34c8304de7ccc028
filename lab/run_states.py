"""How the runs of sessions go, for whoever asks, and which are asked for and not yet begun."""

import threading
import time
from collections import Counter

import msgspec

from lab.results import RunState, Status


class RunStates:
    """Present or last runs by session. Safe to use from many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._states: dict[str, RunState] = {}
        self._began: dict[str, float] = {}
        self._coming: Counter[str] = Counter()

    def ask(self, session: str, target: int | None) -> None:
        """A run of so many iterations is asked for."""
        with self._changed:
            state = self._states.get(session, RunState())
            if state.active:
                self._set(session, target=_sum(state.target, target))
            else:
                self._states[session] = RunState("queued", target=target)
                self._began[session] = time.monotonic()
            self._coming[session] += 1

    def arrive(self, session: str) -> None:
        """The model thread has seen a run that was asked for."""
        with self._changed:
            self._coming[session] -= 1
            if not self._coming[session]:
                del self._coming[session]

    def set(self, session: str, **changes: object) -> None:
        """Change fields of a state."""
        with self._changed:
            self._set(session, **changes)

    def add(self, session: str, iterations: int, tokens: int) -> None:
        """So much more is done."""
        with self._changed:
            state = self._states[session]
            self._set(session, done=state.done + iterations, tokens=state.tokens + tokens)

    def pausing(self, session: str) -> None:
        """Somebody wants a running session to end."""
        with self._changed:
            if self._states.get(session, RunState()).status == "running":
                self._set(session, status="pausing")

    def end(self, session: str, status: Status, message: str) -> None:
        """A job is over; whoever waits for the session waits for a run that is asked for, too."""
        with self._changed:
            if session in self._coming:
                self._set(session, status="queued", message=message)
            else:
                seconds = time.monotonic() - self._began[session]
                self._set(session, status=status, message=message, seconds=seconds)

    def end_coming(self) -> None:
        """No run that is asked for will be begun."""
        with self._changed:
            for session in self._coming:
                self._set(session, status="idle")
            self._coming.clear()

    def state(self, session: str, busy: str) -> RunState:
        """The present or last run of a session; `busy`: what it waits for, if it does."""
        with self._changed:
            return self._state(session, busy)

    def wait(self, session: str, timeout: float | None) -> None:
        """Wait until a session has nothing to do, at most `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._state(session, "").active, timeout)

    def forget(self, session: str) -> None:
        """Drop the state of a session unless it is running."""
        with self._changed:
            if not self._states.get(session, RunState()).active:
                self._states.pop(session, None)
                self._began.pop(session, None)

    def _state(self, session: str, busy: str) -> RunState:
        state = self._states.get(session, RunState())
        if not state.active:
            return state
        seconds = time.monotonic() - self._began[session]
        message = f"waits: {busy}" if busy else state.message
        return msgspec.structs.replace(state, seconds=seconds, message=message)

    def _set(self, session: str, **changes: object) -> None:
        state = self._states.get(session, RunState())
        self._states[session] = msgspec.structs.replace(state, **changes)
        self._changed.notify_all()


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
