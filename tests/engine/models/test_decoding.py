"""The decode loop: what a row samples, and that it depends on nothing else."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import ModelError
from engine.models.base import Sampling
from engine.models.decoding import (
    Decoded,
    Decoder,
    FreshPrefill,
    Prefilled,
    Row,
    Tokens,
    inverse_cdf,
    left_padded,
    probabilities,
)
from engine.models.pool import Handle
from engine.randomness import generator


def row(seed: int, prefix: Tokens, limit: int = 8, **sampling: float) -> Row:
    return Row(
        prefix, lambda: generator("test", seed), Sampling(**sampling), limit, lambda tokens: False
    )


def rows() -> list[Row]:
    prefixes: list[Tokens] = [(70, 80, 90), (70,), (100, 101, 102, 103, 104, 105, 106)]
    return [row(seed, prefixes[seed % 3], limit=3 + seed) for seed in range(9)]


def logprobs_by_hand(handle: Handle, text: list[int]) -> torch.Tensor:
    """[len(text) - 1] log-probabilities of each token after the ones before it."""
    with handle.using() as model:
        logits = model(input_ids=torch.tensor([text])).logits[0].float()
    return logits[:-1].log_softmax(dim=-1).gather(1, torch.tensor(text)[1:, None])[:, 0]


def test_a_row_depends_neither_on_its_batch_nor_on_the_order(exact: Handle) -> None:
    decoder = Decoder(exact, [])
    together = decoder.decode(rows())
    backwards = decoder.decode(rows()[::-1])[::-1]
    alone = [decoder.decode([one])[0] for one in rows()]
    small = Decoder(exact, [], max_batch=2).decode(rows())
    for others in (backwards, alone, small):
        assert [found.tokens for found in others] == [found.tokens for found in together]
        for one, other in zip(others, together, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_logprobs_are_those_of_a_plain_forward(exact: Handle) -> None:
    wanted = rows()
    for one, found in zip(wanted, Decoder(exact, []).decode(wanted), strict=True):
        by_hand = logprobs_by_hand(exact, [*one.prefix, *found.tokens])[len(one.prefix) - 1 :]
        assert found.logprobs == pytest.approx(by_hand.tolist(), abs=1e-4)


def test_greedy_takes_the_likeliest_token(exact: Handle) -> None:
    found = Decoder(exact, []).decode([row(0, (70, 71), temperature=0.0)])[0]
    text = [70, 71]
    for token in found.tokens:
        with exact.using() as model:
            logits = model(input_ids=torch.tensor([text])).logits[0, -1]
        assert token == int(logits.argmax())
        text.append(token)


def test_left_padding_is_exact(exact: Handle) -> None:
    prefixes: list[Tokens] = [(70,), (80, 81, 82, 83, 84, 85)]
    state = FreshPrefill(exact)(prefixes)
    for prefix, logits in zip(prefixes, state.logits, strict=True):
        with exact.using() as model:
            alone = model(input_ids=torch.tensor([prefix])).logits[0, -1]
        torch.testing.assert_close(logits, alone, atol=1e-5, rtol=1e-5)
    ids, mask, positions = left_padded(prefixes, torch.device("cpu"))
    assert ids[0].tolist() == [0, 0, 0, 0, 0, 70]
    assert mask[0].tolist() == [0, 0, 0, 0, 0, 1]
    assert positions[0].tolist() == [0] * 6
    assert positions[1].tolist() == [0, 1, 2, 3, 4, 5]


def test_tokens_are_counted_without_padding_and_a_shared_prefix_once(exact: Handle) -> None:
    wanted = [row(0, (70, 71, 72)), row(1, (70,), limit=1), row(2, (70, 71, 72), limit=2)]
    found = Decoder(exact, []).decode(wanted)
    assert [one.forwarded for one in found] == [3 + 7, 1 + 0, 0 + 1]


def test_rows_stop_by_text_end_token_and_limit(exact: Handle) -> None:
    free = Decoder(exact, []).decode([row(3, (70,), limit=6)])[0]
    stop = free.tokens[2]
    by_text = Row(
        (70,), lambda: generator("test", 3), Sampling(), 6, lambda tokens: tokens[-1] == stop
    )
    cut = free.tokens[: free.tokens.index(stop) + 1]
    found = Decoder(exact, []).decode([by_text, row(4, (70,))])[0]
    assert (found.tokens, found.stopped) == (cut, "text")
    ended = Decoder(exact, [stop]).decode([row(3, (70,), limit=6)])[0]
    assert (ended.tokens, ended.stopped) == (cut, "eos")
    assert free.stopped == "limit"


def test_a_full_context_stops_a_row_or_keeps_it_from_starting(exact: Handle) -> None:
    full = exact.base.context
    found = Decoder(exact, []).decode([row(0, (70,) * (full - 2)), row(1, (70,) * full)])
    assert (len(found[0].tokens), found[0].stopped) == (2, "context")
    assert found[1] == Decoded(stopped="context")


class ScarceMemory:
    """A prefill that fails like a full GPU when given more than `most` prefixes."""

    def __init__(self, handle: Handle, most: int) -> None:
        self.fresh, self.most, self.sizes = FreshPrefill(handle), most, list[int]()

    def __call__(self, prefixes: Sequence[Tokens]) -> Prefilled:
        self.sizes.append(len(prefixes))
        if len(prefixes) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.fresh(prefixes)


def test_batches_shrink_when_memory_runs_out(exact: Handle) -> None:
    wanted = [row(seed, (70 + seed, 80)) for seed in range(8)]
    scarce = ScarceMemory(exact, most=2)
    found = Decoder(exact, [], prefill=scarce).decode(wanted)
    again = [row(seed, (70 + seed, 80)) for seed in range(8)]
    assert [one.tokens for one in found] == [one.tokens for one in Decoder(exact, []).decode(again)]
    assert scarce.sizes == [8, 4, 2, 2, 2, 2]
    with pytest.raises(ModelError, match="does not hold one text"):
        Decoder(exact, [], prefill=ScarceMemory(exact, most=0)).decode(wanted)


def test_a_batch_that_is_tried_again_begins_with_the_same_numbers(
    exact: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Decoder(exact, []).decode(rows())
    decoder, forward, sizes = Decoder(exact, []), Decoder._forward, list[int]()

    def scarce(self: Decoder, newest: torch.Tensor, *rest: Any) -> torch.Tensor:
        sizes.append(len(newest))
        if len(newest) > 4 and len(sizes) > 1:  # the first token is sampled by then
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, newest, *rest)

    monkeypatch.setattr(Decoder, "_forward", scarce)
    assert [one.tokens for one in decoder.decode(rows())] == [one.tokens for one in wanted]
    assert decoder.max_batch == 4


def test_overflow_is_an_error(exact: Handle) -> None:
    class Overflow(ScarceMemory):
        def __call__(self, prefixes: Sequence[Tokens]) -> Prefilled:
            state = super().__call__(prefixes)
            state.logits = state.logits * float("nan")
            return state

    with pytest.raises(ModelError, match="not numbers"):
        Decoder(exact, [], prefill=Overflow(exact, most=9)).decode(rows())


def test_other_errors_are_not_taken_for_a_lack_of_memory(exact: Handle) -> None:
    def broken(prefixes: object) -> Prefilled:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        Decoder(exact, [], prefill=broken).decode(rows())


def test_one_number_chooses_by_the_cumulative_distribution() -> None:
    weights = torch.tensor([[0.0, 1.0, 0.0, 3.0, 0.0]], dtype=torch.float64)
    choose = {0.0: 1, 0.24999: 1, 0.25: 3, 0.9: 3, float(np.nextafter(1.0, 0.0)): 3}
    for number, token in choose.items():
        assert inverse_cdf(weights, torch.tensor([number], dtype=torch.float64)).tolist() == [token]


def test_filters_keep_the_likeliest_tokens() -> None:
    logits = torch.tensor([[0.1, 0.4, 0.4, 0.1]]).log()
    top_k = probabilities(logits, Sampling(top_k=1))[0]
    assert top_k.tolist() == [0.0, 1.0, 0.0, 0.0]  # of equal ones the lower id
    top_p = probabilities(logits, Sampling(top_p=0.75))[0]
    assert top_p.tolist() == pytest.approx([0.0, 0.4, 0.4, 0.0])
    hot = probabilities(logits, Sampling(temperature=2.0))[0]
    assert hot.tolist() == pytest.approx([1 / 6, 1 / 3, 1 / 3, 1 / 6])


def test_the_lowest_temperature_is_greedy() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    assert probabilities(logits, Sampling(temperature=1e-300))[0].tolist() == [0.0, 1.0, 0.0]


def test_samples_follow_the_probabilities() -> None:
    weights = torch.tensor([[0.2, 0.5, 0.3]], dtype=torch.float64).repeat(4000, 1)
    numbers = torch.from_numpy(generator("frequencies").random(4000))
    counts = inverse_cdf(weights, numbers).bincount(minlength=3) / 4000
    assert counts.tolist() == pytest.approx([0.2, 0.5, 0.3], abs=0.03)
