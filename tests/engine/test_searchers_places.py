"""Dead ends, finished solutions and places among the rivals of MCTS*, as their authors have it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.evaluation.budgets import outcomes
from engine.evaluation.contenders import Contender
from engine.models.base import (
    Completion,
    ProposalRequest,
    Usage,
)
from engine.search.driver import Limits
from engine.search.registry import ALGORITHMS, params_of
from tests.engine.test_searchers import RIVALS, Maze, answer, searched
from tests.engine.worlds import World, new_search, run


class DeadEnd(Maze):
    """The lure is a dead end: nothing can be written below it, and it stays worth 0.9."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[ProposalRequest] = []

    def _propose(self, request: ProposalRequest) -> Completion:
        self.asked.append(request)
        if request.steps == ("turn 0\n",):
            return Completion(None, "", "no reply", (), (), Usage(5))
        return super()._propose(request)

    def value(self, steps: tuple[str, ...]) -> float:
        return min(super().value(steps), 0.9 if steps == ("turn 0\n",) else 0.6)


@pytest.mark.parametrize("algorithm", RIVALS)
def test_a_dead_end_answers_nothing_while_a_solution_does(algorithm: str) -> None:
    own: dict[str, dict[str, object]] = {
        "beam": {"branch": 3, "width": 3},
        "lookahead": {"branch": 3, "width": 3, "steps": 0},
        "dvts": {"branch": 1, "subtrees": 9},
        "sampling": {"samples": 9},
        "rebase": {"balance": 10.0},
        "uct": {"branch": 3, "simulations": 40},
    }
    params = own.get(algorithm, {"branch": 3})
    search = new_search(algorithm=algorithm, final_choice="best", **params)
    run(search, Limits(iterations=60), DeadEnd())
    tree = search.tree
    assert any(tree.node(i).dead_end for i in tree.ends)
    chosen = tree.node(tree.chosen or 0)
    assert chosen.answer is not None
    method = Contender(algorithm, "", "anytime", algorithm, dict(tree.params))
    assert outcomes(search.log, method, [10**6])[0].answer == chosen.answer


def test_a_beam_asks_for_its_whole_width_at_the_root() -> None:
    for algorithm, more in (("beam", {}), ("lookahead", {"steps": 1})):
        search = new_search(algorithm=algorithm, width=3, branch=4, **more)
        world = DeadEnd()
        run(search, Limits(iterations=2), world)
        at_root = {request.slot for request in world.asked if not request.steps}
        assert at_root == set(range(12))
        kept = [n for n in search.tree.nodes if n.depth == 1 and not n.exhausted]
        assert len(kept) == 3


def test_a_greedy_reply_is_asked_for_once() -> None:
    world = DeadEnd()
    search = new_search(algorithm="sampling", samples=1, sampling={"temperature": 0.0})
    run(search, Limits(), world)
    assert [len(request.steps) for request in world.asked] == [0, 1], "no second try below the lure"
    again = DeadEnd()
    run(new_search(algorithm="sampling", samples=1, attempts=3), Limits(), again)
    assert [len(request.steps) for request in again.asked] == [0, 1, 1, 1]


def test_breadth_first_with_one_place_and_no_threshold_walks_greedily() -> None:
    for seed in range(4):
        search = new_search(algorithm="tree_of_thoughts", seed=seed, width=1, branch=4)
        run(search, Limits(), World(empty=0.0))
        tree, node = search.tree, search.tree.root
        while node.children:
            best = max(node.children, key=lambda i: (tree.node(i).value, -i))
            expanded = [i for i in node.children if tree.node(i).expanded]
            assert expanded in ([best], []), "only the best child is gone on from"
            node = tree.node(best)
        assert node.finished


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["last", "min", "product", "mean"]))
def test_the_best_of_one_is_a_chain_of_thought(seed: int, aggregate: str) -> None:
    greedy = {"sampling": {"temperature": 0.0}, "algorithm": "sampling", "samples": 1}
    chain = new_search(seed=seed, final_choice="majority", **greedy)
    best = new_search(seed=seed, final_choice="best", aggregate=aggregate, **greedy)
    for search in (chain, best):
        run(search, Limits(), World(empty=0.0))
    assert [n.step for n in chain.tree.nodes] == [n.step for n in best.tree.nodes]
    assert answer(chain.tree) == answer(best.tree)
    assert chain.tree.node(chain.tree.chosen or 0).id == best.tree.chosen


