"""Whole sessions are stored all together or not at all."""

from pathlib import Path

import pytest

from engine.errors import EventError
from engine.events import AnyEvent, Noted, SearchCreated
from sessions import store as module
from sessions.batches import Result, Work
from sessions.rows import Arrival, Digest
from sessions.store import Store

FIRST = SearchCreated("What?", "1", "mcts_star", {}, 0, "p", "r")
WORK = Work("digest", {"seed": 0}, 2, "file.jsonl", "name")


def arrival(note: str, wanted: str | None = None, result: Result | None = None) -> Arrival:
    log: list[AnyEvent] = [FIRST, Noted(None, note)]
    return Arrival(log, Digest(0, 1, "1", True), note, [], 5.0, wanted, note, "line 1", result)


def test_sessions_keep_their_id_log_and_time(tmp_path: Path) -> None:
    store = Store(tmp_path)
    taken = store.take_in([arrival("a", "0123abcd"), arrival("b")])
    assert (taken.sessions[0], taken.known, taken.batch) == ("0123abcd", [], None)
    row = store.session("0123abcd")
    assert (row.name, row.created, row.events, row.digest.answer) == ("a", 5.0, 2, "1")
    assert store.events("0123abcd") == [FIRST, Noted(None, "a")]
    again = store.take_in([arrival("a", "0123abcd"), arrival("other", "0123abcd")])
    assert again.known == ["0123abcd"]
    assert again.sessions[1] not in ("0123abcd", taken.sessions[1])
    assert len(store.sessions()) == 3
    store.close()


def test_a_batch_is_filled_up_and_never_made_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    both = [arrival("a", result=Result("1", True, 0)), arrival("b")]
    taken = store.take_in(both, WORK)
    assert taken.batch is not None
    row = store.batches.row(taken.batch)
    assert (row.problems, row.begun, row.done, row.right) == (2, 2, 1, 1)
    store.delete(taken.sessions[1])
    again = store.take_in(both, WORK)
    assert (again.batch, again.known) == (taken.batch, [taken.sessions[0]])
    assert len(store.sessions()) == 2
    store.close()


def test_an_error_in_the_middle_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    with pytest.raises(EventError):
        store.take_in([arrival("a"), arrival("\ud800")], WORK)
    calls: list[object] = []

    def full(*given: object) -> None:
        calls.append(given)
        if len(calls) == 2:
            raise OSError("disk full")

    monkeypatch.setattr(module, "enter", full)
    with pytest.raises(OSError, match="disk full"):
        store.take_in([arrival("a"), arrival("b")], WORK)
    assert store.sessions() == []
    assert store.batches.rows() == []
    store.close()
