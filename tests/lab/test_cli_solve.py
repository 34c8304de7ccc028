"""`lab solve` as a person runs it: real processes, a real store, the bundled models."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.tasks.problems import bundled_problems
from tests.lab.test_cli import ESCAPE, HOSTILE, Done, interrupted, lab

PROBLEMS = bundled_problems("stories-heldout")[:4]
OPTIONS = ["--iterations", "3", "--seed", "1", "--parallel", "3", "--param", "branch=2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("solved")


@pytest.fixture(scope="module")
def data(home: Path) -> str:
    rows: list[Any] = [
        {"text": problem.content, "right": f"So many.\n#### {problem.answer}"}
        for problem in PROBLEMS
    ]
    rows[2:2] = [{"text": " "}, {"text": f" {PROBLEMS[0].content}"}]
    rows.append({"text": HOSTILE})
    path = home / "data.jsonl"
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join([*lines, "{not JSON \x1b[2J"]) + "\n")
    return str(path)


def solve(data: str, home: Path, *more: str) -> Done:
    fields = ["--field", "content=text", "--field", "answer=right"]
    return lab("solve", data, *fields, *OPTIONS, "--name", "mine", *more, home=home)


@pytest.fixture(scope="module")
def solved(data: str, home: Path) -> Done:
    return solve(data, home, "--json")


def test_a_dataset_as_json(solved: Done, data: str, home: Path) -> None:
    found = solved.json
    assert (found["name"], found["algorithm"], found["seed"]) == ("mine", "mcts_star", 1)
    assert found["params"]["branch"] == 2
    assert found["limits"] == {"iterations": 3, "tokens": None}
    assert found["dataset"]["source"] == data
    assert found["dataset"]["fields"] == {"content": "text", "answer": "right"}
    assert [row["place"] for row in found["dataset"]["rejected"]] == ["line 3", "line 8"]
    assert [row["place"] for row in found["dataset"]["repeated"]] == ["line 4"]
    assert (found["complete"], found["problems"], found["done"]) == (True, 5, 5)
    assert (found["failed"], found["ungraded"]) == (0, 1)
    assert found["right"] + found["wrong"] == 4
    assert found["accuracy"]["estimate"] == found["right"] / 4
    assert found["tokens"] == sum(result["tokens"] for result in found["results"]) > 0
    assert found["problems_per_second"] == found["done"] / found["seconds"]
    assert [result["place"] for result in found["results"]] == [
        "line 1", "line 2", "line 5", "line 6", "line 7",
    ]  # fmt: skip
    assert [result["gold"] for result in found["results"][:4]] == [one.answer for one in PROBLEMS]
    assert found["page"] == "lab"


def test_what_was_read_is_told_without_control_characters(solved: Done) -> None:
    assert "5 problems (content from 'text', answer from 'right'); 1 without" in solved.err
    assert "line 3: 'text' is missing or empty" in solved.err
    assert "line 4: asks what line 1 asks" in solved.err
    assert "line 8: not JSON" in solved.err
    assert ESCAPE not in solved.err


def test_every_session_is_a_session_like_any_other(solved: Done, home: Path) -> None:
    result = solved.json["results"][1]
    shown = lab("sessions", "show", result["session"], "--json", home=home).json
    assert shown["question"] == PROBLEMS[1].content
    assert (shown["answer"], shown["iterations"]) == (result["answer"], 3)
    assert shown["tokens"]["policy"]["generated"] == result["tokens"]
    options = [*OPTIONS[:4], *OPTIONS[6:]]
    alone = lab("search", PROBLEMS[1].content, *options, "--json", home=home / "alone").json
    assert [step["text"] for step in alone["best"]["steps"]] == [
        step["text"] for step in shown["best"]["steps"]
    ]
    assert (alone["answer"], alone["nodes"]) == (shown["answer"], shown["nodes"])


def test_the_same_command_does_nothing_twice(solved: Done, data: str, home: Path) -> None:
    again = solve(data, home)
    assert again.code == 0, again.err
    batch = solved.json["batch"]
    assert f"Going on with batch {batch}: 5 of 5 are done." in again.err
    assert re.search(r"right +\d of 4", again.out)
    assert re.search(r"accuracy +\d+\.\d % \(\d+\.\d to \d+\.\d % at 95 %\)", again.out)
    assert f"lab sessions list --batch {batch}" in again.out
    sessions = solve(data, home, "--json").json["results"]
    assert sessions == solved.json["results"]


def test_a_batch_is_one_line_in_the_list(solved: Done, home: Path) -> None:
    batch = solved.json["batch"]
    listed = lab("sessions", "list", home=home).out
    assert f"see --batch {batch}" in " ".join(listed.split())
    assert solved.json["results"][0]["session"] not in listed
    for options in (["--all"], ["--batch", batch[:5]]):
        listed = lab("sessions", "list", *options, home=home).out
        assert all(result["session"] in listed for result in solved.json["results"])
    found = lab("sessions", "list", "--json", home=home).json
    assert [row["batch"] for row in found["sessions"]] == [batch] * 5
    assert [(row["id"], row["done"]) for row in found["batches"]] == [(batch, 5)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jsonl"], "no file or folder 'nowhere.jsonl'"),
        (["heldout", "--split", "test"], "no splits"),
        (["heldout", "--field", "content"], "--field takes NAME=FIELD"),
        (["heldout", "--field", "content=text"], "no field 'text'"),
        (["heldout", "--field", "contents=text"], "no field 'contents'"),
        (["heldout", "--limit", "0"], "--limit"),
        (["heldout", "--parallel", "0"], "--parallel"),
        (["heldout", "--param", "branch"], "NAME=VALUE"),
        (["heldout", "--method", "magic"], "no algorithm 'magic'"),
        (["heldout", "--policy", "/nowhere"], "no model directory"),
    ],
)
def test_bad_input_makes_no_batch(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = lab("solve", *arguments, home=tmp_path)
    assert done.code == 2, done.err
    assert words in " ".join(done.err.replace("│", " ").split())
    assert done.out == ""
    assert "Traceback" not in done.err


def test_an_unknown_batch(tmp_path: Path) -> None:
    done = lab("sessions", "list", "--batch", "f00", home=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "no batch 'f00'" in done.err


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(tmp_path: Path) -> None:
    arguments = ["solve", "heldout", "--limit", "6", "--parallel", "2", "--iterations", "12"]
    code, out, err = interrupted(tmp_path, *arguments, "--fresh", "--json")
    assert code == 130, err
    assert "Traceback" not in err
    again = re.search(r"Go on with: lab (.+)", err)
    assert again, err
    assert again[1].split() == [*arguments, "--json"]
    found = json.loads(out)
    assert not found["complete"]
    assert found["done"] < 6
    begun = {result["place"]: result["session"] for result in found["results"]}
    assert begun
    finished = lab(*again[1].split(), home=tmp_path).json
    assert (finished["batch"], finished["complete"]) == (found["batch"], True)
    now = {result["place"]: result["session"] for result in finished["results"]}
    assert begun.items() <= now.items()
