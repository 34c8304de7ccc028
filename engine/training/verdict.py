"""Did it help? What a round changed, from answers and values before and after. Pure functions.

Accuracies and values are shares in [0, 1]; intervals are at 95 %.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from engine.evaluation.statistics import Interval, accuracy, paired_difference
from engine.exports.labels import LabelledTree, Trace
from engine.search.answers import answer_groups
from engine.tasks.same import comparison_for
from engine.tasks.stories import check_steps, recognise
from engine.training.examples import Solution

_COLLAPSED = 0.02
_COLLAPSED_SHARE = 0.25
"""Values whose standard deviation has fallen below the first, or to less than the second of what it
was, tell solutions no longer apart."""

_AGREED, _LEAST_LEAVES, _SURE = 0.75, 4, 0.8


class Comparison(msgspec.Struct, frozen=True):
    """The same problems answered before and after.

    Attributes:
        n: problems answered both times.
        before, after: accuracies.
        difference: after minus before.
        fixed, broken: labels of the problems that only after, or only before, were right.
        same_right, same_wrong: how many stayed as they were.
        sentence: the whole of it in words.
    """

    n: int
    before: Interval
    after: Interval
    difference: Interval
    fixed: list[str]
    broken: list[str]
    same_right: int
    same_wrong: int
    sentence: str

    @property
    def worse(self) -> bool:
        """Whether fewer problems are right than before."""
        return self.difference.estimate < 0


def compare(before: Mapping[str, bool], after: Mapping[str, bool]) -> Comparison | None:
    """Two evaluations by problem; only problems of both count. None if there are none."""
    labels = [label for label in before if label in after]
    if not labels:
        return None
    was, now = [before[one] for one in labels], [after[one] for one in labels]
    difference = paired_difference(now, was)
    return Comparison(
        n=len(labels),
        before=accuracy(was),
        after=accuracy(now),
        difference=difference,
        fixed=[one for one in labels if after[one] and not before[one]],
        broken=[one for one in labels if before[one] and not after[one]],
        same_right=sum(before[one] and after[one] for one in labels),
        same_wrong=sum(not before[one] and not after[one] for one in labels),
        sentence=_sentence(difference, len(labels)),
    )


def _sentence(difference: Interval, n: int) -> str:
    points, low, high = (100 * x for x in (difference.estimate, difference.low, difference.high))
    word = "significant" if difference.excludes_zero else "not significant"
    return f"{points:+z.1f} points, 95 % CI {low:z.1f} to {high:z.1f}, n = {n}: {word}"


class Judged(msgspec.Struct, frozen=True):
    """A finished solution of a problem: whether it is right, and its values before and after."""

    problem: str
    right: bool
    before: float
    after: float


class Quality(msgspec.Struct, frozen=True):
    """How good values are.

    Attributes:
        brier: mean squared difference of value and verdict; 0 is perfect, less is better.
        auc: chance that of a right and a wrong solution of one problem the right one has the higher
            value, mean over problems; None where no problem has both.
        spread: standard deviation of the values.
    """

    brier: float
    auc: float | None
    spread: float


class Calibration(msgspec.Struct, frozen=True):
    """The values of a process reward model before and after, on the same finished solutions.

    Attributes:
        solutions: how many were valued.
        problems: of these, problems with both right and wrong ones, which the AUC is read from.
        before, after: how good the values were and are.
    """

    solutions: int
    problems: int
    before: Quality
    after: Quality

    @property
    def collapsed(self) -> bool:
        """Whether the values tell solutions no longer apart."""
        was, now = self.before.spread, self.after.spread
        return now < max(_COLLAPSED, _COLLAPSED_SHARE * was) and was > max(_COLLAPSED, now)


def calibrate(judged: Sequence[Judged]) -> Calibration | None:
    """See `Calibration`; None where there is no solution."""
    if not judged:
        return None
    verdicts = [one.right for one in judged]
    by_problem: dict[str, list[Judged]] = {}
    for one in judged:
        by_problem.setdefault(one.problem, []).append(one)
    mixed = [group for group in by_problem.values() if len({one.right for one in group}) == 2]

    def quality(values: Sequence[float], pairs: Sequence[list[tuple[bool, float]]]) -> Quality:
        areas = [auc(pair) for pair in pairs]
        return Quality(
            brier(values, verdicts),
            statistics.fmean(areas) if areas else None,
            statistics.pstdev(values),
        )

    return Calibration(
        len(judged),
        len(mixed),
        quality([o.before for o in judged], [[(o.right, o.before) for o in g] for g in mixed]),
        quality([o.after for o in judged], [[(o.right, o.after) for o in g] for g in mixed]),
    )


def brier(values: Sequence[float], verdicts: Sequence[bool]) -> float:
    """Mean squared difference of values and verdicts (1 right, 0 wrong)."""
    return statistics.fmean((v - r) ** 2 for v, r in zip(values, verdicts, strict=True))


def auc(judged: Iterable[tuple[bool, float]]) -> float:
    """Chance that a right one has a higher value than a wrong one; equal values count half.

    Raises:
        ValueError: there are no right or no wrong ones.
    """
    found = list(judged)
    right = [value for verdict, value in found if verdict]
    wrong = [value for verdict, value in found if not verdict]
    if not right or not wrong:
        raise ValueError("AUC needs right and wrong ones.")
    won = sum((r > w) + 0.5 * (r == w) for r in right for w in wrong)
    return won / (len(right) * len(wrong))


class Steps(msgspec.Struct, frozen=True):
    """Solutions that were learnt from: how many could be checked step by step, and of these, how
    many have no wrong step. The others reach a right answer by steps that are wrong.
    """

    solutions: int
    checked: int
    right: int


def right_steps(solutions: Iterable[Solution]) -> Steps:
    """See `Steps`. Stories can be checked."""
    total = checked = right = 0
    for solution in solutions:
        total += 1
        story = recognise(solution.question).story
        if story is None:
            continue
        checks = check_steps(story, solution.steps)
        checked += 1
        right += bool(checks) and checks[-1].prefix_right
    return Steps(total, checked, right)


class Suspect(msgspec.Struct, frozen=True):
    """A problem whose oracle answer may be wrong: most solutions agree on another one.

    share: of the finished solutions, that say `found`; value: their mean value.
    """

    session: str
    oracle: str
    found: str
    share: float
    value: float


def suspect(labelled: LabelledTree, session: str) -> Suspect | None:
    """The problem of a tree, if its oracle answer is to be doubted; else None.

    Three in four of at least four finished solutions agree on another answer, and the process
    reward model gives these 0.8 on average.
    """
    tree = labelled.tree
    leaves = [tree.node(trace.leaf) for trace in labelled.traces]
    leaves = [leaf for leaf in leaves if leaf.answer is not None]
    groups = answer_groups(leaves, {leaf.id: 1.0 for leaf in leaves}, comparison_for(tree.gold))
    if len(leaves) < _LEAST_LEAVES or tree.gold is None or groups[0].correct is not False:
        return None
    agreed = [leaf for leaf in leaves if leaf.answer in groups[0].spellings]
    values = [leaf.prm_value for leaf in agreed if leaf.prm_value is not None]
    share = len(agreed) / len(leaves)
    if share < _AGREED or not values or statistics.fmean(values) < _SURE:
        return None
    return Suspect(session, tree.gold, groups[0].answer, share, statistics.fmean(values))


def any_right(traces: Iterable[Trace]) -> bool:
    """Whether one of the finished solutions is right."""
    return any(trace.correct for trace in traces)