def test_a_state_must_be_worth_more_than_the_threshold_to_go_on_or_to_answer() -> None:
    # The right way is worth 0.5 first, its answer 1: at 0.5 nothing below it is seen.
    strict = searched("tree_of_thoughts", order="dfs", branch=3, threshold=0.5)
    assert not any(strict.node(i).expanded for i in strict.root.children if i != 1)
    low = searched("tree_of_thoughts", order="dfs", branch=3, threshold=0.1)
    wrong = [i for i in low.ends if low.node(i).answer == "0"]
    assert wrong, "wrong solutions are found"
    assert low.voted is not None
    assert answer(low) is True
    groups = ALGORITHMS["tree_of_thoughts"].groups(low, params_of(low))
    assert [group.answer for group in groups] == ["1"], "worth 0.1 is not worth more than 0.1"


def test_a_roll_out_of_rstar_math_walks_to_no_end_twice() -> None:
    for guide in ("ppm", "terminal", "ppm_terminal"):
        search = new_search(algorithm="rstar_math", branch=3, guide=guide)
        run(search, Limits(iterations=300), Maze())
        ends = [event.path[-1] for event in search.log if isinstance(event, ev.Selected)]
        assert len(ends) == len(set(ends)) == 27, "every end of the maze, once"
        assert search.tree.stop == "complete"
        assert answer(search.tree) is True


class Early(Maze):
    """A solution may end at once, worth more than anything else, or after three turns."""

    def _propose(self, request: ProposalRequest) -> Completion:
        if request.slot % 3 == 0:
            return Completion("Answer: 0\n", "Answer: 0\n", "", (0,), (-0.5,), Usage(5))
        return super()._propose(request)

    def value(self, steps: tuple[str, ...]) -> float:
        return 0.95 if steps[-1] == "Answer: 0\n" else super().value(steps)


@pytest.mark.parametrize("algorithm", ["beam", "lookahead"])
def test_finished_solutions_take_no_places_unless_they_are_let(algorithm: str) -> None:
    own = {"steps": 0} if algorithm == "lookahead" else {}
    sizes = []
    for places in (False, True):
        search = new_search(
            algorithm=algorithm, width=2, branch=3, finished_take_places=places, **own
        )
        run(search, Limits(iterations=2), Early())
        sizes.append(sum(n.expanded for n in search.tree.nodes if n.depth == 1))
    assert sizes == [2, 1]


def test_states_are_drawn_with_replacement_and_asked_as_often() -> None:
    children = []
    for keep in ("sample", "sample_distinct"):
        for seed in range(20):
            search = new_search(
                algorithm="tree_of_thoughts", keep=keep, width=6, branch=3, seed=seed
            )
            run(search, Limits(iterations=2), World(words=50, empty=0.0))
            level = [n for n in search.tree.nodes if n.depth == 1]
            grown = [len(n.children) for n in level if n.expanded]
            children.append((keep, len(level), len(grown), max(grown)))
    with_replacement = [row for row in children if row[0] == "sample"]
    assert any(grown < level for _, level, grown, _ in with_replacement), "some are not drawn"
    assert any(most > 3 for *_, most in with_replacement), "some are drawn more than once"
    distinct = [row for row in children if row[0] == "sample_distinct"]
    assert all((grown, most <= 3) == (level, True) for _, level, grown, most in distinct)
