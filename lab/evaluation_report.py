"""What an evaluation found: accuracy by method and budget, differences, who solved what."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from engine.evaluation.budgets import Outcome
from engine.evaluation.chances import majority_at_k, pass_at_k
from engine.evaluation.contenders import Contender, contender
from engine.evaluation.difficulty import Difficulty
from engine.evaluation.statistics import Interval, clustered_difference, wilson
from lab.evaluation_plan import EvaluationSettings
from lab.evaluation_readings import Read, Readings
from lab.evaluation_states import Best

_KS = (1, 2, 4, 8, 16, 32)
_LEAST = 0.25
"""A run under way is shown from this share of the problems on that the furthest one has done:
what is compared is only what all of them have."""


_MOST = 0.95
"""pass@k is told as long as so many problems have k samples."""


class Run(msgspec.Struct, frozen=True):
    """A run of searches: a batch that holds outcomes at some budgets.

    `memory` is the most that was seen while it went on, see `lab.evaluation_states.RunState`.
    """

    method: Contender
    seed: int
    budgets: tuple[int, ...]
    batch: str
    memory: Mapping[str, int] = {}


class Score(msgspec.Struct, frozen=True):
    """A method at a budget.

    Attributes:
        method, title: which.
        budget: policy tokens a problem may take.
        accuracy: share right of the answers to all problems in all runs, with Wilson's interval
            for the number of problems.
        by_seed: share right in each run.
        policy_tokens, prm_tokens, seconds: means of a problem.
        difference: to the baseline at the same budget, paired by problem; None for itself.
        sentence: that in words.
        oracle: whether it asks the right answer while it searches.
        failed: searches that an error ended; they count as wrong.
        unanswered: of the others, without an answer; they are wrong, too.
        level: searches where another answer had as many votes.
        process_memory: the most bytes that the whole process took while its run of searches went
            on, models and what other work left there included. Methods that read the same run have
            the same. None where it cannot be told: at the smaller budgets of a run that is cut for
            them, and where a run was not watched.
        gpu_memory: likewise what CUDA had allocated; None too where there is no GPU.
    """

    method: str
    title: str
    budget: int
    accuracy: Interval
    by_seed: list[float]
    policy_tokens: float
    prm_tokens: float
    seconds: float
    difference: Interval | None
    sentence: str
    oracle: bool
    failed: int = 0
    unanswered: int = 0
    level: int = 0
    process_memory: int | None = None
    gpu_memory: int | None = None


class Sampled(msgspec.Struct, frozen=True):
    """k independent samples, without bias; see `engine.evaluation.chances`.

    Attributes:
        k: how many.
        pass_at_k: the chance that one of them is right.
        majority_at_k: the chance that their most frequent answer is right.
        problems: n; those with k samples, in the mean of all runs.
    """

    k: int
    pass_at_k: float
    majority_at_k: float
    problems: int


class Cell(msgspec.Struct, frozen=True):
    """An answer to a problem: right or wrong, the session to look at, what it cost, and what has as
    many votes, in words.
    """

    right: bool
    answer: str | None
    session: str
    tokens: int
    failed: bool = False
    prm_tokens: int = 0
    seconds: float = 0.0
    tie: str = ""


class Report(msgspec.Struct, frozen=True):
    """The whole.

    Attributes:
        problems: labels of those that every run has finished, in the order of the dataset.
        questions, golds: of these problems.
        scores: by budget, then method.
        samples: pass@k and majority@k of the samples of the largest budget.
        grid: (method, budget) -> of each seed the cells, in the order of `problems`.
        methods, budgets, seeds: asked for.
        baseline: the method that others are compared with.
        waiting: titles of methods that are not shown yet, because too few of their searches are
            done.
    """

    problems: list[str]
    questions: list[str]
    golds: list[str | None]
    scores: list[Score]
    samples: list[Sampled]
    grid: dict[str, list[list[Cell]]]
    methods: list[str]
    budgets: list[int]
    seeds: list[int]
    baseline: str
    waiting: list[str] = []

    def score(self, method: str, budget: int) -> Score:
        """The score of a method at a budget."""
        return next(s for s in self.scores if (s.method, s.budget) == (method, budget))


def key(method: str, budget: int) -> str:
    """The name of a column of the grid."""
    return f"{method} @ {budget}"


Place = tuple[str, int, int]
Found = dict[Place, dict[str, tuple[Read, Outcome]]]
"""(method, budget, seed) -> problem -> its search, and the outcome."""
Shown = dict[tuple[str, int], list[list[tuple[Read, Outcome]]]]
"""(method, budget) -> of each seed, in the order of the problems."""


def report(readings: Readings, settings: EvaluationSettings, runs: Sequence[Run]) -> Report:
    """Read the outcomes of all runs, as far as they are finished.

    Raises:
        StoreError: a log cannot be read.
    """
    methods, budgets, seeds = settings.methods, settings.budgets, settings.seeds
    found = _read(readings, methods, runs)
    wanted = [(name, budget, seed) for name in methods for budget in budgets for seed in seeds]
    furthest = max((len(found.get(one, ())) for one in wanted), default=0)
    ready = [one for one in wanted if len(found.get(one, ())) >= max(1, _LEAST * furthest)]
    problems = _in_all([found[one] for one in ready])
    shown: Shown = {
        (name, budget): [[found[name, budget, s][label] for label in problems] for s in seeds]
        for name in methods
        for budget in budgets
        if problems and all((name, budget, seed) in ready for seed in seeds)
    }
    first = found[ready[0]] if problems else {}
    return Report(
        problems=problems,
        questions=[first[label][0].question for label in problems],
        golds=[first[label][0].gold for label in problems],
        scores=[
            _score(name, budget, shown, settings.baseline, _memory(name, budget, runs))
            for budget in budgets
            for name in methods
            if (name, budget) in shown
        ],
        samples=_sampled(found, methods, budgets, seeds, problems),
        grid={key(*place): [[_cell(*one) for one in row] for row in rows]
              for place, rows in shown.items()},
        methods=list(methods),
        budgets=list(budgets),
        seeds=list(seeds),
        baseline=settings.baseline,
        waiting=[
            contender(name).title
            for name in methods
            if any((name, budget) not in shown for budget in budgets)
        ],
    )  # fmt: skip


def _read(readings: Readings, methods: Sequence[str], runs: Sequence[Run]) -> Found:
    found: Found = {}
    asked = [contender(name) for name in methods]
    for run in runs:
        shares = run.method.kind == "samples"
        readers = [m for m in asked if m.kind == "samples"] if shares else [run.method]
        for label, read in readings.batch(run.batch, readers, run.budgets).items():
            for reader in readers:
                for budget, outcome in zip(run.budgets, read.outcomes[reader.name], strict=True):
                    found.setdefault((reader.name, budget, run.seed), {})[label] = read, outcome
    return found


def _in_all(found: Sequence[Mapping[str, object]]) -> list[str]:
    if not found:
        return []
    return [label for label in found[0] if all(label in one for one in found)]


def _cell(read: Read, outcome: Outcome) -> Cell:
    return Cell(
        outcome.right,
        outcome.answer,
        read.session,
        outcome.policy_tokens,
        outcome.failed,
        outcome.prm_tokens,
        outcome.seconds,
        outcome.tie,
    )


def _memory(name: str, budget: int, runs: Sequence[Run]) -> dict[str, int]:
    """The most of all seeds, of the runs that went to just this budget; empty if one is unknown."""
    method = contender(name)
    own = [
        run.memory
        for run in runs
        if run.budgets[-1] == budget
        and (run.method == method or run.method.kind == method.kind == "samples")
    ]
    kinds = set.intersection(*map(set, own)) if own else set()
    return {kind: max(memory[kind] for memory in own) for kind in kinds}


def _score(name: str, budget: int, shown: Shown, baseline: str, memory: Mapping[str, int]) -> Score:
    rows = [[outcome for _, outcome in row] for row in shown[name, budget]]
    right = [[outcome.right for outcome in row] for row in rows]
    flat = [outcome for row in rows for outcome in row]
    n = len(rows[0])
    base = shown.get((baseline, budget))
    difference, sentence = None, ""
    if base is not None and name != baseline:
        difference = clustered_difference(right, [[o.right for _, o in row] for row in base])
        sentence = in_words(difference, contender(baseline).title, n)
    one = contender(name)
    return Score(
        name,
        one.title,
        budget,
        share(sum(map(sum, right)) / len(rows), n),
        [sum(row) / n for row in right],
        _mean([outcome.policy_tokens for outcome in flat]),
        _mean([outcome.prm_tokens for outcome in flat]),
        _mean([outcome.seconds for outcome in flat]),
        difference,
        sentence,
        one.oracle,
        sum(outcome.failed for outcome in flat),
        sum(outcome.answer is None and not outcome.failed for outcome in flat),
        sum(bool(outcome.tie) for outcome in flat),
        memory.get("resident"),
        memory.get("cuda"),
    )


def share(right: float, n: int) -> Interval:
    """The share `right` / n with Wilson's interval; n > 0, `right` may be a mean of runs."""
    low, high = wilson(right, n)
    return Interval(right / n, max(0.0, low), min(1.0, high))


