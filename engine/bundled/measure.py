"""Measure a pair of bundled models: sampling, beam and MCTS* at equal generated policy tokens.

    python -m engine.bundled.measure --models DIR --split heldout --count 500 --json FILE

A problem's budget is what its 16 samples took. All methods draw at temperature 1 but greedy.
Intervals: Wilson for a share, paired normal for a difference, both 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch starts its threads

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import AutoTokenizer, LlamaForCausalLM

from engine.bundled.lockstep import Lockstep, Run
from engine.bundled.sampling import Trace, sample_traces
from engine.bundled.train_prm import OUTPUTS, Prm
from engine.evaluation.statistics import wilson
from engine.search.registry import algorithm, validate
from engine.tasks.stories import Story, check_steps, recognise

SAMPLES = 16
PROBLEMS = Path(__file__).parents[2] / "assets" / "problems"
Scores = dict[str, list[float]]
"""Method -> 1.0 or 0.0 (for pass@1: a share) per problem."""

MCTS_STAR: dict[str, object] = {
    "branch": 3,
    "exploration_constant": 0.1,
    "alpha": 0.5,
    "roll_forward_steps": 2,
    "max_expansions": 6,
    "min_gain": 0.05,
}
"""MCTS* parameters for the bundled models, chosen on the dev split; the rest are the defaults."""

BEAM: dict[str, object] = {"width": 2, "branch": 8}


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
    lines = (PROBLEMS / f"stories-{split}.jsonl").read_text().splitlines()[:count]
    stories = [recognise(json.loads(line)["content"]).story for line in lines]
    return [story for story in stories if story is not None]


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    """Mean of a - b and its 95 % interval."""
    gaps = [x - y for x, y in zip(a, b, strict=True)]
    middle, spread = statistics.fmean(gaps), 1.96 * statistics.stdev(gaps) / math.sqrt(len(gaps))
    return middle, middle - spread, middle + spread


RATINGS: dict[str, Callable[[list[list[float]]], float]] = {
    "v of the answer line": lambda lines: lines[-1][0],
    "prefix of the answer line": lambda lines: lines[-1][1],
    "least prefix": lambda lines: min(line[1] for line in lines),
    "product of steps": lambda lines: math.prod(line[2] for line in lines),
}
"""How the PRM's outputs (v, prefix, step) at each line of a solution become one value."""


def _vote(answers: Sequence[tuple[str | None, float]]) -> str | None:
    weights: dict[str, float] = defaultdict(float)
    for answer, weight in answers:
        if answer is not None:
            weights[answer] += weight
    return max(weights, key=lambda a: weights[a]) if weights else None


def score_samples(
    bench: Lockstep, stories: Sequence[Story], traces: Sequence[Sequence[Trace]]
) -> Scores:
    """Sampling methods, from the same 16 traces a problem."""
    scores: Scores = defaultdict(list)
    lines = {
        (story.question, trace): tuple(f"{step}\n" for step in trace.steps)
        for story, group in zip(stories, traces, strict=True)
        for trace in group
    }
    bench.value(
        (story, lines[story.question, trace])
        for story, group in zip(stories, traces, strict=True)
        for trace in group
    )
    for story, group in zip(stories, traces, strict=True):
        gold = str(story.answer)
        answers = [trace.answer for trace in group]
        scores["majority@16"].append(float(_vote([(a, 1.0) for a in answers]) == gold))
        values = []
        for trace in group:
            steps = lines[story.question, trace]
            values.append([bench.known(story, steps[: k + 1]) for k in range(len(steps))])
        for name, rate in RATINGS.items():
            rated = [(a, rate(v)) for a, v in zip(answers, values, strict=True) if a is not None]
            best = max(rated, key=lambda x: x[1])[0] if rated else None
            scores[f"best-of-16, {name}"].append(float(best == gold))
            scores[f"vote, {name}"].append(float(_vote(rated) == gold))
        scores["pass@1"].append(statistics.fmean(float(a == gold) for a in answers))
        scores["pass@16"].append(float(gold in answers))
        scores["form right"].append(statistics.fmean(float(a is not None) for a in answers))
    return scores


