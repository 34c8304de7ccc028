"""Exports and imports through the workbench: what is chosen, what comes back, what goes wrong."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ExportError, ParameterError, TaskError
from engine.exports.rows import RowSettings
from lab.evaluation_plan import EvaluationSettings
from lab.export import MEASURED, Selection
from lab.imports import Asking
from lab.workbench import Workbench
from sessions.errors import BatchNotFoundError, SessionNotFoundError
from tests.browser.hostile import PAYLOADS
from tests.lab.benches import LONG, finish
from tests.lab.solving import dataset

Make = Callable[..., Workbench]
ALL = Selection()
ROW: dict[str, Any] = {
    "content": "What is 2 + 3?",
    "policy_samples": [
        {"solution": "2 + 3 = 5\nAnswer: 5\n", "summary": "Answer: 5", "correct": True},
        {"solution": "2 + 3 = 6\nAnswer: 6\n", "summary": "Answer: 6", "correct": False},
    ],
    "value_samples": [
        {"steps": "2 + 3 = 5\n", "value": 0.5},
        {"steps": "2 + 3 = 5\nAnswer: 5\n", "value": 1.0},
        {"steps": "2 + 3 = 6\n", "value": 0.0},
        {"steps": "2 + 3 = 6\nAnswer: 6\n", "value": 0.0},
    ],
    "real_answer": "5",
}


def searched(bench: Workbench, count: int = 3, **options: Any) -> list[str]:
    sessions = []
    for seed in range(count):
        sessions.append(bench.create(f"What {seed}?", gold="1", seed=seed, **options))
        finish(bench, sessions[-1], iterations=12)
    return sessions


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def test_what_measures_does_not_teach(make: Make, tmp_path: Path) -> None:
    bench = make()
    own = searched(bench, 1)
    settings = EvaluationSettings(
        dataset(bench, 3).source, methods=("cot",), budgets=(40,), baseline="cot"
    )
    evaluation = bench.evaluations.start(settings)
    assert bench.evaluations.wait(evaluation, LONG).status == "done"
    report = bench.exports.count_rows(ALL, "values")
    assert (report.selected, report.counts.rejected[MEASURED]) == (1, 3)
    both = bench.exports.count_rows(Selection(measured=True), "values")
    assert (both.selected, MEASURED in both.counts.rejected) == (4, False)
    (batch,) = {one.batch for one in bench.sessions() if one.id not in own}
    assert bench.exports.count_rows(Selection(batch=batch), "values").selected == 3


def test_rows_of_one_session_of_some_and_of_all(make: Make, tmp_path: Path) -> None:
    bench = make()
    first, second, third = searched(bench)
    out = tmp_path / "out.jsonl"
    for sessions in ([second], [first, third], [first, second, third]):
        selection = ALL if len(sessions) == 3 else Selection(sessions=sessions)
        report = bench.exports.save_rows(selection, "traces", out, force=True)
        rows = lines(out)
        assert (report.path, report.container) == (str(out), "jsonl")
        assert report.selected == len(sessions)
        assert report.counts.rows == len(rows) > 0
        assert list(dict.fromkeys(row["session"] for row in rows)) == sessions
        for row in rows:
            node = bench.node(row["session"], row["node"])
            assert row["content"] == bench.settings(row["session"]).question
            assert row["summary"].startswith("".join(node["steps"]))
            assert row["label"] == node["correct"]
            assert row["touched"] is False


def test_filters_by_batch_dataset_answer_algorithm_and_date(make: Make) -> None:
    bench = make()
    single = searched(bench, 2, algorithm="sampling")
    problems = dataset(bench, 3)
    batch = bench.solve(problems, iterations=10)
    assert bench.wait_batch(batch, timeout=LONG).complete
    of_batch = [problem.session for problem in bench.batch_problems(batch)]
    select = bench.exports.select
    assert set(select(ALL)) == {*single, *of_batch}
    assert set(select(Selection(batch=batch))) == set(of_batch)
    assert set(select(Selection(dataset=problems.source))) == set(of_batch)
    assert set(select(Selection(algorithm="sampling"))) == set(single)
    infos = {info.id: info for info in bench.sessions()}
    for answered, correct in (("right", True), ("wrong", False)):
        wanted = {one for one, info in infos.items() if info.answer and info.correct is correct}
        if wanted:
            assert set(select(Selection(answered=answered))) == wanted
    times = sorted(info.created for info in infos.values())
    assert len(select(Selection(since=times[2]))) == 3
    assert len(select(Selection(until=times[2]))) == 2
    with pytest.raises(ParameterError, match="None of the 5 sessions"):
        select(Selection(sessions=single, batch=batch))
    with pytest.raises(SessionNotFoundError):
        select(Selection(sessions=["nowhere"]))
    with pytest.raises(BatchNotFoundError):
        select(Selection(batch="nowhere"))


def test_what_a_person_said_is_in_the_rows(make: Make, tmp_path: Path) -> None:
    bench = make()
    (session,) = searched(bench, 1)
    bench.exports.save_rows(ALL, "traces", tmp_path / "before.jsonl")
    leaf = lines(tmp_path / "before.jsonl")[0]
    bench.verdicts.grade_leaf(session, leaf["node"], not leaf["label"])
    report = bench.exports.save_rows(ALL, "traces", tmp_path / "after.jsonl")
    assert report.counts.touched == 1
    (row,) = [row for row in lines(tmp_path / "after.jsonl") if row["node"] == leaf["node"]]
    assert (row["label"], row["touched"]) == (not leaf["label"], True)


def test_nothing_is_written_where_nothing_is_found(make: Make, tmp_path: Path) -> None:
    bench = make()
    session = bench.create("What?")
    report = bench.exports.save_rows(ALL, "values", tmp_path / "out.parquet")
    assert (report.path, report.counts.rows) == (None, 0)
    assert report.counts.skipped[0].session == session
    assert not (tmp_path / "out.parquet").exists()
    nobody = make(home=tmp_path / "empty")
    with pytest.raises(ParameterError, match="None of the 0 sessions"):
        nobody.exports.save_rows(ALL, "values", tmp_path / "out.parquet")


def test_a_damaged_session_is_left_out_and_told(make: Make, tmp_path: Path) -> None:
    bench = make()
    good, bad = searched(bench, 2)
    with closing(sqlite3.connect(tmp_path / "lab.sqlite")) as db, db:
        db.execute("DROP TRIGGER events_never_change")
        db.execute("UPDATE events SET body = '{' WHERE session = ? AND seq = 5", [bad])
    report = bench.exports.save_rows(ALL, "traces", tmp_path / "out.jsonl")
    assert {row["session"] for row in lines(tmp_path / "out.jsonl")} == {good}
    (skipped,) = report.counts.skipped
    assert skipped.session == bad
    assert "cannot be read: Event 5" in skipped.reason


def test_wrong_words_are_refused_before_anything_is_written(make: Make, tmp_path: Path) -> None:
    bench = make()
    searched(bench, 2)
    save, trees = bench.exports.save_rows, bench.exports.save_trees
    bad: list[Callable[[], object]] = [
        lambda: save(ALL, "nonsense", tmp_path / "out.jsonl"),
        lambda: save(ALL, "values", tmp_path / "out.csv"),
        lambda: save(ALL, "values", tmp_path / "out.jsonl", kind="html"),  # type: ignore[arg-type]
        lambda: save(ALL, "values", tmp_path / "out.jsonl", RowSettings(chat=True)),
        lambda: trees(ALL, tmp_path / "out.html"),
        lambda: trees(ALL, tmp_path / "out"),
        lambda: trees(ALL, tmp_path / "out.json", "parquet"),
    ]
    for call in bad:
        with pytest.raises(ParameterError):
            call()
    assert not list(tmp_path.glob("out*"))


def test_a_session_comes_back_exactly(make: Make, tmp_path: Path) -> None:
    bench = make()
    (session,) = searched(bench, 1, name="a name", sampling={"T": 0.5})
    bench.note(session, 1, "a note \u202e")
    bench.exports.save_trees(ALL, tmp_path / "out.json")
    exported = json.loads((tmp_path / "out.json").read_text("ascii"))
    assert exported == bench.export(session)
    other = make(home=tmp_path / "other")
    report = other.imports.read(tmp_path / "out.json")
    assert (report.kind, report.imported, report.batch) == ("sessions", [session], None)
    assert other.export(session) == exported
    assert other.sessions()[0].name == "a name"
    assert other.show(session) == bench.show(session)
    # And it goes on like the original.
    for one in (bench, other):
        finish(one, session, iterations=3)
    assert other.export(session)["nodes"] == bench.export(session)["nodes"]


def test_all_sessions_in_one_file_come_back_once(make: Make, tmp_path: Path) -> None:
    bench = make()
    sessions = searched(bench)
    bench.exports.save_trees(ALL, tmp_path / "out.jsonl")
    assert bench.imports.read(tmp_path / "out.jsonl").known == sessions
    assert len(bench.sessions()) == 3
    finish(bench, sessions[0], iterations=1)  # another log of the same id
    report = bench.imports.read(tmp_path / "out.jsonl")
    assert report.known == sessions[1:]
    (new,) = report.imported
    assert new not in sessions
    exported = lines(tmp_path / "out.jsonl")[0]
    assert bench.export(new)["log"] == exported["log"]


def test_an_older_file_with_less_in_it_is_read(make: Make, tmp_path: Path) -> None:
    bench = make()
    (session,) = searched(bench, 1)
    bare = {key: bench.export(session)[key] for key in ("format", "log")}
    (tmp_path / "bare.json").write_text(json.dumps(bare))
    other = make(home=tmp_path / "other")
    (copy,) = other.imports.read(tmp_path / "bare.json").imported
    assert other.export(copy)["log"] == bare["log"]


def write(path: Path, *rows: object) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_generation_rows_become_a_batch_of_finished_searches(make: Make, tmp_path: Path) -> None:
    bench = make()
    other = {**ROW, "content": "What is 3 + 2?", "policy_samples": ROW["policy_samples"][1:]}
    file = write(tmp_path / "generated.json", ROW, other, ROW)
    report = bench.imports.read(file)
    assert (report.kind, len(report.imported)) == ("generation", 2)
    assert [(row.place, row.reason) for row in report.repeated] == [
        ("line 3", "says what line 1 says")
    ]
    assert report.batch is not None
    state = bench.batch(report.batch)
    assert (state.problems, state.done, state.right, state.wrong) == (2, 2, 1, 1)
    assert state.name == "generated.json"
    shown = bench.show(report.imported[0])
    assert (shown.answer, shown.gold, shown.correct) == ("5", "5", True)
    bench.exports.save_rows(
        Selection(batch=report.batch),
        "generation",
        tmp_path / "again.jsonl",
        RowSettings(method="reference"),
        bare=True,
    )
    first = lines(tmp_path / "again.jsonl")[0]
    same = {**ROW, "corr_policy_sample_num": 1, "total_policy_sample_num": 2}
    assert {**first, "value_samples": sorted(map(str, first["value_samples"]))} == {
        **same,
        "value_samples": sorted(map(str, same["value_samples"])),
    }
    again = bench.imports.read(file)
    assert (again.imported, again.known, again.batch) == ([], report.imported, report.batch)
    bench.delete(report.imported[1])
    assert len(bench.imports.read(file).imported) == 1


def test_questions_become_sessions_that_can_be_searched(make: Make, tmp_path: Path) -> None:
    bench = make()
    file = write(
        tmp_path / "q.json",
        {"content": "What is half of one?", "answer": 0.5},
        {"content": "What?", "answer": "1"},
        {"content": "What?", "answer": "2"},
    )
    report = bench.imports.read(file, asking=Asking("sampling", {"samples": 2}, None, 7))
    assert (report.kind, len(report.imported), len(report.repeated)) == ("questions", 2, 1)
    settings = bench.settings(report.imported[1])
    assert (settings.question, settings.gold, settings.seed) == ("What?", "1", 7)
    assert settings.params["samples"] == 2
    assert bench.settings(report.imported[0]).gold == "0.5"
    assert finish(bench, report.imported[1], iterations=5).status == "idle"
    assert report.batch is not None
    assert bench.batch(report.batch).problems == 2


def test_bad_rows_are_told_and_change_nothing(make: Make, tmp_path: Path) -> None:
    bench = make()
    bad = {**ROW, "policy_samples": [{"solution": 5}]}
    files = {
        "generation": write(tmp_path / "g.json", ROW, bad, "{"),
        "sessions": write(tmp_path / "s.jsonl", {"format": "x", "log": []}),
        "questions": write(tmp_path / "q.jsonl", {"content": "What?"}, {"content": None}),
    }
    places = {
        "generation": ["line 2", "line 3"],
        "sessions": ["line 1"],
        "questions": ["line 2"],
    }
    for kind, file in files.items():
        report = bench.imports.read(file)
        assert (report.kind, report.imported, report.batch) == (kind, [], None)
        assert [row.place for row in report.rejected] == places[kind]
    assert bench.sessions() == []
    assert bench.batches() == []
    assert len(bench.imports.read(files["generation"], skip_bad=True).imported) == 1
    with pytest.raises(TaskError, match=r"no file or folder|cannot be read"):
        bench.imports.read(tmp_path / "missing.json")
    with pytest.raises(ParameterError, match="no kind"):
        bench.imports.read(files["questions"], kind="stories")  # type: ignore[arg-type]


def test_hostile_text_goes_round(make: Make, tmp_path: Path) -> None:
    bench = make()
    solutions = [
        {"solution": text, "summary": text, "correct": place % 2 == 0}
        for place, text in enumerate(PAYLOADS[:-1])
    ]
    row = {"content": "\n".join(PAYLOADS[:20]), "policy_samples": solutions, "real_answer": "</a>"}
    (session,) = bench.imports.read(write(tmp_path / "in.json", row)).imported
    bench.exports.save_rows(ALL, "generation", tmp_path / "out.jsonl")
    (back,) = lines(tmp_path / "out.jsonl")
    assert back["content"] == row["content"]
    assert {one["summary"] for one in back["policy_samples"]} == set(PAYLOADS[:-1])
    for suffix in ("html", "graphml", "svg", "json"):
        bench.exports.save_trees(Selection(sessions=[session]), tmp_path / f"out.{suffix}")


def test_an_export_never_overruns_a_file(make: Make, tmp_path: Path) -> None:
    bench = make()
    searched(bench, 1)
    (tmp_path / "out.jsonl").write_text("mine")
    with pytest.raises(ExportError, match="--force"):
        bench.exports.save_rows(ALL, "traces", tmp_path / "out.jsonl")
    with pytest.raises(ExportError, match="--force"):
        bench.exports.save_trees(ALL, tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text() == "mine"
