"""From logits to tokens: filters and penalty as transformers has them, one number a token."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from engine.models.base import Sampling
from engine.models.sampling import inverse_cdf, penalised, probabilities, sample
from engine.randomness import generator

LARGEST = float(np.nextafter(1.0, 0.0))


def some_logits(rows: int, size: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(generator("logits", seed).normal(0, 3, (rows, size))).float()


def drawn(weights: torch.Tensor, number: float) -> list[int]:
    numbers = torch.full((len(weights),), number, dtype=torch.float64)
    return inverse_cdf(weights, numbers).tolist()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from([7, 255, 256, 257, 1000]),
    st.sampled_from([0.3, 1.0, 1.7]),
    st.sampled_from([0, 1, 5, 300]),
    st.sampled_from([0.1, 0.7, 0.95, 1.0]),
    st.sampled_from([0.0, 0.05, 0.4, 1.0]),
)
def test_filters_together_are_those_of_transformers(
    seed: int, size: int, temperature: float, top_k: int, top_p: float, min_p: float
) -> None:
    logits = some_logits(3, size, seed)
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    scores = TemperatureLogitsWarper(temperature)(None, logits) if temperature != 1 else logits
    if top_k:
        scores = TopKLogitsWarper(top_k)(None, scores)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(None, scores)
    if min_p:
        scores = MinPLogitsWarper(min_p)(None, scores)
    found = probabilities(logits, sampling)
    found = found / found.sum(dim=-1, keepdim=True)
    torch.testing.assert_close(found, scores.softmax(dim=-1), atol=1e-6, rtol=1e-4)


@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.9, 1.2, 2.0]))
def test_the_repetition_penalty_is_that_of_transformers(seed: int, penalty: float) -> None:
    logits = some_logits(2, 50, seed)
    texts = generator("texts", seed).integers(0, 50, (2, 12)).tolist()
    expected = RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor(texts), logits.clone())
    torch.testing.assert_close(penalised(logits, penalty, texts), expected)


def test_the_penalty_changes_what_is_sampled_and_not_what_is_said_of_it() -> None:
    logits = torch.tensor([[2.0, 1.9, 0.0]])
    one = Sampling(temperature=0.0, repetition_penalty=1.5)
    tokens, logprobs = sample(logits, [one], [generator("n")], [[0]])
    assert tokens == [1]
    assert logprobs == pytest.approx([float(logits.log_softmax(-1)[0, 1])])


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 3, 255, 256, 257, 700]))
def test_one_number_chooses_by_the_cumulative_distribution(seed: int, size: int) -> None:
    """In token order, across blocks, as a sum over all of them would."""
    draw = generator("weights", seed)
    weights = draw.random((4, size)) * (draw.random((4, size)) < 0.3)
    weights[:, int(draw.integers(size))] += 0.5
    numbers = draw.random(4)
    found = inverse_cdf(torch.from_numpy(weights), torch.from_numpy(numbers)).tolist()
    for row, number, token in zip(weights, numbers, found, strict=True):
        ends = row.cumsum()
        expected = int(np.searchsorted(ends, number * ends[-1], side="right"))
        assert token == expected or abs(ends[min(token, expected)] - number * ends[-1]) < 1e-9


@pytest.mark.parametrize("size", [1, 5, 256, 300, 512, 1000])
@pytest.mark.parametrize("number", [0.0, 0.5, LARGEST])
def test_all_weight_on_one_token(size: int, number: float) -> None:
    for token in {0, size // 2, size - 1}:
        for weight in (1.0, 1e-30, 1e30):
            weights = torch.zeros(1, size)
            weights[0, token] = weight
            assert drawn(weights, number) == [token]


def test_the_edges_of_the_numbers() -> None:
    weights = torch.tensor([[0.0, 1.0, 0.0, 3.0, 0.0]])
    choose = {0.0: 1, 0.24999: 1, 0.25: 3, 0.9: 3, LARGEST: 3}
    for number, token in choose.items():
        assert drawn(weights, number) == [token]


@pytest.mark.parametrize("number", [0.0, 0.3, LARGEST])
def test_a_token_without_weight_is_never_drawn(number: float) -> None:
    """Rounding may put a number beyond all sums."""
    for seed in range(200):
        weights = some_logits(1, 1000, seed).mul(3).softmax(dim=-1)
        weights[weights < 1e-3] = 0.0
        (token,) = drawn(weights, number)
        assert weights[0, token] > 0


def test_samples_follow_the_probabilities() -> None:
    """Pearson's statistic of 20,000 samples from 600 tokens, far from what chance gives."""
    count, logits = 20_000, some_logits(1, 600)
    expected = logits.double().softmax(dim=-1)[0].numpy() * count
    numbers = torch.from_numpy(generator("frequencies").random(count))
    found = inverse_cdf(logits.softmax(dim=-1).expand(count, -1), numbers)
    often = expected > 5
    observed = np.bincount(found.numpy(), minlength=600)
    observed = np.append(observed[often], observed[~often].sum())
    expected = np.append(expected[often], expected[~often].sum())
    freedom = len(expected) - 1
    statistic = float(((observed - expected) ** 2 / expected).sum())
    assert abs(statistic - freedom) < 4 * (2 * freedom) ** 0.5


