"""What an evaluation found: accuracy by method and budget, differences, who solved what."""

import csv
import io
from collections.abc import Mapping, Sequence

import msgspec

from engine.evaluation.budgets import Outcome, outcomes, pass_at_k
from engine.evaluation.contenders import Contender, contender
from engine.evaluation.statistics import Interval, clustered_difference, wilson
from sessions.store import Store

_KS = (1, 2, 4, 8, 16, 32)


class Run(msgspec.Struct, frozen=True):
    """A run of searches: a batch that holds outcomes at some budgets."""

    method: Contender
    seed: int
    budgets: tuple[int, ...]
    batch: str


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


class Sampled(msgspec.Struct, frozen=True):
    """k independent samples, without bias: the chance that one of them is right; n problems."""

    k: int
    pass_at_k: float
    problems: int


class Cell(msgspec.Struct, frozen=True):
    """An answer to a problem: right or wrong, and the session to look at."""

    right: bool
    answer: str | None
    session: str
    tokens: int


class Report(msgspec.Struct, frozen=True):
    """The whole.

    Attributes:
        problems: labels of those that every run has finished, in the order of the dataset.
        scores: by budget, then method.
        samples: pass@k of the samples of the largest budget.
        grid: (method, budget) -> of each seed the cells, in the order of `problems`.
        methods, budgets, seeds: asked for.
        baseline: the method that others are compared with.
    """

    problems: list[str]
    scores: list[Score]
    samples: list[Sampled]
    grid: dict[str, list[list[Cell]]]
    methods: list[str]
    budgets: list[int]
    seeds: list[int]
    baseline: str

    def score(self, method: str, budget: int) -> Score:
        """The score of a method at a budget."""
        return next(s for s in self.scores if (s.method, s.budget) == (method, budget))


def key(method: str, budget: int) -> str:
    """The name of a column of the grid."""
    return f"{method} @ {budget}"


Found = dict[tuple[str, int, int], dict[str, tuple[str, Outcome]]]
"""(method, budget, seed) -> problem -> (session, outcome)."""


def report(
    store: Store,
    methods: Sequence[str],
    baseline: str,
    budgets: Sequence[int],
    runs: Sequence[Run],
) -> Report:
    """Read the outcomes of all runs, as far as they are finished.

    Raises:
        StoreError: a log cannot be read.
    """
    seeds = sorted({run.seed for run in runs})
    found = _read(store, methods, runs)
    wanted = [(name, budget, seed) for name in methods for budget in budgets for seed in seeds]
    complete = [one for one in wanted if found.get(one)]
    problems = _in_all([found[one] for one in complete])
    grid: dict[str, list[list[Cell]]] = {}
    shown: dict[tuple[str, int], list[list[Outcome]]] = {}
    for name in methods:
        for budget in budgets:
            of_seeds = [found.get((name, budget, seed)) for seed in seeds]
            if problems and all(of_seeds):
                told = [[one[label] for label in problems] for one in of_seeds if one]
                shown[name, budget] = [[outcome for _, outcome in row] for row in told]
                grid[key(name, budget)] = [
                    [Cell(o.right, o.answer, session, o.policy_tokens) for session, o in row]
                    for row in told
                ]
    return Report(
        problems,
        [_score(name, budget, shown, baseline) for budget in budgets for name in methods
         if (name, budget) in shown],
        _sampled(found, methods, budgets, seeds, problems),
        grid,
        list(methods),
        list(budgets),
        seeds,
        baseline,
    )  # fmt: skip


def _read(store: Store, methods: Sequence[str], runs: Sequence[Run]) -> Found:
    found: Found = {}
    for run in runs:
        shares = run.method.kind == "samples"
        readers = [m for m in map(contender, methods) if shares and m.kind == "samples"]
        readers = readers if shares else [run.method]
        for problem in store.batches.problems(run.batch):
            if problem.status != "done" or problem.session is None:
                continue
            log = store.events(problem.session)
            for reader in readers:
                for budget, outcome in zip(
                    run.budgets, outcomes(log, reader, run.budgets), strict=True
                ):
                    place = found.setdefault((reader.name, budget, run.seed), {})
                    place[problem.label] = problem.session, outcome
    return found


def _in_all(found: Sequence[Mapping[str, object]]) -> list[str]:
    if not found:
        return []
    return [label for label in found[0] if all(label in one for one in found)]


