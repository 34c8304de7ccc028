"""Which examples a tree gives, by every recipe."""

import pytest
from hypothesis import given
from pydantic import ValidationError

from engine import events as ev
from engine.errors import ParameterError
from engine.exports.labels import LabelledTree
from engine.rewards.methods import METHODS
from engine.search.backup import averages
from engine.search.registry import validate
from engine.training.examples import Pair, Solution, Valued
from engine.training.gathering import (
    own_pairs,
    policy_examples,
    prm_examples,
    solutions,
    step_pairs,
    valued,
    weighted_steps,
)
from engine.training.recipes import RECIPES, PolicyPart, recipe
from engine.tree import Tree
from engine.verifiers.traces import trace_of
from tests.engine.reward_trees import Outline, trees
from tests.engine.trees import QUESTION, small_tree

FIVE, NINE, EIGHT, HM = "2 + 3 = 5\n", "5 + 4 = 9\n", "5 + 4 = 8\n", "Hm.\n"
RIGHT, WRONG = "Answer: 9\n", "Answer: 8\n"


def small(method: str = "paper") -> LabelledTree:
    return LabelledTree(small_tree(), method)


def test_right_solutions_that_the_prm_believes_are_imitated() -> None:
    found = solutions(small(), "s")
    assert [(one.question, one.steps, one.finished) for one in found] == [
        (QUESTION, (FIVE, NINE, RIGHT), True)
    ]
    assert found[0].source is not None
    assert (found[0].source.session, found[0].source.node) == ("s", 5)
    assert solutions(small(), "s", least_value=0.9) == found
    assert solutions(small(), "s", least_value=0.91) == []


def test_values_are_given_once_along_few_texts() -> None:
    texts = [(one.steps, one.values) for one in valued(small(), "s")]
    assert texts == [
        ((FIVE, NINE, RIGHT), (pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0)),
        ((FIVE, EIGHT, WRONG), (None, pytest.approx(1 / 9), 0.0)),
    ]


def test_siblings_are_paired_by_their_share_of_right_solutions() -> None:
    found = step_pairs(small(), "s", "q", 0.5, None)
    assert [(one.steps, one.better, one.worse) for one in found] == [((FIVE,), (NINE,), (EIGHT,))]
    assert found[0].weight == 1.0
    assert not found[0].finished
    by_value = step_pairs(small(), "s", "value", 0.4, None)
    assert [(one.better, one.worse) for one in by_value] == [((NINE,), (EIGHT,))]


def three_siblings() -> Tree:
    """Below a common step: always right, half right, always wrong; and a step without siblings."""
    outline = Outline()
    first = outline.add(0, "first")
    for word, ends in (("good", [True]), ("half", [True, False]), ("bad", [False])):
        node = outline.add(first, word)
        for correct in ends:
            leaf = outline.add(node)
            outline.finish(leaf, correct, "yes" if correct else "no")
    return outline.tree


def test_steps_weigh_by_their_correctness_relative_to_their_siblings() -> None:
    found = weighted_steps(LabelledTree(three_siblings(), "soft"), "s")
    weights = {one.steps[-1]: one.weight for one in found}
    # Shares 1, 1/2 and 0 with the mean 1/2; below `half` 1 and 0 with the mean 1/2.
    assert weights == {"good\n": 2.0, "half\n": 1.0, "step 5\n": 2.0}
    assert {one.steps[-1]: one.given for one in found} == {"good\n": 1, "half\n": 1, "step 5\n": 2}
    assert {one.steps[-1]: one.finished for one in found}["step 5\n"]
    assert not found[0].finished


def test_steps_weigh_by_the_roll_outs_that_the_oracle_scored() -> None:
    outline = Outline()
    tree = outline.tree
    often, seldom, never, unseen = (outline.add(0, word) for word in ("a", "b", "c", "d"))
    for child, reward in ((often, 1.0), (often, 1.0), (seldom, 1.0), (seldom, 0.0), (never, 0.0)):
        tree.apply(ev.BackedUp(averages(tree, [0, child], reward)))
    found = weighted_steps(LabelledTree(tree, "soft"), "s", "value")
    # V is 1, 1/2 and 0 with the mean 1/2; nothing is known of the one that was never visited.
    assert {one.steps: one.weight for one in found} == {("a\n",): 2.0, ("b\n",): 1.0}
    assert weighted_steps(LabelledTree(tree, "soft"), "s") == []
    below = outline.add(often, "e")
    outline.add(often, "f")
    for child, reward in ((below, 1.0), (below + 1, 0.0)):
        tree.apply(ev.BackedUp(averages(tree, [child], reward)))
    assert below in {
        one.source.node for one in weighted_steps(LabelledTree(tree, ""), "s", "value")
    }
    tree.apply(ev.Marked(often, "wrong", ""))
    (left,) = weighted_steps(LabelledTree(tree, "soft"), "s", "value")
    assert (left.steps, left.weight) == (("b\n",), 3.0)
    assert unseen not in {one.source.node for one in found}


