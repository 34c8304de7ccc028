"""The benchmark: it runs, counts what it says, and its baselines do the same work as the lab."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine import events as ev
from engine.models.base import PrefixRequest, ProposalRequest, Sampling
from engine.models.pool import ModelPool
from engine.search.driver import Limits
from engine.tree import Tree
from lab.bench import expansion, figures, logic, searches, shapes, storage
from lab.bench.__main__ import Part, main
from lab.bench.expansion import CONTINUOUS, EACH, LAB, METHODS, TOGETHER, Setting

TINY = shapes.SHAPES["tiny"]


@pytest.fixture(name="written", scope="session")
def write_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("shapes") / "tiny-nf4"
    shapes.write(TINY, directory, "cpu", "nf4")
    return directory


@pytest.fixture(name="pair", scope="module")
def open_tiny(written: Path) -> Iterator[shapes.Pair]:
    pair = shapes.open_pair(written, "cpu", "nf4", ModelPool())
    yield pair
    pair.pool.close()


def measured(tmp_path: Path, *parts: Part, **options: Any) -> dict[str, dict[str, Any]]:
    """Figures by name, of one short run."""
    file = tmp_path / "figures.json"
    short = {"repetitions": 1, "problems": 2, "iterations": 2, "nodes": 60, "device": "cpu"}
    main(only=list(parts), json_file=file, **{**short, **options})
    report = json.loads(file.read_text("ascii"))
    assert len(report["parts"]) == len(parts)
    return {row["name"]: row for rows in report["parts"].values() for row in rows}


def test_a_percentile_is_one_of_the_values() -> None:
    assert figures.percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert figures.percentile([1.0, 2.0, 3.0], 0.9) == 3.0
    assert figures.percentile([5.0], 0.9) == 5.0


def test_a_goal_is_for_the_median() -> None:
    below = figures.summarise("x", "s", [9.0, 1.0, 2.0], at_most=2.0)
    assert (below.median, below.smallest, below.largest, below.met) == (2.0, 1.0, 9.0, True)
    assert figures.summarise("x", "s", [2.1], at_most=2.0).met is False
    assert figures.summarise("x", "", [6.0], at_least=6.0).met is True
    assert figures.summarise("x", "", [5.9], at_least=6.0).goal == "at least 6"
    assert figures.summarise("x", "", [5.9]).met is None


def test_the_large_log_folds_to_its_nodes() -> None:
    log = storage.large_log(100)
    tree = Tree.fold(log)
    assert len(tree.nodes) == 100
    parts = storage.by_iteration(log[1:])
    assert len(parts) == tree.iteration
    assert all(isinstance(part[-1], ev.IterationFinished) for part in parts)


def test_the_logic_is_measured_up_to_the_nodes_asked_for() -> None:
    laps = logic.iterations(300, {}, logic.script(branch=18, highest=1.0, ends=True))
    assert len(laps) >= 99  # three nodes an iteration
    assert all(lap >= 0 for lap in laps)


def test_parts_without_random_models(tmp_path: Path) -> None:
    parts = (Part.LOGIC, Part.STORE, Part.LATENCY, Part.TOKENS, Part.TREES)
    rows = measured(tmp_path, *parts)
    assert all(row["median"] > 0 for row in rows.values())
    # Searches after each other share the first words of their questions.
    assert 0.9 < rows["policy forwarded / unique"]["median"] <= 1.05
    assert 0.9 < rows["PRM forwarded / unique"]["median"] <= 1.05
    assert rows["iteration p90"]["median"] >= rows["iteration p50"]["median"]
    assert rows["MCTS*: an iteration at 60 nodes"]["goal"] == "at most 1"
    assert {"open 60 nodes", "2 problems at once", "2 problems one by one"} <= set(rows)


def test_the_gpu_parts_run_with_a_tiny_shape(tmp_path: Path) -> None:
    rows = measured(tmp_path, Part.EXPANSION, Part.SPEED, tiny=True)
    for name in (LAB, EACH, CONTINUOUS):
        assert rows[f"{name}: iteration"]["median"] > 0
    for name in (LAB, TOGETHER, CONTINUOUS):
        assert rows[f"{name}: prefill of 3 x 24 tokens"]["median"] > 0
        assert f"{name}: decode step at batch 3" in rows
    assert rows["floor of a decode step"]["median"] > 0
    assert {f"{name}: policy" for name in METHODS} <= set(rows)


def test_an_unknown_shape_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"no shape 'huge'.*qwen2-236m"):
        main(only=[Part.EXPANSION], shape=["huge"], device="cpu")


class Prefixes:
    """Counts distinct prefixes of the texts it is shown: what a perfect cache would forward."""

    def __init__(self) -> None:
        self.count = 0
        self._root: dict[int, Any] = {}

    def see(self, tokens: Sequence[int]) -> None:
        here = self._root
        for token in tokens:
            if token not in here:
                here[token] = {}
                self.count += 1
            here = here[token]


def test_unique_tokens_are_the_distinct_prefixes_of_all_texts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundled = searches.Bundled("cpu", "nf4")
    seen = Prefixes()
    score = bundled.prm.score

    def watched(requests: Sequence[PrefixRequest]) -> Any:
        for asked in requests:
            seen.see(bundled.prm.prompter.value(asked.question, asked.steps))
        return score(requests)

    monkeypatch.setattr(bundled.prm, "score", watched)
    _, cost = searches.one_by_one(bundled, searches.problems(1), Limits(iterations=4))
    assert cost.prm_unique == seen.count
    assert cost.prm_forwarded >= seen.count


def test_a_random_model_is_the_same_each_time_and_says_what_it_samples(
    written: Path, pair: shapes.Pair, tmp_path: Path
) -> None:
    shapes.write(TINY, tmp_path / "again", "cpu", "nf4")
    for file in sorted(written.rglob("*.safetensors")):
        again = tmp_path / "again" / file.relative_to(written)
        assert again.read_bytes() == file.read_bytes(), file.name
    assert pair.policy.handle.base.quantised == "nf4"
    assert not pair.pool.notices
    question = shapes.question(TINY, 30, seed=5)
    assert len(pair.policy.prompter.proposal(question, ())) == 30
    sampling = Sampling.model_validate({"max_step_tokens": 16})
    (reply,) = pair.policy.propose([ProposalRequest(question, (), 0, 0, 0, sampling)])
    text = pair.policy.prompter.proposal(question, (reply.step,))
    assert text[30:] == reply.tokens
    assert len(reply.tokens) == 16


def test_both_adapters_change_what_the_base_says(pair: shapes.Pair) -> None:
    import torch

    tokens = torch.tensor([list(range(2, 40))])
    read = {}
    for adapter in (None, pair.policy.handle.adapter, pair.prm.handle.adapter):
        with pair.policy.handle.base.using(adapter) as model:
            read[adapter] = model(tokens).logits[0, -1].float()
    base, policy, prm = read.values()
    assert not torch.equal(base, policy)
    assert not torch.equal(base, prm)
    assert not torch.equal(policy, prm)


def test_every_method_does_the_same_work(pair: shapes.Pair) -> None:
    setting = Setting(TINY, prompt=40, nodes=2, branch=2, step=8, seed=3)
    works = {}
    for name in METHODS:
        pair.forget()
        with expansion.running(name, pair, setting) as method:
            works[name] = method(setting)
    # Two children of the root, then two of each of two nodes at two further depths.
    texts = [(40, 2), (48, 4), (56, 4)]
    naive = sum(count * (prompt + 7) for prompt, count in texts)
    assert works[EACH].policy_forwarded == works[TOGETHER].policy_forwarded == naive
    reread = sum(count * (prompt + 8) for prompt, count in texts)
    for name in (EACH, TOGETHER, CONTINUOUS):
        assert works[name].prm_forwarded == reread
    unique = 40 + sum(count * 7 for _, count in texts)
    assert unique <= works[CONTINUOUS].policy_forwarded < naive
    assert works[LAB].prm_forwarded == 40 + 8 * 10


def test_the_baselines_value_as_the_lab_does(pair: shapes.Pair) -> None:
    from lab.bench.baselines import Reread

    question = shapes.question(TINY, 20, seed=9)
    other = shapes.question(TINY, 31, seed=10)
    asked = [PrefixRequest(text, (" w5 w6 w7\n",)) for text in (question, other)]
    ours = [reply.value for reply in pair.prm.score(asked)]
    for together in (True, False):
        theirs = [reply.value for reply in Reread(pair, together).score(asked)]
        assert theirs == pytest.approx(ours, abs=0.01)
