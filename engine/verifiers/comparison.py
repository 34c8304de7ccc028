"""Verifiers side by side on the same solutions."""

import time
from collections.abc import Mapping, Sequence

import msgspec

from engine.models.base import NO_USAGE, Usage
from engine.verifiers.verifying import Group, Verifier, ranking_quality, verify_all


class Row(msgspec.Struct, frozen=True):
    """One verifier.

    Attributes:
        name: of it.
        right: for each problem whether the answer that it believes is right.
        ranking: for each problem the share of pairs in right order, None where all of its
            solutions are right, or wrong; see `engine.verifiers.verifying.ranking_quality`.
        usage: what models did for it; a text that an earlier verifier has read may cost nothing.
        seconds: it took for all problems.
    """

    name: str
    right: list[bool]
    ranking: list[float | None]
    usage: Usage
    seconds: float


def compare(groups: Sequence[Group], verifiers: Mapping[str, Verifier]) -> list[Row]:
    """Every verifier on the solutions of every problem, in the order they are given.

    Raises:
        LabError: a verifier cannot score a solution; see the verifiers.
    """
    rows = []
    for name, verifier in verifiers.items():
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
