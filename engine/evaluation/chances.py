"""What k independent samples of a problem are worth, from n of them without bias."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

MOST_COUNTED = 20_000_000
"""n k^2 up to which the chance of a majority is counted exactly; n is at most 1,024 then."""

DRAWS = 4_000
"""Subsets that a share of majorities is estimated with beyond it; the seed is fixed."""


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

    The mean over all subsets of k of the n samples, which is unbiased for k new ones. It is counted
    exactly: what matters of a subset is how many of its samples give each answer. Only beyond
    `MOST_COUNTED` it is estimated from `DRAWS` subsets drawn without replacement. Equally frequent
    answers have equal chances; samples without an answer do not vote.

    Args:
        samples: drawn, n.
        answers: of each different answer how many samples have it, and whether it is right.
        k: at most n.

    Raises:
        ValueError: k is out of range.
    """
    _check(samples, k)
    # The order of answers changes nothing but which subsets are drawn.
    ordered = tuple(sorted(answers))
    if samples <= _LARGEST and samples * k * k <= MOST_COUNTED:
        return _counted(samples, ordered, k)
    return _estimated(samples, ordered, k)


_LARGEST = 1024
"""Samples whose subsets a float can count."""


@lru_cache(maxsize=50_000)
def _counted(samples: int, answers: tuple[tuple[int, bool], ...], k: int) -> float:
    counts = [count for count, _ in answers]
    silent = samples - sum(counts)
    right = Counter(count for count, known in answers if known)
    won = 0.0
    for own, times in right.items():
        others = counts.copy()
        others.remove(own)
        won += times * _first_places(own, others, silent, k)
    return won / math.comb(samples, k)


def _first_places(own: int, others: Sequence[int], silent: int, k: int) -> float:
    """In how many subsets of k an answer of `own` samples is first; shared places count in part."""
    return math.fsum(
        math.comb(own, votes) * shared / (1 + level)
        for votes in range(1, min(own, k) + 1)
        for level, shared in enumerate(_behind(others, silent, votes, k - votes))
    )


def _behind(others: Sequence[int], silent: int, votes: int, rest: int) -> list[float]:
    """How many choices of the `rest` other samples give no other answer more than `votes` of them,
    by how many answers they give just as many.
    """
    few = silent + sum(count for count in others if count < votes)
    # Rows: answers that are level. Columns: samples chosen so far.
    ways = np.zeros((rest // votes + 1, rest + 1))
    ways[0] = [math.comb(few, chosen) for chosen in range(rest + 1)]
    for count in others:
        if count < votes:
            continue
        more = np.zeros_like(ways)
        for chosen in range(min(votes, rest + 1)):
            more[:, chosen:] += math.comb(count, chosen) * ways[:, : rest + 1 - chosen]
        more[1:, votes:] += math.comb(count, votes) * ways[:-1, : max(0, rest + 1 - votes)]
        ways = more
    return [float(row) for row in ways[:, rest]]


@lru_cache(maxsize=50_000)
def _estimated(samples: int, answers: tuple[tuple[int, bool], ...], k: int) -> float:
    right = np.array([known for _, known in answers], dtype=bool)
    counts = np.array([count for count, _ in answers], dtype=np.int64)
    generator = np.random.default_rng(0)
    every = [*counts.tolist(), samples - int(counts.sum())]
    drawn = generator.multivariate_hypergeometric(every, k, size=DRAWS, method="marginals")[:, :-1]
    most = drawn.max(axis=1, keepdims=True, initial=0)
    first = (drawn == most) & (most > 0)
    shares = (first & right).sum(axis=1) / np.maximum(1, first.sum(axis=1))
    return float(shares.mean())


def _check(samples: int, k: int) -> None:
    if not 1 <= k <= samples:
        raise ValueError(f"k cannot be {k} with {samples} samples.")
