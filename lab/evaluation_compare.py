"""Two evaluations side by side, on the problems, methods and budgets that both have."""

import msgspec
import numpy as np

from engine.evaluation.contenders import contender
from engine.evaluation.difficulty import plain
from engine.evaluation.statistics import Interval, clustered_difference
from lab.evaluation_report import Report, key, share


class Compared(msgspec.Struct, frozen=True):
    """A method at a budget in both: accuracies, and the other one's minus the first one's, paired
    by problem.
    """

    method: str
    title: str
    budget: int
    one: Interval
    other: Interval
    difference: Interval


class Comparison(msgspec.Struct, frozen=True):
    """Two evaluations: how many problems both have, and what both did with them."""

    problems: int
    rows: list[Compared]


def compare(one: Report, other: Report) -> Comparison:
    """Paired differences; problems are the same if their questions are."""
    there = {plain(question): place for place, question in enumerate(other.questions)}
    pairs = [
        (place, there[plain(question)])
        for place, question in enumerate(one.questions)
        if plain(question) in there
    ]
    if not pairs:
        return Comparison(0, [])
    rows = []
    for budget in one.budgets:
        for method in one.methods:
            place = key(method, budget)
            if place in one.grid and place in other.grid:
                first = _shares(one, place, [mine for mine, _ in pairs])
                second = _shares(other, place, [theirs for _, theirs in pairs])
                rows.append(_compared(method, budget, first, second))
    return Comparison(len(pairs), rows)


def _shares(found: Report, place: str, problems: list[int]) -> list[float]:
    """Of each problem the share of runs that solved it."""
    right = np.array([[cell.right for cell in row] for row in found.grid[place]], dtype=float)
    shares: list[float] = right.mean(axis=0)[problems].tolist()
    return shares


def _compared(method: str, budget: int, first: list[float], second: list[float]) -> Compared:
    return Compared(
        method,
        contender(method).title,
        budget,
        share(sum(first), len(first)),
        share(sum(second), len(second)),
        clustered_difference([second], [first]),
    )
