"""`lab export` and `lab import` from start to exit code."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import networkx
import pytest

from lab.models import Models
from lab.workbench import Workbench
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, finish
from tests.lab.test_cli import ESCAPE, HOSTILE, lab


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with three searched sessions; one has a hostile question."""
    folder = tmp_path_factory.mktemp("home")
    world = World(words=9)
    bench = Workbench(folder, SETTINGS, lambda *_: Models(world, world, []))
    for seed, question in enumerate(["What?", "What else?", HOSTILE]):
        finish(bench, bench.create(question, gold="1", seed=seed), iterations=12)
    yield folder
    bench.close()


def ids(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "lab.sqlite")) as db:
        return [row[0] for row in db.execute("SELECT id FROM sessions ORDER BY created DESC")]


def test_rows_are_written_and_counted(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    done = lab("export", "traces", out, "--all", home=home)
    assert (done.code, done.out) == (0, "")
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert f"{len(rows):,} rows" in done.err
    assert "3 of 3 sessions" in done.err
    done = lab("export", "traces", out, "--all", "--force", "--json", "--bare", home=home)
    report = done.json
    assert (report["path"], report["container"], report["selected"]) == (str(out), "jsonl", 3)
    assert report["counts"]["rows"] == len(rows)
    assert {"duplicates", "contradictions", "touched", "rejected", "skipped"} <= set(
        report["counts"]
    )
    first = json.loads(out.read_text("utf-8").splitlines()[0])
    assert set(first) == {"content", "summary", "label", "real_answer"}


def test_options_choose_what_is_taken(home: Path, tmp_path: Path) -> None:
    session = ids(home)[0]
    common = ("--session", session[:5], "--json")
    since = ("--since", "2020-01-01", "--until", "2100-01-01T00:00")
    values = lab("export", "values", tmp_path / "v", *common, *since, "--method", "hard", home=home)
    assert values.json["container"] == "datasets"
    pairs = ("export", "trl-dpo", tmp_path / "p.parquet", *common, "--by", "value", "--chat")
    wide = lab(*pairs, "--most-pairs", "50", home=home).json["counts"]["rows"]
    clear = lab(*pairs, "--margin", "0.5", "--force", home=home).json["counts"]["rows"]
    assert 0 < clear < wide
    prompt = r"Q: {question}\nA: "
    lab("export", "trl-sft", tmp_path / "s.jsonl", "--all", "--prompt", prompt, home=home)
    first = json.loads((tmp_path / "s.jsonl").read_text("utf-8").split("\n")[0])
    assert first["prompt"].startswith("Q: What")
    assert first["prompt"].endswith("?\nA: ")


def test_a_tree_as_a_document(home: Path, tmp_path: Path) -> None:
    session = ids(home)[-1]
    for suffix in ("json", "graphml"):
        path = tmp_path / f"t.{suffix}"
        done = lab("export", "tree", path, "--session", session, "--json", home=home)
        assert done.json == {"path": str(path), "document": suffix, "sessions": [session]}
        assert path.stat().st_size > 0
    exported = lab("sessions", "export", session, home=home).json
    assert json.loads((tmp_path / "t.json").read_text("ascii")) == exported
    graph = networkx.read_graphml(tmp_path / "t.graphml", node_type=int)
    assert len(graph) == len(exported["nodes"])


def test_everything_goes_to_another_home_and_back(home: Path, tmp_path: Path) -> None:
    assert lab("export", "tree", tmp_path / "all.jsonl", "--all", home=home).code == 0
    other = tmp_path / "other"
    done = lab("import", tmp_path / "all.jsonl", "--json", home=other)
    assert sorted(done.json["imported"]) == sorted(ids(home)) == sorted(ids(other))
    again = lab("import", tmp_path / "all.jsonl", home=other)
    assert "3 are here already" in again.err
    assert lab("export", "tree", tmp_path / "back.jsonl", "--all", home=other).code == 0
    assert (tmp_path / "back.jsonl").read_bytes() == (tmp_path / "all.jsonl").read_bytes()


def test_bad_rows_of_an_import_are_told_by_line(tmp_path: Path) -> None:
    file = tmp_path / "q.jsonl"
    file.write_text('{"content": "What?"}\n{"content": 5}\n{\n')
    done = lab("import", file, "--json", home=tmp_path)
    assert done.code == 2
    assert [row["place"] for row in json.loads(done.out)["rejected"]] == ["line 2", "line 3"]
    assert "line 2: 'content' is a number, not a text" in done.err
    assert ids(tmp_path) == []
    done = lab("import", file, "--skip-bad", "--name", "mine", home=tmp_path)
    assert done.code == 0, done.err
    assert len(ids(tmp_path)) == 1
    with closing(sqlite3.connect(tmp_path / "lab.sqlite")) as db:
        assert db.execute("SELECT name FROM batches").fetchall() == [("mine",)]


def test_nothing_to_write_is_a_failure_in_words(home: Path, tmp_path: Path) -> None:
    done = lab("export", "values", tmp_path / "v.jsonl", "--all", "--min-value", "2", home=home)
    assert done.code == 1
    assert "nothing to write" in done.err
    assert "left out: value below the limit" in done.err
    assert not (tmp_path / "v.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "values", "out.jsonl"], "say which sessions"),
        (["export", "values", "out.csv", "--all"], ".jsonl or .parquet"),
        (["export", "rows", "out.jsonl", "--all"], "'rows' is not one of"),
        (["export", "tree", "out.html", "--all"], "holds one"),
        (["export", "values", "out.jsonl", "--batch", "nowhere"], "no batch 'nowhere'"),
        (["export", "values", "out.jsonl", "--since", "soon"], "'soon' is no date"),
        (["export", "traces", "taken.jsonl", "--all"], "is there already"),
        (["import", "nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_bad_input_ends_with_2_and_changes_nothing(
    arguments: list[str], words: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    (tmp_path / "taken.jsonl").write_text('{"content": "What?"}\n')
    before = ids(home)
    done = lab(*arguments, home=home)
    assert done.code == 2, done.err
    assert words in " ".join(done.err.replace("│", " ").split())
    assert done.out == ""
    assert "Traceback" not in done.err
    assert [one.name for one in tmp_path.iterdir()] == ["taken.jsonl"]
    assert ids(home) == before


def test_hostile_text_does_not_steer_the_terminal(home: Path, tmp_path: Path) -> None:
    name = tmp_path / "\x1b[2J\u202e.jsonl"
    done = lab("export", "traces", name, "--all", home=home)
    assert done.code == 0
    assert name.exists()
    assert ESCAPE not in done.err
    assert "\u202e" not in done.err
    assert "\\x1b[2J\\u202e.jsonl" in done.err
