"""Problems from files of all kinds, and rows that are none, told by their place."""

import csv
import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import ParameterError, TaskError
from engine.tasks.datasets import Dataset, Rejected, read_dataset
from engine.tasks.posing import final_answer
from engine.tasks.problems import LONGEST_QUESTION, bundled_problems

ROWS = [
    {"question": "What is 1 + 1?", "answer": "We add.\n#### 2"},
    {"question": "What is 2 + 3?", "answer": "5"},
    {"question": "Halve ½ of 4,\nplease?", "answer": "1"},
]
CONTENTS = [row["question"] for row in ROWS]


def jsonl(path: Path, *rows: Any) -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def parquet(path: Path, rows: list[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def contents(found: Dataset) -> list[str]:
    return [problem.content for problem in found.problems]


def write(kind: str, folder: Path) -> str:
    """The rows of these tests in a file of some kind."""
    path = folder / f"mine.{kind.partition(' ')[0]}"
    if kind == "jsonl":
        return jsonl(path, *ROWS)
    if kind == "json list":
        path.write_text(json.dumps(ROWS, indent=1), encoding="utf-8-sig")
    elif kind == "json lines":
        jsonl(path, *ROWS)
    elif kind == "jsonl list":
        path.write_text(json.dumps(ROWS))
    elif kind == "parquet":
        parquet(path, ROWS)
    elif kind == "saved":
        datasets.Dataset.from_list(ROWS).save_to_disk(folder / "saved")
        return str(folder / "saved")
    else:
        delimiter = {"csv": ",", "csv semicolon": ";", "tsv": "\t"}[kind]
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, ["question", "answer"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(ROWS)
    return str(path)


KINDS = ["jsonl", "json list", "json lines", "jsonl list", "csv", "csv semicolon", "tsv"]


@pytest.mark.parametrize("kind", [*KINDS, "parquet", "saved"])
def test_the_same_problems_from_every_kind_of_file(kind: str, tmp_path: Path) -> None:
    found = read_dataset(write(kind, tmp_path))
    assert contents(found) == CONTENTS
    assert [problem.answer for problem in found.problems] == ["2", "5", "1"]
    assert found.fields == {"content": "question", "answer": "answer"}
    assert (found.rejected, found.repeated, found.ungraded) == ([], [], 0)
    assert found.digest == read_dataset(jsonl(tmp_path / "same.jsonl", *ROWS)).digest
    assert read_dataset(found.source, limit=2).digest != found.digest
    assert contents(read_dataset(found.source, limit=2)) == CONTENTS[:2]


def test_fields_are_found_or_mapped_and_answers_read(tmp_path: Path) -> None:
    source = jsonl(
        tmp_path / "mine.jsonl",
        {"nr": 7, "prompt": "A?", "solution": r"So \boxed{\frac{1}{2}}.", "steps": "wrong"},
        {"nr": 8, "prompt": "B?", "solution": "Then the answer is 12 apples."},
        {"nr": "c", "prompt": "C?", "solution": 2.5},
        {"nr": None, "prompt": "D?", "solution": " "},
        {"nr": 9, "prompt": "E?"},
        {"nr": 10, "prompt": "F?", "solution": "x^2 + 1"},
    )
    found = read_dataset(source, {"id": "nr"})
    assert found.fields == {"content": "prompt", "answer": "solution", "id": "nr"}
    assert [problem.id for problem in found.problems] == ["7", "8", "c", "", "9", "10"]
    answers = [problem.answer for problem in found.problems]
    assert answers == [r"\frac{1}{2}", "12 apples", "2.5", None, None, "x^2 + 1"]
    assert found.ungraded == 2
    assert [problem.label for problem in found.problems][3:5] == ["line 4", "9"]
    other = read_dataset(source, {"content": "steps", "answer": "nr"}, limit=1)
    assert (other.problems[0].content, other.problems[0].answer) == ("wrong", "7")
    with pytest.raises(TaskError, match=r"no field 'text'; its fields are: 'nr', 'prompt'"):
        read_dataset(source, {"content": "text"})
    with pytest.raises(ParameterError, match="no field 'contents' to be mapped"):
        read_dataset(source, {"contents": "prompt"})


def test_bad_rows_are_told_by_their_line_and_the_rest_runs(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows: list[Any] = [
        {"id": 1, "content": "First?", "answer": "1"},
        '{"id": 2, "content"',
        "[1, 2]",
        '"text"',
        {"id": 3, "answer": "1"},
        {"id": 4, "content": "  "},
        {"id": 5, "content": 12},
        {"id": 6, "content": "q", "answer": {"a": 1}},
        {"id": 7, "content": "q", "answer": [[1]]},
        {"id": [8], "content": "q"},
        {"id": 9, "content": "x" * (LONGEST_QUESTION + 1)},
        r'{"id": 10, "content": "\ud800"}',
        "[" * 100_000,
        "",
        {"id": 11, "content": " First?\n"},
        {"id": 1, "content": "Another?"},
        '{"id": 12, "content": "Third?", "answer": NaN}',
        '{"id": 13, "content": "a\udcff"}',
    ]
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    found = read_dataset(str(path))
    assert contents(found) == ["First?", "Another?"]
    assert [problem.id for problem in found.problems] == ["1", "1"]
    told = {item.place: item.reason for item in found.rejected}
    assert list(told) == [f"line {n}" for n in (*range(2, 14), 17, 18)]
    for line, words in [
        (2, "not JSON"),
        (3, "a list, not an object"),
        (4, "a text, not an object"),
        (5, "'content' is missing or empty"),
        (6, "'content' is missing or empty"),
        (7, "'content' is a number, not a text"),
        (8, "'answer' is an object"),
        (9, "'answer' is a list"),
        (10, "'id' is a list"),
        (11, "'content' has 20,001 characters; it can have 20,000"),
        (12, "not valid Unicode"),
        (17, "'answer' is NaN"),
        (18, "not JSON"),
    ]:
        assert words in told[f"line {line}"]
    assert found.repeated == [Rejected("line 15", "asks what line 1 asks")]


def test_rows_of_a_csv_file_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    long = "y" * 200_000
    path.write_bytes(
        b"question,answer\n"
        b'"Two\nlines?",2\n'
        b"One,two,three\n"
        b"\n" + f'"{long}\n",1\n'.encode() + b"\xff\xfe?,1\n"
        b"Last?,\n"
        b'"never closed,1\nmore?,2\n'
    )
    found = read_dataset(str(path))
    assert contents(found) == ["Two\nlines?", "Last?"]
    told = {item.place: item.reason for item in found.rejected}
    assert list(told) == ["line 4", "line 6", "line 8", "line 10"]
    assert "3 values, and the header names 2 fields" in told["line 4"]
    assert "200,000 characters" in told["line 6"]
    assert "not valid Unicode" in told["line 8"]
    assert "not a row" in told["line 10"]


def test_rows_of_parquet_are_told_by_number(tmp_path: Path) -> None:
    rows = [{"problem": text, "target": n, "more": [n]} for n, text in enumerate("abc")]
    source = parquet(tmp_path / "a.parquet", [*rows, {"problem": None}, rows[1]])
    found = read_dataset(source)
    assert [problem.answer for problem in found.problems] == ["0", "1", "2"]
    assert found.rejected == [Rejected("row 4", "'problem' is missing or empty")]
    assert found.repeated == [Rejected("row 5", "asks what row 2 asks")]


def test_splits_of_a_folder(tmp_path: Path) -> None:
    for name, rows in {
        "data/train-00000-of-00002": ROWS[:1],
        "data/train-00001-of-00002": ROWS[1:2],
        "data/test-00000-of-00001": ROWS[2:],
    }.items():
        parquet(tmp_path / f"{name}.parquet", rows)
    (tmp_path / "dataset_infos.json").write_text("{}")
    (tmp_path / ".hidden.jsonl").write_text("x")
    with pytest.raises(TaskError, match=r"several splits: name one of test, train\."):
        read_dataset(str(tmp_path))
    with pytest.raises(TaskError, match=r"no split 'dev'; there are: test, train\."):
        read_dataset(str(tmp_path), split="dev")
    train = read_dataset(str(tmp_path), split="train")
    assert contents(train) == CONTENTS[:2]
    assert train.problems[1].place == "data/train-00001-of-00002.parquet, row 1"
    assert contents(read_dataset(str(tmp_path), split="test")) == CONTENTS[2:]


def test_a_folder_of_one_problem_a_file(tmp_path: Path) -> None:
    for number, row in enumerate(ROWS):
        folder = tmp_path / ("test" if number == 2 else "train") / "algebra"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.json").write_text(json.dumps(row, indent=2))
    found = read_dataset(str(tmp_path), split="train")
    assert contents(found) == CONTENTS[:2]
    assert found.problems[1].place == "train/algebra/1.json, item 1"
    assert contents(read_dataset(str(tmp_path / "test"))) == CONTENTS[2:]


def test_splits_of_a_saved_dataset(tmp_path: Path) -> None:
    saved = datasets.DatasetDict(
        {
            "train": datasets.Dataset.from_list(ROWS).select([2, 0]),
            "test": datasets.Dataset.from_list(ROWS[1:2]),
        }
    )
    saved.save_to_disk(tmp_path / "saved")
    with pytest.raises(TaskError, match="several splits: name one of train, test"):
        read_dataset(str(tmp_path / "saved"))
    found = read_dataset(str(tmp_path / "saved"), split="train")
    assert contents(found) == [CONTENTS[2], CONTENTS[0]]
    assert found.problems[0].place == "row 1"
    (tmp_path / "saved" / "dataset_dict.json").write_text('{"splits": ["../elsewhere"]}')
    with pytest.raises(TaskError, match="outside the folder"):
        read_dataset(str(tmp_path / "saved"))


def test_bundled_problems_are_a_dataset() -> None:
    found = read_dataset("heldout", limit=20)
    wanted = bundled_problems("stories-heldout")[:20]
    assert [(one.id, one.content, one.answer) for one in found.problems] == [
        (one.id, one.content, one.answer) for one in wanted
    ]
    with pytest.raises(TaskError, match="no splits"):
        read_dataset("heldout", split="test")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b"", "no field with questions"),
        ("a.jsonl", b"{}\n", "no field with questions"),
        ("a.jsonl", b'{"text": "x", "b": 1}\n', "They are: 'text', 'b'"),
        ("a.jsonl", b'{"content": ""}\n', "holds no problem: line 1: 'content' is missing"),
        ("a.json", b"[1, 2", "cannot be read: not JSON"),
        ("a.csv", b"", "names no fields"),
        ("a.parquet", b"PAR1 no parquet", "cannot be read"),
        ("a.txt", b"x", "no data file by its name"),
        ("folder/a.txt", b"x", "holds no data file"),
        ("state.json", b"{", "cannot be read"),
    ],
)
def test_what_is_no_dataset(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    whole_folder = name in ("folder/a.txt", "state.json")
    with pytest.raises(TaskError, match=says):
        read_dataset(str(path.parent if whole_folder else path))


def test_a_name_that_is_nothing() -> None:
    with pytest.raises(TaskError, match="no file or folder 'nothing', nor bundled problems"):
        read_dataset("nothing")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("She makes 9 * 2 = $<<9*2=18>>18.\n#### 18", "18"),
        ("#### 1,234\nthanks", "1,234"),
        ("####", ""),
        (r"$\boxed{\text{blue}}$, then \boxed{7}", "7"),
        (r"$\boxed{6}$ or \boxed{7}", "6, 7"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"\left( 3, \frac{\pi}{2} \right)"),
        ("Answer: 3", "3"),
        ("first 3\nthen 4", "4"),
        (" blue ", "blue"),
    ],
)
def test_the_final_answer_of_a_field(text: str, answer: str) -> None:
    assert final_answer(text) == answer
