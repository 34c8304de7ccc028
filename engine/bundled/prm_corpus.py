"""Training data of the PRM: labelled solutions, right and wrong, in groups about one problem.

A group holds solutions of one story that share beginnings and part at a step where one is right and
the other wrong, so that the difficulty of a problem, or a phrase, is no short cut to a verdict. The
labels are the oracle's (`check_steps`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from engine.bundled.corpus import written
from engine.bundled.sampling import Trace
from engine.tasks.stories import (
    LIMIT,
    MAX_EVENTS,
    MIN_EVENTS,
    Story,
    answer_line,
    check_steps,
    compute,
    demonstrate,
    restated,
)
from engine.tasks.story_words import PHRASES, TIERS

READINGS = sorted({p.true for p in PHRASES} | {p.misread for p in PHRASES})

MIXES: dict[str, dict[str, int]] = {
    "misreadings": {
        "misread": 55, "reading": 12, "slip": 15, "start": 8, "event": 8, "early": 2,
    },
    "slips": {
        "misread": 30, "reading": 6, "slip": 22, "number": 32, "start": 6, "event": 3, "early": 1,
    },
}  # fmt: skip
"""Kinds of wrong line and their weights, by stage of the training; see `wrong_line`."""

AFTER_WRONG = 0.4
"""Weight of the lines after the first wrong one, whose verdict is settled."""


@dataclass(frozen=True)
class Labelled:
    """One solution: token ids, indices of its closing newlines, and per line the labels
    (v, prefix right, step right) and a weight.
    """

    ids: list[int]
    ends: list[int]
    labels: list[tuple[float, float, float]]
    weights: list[float]


@dataclass(frozen=True)
class PrmBatch:
    """`ids` [rows, length]; `where` [lines, 2] (row, column) of each closing newline; `labels`
    [lines, 3] in [0, 1]: v, prefix, step; `weights` [lines].
    """

    ids: Tensor
    where: Tensor
    labels: Tensor
    weights: Tensor


def label(tokenizer: PreTrainedTokenizerFast, story: Story, steps: Sequence[str]) -> Labelled:
    """A solution with the oracle's labels."""
    prompt, lines = written(story, steps)
    before, *parts = tokenizer([prompt, *lines], add_special_tokens=False)["input_ids"]
    ids, ends = list(before), []
    for part in parts:
        ids += part
        ends.append(len(ids) - 1)
    checks = check_steps(story, steps)
    labels = [(c.v, float(c.prefix_right), float(c.step_right)) for c in checks]
    settled = [k > 0 and not checks[k - 1].prefix_right for k in range(len(checks))]
    return Labelled(ids, ends, labels, [AFTER_WRONG if s else 1.0 for s in settled])


def value_after(line: str) -> int | None:
    """The last number of a line: the value that the next line starts from."""
    found = re.search(r"(\d+)\D*\Z", line)
    return int(found[1]) if found else None


def wrong_line(
    rng: random.Random, story: Story, k: int, value: int, mix: str = "misreadings"
) -> str | None:
    """A wrong line for event `k` (or the answer, if `k` is past the events) at `value`.

    `misread`: the phrase's misreading; `reading`: another reading; `slip`: a wrong result;
    `number`: calculated with a number that is not the event's; `start`: from a wrong value;
    `event`: another event; `early`: an answer too soon. None where the drawn kind is impossible or
    happens to be right.
    """
    if k == len(story.events):
        return answer_line(_slip(rng, value))
    right = story.line(k, value)
    kind = rng.choices(list(MIXES[mix]), list(MIXES[mix].values()))[0]
    line: str | None
    if kind == "misread":
        line = story.line(k, value, story.events[k].phrase.misread)
    elif kind == "reading":
        line = story.line(k, value, rng.choice(READINGS))
    elif kind == "number":
        line = _with_another_number(rng, story, k, value)
    elif kind == "start":
        line = story.line(k, rng.choice([story.start, *story.states(), _slip(rng, value)]))
    elif kind == "event":
        other = rng.randrange(len(story.events))
        line = story.line(other, value)
        if line is not None and rng.random() < 0.5:
            line = re.sub(r"\A\d+", str(k + 2), line)
    elif kind == "early":
        line = answer_line(value)
    else:
        head, _, last = (right or "").rpartition(" ")
        line = f"{head} {_slip(rng, int(last))}" if right else None
    return None if line == right else line


