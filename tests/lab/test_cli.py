"""The `lab` command as a person runs it: real processes, a real store, the bundled models.

Starting a process that loads models takes seconds, so a few runs are shared by many tests.
"""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.comparing import lasting, same
from tests.lab import fresh

STORY = (
    "Frank has 27 stamps. He hands 15 to Anna. He buys 4 more. He buys 6 more. "
    "How many stamps does Frank have now?"
)
HOSTILE = "[red]Frank[/red] \x1b[2J\x1b]0;title\x07 \u202e has {x} <b>27</b> stamps. How many?"
ESCAPE = "\x1b"


@dataclass
class Done:
    """What a process left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        assert self.code == 0, self.err
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "lab", *map(str, arguments)]


def environment(home: Path | None, **extra: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("LAB_HOME", "NO_COLOR")}
    return {**kept, **({"LAB_HOME": str(home)} if home else {}), **extra}


def lab(*arguments: str | Path, home: Path | None = None, **extra: str) -> Done:
    return Done(*fresh.run([str(one) for one in arguments], environment(home, **extra)))


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done, Done]:
    """A home with one session of three iterations in JSON and two more in text."""
    home = tmp_path_factory.mktemp("home")
    first = lab("search", STORY, "--answer", "22", "--iterations", "3", "--json", home=home)
    session = str(first.json["session"])
    second = lab("search", "--session", session, "--iterations", "2", home=home)
    return home, first, second


def test_json_is_one_object_with_the_promised_keys(searched: tuple[Path, Done, Done]) -> None:
    result = searched[1].json
    assert {
        "session", "question", "answer", "gold", "correct", "algorithm", "params", "seed",
        "iterations", "nodes", "tokens", "best", "seconds",
    } <= set(result)  # fmt: skip
    assert result["question"] == STORY
    assert result["gold"] == "22"
    assert result["iterations"] == 3
    assert result["params"]["branch"] == 3
    assert set(result["tokens"]) == {"policy", "prm"}
    counted = {"unique", "generated", "forwarded", "cached", "padded"}
    assert set(result["tokens"]["policy"]) == counted
    assert set(result["tokens"]["prm"]) == counted - {"generated"}
    assert len(result["costs"]) == 3
    for model in ("policy", "prm"):  # nothing was known before, and nothing is read twice
        assert 0 < result["tokens"][model]["forwarded"] <= result["tokens"][model]["unique"]
        assert sum(one[f"{model}_unique"] for one in result["costs"]) > 0
    assert all(set(step) >= {"text", "value"} for step in result["best"]["steps"])
    assert "Traceback" not in searched[1].err


def test_the_same_seed_gives_the_same_object_in_another_home(
    searched: tuple[Path, Done, Done], tmp_path: Path
) -> None:
    home, first, _ = searched
    session = str(first.json["session"])
    continued = lab("sessions", "show", session, "--json", home=home).json
    at_once = lab("search", STORY, "--answer", "22", "--iterations", "5", "--json", home=tmp_path)
    same(lasting(continued), lasting(at_once.json))


def test_a_search_prints_its_tree_without_colours(searched: tuple[Path, Done, Done]) -> None:
    _, first, second = searched
    assert second.code == 0, second.err
    assert ESCAPE not in second.out + second.err
    assert second.out.splitlines()[0].startswith("Frank has 27 stamps.")
    assert "5 iterations" in second.out
    assert re.search(r"\d\.\d\d n \d", second.out)
    assert str(first.json["session"]) in second.out


def test_sessions_are_listed_shown_exported_and_deleted(
    searched: tuple[Path, Done, Done], tmp_path: Path
) -> None:
    home, first, second = searched
    session = str(first.json["session"])
    # A copy, since the home is shared with other tests.
    with (
        closing(sqlite3.connect(home / "lab.sqlite")) as source,
        closing(sqlite3.connect(tmp_path / "lab.sqlite")) as target,
    ):
        source.backup(target)
    listed = lab("sessions", "list", "--json", home=tmp_path).json["sessions"]
    assert [row["id"] for row in listed] == [session]
    assert session in lab("sessions", "list", home=tmp_path).out
    assert lab("sessions", "show", session[:5], home=tmp_path).out == second.out
    exported = lab("sessions", "export", session, home=tmp_path).json
    file = tmp_path / "export.json"
    assert lab("sessions", "export", session, "-o", file, home=tmp_path).code == 0
    assert json.loads(file.read_text("ascii")) == exported
    refused = lab("sessions", "delete", session, home=tmp_path)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert lab("sessions", "delete", session, "--yes", home=tmp_path).code == 0
    assert lab("sessions", "list", "--json", home=tmp_path).json["sessions"] == []
    gone = lab("sessions", "show", session, home=tmp_path)
    assert gone.code == 2
    assert f"There is no session '{session}'" in gone.err


def test_a_hostile_question_stays_text(tmp_path: Path) -> None:
    done = lab("search", HOSTILE, "--iterations", "1", home=tmp_path)
    assert done.code == 0, done.err
    shown = done.out + done.err
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}
    assert "[red]Frank[/red] \\x1b[2J" in done.out
    listed = lab("sessions", "list", home=tmp_path)
    assert not set(listed.out) & {"\x1b", "\x07", "\u202e"}
    assert HOSTILE in [
        row["question"] for row in lab("sessions", "list", "--json", home=tmp_path).json["sessions"]
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search"], "exactly one of"),
        (["search", STORY, "--session", "x"], "exactly one of"),
        (["search", "  "], "question"),
        (["search", STORY, "--iterations", "0"], "--iterations"),
        (["search", STORY, "--param", "branch"], "NAME=VALUE"),
        (["search", STORY, "--param", "branch=65"], "whole number from 1 to 64"),
        (["search", STORY, "--param", "temperature=9"], "number from 0 to 5"),
        (["search", STORY, "--param", "brunch=3"], "no parameter 'brunch'"),
        (["search", STORY, "--algorithm", "magic"], "no algorithm 'magic'"),
        (["search", STORY, "--quant", "nf5"], "--quant"),
        (["search", "--session", "nowhere"], "no session 'nowhere'"),
        (["search", "--session", "nowhere", "--seed", "3"], "keeps its"),
        (["search", "--problem", "nowhere"], "no bundled problem 'nowhere'"),
        (["sessions", "delete", "nowhere", "--yes"], "no session 'nowhere'"),
        (["parameters", "magic"], "no algorithm 'magic'"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input_ends_with_2_and_one_clear_line(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = lab(*arguments, home=tmp_path)
    assert done.code == 2, done.err
    assert words in " ".join(done.err.replace("│", " ").split())
    assert done.out == ""
    assert "Traceback" not in done.err


def test_failures_end_with_1_and_words(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    done = lab("sessions", "list", "--home", str(file), home=tmp_path)
    assert done.code == 1, done.err
    assert done.err.startswith("Error: ")
    assert "Traceback" not in done.err
    assert done.out == ""


def test_a_missing_model_is_bad_input_and_leaves_no_session(tmp_path: Path) -> None:
    for missing in (str(tmp_path / "nothing"), "/nothing"):
        done = lab("search", STORY, "--policy", missing, "--json", home=tmp_path)
        assert done.code == 2, done.err
        assert done.err.startswith(f"Error: There is no model directory '{missing}'")
        assert done.out == ""
    assert json.loads(lab("sessions", "list", "--json", home=tmp_path).out)["sessions"] == []


def test_home_is_taken_before_and_after_every_subcommand(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for place in range(3):
        home = tmp_path / str(place)
        arguments = ["sessions", "list"]
        arguments[place:place] = ["--home", str(home)]
        assert lab(*arguments, home=elsewhere).code == 0
        assert (home / "lab.sqlite").is_file()
    assert not elsewhere.exists()


def test_every_command_takes_home() -> None:
    from typer.main import get_command

    from lab.cli import app

    waiting: list[Any] = [get_command(app)]
    while waiting:
        one = waiting.pop()
        assert "--home" in [option for param in one.params for option in param.opts], one.name
        waiting += getattr(one, "commands", {}).values()
    assert isinstance(app, typer.Typer)


def test_output_to_a_pipe_has_no_colours_whatever_the_environment_says(tmp_path: Path) -> None:
    for arguments in (["--help"], ["algorithms"], ["search"]):
        done = lab(*arguments, home=tmp_path, FORCE_COLOR="1", GITHUB_ACTIONS="true")
        assert ESCAPE not in done.out + done.err


def test_a_terminal_gets_colours_unless_they_are_unwanted(tmp_path: Path) -> None:
    coloured = re.compile(r"\x1b\[[0-9;]*m")
    assert coloured.search(on_a_terminal("parameters", home=tmp_path))
    colours = coloured.findall(on_a_terminal("parameters", home=tmp_path, NO_COLOR="1"))
    assert not [one for one in colours if re.search(r"\b[34]\d\b", one)]


def on_a_terminal(*arguments: str, home: Path, **extra: str) -> str:
    """What a command writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        env=environment(home, TERM="xterm-256color", **extra),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # Linux reports the closed other end as an error
        pass
    assert process.wait(timeout=60) == 0
    os.close(ours)
    return shown.decode()


