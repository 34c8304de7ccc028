"""Problem files, and errors that name the line."""

from pathlib import Path

import pytest

from engine.errors import TaskError
from engine.tasks.problems import (
    Problem,
    bundled_files,
    bundled_problems,
    read_problems,
)


def test_problems_are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '{"id": 1, "content": "1 + 1?", "answer": 2, "extra": []}\n'
        "\n"
        '{"id": "b", "content": "\u00bd of 4?\u2028", "answer": "2", "steps": 3}\n',
        encoding="utf-8",
    )
    assert read_problems(path) == [
        Problem("1", "1 + 1?", "2"),
        Problem("b", "\u00bd of 4?\u2028", "2", 3),
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "holds no problem"),
        ('{"id": "a", "content": "q", "answer": "1"}\n{"id"', "line 2: not JSON"),
        ("[1]", "line 1: a problem is an object"),
        ('{"id": "a", "content": "q"}', 'line 1: "answer" is missing'),
        ('{"id": "a", "content": 3, "answer": "1"}', '"content" is missing or not a text'),
        ('{"id": "a", "content": "q", "answer": "1", "steps": "x"}', "line 1: .*steps"),
        ('{"id": "a", "content": "q", "answer": "1"}\n' * 2, "'a' twice"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_bad_file_names_the_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(TaskError, match=says):
        read_problems(path)


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(TaskError, match="cannot be read"):
        read_problems(Path("/nowhere/at/all.jsonl"))


def test_bundled_problems_are_there() -> None:
    assert {"stories-dev", "stories-heldout", "stories-pool"} <= set(bundled_files())
    problems = bundled_problems("stories-dev")
    assert len(problems) >= 500
    assert {problem.split for problem in problems} == {"dev"}
    with pytest.raises(TaskError, match="stories-dev"):
        bundled_problems("nothing")
