"""The store of rows: whatever is read, dropped and forgotten, results are as if read afresh."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models.base import NO_USAGE
from engine.models.decoding import Decoded, Row, TreeReader
from engine.models.kv_store import KVStore, Place, Segment
from engine.models.pool import Handle
from engine.models.workspace import Tokens
from tests.engine.models.conftest import (
    logits_by_hand,
    logprobs_by_hand,
    reader,
    row,
    some_text,
    watched,
)

NONE: frozenset[int] = frozenset()
TOKEN_BYTES = 4 * (4 * 32 + 64)
"""Of the model of these tests: two layers, one key head of 32, hidden states of 64, fp32."""

# Few tokens, so that texts share beginnings, run into each other and diverge.
TEXT = st.lists(st.sampled_from([70, 71, 72]), min_size=1, max_size=12).map(tuple)
# A beginning of what the model itself would write after 70, so that samples run into texts.
WRITTEN = st.integers(1, 14)
ASKED = st.one_of(TEXT, WRITTEN)
ROW = st.builds(
    lambda *parts: parts, st.integers(0, 3), ASKED, st.integers(1, 6), st.sampled_from([0, 1, 2])
)
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.lists(ASKED, min_size=1, max_size=5)),
        st.tuples(st.just("decode"), st.lists(ROW, min_size=1, max_size=5)),
        st.sampled_from([0, 5, 20, 60, math.inf]),
        st.just("clear"),
        st.just("trim"),
    ),
    max_size=8,
)


def beginnings(texts: Sequence[Sequence[int]]) -> set[Tokens]:
    return {tuple(text[:k]) for text in texts for k in range(1, len(text) + 1)}


def walk(segment: Segment, before: Tokens = ()) -> Iterator[tuple[Segment, Tokens]]:
    """Every segment below one, with the tokens before it."""
    for (offset, _), branch in segment.branches.items():
        text = before + tuple(segment.tokens[:offset])
        yield branch, text
        yield from walk(branch, text)


def root_of(one: TreeReader) -> Segment:
    return one.store.root(one.handle.key, one.handle.stamp())


def known(one: TreeReader) -> set[Tokens]:
    """Every text that has a row."""
    return {
        (*before, *segment.tokens[: k + 1])
        for segment, before in walk(root_of(one))
        for k in range(len(segment.tokens))
    }


def check(one: TreeReader) -> None:
    """What is counted is what is held, and nothing else is kept alive by it."""
    held = set()
    for segment, before in walk(root_of(one)):
        assert segment.start == len(before)
        assert segment.rows is not None
        assert segment.hidden is not None
        assert segment.rows.shape[2] == len(segment.hidden) == len(segment.tokens) > 0
        for tensor in (segment.rows, segment.hidden):
            storage = tensor.untyped_storage()
            assert storage.nbytes() == tensor.nbytes
            held.add((storage.data_ptr(), storage.nbytes()))
    assert sum(size for _, size in held) == one.store.bytes
    assert one.store.bytes == TOKEN_BYTES * len(known(one)) == TOKEN_BYTES * len(one.store)
    assert one.store.bytes <= one.store.budget


@pytest.mark.parametrize("static", [False, True])
@settings(max_examples=40, deadline=None)
@given(calls=CALLS)
def test_any_sequence_of_calls_gives_what_a_fresh_forward_gives(
    exact: Handle, static: bool, calls: list[Any]
) -> None:
    """And every call reads just the beginnings of its texts that are not known."""
    by_hand = cache(lambda text: logits_by_hand(exact, text)[-1])
    own = written(exact)
    one = reader(exact, static=static)
    for call in calls:
        if call == "clear":
            one.store.clear()
        elif call == "trim":
            one.store.trim()
        elif isinstance(call, tuple):
            before = known(one)
            asked = resolved(*call, own)
            with watched(exact) as gate:
                found: list[Any] = (
                    one.decode(asked, NONE) if call[0] == "decode" else one.logits(asked)
                )
            if call[0] == "decode":
                texts = check_decoded(exact, asked, found)
                usage = sum((decoded.usage for decoded in found), NO_USAGE)
            else:
                texts = asked
                usage = sum((took for _, took in found), NO_USAGE)
                for text, (logits, _) in zip(texts, found, strict=True):
                    torch.testing.assert_close(logits, by_hand(text), atol=1e-4, rtol=0)
            needed = beginnings(texts)
            assert usage.forwarded == len(needed - before)
            assert usage.cached == len(needed & before)
            assert usage.padded == 0 or static
            assert gate.tokens == usage.forwarded + usage.padded
        else:
            one.store.budget = call * TOKEN_BYTES
            one.store.trim()
        check(one)


@cache
def written(handle: Handle) -> Tokens:
    """What the model writes after 70."""
    return (70, *reader(handle).decode([row(0, (70,), 20, top_k=1)], NONE)[0].tokens)


def resolved(kind: str, asked: list[Any], own: Tokens) -> list[Any]:
    """The texts or rows of a call."""

    def text(part: int | Tokens) -> Tokens:
        return own[:part] if isinstance(part, int) else part

    if kind == "read":
        return list(dict.fromkeys(text(part) for part in asked))
    return [row(seed, text(part), limit, top_k=top_k) for seed, part, limit, top_k in asked]


def check_decoded(handle: Handle, rows: list[Row], found: list[Decoded]) -> list[Tokens]:
    """Check what was sampled; the texts that had to be read for it."""
    for wanted, decoded in zip(rows, found, strict=True):
        assert len(decoded.tokens) == wanted.limit
        by_hand = logprobs_by_hand(handle, wanted.prefix, decoded.tokens)
        assert decoded.logprobs == pytest.approx(by_hand, abs=1e-3)
    return [(*w.prefix, *d.tokens[:-1]) for w, d in zip(rows, found, strict=True)]


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, max_size=8), TEXT)
def test_the_longest_known_beginning_is_found(texts: list[Tokens], text: Tokens) -> None:
    store = KVStore(math.inf)
    root = store.root("model", 0)
    for one in texts:
        place, done = store.find(root, one)
        if done < len(one):
            rows = torch.zeros(2, 1, len(one) - done, 4)
            store.settle(store.grow(place, list(one[done:])), rows, torch.zeros(len(one) - done, 4))
    seen = beginnings(texts)
    place, done = store.find(root, text)
    assert done == max((k for k in range(1, len(text) + 1) if text[:k] in seen), default=0)
    assert [token for at in place.path() for token in at.segment.tokens[: at.offset]] == list(
        text[:done]
    )
    assert len(store) == len(seen)
    after = place.after(text[done]) if done < len(text) else None
    assert after is None
    for token in (70, 71, 72):
        after = place.after(token)
        assert (after is not None) == ((*text[:done], token) in seen)


def test_what_was_of_no_use_for_longest_is_dropped_first(exact: Handle) -> None:
    trunk, leaves = some_text(10), [some_text(10, 1 + k) for k in range(4)]
    one = reader(exact)
    for leaf in leaves:
        one.logits([trunk + leaf])
    one.logits([trunk + leaves[0]])
    one.store.budget = 41 * TOKEN_BYTES
    one.store.trim()
    kept = known(one)
    assert trunk in kept
    assert trunk + leaves[0] in kept, "it was used again"
    assert trunk + leaves[1] not in kept
    assert trunk + leaves[3] in kept
    assert one.logits([trunk + leaves[0]])[0][1].forwarded == 0


def test_rows_that_a_sample_runs_into_have_been_of_use(exact: Handle) -> None:
    one, prefix = reader(exact), some_text(10)
    greedy = row(0, prefix, limit=12, temperature=0.0)
    text = (*prefix, *one.decode([greedy], NONE)[0].tokens[:-1])
    one.store.clear()
    one.logits([text[:10]])
    one.logits([text])
    one.logits([some_text(12, 5)])
    one.decode([greedy], NONE)
    one.store.budget = one.store.bytes - 1
    one.store.trim()
    assert text in known(one)


def test_a_larger_tree_than_the_budget_is_read_through_it(exact: Handle) -> None:
    """The budget is kept between calls; within one, everything it needs is there."""
    texts = [some_text(30, k) for k in range(10)]
    one = reader(exact, budget=50 * TOKEN_BYTES)
    for text, (logits, _) in zip(texts, one.logits(texts), strict=True):
        torch.testing.assert_close(logits, logits_by_hand(exact, text)[-1], atol=1e-4, rtol=0)
    check(one)
    for text in texts:
        one.logits([text])
        check(one)


def test_nothing_is_kept_without_a_budget(exact: Handle) -> None:
    one = reader(exact, budget=0)
    text = some_text(9)
    assert [one.logits([text])[0][1].forwarded for _ in range(2)] == [9, 9]
    assert len(one.store) == one.store.bytes == 0


def test_many_segments_are_dropped_at_once() -> None:
    """A large search leaves thousands of them; a deep chain must not end in a recursion."""
    store = KVStore(math.inf)
    root = store.root("model", 0)
    place = Place(root, 0)
    for k in range(12_000):
        segment = store.grow(place if k % 2 else Place(root, 0), [k])
        store.settle(segment, torch.zeros(2, 1, 1, 4), torch.zeros(1, 4))
        place = Place(segment, 1)
    assert len(store) == 12_000
    store.budget = store.bytes / 2
    store.trim()
    assert 0.3 * 12_000 < len(store) <= 6_000
    store.budget = 0
    store.trim()
    assert len(store) == store.bytes == 0
    assert not root.branches
