"""Replies become steps by the rules that the recorded traces show."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import TaskError
from engine.tasks.critic import read_critic_reply
from engine.tasks.format_files import load_step_format
from engine.tasks.grading import grade
from engine.tasks.printed import as_written
from engine.tasks.step_format import NATURAL, NUMBERED, REFERENCE, Piece, StepFormat

TRACES = sorted((Path(__file__).parents[2] / "conformance" / "traces").glob("*.json"))
LINES = StepFormat(prompt="{question}\n", final_prefix="Answer: ")


def split_steps(text: str) -> tuple[str, ...]:
    return tuple(text.splitlines(keepends=True))


@pytest.fixture(params=TRACES, ids=lambda path: path.stem)
def trace(request: pytest.FixtureRequest) -> dict[str, Any]:
    return json.loads(request.param.read_text())


def test_there_are_traces() -> None:
    assert len(TRACES) >= 12


def test_replies_of_the_reference_become_its_steps(trace: dict[str, Any]) -> None:
    for prefix, slots in trace["policy"].items():
        for attempt in (attempt for slot in slots for attempt in slot):
            found = REFERENCE.normalise(attempt["raw"], split_steps(prefix))
            assert found.step == attempt["step"], (prefix, attempt)
            assert bool(found.reason) == (found.step == "")


def test_the_text_rule_and_critic_replies_of_the_reference(trace: dict[str, Any]) -> None:
    for prefix, end in trace["end"].items():
        assert REFERENCE.ending(split_steps(prefix)).finished == end["text_rule"], prefix
        if end["critic_replies"]:
            verdict = read_critic_reply(end["critic_replies"][-1]).verdict
            assert f"<{verdict}>" == end["flag"], prefix


def test_answers_of_the_reference(trace: dict[str, Any]) -> None:
    for prefix, row in trace["summary"].items():
        stated = REFERENCE.ending(split_steps(prefix))
        if stated.finished:
            assert stated.answer == row["extracted"], prefix


@pytest.mark.parametrize(
    ("raw", "step"),
    [
        ("Next step: add 3 and 4", "Step 2: add 3 and 4\n"),
        ("\n\nStep 7: add 3 and 4\n", "Step 2: add 3 and 4\n"),
        ("**Step 2:** add 3 and 4", "Step 2: add 3 and 4\n"),
        ("Step 2. add 3 and 4", "Step 2: add 3 and 4\n"),
        ("add 3\nand 4", "Step 2: add 3 and 4\n"),
        ("Step 2: add 3 and 4\nStep 3: stop", "Step 2: add 3 and 4\n"),
        ("### Step 2: add 3 and 4\n\n### Step 3: stop", "Step 2: add 3 and 4\n"),
        ("- **Step 2.** add 3 and 4\n- **Step 3.** stop", "Step 2: add 3 and 4\n"),
        ("STEP 2 - add 3 and 4 ###", "Step 2: add 3 and 4\n"),
        ("**Step 2: add 3 and 4**", "Step 2: add 3 and 4\n"),
        ("step 2) so\n\\[\n3 + 4 = 7\n\\]", "Step 2: so \\[ 3 + 4 = 7 \\]\n"),
        ("Next step: add 3 and 4 Next step: stop", "Step 2: add 3 and 4\n"),
        ("As in Step 1: we halve", "Step 2: As in Step 1: we halve\n"),
    ],
)
def test_numbered_replies_are_cleaned(raw: str, step: str) -> None:
    assert NUMBERED.normalise(raw, ("Step 1: begin\n",)).step == step


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "empty"),
        (" \n", "empty"),
        ("Step 2:", "empty"),
        ("no", "too short"),
        ("Next step: x", "too short"),
        ("Next step: begin here", "repeated"),
    ],
)
def test_rejected_replies_say_why(raw: str | None, reason: str) -> None:
    assert NUMBERED.normalise(raw, ("Step 1: begin here\n",)) == ("", reason)


def test_a_part_of_a_step_before_is_a_repeat_by_the_rules_of_the_reference_alone() -> None:
    assert NUMBERED.normalise("Next step: begin", ("Step 1: begin here\n",)).step
    assert REFERENCE.normalise("Next step: begin", ("Step 1: begin here\n",)).reason == "repeated"


def test_rejecting_repeats_is_a_choice() -> None:
    lenient = NUMBERED.model_copy(update={"reject_repeats": False})
    assert lenient.normalise("Next step: begin", ("Step 1: begin\n",)).step == "Step 2: begin\n"


def test_lines_are_taken_as_they_are() -> None:
    assert LINES.normalise(" 27 + 15 = 42\n 42 - 2", ()).step == " 27 + 15 = 42\n"
    assert LINES.normalise("\n2. He sells 2", ("1. x\n",)).step == "2. He sells 2\n"
    assert LINES.normalise("27 + 15", (), unfinished=True) == ("", "unfinished")


def test_the_final_line_ends_a_solution_and_states_its_answer() -> None:
    assert not LINES.ending(("27 + 15 = 42\n",)).finished
    assert LINES.ending(("27 + 15 = 42\n", "Answer: 42\n")) == (True, "42", "Answer: 42")


def test_a_question_cannot_write_the_prompt() -> None:
    pieces = LINES.instruction("What is {question}? {{7*7}} {0}")
    assert "".join(piece.text for piece in pieces) == "What is {question}? {{7*7}} {0}\n"
    assert [piece.text for piece in pieces if not piece.ours] == ["What is {question}? {{7*7}} {0}"]


def test_an_analysis_is_put_into_the_prompt_of_the_numbered_kind_only() -> None:
    assert NUMBERED.instruction("q", " check it ")[-1] == Piece("check it", ours=False)
    assert LINES.instruction("q", "check it") == LINES.instruction("q")


def test_sentences_are_numbered() -> None:
    numbered = LINES.model_copy(update={"number_sentences": True})
    text = "".join(p.text for p in numbered.instruction("Ann has 2 nuts. She buys 3 nuts."))
    assert text == "1. Ann has 2 nuts. 2. She buys 3 nuts.\n"


@pytest.mark.parametrize(
    ("reply", "verdict", "analysis"),
    [
        (None, "end", ""),
        ("  ", "end", ""),
        ("Problem solved", "end", ""),
        ("Problem unsolved", "continue", ""),
        ("Solved? unsolved! solved", "continue", "! solved"),
        ("SOLVED", "continue", "SOLVED"),
        ("Problem unsolved\nAnalysis: the sum is wrong.", "continue", "the sum is wrong."),
        ("bananas", "continue", "bananas"),
    ],
)
def test_critic_replies(reply: str | None, verdict: str, analysis: str) -> None:
    assert read_critic_reply(reply) == (verdict, analysis)


def test_formats_are_read_from_files(tmp_path: Path) -> None:
    assert load_step_format(tmp_path) is NUMBERED
    assert load_step_format(tmp_path, chat=True) is NATURAL
    path = tmp_path / "step_format.json"
    path.write_text('{"prompt": "Q: {question}\\n", "critic": "eos"}')
    assert load_step_format(tmp_path).kind == "lines"
    path.write_text('{"kind": "numbered", "chat": false}')
    assert load_step_format(tmp_path) == NUMBERED.model_copy(update={"chat": False})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "JSON object"),
        ('{"prompt": "no place"}', "must contain {question}"),
        ('{"step_ends": "x"}', "step_ends"),
        ('{"max_step_tokens": 0}', "max_step_tokens"),
        ('{"kind": "numbered", "step_end": ";"}', "one step per line"),
    ],
)
def test_a_bad_format_says_what_is_wrong(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "step_format.json").write_text(content)
    with pytest.raises(TaskError, match=says.replace("{", "\\{").replace("}", "\\}")):
        load_step_format(tmp_path)


CODING = NUMBERED.for_code()


@pytest.mark.parametrize(
    ("raw", "step"),
    [
        ("# Step 7: Add them.\nx = 3 + 4\n", "# Step 2: Add them.\nx = 3 + 4\n"),
        ("# Add them.\nx = 3 + 4", "# Step 2: Add them.\nx = 3 + 4\n"),
        ("**Step 2:** Add them.\nx = 3 + 4", "# Step 2: Add them.\nx = 3 + 4\n"),
        ("# Step 2: Add.\nx = 3\n# Step 3: Go on.\ny = 1", "# Step 2: Add.\nx = 3\n"),
        ("# Step 2: Add.\nx = 3\n```\nSo x is 3.", "# Step 2: Add.\nx = 3\n"),
        ("Here:\n```python\n# Step 2: Add.\nx = 3\n```", "# Step 2: Add.\nx = 3\n"),
        (
            "# Step 2: Add.\ndef f(n):\n\n    # Steps of f\n    return n\n\n",
            "# Step 2: Add.\ndef f(n):\n\n    # Steps of f\n    return n\n",
        ),
        ("# Step 2: The answer is \\boxed{5}", "# Step 2: The answer is \\boxed{5}\n"),
        ("Step 2: Add\n```python\nx = 3\n```", "# Step 2: Add\nx = 3\n"),
        ("### Step 2: Add\n```python\nx = 3\n```\n", "# Step 2: Add\nx = 3\n"),
        ("Set `x`:\n```python\nx = 3\n# Step 3: On\n```\n", "# Step 2: Set `x`\nx = 3\n"),
        ("Let's go on.\n\n# Step 2: Add\nx = 3", "# Step 2: Add\nx = 3\n"),
        (
            "# Step 2: Text\ns = '''\n# Step 9 of it\n'''\nprint(s)\n# Step 3: On\nx = 1",
            "# Step 2: Text\ns = '''\n# Step 9 of it\n'''\nprint(s)\n",
        ),
    ],
)
def test_replies_become_steps_with_code(raw: str, step: str) -> None:
    assert CODING.normalise(raw, ("# Step 1: Begin.\na = 1\n",)).step == step


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("x = 3 + 4\n", "no sentence"),
        ("x = 3 + 4\n# Step 3: Go on.\ny = 1", "no sentence"),
        ("# Step 2: Think.\n# And again.\n", "no code"),
        ("# Step 2: Begin.\na = 1", "repeated"),
        ("```\n", "empty"),
    ],
)
def test_a_step_with_code_has_a_sentence_and_python(raw: str, reason: str) -> None:
    assert CODING.normalise(raw, ("# Step 1: Begin.\na = 1\n",)).reason == reason
    cut = CODING.normalise("# Step 2: Add.\nx = 12", (), unfinished=True)
    assert cut.reason == "unfinished"


@pytest.mark.parametrize(
    ("last", "printed", "answer"),
    [
        ('# Step 2: Print.\nprint("The answer is", x)\n', "so far\nThe answer is 5\n", "5"),
        ("# Step 2: Box.\nprint(text)\n", "\\boxed{\\frac{1}{2}}\n", "\\frac{1}{2}"),
        ("# Step 2: So the answer is \\boxed{6}.\n", "", "6"),
        ("# Step 2: The answer is 6.\n", "The answer is 5\n", "5"),
        ("# Step 2: The answer is 6.\n", None, "6"),
    ],
)
def test_what_a_program_printed_is_its_answer(last: str, printed: str | None, answer: str) -> None:
    steps = ("# Step 1: Begin.\na = 1\n", last)
    assert CODING.ending(steps, printed).finished
    stated = CODING.ending(steps, printed)
    assert stated.answer == answer


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("Let's go on.\n\n# Step 2: Add\nx = 3\n", False),
        ("Let's go on.\n\n# Step 2: Add\nx = 3\n# Step 3", True),
        ("Step 2: Add\n```python\nx = 3\n", False),
        ("Step 2: Add\n```python\nx = 3\n```\n", True),
        ("# Step 2: Text\ns = '''\n# Step 9 of it\n", False),
        ("# Step 2: Text\ns = '''\n# Step 9 of it\n'''\n# Step 3", True),
    ],
)
def test_a_step_with_code_ends_where_the_next_begins(text: str, whole: bool) -> None:
    assert CODING.is_whole(text) is whole


@pytest.mark.parametrize(
    ("printed", "gold"),
    [
        ("[2, 3]", "2,3"),
        ("[2 3]", "2,3"),
        ("[-1/2 - sqrt(3)*I/2, 1]", r"-\frac{1}{2}-\frac{\sqrt{3}}{2}i, 1"),
        ("{x: 3}", "3"),
        ("5.000000000000001", "5"),
        ("-4.999999999999999 cm", "-5 cm"),
        ("0.30000000000000004", "0.3"),
        ("(5.999999999999999-5j)", "6-5i"),
        ("np.float64(2.5)", "2.5"),
        ("Fraction(-1, 3)", r"-\frac13"),
        ("6 - 5*I", "6-5i"),
        ("-1/2 + sqrt(3)*I/2", r"-\frac{1}{2}+\frac{\sqrt{3}}{2}i"),
        ("2*exp(3)", "2e^3"),
        ("-oo", r"-\infty"),
        ("Interval(-2, 7)", "[-2,7]"),
        ("Union(Interval.open(-oo, 2), Interval.Ropen(3, 4))", r"(-\infty,2)\cup[3,4)"),
        ("Matrix([[1], [2]])", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        ("3*x**10 + 1", "3x^{10}+1"),
        ("(1, 2)", "(1,2)"),
        ("True", "Yes"),
    ],
)
def test_answers_as_python_prints_them_are_read(printed: str, gold: str) -> None:
    for line in (f"The answer is {printed}", printed):
        stated = CODING.ending(("# Step 1: Print.\nprint(x)\n",), f"{line}\n")
        assert grade(stated.answer, gold), stated


def test_answers_that_are_no_python_stay_as_they_are() -> None:
    same = ["E", "I", "5 apples", "1/3", "0.3333333333333333", "x = 5", "sqrt(2", "f(1e999)"]
    hostile = ["(" * 400, "-" * 900 + "1", "1" * 990, "1e" + "9" * 99, "__import__(os).abort()"]
    for text in [*same, *hostile, "x**" * 2000]:
        assert as_written(text) == text
    stated = CODING.ending(("# Step 1: The closed interval.\nprint([a, b])\n",), "[2, 3]\n")
    assert stated[1:] == ("[2, 3]", "[2, 3]"), "two values in brackets may be an interval"
    stated = CODING.ending(("# Step 1: Print.\n",), "in all 0.30000000000000004\n")
    assert stated.answer == "0.3"


def test_code_that_has_not_printed_an_answer_goes_on() -> None:
    called = ('# Step 1: The answer is near.\ndef f(): print("The answer is", 1)\n',)
    assert not CODING.ending(called, "").finished
    assert CODING.ending(called, "").answer is None
    assert not CODING.ending(called, "7\n").finished
    assert CODING.ending(called, "6\n7\n") == (False, "7", "7")


def test_a_model_trained_on_one_layout_keeps_it_where_code_runs() -> None:
    assert LINES.for_code() is LINES
    assert CODING.for_code() is CODING
    assert "Python program" in CODING.prompt
