"""Recipes side by side: accuracies, paired differences and what is significant. Pure functions.

Accuracies are shares in [0, 1] in the data and per cent in the text; intervals are at 95 %.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import msgspec

from engine.evaluation.statistics import Interval, accuracy, clustered_difference
from engine.training.verdict import Comparison, Steps

BEFORE = "before"


class Entry(msgspec.Struct, frozen=True):
    """A round of a recipe.

    Attributes:
        recipe, title: of the recipe.
        seed: of its series; number: of the round in it, from 1 on.
        round: its id.
        right: whether the policy that it made answers each held-out problem right.
        tokens: sampled by the policy in the pool; searches: how many of them.
        learnt: examples of the policy and of the process reward model.
        steps: of the solutions, or single steps, that the policy learnt from; None for pairs.
        guided: searches with the new values against the old ones, None where they did not learn.
        guided_tokens: that each of these could sample.
        seconds: of searching the pool and of training.
        warnings: in words.
    """

    recipe: str
    title: str
    seed: int
    number: int
    round: str
    right: list[bool]
    tokens: int
    searches: int
    learnt: dict[str, int]
    steps: Steps | None
    guided: Comparison | None
    guided_tokens: int | None
    seconds: dict[str, float]
    warnings: list[str]


class Difference(msgspec.Struct, frozen=True):
    """`recipe` minus `other` on the same problems, after round `number`.

    `other` is a recipe, `BEFORE`, or `recipe` itself: then it is the round before that one.
    `seeds`: the runs that it is pooled over, problem by problem.
    """

    recipe: str
    other: str
    number: int
    seeds: list[int]
    points: Interval


class Report(msgspec.Struct, frozen=True):
    """Everything that the table says.

    Attributes:
        setting: what was asked for, and versions.
        problems: labels of the held-out problems that everybody has answered.
        before: whether the models that the recipes begin with answer them right.
        entries: the rounds.
        differences: to before of every round, to the round before it, and between recipes after the
            same number of rounds.
    """

    setting: dict[str, Any]
    problems: list[str]
    before: list[bool]
    entries: list[Entry]
    differences: list[Difference]


def differences(before: Sequence[bool], entries: Sequence[Entry]) -> list[Difference]:
    """Of every round to before, a seed and pooled, to the round before it, and of recipes to each
    other.
    """
    found = [
        _difference(entry.recipe, BEFORE, entry.number, [entry.seed], [entry.right], [before])
        for entry in entries
    ]
    runs: dict[tuple[int, str], dict[int, list[bool]]] = {}
    for entry in entries:
        runs.setdefault((entry.number, entry.recipe), {})[entry.seed] = entry.right
    for (number, recipe), made in runs.items():
        if len(made) > 1:
            rights = list(made.values())
            every = [before] * len(rights)
            found.append(_difference(recipe, BEFORE, number, list(made), rights, every))
        if earlier := runs.get((number - 1, recipe)):
            shared = [seed for seed in made if seed in earlier]
            then = [earlier[seed] for seed in shared]
            found.append(
                _difference(recipe, recipe, number, shared, [made[one] for one in shared], then)
            )
    for (first, one), (second, other) in combinations(runs, 2):
        both = [seed for seed in runs[first, one] if seed in runs[second, other]]
        if first == second and both:
            rights = [runs[first, one][seed] for seed in both]
            others = [runs[second, other][seed] for seed in both]
            found.append(_difference(one, other, first, both, rights, others))
            if len(both) > 1:
                found += [
                    _difference(one, other, first, [seed], [mine], [theirs])
                    for seed, mine, theirs in zip(both, rights, others, strict=True)
                ]
    return found


def _difference(
    recipe: str,
    other: str,
    number: int,
    seeds: list[int],
    rights: Sequence[Sequence[bool]],
    others: Sequence[Sequence[bool]],
) -> Difference:
    points = clustered_difference(rights, others)
    return Difference(recipe, other, number, seeds, points)


def markdown(report: Report) -> str:
    """The tables and what they say."""
    titles = {entry.recipe: _title(entry) for entry in report.entries}
    parts = [
        _rounds(report),
        "Recipes against each other, paired by problem and pooled over the seeds of both:",
        _pairs(report, titles),
        *_guided(report.entries),
        _words(report, titles),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _rounds(report: Report) -> str:
    n = len(report.problems)
    head = (
        f"| recipe | seed | round | greedy, held-out, % [95 % CI], n = {n:,} | to before, points | "
        "policy tokens a pool problem | examples learnt from, all steps right | "
        "search + training, s |"
    )
    lines = [head, "| --- " * 8 + "|", f"| {BEFORE} | | | {_share(report.before)} | | | | |"]
    for entry in report.entries:
        (to_before,) = (
            one.points
            for one in report.differences
            if (one.recipe, one.other, one.number, one.seeds)
            == (entry.recipe, BEFORE, entry.number, [entry.seed])
        )
        each = entry.tokens / max(1, entry.searches)
        cells = [
            _title(entry),
            entry.seed,
            entry.number,
            _share(entry.right),
            _points(to_before),
            f"{each:,.0f}",
            _steps(entry),
            f"{entry.seconds['search']:,.0f} + {entry.seconds['training']:,.0f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _pairs(report: Report, titles: dict[str, str]) -> str:
    lines = [
        "| after round | recipe minus recipe | seeds | points [95 % CI] | |",
        "| --- " * 5 + "|",
    ]
    for one in sorted(_pooled(report), key=lambda one: one.number):
        if one.other == BEFORE and len(one.seeds) == 1:
            continue  # it is in the table of the rounds
        seeds = ", ".join(map(str, one.seeds))
        lines.append(
            f"| {one.number} | {titles[one.recipe]} - {_other(one, titles)} | {seeds} | "
            f"{_points(one.points)} | {_significance(one.points)} |"
        )
    return "\n".join(lines)


def _pooled(report: Report) -> list[Difference]:
    """Of each comparison the one over the most seeds."""
    most: dict[tuple[str, str, int], Difference] = {}
    for one in report.differences:
        key = one.recipe, one.other, one.number
        if key not in most or len(one.seeds) > len(most[key].seeds):
            most[key] = one
    return list(most.values())


def _other(one: Difference, titles: dict[str, str]) -> str:
    if one.other == BEFORE:
        return "the models before"
    return "itself a round before" if one.other == one.recipe else titles[one.other]


def _guided(entries: Iterable[Entry]) -> list[str]:
    lines = [
        f"- {_title(entry)}, seed {entry.seed}, round {entry.number}, {entry.guided_tokens:,} "
        f"tokens a problem: {100 * entry.guided.before.estimate:.1f} % -> "
        f"{100 * entry.guided.after.estimate:.1f} %, {entry.guided.sentence}."
        for entry in entries
        if entry.guided is not None
    ]
    if not lines:
        return []
    head = "MCTS\\* with the round's old policy, with its old and its new values, at equal tokens:"
    return [head, "\n".join(lines)]


def _words(report: Report, titles: dict[str, str]) -> str:
    """What is significant and what is not, after the last round that all recipes have done."""
    last = min(
        max(entry.number for entry in report.entries if entry.recipe == recipe) for recipe in titles
    )
    lines = {True: list[str](), False: list[str]()}
    for one in (one for one in _pooled(report) if one.number == last):
        other = _other(one, titles)
        points = one.points
        above = f"{titles[one.recipe]} over {other} ({100 * points.estimate:+z.1f})"
        below = f"{other} over {titles[one.recipe]} ({-100 * points.estimate:+z.1f})"
        upright = points.estimate >= 0 or one.other in (one.recipe, BEFORE)
        lines[points.excludes_zero].append(above if upright else below)
    said = [f"After round {last}, the 95 % interval excludes 0 for: {_list(lines[True])}."]
    said.append(f"It does not, so that nothing is shown, for: {_list(lines[False])}.")
    seeds = sorted({entry.seed for entry in report.entries})
    runs = "one run" if len(seeds) == 1 else f"at most {len(seeds)} runs"
    said.append(
        f"The intervals are about problems: they hold for these trained models ({runs} a recipe); "
        "how much another seed would change a recipe is not in them. They are not corrected for "
        "the number of comparisons."
    )
    return " ".join(said)


def _title(entry: Entry) -> str:
    return entry.title.replace("*", r"\*")


def _list(items: Sequence[str]) -> str:
    return "; ".join(items) or "none"


def _share(right: Sequence[bool]) -> str:
    found = accuracy(right)
    return f"{100 * found.estimate:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _points(found: Interval) -> str:
    return f"{100 * found.estimate:+z.1f} [{100 * found.low:z.1f}, {100 * found.high:z.1f}]"


def _significance(found: Interval) -> str:
    return "significant" if found.excludes_zero else "not significant"


def _steps(entry: Entry) -> str:
    if entry.steps is None or not entry.steps.checked:
        learnt = entry.learnt.get("policy", 0)
        return f"{learnt:,} pairs" if learnt else "nothing"
    steps = entry.steps
    return f"{steps.solutions:,}, {steps.right:,} ({100 * steps.right / steps.checked:.0f} %)"
