"""Methods compared at equal budgets through the workbench, with a scripted model."""

import csv
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import ParameterError
from engine.evaluation.budgets import Outcome
from engine.evaluation.contenders import Contender, contender
from engine.evaluation.statistics import Interval
from engine.verifiers.traces import Trace
from lab import verifications
from lab.evaluation_files import write
from lab.evaluation_plan import EvaluationSettings
from lab.evaluation_readings import Read
from lab.evaluation_report import Run, best, in_words, report
from lab.evaluation_words import as_csv, as_markdown, costs_as_markdown, headline, sentences
from lab.evidence_models import KINDS, examples
from lab.model_choice import ModelsInUseError
from lab.verifier_models import Asked
from lab.workbench import Workbench
from tests.engine.models.conftest import write_model
from tests.engine.models.test_prm_formats import write_outcome

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
    costs = costs_as_markdown(report).splitlines()
    assert len(costs) == 2 + len(report.scores)
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
    rows = [row for row in csv.DictReader(lines) if row["method"] == "beam"]
    beam = report.score("beam", 120)
    for name in ("policy_tokens", "prm_tokens", "seconds"):
        told = statistics.mean(float(row[name]) for row in rows if row["budget"] == "120")
        assert told == pytest.approx(getattr(beam, name), abs=1e-3), name
    assert {row["method_process_memory"] for row in rows if row["budget"] == "120"} == {
        str(beam.process_memory)
    }
    assert f"{beam.process_memory / 2**20:,.0f} MiB" in costs[-2]
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
    bench.evaluations.go_on(evaluation)
    assert bench.evaluations.wait(evaluation, 60).status == "done"
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


def test_memory_is_told_where_it_can_be_told(make: Make) -> None:
    bench = make()
    report = bench.evaluations.report(finished(bench))
    memory = {(s.method, s.budget): s.process_memory for s in report.scores}
    assert memory["majority", 120] == memory["best_of_n", 120], "they share their searches"
    for method in ("cot", "majority", "mcts_star"):
        assert memory[method, 40] is None, "it is one run, to the largest budget"
    assert all(memory[one, 120] for one in SETTINGS.methods)
    assert memory["beam", 40]
    assert {score.gpu_memory for score in report.scores} == {None}
    assert any("Process memory" in line for line in sentences(report))
    again = finished(bench, msgspec.structs.replace(SETTINGS, methods=("cot", "mcts_star")))
    scores = bench.evaluations.report(again).scores
    taken = {(s.method, s.budget): s.process_memory for s in scores}
    assert taken["mcts_star", 120] == memory["mcts_star", 120], "the searches are the same ones"


@pytest.mark.parametrize(
    ("right", "baseline", "words", "tied", "close"),
    [
        (
            {"beam": range(20), "tot_bfs": range(10, 30), "cot": range(12, 16)},
            "cot",
            "At 100 tokens it is a tie: Step beam and Tree of Thoughts, BFS are right equally "
            "often, 50.0 %; 40.0 points above Chain of thought (significant).",
            1,
            0,
        ),
        (
            {"beam": (), "tot_bfs": (), "cot": ()},
            "cot",
            "At 100 tokens it is a tie: Step beam, Tree of Thoughts, BFS and Chain of thought are "
            "right equally often, 0.0 %.",
            2,
            0,
        ),
        (
            {"beam": range(21), "tot_bfs": range(20), "cot": range(4)},
            "beam",
            "At 100 tokens Step beam, the baseline, is right most often, 52.5 %, but not "
            "significantly more often than Tree of Thoughts, BFS.",
            0,
            1,
        ),
        (
            {"beam": range(30), "cot": range(10), "uct_oracle": range(40)},
            "uct_oracle",
            "At 100 tokens Step beam is right most often, 75.0 %, significantly more often than "
            "every other method that asks no oracle; 25.0 points below UCT with the oracle's "
            "rewards (significant).",
            0,
            0,
        ),
    ],
)
def test_a_tie_is_called_one_and_a_lead_only_what_it_is(
    right: Mapping[str, Sequence[int]], baseline: str, words: str, tied: int, close: int
) -> None:
    class Fixed:
        def batch(
            self, batch: str, methods: Sequence[Contender], budgets: Sequence[int]
        ) -> dict[str, Read]:
            found = {}
            for n in range(40):
                one = Outcome("1", n in right[batch], 90, 80, 0.5, 1, 1, 1)
                found[f"p{n}"] = Read(f"{n}?", "1", "s", {methods[0].name: [one]})
            return found

    settings = EvaluationSettings("x", methods=tuple(right), budgets=(100,), baseline=baseline)
    runs = [Run(contender(name), 0, (100,), name) for name in right]
    found = report(Fixed(), settings, runs)  # type: ignore[arg-type]
    assert headline(found) == [words]
    (first,) = best(found)
    assert (len(first.tied), len(first.close)) == (tied, close)


