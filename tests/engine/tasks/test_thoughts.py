"""Thoughts are found by their marks, however they were opened, and nothing else is touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tasks.thoughts import MARKS, closing_of, is_open, split_thought, without_thoughts

PIECES = [*(mark for pair in MARKS[:3] for mark in pair), "\n\n", "The answer is 4.", " x "]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@pytest.mark.parametrize("pair", MARKS)
def test_every_mark(pair: tuple[str, str]) -> None:
    opening, closing = pair
    thought = f"{opening}\nIt is 40?\n{closing}"
    assert without_thoughts(f"{thought}\n\nIt is 57.") == "\n\nIt is 57."
    assert without_thoughts(thought.upper() + "57") == "57"
    assert split_thought(f"{thought}\n\nIt is 57.") == (thought, "\n\nIt is 57.")
    assert without_thoughts(f"So: {thought} 57") == "So:  57"
    assert split_thought(f"So: {thought} 57") == ("", f"So: {thought} 57")
    assert closing_of(f"A.\n{opening}It is") == closing
    assert without_thoughts(f"A.\n{opening}It is") == "A.\n"
    assert closing_of(thought) == ""
    if closing != "<|end|>":  # the end of a turn, too
        assert without_thoughts(f"It is 40?{closing}57") == "57"
        assert split_thought(f"It is 40?{closing}57") == (f"It is 40?{closing}", "57")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("57.<|end|>", "57.<|end|>"),
        (
            "<|channel|>analysis<|message|>40<|end|><|start|>assistant<|channel|>final<|message|>5",
            "5",
        ),
        ("<|channel|>final<|message|>57", "57"),
        ("We halve 80.\n[BEGIN FINAL RESPONSE]\n57", "\n57"),
        ("<think>a <think> b</think> c</think>57", "57"),
        ("<think>a</think> 57 <think>no: 40</think>!", " 57 !"),
        ("<think></reasoning></think>57", "57"),
        ("a < b and [THINK about it]", "a < b and [THINK about it]"),
    ],
)
def test_marks_among_others(text: str, rest: str) -> None:
    assert without_thoughts(text) == rest


@given(TEXTS)
def test_nothing_is_lost(text: str) -> None:
    thought, rest = split_thought(text)
    assert thought + rest == text
    assert split_thought(rest)[0] == "" or not rest.strip()
    assert is_open(text) == bool(closing_of(text))
    assert not is_open(text + closing_of(text))
