"""Rounds and adapters on disk: found again, held by one process; no adapter loses its parent."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessions.errors import (
    AdapterNeededError,
    AdapterNotFoundError,
    RoundInUseError,
    RoundNotFoundError,
)
from sessions.rounds import RoundRow
from sessions.store import Store

WANTED = {"recipe": {"name": "x"}, "seed": 0}
NOTHING: Any = {"policy": None, "prm": None}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


def begin(store: Store, rounds: int = 2, after: RoundRow | None = None) -> RoundRow:
    return store.rounds.begin("x", WANTED, rounds, {"seed": 0}, NOTHING, after)


def test_what_was_asked_for_is_found_again_until_it_is_at_its_end(store: Store) -> None:
    assert store.rounds.find(WANTED, 2) is None
    first = begin(store)
    assert (first.series, first.number, first.status, first.phases) == (first.id, 1, "open", {})
    assert store.rounds.find(dict(reversed(WANTED.items())), 2) == first
    assert store.rounds.find(WANTED, 3) is None
    assert store.rounds.find({**WANTED, "seed": 1}, 2) is None
    store.rounds.say(first.id, "done")
    done = store.rounds.find(WANTED, 2)
    assert done is not None
    assert (done.id, done.status) == (first.id, "done"), "the second is still to come"
    second = begin(store, after=done)
    assert (second.series, second.number) == (first.id, 2)
    assert [row.id for row in store.rounds.rows()] == [second.id, first.id]
    store.rounds.say(second.id, "done")
    assert store.rounds.find(WANTED, 2) is None
    cancelled = begin(store)
    store.rounds.say(cancelled.id, "cancelled")
    assert store.rounds.find(WANTED, 2) is None


def test_phases_are_kept_with_their_time(store: Store) -> None:
    row = begin(store)
    store.rounds.spend(row.id, "search", 1.5)
    assert store.rounds.row(row.id).result("search") is None
    store.rounds.finish_phase(row.id, "search", {"batch": "0" * 8})
    store.rounds.spend(row.id, "search", 0.5)
    found = store.rounds.row(row.id)
    assert found.result("search") == {"batch": "0" * 8}
    assert found.phases["search"].seconds == 2.0
    store.rounds.delete(row.id)
    for missing in (row.id, "'; --"):
        with pytest.raises(RoundNotFoundError, match="`lab rounds list` shows"):
            store.rounds.row(missing)
    with pytest.raises(RoundNotFoundError):
        store.rounds.delete(row.id)
    with pytest.raises(RoundNotFoundError):
        store.rounds.say(row.id, "done")


def test_one_process_works_on_a_series(store: Store, tmp_path: Path) -> None:
    row = begin(store)
    program = (
        "import sys; from pathlib import Path; from sessions.store import Store\n"
        "store = Store(Path(sys.argv[1])); store.rounds.hold(sys.argv[2])\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), row.series],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(RoundInUseError, match="Another process works on round"):
        store.rounds.hold(row.series)
    other.kill()
    other.communicate()
    store.rounds.hold(row.series)
    store.rounds.release(row.series)


def adapter(store: Store, name: str, parent: str | None = None, role: Any = "policy") -> str:
    identifier = name * 8
    store.adapters.directory(identifier).mkdir(parents=True)
    store.adapters.add(identifier, role, "model", parent, {"round": "r", "note": "é <b>"})
    return identifier


def test_an_adapter_is_entered_with_a_readable_file(store: Store) -> None:
    one = adapter(store, "a")
    row = store.adapters.row(one)
    assert (row.role, row.base, row.parent, row.round, row.active) == (
        ("policy", "model", None, "r", False)
    )
    file = store.adapters.open(one) / "meta.json"
    assert json.loads(file.read_text("ascii")) == row.meta == {"round": "r", "note": "é <b>"}
    store.adapters.add(one, "policy", "model", None, {"round": "r", "evaluation": 1})
    assert json.loads(file.read_text()) == store.adapters.row(one).meta
    assert store.adapters.row(one).meta["evaluation"] == 1
    assert [row.id for row in store.adapters.rows()] == [one]
    with pytest.raises(AdapterNotFoundError, match="no adapter 'b'"):
        store.adapters.open("b")
    file.unlink()
    store.adapters.directory(one).rmdir()
    with pytest.raises(AdapterNotFoundError, match="is gone"):
        store.adapters.open(one)


def test_one_adapter_of_a_model_is_in_use(store: Store) -> None:
    one, other, prm = adapter(store, "a"), adapter(store, "b"), adapter(store, "c", role="prm")
    assert store.adapters.active("policy", "model") is None
    store.adapters.activate("policy", "model", one)
    store.adapters.activate("policy", "model", other)
    store.adapters.activate("prm", "model", prm)
    assert store.adapters.active("policy", "model") == other
    assert store.adapters.active("policy", "another model") is None
    assert {row.id for row in store.adapters.rows() if row.active} == {other, prm}
    for role, base in (("prm", "model"), ("policy", "another model")):
        with pytest.raises(AdapterNotFoundError, match="is one of the policy model, not of"):
            store.adapters.activate(role, base, one)  # type: ignore[arg-type]
    store.adapters.activate("policy", "model", None)
    assert store.adapters.active("policy", "model") is None
    assert store.adapters.active("prm", "model") == prm


def test_what_others_need_is_not_deleted(store: Store) -> None:
    one = adapter(store, "a")
    two = adapter(store, "b", one)
    three = adapter(store, "c", two)
    store.adapters.activate("policy", "model", three)
    with pytest.raises(AdapterNeededError, match=f"{two} was trained on from it"):
        store.adapters.delete(one)
    with pytest.raises(AdapterNeededError, match="is the one in use for the policy model"):
        store.adapters.delete(one, two, three)
    with pytest.raises(AdapterNeededError, match=three):
        store.adapters.delete(one, two)
    assert all(store.adapters.open(name).is_dir() for name in (one, two, three))
    store.adapters.activate("policy", "model", None)
    store.adapters.delete(one, two, three)
    assert store.adapters.rows() == []
    assert not store.adapters.directory(one).exists()
    with pytest.raises(AdapterNotFoundError):
        store.adapters.delete(one)


def test_a_store_of_version_2_gets_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sessions import schema

    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
    (tmp_path / "locks").mkdir()
    assert schema.prepare(tmp_path / "lab.sqlite", tmp_path / "locks") == 2
    monkeypatch.undo()
    store = Store(tmp_path)
    assert store.rounds.rows() == []
    assert begin(store).status == "open"
    store.close()
