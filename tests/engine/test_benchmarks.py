"""Rows of known benchmarks as their files have them: what is asked, and what counts as right."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from engine.tasks.datasets import Dataset, Rejected, read_dataset
from engine.tasks.final_answer import extract_answer
from engine.tasks.grading import CHECKERS, grade

GSM8K = {
    "question": "A robe takes 2 bolts of blue fiber and half that much white fiber.  How many?",
    "answer": "It takes 2/2=<<2/2=1>>1 bolt of white fiber\nSo 2+1=<<2+1=3>>3 bolts\n#### 3",
}
MATH = {
    "problem": "What is the slope of $2y = 3x$?",
    "level": "Level 2",
    "type": "Algebra",
    "solution": "We have $y = \\frac{3}{2}x$, so it is $\\boxed{\\frac{3}{2}}$.",
}
AIME = {"ID": "2024-I-4", "Problem": "Find m+n.", "Solution": "It is \\boxed{116}.", "Answer": 116}
SCIBENCH = {
    "problem_text": "What is the wavelength?",
    "answer_latex": " 4.5e-7 ",
    "answer_number": "4.5",
    "unit": "$10^{-7} \\mathrm{~m}$",
    "problemid": "1.1",
    "solution": "",
}
SCIEVAL = {
    "id": "7",
    "question": "Which one?\n\nA. Iron\nB. Tin\n\nAnswer:",
    "answer": ["B"],
    "type": "multiple-choice",
    "category": "chemistry",
    "ability": "Base Knowledge",
}


def read(folder: Path, *rows: dict[str, Any]) -> Dataset:
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    return read_dataset(str(folder / "rows.json"))


@pytest.mark.parametrize(
    ("row", "identifier", "gold", "right", "wrong"),
    [
        (GSM8K, "", "3", "The answer is $3.00", "The answer is 4."),
        (MATH, "", "\\frac{3}{2}", "It is \\boxed{1.5}.", "It is \\boxed{\\frac23}"),
        (AIME, "2024-I-4", "116", "\\boxed{0116}", "\\boxed{16}"),
    ],
)
def test_fields_that_say_all(
    tmp_path: Path, row: dict[str, Any], identifier: str, gold: str, right: str, wrong: str
) -> None:
    found = read(tmp_path, row)
    (problem,) = found.problems
    assert (problem.id, problem.answer, found.benchmark) == (identifier, gold, "")
    assert grade(extract_answer(right), problem.answer) is True
    assert grade(extract_answer(wrong), problem.answer) is False


def test_scibench_names_its_unit_and_allows_five_percent(tmp_path: Path) -> None:
    plain = {**SCIBENCH, "problem_text": "How fast?", "answer_number": "+1,050", "unit": " "}
    plain["problemid"] = "1.2"
    several = {**plain, "problem_text": "What?", "answer_number": "3 to 4", "problemid": "1.3"}
    found = read(tmp_path, SCIBENCH, plain, several)
    assert (found.benchmark, found.fields["answer"]) == ("SciBench", "answer_number")
    unit, none, exact = found.problems
    assert unit.id == "1.1"
    assert unit.content.endswith("The unit of the answer is $10^{-7} \\mathrm{~m}$.")
    assert unit.answer == "4.5 10^{-7} \\mathrm{~m} within 5 %"
    for said in ("4.4", "4.4 \\times 10^{-7} \\text{ m}", "4.4e-7 metres", "4.5 × 10^-7"):
        assert grade(said, unit.answer) is True, said
    for said in ("4.9", "4.5 \\times 10^{-7} cm", "4.5e-6", "m", "-4.5"):
        assert grade(said, unit.answer) is False, said
    assert none.answer == "+1,050 within 5 %"
    assert grade("1100", none.answer) is True
    assert grade("1/2", none.answer) is False
    assert exact.answer == "3 to 4"
    assert grade("3", exact.answer) is False
    assert grade("3 to 4", exact.answer) is True


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("9.81 m/s^2", "9.8 \\mathrm{~m} \\mathrm{~s}^{-2} within 5 %", True),
        ("9.81 m s⁻²", "9.8 m/s^2 within 5 %", True),
        ("9.81 \\frac{m}{s^2}", "9.8 m/s^2 within 5 %", True),
        ("9.81 km/s^2", "9.8 m/s^2 within 5 %", False),
        ("2.5 J/(mol K)", "2.5 \\mathrm{J} \\mathrm{mol}^{-1} \\mathrm{K}^{-1} within 1 %", True),
        ("2.5 kJ", "2.5 J within 1 %", False),
        ("x = 40^{\\circ}", "40 degrees within 5 %", True),
        ("3 molecules", "3 photons within 5 %", True),
        ("0", "0 within 5 %", True),
        ("", "3 within 5 %", False),
    ],
)
def test_numbers_within_a_tolerance(answer: str, gold: str, right: bool) -> None:
    assert grade(answer, gold) is right


def test_scieval_asks_in_three_ways(tmp_path: Path) -> None:
    judge = {**SCIEVAL, "id": "8", "question": "Is it so?", "answer": ["Yes"], "type": "judge"}
    blank = {**SCIEVAL, "id": "9", "question": "It is ___.", "answer": ["12"], "type": "filling"}
    several = {**SCIEVAL, "id": "10", "question": "Which two?", "answer": ["C", "A"]}
    hidden = {**SCIEVAL, "id": "11", "question": "Which third?", "answer": None}
    broken = {**SCIEVAL, "id": "12", "question": "Which fourth?", "answer": ["Tin"]}
    found = read(tmp_path, SCIEVAL, judge, blank, several, hidden, broken)
    assert found.benchmark == "SciEval"
    choice, yes, filled, two, open_ = found.problems
    assert choice.content.startswith("Which one?\n\nA. Iron\nB. Tin\n\nAnswer with the letter")
    assert [p.answer for p in (choice, yes, filled, two, open_)] == [
        "option B: Tin",
        "Yes",
        "12",
        "options A, C",
        None,
    ]
    assert found.rejected == [
        Rejected("item 6", "'answer' is not the letter of an option: 'Tin'"),
    ]
    assert grade("12.0", filled.answer) is True


@pytest.mark.parametrize(
    ("said", "gold", "right"),
    [
        ("The answer is B.", "option B", True),
        ("B", "option B", True),
        ("So the answer is (B) Tin", "option B", True),
        ("The answer is \\boxed{\\text{B}}.", "option B", True),
        ("Answer: B. Tin", "option B", True),
        ("The answer is option B", "option B", True),
        ("The answer is A", "option B", False),
        ("The answer is Bismuth", "option B", False),
        ("The answer is A, B", "option B", False),
        ("The answer is A and C", "options A, C", True),
        ("The answer is C, A", "options A, C", True),
        ("The answer is A", "options A, C", False),
        ("The answer is yes, it is.", "Yes", True),
        ("true", "Yes", True),
        ("The answer is no", "Yes", False),
        ("The answer is not correct", "No", True),
        ("The answer is (10 - 4) * (5 - 1) = 24", "24 from 4 10 5 1, each once", True),
        ("\\boxed{(10-4) \\times \\left(5-1\\right)}", "24 from 4 10 5 1, each once", True),
        ("The answer is 4 * (10 - 4) = 24", "24 from 4 10 5 1, each once", False),
        ("The answer is 4 * 5 + 4", "24 from 4 10 5 1, each once", False),
        ("The answer is 24", "24 from 4 10 5 1, each once", False),
        ("The answer is 4 * 5 + 4", "24 from 4 4 5 1", True),
    ],
)
def test_an_answer_is_compared_as_the_right_one_says(said: str, gold: str, right: bool) -> None:
    assert grade(extract_answer(said), gold) is right


def test_game_of_24_uses_every_number_once(tmp_path: Path) -> None:
    path = tmp_path / "24.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["Rank", "Puzzles", "AMT (s)"], [901, "1 1 4 6", 4.4]])
    found = read_dataset(str(path))
    (problem,) = found.problems
    assert (found.benchmark, problem.id) == ("Game of 24", "901")
    assert "numbers 1 1 4 6 exactly once" in problem.content
    assert grade("4 * (6 * 1 * 1) = 24", problem.answer) is True
    assert grade("4 * 6", problem.answer) is False


def test_mapped_fields_go_before_what_is_known_of_a_benchmark(tmp_path: Path) -> None:
    read(tmp_path, SCIBENCH)
    fields = {"content": "problem_text", "answer": "answer_latex"}
    found = read_dataset(str(tmp_path / "rows.json"), fields)
    assert (found.benchmark, found.problems[0].content) == ("", "What is the wavelength?")
    assert found.problems[0].answer == "4.5e-7"


def test_hostile_answers_are_wrong_and_nothing_else() -> None:
    golds = ("option B", "Yes", "9.8 m within 5 %", "24 from 1 1 4 6, each once")
    texts = ("A" * 50_000, "(" * 5_000, "1" * 50_000, "9" * 3_000 + " m", "10^999", "\0")
    for gold in golds:
        for text in texts:
            assert grade(text, gold) is False
    assert {"option", "judgement", "within", "stated"} <= set(CHECKERS)
