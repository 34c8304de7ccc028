"""The world whose truth is known tells the truth, and the measurement reads it right."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from engine import events as ev
from engine.rewards import known_truth
from engine.rewards.known_world import GOLD, LONGEST, KnownWorld
from engine.rewards.methods import infer
from engine.tree import Tree

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rewards.md"


def everything(world: KnownWorld) -> Tree:
    """The tree of all that can happen in a world, one wording of each step."""
    tree = world.search("mcts_star", {}, 0).tree
    waiting = [0]
    while waiting:
        node = tree.node(waiting.pop())
        steps = tree.steps(node.id)
        moves = world.moves(world.state(steps), len(steps))
        first = len(tree.nodes)
        if moves:
            new = [ev.NewNode(first + i, f"{move.word} 0\n") for i, move in enumerate(moves)]
            tree.apply(ev.Expanded(node.id, "expanded", new, []))
            waiting += [child.id for child in new]
        else:
            answer = steps[-1].split()[1] if steps[-1].startswith("answer") else None
            tree.apply(ev.Judged(node.id, "end", "text"))
            tree.apply(ev.Answered(node.id, answer, answer == GOLD))
    return tree


@pytest.mark.parametrize("seed", range(3))
def test_v_and_hard_estimates_of_everything_are_the_truth(seed: int) -> None:
    world = KnownWorld(seed)
    tree = everything(world)
    assert max(node.depth for node in tree.nodes) == LONGEST
    quality, hard = infer(tree, "reference").by_node(), infer(tree, "hard").by_node()
    for node in tree.nodes:
        steps = tree.steps(node.id)
        assert quality[node.id].value == pytest.approx(world.quality(steps), abs=1e-12)
        assert hard[node.id].value == (world.success(steps) > 0)


def test_chances_add_up_and_success_is_what_happens() -> None:
    world = KnownWorld(4)
    for state in ("sound", "slipped", "lost"):
        for depth in range(LONGEST):
            chances = [move.chance for move in world.moves(state, depth)]  # type: ignore[arg-type]
            assert sum(chances) == pytest.approx(1.0)
    for steps in ((), ("go 1\n", "slip 0\n"), ("slip 0\n", "stray 2\n"), ("mumble 0\n",)):
        ends = world.rollouts(steps, 4000, 0)
        assert sum(ends) / len(ends) == pytest.approx(world.success(steps), abs=0.032)
    assert world.success(("slip 0\n", "stray 2\n")) == world.success(("mumble 0\n",)) == 0


def test_a_prm_without_noise_says_the_truth() -> None:
    from engine.models.base import PrefixRequest

    world = KnownWorld(1, noise=0.0)
    [value] = world.score([PrefixRequest(world.question, ("go 0\n",))])
    assert value.value == pytest.approx(world.success(("go 0\n",)))


def test_the_measurement_finds_what_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_truth, "BUDGETS", (32, 128))
    report = known_truth.measure(worlds=4, seeds=2, noise=1.0)
    lines = {(n.algorithm, n.budget, n.depth, n.estimator, n.truth): n for n in report.lines}
    rolled = lines["sampling", 128, None, "soft, 8 roll-outs a node", "p"]
    assert abs(rolled.bias.estimate) < 0.05, "independent roll-outs have no bias"
    assert rolled.error.estimate < lines["sampling", 128, None, "soft", "p"].error.estimate
    hard, soft = (
        lines["mcts_star", 128, None, name, "p"].bias.estimate for name in ("hard", "soft")
    )
    assert hard > soft
    assert all(n.bias.low <= n.bias.estimate <= n.bias.high for n in report.lines)
    ElementTree.fromstring(known_truth.plot(report))
    assert known_truth.table(report, None).count("\n") > 20


def test_bad_numbers_on_the_command_line_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert known_truth.main(["--seeds", "1"]) == 2
    assert "2 seeds" in capsys.readouterr().err


def test_the_document_holds_the_table_of_the_command() -> None:
    text = DOCUMENT.read_text("utf-8")
    for estimator in known_truth.ESTIMATORS:
        for algorithm in known_truth.ALGORITHMS:
            row = rf"\| {algorithm} \| [\d,]+ \| {re.escape(estimator.name)} \| "
            found = re.findall(row + re.escape(estimator.truth) + r" \|", text)
            wanted = 0 if estimator.only not in ("", algorithm) else len(known_truth.BUDGETS)
            assert len(found) == wanted, (algorithm, estimator.name)