def samples(*answers: str | None) -> Tree:
    """Independent solutions of one step with these answers."""
    outline = Outline()
    for answer in answers:
        outline.finish(outline.add(0), None, answer)
    return outline.tree


def test_a_policy_prefers_the_answers_that_it_gives_most() -> None:
    tree = samples("7", "7", "7", "8", None)
    found = own_pairs(tree, "s", 0.25, None)
    assert [(one.better, one.worse) for one in found] == [(("step 1\n",), ("step 4\n",))]
    assert found[0].finished
    assert found[0].steps == ()


def test_a_policy_that_is_of_two_minds_or_sure_prefers_nothing() -> None:
    assert own_pairs(samples("7", "7", "8", "8"), "s", 0.0, None) == []
    assert own_pairs(samples("7", "7"), "s", 0.0, None) == []
    assert own_pairs(samples(None), "s", 0.0, None) == []
    assert own_pairs(samples(), "s", 0.0, None) == []


def test_what_a_policy_prefers_has_nothing_to_do_with_what_is_right() -> None:
    tree, other = samples("no", "no", "yes"), samples("no", "no", "yes")
    other.gold = "no"
    for node in other.nodes[1:]:
        node.correct = node.answer == "no"
        node.prm_value = 0.9
    assert own_pairs(tree, "s", 0.0, None) == own_pairs(other, "s", 0.0, None)


def test_each_own_solution_is_in_one_pair() -> None:
    found = own_pairs(samples("7", "7", "7", "8", "9"), "s", 0.0, None)
    used = [steps for one in found for steps in (one.better, one.worse)]
    assert len(found) == 2
    assert len(set(used)) == 4
    assert len(own_pairs(samples("7", "7", "7", "8", "9"), "s", 0.0, 1)) == 1


@given(trees())
def test_every_recipe_takes_any_tree(tree: Tree) -> None:
    for one in RECIPES.values():
        found = LabelledTree(tree, one.prm.rewards if one.prm else "paper")
        if one.policy:
            kind = Pair if one.policy.loss == "preference" else Solution
            examples = policy_examples(found, "s", one.policy)
            assert all(isinstance(example, kind) for example in examples)
        if one.prm:
            kind = Pair if one.prm.loss == "ranking" else Valued
            examples = prm_examples(found, "s", one.prm)
            assert all(isinstance(example, kind) for example in examples)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_one_that_can_be_followed(name: str) -> None:
    one = recipe(name)
    assert one.name == name
    assert one.policy or one.prm
    validate(one.search.algorithm, one.search.params)
    if one.prm:
        assert one.prm.rewards in METHODS


def test_an_unknown_recipe_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ParameterError, match=r"no recipe 'ppo'.*rest_mcts.*rstar_math"):
        recipe("ppo")


def test_a_loss_that_does_not_fit_its_examples_is_refused() -> None:
    with pytest.raises(ValidationError, match="imitation is not one of step_pairs"):
        PolicyPart(examples="step_pairs")
    with pytest.raises(ValidationError, match="preference is not one of solutions"):
        PolicyPart(loss="preference")


def test_examples_and_traces_are_of_the_day_of_their_search() -> None:
    tree = small_tree()
    tree.date = "2026-03-01"
    found = LabelledTree(tree, "paper")
    drawn = samples("9", "9", "8")
    drawn.date = tree.date
    kinds = [
        solutions(found, "s"),
        valued(found, "s"),
        step_pairs(found, "s", "q", 0.0, None),
        weighted_steps(found, "s"),
        own_pairs(drawn, "s", 0.0, None),
    ]
    assert all(kinds)
    assert {one.date for examples in kinds for one in examples} == {"2026-03-01"}
    assert {trace_of(tree, leaf.leaf).date for leaf in found.traces} == {"2026-03-01"}
