"""Whether reading and grading agree with public verdicts: `python -m engine.tasks.agreement`.

The verdicts are those of the authors of openai/grade-school-math (example_model_solutions.jsonl),
QwenLM/Qwen2.5-Math (math_cot_100.jsonl) and princeton-nlp/tree-of-thought-llm (a log of the Game of
24 with its samples). An answer is read out of each reply as in a search, then graded.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engine.tasks.final_answer import extract_answer
from engine.tasks.grading import grade


class Judged(NamedTuple):
    """A reply, the right answer, and whether the authors of its file call it right."""

    reply: str
    gold: str
    right: bool


def gsm8k(path: Path) -> Iterator[Judged]:
    """Four models' solutions of each problem of GSM8K; the answer comes after "A:"."""
    for row in _rows(path):
        gold = row["ground_truth"].rpartition("A: ")[2]
        for solution in row.values():
            if isinstance(solution, dict):
                yield Judged(solution["solution"], gold, solution["is_correct"])


def qwen_math(path: Path) -> Iterator[Judged]:
    """Eight replies to each of a hundred problems of MATH."""
    for row in _rows(path):
        for reply, score in zip(row["code"], row["score"], strict=True):
            yield Judged(reply, row["gt"], score)


def game_of_24(path: Path) -> Iterator[Judged]:
    """A hundred samples for each of a hundred games; their numbers stand in 24.csv, by rank."""
    games = (path.parents[2] / "src/tot/data/24/24.csv").read_text(encoding="utf-8").splitlines()
    for row in json.loads(path.read_text(encoding="utf-8")):
        if "infos" not in row:  # what the whole log cost
            continue
        numbers = games[row["idx"] + 1].split(",")[1]
        for reply, info in zip(row["ys"], row["infos"], strict=True):
            yield Judged(reply, f"24 from {numbers}, each once", bool(info["r"]))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


FILES = {"gsm8k": gsm8k, "math": qwen_math, "game24": game_of_24}


def main(arguments: list[str] | None = None) -> int:
    """Print each disagreement, and how many verdicts agree, for the files that are named."""
    parser = argparse.ArgumentParser(prog="python -m engine.tasks.agreement", description=__doc__)
    for name, read in FILES.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=read.__doc__)
    options = vars(parser.parse_args(arguments))
    if not any(options.values()):
        parser.error("name at least one file")
    for name, path in options.items():
        if path is None:
            continue
        agreed = total = 0
        for reply, gold, right in FILES[name](path):
            answer = extract_answer(reply)
            verdict = grade(answer, gold)
            total += 1
            agreed += (verdict is True) == right
            if (verdict is True) != right:
                print(f"{name}: {answer!r} for {gold!r} is {verdict} here, {right} there")
        print(f"{name}: {agreed:,} of {total:,} verdicts agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
