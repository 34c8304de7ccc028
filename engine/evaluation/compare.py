"""Search methods side by side at equal policy tokens, on the same problems.

    python -m engine.evaluation --problems FILE --limit 500 --json FILE

A problem's budget is what its N independent samples took; every other method stops before it would
pass that, or runs to its own end if that is the fairer way. Majority, best-of-N and the weighted
votes are read from the same samples: they cost the same policy tokens. PRM tokens differ between
methods and are reported, not equalised.
"""

import statistics as stats
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from engine.evaluation.statistics import Interval, accuracy, paired_difference
from engine.models.base import Policy, ProcessRewardModel
from engine.search.answers import answer_groups
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search, create
from engine.search.sampling import solution_score
from engine.tasks.same import comparison_for
from engine.tree import Node

AGGREGATES = ("last", "min", "product")


class Question(msgspec.Struct, frozen=True):
    """A problem with its oracle answer; `group` labels slices of the table."""

    content: str
    answer: str
    group: str = ""


class Method(msgspec.Struct, frozen=True):
    """A search algorithm with parameters.

    to_its_end: not held to each problem's budget; for a method that ends by itself after about as
    many tokens and would have no answer at all if it were cut off before.
    """

    name: str
    algorithm: str
    params: dict[str, Any]
    to_its_end: bool = False


class Row(msgspec.Struct, frozen=True):
    """One method: right or wrong per problem, mean tokens and seconds per problem."""

    name: str
    right: list[bool]
    policy_tokens: float
    prm_tokens: float
    seconds: float

    def accuracy(self) -> Interval:
        """Share right with its 95 % interval."""
        return accuracy(self.right)


class Comparison(msgspec.Struct, frozen=True):
    """All methods on one set of problems; what the JSON file holds."""

    groups: list[str]
    samples: int
    seed: int
    rows: list[Row]

    def row(self, name: str) -> Row:
        """The method of this name."""
        return next(row for row in self.rows if row.name == name)


Grade = Callable[[str | None, str], bool | None]
Progress = Callable[[str, int, int], None]


class Contest:
    """Runs methods on questions with one policy and one PRM."""

    def __init__(
        self,
        policy: Policy,
        prm: ProcessRewardModel,
        grade: Grade,
        *,
        seed: int = 0,
        parallel: int = 64,
        progress: Progress = lambda method, done, total: None,
    ) -> None:
        self._policy, self._prm, self._grade = policy, prm, grade
        self._seed, self._parallel, self._progress = seed, parallel, progress

    def run(
        self, questions: Sequence[Question], methods: Sequence[Method], samples: int = 16
    ) -> Comparison:
        """Greedy, `samples` samples read in every way, and each method within their tokens.

        Every method gives two rows: its best finished solution answers, or their weighted vote.
        """
        greedy = Method("greedy", "sampling", {"samples": 1, "sampling": {"temperature": 0.0}})
        sampled = Method(
            f"{samples} samples", "sampling", {"samples": samples, "final_choice": "best"}
        )
        unlimited: list[int | None] = [None] * len(questions)
        searches, seconds = self._search(greedy, questions, unlimited)
        right = [_right(search, search.tree.chosen) for search in searches]
        rows = [_cost_row(greedy.name, right, searches, seconds)]
        searches, seconds = self._search(sampled, questions, unlimited)
        rows += self._readings(samples, searches, seconds)
        budgets: list[int | None] = [s.tree.cost.policy_generated for s in searches]
        for method in methods:
            limits = unlimited if method.to_its_end else budgets
            searches, seconds = self._search(method, questions, limits)
            best = [_right(search, search.tree.best) for search in searches]
            vote = [_right(search, search.tree.voted) for search in searches]
            rows.append(_cost_row(f"{method.name}, best", best, searches, seconds))
            rows.append(_cost_row(f"{method.name}, vote", vote, searches, seconds))
        return Comparison([q.group for q in questions], samples, self._seed, rows)

    def _search(
        self, method: Method, questions: Sequence[Question], budgets: Sequence[int | None]
    ) -> tuple[list[Search], float]:
        """Every question searched within its budget, up to `parallel` at a time; seconds in all."""
        driver = Driver(self._policy, self._prm, MemoryArchive())
        searches = [self._new_search(method, question) for question in questions]
        waiting = list(zip(searches, budgets, strict=True))[::-1]
        began, total = time.perf_counter(), len(questions)
        while waiting or driver.active:
            while waiting and len(driver.active) < self._parallel:
                search, tokens = waiting.pop()
                driver.start(search, Limits(tokens=tokens), lambda _, events: None)
            for failed in driver.tick():
                raise failed.error
            self._progress(method.name, total - len(waiting) - len(driver.active), total)
        return searches, time.perf_counter() - began

    def _new_search(self, method: Method, question: Question) -> Search:
        created = create(
            question.content,
            question.answer,
            method.algorithm,
            dict(method.params),
            self._seed,
            self._policy.identity,
            self._prm.identity,
        )
        return Search([created], lambda answer: self._grade(answer, question.answer))

    def _readings(self, samples: int, searches: list[Search], seconds: float) -> list[Row]:
        """Majority, best-of-N, weighted votes and pass@N of the same samples."""
        readings: dict[str, list[bool]] = {}
        for search in searches:
            leaves = [
                search.tree.node(i) for i in search.algorithm.end_leaves(search.tree, search.params)
            ]
            for name, node in _choices(search, leaves, samples).items():
                readings.setdefault(name, []).append(_right(search, node))
            some = any(leaf.correct for leaf in leaves)
            readings.setdefault(f"pass@{samples}", []).append(some)
        return [_cost_row(name, right, searches, seconds) for name, right in readings.items()]