def _score(
    name: str,
    budget: int,
    shown: Mapping[tuple[str, int], list[list[Outcome]]],
    baseline: str,
) -> Score:
    rows = shown[name, budget]
    right = [[outcome.right for outcome in row] for row in rows]
    flat = [outcome for row in rows for outcome in row]
    n = len(rows[0])
    share = sum(map(sum, right)) / len(rows)
    low, high = wilson(share, n)
    base = shown.get((baseline, budget))
    difference, sentence = None, ""
    if base is not None and name != baseline:
        theirs = [[outcome.right for outcome in row] for row in base]
        difference = clustered_difference(right, theirs)
        sentence = _sentence(difference, contender(baseline).title, n)
    one = contender(name)
    return Score(
        name,
        one.title,
        budget,
        Interval(share / n, max(0.0, low), min(1.0, high)),
        [sum(row) / n for row in right],
        _mean([outcome.policy_tokens for outcome in flat]),
        _mean([outcome.prm_tokens for outcome in flat]),
        _mean([outcome.seconds for outcome in flat]),
        difference,
        sentence,
        one.oracle,
    )


def _sentence(difference: Interval, baseline: str, n: int) -> str:
    points, low, high = (
        100 * value for value in (difference.estimate, difference.low, difference.high)
    )
    found = "significant" if difference.excludes_zero else "not significant"
    interval = f"95 % CI {low:.1f} to {high:.1f}"
    return f"{points:+.1f} points to {baseline}, {interval}, n = {n}: {found}"


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
    if name is None or not problems or not budgets:
        return []
    drawn = [
        found[name, budgets[-1], seed][label][1]
        for seed in seeds
        for label in problems
        if (name, budgets[-1], seed) in found
    ]
    tables = []
    for k in _KS:
        enough = [one for one in drawn if one.samples >= k]
        if len(enough) == len(drawn) and drawn:  # with fewer the easy ones would be missing
            chances = [pass_at_k(one.samples, one.right_samples, k) for one in drawn]
            tables.append(Sampled(k, _mean(chances), len(problems)))
    return tables


def as_markdown(found: Report) -> str:
    """The scores as a table, and what is significant, in words."""
    head = ["method", *(f"{budget:,} tokens" for budget in found.budgets)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name in found.methods:
        cells = [contender(name).title]
        for budget in found.budgets:
            scores = [s for s in found.scores if (s.method, s.budget) == (name, budget)]
            cells.append(_cell(scores[0]) if scores else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sentences(found: Report) -> list[str]:
    """What holds, in words: of each method at each budget, and what the numbers mean."""
    told = [f"{s.title} at {s.budget:,}: {s.sentence}." for s in found.scores if s.sentence]
    if found.samples:
        chances = ", ".join(f"{one.k}: {100 * one.pass_at_k:.1f} %" for one in found.samples)
        told.append(f"Chance that one of k samples is right (pass@k, unbiased): {chances}.")
    asking = sorted({s.title for s in found.scores if s.oracle})
    if asking:
        told.append(f"{', '.join(asking)} asks the right answer while it searches.")
    seeds = ", ".join(map(str, found.seeds))
    told.append(
        f"n = {len(found.problems):,} problems, seeds {seeds}. Cells: % right [95 % CI] "
        f"(difference to {contender(found.baseline).title}), mean policy tokens of a problem."
    )
    told.append("Intervals are about problems, and not corrected for the number of comparisons.")
    return told


def _cell(score: Score) -> str:
    interval = score.accuracy
    text = f"{100 * interval.estimate:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    gap = score.difference
    if gap is not None:
        mark = "" if gap.excludes_zero else " n.s."
        text += f" ({100 * gap.estimate:+.1f}{mark})"
    return f"{text}, {score.policy_tokens:.0f}"


def as_csv(found: Report) -> str:
    """One row a method, budget, seed and problem."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["method", "budget", "seed", "problem", "right", "answer", "policy_tokens", "session"]
    )
    for name in found.methods:
        for budget in found.budgets:
            for seed, row in zip(found.seeds, found.grid.get(key(name, budget), []), strict=False):
                for label, cell in zip(found.problems, row, strict=True):
                    writer.writerow(
                        [name, budget, seed, label, int(cell.right), cell.answer or "",
                         cell.tokens, cell.session]
                    )  # fmt: skip
    return text.getvalue()
