"""Methods compared at equal budgets through the workbench, with a scripted model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import ParameterError
from lab.evaluation_files import write
from lab.evaluation_plan import EvaluationSettings
from lab.evaluation_words import as_csv, as_markdown, sentences
from lab.workbench import Workbench

Make = Callable[..., Workbench]
SETTINGS = EvaluationSettings(
    "samples",
    limit=3,
    methods=("cot", "majority", "best_of_n", "beam", "mcts_star"),
    budgets=(40, 120),
    seeds=(0, 1),
    parallel=4,
)


def finished(bench: Workbench, settings: EvaluationSettings = SETTINGS) -> str:
    evaluation = bench.evaluations.start(settings)
    state = bench.evaluations.wait(evaluation, 60)
    assert state.status == "done", state
    return evaluation


def test_an_evaluation_from_start_to_file(make: Make, tmp_path: Path) -> None:
    bench = make()
    evaluation = finished(bench)
    report = bench.evaluations.report(evaluation)
    assert len(report.problems) == 3
    assert {(s.method, s.budget) for s in report.scores} == {
        (method, budget) for method in SETTINGS.methods for budget in SETTINGS.budgets
    }
    for score in report.scores:
        assert score.policy_tokens <= score.budget, "no method overspends"
        assert (score.difference is None) == (score.method == "mcts_star")
        assert len(score.by_seed) == 2
    shared = [report.score(name, 120).policy_tokens for name in ("majority", "best_of_n")]
    assert shared[0] == shared[1], "one run of samples is read in both ways"
    lines = as_csv(report).splitlines()
    assert len(lines) == 1 + 3 * 2 * 5 * 2
    session = lines[1].split(",")[-1]
    assert bench.settings(session).question
    for suffix in ("csv", "json", "md", "png", "svg"):
        write(report, tmp_path / f"r.{suffix}")
        assert (tmp_path / f"r.{suffix}").stat().st_size > 100
    assert json.loads((tmp_path / "r.json").read_text())["baseline"] == "mcts_star"
    assert "Self-consistency" in as_markdown(report)
    assert any("significant" in line for line in sentences(report))


def test_it_goes_on_where_it_was_ended_and_asks_nothing_twice(make: Make) -> None:
    bench = make()
    evaluation = finished(bench)
    batches = len(bench.batches())
    assert finished(bench) == evaluation
    assert len(bench.batches()) == batches
    other = finished(bench, EvaluationSettings("samples", limit=3, methods=("mcts_star",)))
    assert other != evaluation
    assert {one.id for one in bench.evaluations.states()} == {evaluation, other}
    bench.evaluations.delete(other)
    assert [one.id for one in bench.evaluations.states()] == [evaluation]
    assert bench.batches(), "its searches stay"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"methods": ("magic",)}, "no method 'magic'"),
        ({"baseline": "puct"}, "not among the methods"),
        ({"budgets": (100, 50)}, "rising"),
        ({"budgets": ()}, "rising"),
        ({"seeds": (1, 1)}, "different"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_words(
    make: Make, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ParameterError, match=words):
        make().evaluations.start(msgspec.structs.replace(SETTINGS, **changes))


def test_two_evaluations_are_paired_by_problem_and_a_failed_search_is_wrong(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()
    one = finished(bench)
    other = finished(bench, msgspec.structs.replace(SETTINGS, limit=2, seeds=(2,), budgets=(40,)))
    found = bench.evaluations.compare(one, other)
    assert found.problems == 2
    assert [(row.method, row.budget) for row in found.rows] == [(m, 40) for m in SETTINGS.methods]
    assert all(run.memory["resident"] > 2**20 for run in bench.evaluations.state(one).runs)
    report = bench.evaluations.report(one)
    by, slices = bench.evaluations.slices(one, 120)
    assert by == "steps"
    assert sum(part.n for part in slices) == 3
    assert {part.label for part in slices} <= {str(n) for n in range(1, 9)}
    assert [sampled.k for sampled in report.samples][:2] == [1, 2]
    assert report.samples[0].pass_at_k == pytest.approx(report.samples[0].majority_at_k)

    batches = bench.evaluations._store.batches  # one search as if an error had ended it
    problems = batches.problems

    def broken(batch: str) -> list[Any]:
        first, *others = problems(batch)
        return [msgspec.structs.replace(first, status="failed"), *others]

    monkeypatch.setattr(batches, "problems", broken)
    bench.evaluations._reports.clear()
    again = bench.evaluations.report(one)
    assert len(again.problems) == 3
    assert all(score.failed == 2 for score in again.scores), "one of each seed"
    assert all(not row[0].right for rows in again.grid.values() for row in rows)
    assert any("count as wrong" in line for line in sentences(again))


def test_verifiers_choose_among_the_same_samples(make: Make) -> None:
    bench = make()
    batch = bench.solve(
        bench.dataset("samples", limit=6),
        "sampling",
        {"samples": 8, "final_choice": "best"},
        parallel=6,
    )
    assert bench.wait_batch(batch, 60).complete
    scores = {(one.name, one.k): one for one in bench.evaluations.verified(batch, [1, 4, 8, 64])}
    assert {k for _, k in scores} == {1, 4, 8}, "nobody has 64"
    assert len({name for name, _ in scores}) >= 7
    firsts = {one.accuracy.estimate for (_, k), one in scores.items() if k == 1}
    assert len(firsts) == 1, "of one sample all choose that one"
    best = scores["oracle", 8].accuracy.estimate
    assert all(one.accuracy.estimate <= best for (_, k), one in scores.items() if k == 8)
    assert scores["self-consistency", 8].difference is None
    assert "Self-consistency" in scores["prm-min", 8].sentence
    ranking = scores["oracle", 8].ranking
    assert ranking is None or ranking.estimate == 1.0
