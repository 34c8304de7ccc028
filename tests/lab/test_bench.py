"""The benchmark: it runs, counts what it says, and cuts logs where iterations end."""

import json
from pathlib import Path

from engine import events as ev
from engine.tree import Tree
from lab import bench


def test_unique_tokens_are_those_of_a_shared_prefix_once() -> None:
    unique = bench.UniqueTokens()
    for text in ([1, 2, 3], [1, 2, 3], [1, 2, 4, 5], [2, 1], []):
        unique.see(text)
    assert unique.count == 7


def test_a_percentile_is_one_of_the_values() -> None:
    assert bench.percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert bench.percentile([1.0, 2.0, 3.0], 0.9) == 3.0
    assert bench.percentile([5.0], 0.9) == 5.0


def test_the_large_log_folds_to_its_nodes() -> None:
    log = bench.large_log(100)
    tree = Tree.fold(log)
    assert len(tree.nodes) == 100
    assert isinstance(log[-1], ev.IterationFinished)


def test_a_small_run_gives_every_figure(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    bench.main(repetitions=1, problems=1, iterations=2, nodes=50, json_file=file)
    report = json.loads(file.read_text("ascii"))
    figures = {row["name"]: row["median"] for row in report["figures"]}
    assert all(value > 0 for value in figures.values())
    assert figures["policy forwarded / unique"] >= 1.0
    assert figures["PRM forwarded / unique"] >= 1.0
    assert figures["iteration p90"] >= figures["iteration p50"]
    assert "open 50 nodes" in figures
