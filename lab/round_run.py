"""The thread that goes through the phases of a round, and of those that follow it in a row."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from engine.errors import LabError
from engine.training.learner import Progress
from engine.training.recipes import Recipe
from lab.failures import in_words
from lab.round_phases import Parts, Phases, Problems, StoppedError
from lab.round_results import PHASES, PhaseState, RoundSettings, RoundState, Verdict
from lab.round_time import expected, from_searches
from lab.round_verdict import judge
from sessions.adapters import ROLES
from sessions.errors import StoreError
from sessions.rounds import RoundRow

_SPEND_SECONDS = 2.0


class SeriesRun:
    """The work of this process on a series of rounds, once.

    Attributes:
        row: the present round.

    Args:
        parts: of the workbench.
        row: the round to begin or go on with; the series is held by this process.
        settings: what was asked for.
        wanted: what tells the series from others.
        recipe: with what the settings change in it.
        problems: the datasets.
    """

    def __init__(
        self,
        parts: Parts,
        row: RoundRow,
        settings: RoundSettings,
        wanted: Mapping[str, Any],
        recipe: Recipe,
        problems: Problems,
    ) -> None:
        self.row = row
        self._parts = parts
        self._settings = settings
        self._wanted = wanted
        self._recipe = recipe
        self._problems = problems
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        # Not the thread's own end: a join that Ctrl-C interrupts takes the thread for dead.
        self._ended = threading.Event()
        self._loading = ""
        self._phase: PhaseState | None = None
        self._curves: dict[str, list[tuple[int, float]]] = {}
        self._expected: dict[str, float] = {}
        self._began = self._spent_until = time.monotonic()
        self._thread = threading.Thread(target=self._main, name="round", daemon=True)

    # For any thread.

    def start(self) -> None:
        """Begin; the series is given back at the end."""
        self._thread.start()

    def stop(self) -> None:
        """End at the next model call or update."""
        self._stopping.set()

    def join(self, timeout: float | None) -> None:
        """Wait for the end, at most `timeout` seconds."""
        self._ended.wait(timeout)

    @property
    def active(self) -> bool:
        """Whether something is left to do."""
        return not self._ended.is_set()

    def show(self, state: RoundState) -> RoundState:
        """The state of the present round from what is on disk, with what goes on here."""
        with self._lock:
            phase, loading, curves = self._phase, self._loading, dict(self._curves)
        if not self.active or phase is None:
            return state
        status = "pausing" if self._stopping.is_set() else "loading" if loading else "running"
        phases = [
            msgspec.structs.replace(phase, seconds=one.seconds + self._unspent())
            if one.name == phase.name
            else one
            for one in state.phases
        ]
        return msgspec.structs.replace(
            state,
            status=status,
            phase=phase.name,
            phases=phases,
            curves={**state.curves, **{name: list(curve) for name, curve in curves.items()}},
            message=loading,
            left=self._left(phase),
        )

    def _unspent(self) -> float:
        return time.monotonic() - self._spent_until

    def _left(self, phase: PhaseState) -> float | None:
        """Of the present phase, and what the later ones may take."""
        names, forecast, left = list(PHASES), self._expected, phase.left
        if left is None and phase.name in forecast:
            left = max(0.0, forecast[phase.name] - (time.monotonic() - self._began))
        if not forecast and phase.name == "search" and phase.left is not None:
            each = phase.left / max(1, phase.total - phase.done)
            forecast = from_searches(each, self._recipe, self._problems)
        if left is None or not forecast:
            return None
        return left + sum(forecast.get(name, 0.0) for name in names[names.index(phase.name) + 1 :])

    # For the thread.

    def _main(self) -> None:
        rounds, message = self._parts.store.rounds, ""
        try:
            while not self._stopping.is_set():
                if self.row.status == "open":
                    if self.row.message:
                        rounds.say(self.row.id, "open")
                    self._go_through()
                if self.row.number >= self._settings.rounds:
                    break
                self._follow_up()
        except StoppedError:
            pass
        except LabError as error:
            message = str(error)
        except Exception as error:
            message = in_words(error, self._parts.home)
        if message:
            with suppress(StoreError):
                rounds.say(self.row.id, "open", message)
        rounds.release(self.row.series)
        self._ended.set()

    def _go_through(self) -> None:
        """The phases of the present round that are not done."""
        rounds = self._parts.store.rounds
        self._curves.clear()
        phases = Phases(
            self._parts,
            self.row,
            self._settings,
            self._recipe,
            self._problems,
            self._stopping.is_set,
            self._report,
        )
        for name, title in PHASES.items():
            if rounds.row(self.row.id).result(name) is not None:
                continue
            if self._stopping.is_set():
                raise StoppedError
            # Again for each phase: after the first searches of a home their pace is known.
            forecast = expected(self._parts, self._recipe, self._settings, self._problems)
            with self._lock:
                self._expected = forecast
                self._phase = PhaseState(name, title, "running")
                self._began = self._spent_until = time.monotonic()
            try:
                result = self._record() if name == "record" else getattr(phases, name)()
            finally:
                self._spend()
            rounds.finish_phase(self.row.id, name, result)
        rounds.say(self.row.id, "done")
        self.row = rounds.row(self.row.id)

    def _follow_up(self) -> None:
        """The next round of the series, which begins with what this one made."""
        verdict = msgspec.convert(self.row.result("record"), Verdict)
        self.row = self._parts.store.rounds.begin(
            self.row.recipe,
            self._wanted,
            self._settings.rounds,
            msgspec.to_builtins(self._settings),
            dict(verdict.next),
            self.row,
        )

    def _record(self) -> dict[str, Any]:
        """The verdict; adapters that are not worse come into use."""
        row = self._parts.store.rounds.row(self.row.id)
        results = {name: row.result(name) or {} for name in PHASES}
        verdict = judge(self._parts.store, results, row.setting["start"], self._recipe)
        activated = dict.fromkeys(ROLES, False)
        for role in ROLES:
            adapter = verdict.adapters[role]
            if adapter is not None:
                self._evaluated(adapter, verdict)
                if self._settings.activate and verdict.next[role] == adapter:
                    self._parts.adapters.activate(adapter)
                    activated[role] = True
        verdict = msgspec.structs.replace(verdict, activated=activated)
        recorded: dict[str, Any] = msgspec.to_builtins(verdict)
        return recorded

    def _evaluated(self, adapter: str, verdict: Verdict) -> None:
        """Add the evaluation to what is known of an adapter."""
        store = self._parts.store.adapters
        row = store.row(adapter)
        fields = ("greedy", "guided", "guided_tokens", "calibration", "steps", "warnings")
        found = {name: msgspec.to_builtins(getattr(verdict, name)) for name in fields}
        store.add(adapter, row.role, row.base, row.parent, {**row.meta, "evaluation": found})

    def _report(
        self,
        done: int | None = None,
        total: int | None = None,
        left: float | None = None,
        note: str | None = None,
        loading: str = "",
        point: Progress | None = None,
    ) -> None:
        """Take note of the progress of the present phase."""
        with self._lock:
            phase = self._phase
            assert phase is not None
            if point is not None:
                took = time.monotonic() - self._began
                left = took / max(1, point.step) * (point.steps - point.step)
                curve = self._curves.setdefault(phase.name, [])
                if point.loss is not None:
                    curve.append((point.step, point.loss))
            changes = {"done": done, "total": total, "left": left, "note": note}
            given = {
                name: value
                for name, value in changes.items()
                if value is not None or (name == "left" and done is not None)
            }
            self._phase = msgspec.structs.replace(phase, **given)
            self._loading = loading
        if self._unspent() > _SPEND_SECONDS:
            self._spend()

    def _spend(self) -> None:
        """Write down the time since the last time."""
        now = time.monotonic()
        assert self._phase is not None
        with suppress(StoreError):
            self._parts.store.rounds.spend(self.row.id, self._phase.name, now - self._spent_until)
        self._spent_until = now
