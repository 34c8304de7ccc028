"""Stored replies: found by address, the first one stays, an unreadable one is dropped."""

from pathlib import Path

import pytest

from engine.models.base import Completion, Judgement, Summary, Usage, Valuation
from engine.randomness import address
from engine.search.requests import Executed
from sessions.store import Store

A, B, C = (address(name) for name in "abc")


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path)
    yield store
    store.close()


def test_replies_come_back_in_another_process_s_store(store: Store, tmp_path: Path) -> None:
    step = Completion("1 + 1 = 2", "1 + 1 = 2\n", "", (5, 6), (-0.1, -1 / 3), Usage(12))
    store.archive.keep_completions({A: step, B: Completion(None, "", "silent")})
    store.archive.keep_values({A: Valuation(1 / 3, Usage(9))})
    store.archive.keep_judgements({A: Judgement("end", "logits", 0.9)})
    store.archive.keep_summaries({A: Summary("The answer is 2", None)})
    store.archive.keep_executions({A: Executed("done", "2\n", "")})
    other = Store(tmp_path)
    assert other.archive.completions([C, A]) == {A: step}
    assert set(other.archive.completions([A, B, C])) == {A, B}
    assert other.archive.values([A, B]) == {A: Valuation(1 / 3, Usage(9))}
    assert other.archive.judgements([A]) == {A: Judgement("end", "logits", 0.9)}
    assert other.archive.summaries([A]) == {A: Summary("The answer is 2", None)}
    assert other.archive.executions([A, B]) == {A: Executed("done", "2\n", "")}
    other.close()


def test_the_first_reply_stays(store: Store) -> None:
    store.archive.keep_values({A: Valuation(0.25)})
    store.archive.keep_values({A: Valuation(0.75), B: Valuation(0.5)})
    assert store.archive.values([A, B]) == {A: Valuation(0.25), B: Valuation(0.5)}


def test_nothing_asked_is_nothing_found(store: Store) -> None:
    store.archive.keep_values({})
    assert store.archive.values([]) == {}


def test_thousands_of_addresses_in_one_call(store: Store) -> None:
    many = {address(i): Valuation(i / 5000) for i in range(5000)}
    store.archive.keep_values(many)
    assert store.archive.values(list(many)) == many


@pytest.mark.parametrize("body", [b"{", b'{"value":"high"}', b'{"value":0.5\xff}'])
def test_an_unreadable_reply_is_dropped_and_can_be_stored_again(store: Store, body: bytes) -> None:
    store.archive.keep_values({A: Valuation(0.5), B: Valuation(0.75)})
    with store._log.writing() as db:
        db.execute("UPDATE valuations SET body = CAST(? AS TEXT) WHERE address = ?", [body, A])
    assert store.archive.values([A, B]) == {B: Valuation(0.75)}
    store.archive.keep_values({A: Valuation(0.5)})
    assert store.archive.values([A]) == {A: Valuation(0.5)}
