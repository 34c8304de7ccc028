"""Endings of replies as models write them, and whether they are right, benchmark by benchmark.

`answers.toml` says of right answers, as the rows of a benchmark have them, what counts as it and
what does not. An answer is read out of the reply first, as in a search.
"""

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from engine.tasks.benchmarks import shape_of
from engine.tasks.final_answer import extract_answer
from engine.tasks.grading import grade
from engine.tasks.posing import posed

Case = dict[str, Any]
CASES: dict[str, list[Case]] = tomllib.loads(
    Path(__file__).with_name("answers.toml").read_text(encoding="utf-8")
)
QUESTION = "Which?\n\nA. Iron\nB. Trigonal planar\nC. 15.8 L\nD. Both A and B\n\nAnswer:"
KINDS = {"options": "multiple-choice", "judgements": "judge", "blanks": "filling"}


def gold_of(benchmark: str, case: Case) -> str:
    """The right answer in the words by which it is compared, as a row of the benchmark gives it."""
    row: dict[str, Any] | None = None
    if benchmark == "SciBench":
        row = {"problem_text": "Q?", "answer_number": case["answer"], "unit": case["unit"]}
    elif benchmark in KINDS:
        row = {
            "question": case.get("question", QUESTION),
            "answer": [case["answer"]],
            "type": KINDS[benchmark],
            "ability": "Base Knowledge",
        }
    return str(case["answer"]) if row is None else posed(row, shape_of(list(row))).answer


@pytest.mark.parametrize("benchmark", CASES)
def test_endings_of_replies(benchmark: str) -> None:
    for case in CASES[benchmark]:
        gold = gold_of(benchmark, case)
        for right in (True, False):
            for said in case.get("right" if right else "wrong", ()):
                replies = [said]
                if benchmark == "SciBench":  # answers there, not replies
                    assert grade(said, gold) is right, (said, gold)
                    replies = [f"So the final answer is {said}.", f"Hence \\boxed{{{said}}}"]
                if benchmark == "Game24" and not right:
                    assert grade(said, gold) is False, said
                for reply in replies:
                    answer = extract_answer(reply)
                    assert grade(answer, gold) is right, f"{reply!r}: {answer!r}, right is {gold!r}"


HOSTILE = [
    "9" * 5_000,
    "(" * 5_000,
    "1+" * 4_000 + "1",
    "7^(3^(8^(9^9)))",
    "9" + "^9" * 100,
    "(9^999)*" * 30 + "1",
    "\\frac" * 60,
    "\\sqrt" * 60 + "4",
    "-" * 200 + "1",
    "1e999" * 60,
    "the answer is " * 600,
    "answer:" + "\n" * 8_000,
    "answer is 3" + " " * 7_000 + "x",
    "A or " * 400,
    "(a) " * 2_000,
    "A" + " " * 1_990 + "!",
    "1=" * 1_000,
    "x" * 50_000,
    "no doubt " * 900,
    "27 " + "{" * 200,
    "\\boxed{" * 1_000,
    "$" * 8_000,
    "1 " * 4_000,
    "<<" * 4_000,
    "a" + "." * 1_990 + "b",
    "- " * 990,
    "answer is $3$," + " " * 7_000 + "x",
    "answer is 5" + " (not" * 1_500,
    "answer is 5" + " (not )" * 1_000,
    "\\boxed{2}," * 800,
    "$3$ or " * 1_000,
    "3 or " * 1_500,
    "I would choose option " * 350,
    "1 minute (" + "1 minute " * 200 + ")",
    "(B) " * 1_900 + "1",
    "\\text{" * 300 + "1" + "}" * 300,
    "A. x\n\n" * 1_200,
    "\\" * 8_000,
    "9" * 100_000,
    " " * 100_000,
    "[" * 100_000,
    "1," * 4_000,
    "the answer is not 5 but " * 330,
    "the answer is 4, no, " * 380,
    "5 is the answer " * 500,
    "<answer>1" * 900,
    "<think>" * 1_100,
    "wait, " * 1_300,
    "the answer is " + "x" * 7_900,
    "the answer is " + "that " * 1_500,
    "```py\n" * 1_300,
    "\\[" * 4_000,
]


def test_hostile_endings_are_wrong_at_once() -> None:
    golds = ["24 from 7 3 8 2, each once", "option B: Tin", "Yes", "25 % within 5 %"]
    golds += ["Tin, word for word", "1" * 5_000 + " from 1 1"]
    for text in HOSTILE:
        for gold in golds:
            began = time.process_time()
            assert grade(extract_answer(text), gold) is not True
            assert grade(text, gold) is not True
            assert time.process_time() - began < 1, (text[:20], gold[:20])
