"""`lab grade` and `lab read`: lines in, lines out."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lab.cli import app

CASES = Path(__file__).parents[1] / "engine" / "tasks"
Lines = Callable[..., list[dict[str, Any]]]


def lines(*arguments: str, given: str | None = None, code: int = 0) -> list[dict[str, Any]]:
    found = CliRunner().invoke(app, list(arguments), input=given)
    assert found.exit_code == code, found.output
    return [json.loads(line) for line in io.StringIO(found.stdout)]


@pytest.mark.parametrize("name", ["grading", "reading"])
def test_every_case_is_judged_rightly(name: str) -> None:
    wanted = [json.loads(line) for line in (CASES / f"{name}.jsonl").read_text().splitlines()]
    found = lines("grade", str(CASES / f"{name}.jsonl"))
    assert [one["correct"] for one in found] == [one["correct"] for one in wanted]
    assert all(one["kind"] for one in found), "other fields come back"


def test_every_reply_is_read_as_a_search_reads_it() -> None:
    wanted = [json.loads(line) for line in (CASES / "steps.jsonl").read_text().splitlines()]
    for one, case in zip(lines("read", str(CASES / "steps.jsonl")), wanted, strict=True):
        steps = [step.strip().replace("\r\n", "\n") for step in one["steps"]]
        assert steps == case["steps"]
        assert (one["finished"], one["answer"]) == (case["finished"], case["answer"])
        assert one["refused"] == []


def test_the_step_format_can_be_named_or_lie_in_a_file(tmp_path: Path) -> None:
    given = json.dumps({"reply": "Step 1: 1 + 1 = 2\n\n- Step 2: 1 + 1 = 2\n#### 2"})
    (found,) = lines("read", "--step-format", "numbered", given=given)
    assert found["steps"] == ["Step 1: 1 + 1 = 2\n", "Step 2: #### 2\n"]
    assert found["refused"] == [{"text": "- Step 2: 1 + 1 = 2\n", "reason": "repeated"}]
    assert (found["finished"], found["answer"]) == (True, "2")
    own = tmp_path / "own.json"
    own.write_text('{"kind": "natural", "unit": "line"}')
    (found,) = lines("read", "--step-format", str(own), given='{"reply": "a\\nb\\nc"}')
    assert found["steps"] == ["a\n", "b\n", "c"]
    (found,) = lines("read", "--policy", "bundled", given='{"reply": "1 + 1 = 2\\nAnswer: 2"}')
    assert found["steps"] == ["1 + 1 = 2\n", "Answer: 2\n"]


def test_a_line_that_is_none_spoils_no_other() -> None:
    given = 'x\n{"gold": "1"}\n[1]\n\n{"gold": "2", "answer": 2.0}\n{"gold": null, "answer": "4"}\n'
    found = lines("grade", given=given, code=2)
    assert [one.get("line") for one in found] == [1, 2, 3, None, None]
    assert [one.get("correct") for one in found[3:]] == [True, None]
    assert "neither" in found[1]["error"]
    assert lines("read", given='{"reply": 5}\n{}\n', code=2)[1]["error"]


def test_an_unknown_format_or_file_is_refused(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["read", "--step-format", "nat"], input="")
    assert found.exit_code != 0
    assert "natural, numbered" in str(found.exception)
    assert CliRunner().invoke(app, ["grade", str(tmp_path / "none")]).exit_code != 0
