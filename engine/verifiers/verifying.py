"""One interface for all verifiers, and those that need no model.

A verifier gives every finished solution a score in [0, 1] and chooses one of each problem. Any of
them can also let the solutions vote: the weight of an answer is the sum of the scores of its
solutions ("+ self-consistency"). Which answers are the same one says `engine.tasks.same`, as in the
searches.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import msgspec

from engine.errors import TaskError
from engine.models.base import NO_USAGE, Usage
from engine.tasks import same
from engine.verifiers.traces import Trace

Group = Sequence[Trace]
"""Solutions of one problem."""


class Scored(msgspec.Struct, frozen=True):
    """Scores in [0, 1] of one problem's solutions, in order, and what models did for them.

    What several problems need counts at the first of them.
    """

    scores: tuple[float, ...]
    usage: Usage = NO_USAGE


class Verified(msgspec.Struct, frozen=True):
    """What a verifier says of one problem.

    Attributes:
        scores: of its solutions, in order.
        chosen: index of the solution that it believes, None where there is none.
        usage: what models did for it.
    """

    scores: tuple[float, ...]
    chosen: int | None
    usage: Usage = NO_USAGE


class Verifier(ABC):
    """Scores solutions and chooses among them."""

    @abstractmethod
    def score(self, groups: Sequence[Group]) -> list[Scored]:
        """The scores of each problem's solutions; models read all of them in one batch."""

    def choose(self, traces: Group, scores: Sequence[float]) -> int | None:
        """Index of the solution to be believed: that of the best score, the first of equal ones.

        One without an answer is chosen only where no other has one.
        """
        return _best(range(len(traces)), traces, scores)


class Voting(Verifier):
    """A verifier "+ self-consistency": its scores are the weights of the solutions' votes."""

    def __init__(self, inner: Verifier) -> None:
        self.inner = inner

    def score(self, groups: Sequence[Group]) -> list[Scored]:
        """Those of the verifier itself."""
        return self.inner.score(groups)

    def choose(self, traces: Group, scores: Sequence[float]) -> int | None:
        """The best solution of the answer of the largest weight, the first of equal ones."""
        found = vote(traces, scores)
        return _best(found[0].voters if found else range(len(traces)), traces, scores)


class Oracle(Verifier):
    """Knows which answers are right: what a perfect verifier would choose, as pass@N."""

    def score(self, groups: Sequence[Group]) -> list[Scored]:
        """1 where the answer is right, else 0.

        Raises:
            TaskError: of no solution of a problem it is known whether its answer is right.
        """
        for group in groups:
            if group and all(trace.correct is None for trace in group):
                raise TaskError(
                    "The oracle needs to know which answers are right, and does not for the "
                    f"problem {group[0].question[:60]!r}: give the problem its answer."
                )
        return [Scored(tuple(float(t.correct is True) for t in group)) for group in groups]


class SelfConsistency(Verifier):
    """Believes the answer that most solutions give."""

    def score(self, groups: Sequence[Group]) -> list[Scored]:
        """The share of the problem's solutions with the same answer; 0 without one."""
        found = []
        for group in groups:
            shares = [0.0] * len(group)
            for one in vote(group, [1.0] * len(group)):
                for voter in one.voters:
                    shares[voter] = len(one.voters) / len(group)
            found.append(Scored(tuple(shares)))
        return found


class Voted(msgspec.Struct, frozen=True):
    """An answer that solutions vote for: the sum of their weights, and their indices."""

    weight: float
    voters: list[int]


def vote(traces: Group, weights: Sequence[float]) -> list[Voted]:
    """The answers, heaviest first; level ones in the order of their first solutions.

    They are level if their weights differ by no more than the order of adding up changes.
    """
    answered = [k for k, trace in enumerate(traces) if trace.answer is not None]
    by = traces[0].compared if traces else "value"
    found = [
        Voted(math.fsum(weights[answered[i]] for i in group), [answered[i] for i in group])
        for group in same.groups([traces[k].answer or "" for k in answered], by)
    ]
    return same.heaviest_first(found, lambda one: one.weight)


AGGREGATES = ("last", "min", "product", "mean")


def aggregate(values: Sequence[float], how: str) -> float:
    """One value in [0, 1] of a solution from those after its steps; 0 without steps.

    how: one of `AGGREGATES`.
    """
    if not values:
        return 0.0
    if how == "last":
        return values[-1]
    if how == "min":
        return min(values)
    return math.prod(values) if how == "product" else math.fsum(values) / len(values)


def verify(traces: Group, verifier: Verifier) -> Verified:
    """What a verifier says of one problem's solutions."""
    return verify_all([traces], verifier)[0]


def verify_all(groups: Sequence[Group], verifier: Verifier) -> list[Verified]:
    """What a verifier says of every problem's solutions."""
    return [
        Verified(found.scores, verifier.choose(group, found.scores), found.usage)
        for group, found in zip(groups, verifier.score(groups), strict=True)
    ]


def ranking_quality(traces: Group, scores: Sequence[float]) -> float | None:
    """The share of pairs, a right and a wrong solution of a problem, that scores order rightly.

    Equal scores count as half a pair. None where there is no such pair.
    """
    right = [s for t, s in zip(traces, scores, strict=True) if t.correct is True]
    wrong = [s for t, s in zip(traces, scores, strict=True) if t.correct is False]
    if not right or not wrong:
        return None
    above = sum((a > b) + 0.5 * (a == b) for a in right for b in wrong)
    return above / (len(right) * len(wrong))


def _best(among: Sequence[int], traces: Group, scores: Sequence[float]) -> int | None:
    return max(among, key=lambda k: (traces[k].answer is not None, scores[k]), default=None)