def test_ctrl_c_keeps_finished_iterations_and_says_how_to_go_on(tmp_path: Path) -> None:
    endless = ("search", STORY, "--algorithm", "sampling", "--iterations", "100000")
    code, out, err = interrupted(tmp_path, *endless)
    assert code == 130, err
    assert "Traceback" not in err
    match = re.search(r"Go on with: lab search --session (\w+)", err)
    assert match, err
    shown = lab("sessions", "show", match[1], "--json", home=tmp_path).json
    assert shown["iterations"] >= 1
    assert f"{shown['iterations']:,} iterations" in out


def interrupted(home: Path, *arguments: str) -> tuple[int, str, str]:
    """A command that Ctrl-C ends after its first iteration; its exit code, output and errors."""
    with fresh.Command(arguments, environment(home)) as running:
        wait_for_an_iteration(home / "lab.sqlite", running)
        running.signal(signal.SIGINT)
        return running.ended()


def wait_for_an_iteration(file: Path, running: fresh.Command) -> None:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        assert running.running, running.ended()
        if file.exists():
            try:
                with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
                    row = db.execute("SELECT max(iterations) FROM sessions").fetchone()
                if row and row[0]:
                    return
            except sqlite3.OperationalError:  # not made yet
                pass
        time.sleep(0.1)
    pytest.fail("no iteration was finished in 200 s")


