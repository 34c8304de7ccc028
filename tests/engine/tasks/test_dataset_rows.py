"""Rows as datasets write them: what is asked, what counts as right, and why a row is refused.

`dataset_rows.jsonl` has rows of each form in words of our own: `asked` and `gold` are the whole
question and the right answer, `right` and `wrong` answers to it; `refused` is a part of the reason.
"""

import csv
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import TaskError
from engine.tasks.benchmarks import SHAPES, near, shape_of
from engine.tasks.datasets import Dataset, read_dataset
from engine.tasks.grading import grade
from engine.tasks.options import named_in, options_of, shown
from engine.tasks.posing import posed
from engine.tasks.questions import filled, joined

ROWS: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__).with_name("dataset_rows.jsonl").read_text("utf-8").splitlines()
]


def read(folder: Path, *rows: Any, fields: dict[str, str] | None = None) -> Dataset:
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return read_dataset(str(path), fields)


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case["name"])
def test_a_row_is_asked_whole_or_refused(case: dict[str, Any], tmp_path: Path) -> None:
    good = case["row"] | {}
    if "refused" in case:
        with pytest.raises(TaskError) as caught:
            read(tmp_path, good)
        assert case["refused"] in str(caught.value)
        return
    (problem,) = read(tmp_path, good).problems
    assert (problem.content, problem.answer) == (case["asked"], case["gold"])
    assert problem.id == case.get("id", problem.id)
    for right in (True, False):
        for said in case["right" if right else "wrong"]:
            assert grade(said, problem.answer) is right, said


def test_the_right_answer_among_wrong_ones_stands_anywhere_and_always_there(tmp_path: Path) -> None:
    rows = [
        {
            "Record ID": f"r{k}",
            "Question": f"Question {k}?",
            "Correct Answer": "right",
            "Incorrect Answer 1": "one",
            "Incorrect Answer 2": "two",
            "Incorrect Answer 3": "three",
        }
        for k in range(40)
    ]
    found = read(tmp_path, *rows)
    assert found.problems == read(tmp_path, *rows).problems
    assert {problem.answer for problem in found.problems} == {
        f"option {letter}: right" for letter in "ABCD"
    }
    for problem in found.problems:
        assert problem.answer is not None
        assert f"\n{problem.answer.removeprefix('option ').replace(':', '.')}\n" in problem.content
    assert found.problems[3].id == "r3"
    other_order = {**rows[0], "Incorrect Answer 1": "three", "Incorrect Answer 3": "one"}
    assert read(tmp_path, other_order).problems[0].content == found.problems[0].content


@pytest.mark.parametrize(
    ("indexes", "golds"),
    [
        ([0, 1, 2] * 8, ["A", "B", "C"] * 8),
        ([1, 2, 3] * 8, ["A", "B", "C"] * 8),
        (["1", "2", "3"] * 8, ["A", "B", "C"] * 8),
        ([1, 2] * 12, ["B", "C"] * 12),
        ([1, 2, 3], ["B", "C"]),
    ],
)
def test_indexes_from_one_on_are_known_by_the_last(
    indexes: list[Any], golds: list[str], tmp_path: Path
) -> None:
    rows = [
        {"question": f"{k}?", "options": ["x", "y", "z"], "answer": index}
        for k, index in enumerate(indexes)
    ]
    found = read(tmp_path, *rows)
    answers = [problem.answer or "" for problem in found.problems]
    assert [answer.split(":")[0] for answer in answers] == [f"option {one}" for one in golds]


def test_an_index_that_is_too_large_where_others_count_from_zero(tmp_path: Path) -> None:
    rows = [{"question": f"{k}?", "options": ["x", "y"], "answer": k} for k in range(3)]
    found = read(tmp_path, *rows)
    assert [problem.answer for problem in found.problems] == ["option A: x", "option B: y"]
    assert found.rejected[0].place == "line 3"


