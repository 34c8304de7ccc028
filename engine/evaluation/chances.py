"""What k independent samples of a problem are worth, estimated from n of them without bias."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

DRAWS = 400
"""Subsets that a share of majorities is estimated with; the seed is fixed."""


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The chance that at least one of k of the samples is right, without bias (2107.03374, Eq. 1).

    Args:
        samples: drawn, n.
        right: of them, c.
        k: at most n.

    Raises:
        ValueError: k is out of range.
    """
    _check(samples, k)
    return 1.0 - math.comb(samples - right, k) / math.comb(samples, k)


def majority_at_k(samples: int, answers: Sequence[tuple[int, bool]], k: int) -> float:
    """The chance that the most frequent answer of k of the samples is right.

    The mean over subsets of k of the n samples, which is unbiased for k new ones: exact for k = 1
    and k = n, else over `DRAWS` subsets drawn without replacement. Equally frequent answers have
    equal chances; samples without an answer do not vote.

    Args:
        samples: drawn, n.
        answers: of each different answer how many samples have it, and whether it is right.
        k: at most n.

    Raises:
        ValueError: k is out of range.
    """
    _check(samples, k)
    # The order of answers changes nothing but which subsets are drawn.
    return _majority(samples, tuple(sorted(answers)), k)


@lru_cache(maxsize=50_000)
def _majority(samples: int, answers: tuple[tuple[int, bool], ...], k: int) -> float:
    right = np.array([known for _, known in answers], dtype=bool)
    if not right.any():
        return 0.0
    counts = np.array([count for count, _ in answers])
    if k == 1:
        return float(counts[right].sum() / samples)
    silent = samples - int(counts.sum())
    if k == samples:
        drawn = counts[None, :]
    else:
        generator = np.random.default_rng(0)
        every = [*counts.tolist(), silent]
        drawn = generator.multivariate_hypergeometric(every, k, size=DRAWS, method="marginals")
        drawn = drawn[:, :-1]
    most = drawn.max(axis=1, keepdims=True)
    first = (drawn == most) & (most > 0)
    shares = (first & right).sum(axis=1) / np.maximum(1, first.sum(axis=1))
    return float(shares.mean())


def _check(samples: int, k: int) -> None:
    if not 1 <= k <= samples:
        raise ValueError(f"k cannot be {k} with {samples} samples.")
