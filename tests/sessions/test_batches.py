"""Batches: found again by what they ask and how, and nothing of them is lost or counted twice."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import events as ev
from sessions.batches import Place, Result, identity
from sessions.errors import BatchInUseError, BatchNotFoundError, LogConflictError
from sessions.rows import Digest
from sessions.store import Store
from sessions.turns import Turns
from tests.sessions.test_store import HOSTILE, first, iteration

SETTING = {"algorithm": "mcts_star", "params": {"b": 3}, "limits": {"iterations": 5}}
END = [ev.Concluded("iterations", 0, None, 0)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


def begin(store: Store, count: int = 3, fresh: bool = False) -> str:
    return store.batches.begin("digest", SETTING, count, "data.jsonl", "name", fresh)


def test_the_same_work_is_found_again_and_other_work_is_not(store: Store) -> None:
    batch = begin(store)
    assert begin(store) == batch
    assert store.batches.begin("digest", dict(reversed(SETTING.items())), 3, "copy.csv") == batch
    others = [
        store.batches.begin("other", SETTING, 3, "data.jsonl"),
        store.batches.begin("digest", {**SETTING, "seed": 1}, 3, "data.jsonl"),
        begin(store, fresh=True),
    ]
    assert len({batch, *others}) == 4
    assert begin(store) == others[-1], "the latest one goes on"
    assert [row.id for row in store.batches.rows()] == [*reversed(others), batch]
    row = store.batches.row(batch)
    assert (row.name, row.dataset, row.setting, row.problems) == ("name", "data.jsonl", SETTING, 3)
    assert identity("a", {"b": 1}) != identity("a", {"b": "1"})
    with pytest.raises(BatchNotFoundError, match="no batch 'nothing'"):
        store.batches.row("nothing")


def test_results_are_written_with_the_end_of_the_log_or_not_at_all(store: Store) -> None:
    batch = begin(store, count=5)
    places = [Place(batch, n, HOSTILE, f"line {n + 1}") for n in range(4)]
    sessions = [store.create(first(), place=place) for place in places]
    for session, correct in zip(sessions, [True, False, None], strict=False):
        store.append(session, 1, iteration(1, 1), Digest(1))
        store.append(session, 7, END, Digest(1), Result("5", correct, 10))
    with pytest.raises(LogConflictError):
        store.append(sessions[3], 5, END, Digest(), Result("5", True, 10))
    row = store.batches.row(batch)
    assert (row.begun, row.done, row.right, row.wrong, row.ungraded) == (4, 3, 1, 1, 1)
    assert (row.failed, row.deleted, row.tokens) == (0, 0, 30)
    problems = store.batches.problems(batch)
    assert [problem.status for problem in problems] == ["done", "done", "done", "started"]
    assert [problem.correct for problem in problems] == [True, False, None, None]
    assert [problem.session for problem in problems] == sessions
    assert problems[0].label == HOSTILE
    assert {row.batch for row in store.sessions()} == {batch}


def test_a_deleted_session_leaves_its_problem_to_be_done_again(store: Store) -> None:
    batch = begin(store)
    place = Place(batch, 1, "a", "line 2")
    session = store.create(first(), place=place)
    store.append(session, 1, END, Digest(), Result("5", True, 10))
    store.delete(session)
    row = store.batches.row(batch)
    assert (row.begun, row.done, row.right, row.tokens, row.deleted) == (0, 0, 0, 0, 1)
    assert store.batches.problems(batch)[0].session is None
    again = store.create(first(), place=place)
    row = store.batches.row(batch)
    assert (row.begun, row.done, row.deleted) == (1, 0, 0)
    assert store.batches.problems(batch)[0].session == again


def test_failures_are_kept_until_the_problem_is_done(store: Store) -> None:
    batch = begin(store)
    place = Place(batch, 0, "a", "line 1")
    store.batches.fail(place, "no session could be made")
    session = store.create(first(), place=place)
    assert store.batches.row(batch).failed == 0
    store.batches.fail(place, HOSTILE)
    row = store.batches.row(batch)
    assert (row.begun, row.done, row.failed) == (1, 0, 1)
    assert store.batches.problems(batch)[0].message == HOSTILE
    store.append(session, 1, END, Digest(), Result(None, False, 3))
    row = store.batches.row(batch)
    assert (row.done, row.failed, row.wrong) == (1, 0, 1)
    assert store.batches.problems(batch)[0].message == ""


def test_the_time_spent_adds_up(store: Store) -> None:
    batch = begin(store)
    store.batches.spend(batch, 1.5)
    store.batches.spend(batch, 2.0)
    assert store.batches.row(batch).seconds == 3.5


def test_one_process_at_a_time_works_on_a_batch(store: Store, tmp_path: Path) -> None:
    batch = begin(store)
    other = Store(tmp_path)  # its locks are those of another process
    other.batches.hold(batch)
    with pytest.raises(BatchInUseError, match="searched by another process"):
        store.batches.hold(batch)
    other.close()
    store.batches.hold(batch)
    store.batches.release(batch)
    with pytest.raises(BatchNotFoundError):
        store.batches.hold("../../nothing")


def test_a_turn_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sessions.turns import Turns\n"
        "turns = Turns(Path(sys.argv[1])); turns.claim(); print(flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    turns = Turns(tmp_path)
    assert turns.elsewhere()
    turns.claim()
    assert turns.elsewhere(), "it cannot be taken from another process"
    process.kill()
    process.communicate()
    assert not turns.elsewhere()
    turns.claim()
    other = Turns(tmp_path)
    assert other.elsewhere()
    turns.release()
    turns.release()
    assert not other.elsewhere()
    assert not Turns(tmp_path / "nowhere" / "at all").elsewhere()