def in_words(difference: Interval, baseline: str, n: int) -> str:
    """A paired difference of accuracies to a method of this title, and whether it is real."""
    points, low, high = (
        100 * value for value in (difference.estimate, difference.low, difference.high)
    )
    found = "significant" if difference.excludes_zero else "not significant"
    interval = f"95 % CI {low:z.1f} to {high:z.1f}"
    return f"{points:+z.1f} points to {baseline}, {interval}, n = {n}: {found}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _sampled(
    found: Found,
    methods: Sequence[str],
    budgets: Sequence[int],
    seeds: Sequence[int],
    problems: Sequence[str],
) -> list[Sampled]:
    name = next((m for m in methods if contender(m).kind == "samples"), None)
    if name is None:
        return []
    drawn = [
        found[name, budgets[-1], seed][label][1]
        for seed in seeds
        for label in problems
        if label in found.get((name, budgets[-1], seed), {})
    ]
    tables = []
    for k in _KS:
        enough = [one for one in drawn if one.samples >= k]
        # Were many left out, the easy ones, whose solutions are short, would be told of.
        if enough and len(enough) >= _MOST * len(drawn):
            passed = [pass_at_k(one.samples, one.right_samples, k) for one in enough]
            voted = [majority_at_k(one.samples, one.answers, k) for one in enough]
            count = round(len(problems) * len(enough) / len(drawn))
            tables.append(Sampled(k, _mean(passed), _mean(voted), count))
    return tables


