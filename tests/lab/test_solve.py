"""Whole datasets: every problem is searched as if it was alone, once, whatever comes between."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import ParameterError, TaskError
from engine.search.registry import ALGORITHMS
from lab import worker
from lab.models import Models
from lab.workbench import Workbench
from sessions.errors import BatchInUseError, BatchNotFoundError, SessionInUseError
from sessions.store import Store
from tests.engine.worlds import World
from tests.lab.benches import LONG, Gate, finish
from tests.lab.solving import Picky, dataset, log, logs

SETTING: dict[str, Any] = {"params": {"max_expansions": 3}, "seed": 5, "iterations": 6}


def solve(bench: Workbench, count: int, **changes: Any) -> str:
    batch = bench.solve(dataset(bench, count), **SETTING | changes)
    state = bench.wait_batch(batch, LONG)
    assert not state.active
    return batch


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not what():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.002)


def one_by_one(bench: Workbench, count: int, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    """The logs of the same problems, searched each alone."""
    setting = SETTING | changes
    limits = {name: setting.pop(name) for name in ("iterations", "tokens") if name in setting}
    found = {}
    for problem in dataset(bench, count).problems:
        session = bench.create(problem.content, gold=problem.answer, **setting)
        finish(bench, session, **limits)
        found[problem.content] = log(bench, session)
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"parallel": 1},
        {"parallel": 3, "algorithm": "sampling", "params": {}},
        {"iterations": None, "tokens": 150},
    ],
)
def test_every_problem_is_searched_as_if_it_was_alone(
    make: Callable[..., Workbench], tmp_path: Path, changes: dict[str, Any]
) -> None:
    bench = make(home=tmp_path / "batch")
    batch = solve(bench, 11, **changes)
    state = bench.batch(batch)
    assert (state.status, state.problems, state.done, state.failed) == ("idle", 11, 11, 0)
    assert state.right + state.wrong == 11
    assert state.complete
    settings = {name: value for name, value in changes.items() if name != "parallel"}
    alone = make(home=tmp_path / "alone")
    assert logs(bench, batch) == one_by_one(alone, 11, **settings)
    results = [bench.show(problem.session or "") for problem in bench.batch_problems(batch)]
    assert sum(result.correct is True for result in results) == state.right
    assert sum(not result.correct for result in results) == state.wrong, "no answer is wrong, too"
    assert sum(result.tokens.policy.generated for result in results) == state.tokens
    assert {info.batch for info in bench.sessions()} == {batch}
    assert state.accuracy is not None
    assert state.accuracy.low <= state.accuracy.estimate == state.right / 11 < state.accuracy.high


def test_searches_share_calls_and_a_number_of_them_is_always_under_way(
    make: Callable[..., Workbench],
) -> None:
    world = World(words=9)
    bench = make(world)
    solve(bench, 12, parallel=4, params={"branch": 3})
    proposals = [size for kind, size in world.calls if kind == "propose"]
    assert 3 * 2 < max(proposals) <= 3 * 4
    alone = World(words=9)
    solve(make(alone, home=bench.home / "alone"), 12, parallel=1, params={"branch": 3})
    assert len(world.calls) < 0.75 * len(alone.calls)


def test_what_is_done_is_forgotten_by_the_process(make: Callable[..., Workbench]) -> None:
    bench = make()
    solve(bench, 9, parallel=3)
    assert bench._live == {}
    assert bench._worker._states._states == {}
    assert len(bench._worker._searches) == 0
    assert not bench._worker._states._coming


def test_searches_of_an_earlier_version_are_not_taken_for_todays(
    make: Callable[..., Workbench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()
    now, params = ALGORITHMS["beam"], {"width": 1, "branch": 2}
    monkeypatch.setitem(ALGORITHMS, "beam", msgspec.structs.replace(now, version=1))
    old = solve(bench, 2, algorithm="beam", params=params)
    monkeypatch.setitem(ALGORITHMS, "beam", now)
    assert solve(bench, 2, algorithm="beam", params=params) != old
    assert len(bench.sessions()) == 4


def test_the_same_work_is_not_done_again(make: Callable[..., Workbench], tmp_path: Path) -> None:
    bench = make()
    batch = solve(bench, 4)
    sessions = [problem.session for problem in bench.batch_problems(batch)]
    world = World(words=9)
    again = make(world)
    assert solve(again, 4) == batch
    assert world.calls == []
    assert [problem.session for problem in again.batch_problems(batch)] == sessions
    assert again.batch(batch).done == 4
    fresh = solve(again, 4, fresh=True)
    assert fresh != batch
    assert solve(again, 4) == fresh
    assert logs(again, fresh) == logs(again, batch)
    assert len({batch, fresh, solve(again, 3), solve(again, 4, seed=6)}) == 4
    assert [state.id for state in again.batches()][-2:] == [fresh, batch]


@pytest.mark.parametrize("how", ["stop", "close"])
def test_a_batch_goes_on_from_where_it_was_ended(
    make: Callable[..., Workbench], tmp_path: Path, how: str
) -> None:
    whole = make(home=tmp_path / "whole")
    expected = logs(whole, solve(whole, 10, parallel=4))
    world = Gate()
    bench = make(world)
    batch = bench.solve(dataset(bench, 10), **SETTING, parallel=4)
    for _ in range(40):
        assert world.asked.acquire(timeout=LONG)
        world.allowed.release()
    if how == "stop":
        bench.stop_batch(batch)
    world.let_all_through()
    if how == "close":
        bench.close()
        bench = make(World(words=9))
    state = bench.wait_batch(batch, LONG)
    assert state.status == "idle"
    assert 0 < state.done < 10
    begun = {problem.label: problem.session for problem in bench.batch_problems(batch)}
    assert "Concluded" not in str(
        [log(bench, one.session or "") for one in bench.batch_problems(batch) if one.answer is None]
    )
    assert solve(bench, 10, parallel=3) == batch
    assert bench.batch(batch).complete
    assert logs(bench, batch) == expected
    now = {problem.label: problem.session for problem in bench.batch_problems(batch)}
    assert begun.items() <= now.items()


def test_a_search_that_fails_is_told_with_its_line_and_the_rest_goes_on(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    world = Picky("What 2?", "What 5?")
    bench = make(world)
    batch = solve(bench, 8, parallel=3)
    state = bench.batch(batch)
    assert (state.status, state.done, state.failed) == ("idle", 6, 2)
    failed = [problem for problem in bench.batch_problems(batch) if problem.status == "failed"]
    assert [problem.place for problem in failed] == ["line 3", "line 6"]
    assert "no value for What 2?" in failed[0].message
    assert state.message.startswith("line 6: Internal error")
    world.bad.clear()
    assert solve(bench, 8) == batch
    assert bench.batch(batch).complete
    assert bench.batch(batch).failed == 0
    assert logs(bench, batch) == one_by_one(make(home=tmp_path / "alone"), 8)


def test_a_batch_ends_where_everything_fails(make: Callable[..., Workbench]) -> None:
    world = Picky(*(f"What {n}?" for n in range(50)))
    bench = make(world)
    batch = solve(bench, 50, parallel=2)
    state = bench.batch(batch)
    assert state.status == "failed"
    assert state.message.startswith("8 searches in a row failed")
    assert len(bench.batch_problems(batch)) < 12
    world.bad.clear()
    solve(bench, 50)
    assert bench.batch(batch).complete


def test_models_that_cannot_be_loaded_end_the_batch_before_it_begins(
    make: Callable[..., Workbench],
) -> None:
    def load(*_: object) -> Models:
        raise ParameterError("There is no such model.")

    bench = make(load=load)
    batch = solve(bench, 3)
    state = bench.batch(batch)
    assert (state.status, state.message) == ("failed", "There is no such model.")
    assert bench.sessions() == []
    assert solve(make(), 3) == batch


def test_a_deleted_session_is_searched_again(make: Callable[..., Workbench]) -> None:
    bench = make()
    batch = solve(bench, 5)
    before = logs(bench, batch)
    deleted = bench.batch_problems(batch)[1].session
    assert deleted is not None
    bench.delete(deleted)
    state = bench.batch(batch)
    assert (state.done, state.complete, state.deleted) == (4, False, 1)
    solve(bench, 5)
    assert bench.batch(batch).complete
    assert logs(bench, batch) == before
    assert bench.batch_problems(batch)[1].session != deleted


def test_a_result_stays_what_it_was_when_somebody_searches_on(
    make: Callable[..., Workbench],
) -> None:
    bench = make()
    batch = solve(bench, 3)
    before, problems = bench.batch(batch), bench.batch_problems(batch)
    for problem in problems:
        finish(bench, problem.session or "", iterations=4)
        bench.note(problem.session or "", None, "seen")
    assert bench.batch_problems(batch) == problems
    solve(bench, 3)
    assert bench.batch(batch).tokens == before.tokens


def test_somebody_looks_at_a_search_of_a_batch_and_writes_a_note(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    world = Gate()
    bench = make(world)
    batch = bench.solve(dataset(bench, 2), **SETTING, parallel=2)
    for _ in range(12):
        assert world.asked.acquire(timeout=LONG)
        world.allowed.release()
    session = bench.batch_problems(batch)[0].session
    assert session is not None
    seen = bench.delta(session, -1)
    assert seen["run"]["status"] == "running"
    bench.note(session, None, "interesting")
    with pytest.raises(SessionInUseError):
        bench.delete(session)
    world.let_all_through()
    assert bench.wait_batch(batch, LONG).complete
    later = bench.delta(session, seen["cursor"])
    assert not later["reset"]
    assert (later["tree"]["iteration"], later["tree"]["note"]) == (6, "interesting")
    assert later["run"]["status"] == "idle"


def test_a_search_that_somebody_waits_for_goes_first(make: Callable[..., Workbench]) -> None:
    world = Gate()
    bench = make(world)
    batch = bench.solve(dataset(bench, 30), **SETTING, parallel=8)
    assert world.asked.acquire(timeout=LONG)
    session = bench.create("Urgent?")
    bench.run(session, iterations=5)
    world.allowed.release()
    before = None
    while bench.state(session).active:
        if world.asked.acquire(timeout=0.05):
            if bench.state(session).status == "running":
                before = before or bench.batch(batch).tokens
                assert bench.batch(batch).tokens == before
            world.allowed.release()
    assert bench.show(session).iterations == 5
    world.let_all_through()
    assert bench.wait_batch(batch, LONG).complete


def test_a_batch_waits_while_another_process_searches_for_somebody(
    make: Callable[..., Workbench], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Store(tmp_path)  # its locks are those of another process
    elsewhere.turns.claim()
    bench = make()
    batch = bench.solve(dataset(bench, 6), **SETTING)
    wait_for(lambda: bench.batch(batch).running == 6)
    time.sleep(0.2)
    assert bench.batch(batch).tokens == 0
    session = bench.create("Urgent?")
    assert finish(bench, session, iterations=2).done == 2
    assert bench.batch(batch).tokens == 0
    elsewhere.turns.release()
    assert bench.wait_batch(batch, LONG).complete
    elsewhere.turns.claim()
    monkeypatch.setattr(worker, "PATIENCE_SECONDS", 0.0)  # whoever has it is suspended, perhaps
    other = bench.solve(dataset(bench, 3), **SETTING)
    assert bench.wait_batch(other, LONG).complete
    elsewhere.close()


def test_a_stepped_search_holds_batches_of_other_processes_up(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    world = Gate()
    page = make(world)
    session = page.create("Urgent?")
    page.run(session, iterations=1)
    assert world.asked.acquire(timeout=LONG)
    bench = make()
    batch = bench.solve(dataset(bench, 4), **SETTING)
    wait_for(lambda: bench.batch(batch).running == 4)
    time.sleep(0.2)
    assert bench.batch(batch).tokens == 0
    world.let_all_through()
    page.wait(session, LONG)
    assert bench.wait_batch(batch, LONG).complete


def test_one_process_at_a_time(make: Callable[..., Workbench], tmp_path: Path) -> None:
    world = Gate()
    bench, other = make(world), make()
    batch = bench.solve(dataset(bench, 3), **SETTING)
    assert bench.solve(dataset(bench, 3), **SETTING) == batch, "it runs already"
    with pytest.raises(BatchInUseError):
        other.solve(dataset(other, 3), **SETTING)
    world.let_all_through()
    assert bench.wait_batch(batch, LONG).complete
    assert other.batch(batch).complete
    assert solve(other, 3) == batch


def test_a_search_stopped_by_hand_is_not_taken_for_finished(
    make: Callable[..., Workbench],
) -> None:
    world = Gate()
    bench = make(world)
    batch = bench.solve(dataset(bench, 2), **SETTING, parallel=2)
    assert world.asked.acquire(timeout=LONG)
    stopped = bench.batch_problems(batch)[0].session
    assert stopped is not None
    bench.stop(stopped)
    world.let_all_through()
    state = bench.wait_batch(batch, LONG)
    assert (state.done, state.failed, state.complete) == (1, 0, False)
    solve(bench, 2)
    assert bench.batch(batch).complete
    assert bench.show(stopped).iterations == 6


def test_two_batches_run_side_by_side(make: Callable[..., Workbench]) -> None:
    bench = make()
    batches = [bench.solve(dataset(bench, count), **SETTING) for count in (5, 7)]
    assert [bench.wait_batch(batch, LONG).done for batch in batches] == [5, 7]


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"parallel": 0}, ParameterError, "parallel cannot be 0"),
        ({"parallel": 5000}, ParameterError, "from 1 to 1,024"),
        ({"iterations": 0}, ParameterError, "a limit is greater than 0"),
        ({"algorithm": "luck"}, ParameterError, "no algorithm 'luck'"),
        ({"seed": -1}, ParameterError, "seed cannot be -1"),
        ({"name": "x" * 201}, TaskError, "name has 201 characters"),
    ],
)
def test_what_makes_no_batch(
    make: Callable[..., Workbench], changes: dict[str, Any], error: type[Exception], match: str
) -> None:
    bench = make()
    with pytest.raises(error, match=match):
        solve(bench, 2, **changes)
    assert bench.batches() == []
    with pytest.raises(BatchNotFoundError):
        bench.batch("nothing")


def test_closing_does_not_wait_for_a_batch(tmp_path: Path, make: Callable[..., Workbench]) -> None:
    world = Gate()
    bench = make(world)
    batch = bench.solve(dataset(bench, 20), **SETTING)
    assert world.asked.acquire(timeout=LONG)
    threading.Timer(0.05, world.let_all_through).start()
    bench.close()
    again = make()
    assert not again.batch(batch).complete
    assert not any(info.in_use_by for info in again.sessions())
