"""The published problem files, one JSON object a line, from fixed seeds."""

from __future__ import annotations

import json
import random
from collections.abc import Collection
from pathlib import Path

from engine.tasks.problems import bundled_files, bundled_problems
from engine.tasks.stories import MAX_EVENTS, MIN_EVENTS, Story, generate, split_of

COUNTS: dict[str, int] = {"train": 600, "dev": 500, "pool": 2000, "heldout": 2000}
"""Problems per split, equally many of each number of events. `train` is only a sample."""


LEFT_OUT = frozenset({"packs", "each", "daily"})
"""Phrases that no published problem uses: they take a product of two numbers ("He gets 5 a day for
6 days."), which the bundled policy saw too rarely to calculate well. What it gets wrong there are
slips, which the PRM cannot see, not misreadings."""


def draw_problems(
    split: str, count: int, series: str = "", without: Collection[str] = ()
) -> list[dict[str, object]]:
    """`count` different problems of a split as they are written, 3, 4, ... 7, 3, ... events.

    Names and things are real words: people read these.

    Args:
        split: which stories are drawn; a story is of one split only.
        count: how many.
        series: of other problems than the published ones.
        without: questions that are left out.
    """
    rng = random.Random(f"problems-{split}{series}")
    kinds = range(MIN_EVENTS, MAX_EVENTS + 1)
    seen: set[object] = set()
    rows: list[dict[str, object]] = []
    while len(rows) < count:
        story = generate(rng, kinds[len(rows) % len(kinds)], split, invented=0.0)
        content = (story.start, *((e.phrase.id, e.n, e.m) for e in story.events))
        if content in seen or story.question in without:
            continue
        if not any(e.phrase.id in LEFT_OUT for e in story.events):
            seen.add(content)
            rows.append(row(story, f"stories-{split}{series}-{len(rows):04d}"))
    return rows


def row(story: Story, name: str) -> dict[str, object]:
    """`answer` is the number as text; `steps` is the number of events."""
    return {
        "id": name,
        "content": story.question,
        "answer": str(story.answer),
        "steps": len(story.events),
        "family": "stories",
        "split": split_of(story),
    }


def write_new_problems(file: Path, count: int, series: str) -> str:
    """Write held-out problems that no published file has, if the file does not hold them already.

    Returns:
        The file, as data sets are named.
    """
    published = {problem.content for name in bundled_files() for problem in bundled_problems(name)}
    rows = draw_problems("heldout", count, series, published)
    text = "".join(json.dumps(one) + "\n" for one in rows)
    if not file.exists() or file.read_text("ascii") != text:
        file.write_text(text, "ascii")
    return str(file)


def write_problems(directory: Path) -> None:
    """Write `stories-<split>.jsonl` for every split."""
    directory.mkdir(parents=True, exist_ok=True)
    for split, count in COUNTS.items():
        lines = [json.dumps(one) + "\n" for one in draw_problems(split, count)]
        (directory / f"stories-{split}.jsonl").write_text("".join(lines))