def test_problems_of_a_file_are_listed_with_what_is_left_out(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"Body": "Ann has 3 nuts", "Question": "How many?", "Answer": 3.0},
        {"Body": "Ann has number0 nuts", "Question": "How many?", "Answer": 3.0},
        {"Body": "Ann has 3 nuts", "Question": "How many?", "Answer": 4.0},
        {"Body": "Bo\u001b[2J has 2 nuts", "Question": "How many?", "Answer": None},
    ]
    path = tmp_path / "nuts.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    told = lab("problems", str(path), "--limit", "1", "--json", home=tmp_path)
    assert told.json["problems"] == [
        {"id": "", "content": "Ann has 3 nuts. How many?", "answer": "3", "place": "line 1"}
    ]
    assert (told.json["count"], told.json["ungraded"]) == (2, 1)
    assert [row["place"] for row in told.json["dataset"]["rejected"]] == ["line 2"]
    assert [row["place"] for row in told.json["dataset"]["repeated"]] == ["line 3"]
    assert "line 2: its question has the placeholder 'number0'" in told.err
    assert "with another answer: '4', there '3'" in told.err
    fields = ("--field", "content=Question,Body", "--field", "tolerance=10 %")
    listed = lab("problems", str(path), *fields, home=tmp_path)
    assert "How many? Ann has 3 nuts" in listed.out
    assert "\u001b[2J" not in listed.out + listed.err
    twice = ("--field", "content=Body", "--field", "content=Question")
    refused = lab("problems", str(path), *twice, home=tmp_path)
    assert "content=Body,Question" in refused.err
    assert "name a file" in lab("problems", *fields, home=tmp_path).err


def test_problems_are_listed_and_algorithms_described(tmp_path: Path) -> None:
    problems = lab("problems", "--limit", "3", "--json", home=tmp_path).json["problems"]
    assert len(problems) == 3
    assert problems[0]["content"].endswith("?")
    assert problems[0]["id"] in lab("problems", "--limit", "3", home=tmp_path).out
    names = [one["name"] for one in lab("algorithms", "--json", home=tmp_path).json["algorithms"]]
    assert "mcts_star" in names
    listed = lab("parameters", "mcts_star", "--json", home=tmp_path).json
    assert "branch" in [one["name"] for one in listed["parameters"]]
    assert "temperature" in [one["name"] for one in listed["sampling"]]


def test_help_needs_no_heavy_library() -> None:
    script = (
        "import sys, lab.cli\n"
        "heavy = {'torch', 'transformers', 'gradio', 'numpy', 'sqlite_utils', 'plotly'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