def prm_quality(
    bench: Lockstep, stories: Sequence[Story], traces: Sequence[Sequence[Trace]]
) -> dict[str, float]:
    """Area under the ROC curve of `step` and `prefix`, and of `prefix` where the line before was
    still right, over all lines of the traces; mean absolute error of v.
    """
    rows: list[tuple[list[float], Any, bool]] = []
    for story, group in zip(stories, traces, strict=True):
        for trace in group:
            steps = tuple(f"{step}\n" for step in trace.steps)
            checks = check_steps(story, trace.steps)
            for k, check in enumerate(checks):
                fresh = k == 0 or checks[k - 1].prefix_right
                rows.append((bench.known(story, steps[: k + 1]), check, fresh))
    return {
        "lines": float(len(rows)),
        "step AUC": auc([(v[2], c.step_right) for v, c, _ in rows]),
        "prefix AUC": auc([(v[1], c.prefix_right) for v, c, _ in rows]),
        "prefix AUC after a right prefix": auc([(v[1], c.prefix_right) for v, c, f in rows if f]),
        "v AUC after a right prefix": auc([(v[0], c.prefix_right) for v, c, f in rows if f]),
        "wrong first lines with prefix above 0.5": statistics.fmean(
            float(v[1] > 0.5) for v, c, f in rows if f and not c.prefix_right
        ),
        "right lines with prefix below 0.5": statistics.fmean(
            float(v[1] < 0.5) for v, c, _ in rows if c.prefix_right
        ),
        "v mean absolute error": statistics.fmean(abs(v[0] - c.v) for v, c, _ in rows),
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


def score_runs(runs: Sequence[Run]) -> list[float]:
    """1.0 per search whose chosen answer is right, else 0.0."""
    trees = [run.tree for run in runs]
    return [
        float(tree.chosen is not None and bool(tree.node(tree.chosen).correct)) for tree in trees
    ]


def measure(models: Path, stories: Sequence[Story], read: str, seed: int) -> dict[str, Any]:
    """Every method on these stories: scores per problem, tokens per problem, PRM quality."""
    tokenizer: Any = AutoTokenizer.from_pretrained(models / "tiny-policy")
    policy, prm = load_policy(models / "tiny-policy"), load_prm(models / "tiny-prm")
    bench = Lockstep(policy, prm, tokenizer, read, seed)
    greedy = sample_traces(policy, tokenizer, stories, seed, temperature=0)
    drawn = sample_traces(policy, tokenizer, [s for s in stories for _ in range(SAMPLES)], seed)
    traces = [drawn[i * SAMPLES : (i + 1) * SAMPLES] for i in range(len(stories))]
    budgets = [sum(trace.tokens for trace in group) for group in traces]
    scores = score_samples(bench, stories, traces)
    scores["greedy"] = [
        float(t.answer == str(s.answer)) for t, s in zip(greedy, stories, strict=True)
    ]
    tokens = {"16 samples": statistics.fmean(budgets)}
    # The beam ends by itself after about as many tokens; cut short it would have no answer at all.
    for name, values, limits in (
        ("beam", BEAM, [math.inf] * len(stories)),
        ("mcts_star", MCTS_STAR, budgets),
    ):
        runs = bench.search(stories, limits, algorithm(name), validate(name, values))
        scores[name] = score_runs(runs)
        tokens[name] = statistics.fmean(run.tokens for run in runs)
    return {
        "read": read,
        "scores": scores,
        "tokens": tokens,
        "prm": prm_quality(bench, stories, traces),
        "steps": [len(story.events) for story in stories],
    }


def report(result: dict[str, Any]) -> str:
    """The result as text: share right per method (all problems, then by number of steps) with the
    difference MCTS* minus method.
    """
    steps, scores = result["steps"], result["scores"]
    kinds = sorted(set(steps))
    lines = [f"n = {len(steps)}, PRM output {result['read']!r}, tokens {result['tokens']}"]
    for name, values in scores.items():
        low, high = wilson(sum(values), len(values))
        groups = [[v for v, k in zip(values, steps, strict=True) if k == kind] for kind in kinds]
        by = " ".join(f"{100 * statistics.fmean(group):5.1f}" for group in groups)
        gap = "" if name == "mcts_star" else "  MCTS* {:+.1f} [{:.1f}, {:.1f}]".format(
            *(100 * x for x in paired(scores["mcts_star"], values))
        )  # fmt: skip
        mean = 100 * statistics.fmean(values)
        lines.append(f"{name:38} {mean:5.1f} [{100 * low:.1f}, {100 * high:.1f}] | {by} |{gap}")
    lines += [f"{name:42} {value:.4f}" for name, value in result["prm"].items()]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Measure the models named on the command line and print the report."""
    parser = argparse.ArgumentParser(prog="python -m engine.bundled.measure", description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="holds tiny-policy and tiny-prm")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--read", choices=OUTPUTS, default="v")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the scores of every problem there")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    began = time.perf_counter()
    stories = load_stories(options.split, options.count)
    result = measure(options.models, stories, options.read, options.seed)
    print(report(result))
    print(f"{time.perf_counter() - began:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
