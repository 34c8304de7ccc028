"""A figure: the median of its repetitions, their spread, and the goal it is measured against."""

import statistics
from collections.abc import Callable, Iterable, Sequence

import msgspec

from lab import render, terminal


class Figure(msgspec.Struct, frozen=True):
    """Median of the repetitions, with the smallest and the largest.

    goal: "at most 1.05" or "at least 6", "" without one; met: whether the median keeps it.
    """

    name: str
    unit: str
    median: float
    smallest: float
    largest: float
    goal: str = ""
    met: bool | None = None


def summarise(
    name: str,
    unit: str,
    values: Sequence[float],
    at_most: float | None = None,
    at_least: float | None = None,
) -> Figure:
    """A figure of its repetitions, with a goal if one is given."""
    median = statistics.median(values)
    spread = median, min(values), max(values)
    if at_most is not None:
        return Figure(name, unit, *spread, f"at most {at_most:g}", median <= at_most)
    if at_least is not None:
        return Figure(name, unit, *spread, f"at least {at_least:g}", median >= at_least)
    return Figure(name, unit, *spread)


def repeat(name: str, unit: str, times: int, measure: Callable[[], float]) -> Figure:
    """Median and spread of a measurement."""
    return summarise(name, unit, [measure() for _ in range(times)])


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below `share` of the values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def show(title: str, rows: Iterable[Figure]) -> None:
    """Print a table of figures."""
    columns = [("figure", "left"), ("median", "right"), ("from", "right"), ("to", "right")]
    out = terminal.out()
    out.print(f"\n{title}", highlight=False)
    out.print(
        render.table(
            [*columns, ("unit", "left"), ("goal", "left"), ("", "left")],
            [
                (
                    row.name,
                    *map(number, (row.median, row.smallest, row.largest)),
                    row.unit,
                    row.goal,
                    {True: "met", False: "missed", None: ""}[row.met],
                )
                for row in rows
            ],
        )
    )


def number(value: float) -> str:
    """Three digits, or all of a larger whole part."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