def _choices(search: Search, leaves: list[Node], samples: int) -> dict[str, int | None]:
    """The node that each way of reading the samples answers with."""
    by = comparison_for(search.tree.gold)
    equal = answer_groups(leaves, {leaf.id: 1.0 for leaf in leaves}, by)
    chosen: dict[str, int | None] = {f"majority@{samples}": equal[0].best if equal else None}
    for how in AGGREGATES:
        scores = {leaf.id: solution_score(search.tree, leaf, how) for leaf in leaves}
        best = max(leaves, key=lambda leaf: scores[leaf.id], default=None)
        chosen[f"best-of-{samples}, {how}"] = best.id if best else None
        groups = answer_groups(leaves, scores, by)
        chosen[f"vote@{samples}, {how}"] = groups[0].best if groups else None
    return chosen


def _right(search: Search, node: int | None) -> bool:
    return node is not None and search.tree.node(node).correct is True


def _cost_row(name: str, right: list[bool], searches: list[Search], seconds: float) -> Row:
    costs = [search.tree.cost for search in searches]
    return Row(
        name,
        right,
        stats.fmean(cost.policy_generated for cost in costs),
        stats.fmean(cost.prm_unique for cost in costs),
        seconds / len(searches),
    )


def table(comparison: Comparison, baseline: str) -> str:
    """Markdown: accuracy with interval, per group, and the paired difference from `baseline`."""
    groups = sorted(set(comparison.groups))
    reference = comparison.row(baseline)
    head = ["method", "right, % [95 % CI]", *groups, f"{baseline} minus method", "policy", "PRM"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in comparison.rows:
        cells = [row.name, _percent(row.accuracy())]
        for group in groups:
            hits = [r for r, g in zip(row.right, comparison.groups, strict=True) if g == group]
            cells.append(f"{100 * stats.fmean(hits):.0f}")
        gap = "" if row is reference else _points(paired_difference(reference.right, row.right))
        cells += [gap, f"{row.policy_tokens:.0f}", f"{row.prm_tokens:.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _percent(interval: Interval) -> str:
    return f"{100 * interval.estimate:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _points(interval: Interval) -> str:
    verdict = "" if interval.excludes_zero else " n.s."
    numbers = (100 * interval.estimate, 100 * interval.low, 100 * interval.high)
    return "{:+z.1f} [{:z.1f}, {:z.1f}]".format(*numbers) + verdict