def test_fields_are_joined_as_they_are_named(tmp_path: Path) -> None:
    row = {"Story": "Ann has 3 nuts", "Ask": "How many?", "a, b": "5", "Right": 3.0, "T": "0.5"}
    found = read(tmp_path, row, fields={"content": "Story,Ask", "answer": "Right"})
    assert found.fields == {"content": "Story,Ask", "answer": "Right"}
    assert found.problems[0].content == "Ann has 3 nuts. How many?"
    other = read(tmp_path, row, fields={"content": "a, b", "answer": "Right", "tolerance": "T"})
    assert other.problems[0].content == "5"
    assert other.problems[0].answer == "3 within 0.5"
    fixed = read(tmp_path, row, fields={"content": "Ask", "answer": "Right", "tolerance": "1 %"})
    assert fixed.problems[0].answer == "3 within 1 %"
    stated = {"content": "How long? The unit of the answer should be cm.", "answer": 50.7}
    given = {"tolerance": "1 %"}
    assert read(tmp_path, stated, fields=given).problems[0].answer == "50.7 within 1 %"
    with pytest.raises(TaskError, match="no field 'Asked'"):
        read(tmp_path, row, fields={"content": "Story,Asked"})
    with pytest.raises(TaskError, match="no field 'about 5'"):
        read(tmp_path, row, fields={"content": "Ask", "tolerance": "about 5"})


def test_options_are_mapped_too(tmp_path: Path) -> None:
    row = {"q": "Which flies?", "one": "cat", "two": "hen", "more": ["cow", "hen"], "key": "hen"}
    columns = read(tmp_path, row, fields={"content": "q", "answer": "key", "options": "one,two"})
    assert columns.problems[0].answer == "option B: hen"
    listed = read(tmp_path, row, fields={"content": "q", "answer": "key", "options": "more"})
    assert "A. cow\nB. hen" in listed.problems[0].content


def test_repeated_questions_are_told_by_the_whole_question(tmp_path: Path) -> None:
    row = {"id": "1", "question": "Which?", "options": ["hen", "cat"], "answer": 0}
    found = read(
        tmp_path,
        row,
        {**row, "options": ["cow", "cat"]},
        {**row, "id": "2"},
        {**row, "question": " Which?\n", "answer": 1},
    )
    assert [problem.place for problem in found.problems] == ["line 1", "line 2"]
    same, other = found.repeated
    assert (same.place, same.reason) == ("line 3", "asks what line 1 asks")
    assert other.reason.startswith("asks what line 1 asks, with another answer: 'option B: cat'")


def test_placeholders_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "dev.csv"
    asked = "Ann has number0 nuts . Half ?"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [
                ["Question", "Numbers", "Equation", "Answer", "Body"],
                [asked, "8.0", "/ number0 2", "4.0", "Ann has number0 nuts ."],
                [asked.replace("0", "1"), "8.0", "/ number0 2", "4.0", ""],
            ]
        )
    found = read_dataset(str(path))
    assert [problem.content for problem in found.problems] == ["Ann has 8 nuts . Half ?"]
    assert [item.place for item in found.rejected] == ["line 3"]


def test_objects_that_hold_rows(tmp_path: Path) -> None:
    rows = {
        "17": {"question": "2 + 3?", "answer": "5"},
        "18": {"question": "1 + 3?", "answer": "4"},
    }
    for value, ids in ((rows, ["17", "18"]), ({"data": list(rows.values()), "v": 1}, ["", ""])):
        path = tmp_path / "rows.json"
        path.write_text(json.dumps(value, indent=1))
        found = read_dataset(str(path))
        assert [(problem.id, problem.answer) for problem in found.problems] == list(
            zip(ids, ["5", "4"], strict=True)
        )


@pytest.mark.parametrize(
    ("number", "unit", "tolerance", "gold"),
    [
        ("9.8", "m/s^2", "5 %", "9.8 m/s^2 within 5 %"),
        ("9.8", "", "0.5%", "9.8 within 0.5 %"),
        ("10", "", "1e-1", "10 within 0.1"),
        ("0", "", "5 %", "0 within 5 %"),
        ("3 to 4", "m", "5 %", "3 to 4"),
        ("3", "", "0", "3"),
        ("", "m", "5 %", ""),
    ],
)
def test_a_tolerance_is_stated_in_the_answer(
    number: str, unit: str, tolerance: str, gold: str
) -> None:
    assert near(number, unit, tolerance) == gold


