"""Sampling and step beam: the simple rivals, on worlds that can be counted by hand."""

import pytest

from engine.search.driver import Limits
from tests.engine.test_mcts_star import Ladder
from tests.engine.worlds import World, new_search, run


def test_one_greedy_sample_is_a_chain() -> None:
    search = new_search(algorithm="sampling", samples=1)
    run(search, Limits(), World(empty=0.0))
    assert all(len(node.children) <= 1 for node in search.tree.nodes)
    assert search.tree.stop == "complete"


def test_samples_that_share_a_prefix_go_their_own_ways() -> None:
    search = new_search(algorithm="sampling", samples=40)
    run(search, Limits(), World(words=3, empty=0.0))
    tree = search.tree
    assert len(tree.root.children) == 40, "equal texts stay separate samples"
    twins = [n for n in tree.nodes if n.depth == 1 and n.step == tree.node(1).step]
    assert len({tree.node(twin.children[0]).step for twin in twins}) > 1


def test_solutions_that_grow_one_after_the_other_are_the_same_and_keep_to_a_budget() -> None:
    def solutions(limits: Limits, **params: int) -> tuple[list[tuple[str, ...]], int]:
        search = new_search(algorithm="sampling", samples=12, **params)
        run(search, limits, World(words=3, empty=0.0))
        tree = search.tree
        return [tree.steps(end) for end in tree.ends], tree.cost.policy_generated

    together, tokens = solutions(Limits())
    alone, same = solutions(Limits(), at_once=1)
    some, _ = solutions(Limits(), at_once=5)
    assert sorted(alone) == sorted(some) == sorted(together)
    assert same == tokens

    few, spent = solutions(Limits(tokens=tokens // 2), at_once=1)
    assert few[:-1] == alone[: len(few) - 1], "whole solutions, the first ones"
    assert len(few) >= 4
    assert tokens / 3 < spent <= tokens / 2


def test_a_sample_without_a_first_step_ends_no_other_one() -> None:
    for seed in range(6):
        search = new_search(algorithm="sampling", samples=8, at_once=1, attempts=1, seed=seed)
        run(search, Limits(), World(words=3, empty=0.5))
        together = new_search(algorithm="sampling", samples=8, attempts=1, seed=seed)
        run(together, Limits(), World(words=3, empty=0.5))
        found = [
            sorted(one.tree.steps(i) for i in one.tree.ends if i) for one in (search, together)
        ]
        assert found[0] == found[1]
        solved = any(not search.tree.node(i).dead_end for i in search.tree.ends)
        assert search.tree.stop == ("complete" if solved else "unusable")


def test_majority_best_and_vote_choose_as_they_say() -> None:
    class Skewed(Ladder):
        """Slots 0-5 end in the wrong answer 0, slots 6-7 in the right answer 1."""

        def __init__(self) -> None:
            super().__init__(right_from=6)

    for choice, right in (("majority", False), ("best", True), ("vote", True)):
        search = new_search(algorithm="sampling", samples=8, final_choice=choice)
        run(search, Limits(), Skewed())
        assert search.tree.node(search.tree.chosen or 0).correct is right, choice


@pytest.mark.parametrize("algorithm", ["beam", "sampling"])
def test_an_answer_that_is_voted_for_is_shown_by_its_best_solution(algorithm: str) -> None:
    wide = {"width": 8, "branch": 2} if algorithm == "beam" else {"samples": 24}
    search = new_search(algorithm=algorithm, final_choice="vote", **wide)
    run(search, Limits(), World(empty=0.0))
    tree = search.tree
    chosen = tree.node(tree.chosen or 0)
    same = [leaf for leaf in map(tree.node, tree.ends) if leaf.answer == chosen.answer]
    assert tree.voted == same[0].id
    assert chosen.value == max(leaf.value for leaf in same) > same[0].value


def test_majority_never_asks_the_prm() -> None:
    world = World()
    search = new_search(algorithm="sampling", samples=8)
    run(search, Limits(), world)
    assert "score" not in {kind for kind, _ in world.calls}
    assert search.tree.cost.prm_forwarded == 0


def test_a_beam_keeps_its_width_and_finds_the_ladder() -> None:
    search = new_search(algorithm="beam", width=2, branch=8)
    run(search, Limits(), Ladder(right_from=7))
    tree = search.tree
    assert tree.node(tree.chosen or 0).correct is True
    for depth in range(1, max(node.depth for node in tree.nodes)):
        assert sum(node.expanded for node in tree.nodes if node.depth == depth) <= 2


def test_a_beam_of_one_without_choice_is_a_chain() -> None:
    search = new_search(algorithm="beam", width=1, branch=1)
    run(search, Limits(), World(empty=0.0))
    assert all(len(node.children) <= 1 for node in search.tree.nodes)