def test_nothing_is_told_with_a_minus_before_it() -> None:
    told = in_words(Interval(-0.0002, -0.0004, -0.0), "X", 9)
    assert told == "+0.0 points to X, 95 % CI 0.0 to 0.0, n = 9: not significant"


def test_verifiers_choose_among_the_same_samples(make: Make, tmp_path: Path) -> None:
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

    evaluations, asking = bench.evaluations, bench.evaluations.asking
    with pytest.raises(ParameterError, match="orm cannot be asked: no outcome reward model"):
        evaluations.ask_about(batch, Asked(policy=True), ["orm"])
    with pytest.raises(ParameterError, match="verifier prm-last"):
        evaluations.ask_about(batch, Asked(orm="bundled"))
    with pytest.raises(ParameterError, match="no model directory"):
        evaluations.ask_about(batch, Asked(judge=str(tmp_path / "nowhere")))
    evaluations.ask_about(batch, Asked(policy=True), ["judge"])
    assert "judge cannot be asked: The policy in use cannot" in asking.wait(60).message
    evaluations.ask_about(batch, Asked(judge="bundled"))
    assert "take a chat model" in asking.wait(60).message
    assert len(evaluations.verified(batch, [8])) == 10

    write_outcome(tmp_path / "orm")
    chat = write_model(tmp_path / "chat", chat=True, max_position_embeddings=1024)
    evaluations.ask_about(
        batch, Asked(str(tmp_path / "orm"), value="bundled", judge=str(chat), policy=True)
    )
    with pytest.raises(ModelsInUseError, match="asked about samples"):
        bench.choice.unload()
    with pytest.raises(ParameterError, match="asked already"):
        evaluations.ask_about(batch, Asked(policy=True))
    told = asking.wait(60)
    assert (told.message, told.active) == ("", False)
    assert [one.name for one in told.left_out] == ["self-reward"]
    assert set(told.seconds) == {"orm", "yes-no", "value", "judge"}
    rows = evaluations.verified(batch, [8])
    names = [f"{name}{votes}" for name in told.seconds for votes in ("", "+sc")]
    assert {one.name for one in rows} >= set(names)
    assert "ORM, yes or no + self-consistency" in {one.title for one in rows}
    said = verifications.notes(rows, told)
    assert any("Not asked: Self-rewarding; The policy in use cannot" in line for line in said)
    before = {name: dict(found) for name, found in asking.scores.items()}
    assert all(0.0 <= score <= 1.0 for found in before.values() for score in found.values())
    evaluations.ask_about(batch, Asked(value="bundled"), ["value"])
    asking.wait(60)
    assert asking.scores == before, "nobody is asked twice"


def test_outcome_models_learn_what_answers_tell() -> None:
    right = Trace("Q", ("a\n", "b\n", "4\n"), "4", None, True)
    wrong = Trace("Q", ("a\n", "5\n"), "5", None, False)
    traces = [right, wrong, right, Trace("Q", (), None, None, False)]
    told = {kind: [one.values for one in examples(traces, kind)] for kind in KINDS}
    assert told == {"orm": [(None, None, 1.0), (None, 0.0)], "value": [(1.0,) * 3, (0.0,) * 2]}
