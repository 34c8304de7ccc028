"""Memory runs out, or something else goes wrong in the middle of a call: nothing is lost."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ModelError, OutOfMemoryError
from engine.models.decoding import Row, TreeReader
from engine.models.kv_store import KVStore
from engine.models.plain import PlainReader
from engine.models.pool import Handle
from engine.models.reading import open_reader
from engine.models.workspace import Tokens
from tests.engine.models.conftest import logits_by_hand, reader, row, some_text, watched

NONE: frozenset[int] = frozenset()
FULL = torch.OutOfMemoryError("CUDA out of memory")


def eight() -> list[Row]:
    return [row(seed, some_text(20 + seed, seed), limit=4 + seed % 3) for seed in range(8)]


def tokens(one: TreeReader | PlainReader, rows: Sequence[Row]) -> list[list[int]]:
    return [found.tokens for found in one.decode(rows, NONE)]


def sound(store: KVStore) -> bool:
    """Everything in the store has rows, and they are what is counted."""
    segments = list(store._segments())
    whole = all(one.rows is not None and one.hidden is not None for one in segments)
    return whole and store.bytes == sum(one.bytes for one in segments)


def test_the_stored_rows_go_first_and_then_half_of_the_batch(exact: Handle) -> None:
    wanted, one = tokens(reader(exact), eight()), reader(exact)
    one.logits([some_text(30, 99)])
    with watched(exact) as gate:
        gate.error, gate.fails = (
            FULL,
            lambda size: size > 70 or (one.store.bytes > 0 and not gate.sizes),
        )
        assert tokens(one, eight()) == wanted
    assert one.max_batch == 2
    notices = [text for text in exact.base.notices if "ran out" in text]
    assert len(notices) == len(set(notices))
    assert "at most 2 texts" in notices[-1]
    assert sound(one.store)


def test_rows_dropped_are_read_again_and_the_batch_stays_as_it_was(exact: Handle) -> None:
    one = reader(exact)
    one.logits([some_text(30, 99)])
    wanted = tokens(reader(exact), eight())
    with watched(exact) as gate:
        gate.error, gate.fails = FULL, lambda size: one.store.bytes > 0 and len(gate.sizes) == 0
        assert tokens(one, eight()) == wanted
    assert one.max_batch == 256


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 40), max_size=12), st.booleans())
def test_memory_may_run_out_anywhere(exact: Handle, at: set[int], static: bool) -> None:
    """Some forwards fail, in the prefill, between two tokens, in a repetition."""
    wanted, one, calls = (
        tokens(reader(exact), eight()),
        reader(exact, static=static),
        iter(range(999)),
    )
    with watched(exact) as gate:
        gate.error, gate.fails = FULL, lambda size: next(calls) in at
        try:
            assert tokens(one, eight()) == wanted
        except ModelError:  # several in a row: even one text seemed too large
            assert one.max_batch == 1
    assert sound(one.store)
    assert tokens(one, eight()) == wanted


def test_one_text_too_large_is_an_error_that_leaves_the_others_usable(exact: Handle) -> None:
    one, large = reader(exact), some_text(300)
    with watched(exact) as gate:
        gate.error, gate.fails = FULL, lambda size: size > 200
        with pytest.raises(ModelError, match="does not hold one text"):
            one.decode([row(0, large), *eight()], NONE)
        assert tokens(one, eight()) == tokens(reader(exact), eight())
    assert sound(one.store)


def test_a_row_that_never_fits_is_no_endless_loop(exact: Handle) -> None:
    """What a call has stored itself does not count as something that can be dropped."""
    one = reader(exact)
    rows = [row(0, (70, 71), limit=1), row(1, (80, 81), limit=1), row(2, (90, 91), limit=4)]
    with watched(exact) as gate:
        gate.error, gate.fails = FULL, lambda size: size == 1
        with pytest.raises(ModelError, match="does not hold one text"):
            one.decode(rows, NONE)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", [0, 1, 3])
def test_other_errors_pass_and_leave_the_store_sound(
    exact: Handle, error: BaseException, call: int
) -> None:
    one = reader(exact, budget=60_000)
    one.logits([some_text(20, 3)[:15]])
    with watched(exact) as gate:
        gate.error, gate.fails = error, lambda size: len(gate.sizes) == call
        with pytest.raises(type(error)):
            one.decode(eight(), NONE)
    assert sound(one.store)
    assert one.store.bytes <= one.store.budget
    assert tokens(one, eight()) == tokens(reader(exact), eight())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_an_error_while_rows_are_stored_leaves_none_without(
    exact: Handle, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[Tokens] = [some_text(9 + k, k) for k in range(6)]
    one, settle, calls = reader(exact), KVStore.settle, iter(range(99))

    def failing(self: KVStore, *rest: object) -> None:
        if next(calls) == count:
            raise RuntimeError("disturbed")
        settle(self, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(KVStore, "settle", failing)
        with pytest.raises(RuntimeError, match="disturbed"):
            one.logits(texts)
    assert sound(one.store)
    for text, (logits, _) in zip(texts, one.logits(texts), strict=True):
        torch.testing.assert_close(logits, logits_by_hand(exact, text)[-1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("static", [False, True])
def test_overflow_is_an_error_and_poisons_nothing(
    exact: Handle, number: float, static: bool
) -> None:
    one, weight = reader(exact, static=static), exact.base.model.get_input_embeddings().weight
    before = weight[7].clone()
    try:
        with torch.no_grad():
            weight[7] = number
        for ask in (one.hidden, one.logits):
            with pytest.raises(ModelError, match="not numbers"):
                ask([(7,) * 60, some_text(9)])
        for sampling in ({}, {"temperature": 0.0}, {"top_k": 4, "top_p": 0.9, "min_p": 0.1}):
            with pytest.raises(ModelError, match="not numbers"):
                one.decode([row(0, (7,) * 60, **sampling), row(1, some_text(9))], NONE)
        assert len(one.store) == 0
        text = some_text(9)
        found = one.logits([text, some_text(40, 1)])[0][0]
        torch.testing.assert_close(found, logits_by_hand(exact, text)[-1], atol=1e-4, rtol=0)
        assert tokens(one, eight()) == tokens(reader(exact), eight())
    finally:
        with torch.no_grad():
            weight[7] = before


def test_the_plain_way_drops_the_rows_of_others_and_goes_on(exact: Handle) -> None:
    store = KVStore(float("inf"))
    TreeReader(exact, store).logits([some_text(30, 99)])
    plain, rows = PlainReader(exact, store), eight()[:2]
    with watched(exact) as gate:
        gate.error, gate.fails = FULL, lambda size: store.bytes > 0
        assert tokens(plain, rows) == tokens(reader(exact), rows)
        gate.fails = lambda size: size > 25
        with pytest.raises(OutOfMemoryError, match="does not hold one text"):
            plain.logits([some_text(30)])
        assert tokens(plain, rows) == tokens(reader(exact), rows)


def test_a_model_is_not_taken_for_another_kind_when_memory_is_full(exact: Handle) -> None:
    before, exact.base.unfit = exact.base.unfit, None
    try:
        with watched(exact) as gate:
            gate.error = FULL
            with pytest.raises(OutOfMemoryError):
                open_reader(exact, KVStore(0))
        assert isinstance(open_reader(exact, KVStore(0)), TreeReader)
    finally:
        exact.base.unfit = before
