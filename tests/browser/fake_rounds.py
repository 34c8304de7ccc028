"""The part of the scripted workbench that learns: rounds that get on without models."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.errors import LabError
from engine.evaluation.statistics import Interval
from engine.training.recipes import RECIPES, Recipe, recipe
from engine.training.verdict import Calibration, Comparison, Quality, Steps, Suspect
from lab.round_results import (
    PHASES,
    Changed,
    PhaseState,
    Plan,
    RoundSettings,
    RoundState,
    Verdict,
)
from sessions.adapters import ROLES, AdapterRow
from sessions.errors import AdapterNeededError, RoundNotFoundError

FAKE = "scripted, no model"
TOTALS = {"search": 8, "examples": 8, "prm": 12, "policy": 12, "greedy": 8, "guided": 4}
_ENDED = ("done", "cancelled")


class ScriptedAdapters:
    """Adapters without weights."""

    def __init__(self) -> None:
        self.held: dict[str, AdapterRow] = {}
        self.used: dict[str, str | None] = dict.fromkeys(ROLES)

    def labels(self) -> tuple[str, str]:
        found = [FAKE if one is None else f"{FAKE} + adapter {one}" for one in self.used.values()]
        return found[0], found[1]

    def base(self, role: str) -> str:
        return FAKE

    def active(self, role: str) -> str | None:
        return self.used[role]

    def rows(self) -> list[AdapterRow]:
        return [
            msgspec.structs.replace(row, active=self.used[row.role] == row.id)
            for row in self.held.values()
        ]

    def activate(self, adapter: str, role: str | None = None) -> list[str]:
        if adapter == "base":
            self.used |= dict.fromkeys(ROLES if role is None else (role,))
        else:
            self.used[self.held[adapter].role] = adapter
        return list(self.labels())

    def delete(self, *adapters: str) -> None:
        for one in adapters:
            if one in self.used.values():
                raise AdapterNeededError(f"Adapter {one} is the one in use <b>now</b>.")
            if any(row.parent == one for row in self.held.values()):
                raise AdapterNeededError(f"Adapter {one} is needed: others were trained from it.")
        for one in adapters:
            del self.held[one]


@dataclass
class Held:
    """A scripted round; `halt` ends the work on it."""

    state: RoundState
    halt: bool = False
    thread: threading.Thread | None = None
    left: list[str] = field(default_factory=lambda: list(PHASES))


class ScriptedRounds:
    """Rounds that raise accuracy by a fixed amount; `pace` seconds a count.

    Attributes:
        fails: phase that fails in these words, once.
        texts: used in place of labels, answers and warnings.
        worse: whether rounds make things worse.
    """

    def __init__(self, bench: Any, pace: float) -> None:
        self.bench = bench
        self.adapters: ScriptedAdapters = bench.adapters
        self.pace = pace
        self.held: dict[str, Held] = {}
        self.fails: dict[str, str] = {}
        self.texts: list[str] = []
        self.worse = False

    def recipes(self) -> list[Recipe]:
        return list(RECIPES.values())

    def settings(self, entered: Any) -> RoundSettings:
        return msgspec.convert(dict(entered), RoundSettings)

    def plan(self, settings: RoundSettings, fresh: bool = False) -> Plan:
        chosen = recipe(settings.recipe)
        if settings.pool == settings.heldout:
            raise ValueError("200 problems are in the pool and <i>held out</i>.")
        open_one = self._open(settings) if not fresh else None
        return msgspec.convert(
            {
                "recipe": chosen.name, "title": chosen.title, "source": chosen.source,
                "rounds": settings.rounds, "policy": self.adapters.labels()[0],
                "prm": self.adapters.labels()[1],
                "learns": [role for role in ROLES if getattr(chosen, role)],
                "pool": settings.pool_limit or 900, "heldout": settings.heldout_limit or 900,
                "guided": settings.guided_limit, "search": "mcts_star, 20 iterations",
                "seconds": 290.0 if self.held else None, "memory": "0.4 GB of 2.1 GB",
                "goes_on": open_one.state.id if open_one else None,
                "done": [name for name in PHASES if open_one and name not in open_one.left],
            },
            Plan,
        )  # fmt: skip

    def _open(self, settings: RoundSettings) -> Held | None:
        asked = msgspec.to_builtins(settings)
        return next(
            (
                one
                for one in self.held.values()
                if one.state.setting == asked and one.state.status not in _ENDED
            ),
            None,
        )

    def start(self, settings: RoundSettings, fresh: bool = False) -> str:
        held = None if fresh else self._open(settings)
        if held is None:
            held = self._begin(msgspec.to_builtins(settings), None)
        self._work(held)
        return held.state.series

    def _begin(self, asked: dict[str, Any], after: RoundState | None) -> Held:
        key = f"{len(self.held) + 1:08x}"
        state = RoundState(
            id=key, series=after.series if after else key, number=after.number + 1 if after else 1,
            rounds=asked["rounds"], recipe=asked["recipe"], setting=asked,
            start=dict(self.adapters.used), status="idle", phase="",
            phases=[PhaseState(name, title, "waiting") for name, title in PHASES.items()],
            curves={}, message="", left=None, verdict=None, created=1.79e9 + len(self.held),
        )  # fmt: skip
        self.held[key] = Held(state)
        return self.held[key]

    def _work(self, held: Held) -> None:
        if held.state.active:
            return
        held.halt = False
        self._set(held, status="running", message="")
        held.thread = threading.Thread(target=self._go, args=(held,), daemon=True)
        held.thread.start()

    def _set(self, held: Held, **changes: Any) -> None:
        held.state = msgspec.structs.replace(held.state, **changes)

    def _phase(self, held: Held, name: str, **changes: Any) -> None:
        phases = [
            msgspec.structs.replace(one, **changes) if one.name == name else one
            for one in held.state.phases
        ]
        self._set(held, phases=phases, phase=name)

    def _go(self, held: Held) -> None:
        while held.left:
            name = held.left[0]
            if name in self.fails:
                self._phase(held, name, status="waiting")
                self._set(held, status="failed", phase="", message=self.fails.pop(name))
                return
            if not self._count(held, name):
                self._phase(held, name, status="waiting")
                self._set(held, status="idle", phase="")
                return
            self._phase(held, name, status="done")
            held.left.pop(0)
        self._finish(held)
        if held.state.number < held.state.rounds:
            follower = self._begin(held.state.setting, held.state)
            self._work(follower)

    def _count(self, held: Held, name: str) -> bool:
        """Get on in a phase; False if it was ended."""
        total = TOTALS.get(name, 0)
        for done in range(total + 1):
            left = self.pace * (total - done)
            self._phase(
                held, name, status="running", done=done, total=total, left=left, seconds=2.0 + done,
                note="before" if name == "greedy" else "",
            )  # fmt: skip
            self._set(held, left=left + 60)
            if name in ("prm", "policy") and done:
                curve = [*held.state.curves.get(name, []), (done, 2.0 / (1 + done))]
                self._set(held, curves={**held.state.curves, name: curve})
            if held.halt:
                return False
            time.sleep(self.pace)
        return True

    def _finish(self, held: Held) -> None:
        made = {}
        for role in ROLES:
            key = f"{'ab'[role == 'prm']}{held.state.id[1:]}"
            meta = {
                "id": key, "role": role, "parent": held.state.start[role], "round": held.state.id,
                "recipe": recipe(held.state.recipe).model_dump(mode="json"), "seed": 0,
                "settings": held.state.setting, "data": {
                    "pool": self._text(0, "pool"), "batch": "batch-1", "rows": 120,
                    "sessions": {"fake-1": 70, "fake-2": 50}, "file": "rounds/x/policy.jsonl"},
                "training": {"steps": 12}, "versions": {"torch": "2.13.0", "peft": "0.21"},
            }  # fmt: skip
            self.adapters.held[key] = AdapterRow(
                key, role, FAKE, held.state.start[role], held.state.id, meta, 1.79e9, False
            )
            made[role] = key
        verdict = self._verdict(held.state, made)
        for role, key in made.items():
            told = {"greedy": {"sentence": verdict.greedy.sentence},
                    "guided": {"sentence": verdict.guided.sentence}}  # fmt: skip
            row = self.adapters.held[key]
            self.adapters.held[key] = msgspec.structs.replace(
                row, meta={**row.meta, "evaluation": told}
            )
            if verdict.activated[role]:
                self.adapters.activate(key)
        self._set(held, status="done", phase="", left=None, verdict=verdict)

    def _text(self, k: int, usual: str) -> str:
        return self.texts[k % len(self.texts)] if self.texts else usual

    def _verdict(self, state: RoundState, made: dict[Any, Any]) -> Verdict:
        level = 0.27 + 0.2 * (state.number - 1)
        change = -0.15 if self.worse else 0.587 if state.rounds == 1 else 0.2
        greedy = comparison(600, level, level + change)
        guided = comparison(150, 0.65 + 0.02 * state.number, 0.69 + 0.02 * state.number)
        sessions = list(self.bench.runs)[:2] or [None]
        return Verdict(
            greedy=greedy,
            changed=[
                Changed(self._text(k, f"heldout-{500 + k}"), k < 4, "25", self._text(k + 1, "7"),
                        self._text(k + 2, "25"), sessions[0], sessions[-1])
                for k in range(6)
            ],
            guided=guided,
            guided_tokens=861,
            calibration=Calibration(
                5120, 131, Quality(0.171, 0.921, 0.31), Quality(0.112, 0.947, 0.36)
            ),
            steps=Steps(480, 471, 461),
            suspects=[Suspect("fake-1", self._text(3, "12"), self._text(4, "14"), 0.9, 0.93)],
            warnings=[self._text(5, "The oracle answers of 1 problems of the pool may be wrong.")],
            adapters=made,
            activated=dict.fromkeys(ROLES, not self.worse),
            next=made,
            pool_tokens=172_200,
            pool_searches=200,
        )  # fmt: skip

    # Of one round.

    def _of(self, key: str) -> Held:
        if key not in self.held:
            raise RoundNotFoundError(f"There is no round {key[:40]!r}.")
        return self.held[key]

    def resume(self, key: str) -> str:
        held = self._of(key)
        self._work(held)
        return held.state.series

    def pause(self, key: str) -> None:
        self._of(key).halt = True

    def cancel(self, key: str) -> None:
        held = self._of(key)
        held.halt = True
        if held.thread:
            held.thread.join()
        self._set(held, status="cancelled", message="")

    def delete(self, key: str) -> None:
        self._of(key)
        self.adapters.delete(*(row.id for row in self.adapters.rows() if row.round == key))
        del self.held[key]

    def states(self) -> list[RoundState]:
        return [one.state for one in reversed(self.held.values())]

    def batches(self, key: str) -> dict[str, str]:
        return {}

    def activate(self, identifier: str, role: str | None = None) -> list[str]:
        return self.adapters.activate(identifier, role)

    def compare(self, one: str, other: str) -> Comparison | None:
        if one == other:
            raise LabError("These are the same round.")
        return comparison(600, 0.86, 0.84)

    def wait(self, key: str) -> None:
        """Until nobody works on a round's series."""
        while any(one.state.active for one in list(self.held.values())):
            time.sleep(0.01)


def comparison(n: int, before: float, after: float) -> Comparison:
    """Two accuracies on so many problems, with invented intervals."""
    change = after - before
    kept = round(n * min(before, after) * 0.95)
    fixed, broken = round(n * after) - kept, round(n * before) - kept
    interval = Interval(change, change - 0.04, change + 0.04)
    word = "significant" if interval.excludes_zero else "not significant"
    return Comparison(
        n=n,
        before=Interval(before, before - 0.035, before + 0.035),
        after=Interval(after, after - 0.03, after + 0.03),
        difference=interval,
        fixed=[f"heldout-{k}" for k in range(fixed)],
        broken=[f"heldout-{k}" for k in range(broken)],
        same_right=kept,
        same_wrong=n - kept - fixed - broken,
        sentence=f"{100 * change:+.1f} points, 95 % CI {100 * interval.low:.1f} to "
        f"{100 * interval.high:.1f}, n = {n}: {word}",
    )


class FakeRounds:
    """Rounds and adapters of a scripted workbench; `pace` seconds a count."""

    pace: float

    def learn(self) -> None:
        """Make the rounds; the sessions are there by then."""
        self.adapters = ScriptedAdapters()
        self.rounds = ScriptedRounds(self, self.pace)
