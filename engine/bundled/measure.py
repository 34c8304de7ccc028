"""Look at a pair of bundled models closely: form, accuracy, and how well the PRM judges each line.

    python -m engine.bundled.measure --models DIR --split dev --count 100

Search methods are compared by `python -m engine.evaluation`; this looks at what they are made of.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch starts its threads

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast

from engine.bundled.prm_corpus import label
from engine.bundled.sampling import Trace, sample_traces
from engine.bundled.train_prm import OUTPUTS, Prm
from engine.tasks.stories import StepCheck, Story, check_steps, recognise

PROBLEMS = Path(__file__).parents[2] / "assets" / "problems"


def load_policy(directory: Path) -> LlamaForCausalLM:
    """The body of a bundled model, in fp32."""
    model: LlamaForCausalLM = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32)
    model.train(False)
    return model


def load_prm(directory: Path) -> Prm:
    """A bundled PRM: body and head."""
    weights = load_file(directory / "value_head.safetensors")
    head = nn.Linear(weights["weight"].shape[1], len(OUTPUTS))
    head.load_state_dict(weights)
    return Prm(load_policy(directory), head)


def load_stories(split: str, count: int) -> list[Story]:
    """The first problems of a published file, equally many of 3 to 7 steps, as stories."""
    lines = (PROBLEMS / f"stories-{split}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    stories = [recognise(json.loads(line)["content"]).story for line in lines]
    return [story for story in stories if story is not None]


def judged_lines(
    prm: Prm, tokenizer: PreTrainedTokenizerFast, story: Story, trace: Trace
) -> Iterator[tuple[list[float], StepCheck, bool]]:
    """Of every line: the PRM's (v, prefix, step), the oracle's, whether all before it is right."""
    row = label(tokenizer, story, trace.steps)
    where = torch.tensor([(0, end) for end in row.ends])
    with torch.inference_mode():
        outputs = prm.logits(torch.tensor([row.ids]), where).sigmoid().tolist()
    right = True
    for values, check in zip(outputs, check_steps(story, trace.steps), strict=True):
        yield values, check, right
        right = check.prefix_right


def prm_quality(
    prm: Prm,
    tokenizer: PreTrainedTokenizerFast,
    pairs: Sequence[tuple[Story, Trace]],
) -> dict[str, float]:
    """How well the PRM judges the lines of traces.

    AUC is the area under the ROC curve; "after a right prefix" counts the lines whose predecessors
    are all right, where a search has to choose.
    """
    rows = [row for story, trace in pairs for row in judged_lines(prm, tokenizer, story, trace)]
    fresh = [(values, check) for values, check, before in rows if before]
    wrong = [values[1] > 0.5 for values, check in fresh if not check.prefix_right]
    right = [values[1] < 0.5 for values, check in fresh if check.prefix_right]
    return {
        "lines": float(len(rows)),
        "step AUC": auc([(v[2], c.step_right) for v, c, _ in rows]),
        "prefix AUC": auc([(v[1], c.prefix_right) for v, c, _ in rows]),
        "prefix AUC after a right prefix": auc([(v[1], c.prefix_right) for v, c in fresh]),
        "first wrong lines taken for right (prefix > 0.5)": statistics.fmean(wrong),
        "right lines taken for wrong (prefix < 0.5)": statistics.fmean(right),
        "mean absolute error of v": statistics.fmean(abs(v[0] - c.v) for v, c, _ in rows),
    }


def auc(rows: Sequence[tuple[float, bool]]) -> float:
    """Chance that a positive scores above a negative, ties half."""
    ranked = sorted(rows, key=lambda row: row[0])
    wins = below = 0.0
    at = 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        positives = sum(right for _, right in ranked[at:end])
        negatives = end - at - positives
        wins += positives * (below + negatives / 2)
        below += negatives
        at = end
    positive = sum(right for _, right in ranked)
    return wins / max(1.0, positive * (len(ranked) - positive))


def measure(models: Path, stories: Sequence[Story], samples: int, seed: int) -> dict[str, float]:
    """Shares of solutions of the right form, with the right answer and with every line right, and
    the PRM's quality on the same sampled traces.
    """
    tokenizer: Any = AutoTokenizer.from_pretrained(models / "tiny-policy")
    policy, prm = load_policy(models / "tiny-policy"), load_prm(models / "tiny-prm")
    asked = [story for story in stories for _ in range(samples)]
    pairs = list(zip(asked, sample_traces(policy, tokenizer, asked, seed), strict=True))
    solved = [trace.answer == str(story.answer) for story, trace in pairs]
    faultless = [
        trace.whole
        and len(trace.steps) == story.lines
        and check_steps(story, trace.steps)[-1].prefix_right
        for story, trace in pairs
    ]
    return {
        "traces": float(len(pairs)),
        "of the right form": statistics.fmean(trace.answer is not None for _, trace in pairs),
        "with the right answer": statistics.fmean(solved),
        "with every line right": statistics.fmean(faultless),
        **prm_quality(prm, tokenizer, pairs),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure the models named on the command line and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m engine.bundled.measure", description=__doc__)
    parser.add_argument("--models", type=Path, default=PROBLEMS.parent / "models")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    stories = load_stories(options.split, options.count)
    figures = measure(options.models, stories, options.samples, options.seed)
    for name, value in figures.items():
        print(f"{name:50} {value:.4f}")


if __name__ == "__main__":
    main()
