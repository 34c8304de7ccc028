"""Intervals for accuracies and for paired differences between methods.

Accuracies are shares in [0, 1]; intervals are at 95 %.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

_Z = 1.959963984540054


class Interval(msgspec.Struct, frozen=True):
    """An estimate with its 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside: for a difference, whether it is significant at 5 %."""
        return self.low > 0 or self.high < 0


def accuracy(right: Sequence[bool]) -> Interval:
    """Share of right answers with Wilson's score interval; n = 0 gives (0, 0, 1)."""
    n = len(right)
    if n == 0:
        return Interval(0.0, 0.0, 1.0)
    low, high = wilson(sum(right), n)
    return Interval(sum(right) / n, max(0.0, low), min(1.0, high))


def wilson(right: float, n: int) -> tuple[float, float]:
    """Wilson's score interval of the share `right` / n; n > 0, `right` may be a mean of shares."""
    share = right / n
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return centre - half, centre + half


def clustered_difference(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], seed: int = 0
) -> Interval:
    """Accuracy of `first` minus `second`, each answers to the same problems in several runs.

    Args:
        first: of each run, the answers to all problems in one order: right or wrong, or shares.
        second: likewise.
        seed: of the 10,000 resamples of the problems; the answers of all runs to a problem stay
            together, so that they do not count as so many problems. How runs differ is not in the
            interval.

    Raises:
        ValueError: the runs are not of equal length, or are empty.
    """
    runs = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if runs.ndim != 2 or not runs.size:
        raise ValueError("Need answers of at least one run to at least one problem.")
    difference = runs.mean(axis=0)
    few = _few_differ(difference)
    if few is not None:
        return few
    values, counts = np.unique(difference, return_counts=True)
    n = difference.size
    draws = np.random.default_rng(seed).multinomial(n, counts / n, size=10_000)
    low, high = np.percentile(draws @ values / n, [2.5, 97.5])
    return Interval(float(difference.mean()), float(low), float(high))


def paired_difference(first: Sequence[bool], second: Sequence[bool], seed: int = 0) -> Interval:
    """Accuracy of `first` minus `second` on the same problems, by percentile bootstrap.

    10,000 resamples of the problems (not of the answers), so the pairing is kept. Where fewer than
    six problems differ the bootstrap would see a difference in chance (its interval shrinks to a
    point where all differ alike); then the interval is made of exact ones, see `_few_differ`.

    Raises:
        ValueError: the two do not have the same length, or are empty.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"Need two equal, non-empty lists; got {len(first)} and {len(second)}.")
    difference = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    few = _few_differ(difference)
    if few is not None:
        return few
    # Only three values occur, so resampling their counts equals resampling the problems.
    counts = [(difference == value).mean() for value in (-1.0, 0.0, 1.0)]
    draws = np.random.default_rng(seed).multinomial(len(difference), counts, size=10_000)
    means = (draws[:, 2] - draws[:, 0]) / len(difference)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(difference.mean()), float(low), float(high))


_FEW = 6
"""With fewer problems that differ no exact test can find a difference at 5 %."""


def _few_differ(difference: "np.ndarray[Any, Any]") -> Interval | None:
    """The interval of a mean difference in [-1, 1] where fewer than six problems differ; else None.

    With p the largest share of problems that differ, and t the share of those that go up, both by
    Clopper and Pearson's exact intervals: from p (2 t_low - 1) to p (2 t_high - 1).
    """
    n, up = difference.size, int((difference > 0).sum())
    differ = up + int((difference < 0).sum())
    if differ >= _FEW:
        return None
    most = _exact(differ, n)[1]
    low, high = _exact(up, differ)
    mean = float(difference.mean())
    return Interval(mean, min(mean, most * (2 * low - 1)), max(mean, most * (2 * high - 1)))


def _exact(k: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval of a share of k in n; (0, 1) for n = 0."""

    def at_most(count: int, share: float) -> float:
        terms = (math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(count + 1))
        return math.fsum(terms)

    def where(falls: Callable[[float], bool]) -> float:
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if falls(middle) else (middle, high)
        return (low + high) / 2

    return (
        0.0 if k == 0 else where(lambda share: 1 - at_most(k - 1, share) > 0.025),
        1.0 if k == n else where(lambda share: at_most(k, share) < 0.025),
    )
