"""Intervals against published and hand-computed numbers; comparisons at equal budgets."""

import pytest

from engine.evaluation.compare import Contest, Method, Question, table
from engine.evaluation.statistics import accuracy, clustered_difference, paired_difference
from tests.engine.worlds import World, grade


def test_wilson_interval() -> None:
    # 81 of 263: the worked example of Newcombe (1998), 0.2553 to 0.3662.
    interval = accuracy([True] * 81 + [False] * 182)
    assert interval.estimate == pytest.approx(81 / 263)
    assert interval.low == pytest.approx(0.2553, abs=1e-4)
    assert interval.high == pytest.approx(0.3662, abs=1e-4)
    assert accuracy([]).high == 1.0
    assert accuracy([True] * 5).high == 1.0


def test_paired_difference() -> None:
    same = [True, False] * 100
    assert paired_difference(same, same).estimate == 0.0
    assert not paired_difference(same, same).excludes_zero
    better = [True] * 150 + [False] * 50
    worse = [True] * 100 + [False] * 100
    gap = paired_difference(better, worse)
    # 50 problems fixed, none broken: 0.25 with standard error sqrt(0.25 * 0.75 / 200) = 0.0306.
    assert gap.estimate == 0.25
    assert gap.low == pytest.approx(0.25 - 1.96 * 0.0306, abs=0.01)
    assert gap.high == pytest.approx(0.25 + 1.96 * 0.0306, abs=0.01)
    with pytest.raises(ValueError, match="two equal"):
        paired_difference([True], [])


def test_few_problems_that_differ_show_nothing() -> None:
    """Where an exact sign test cannot find a difference, the interval does not either."""
    for n in (1, 6, 40, 600):
        for differ in range(min(n, 5) + 1):
            for up in range(differ + 1):
                one = [k < up for k in range(n)]
                other = [up <= k < differ for k in range(n)]
                found = paired_difference(one, other)
                assert found.estimate == pytest.approx((2 * up - differ) / n)
                assert not found.excludes_zero
                assert found.low <= found.estimate <= found.high
                assert clustered_difference([one], [other]) == found
    # By hand: of 6 problems the share that differs is at most 1 - 0.025 ** (1 / 6).
    none = paired_difference([True] * 6, [True] * 6)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 6))
    assert none.low == -none.high
    # All 5 of 5 went up: the share that goes up is at least 0.025 ** (1 / 5).
    five = paired_difference([True] * 5, [False] * 5)
    assert five.low == pytest.approx(2 * 0.025 ** (1 / 5) - 1)
    assert paired_difference([True] * 6, [False] * 6).excludes_zero


def test_no_method_spends_more_than_the_samples() -> None:
    world = World()
    contest = Contest(world, world, lambda answer, gold: grade(answer), parallel=3)
    questions = [Question(f"q{i}", "1", f"g{i % 2}") for i in range(7)]
    methods = [
        Method("mcts_star", "mcts_star", {"branch": 2}),
        Method("beam", "beam", {"width": 2, "branch": 4}),
    ]
    result = contest.run(questions, methods, samples=8)
    names = [row.name for row in result.rows]
    assert names[:2] == ["greedy", "majority@8"]
    assert {"pass@8", "best-of-8, min", "vote@8, product", "mcts_star, vote", "beam, best"} <= set(
        names
    )
    spent = result.row("majority@8").policy_tokens
    assert 0 < result.row("mcts_star, vote").policy_tokens <= spent
    assert 0 < result.row("beam, best").policy_tokens <= spent
    best = result.row("pass@8").right
    for name in names:
        if "@8" in name or "of-8" in name:
            row = result.row(name)
            assert all(top or not hit for top, hit in zip(best, row.right, strict=True)), name
    text = table(result, "mcts_star, vote")
    assert "| g0 |" in text.splitlines()[0]
    assert len(text.splitlines()) == 2 + len(names)
