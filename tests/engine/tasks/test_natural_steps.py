"""Where the steps of a model's own way of writing end: on whole texts, and while it writes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tasks.natural_steps import split
from engine.tasks.step_format import NATURAL, NUMBERED, StepFormat

CASES = [
    json.loads(line) for line in (Path(__file__).parent / "steps.jsonl").read_text().splitlines()
]


def shown(steps: list[str]) -> list[str]:
    return [step.strip().replace("\r\n", "\n") for step in steps]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["reply"][:20])
def test_what_real_models_write_is_cut_where_a_reader_would(case: dict[str, object]) -> None:
    found = NATURAL.read(str(case["reply"]))
    assert shown(list(found.steps)) == case["steps"]
    assert "".join(found.taken) == case["reply"]
    ending = NATURAL.ending(found.taken)
    assert (ending.finished, ending.answer) == (case["finished"], case["answer"])
    assert not found.refused


@pytest.mark.parametrize(
    ("reply", "steps"),
    [
        ("One.\n\nTwo.", ["One.", "Two."]),
        ("One.\n \t\n\n\nTwo.\n\n", ["One.", "Two."]),
        ("\n\nOne.\n\nTwo.", ["One.", "Two."]),
        ("One\nstill one\n\nTwo", ["One\nstill one", "Two"]),
        # display mathematics, environments, code
        ("So\n\\[\nx\n\n= 1\n\\]\n\nTwo", ["So\n\\[\nx\n\n= 1\n\\]", "Two"]),
        ("$$\na\n\nb\n$$\n\nTwo", ["$$\na\n\nb\n$$", "Two"]),
        (
            "\\begin{align}\na\n\n\\begin{cases}b\\end{cases}\n\n\\end{align}\n\nTwo",
            ["\\begin{align}\na\n\n\\begin{cases}b\\end{cases}\n\n\\end{align}", "Two"],
        ),
        ("```python\na = 1\n\nb = 2\n```\n\nTwo", ["```python\na = 1\n\nb = 2\n```", "Two"]),
        ("~~~\n```\n\n~~~\n\nTwo", ["~~~\n```\n\n~~~", "Two"]),
        ("```\n\\[\n```\n\nTwo", ["```\n\\[\n```", "Two"]),
        ("It costs $5 or \\$\\$6.\n\nTwo", ["It costs $5 or \\$\\$6.", "Two"]),
        ("a \\\\[2pt] b\n\nTwo", ["a \\\\[2pt] b", "Two"]),
        # headings belong to what follows, and so does what ends with a colon
        ("### Step 1\n\nOne.\n\nTwo.", ["### Step 1\n\nOne.", "Two."]),
        ("**Plan**\n\n__First__\n\nOne.\n\nTwo", ["**Plan**\n\n__First__\n\nOne.", "Two"]),
        ("1. **Count:**\n\n   3 * 8\n\nTwo", ["1. **Count:**\n\n   3 * 8", "Two"]),
        ("Step 3:\n\nOne\n\nTwo", ["Step 3:\n\nOne", "Two"]),
        ("\\textbf{Step 1.}\n\nOne\n\nTwo", ["\\textbf{Step 1.}\n\nOne", "Two"]),
        ("One\n---\n\nTwo\n\nThree", ["One\n---\n\nTwo", "Three"]),
        ("One\n\n---\n\nTwo\n\nThree", ["One", "---\n\nTwo", "Three"]),
        ("We get:\n\n\\[ 1 \\]\n\nTwo", ["We get:\n\n\\[ 1 \\]", "Two"]),
        ("**We get:**\n\nOne\n\nTwo", ["**We get:**\n\nOne", "Two"]),
        ("\u6b65\u9aa4\uff1a\n\nOne\n\nTwo", ["\u6b65\u9aa4\uff1a\n\nOne", "Two"]),
        # what looks like a heading and says something
        ("#### 60\n\nDone.", ["#### 60", "Done."]),
        ("**60**\n\nDone.", ["**60**", "Done."]),
        ("**The answer is 60.**\n\nDone.", ["**The answer is 60.**", "Done."]),
        ("Step 3: Count.\n\nTwo", ["Step 3: Count.", "Two"]),
        # tables
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nTwo", ["| a | b |\n|---|---|\n| 1 | 2 |", "Two"]),
        ("| a | b |\n|---|---|\n\n| 1 | 2 |\n\nTwo", ["| a | b |\n|---|---|\n\n| 1 | 2 |", "Two"]),
        # thoughts belong to the step after them
        ("<think>\na\n\nb\n</think>\n\nOne\n\nTwo", ["<think>\na\n\nb\n</think>\n\nOne", "Two"]),
    ],
)
def test_paragraphs_are_steps(reply: str, steps: list[str]) -> None:
    assert shown(split(reply)) == steps


def test_lines_or_what_stands_between_headings_can_be_steps() -> None:
    reply = "### Step 1\nOne:\n1 + 1 = 2\n\nAlso\n| a |\n| b |\n### Step 2\nTwo\n"
    assert shown(split(reply, "line")) == [
        "### Step 1\nOne:\n1 + 1 = 2",
        "Also",
        "| a |\n| b |\n### Step 2\nTwo",
    ]
    assert shown(split(reply, "heading")) == [
        "### Step 1\nOne:\n1 + 1 = 2\n\nAlso\n| a |\n| b |",
        "### Step 2\nTwo",
    ]
    assert shown(split("Step 1: a\n\nb\nStep 2: c\nd", "heading")) == [
        "Step 1: a\n\nb",
        "Step 2: c\nd",
    ]


def test_parts_of_a_thought_can_be_steps() -> None:
    reply = "<think>\na\n\nb, the answer is 5.\n</think>\n\nOne.\n\nThe answer is 7."
    form = StepFormat(**{**NATURAL.model_dump(), "thinking": "steps"})
    found = form.read(reply)
    assert "".join(found.taken) == reply
    assert len(found.taken) == 4
    assert not form.ending(found.taken[:2]).finished
    assert form.goes_on(found.taken[:1])
    assert form.ending(found.taken).answer == "7"


def test_who_wants_a_question_after_every_step_gets_one() -> None:
    asking = StepFormat(**{**NATURAL.model_dump(), "critic": "verdict"})
    assert NATURAL.goes_on(("One.\n\n",))
    assert not NATURAL.goes_on(("One.",))
    assert not asking.goes_on(("One.\n\n",))
    assert asking.goes_on(("<think>\nOne.\n\n",)), "but never inside a thought"


PIECES = [
    "One.",
    "So the sum is 7",
    "We get:",
    "\n",
    "\n\n",
    " \n",
    "\r\n",
    "\\[",
    "\\]",
    "$$",
    "$5",
    "```\n",
    "\n```",
    "\\begin{align}",
    "\\end{align}",
    "### Step 2",
    "**Step 3: Count.**",
    "Step 4:",
    "- item",
    "| a | b |",
    "|---|---|",
    "---",
    "#### 60",
    "The answer is 5.",
    "\\boxed{5}",
    "\u2028",
    "<think>",
    "</think>",
]
REPLIES = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25).map("".join)
UNITS = st.sampled_from(["paragraph", "line", "heading"])


@given(REPLIES, UNITS, st.booleans())
def test_joined_the_steps_are_the_reply(reply: str, unit: str, thoughts: bool) -> None:
    steps = split(reply, unit, thoughts)  # type: ignore[arg-type]
    assert "".join(steps) == reply
    assert len(steps) < 2 or all(step.strip() for step in steps)


@given(REPLIES, UNITS, st.integers(0, 200))
def test_a_reply_that_is_cut_anywhere_has_ended_the_same_steps(
    reply: str, unit: str, place: int
) -> None:
    if "</think>" in reply:  # a thought that the prompt opened is known by its end alone
        reply = reply.replace("<think>", "").replace("</think>", "")
    whole, cut = (split(text, unit) for text in (reply, reply[:place]))  # type: ignore[arg-type]
    ended = [step for step in cut[:-1] if step.strip()]
    assert shown(ended) == shown(whole)[: len(ended)]


@given(REPLIES, UNITS)
def test_a_model_is_stopped_where_the_whole_text_would_be_cut(reply: str, unit: str) -> None:
    """It writes a character at a time, and again from where it was stopped."""
    form = NATURAL.model_copy(update={"unit": unit})
    reply = reply.replace("<think>", "").replace("</think>", "")
    steps: list[str] = []
    rest = reply
    while rest.strip():
        ends = [i for i in range(1, len(rest) + 1) if rest[i - 1] in form.last_characters]
        stop = next((i for i in ends if form.is_whole(rest[:i], steps)), len(rest))
        step = form.normalise(rest[:stop], steps).step
        assert rest.startswith(step)
        steps.append(step)
        rest = rest[len(step) :]
    assert "".join(steps) + rest == reply
    assert shown(steps) == [step for step in shown(split(reply, unit)) if step]  # type: ignore[arg-type]


@given(st.text(max_size=300), st.sampled_from([NATURAL, NUMBERED]))
def test_no_reply_is_too_strange_to_be_read(reply: str, form: StepFormat) -> None:
    found = form.read(reply)
    for step in found.taken:
        assert step.strip()
    form.ending(found.taken)


def test_hostile_replies_are_read_in_bounded_time() -> None:
    for piece in (
        "\\begin{a}",
        "$$\n",
        "**",
        "#" * 50 + "\n",
        "- " * 50 + "\n",
        "<think>",
        "|-|" * 40,
    ):
        reply = (piece * 4000)[:60_000]
        assert "".join(split(reply)) == reply
