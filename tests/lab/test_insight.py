"""The process reward model against a person, and what is worth judging next."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import ParameterError
from lab.workbench import Workbench
from tests.lab.benches import finish
from tests.lab.solving import write

Make = Callable[..., Workbench]


def searched(bench: Workbench, question: str = "What?", seed: int = 8) -> str:
    session = bench.create(question, gold="1", seed=seed, params={"inf": 0.8})
    finish(bench, session, iterations=12)
    return session


def test_every_word_of_a_person_is_a_label(make: Make) -> None:
    bench = make()
    session = searched(bench)
    nothing = bench.studies.insights.calibration(session)
    assert (nothing.labels, nothing.brier, nothing.bins) == (0, None, [])
    nodes = {node["id"]: node for node in bench.export(session)["nodes"]}
    said = {1: 1.0, 2: 0.0, 3: 0.7}
    bench.verdicts.mark(session, 1, "right")
    bench.verdicts.mark(session, 2, "wrong")
    bench.verdicts.mark(session, 4, "unclear")
    bench.steering.overrule(session, 3, 0.7)
    leaf = next(one for one in nodes if nodes[one]["answer"] is not None)
    bench.verdicts.grade_leaf(session, leaf, True)
    said[leaf] = 1.0

    found = bench.studies.insights.calibration(session)
    errors = [(nodes[node]["prm"] - label) ** 2 for node, label in said.items()]
    assert found.brier is not None
    assert found.brier.estimate == pytest.approx(sum(errors) / 4)
    assert found.brier.low <= found.brier.estimate <= found.brier.high
    assert (found.labels, found.sessions, found.few) == (4, 1, True)
    assert found.kinds == {"mark": 2, "answer": 1, "value": 1}
    assert sum(one.count for one in found.bins) == 4
    for one in found.bins:
        inside = [n for n in said if one.low <= nodes[n]["prm"] < one.high]
        assert one.count == len(inside)
        assert one.label.estimate == pytest.approx(sum(said[n] for n in inside) / len(inside))
    # Taken back, it is no label any more.
    bench.verdicts.mark(session, 2, "")
    assert bench.studies.insights.calibration(session).labels == 3


def test_labels_of_a_dataset_and_of_all_searches(make: Make, tmp_path: Path) -> None:
    bench = make()
    alone = searched(bench)
    bench.verdicts.mark(alone, 1, "right")
    batch = bench.solve(bench.dataset(write(tmp_path / "some.jsonl", 3)), iterations=3)
    bench.wait_batch(batch)
    first, second, third = [one.session or "" for one in bench.batch_problems(batch)]
    for session in (first, second):
        bench.verdicts.mark(session, 1, "wrong")
    insights = bench.studies.insights
    assert insights.calibration(first, "session").labels == 1
    assert insights.calibration(third, "dataset").labels == 2
    assert insights.calibration(third, "all").labels == 3
    assert insights.calibration(alone, "dataset").labels == 1
    bench.delete(second)
    assert insights.calibration(third, "all").sessions == 2
    with pytest.raises(ParameterError, match="no scope"):
        insights.calibration(alone, "home")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["paper", "soft"])
def test_annotate_next_ranks_as_trying_every_verdict_does(make: Make, method: str) -> None:
    bench = make()
    session = searched(bench)
    found = bench.studies.insights.annotate_next(session, method, limit=1000, tried=1000)
    assert found.tried == found.possible
    nodes = {node["id"]: node for node in bench.export(session)["nodes"]}
    tried = {}
    for node in nodes.values():
        unsure = 1 - abs(2 * (node["prm"] or 0) - 1)
        for kind in ("right", "wrong"):
            if node["answer"] is not None:
                changes = bench.verdicts.rewards(
                    session, method, flips={node["id"]: kind == "right"}
                ).changes
                tried[node["id"], f"answer {kind}"] = len(changes) * unsure
            if node["parent"] is not None:
                changes = bench.verdicts.rewards(session, method, marks={node["id"]: kind}).changes
                tried[node["id"], f"step {kind}"] = len(changes) * unsure
    assert found.best
    for one in found.best:
        assert one.score == pytest.approx(tried[one.node, one.verdict])
    scores = [one.score for one in found.best]
    assert scores == sorted(scores, reverse=True)
    # A verdict that confirms what counts already is no candidate, and can change less.
    best = {one.node for one in found.best if one.verdict.startswith("answer")}
    assert best == {n for (n, words), s in tried.items() if words.startswith("answer") and s > 0}

    most = found.best[0]
    kind, verdict = most.verdict.split()
    if kind == "step":
        bench.verdicts.mark(session, most.node, verdict)
    else:
        bench.verdicts.grade_leaf(session, most.node, verdict == "right")
    left = bench.studies.insights.annotate_next(session, method, limit=1000, tried=1000).best
    assert most.node not in {one.node for one in left}
