"""One reading says whether a solution is at its end and what it answers.

`reading.jsonl`, `steps.jsonl`: what models really write; `kinds.jsonl`: more of these kinds.
`endings.jsonl`: statements of an answer and what only looks like one; `answer` there is that of a
whole reply, null if it does not matter.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tasks.final_answer import extract_answer, read_ending
from engine.tasks.grading import grade
from engine.tasks.thoughts import MARKS, without_thoughts

Case = dict[str, Any]


def cases(name: str) -> list[Case]:
    text = Path(__file__).with_name(f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("case", cases("reading"), ids=lambda case: case["reply"][:40])
def test_answers_of_replies_are_called_right(case: Case) -> None:
    answer = extract_answer(case["reply"])
    assert grade(answer, case["gold"]) is case["correct"], answer


def test_answers_of_more_replies_of_these_kinds_are_called_right() -> None:
    for case in cases("kinds"):
        answer = extract_answer(case["reply"])
        assert grade(answer, case["gold"]) is True, (case["reply"], answer)


@pytest.mark.parametrize("case", cases("steps"), ids=lambda case: case["reply"][:40])
def test_solutions_in_steps_end_as_written(case: Case) -> None:
    ending = read_ending(case["reply"])
    assert (ending.finished, ending.answer) == (case["finished"], case["answer"])


@pytest.mark.parametrize("case", cases("steps"), ids=lambda case: case["reply"][:40])
def test_no_solution_ends_before_its_last_step(case: Case) -> None:
    for count in range(1, len(case["steps"])):
        assert not read_ending("\n\n".join(case["steps"][:count])).finished


def test_statements_and_what_only_looks_like_one() -> None:
    for case in cases("endings"):
        ending = read_ending(case["reply"])
        assert ending.finished is case["finished"], case["reply"]
        if case["answer"] is not None:
            assert extract_answer(case["reply"]) == case["answer"], case["reply"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("We add them.\nSo the answer is 57. I hope it helps.", "So the answer is 57"),
        ("It is 5 + 2. Hence $x = \\boxed{7}$.", "Hence $x = \\boxed{7}$"),
        ("5 + 2\n#### 7", "#### 7"),
        ("### Answer\n\n7", "### Answer\n\n7"),
        ("Tom has 7.", ""),
    ],
)
def test_the_words_that_state_an_answer_are_kept(reply: str, words: str) -> None:
    assert read_ending(reply).words == words


STATEMENTS = [
    "The answer is 57.",
    "#### 57",
    "\\boxed{57}",
    "<answer>57</answer>",
    "**Answer:** 57",
    "答案是57。",
    "57 is the answer.",
]


@pytest.mark.parametrize("stated", STATEMENTS)
@pytest.mark.parametrize(
    "closing",
    ["", "\n\n", "\n\nI hope this helps!", "\n\nLet me know if you need more.", "<|im_end|>"],
)
def test_a_closing_remark_changes_nothing(stated: str, closing: str) -> None:
    ending = read_ending(f"First 50 + 7 = 57.\n\n{stated}{closing}")
    assert (ending.finished, ending.answer) == (True, "57")


@pytest.mark.parametrize("stated", STATEMENTS)
@pytest.mark.parametrize(
    "back", ["Wait, let me check that again.", "No, that is wrong.", "Hmm, this can't be right."]
)
def test_what_is_taken_back_ends_nothing(stated: str, back: str) -> None:
    assert read_ending(f"{stated}\n\n{back}") == (False, None, "")
    ending = read_ending(f"{stated}\n\n{back} 3 are broken.\n\nThe answer is 54.")
    assert (ending.finished, ending.answer) == (True, "54")
    assert extract_answer(f"{stated}\n\n{back} 3 are broken, so there are 54.") == "54"


@pytest.mark.parametrize("stated", STATEMENTS)
@pytest.mark.parametrize("pair", MARKS)
def test_nothing_is_read_in_a_thought(stated: str, pair: tuple[str, str]) -> None:
    opening, closing = pair
    for thought in (f"{opening}{stated}", f"{opening}{stated}{closing}"):
        assert read_ending(thought) == (False, None, "")
        assert extract_answer(thought) is None
    assert extract_answer(f"{opening}{stated}{closing}\n\nThe answer is 4.") == "4"


PIECES = st.sampled_from(
    [
        *STATEMENTS,
        *(mark for pair in MARKS[:2] for mark in pair),
        *"\n $\\{}*?.!:,(",
        " is ",
        "not ",
        "the answer is ",
        "\\boxed{",
        "Wait, ",
        "if ",
        "12",
        "x = ",
        "B",
        "\\(",
        "\\)",
        " or ",
        "Answer:",
    ]
)
TEXTS = st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=14).map("".join))


@given(TEXTS)
def test_an_end_has_an_answer_and_it_is_that_of_the_reply(text: str) -> None:
    ending = read_ending(text)
    answer = extract_answer(text)
    if ending.finished:
        assert ending.answer
    if ending.answer is not None:
        assert answer == ending.answer
        assert ending.words
    else:
        assert ending.words == ""


@given(TEXTS, st.sampled_from(["\n", "  ", "\n\n", "\r\n"]))
def test_white_space_around_a_text_changes_nothing(text: str, space: str) -> None:
    if text.strip():
        assert extract_answer(text.strip() + space) == extract_answer(text.strip())
        assert read_ending(text.strip() + space)[:2] == read_ending(text.strip())[:2]


@given(TEXTS, TEXTS)
def test_what_is_thought_changes_nothing(thought: str, text: str) -> None:
    thought = without_thoughts(thought).replace("</think>", "").replace("</thinking>", "")
    plain = without_thoughts(text)
    assert read_ending(f"<think>{thought}</think>{plain}") == read_ending(plain)