def _with_another_number(rng: random.Random, story: Story, k: int, value: int) -> str | None:
    """The right line of event `k`, but calculated with another `n` or `m` than it restates."""
    event = story.events[k]
    numbers = {"n": event.n, "m": event.m}
    used = [name for name in numbers if f"{{{name}}}" in event.phrase.text]
    if not used:
        return None
    name = rng.choice(used)
    others = [x for e in story.events for x in (e.n, e.m) if x]
    near = max(1, numbers[name] + rng.choice((-10, -3, -2, -1, 1, 2, 3, 10)))
    numbers[name] = rng.choice(others) if rng.random() < 0.3 else near
    step = compute(event.phrase.true, value, numbers["n"], numbers["m"])
    return None if step is None else f"{k + 2}. {restated(event.text)}: {step[0]}"


def _slip(rng: random.Random, value: int) -> int:
    moved = value + rng.choice((-20, -10, -10, -9, -3, -2, -1, -1, 1, 1, 2, 3, 9, 10, 10, 20))
    return moved if 0 <= moved <= LIMIT and moved != value else (value + 7) % (LIMIT + 1)


def _continued(
    rng: random.Random, story: Story, steps: list[str], wrong: float, mix: str
) -> list[str]:
    """`steps` continued to the end; each further line is wrong with probability `wrong`."""
    steps = list(steps)
    value = value_after(steps[-1]) if steps else story.start
    for k in range(len(steps), story.lines):
        if value is None:
            break
        line = wrong_line(rng, story, k, value, mix) if rng.random() < wrong else None
        if line is None:
            line = story.line(k, value) if k < len(story.events) else answer_line(value)
        if line is None:
            break
        steps.append(line)
        value = value_after(line)
    return steps


def group(
    rng: random.Random, story: Story, given: Sequence[str] = (), mix: str = "misreadings"
) -> list[list[str]]:
    """Solutions of one story: `given` (or one made up), then siblings that part from it.

    The chance of a wrong line is drawn per story, whatever its phrases.
    """
    rate = rng.choice((0.0, 0.1, 0.2, 0.4))
    first = list(given) if given else _continued(rng, story, [], rate, mix)
    solutions = [first]
    truth = story.solution()
    parting = next((k for k, (a, b) in enumerate(zip(first, truth, strict=False)) if a != b), None)
    if parting is not None:
        # The right line where the first solution goes wrong, and right on to the end.
        solutions.append(truth if rng.random() < 0.5 else truth[: parting + 1])
    at = rng.randrange(story.lines if parting is None else parting + 1)
    line = wrong_line(rng, story, at, story.states()[min(at, len(story.events))], mix)
    if line is not None:
        solutions.append(_continued(rng, story, [*truth[:at], line], rng.choice((0.0, 0.2)), mix))
    return solutions


def drawn_story(rng: random.Random) -> Story:
    """A story of the train split; half of the time every phrase is equally likely."""
    events = rng.randint(MIN_EVENTS, MAX_EVENTS) if rng.random() < 0.9 else rng.randint(1, 2)
    no_misreading = dict.fromkeys(TIERS, 0.0)
    return demonstrate(rng, events, "train", no_misreading, balanced=rng.random() < 0.5).story


def prm_batches(
    seed: int,
    tokenizer: PreTrainedTokenizerFast,
    sampled: Sequence[tuple[Story, Trace]],
    budget: int,
    per_batch: int,
    mix: str = "misreadings",
) -> Iterator[tuple[PrmBatch, float]]:
    """Batches until `budget` tokens are spent: (batch, progress). The policy
    traces are spread evenly over the budget; the other groups are made up.
    """
    rng = random.Random(f"prm-corpus-{seed}" + ("" if mix == "misreadings" else mix))
    spent, used = 0, 0
    while spent < budget:
        rows: list[Labelled] = []
        while len(rows) < 256:
            due = int(len(sampled) * spent / budget) + 64
            if used < min(due, len(sampled)):
                story, trace = sampled[used]
                used += 1
                solutions = group(rng, story, trace.steps, mix)
            else:
                story = drawn_story(rng)
                solutions = group(rng, story, (), mix)
            rows += [label(tokenizer, story, steps) for steps in solutions if steps]
        rows.sort(key=lambda row: len(row.ids))
        made = []
        while rows:
            count = max(1, per_batch // len(rows[-1].ids))
            made.append(_collate(rows[-count:], tokenizer.pad_token_id))
            del rows[-count:]
        rng.shuffle(made)
        for batch in made:
            if spent >= budget:
                return
            yield batch, spent / budget
            spent += batch.ids.numel()


def _collate(rows: Sequence[Labelled], pad: int) -> PrmBatch:
    length = max(len(row.ids) for row in rows)
    return PrmBatch(
        ids=torch.tensor([row.ids + [pad] * (length - len(row.ids)) for row in rows]),
        where=torch.tensor([(i, end) for i, row in enumerate(rows) for end in row.ends]),
        labels=torch.tensor([one for row in rows for one in row.labels]),
        weights=torch.tensor([one for row in rows for one in row.weights]),
    )