def best(found: Report) -> list[Best]:
    """At each budget the method that was right most often, and those that it does not lead; one
    that asks the oracle is neither.
    """
    chosen = []
    for budget in found.budgets:
        scores = [s for s in found.scores if s.budget == budget and not s.oracle]
        if scores:
            chosen.append(_best(found, scores))
    return chosen


def _best(found: Report, scores: Sequence[Score]) -> Best:
    first = max(scores, key=lambda score: score.accuracy.estimate)
    share, tied, close = first.accuracy.estimate, [], []
    for other in scores:
        if other is first:
            continue
        if math.isclose(other.accuracy.estimate, share, abs_tol=1e-9):
            tied.append(other.title)
        elif not clustered_difference(_right(found, first), _right(found, other)).excludes_zero:
            close.append(other.title)
    return Best(first.budget, first.method, first.title, share, tied, close)


def _right(found: Report, score: Score) -> list[list[bool]]:
    return [[cell.right for cell in row] for row in found.grid[key(score.method, score.budget)]]


class SliceScore(msgspec.Struct, frozen=True):
    """Problems of a like difficulty: how many, and the accuracy of each method on them."""

    label: str
    n: int
    accuracy: dict[str, Interval]


def slices(found: Report, parts: Difficulty, budget: int) -> list[SliceScore]:
    """Accuracy of every method at a budget, on each slice of the problems."""
    told = []
    for part in parts.slices:
        n, accuracy = len(part.problems), {}
        for name in found.methods:
            rows = found.grid.get(key(name, budget), [])
            right = [sum(row[place].right for place in part.problems) for row in rows]
            if rows:
                accuracy[name] = share(_mean(right), n)
        told.append(SliceScore(part.label, n, accuracy))
    return told


def solved(found: Report, budget: int) -> list[float]:
    """Of each problem the share of methods that solved it at a budget; runs are parts of one.

    Methods that ask the oracle do not count.
    """
    grids = [
        found.grid[key(name, budget)]
        for name in found.methods
        if key(name, budget) in found.grid and not contender(name).oracle
    ]
    return [
        _mean([_mean([row[place].right for row in grid]) for grid in grids])
        for place in range(len(found.problems))
    ]
