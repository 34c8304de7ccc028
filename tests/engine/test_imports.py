"""Generation rows and exported sessions read back; what is no such row is told by its place."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.errors import EventError, ImportFileError, TaskError
from engine.exports.collect import FORMATS, Collection
from engine.exports.page import figure
from engine.exports.rows import RowSettings
from engine.imports.files import kind_of_file, read_generation, read_sessions
from engine.imports.generation import read_row, split_steps
from engine.imports.sessions import FORMAT, read_session
from engine.rewards.methods import infer
from engine.search.driver import Limits
from engine.tree import Tree
from lab.view import node_records, session_result
from tests.browser.hostile import PAYLOADS
from tests.engine.trees import small_log
from tests.engine.worlds import World, new_search, run

ROW: dict[str, Any] = {
    "content": "What is 2 + 3 + 4?",
    "policy_samples": [
        {"solution": "a\nb\nAnswer: 9\n", "summary": "The answer is 9", "correct": True},
        {"solution": "a\nc\nAnswer: 8\n", "summary": "The answer is 8", "correct": False},
        {"solution": "d\n", "summary": "", "correct": False},
    ],
    "value_samples": [{"steps": "a\n", "value": 0.25}, {"steps": "a\nb\n", "value": 0.5}],
    "real_answer": 9,
}
SINGLE: dict[str, Any] = {
    "content": "What?",
    "solution": "Step 1: think\nStep 2: nine\n",
    "summary": "The final answer is $9$",
    "accurate": True,
    "real_answer": "9",
}


def session(log: list[ev.Event] | None = None, **changes: Any) -> dict[str, Any]:
    return {"format": FORMAT, "log": msgspec.to_builtins(log or small_log()), **changes}


def test_a_generation_row_is_a_finished_search() -> None:
    tree = Tree.fold(read_row(ROW))
    assert (tree.question, tree.gold, tree.policy) == ("What is 2 + 3 + 4?", "9", "imported")
    steps = {"".join(tree.steps(node.id)): node for node in tree.nodes}
    assert set(steps) == {
        "", "a\n", "a\nb\n", "a\nc\n", "d\n", "a\nb\nAnswer: 9\n", "a\nc\nAnswer: 8\n",
    }  # fmt: skip
    right, wrong = steps["a\nb\nAnswer: 9\n"], steps["a\nc\nAnswer: 8\n"]
    assert (right.answer, right.correct, right.summary) == ("9", True, "The answer is 9")
    assert (wrong.answer, wrong.correct) == ("8", False)
    assert (steps["d\n"].answer, steps["d\n"].verdict_source) == (None, "dead_end")
    assert (steps["a\n"].value, steps["a\nc\n"].value) == (0.25, 0.0)
    assert tree.phase == "concluded"
    assert {row.node for row in infer(tree, "reference").rows} == set(range(len(tree.nodes)))


def test_a_row_of_one_solution_is_a_chain() -> None:
    tree = Tree.fold(read_row(SINGLE))
    assert [node.step for node in tree.nodes] == ["", "Step 1: think\n", "Step 2: nine\n"]
    assert (tree.nodes[2].answer, tree.nodes[2].correct, tree.gold) == ("9", True, "9")
    ungraded = Tree.fold(read_row({"content": "What?", "solution": "x", "summary": "It is 9"}))
    assert (ungraded.gold, ungraded.nodes[1].correct) == (None, None)


def test_steps_are_lines_or_numbered() -> None:
    assert split_steps("") == ()
    assert split_steps("a\n\nb") == ("a\n", "\n", "b\n")
    assert split_steps("Step 1: a\nmore\nStep 2: b\nStep 7: no\n") == (
        "Step 1: a\nmore\n",
        "Step 2: b\nStep 7: no\n",
    )
    for text in PAYLOADS:
        assert "".join(split_steps(text)).removesuffix("\n") == text.removesuffix("\n")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"content": "  "}, '"content" is empty'),
        ({"content": 5}, "Expected `str`"),
        ({"content": "x" * 30_000}, "30,000 characters"),
        ({"policy_samples": [{"summary": "x"}]}, "solution"),
        ({"policy_samples": [{"solution": "x", "correct": "yes"}]}, "correct"),
        ({"value_samples": [{"steps": "a\n", "value": 1.5}]}, r"1\.5"),
        ({"value_samples": [{"steps": "a\n", "value": float("nan")}]}, "nan"),
        ({"value_samples": 3}, "value_samples"),
        (
            {"policy_samples": [{"solution": "a", "correct": x} for x in (True, False)]},
            "right and not right",
        ),
        (
            {"policy_samples": [{"solution": x, "correct": True} for x in ("a\n", "a\nb\n")]},
            "beginning of another",
        ),
    ],
)
def test_what_is_no_generation_row_is_told(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ImportFileError, match=words):
        read_row({**ROW, **change})


def test_an_exported_session_is_its_log() -> None:
    found = read_session(session(session="0123abcd", name="n", tags=["t"], created=5.0, other=1))
    assert found.log == small_log()
    assert (found.session, found.name, found.tags, found.created) == ("0123abcd", "n", ["t"], 5.0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"format": "something"}, "its format is 'something'"),
        ({"format": "rest-mcts-lab session 9", "log": []}, "newer lab"),
        (session(log=small_log()[1:]), "search_created"),
        (session(session="../../etc"), "8 hex digits"),
        (session(created=-1.0), "Unix time"),
        (session(created=1e300), "Unix time"),
        (session(name="x" * 201), "201 characters"),
        ({"format": FORMAT, "log": []}, "does not fold"),
        ({"format": FORMAT, "log": [{"kind": "exec", "code": "1"}]}, "exec"),
        ({"format": FORMAT, "log": "text"}, "log"),
    ],
)
def test_what_is_no_session_is_told(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ImportFileError, match=words):
        read_session(fields)


def test_a_log_of_an_unknown_search_or_with_damaged_parameters_is_told() -> None:
    first = small_log()[0]
    assert isinstance(first, ev.SearchCreated)
    for change in ({"algorithm": "magic"}, {"params": {"branch": 0}}, {"seed": 2**70}):
        log = [msgspec.structs.replace(first, **change), *small_log()[1:]]
        with pytest.raises(ImportFileError):
            read_session(session(log=log))
    for prints in ("!", "YQ==", "\u00e9"):
        last = ev.IterationFinished(1, ev.Cost(), read=ev.Read(prints))
        with pytest.raises(ImportFileError, match="does not fold"):
            read_session(session(log=[*small_log()[:-1], last]))


ODD: list[Any] = [None, True, -1, 0, 3, 10**30, 1e308, "", "x", "\ud800", [], [0], {}, {"a": 1}]


@given(data=st.data())
@settings(max_examples=300)
def test_a_damaged_log_is_told_or_is_a_tree_like_any_other(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = msgspec.to_builtins(grown_log())
    place: Any = data.draw(st.sampled_from(log))
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inside = place[key]
        if not isinstance(inside, (dict, list)) or not inside or data.draw(st.booleans()):
            break
        place = inside
    place[key] = data.draw(st.sampled_from(ODD))
    file = tmp_path_factory.getbasetemp() / "damaged.json"
    found, rejected = read_sessions(write(file, {"format": FORMAT, "log": log}))
    if rejected:
        return
    tree = Tree.fold(found[0].file.log)
    session_result("s", tree)
    node_records(tree)
    for name in FORMATS:
        for by in ("reward", "value"):
            try:
                collected = Collection(name, RowSettings(by=by))
                collected.add("s", tree)
                collected.records()
            except EventError:
                pass
    figure(tree)


@cache
def grown_log() -> tuple[ev.Event, ...]:
    search = new_search()
    run(search, Limits(iterations=6), World(words=3))
    marks = (ev.Marked(1, "wrong", "why"), ev.Overruled(2, 0.5), ev.Noted(None, "note"))
    return (*search.log, *marks)


def write(path: Path, *rows: object) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_bad_rows_are_told_by_their_line(tmp_path: Path) -> None:
    bad = {**ROW, "content": ""}
    found, rejected = read_generation(
        write(tmp_path / "g.json", ROW, "{", "", bad, [1], SINGLE, {**ROW, "content": "\ud800"})
    )
    assert [one.place for one in found] == ["line 1", "line 6"]
    assert [one.place for one in rejected] == ["line 2", "line 4", "line 5", "line 7"]
    sessions, rejected = read_sessions(
        write(tmp_path / "s.jsonl", session(), {"format": "x", "log": []}, session(name="\ud800"))
    )
    assert [one.place for one in sessions] == ["line 1"]
    assert [one.place for one in rejected] == ["line 2", "line 3"]


def test_a_file_tells_what_it_holds(tmp_path: Path) -> None:
    kinds = {
        "g.jsonl": (ROW, "generation"),
        "c.jsonl": (SINGLE, "generation"),
        "s.json": (session(), "sessions"),
        "q.jsonl": ({"content": "What?", "answer": 0.25}, "questions"),
        "m.jsonl": ({"problem": "What?", "solution": "x"}, "questions"),
    }
    for name, (row, kind) in kinds.items():
        assert kind_of_file(write(tmp_path / name, row)) == kind
    (tmp_path / "pretty.json").write_text(json.dumps(session(), indent=2))
    assert kind_of_file(tmp_path / "pretty.json") == "sessions"
    assert len(read_sessions(tmp_path / "pretty.json")[0]) == 1
    with pytest.raises(TaskError, match="no data file"):
        kind_of_file(tmp_path / "x.exe")
