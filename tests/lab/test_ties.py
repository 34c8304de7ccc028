"""Where an answer wins that is level with another, every place that tells the winner says so."""

import csv
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lab import render
from lab.cli_solve import _tell_ties
from lab.evaluation_plan import EvaluationSettings
from lab.evaluation_words import as_csv, notes
from lab.workbench import Workbench
from tests.engine.test_votes import Told
from tests.lab.benches import LONG, finish
from tests.lab.solving import dataset
from tests.lab.test_render import text_of

Make = Callable[..., Workbench]
WORDS = "81 and 91 are level at 50.0 %; 81 was taken, the first in the search tree"
ANSWERS = ["81", "91", "91.0", "162/2"]
VOTE = {"algorithm": "sampling", "params": {"samples": 4}}


def searched(bench: Workbench, answers: int = 4) -> str:
    session = bench.create("What?", gold="91", algorithm="sampling", params={"samples": answers})
    finish(bench, session)
    return session


def test_a_search_tells_its_tie_as_data_and_in_words(make: Make) -> None:
    bench = make(Told(ANSWERS))
    result = bench.show(searched(bench))
    assert result.tie is not None
    assert (result.answer, result.tie.answers, result.tie.share) == ("81", ["81", "91"], 0.5)
    assert result.tie.words == WORDS
    assert WORDS in text_of(render.summary(msgspec.to_builtins(result)))
    alone = bench.show(searched(bench, 3))
    assert (alone.answer, alone.tie) == ("91", None)
    assert "level" not in text_of(render.summary(msgspec.to_builtins(alone)))


def test_the_page_and_exported_sessions_have_it(make: Make) -> None:
    bench = make(Told(ANSWERS))
    session = searched(bench)
    tree = bench.delta(session, -1)["tree"]
    assert tree["tie"]["words"] == WORDS
    assert [one["spellings"] for one in tree["answers"]] == [("81", "162/2"), ("91", "91.0")]
    assert bench.export(session)["result"]["tie"]["words"] == WORDS
    ends = [
        frame["tie"]
        for frame in bench.studies.timelines.frames(session)["frames"]
        if "tie" in frame
    ]
    assert ends[-1]["words"] == WORDS


def test_a_batch_tells_each_of_them(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    bench = make(Told(ANSWERS))
    batch = bench.solve(dataset(bench, 2), **VOTE)
    assert not bench.wait_batch(batch, LONG).active
    problems = bench.batch_problems(batch)
    assert [one.message for one in problems] == [WORDS] * 2
    _tell_ties(problems)
    told = capsys.readouterr().err
    assert told.startswith("Of 2 problems the vote had no single winner:")
    assert told.count(WORDS) == 2


def test_an_evaluation_counts_them(make: Make, tmp_path: Path) -> None:
    bench = make(Told(ANSWERS))
    settings = EvaluationSettings(
        "samples", limit=2, methods=("majority", "best_of_n"), budgets=(9,), baseline="majority"
    )
    evaluation = bench.evaluations.start(settings)
    assert bench.evaluations.wait(evaluation, 60).status == "done"
    report = bench.evaluations.report(evaluation)
    assert {score.method: score.level for score in report.scores} == {
        "majority": 2,
        "best_of_n": 0,
    }
    assert any("Votes were level" in note for note in notes(report))
    rows = list(csv.DictReader(as_csv(report).splitlines()))
    assert {row["tie"] for row in rows if row["method"] == "majority"} == {WORDS}
    assert {row["tie"] for row in rows if row["method"] == "best_of_n"} == {""}


def test_two_searches_with_one_answer_spelled_in_two_ways_have_the_same(make: Make) -> None:
    bench = make(Told(["1/2", "0.5"]))
    params = [{"samples": 2, "final_choice": choice} for choice in ("majority", "best")]
    first, second = (bench.create("What?", algorithm="sampling", params=one) for one in params)
    other = bench.create("What?", algorithm="sampling", params={"samples": 1})
    for session in (first, second, other):
        finish(bench, session)
    # A person's verdict takes the first solution out of the second search.
    leaf = next(n["id"] for n in bench.export(second)["nodes"] if n["answer"] == "1/2")
    bench.steering.prune(second, leaf, True)
    assert (bench.show(first).answer, bench.show(second).answer) == ("1/2", "0.5")
    assert bench.studies.comparisons.sessions(first, second).same_answer
    told = bench.steering.consequences(first, leaf, None, pruned=True)
    assert (told.answer_before, told.answer_after, told.same_answer) == ("1/2", "0.5", True)
    assert bench.studies.comparisons.sessions(first, other).same_answer
