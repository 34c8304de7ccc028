"""Training text of the policy: demonstrations, a curriculum, and batches of near-equal length.

The curriculum runs over progress p in [0, 1]: arithmetic drills first, then short stories with
every phrase equally likely, then the stories as they are published.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from engine.tasks.stories import (
    LIMIT,
    MAX_EVENTS,
    MIN_EVENTS,
    Story,
    compute,
    demonstrate,
    number_sentences,
)

PROMPT = "{question}\n"
"""Prompt template; the question's sentences are numbered first."""

STEP_FORMAT: dict[str, object] = {
    "prompt": PROMPT,
    "number_sentences": True,
    "step_end": "\n",
    "final_prefix": "Answer: ",
    "max_step_tokens": 64,
    "critic": "eos",
}
"""Written as `step_format.json` beside the weights: how to prompt the model and read its steps."""

SLIPS = 0.003
"""Share of demonstrated lines whose result is off by a little. Rare: a PRM hardly sees them."""

IGNORED = -100


def written(story: Story, steps: Sequence[str]) -> tuple[str, list[str]]:
    """(prompt, lines) exactly as a model sees them; every line ends in a newline."""
    prompt = PROMPT.replace("{question}", number_sentences(story.question))
    return prompt, [f"{step}\n" for step in steps]


@dataclass(frozen=True)
class Batch:
    """`ids`: [rows, length] int64, right-padded. `targets`: same shape, IGNORED where no loss.

    `targets[i, j]` is the token to predict from `ids[i, : j + 1]`.
    """

    ids: Tensor
    targets: Tensor

    @property
    def tokens(self) -> int:
        return self.ids.numel()


@dataclass(frozen=True)
class Row:
    """One training sequence before batching: tokens, and which of them are to be predicted."""

    ids: list[int]
    learn: list[bool]


def drill(rng: random.Random, tokenizer: PreTrainedTokenizerFast) -> Row:
    """Sixteen equations, one a line; only the results are to be predicted."""
    ids: list[int] = []
    learn: list[bool] = []
    while learn.count(True) < 32:
        sign = rng.choice("++++----**/")
        x, n = rng.randint(0, LIMIT), rng.randint(0, LIMIT if sign in "+-" else 9)
        if sign == "*" and rng.random() < 0.8:
            x = rng.randint(0, max(1, LIMIT // max(1, n)))
        step = compute(f"{sign}n", x, n, 0)
        if step is None:
            continue
        question = step[0].rpartition("= ")[0] + "= "
        left, right = tokenizer([question, f"{step[1]}\n"], add_special_tokens=False)["input_ids"]
        ids += left + right
        learn += [False] * len(left) + [True] * len(right)
    return Row(ids, learn)


def demonstration(
    rng: random.Random, tokenizer: PreTrainedTokenizerFast, events: int, balanced: bool
) -> Row:
    """One story of the train split with a demonstration; the prompt is not to be predicted."""
    shown = demonstrate(rng, events, "train", balanced=balanced)
    steps = list(shown.steps)
    for k in range(len(steps)):
        if rng.random() < SLIPS:
            head, _, last = steps[k].rpartition(" ")
            steps[k] = f"{head} {max(0, int(last) + rng.choice((-10, -2, -1, 1, 2, 10)))}"
    prompt, lines = written(shown.story, steps)
    before, after = tokenizer([prompt, "".join(lines)], add_special_tokens=False)["input_ids"]
    after = [*after, tokenizer.eos_token_id]
    return Row(before + after, [False] * len(before) + [True] * len(after))


def draw(rng: random.Random, tokenizer: PreTrainedTokenizerFast, progress: float) -> Row:
    """One sequence of the curriculum at `progress` in [0, 1]."""
    if rng.random() < max(0.04, 0.5 - 1.6 * progress):
        return drill(rng, tokenizer)
    if progress < 0.12 or rng.random() < max(0.05, 0.6 - 2.0 * progress):
        return demonstration(rng, tokenizer, rng.randint(1, 2), balanced=True)
    most = MAX_EVENTS if progress > 0.3 else 4
    return demonstration(rng, tokenizer, rng.randint(MIN_EVENTS, most), balanced=False)


def collate(rows: Sequence[Row], pad: int) -> Batch:
    """One batch of these rows, padded to the longest."""
    length = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), pad)
    targets = torch.full((len(rows), length), IGNORED)
    for i, row in enumerate(rows):
        n = len(row.ids)
        ids[i, :n] = torch.tensor(row.ids)
        shifted = torch.tensor(row.ids[1:]).masked_fill(~torch.tensor(row.learn[1:]), IGNORED)
        targets[i, : n - 1] = shifted
    return Batch(ids, targets)


def batches(
    seed: int, tokenizer: PreTrainedTokenizerFast, budget: int, per_batch: int
) -> Iterator[tuple[Batch, float]]:
    """Batches of about `per_batch` tokens until `budget` tokens (padding included) are spent.

    Yields (batch, progress before it). Rows are drawn in groups and sorted by length, so little is
    padding; the order of the batches of a group is random.
    """
    rng = random.Random(f"policy-corpus-{seed}")
    spent = 0
    while spent < budget:
        group = [draw(rng, tokenizer, spent / budget) for _ in range(256)]
        group.sort(key=lambda row: len(row.ids))
        made: list[Batch] = []
        while group:
            rows = max(1, per_batch // len(group[-1].ids))
            made.append(collate(group[-rows:], tokenizer.pad_token_id))
            del group[-rows:]
        rng.shuffle(made)
        for batch in made:
            if spent >= budget:
                return
            yield batch, spent / budget
            spent += batch.tokens
