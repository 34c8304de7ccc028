"""Continuing texts: what a row samples depends on nothing else, and nothing is read twice."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import MistralConfig

from engine.models import workspace
from engine.models.base import NO_USAGE, Sampling, Usage
from engine.models.decoding import Decoded, Row
from engine.models.kv_store import Segment
from engine.models.pool import Handle
from engine.models.workspace import New, Tokens, _cut, group
from engine.randomness import generator
from tests.engine.models.conftest import (
    logits_by_hand,
    logprobs_by_hand,
    open_tiny,
    reader,
    row,
    some_text,
    watched,
)

NONE: frozenset[int] = frozenset()
TRUNK = some_text(40)


def mixed() -> list[Row]:
    """Equal prefixes, prefixes that begin others, lone ones, one token, many samplings."""
    prefixes: list[Tokens] = [
        *(TRUNK,) * 4,
        TRUNK[:15],
        TRUNK[:38],
        (*TRUNK[:38], 9, 9),
        (TRUNK[0],),
        (70,),
        some_text(25, 1),
        some_text(31, 2),
        some_text(31, 2)[:30],
    ]
    samplings: list[dict[str, float]] = [
        {},
        {"temperature": 0.0},
        {"temperature": 0.7, "top_k": 30},
        {"min_p": 0.05, "repetition_penalty": 1.2},
    ]
    return [
        row(k, prefix, limit=3 + k % 5, **samplings[k % 4]) for k, prefix in enumerate(prefixes)
    ]


def same(found: list[Decoded], expected: list[Decoded]) -> None:
    assert [one.tokens for one in found] == [one.tokens for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("static", [False, True])
def test_a_row_depends_neither_on_its_batch_nor_on_the_order(exact: Handle, static: bool) -> None:
    together = reader(exact).decode(mixed(), NONE)
    order = list(range(len(mixed())))
    for seed in range(3):
        random.Random(seed).shuffle(order)
        found = reader(exact, static=static).decode([mixed()[k] for k in order], NONE)
        same([found[order.index(k)] for k in range(len(order))], together)
    for most in (1, 2, 5):
        same(reader(exact, max_batch=most, static=static).decode(mixed(), NONE), together)
        same(reader(exact, budget=0, max_batch=most).decode(mixed(), NONE), together)
    alone = [reader(exact, static=static).decode([one], NONE)[0] for one in mixed()]
    same(alone, together)


def test_forwards_of_a_few_tokens_change_nothing(
    exact: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = reader(exact).decode(mixed(), NONE)
    for most in (1, 3, 16):
        monkeypatch.setattr(workspace, "MOST_TOKENS", most)
        with watched(exact) as gate:
            same(reader(exact).decode(mixed(), NONE), expected)
        assert max(gate.sizes) <= most


def test_logprobs_are_those_of_a_plain_forward(exact: Handle) -> None:
    """At temperature 1, without filters or penalty, whatever was sampled with."""
    for one, found in zip(mixed(), reader(exact).decode(mixed(), NONE), strict=True):
        by_hand = logprobs_by_hand(exact, one.prefix, found.tokens)
        assert found.logprobs == pytest.approx(by_hand, abs=1e-4)


def test_greedy_takes_the_likeliest_token(exact: Handle) -> None:
    found = reader(exact).decode([row(0, (70, 71), temperature=0.0)], NONE)[0]
    text = [70, 71]
    for token in found.tokens:
        assert token == int(logits_by_hand(exact, text)[-1].argmax())
        text.append(token)


def test_siblings_share_their_prefix_and_equal_samples(exact: Handle) -> None:
    """Rows with the same numbers stay one text; the first that needs a token is charged for it."""
    siblings = [row(1, TRUNK), row(1, TRUNK), row(2, TRUNK), row(1, TRUNK, limit=3)]
    with watched(exact) as gate:
        found = reader(exact).decode(siblings, NONE)
    assert found[0].tokens == found[1].tokens
    assert found[3].tokens == found[0].tokens[:3]
    assert found[2].tokens[0] != found[0].tokens[0]
    assert [one.usage for one in found] == [Usage(40 + 7), NO_USAGE, Usage(7), NO_USAGE]
    assert gate.sizes == [40, *[2] * 7]


def test_a_second_call_reads_nothing(exact: Handle) -> None:
    one = reader(exact)
    first = one.decode(mixed(), NONE)
    with watched(exact) as gate:
        same(one.decode(mixed(), NONE), first)
    assert gate.sizes == []
    text = (*mixed()[0].prefix, *first[0].tokens)
    assert one.logits([text])[0][1] == Usage(1, len(text) - 1)


def test_a_sample_may_run_into_another_prefix(exact: Handle) -> None:
    """What is read for the longer text serves the shorter one, in a call and across calls."""
    greedy = row(0, TRUNK[:10], limit=12, temperature=0.0)
    free = reader(exact).decode([greedy], NONE)[0]
    longer = row(5, (*greedy.prefix, *free.tokens[:6]), limit=4)
    for rows in ([greedy, longer], [longer, greedy]):
        with watched(exact) as gate:
            found = reader(exact).decode(rows, NONE)
        assert found[rows.index(greedy)].tokens == free.tokens
        whole = {(*o.prefix, *f.tokens[:-1]) for o, f in zip(rows, found, strict=True)}
        beginnings = {text[:k] for text in whole for k in range(1, len(text) + 1)}
        assert gate.tokens == len(beginnings) == sum(one.usage.forwarded for one in found)


def test_rows_leave_as_they_stop(exact: Handle) -> None:
    rows = [row(k, some_text(20, k), limit=1 + 3 * k) for k in range(6)]
    with watched(exact) as gate:
        found = reader(exact).decode(rows, NONE)
    same(found, [reader(exact).decode([one], NONE)[0] for one in rows])
    steps = gate.sizes[1:]
    assert steps == sorted(steps, reverse=True)
    assert (steps[0], steps[-1]) == (5, 1)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 5))
def test_lanes_may_be_let_go_in_any_order(exact: Handle, limits: list[int], kept: int) -> None:
    """The last lane moves into the place of one that goes, more than once."""
    rows = [row(k, some_text(12, k), limit=1 + limits[k]) for k in range(6)]
    one = reader(exact)
    found = one.decode(rows, NONE)
    text = (*rows[kept].prefix, *found[kept].tokens)
    logits, usage = one.logits([text])[0]
    torch.testing.assert_close(logits, logits_by_hand(exact, text)[-1], atol=1e-4, rtol=0)
    assert usage.forwarded == 1


@pytest.mark.parametrize("static", [False, True])
def test_a_lane_grows_in_the_middle(exact: Handle, static: bool) -> None:
    """Far beyond the room that it had at first, with other lanes beside it."""
    rows = [row(0, some_text(20), limit=400), row(1, some_text(20, 1), limit=300), row(2, (70,))]
    found = reader(exact, static=static).decode(rows, NONE)
    for one, decoded in zip(rows, found, strict=True):
        by_hand = logprobs_by_hand(exact, one.prefix, decoded.tokens)
        assert decoded.logprobs == pytest.approx(by_hand, abs=1e-3)


def test_a_lane_grows_beyond_a_window(tmp_path: Path) -> None:
    shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "vocab_size": 320}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "initializer_range": 0.25}
    handle = open_tiny(MistralConfig(**shape, **heads, sliding_window=32), tmp_path)
    rows = [row(0, some_text(10), limit=150), row(1, some_text(60, 1), limit=30)]
    for static in (False, True):
        found = reader(handle, static=static).decode(rows, NONE)
        for one, decoded in zip(rows, found, strict=True):
            by_hand = logprobs_by_hand(handle, one.prefix, decoded.tokens)
            assert decoded.logprobs == pytest.approx(by_hand, abs=1e-3)


def test_rows_stop_by_text_end_token_and_limit(exact: Handle) -> None:
    free = reader(exact).decode([row(3, (70,), limit=6)], NONE)[0]
    stop = free.tokens[2]
    by_text = Row(
        (70,), lambda: generator("test", 3), Sampling(), 6, lambda tokens: tokens[-1] == stop
    )
    cut = free.tokens[: free.tokens.index(stop) + 1]
    found = reader(exact).decode([by_text, row(4, (70,))], NONE)[0]
    assert (found.tokens, found.stopped) == (cut, "text")
    ended = reader(exact).decode([row(3, (70,), limit=6)], frozenset([stop]))[0]
    assert (ended.tokens, ended.stopped) == (cut, "eos")
    assert free.stopped == "limit"


def test_a_full_context_stops_a_row_or_keeps_it_from_starting(exact: Handle) -> None:
    full = exact.base.context
    rows = [row(0, (70,) * (full - 2)), row(1, (70,) * full), row(2, (70, 71))]
    found = reader(exact).decode(rows, NONE)
    assert (len(found[0].tokens), found[0].stopped) == (2, "context")
    assert found[1] == Decoded(stopped="context")
    assert found[2].tokens == reader(exact).decode(rows[2:], NONE)[0].tokens
    by_hand = logprobs_by_hand(exact, rows[0].prefix, found[0].tokens)
    assert found[0].logprobs == pytest.approx(by_hand, abs=1e-3)
    assert reader(exact).logits([(70,) * full])[0][1] == Usage(full)


def test_nothing_asked_nothing_read(exact: Handle) -> None:
    one = reader(exact)
    with watched(exact) as gate:
        assert one.decode([], NONE) == one.hidden([]) == one.logits([]) == []
    assert gate.sizes == []


@pytest.mark.parametrize(
    "lengths", [[300] * 24, [2] * 30 + [900] + [2] * 30, list(range(1, 400, 10))]
)
def test_reading_many_texts_at_once_is_no_more_work_than_one_by_one(
    tmp_path: Path, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products of queries and keys are padded to the longest lane: lanes must not lie idle."""
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 320}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    handle = open_tiny(MistralConfig(**shape, **heads, sliding_window=None), tmp_path)
    texts = [some_text(length, k) for k, length in enumerate(lengths)]
    scores: list[int] = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def counting(query: torch.Tensor, key: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        scores.append(query.shape[0] * query.shape[2] * key.shape[2])
        return attend(query, key, *rest, **more)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counting)
    together = reader(handle)
    together.hidden(texts)
    work = sum(scores)
    scores.clear()
    one = reader(handle)
    for text in texts:
        one.hidden([text])
    assert work < 4 * sum(scores) + 4096 * 512
    expected = [logits for logits, _ in one.logits(texts)]
    for (logits, _), other in zip(together.logits(texts), expected, strict=True):
        torch.testing.assert_close(logits, other, atol=1e-4, rtol=0)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 40)), min_size=1, max_size=12),
    st.integers(1, 50),
)
def test_batches_hold_every_token_once_and_in_order(
    pieces: list[tuple[int, int]], most: int
) -> None:
    news = [
        New(lane, Segment(None, 0, list(range(size))), size // 3, size) for lane, size in pieces
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workspace, "MOST_TOKENS", most)
        batches = list(_cut(news, [5, 3, 1, 0, 2, 4]))
    assert all(0 < sum(new.stop - new.start for new in batch) <= most for batch in batches)
    found = [new for batch in batches for new in batch]
    for new in news:
        mine = [one for one in found if one.segment is new.segment]
        assert [one.start for one in mine[1:]] == [one.stop for one in mine[:-1]]
        assert (mine[0].start, mine[-1].stop) == (new.start, new.stop)
    for lane in range(6):
        order = [one.segment for one in news if one.lane == lane]
        assert list(dict.fromkeys(one.segment for one in found if one.lane == lane)) == order


TEXTS = st.lists(
    st.lists(st.sampled_from([1, 2]), min_size=1, max_size=14).map(tuple),
    min_size=1,
    max_size=10,
    unique=True,
)


@given(TEXTS)
def test_a_text_lies_in_the_lane_of_those_that_begin_with_it(texts: list[Tokens]) -> None:
    lanes = group(texts)
    assert sorted(set(lanes)) == list(range(max(lanes) + 1))
    for one, lane in zip(texts, lanes, strict=True):
        for other, its in zip(texts, lanes, strict=True):
            if other[: len(one)] == one:
                assert lane == its


def test_alike_texts_share_a_lane_and_others_do_not() -> None:
    trunk = tuple(range(100))
    siblings = [(*trunk, 200 + k, k) for k in range(5)]
    strangers = [tuple(range(1000 * k, 1000 * k + 90)) for k in range(1, 4)]
    half = [trunk[:50] + (7,) * 50]
    lanes = group([*siblings, *strangers, *half])
    assert len(set(lanes[:5])) == 1
    assert len(set(lanes[4:])) == 5


def test_a_prompt_of_thousands_of_tokens(tmp_path: Path) -> None:
    """In several forwards, with siblings and a short text beside it."""
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 320}
    config = MistralConfig(
        **shape,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        sliding_window=None,
    )
    handle = open_tiny(config, tmp_path)
    long = some_text(5000)
    rows = [row(0, long, limit=3), row(1, long, limit=3), row(2, some_text(5, 1), limit=3)]
    with watched(handle) as gate:
        found = reader(handle).decode(rows, NONE)
    assert max(gate.sizes) <= workspace.MOST_TOKENS
    assert gate.tokens == 5000 + 5 + sum(len(one.tokens) - 1 for one in found)
    for one, decoded in zip(rows, found, strict=True):
        by_hand = logprobs_by_hand(handle, one.prefix, decoded.tokens)
        assert decoded.logprobs == pytest.approx(by_hand, abs=1e-3)
