"""Did it help? Against numbers computed by hand."""

import math

import pytest

from engine import events as ev
from engine.exports.labels import LabelledTree
from engine.search.driver import create
from engine.tasks.stories import recognise
from engine.training.examples import Solution
from engine.training.verdict import (
    Judged,
    auc,
    brier,
    calibrate,
    compare,
    right_steps,
    suspect,
)
from engine.tree import Tree

STORY = (
    "Frank has 27 stamps. He hands 15 to Anna. He buys 4 more. He buys 6 more. "
    "How many stamps does Frank have now?"
)


def test_answers_are_compared_problem_by_problem() -> None:
    before = {"a": True, "b": False, "c": False, "d": True, "only before": True}
    after = {"a": True, "b": True, "c": False, "d": False, "only after": True}
    found = compare(before, after)
    assert found is not None
    assert (found.n, found.fixed, found.broken) == (4, ["b"], ["d"])
    assert (found.same_right, found.same_wrong) == (1, 1)
    assert (found.before.estimate, found.after.estimate) == (0.5, 0.5)
    assert (found.difference.estimate, found.worse) == (0.0, False)
    assert compare({"a": True}, {"b": True}) is None
    assert compare({}, {}) is None


@pytest.mark.parametrize(
    ("fixed", "broken", "same", "words", "worse"),
    [
        (60, 10, 530, r"\+8\.3 points, 95 % CI \d\.\d to 1\d\.\d, n = 600: significant", False),
        (10, 60, 530, r"-8\.3 points, 95 % CI -1\d\.\d to -\d\.\d, n = 600: significant", True),
        (2, 1, 97, r"\+1\.0 points, 95 % CI -\d\.\d to \d\.\d, n = 100: not significant", False),
        (1, 2, 2997, r"\+0\.0 points, 95 % CI -0\.\d to 0\.\d, n = 3000: not significant", True),
    ],
)
def test_the_sentence_says_how_sure_it_is(
    fixed: int, broken: int, same: int, words: str, worse: bool
) -> None:
    import re

    outcomes = [(False, True)] * fixed + [(True, False)] * broken + [(True, True)] * same
    before = {str(k): was for k, (was, _) in enumerate(outcomes)}
    after = {str(k): now for k, (_, now) in enumerate(outcomes)}
    found = compare(before, after)
    assert found is not None
    assert re.fullmatch(words, found.sentence), found.sentence
    assert found.worse is worse
    # The normal approximation of a paired difference, as a check on the bootstrap.
    n = len(outcomes)
    mean = (fixed - broken) / n
    half = 1.96 * math.sqrt(((fixed + broken) / n - mean**2) / n)
    if fixed + broken >= 6:
        assert found.difference.low == pytest.approx(mean - half, abs=0.012)
        assert found.difference.high == pytest.approx(mean + half, abs=0.012)
    else:  # exact intervals, which are wider
        assert found.difference.low < mean - half < mean + half < found.difference.high


def test_brier_and_auc() -> None:
    assert brier([1.0, 0.0, 0.5], [True, False, False]) == pytest.approx(0.25 / 3)
    assert auc([(True, 0.9), (False, 0.1)]) == 1.0
    assert auc([(True, 0.5), (False, 0.5)]) == 0.5
    assert auc([(True, 0.9), (True, 0.2), (False, 0.5), (False, 0.1)]) == 0.75
    with pytest.raises(ValueError, match="right and wrong"):
        auc([(True, 0.5)])


def test_values_are_compared_within_problems() -> None:
    judged = [
        Judged("easy", True, before=0.8, after=0.9),
        Judged("easy", False, before=0.7, after=0.1),
        Judged("hard", True, before=0.2, after=0.6),
        Judged("hard", False, before=0.3, after=0.2),
        Judged("never", False, before=0.9, after=0.1),
    ]
    found = calibrate(judged)
    assert found is not None
    assert (found.solutions, found.problems, found.collapsed) == (5, 2, False)
    assert (found.before.auc, found.after.auc) == (0.5, 1.0)
    assert found.before.brier == pytest.approx((0.04 + 0.49 + 0.64 + 0.09 + 0.81) / 5)
    assert found.after.brier == pytest.approx((0.01 + 0.01 + 0.16 + 0.04 + 0.01) / 5)
    assert calibrate([]) is None
    only = calibrate(judged[-1:])
    assert only is not None
    assert only.before.auc is None


@pytest.mark.parametrize(("values", "collapsed"), [((0.5, 0.5), True), ((0.45, 0.55), False)])
def test_values_that_tell_nothing_apart_have_collapsed(
    values: tuple[float, float], collapsed: bool
) -> None:
    judged = [Judged("a", True, 0.6, values[1]), Judged("a", False, 0.4, values[0])]
    found = calibrate(judged)
    assert found is not None
    assert found.collapsed is collapsed


def test_a_right_answer_by_a_wrong_step_is_seen() -> None:
    story = recognise(STORY).story
    assert story is not None
    right = tuple(f"{line}\n" for line in story.solution())
    lucky = (right[0].replace("= 12", "= 13"), *right[1:])
    found = right_steps(
        [Solution(STORY, right), Solution(STORY, lucky), Solution("What is 1 + 1?", ("2\n",))]
    )
    assert (found.solutions, found.checked, found.right) == (3, 2, 1)


def answered(answers: list[str], value: float | None, gold: str | None = "1") -> LabelledTree:
    """A tree of solutions of one step."""
    tree = Tree.fold([create("What?", gold, "sampling", {}, 0, "p", "v")])
    tree.apply(ev.IterationStarted(1))
    tree.apply(ev.Judged(0, "continue", "text"))
    children = [ev.NewNode(k, f"{k}. {one}\n", k) for k, one in enumerate(answers, start=1)]
    tree.apply(ev.Expanded(0, "expanded", children, [child.step for child in children]))
    if value is not None:
        tree.apply(ev.Evaluated([ev.NodeValue(child.id, value) for child in children]))
    for child, answer in zip(children, answers, strict=True):
        tree.apply(ev.Judged(child.id, "end", "text"))
        correct = None if gold is None else answer == gold
        tree.apply(ev.Answered(child.id, answer, correct, answer))
    return LabelledTree(tree, "paper")


def test_an_oracle_that_most_solutions_contradict_is_doubted() -> None:
    found = suspect(answered(["2", "2", "2", "1"], 0.9), "s")
    assert found is not None
    assert (found.session, found.oracle, found.found, found.share) == ("s", "1", "2", 0.75)
    assert found.value == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("answers", "value", "gold"),
    [
        (["1", "1", "1", "2"], 0.9, "1"),  # they agree with the oracle
        (["2", "2", "2", "1"], 0.5, "1"),  # the process reward model is not sure
        (["2", "2", "2", "1"], None, "1"),  # nor was it asked
        (["2", "2", "1", "1"], 0.9, "1"),  # they do not agree
        (["2", "2"], 0.9, "1"),  # too few
        ([], None, "1"),
        (["2", "2", "2", "2"], 0.9, None),  # there is no oracle
    ],
)
def test_no_other_oracle_is_doubted(
    answers: list[str], value: float | None, gold: str | None
) -> None:
    assert suspect(answered(answers, value, gold), "s") is None
