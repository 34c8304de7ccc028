"""Verifiers side by side on the same solutions."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from engine.evaluation.statistics import Interval, accuracy, paired_difference
from engine.models.base import NO_USAGE, Usage
from engine.verifiers.verifying import Group, Verifier, ranking_quality, verify_all


class Row(msgspec.Struct, frozen=True):
    """One verifier.

    Attributes:
        name: of it.
        right: for each problem whether the answer that it believes is right.
        ranking: for each problem the share of pairs in right order, None where all of its
            solutions are right, or wrong; see `engine.verifiers.verifying.ranking_quality`.
        usage: what models did for it.
        seconds: it took for all problems.
    """

    name: str
    right: list[bool]
    ranking: list[float | None]
    usage: Usage
    seconds: float


def compare(
    groups: Sequence[Group], verifiers: Mapping[str, Verifier], forget: Callable[[], None]
) -> list[Row]:
    """Every verifier on the solutions of every problem, in the order they are given.

    Args:
        groups: the solutions of each problem.
        verifiers: by name.
        forget: makes models forget what they have read; called before each verifier, so that
            none profits from another.

    Raises:
        LabError: a verifier cannot score a solution; see the verifiers.
    """
    rows = []
    for name, verifier in verifiers.items():
        forget()
        began = time.perf_counter()
        found = verify_all(groups, verifier)
        seconds = time.perf_counter() - began
        rows.append(
            Row(
                name,
                [
                    one.chosen is not None and group[one.chosen].correct is True
                    for group, one in zip(groups, found, strict=True)
                ],
                [ranking_quality(g, one.scores) for g, one in zip(groups, found, strict=True)],
                sum((one.usage for one in found), NO_USAGE),
                seconds,
            )
        )
    return rows


def table(rows: Sequence[Row], baseline: str) -> str:
    """Markdown: share right with its 95 % interval, the paired difference to the verifier
    `baseline`, ranking quality, and tokens read for a problem.
    """
    first = next(row for row in rows if row.name == baseline)
    head = ["verifier", "right, % [95 % CI]", f"minus {baseline}", "pairs in order, %", "tokens"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        share = accuracy(row.right)
        gap = "" if row is first else _points(paired_difference(row.right, first.right))
        pairs = [one for one in row.ranking if one is not None]
        order = f"{100 * statistics.fmean(pairs):.1f}" if pairs else ""
        cells = [
            row.name,
            f"{100 * share.estimate:.1f} [{100 * share.low:.1f}, {100 * share.high:.1f}]",
            gap,
            order,
            f"{row.usage.forwarded / len(row.right):.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _points(gap: Interval) -> str:
    points, low, high = (100 * one for one in (gap.estimate, gap.low, gap.high))
    text = f"{points:+z.1f} [{low:z.1f}, {high:z.1f}]"
    return text if gap.excludes_zero else f"{text} n.s."