def test_filters_keep_the_likeliest_tokens() -> None:
    logits = torch.tensor([[0.1, 0.4, 0.4, 0.1]]).log()
    top_k = probabilities(logits, Sampling(top_k=1))[0]
    assert top_k.tolist() == [0.0, 1.0, 0.0, 0.0]  # of equal ones the lower id
    top_p = probabilities(logits, Sampling(top_p=0.75))[0]
    assert top_p.tolist() == pytest.approx([0.0, 0.4, 0.4, 0.0])
    min_p = probabilities(logits, Sampling(min_p=0.5))[0]
    assert min_p.tolist() == pytest.approx([0.0, 0.4, 0.4, 0.0])
    hot = probabilities(logits, Sampling(temperature=2.0))[0]
    assert hot.tolist() == pytest.approx([1 / 6, 1 / 3, 1 / 3, 1 / 6])


@pytest.mark.parametrize("temperature", [1e-300, 1e-45, 1e-30, 1e-6])
def test_the_lowest_temperature_is_greedy(temperature: float) -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    one = Sampling(temperature=temperature)
    assert probabilities(logits, one)[0].tolist() == [0.0, 1.0, 0.0]
    assert sample(logits, [one], [generator("n")], [()])[0] == [1]


def test_rows_of_different_samplings_do_not_mix() -> None:
    logits = some_logits(6, 300)
    kinds = [
        {},
        {"temperature": 0.0},
        {"top_k": 5},
        {},
        {"min_p": 0.2},
        {"repetition_penalty": 1.3},
    ]
    samplings = [Sampling(**kind) for kind in kinds]
    texts = [[k, k + 1] for k in range(6)]
    together = sample(logits, samplings, [generator("n", k) for k in range(6)], texts)
    for k in range(6):
        alone = sample(
            logits[k : k + 1], samplings[k : k + 1], [generator("n", k)], texts[k : k + 1]
        )
        assert alone[0][0] == together[0][k]
        assert alone[1][0] == pytest.approx(together[1][k], abs=1e-5)


def test_greedy_takes_no_number() -> None:
    """So that the numbers of a row do not depend on how the others are sampled."""
    numbers = generator("n")
    sample(some_logits(1, 9), [Sampling(temperature=0.0)], [numbers], [()])
    assert numbers.random() == generator("n").random()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [{}, {"top_p": 0.5}, {"top_k": 3}, {"min_p": 0.1}])
def test_what_is_no_number_shows_in_the_logprobs_of_its_row(
    number: float, kind: dict[str, float]
) -> None:
    """It must not run out of a table: on a GPU that would end the process."""
    logits = some_logits(2, 300)
    logits[0, 5] = number
    tokens, logprobs = sample(logits, [Sampling(**kind)] * 2, [generator("n")] * 2, [()] * 2)
    assert not np.isfinite(logprobs[0])
    assert np.isfinite(logprobs[1])
    assert all(0 <= token < 300 for token in tokens)


def test_the_address_of_a_sampling_is_as_it_was_before_it_could_do_more() -> None:
    """Replies that were stored then are still found."""
    old = {"temperature": 0.9, "top_p": 0.8, "top_k": 7, "max_step_tokens": 5}
    assert list(Sampling(**old).address().items()) == list(old.items())
    assert Sampling().address().keys() == old.keys()
    assert Sampling(min_p=0.1).address() == {**Sampling().address(), "min_p": 0.1}
    penalty = Sampling(repetition_penalty=1.1)
    assert penalty.address() == {**Sampling().address(), "repetition_penalty": 1.1}
