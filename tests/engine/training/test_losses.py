"""Every loss against numbers worked out by hand."""

import math

import pytest
import torch

from engine.training import losses

LN = math.log


def logits_of(*rows: list[float]) -> torch.Tensor:
    """[1, T, 2] logits whose softmax are these probabilities of token 0."""
    return torch.tensor([[[LN(p), LN(1 - p)] for p in rows[0]]])


def test_a_token_is_as_likely_as_the_logits_before_it_say() -> None:
    logits = logits_of([0.25, 0.5, 0.9])
    found = losses.token_logprobs(logits, torch.tensor([[1, 0, 1]]))
    assert found.tolist() == [pytest.approx([LN(0.25), LN(0.5)])]


def test_imitation_is_the_mean_over_learnt_tokens_each_with_its_texts_weight() -> None:
    logprobs = torch.tensor([[-1.0, -2.0, -4.0], [-8.0, -16.0, -32.0]])
    mask = torch.tensor([[True, False, True, True], [False, True, False, False]])
    # Learnt: -2 and -4 with weight 1, -8 with weight 0.5; the first token is never predicted.
    loss = losses.imitation(logprobs, mask, torch.tensor([1.0, 0.5]))
    assert loss.item() == pytest.approx((2 + 4 + 0.5 * 8) / 3)


def test_imitation_of_nothing_is_zero() -> None:
    nothing = torch.zeros(1, 3, dtype=torch.bool)
    assert losses.imitation(torch.full((1, 2), -5.0), nothing, torch.ones(1)).item() == 0


def test_divergence_is_the_mean_of_kl_where_tokens_are_learnt() -> None:
    now, then = logits_of([0.5, 0.8, 0.3]), logits_of([0.5, 0.4, 0.9])
    mask = torch.tensor([[False, True, True]])
    kl = 0.8 * LN(0.8 / 0.4) + 0.2 * LN(0.2 / 0.6)
    assert losses.divergence(now, then, mask).item() == pytest.approx((0 + kl) / 2, rel=1e-5)


def test_squared_error() -> None:
    loss = losses.squared_error(torch.tensor([0.5, 1.0]), torch.tensor([0.0, 0.8]))
    assert loss.item() == pytest.approx((0.25 + 0.04) / 2)


def test_cross_entropy_of_hard_and_soft_targets() -> None:
    loss = losses.cross_entropy(torch.tensor([0.8, 0.5]), torch.tensor([1.0, 0.25]))
    assert loss.item() == pytest.approx((-LN(0.8) - LN(0.5)) / 2)


def test_cross_entropy_of_a_value_that_is_certain_and_wrong_is_finite() -> None:
    assert math.isfinite(losses.cross_entropy(torch.tensor([0.0]), torch.tensor([1.0])).item())


def test_ranking_is_the_weighted_mean_of_the_chances_of_being_wrong() -> None:
    better, worse = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 0.0])
    loss = losses.ranking(better, worse, torch.tensor([1.0, 3.0]))
    assert loss.item() == pytest.approx((LN(1 + math.exp(-2)) + 3 * LN(2)) / 4)
