"""Sessions keep the day on which they began."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.models.base import Completion, ProposalRequest
from engine.tree import Tree
from lab.live import digest
from lab.workbench import Workbench
from sessions.rows import Arrival
from tests.engine.worlds import World
from tests.lab.benches import finish
from tests.lab.solving import logs
from tests.lab.test_solve import solve
from tests.lab.test_studies import ended

DAY = 86_400.0


class Dated(World):
    """A model whose template writes the day."""

    dated = True

    def __init__(self) -> None:
        super().__init__(words=9)
        self.days: list[str] = []

    def propose(self, requests: Any) -> list[Completion]:
        found: list[ProposalRequest] = list(requests)
        self.days += [one.date for one in found]
        return super().propose(found)


def shift(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    real = time.time
    monkeypatch.setattr("engine.days.time.time", lambda: real() + days * DAY)


def test_a_session_goes_on_under_the_day_of_its_beginning(
    make: Callable[..., Workbench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Dated()
    bench = make(world, home=tmp_path)
    session = bench.create("What?", gold="1", seed=3)
    finish(bench, session, iterations=2)
    (first,) = set(world.days)
    assert len(first) == len("2026-01-01")
    with monkeypatch.context() as later:
        shift(later, 3)
        world.days.clear()
        finish(bench, session, iterations=2)
        assert set(world.days) == {first}
        world.days.clear()
        finish(bench, bench.create("What?", gold="1", seed=3), iterations=2)
        assert len(set(world.days)) == 1
        assert first not in world.days


def test_a_batch_is_of_one_day_and_is_found_again_on_another(
    make: Callable[..., Workbench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Dated()
    bench = make(world, home=tmp_path)
    batch = solve(bench, 3)
    days = {log[0]["date"] for log in logs(bench, batch).values()}
    assert len(days) == 1
    assert days == set(world.days)
    shift(monkeypatch, 3)
    assert solve(bench, 3) == batch


def test_a_log_without_a_day_is_of_the_day_of_its_session(
    make: Callable[..., Workbench], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Dated()
    bench = make(world)
    new = bench._store.events(bench.create("What?", gold="1", seed=3))[0]
    first = msgspec.structs.replace(new, date="")  # type: ignore[call-arg]
    created = datetime.fromisoformat("2025-02-03T10:00").timestamp()
    arrival = Arrival([first], digest(Tree.fold([first])), "old", created=created)
    (session,) = bench._store.take_in([arrival]).sessions
    assert bench._store.events(session) == [first], "what is on disk stays"
    finish(bench, session, iterations=1)
    finish(bench, bench.steering.fork(session), iterations=2)
    what_ifs = bench.studies.what_ifs
    replayed = what_ifs.look(session, what_ifs.supposition({"params": {"branch": 2}}))
    if ended(bench, replayed).status == "known":
        what_ifs.generate(replayed)
    assert ended(bench, replayed).made is not None
    assert set(world.days) == {"2025-02-03"}