@pytest.mark.parametrize(
    ("number", "tolerance"), [("3", "about 1"), ("3", "-1"), ("3", "100 %"), ("3", "1 or 2")]
)
def test_a_tolerance_that_cannot_be_compared(number: str, tolerance: str) -> None:
    with pytest.raises(TaskError, match="tolerance"):
        near(number, "", tolerance)


_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
_SHORT = st.sampled_from(
    ["A", "b", "2", "7", "1.0", "Tin", "A)x B)y", "['a', 'b']", "(c)", "AC", "number0", "<image>",
     "5 %", "nan", "", " ", "#### 3", "\\boxed{2}", "Yes", "[[", "A. x\nB. y"]
)  # fmt: skip
_CELL = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | _SHORT | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_SHORT, inner, max_size=3),
    max_leaves=6,
)
_NAMES = sorted(
    {name for case in ROWS for name in case["row"]}
    | {name for shape in SHAPES for name in (*shape.known_by, *shape.content) if "." not in name}
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(_NAMES), _CELL, min_size=1, max_size=7))
def test_any_row_is_asked_or_refused_in_words(row: dict[str, Any]) -> None:
    inside = [f"{k}.{inner}" for k, v in row.items() if isinstance(v, dict) for inner in v]
    shape = shape_of([*row, *inside])
    if not shape.content:
        return
    with suppress(TaskError):
        assert posed(row, shape).content.strip()


@pytest.mark.parametrize(
    "place", ["question", "answer", "options", "label of an option", "Numbers"]
)
def test_a_number_of_thousands_of_digits_is_refused(place: str) -> None:
    huge = 10**5000
    row: dict[str, Any] = {"question": "NUM?", "answer": "A", "options": ["x", "y"], "Numbers": [1]}
    row |= {
        "options": {"options": ["x", huge]},
        "label of an option": {"options": [{"label": huge, "text": "x"}]},
        "Numbers": {"Numbers": [huge]},
    }.get(place, {place: huge})
    with pytest.raises(TaskError, match=r"usable number|not a text"):
        posed(row, shape_of(list(row)))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.dictionaries(
    st.sampled_from(["question", "answer", "options", "label", "context", "image", "Numbers"]),
    _CELL, max_size=5), min_size=1, max_size=6))  # fmt: skip
def test_every_row_is_a_problem_refused_or_repeated(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    good = {"question": "What is 17 + 4?", "answer": "21"}
    found = read(tmp_path, good, *rows, good)
    assert len(found.problems) + len(found.rejected) + len(found.repeated) == len(rows) + 2
    assert all(item.reason for item in [*found.rejected, *found.repeated])


@given(st.lists(st.text("abcxyz 0123$\\{}()^=", min_size=1, max_size=20), min_size=2, max_size=26))
def test_options_that_are_shown_can_be_read_again(texts: list[str]) -> None:
    options = options_of("options", texts) if all(map(str.strip, texts)) else None
    if options is None:
        return
    listing = shown("Which?", options).removesuffix("Answer with the letter of the right option.")
    again = options_of("options", listing.removeprefix("Which?").strip())
    if any(")" in text for text in texts):  # "a)" inside of an option may look like a label
        return
    assert again is not None
    assert [" ".join(one.split()) for one in again.texts] == [
        " ".join(one.split()) for one in options.texts
    ]
    assert named_in(listing, "B").startswith("option B")


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=12), st.randoms())
def test_every_placeholder_gets_its_own_number(numbers: list[int], random: Any) -> None:
    places = [random.randrange(len(numbers)) for _ in range(20)]
    asked = " and ".join(f"number{place}" for place in places)
    wanted = " and ".join(str(numbers[place]) for place in places)
    assert filled(asked, " ".join(map(str, numbers))) == wanted
    assert filled(asked, [f"{one}.0" for one in numbers]) == wanted


@given(st.lists(_TEXT.map(str.strip), max_size=4))
def test_a_joined_question_has_all_its_parts(parts: list[str]) -> None:
    text = " ".join(joined(parts).split())
    assert all(" ".join(part.split()) in text for part in parts)
