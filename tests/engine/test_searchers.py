"""The rivals of MCTS*, on worlds whose best behaviour can be worked out by hand."""

import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.errors import ParameterError
from engine.evaluation.contenders import CONTENDERS, contender
from engine.models.base import (
    Completion,
    Judgement,
    PrefixRequest,
    ProposalRequest,
    Summary,
    Usage,
    Valuation,
)
from engine.sandbox.runner import in_words, protection
from engine.search import acts
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search
from engine.search.rebase import share
from engine.search.registry import ALGORITHMS, parameters
from engine.tree import Tree
from tests.engine.worlds import World, new_search, run

RIVALS = sorted(set(ALGORITHMS) - {"mcts_star"})


class Maze(World):
    """Slot k proposes the turn k % 3; three turns, then the answer: 1 after the turns 2, 0, 1 only.

    The PRM likes a first turn of 0 best (0.9), but leads astray: below it nothing is worth more
    than 0.3. The right way is worth 0.5, 0.7, 0.8, 1. Turn k is likelier the smaller it is.
    """

    way = ("turn 2\n", "turn 0\n", "turn 1\n")

    def __init__(self) -> None:
        super().__init__(empty=0.0)

    def _propose(self, request: ProposalRequest) -> Completion:
        if len(request.steps) == 3:
            text = f"Answer: {int(request.steps == self.way)}\n"
        else:
            text = f"turn {request.slot % 3}\n"
        logprob = -0.5 * (1 + request.slot % 3)
        return Completion(text, text, "", (0, 1), (logprob, logprob), Usage(5))

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        self.calls.append(("score", len(requests)))
        return [Valuation(self.value(request.steps), Usage(5)) for request in requests]

    def value(self, steps: tuple[str, ...]) -> float:
        if steps[:3] == self.way[: len(steps[:3])]:
            return (0.5, 0.7, 0.8, 1.0)[len(steps) - 1]
        if steps == ("turn 0\n",):
            return 0.9
        return 0.3 if len(steps) < 4 else 0.1


def searched(algorithm: str, iterations: int = 200, **params: object) -> Tree:
    search = new_search(algorithm=algorithm, **params)
    run(search, Limits(iterations=iterations), Maze())
    return search.tree


def answer(tree: Tree) -> bool | None:
    return tree.node(tree.chosen or 0).correct


def turns(tree: Tree) -> list[str]:
    return [tree.node(i).step.strip() for i in tree.path(tree.chosen or 0)[1:]]


def test_breadth_first_needs_two_places_to_get_past_the_lure() -> None:
    assert answer(searched("tree_of_thoughts", width=1, branch=3)) is False
    assert answer(searched("tree_of_thoughts", width=2, branch=3)) is True
    assert answer(searched("beam", width=1, branch=3)) is False
    assert answer(searched("beam", width=2, branch=3)) is True


def test_depth_first_goes_into_the_lure_first_and_comes_back() -> None:
    tree = searched("tree_of_thoughts", order="dfs", branch=3, threshold=0.4)
    assert tree.node(1).step == "turn 0\n"
    assert tree.node(1).expanded, "the best child is entered first"
    assert all(not tree.node(i).expanded for i in tree.node(1).children), "and given up"
    assert answer(tree) is True
    assert tree.iteration == 5  # root, the lure, and the three nodes of the right way


def test_depth_first_stops_at_the_first_solution_if_asked() -> None:
    tree = searched("tree_of_thoughts", order="dfs", branch=3, first_solution=True)
    assert len([i for i in tree.ends if tree.node(i).answer is not None]) == 1
    assert tree.stop == "complete"


def test_lookahead_sees_through_the_lure_with_a_single_place() -> None:
    assert answer(searched("lookahead", width=1, branch=3, steps=0)) is False
    tree = searched("lookahead", width=1, branch=3, steps=1)
    # One greedy step on from turn 2 stands turn 0: 0.7; from the lure 0.3.
    assert [round(tree.node(i).value, 9) for i in tree.root.children] == [0.3, 0.3, 0.7]
    assert answer(tree) is True


def test_lookahead_without_steps_is_a_beam() -> None:
    ahead, beam = searched("lookahead", width=2, branch=3, steps=0), searched("beam", branch=3)
    assert [n.step for n in ahead.nodes] == [n.step for n in beam.nodes]
    assert turns(ahead) == turns(beam)


def test_subtrees_do_not_compete() -> None:
    tree = searched("dvts", subtrees=2, branch=3)
    kept = [n for n in tree.nodes if n.depth == 1 and n.expanded]
    assert [n.step for n in kept] == ["turn 0\n", "turn 0\n"], "each keeps its own best"
    assert {n.slot // 3 for n in kept} == {0, 1}
    one = searched("dvts", subtrees=1, branch=3)
    assert turns(one) == turns(searched("beam", width=1, branch=3))


def test_rebase_shares_places_by_value() -> None:
    assert share([0.9, 0.3, 0.5], 10, 0.2, "remainder") == [9, 0, 1]
    for rounding in ("ceil", "remainder"):
        assert share([0.5, 0.5], 3, 0.1, rounding) == [2, 1]
        assert share([0.2], 7, 1.0, rounding) == [7]
        assert share([0.0, 1.0, 0.0], 5, 1e-4, rounding) == [0, 5, 0]
    # 2.3 and 0.7 places: the best goes first, and what is rounded up is missing at the end.
    assert share([0.5, 0.26], 3, 0.2, "ceil") == [3, 0]
    assert share([0.5, 0.26], 3, 0.2, "remainder") == [2, 1]
    tree = searched("rebase", width=9, balance=0.2, rounding="remainder")
    by_turn = {k: [i for i in tree.root.children if tree.node(i).slot == k] for k in range(9)}
    assert len(tree.root.children) == 9
    assert len(by_turn) == 9
    widths = [len(tree.node(i).children) for i in tree.root.children]
    exact = [math.exp(tree.node(i).prm_value / 0.2) for i in tree.root.children]  # type: ignore[operator]
    expected = [9 * e / sum(exact) for e in exact]
    assert sum(widths) == 9
    assert all(abs(w - e) < 1 for w, e in zip(widths, expected, strict=True))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.integers(1, 64),
    st.floats(0.01, 10),
    st.sampled_from(["ceil", "remainder"]),
)
def test_shares_add_up(values: list[float], places: int, balance: float, rounding: str) -> None:
    given_out = share(values, places, balance, rounding)
    assert sum(given_out) == places
    assert min(given_out) >= 0
    best, worst = values.index(max(values)), values.index(min(values))
    assert given_out[best] >= given_out[worst]


def test_puct_follows_the_prior_and_learns_better() -> None:
    tree = searched("puct", branch=3, final_choice="best")
    assert answer(tree) is True
    assert tree.stop == "exhausted", "39 nodes are not without end"
    few = new_search(algorithm="puct", branch=3, exploration_constant=1000.0)
    run(few, Limits(iterations=2), Maze())
    assert few.tree.selected_path == [0, 1], "with exploration alone the likeliest comes first"


def test_puct_backs_up_means() -> None:
    search = new_search(algorithm="puct", branch=3)
    run(search, Limits(iterations=2), Maze())
    root = search.tree.root
    # First its best child is worth 0.9; then, below that one, the best is worth 0.3.
    assert root.visits == 2
    assert root.value == pytest.approx((0.9 + 0.3) / 2)
    assert search.tree.node(1).value == pytest.approx(0.3)


def test_uct_commits_to_the_right_way_by_asking_the_oracle_alone() -> None:
    search = new_search(algorithm="uct", branch=3, simulations=40)
    world = Maze()
    run(search, Limits(iterations=400), world)
    tree = search.tree
    assert tree.stop == "complete"
    assert turns(tree) == ["turn 2", "turn 0", "turn 1", "Answer: 1"]
    assert "score" not in {kind for kind, _ in world.calls}, "no process reward model is asked"
    assert tree.node(tree.tip).visits > 0


def test_uct_without_an_oracle_says_so() -> None:
    search = new_search(algorithm="uct")
    first = search.log[0]
    blind = Search([msgspec.structs.replace(first, gold=None)], lambda answer: None)
    with pytest.raises(ParameterError, match="oracle"):
        run(blind, Limits(iterations=1), Maze())


@pytest.mark.parametrize("algorithm", RIVALS)
def test_no_search_spends_more_than_its_tokens(algorithm: str) -> None:
    for tokens in (30, 77, 200):
        search = new_search(algorithm=algorithm, seed=2)
        run(search, Limits(tokens=tokens), World())
        assert search.tree.cost.policy_generated <= tokens


@pytest.mark.parametrize("algorithm", RIVALS)
def test_a_log_folds_to_the_tree_and_goes_on_as_if_never_ended(algorithm: str) -> None:
    whole = new_search(algorithm=algorithm, seed=5)
    run(whole, Limits(iterations=6), World())
    parts = new_search(algorithm=algorithm, seed=5)
    for _ in range(6):
        run(parts, Limits(iterations=1), World())
        parts = Search(parts.log, parts.grade)
    steps = [(n.parent, n.step, n.value, n.visits) for n in whole.tree.nodes]
    assert steps == [(n.parent, n.step, n.value, n.visits) for n in parts.tree.nodes]


@pytest.mark.parametrize(
    ("algorithm", "params"),
    [
        ("tree_of_thoughts", {"width": 1, "branch": 1}),
        ("lookahead", {"width": 1, "branch": 1, "steps": 0}),
        ("dvts", {"subtrees": 1, "branch": 1}),
        ("rebase", {"width": 1}),
        ("beam", {"width": 1, "branch": 1}),
    ],
)
def test_with_one_place_every_search_is_a_chain_of_thought(
    algorithm: str, params: dict[str, object]
) -> None:
    for seed in range(4):
        chain = new_search(algorithm="sampling", seed=seed, samples=1)
        run(chain, Limits(), World(empty=0.0))
        other = new_search(algorithm=algorithm, seed=seed, **params)
        run(other, Limits(), World(empty=0.0))
        assert [n.step for n in other.tree.nodes] == [n.step for n in chain.tree.nodes]


class Coder(World):
    """Writes Python: slot k adds k, slot 3 divides by zero, slot 4 does not compile; the third step
    prints. Only a sum of 3 is right.
    """

    def __init__(self) -> None:
        super().__init__(empty=0.0)

    def _propose(self, request: ProposalRequest) -> Completion:
        bad = {3: "x = 1 / 0\n", 4: "x = = 1\n"}
        start = "x = 0\n" if not request.steps else ""
        text = f"# add {request.slot}\n{start}x += {request.slot}\n"
        if len(request.steps) == 2:
            total = sum(int(step.split()[2]) for step in request.steps)
            text = f"Answer: {int(total == 3)}\n"
        text = bad.get(request.slot, text) if len(request.steps) < 2 else f"# {text}"
        return Completion(text, text, "", (0, 1), (-0.5, -0.5), Usage(5))

    def judge(self, requests, mode):  # type: ignore[no-untyped-def]
        ended = lambda steps: len(steps) == 3  # noqa: E731
        return [Judgement("end" if ended(r.steps) else "continue", "text") for r in requests]

    def summarise(self, requests):  # type: ignore[no-untyped-def]
        return [Summary(r.steps[-1], r.steps[-1].split()[-1]) for r in requests]


class Careless(Coder):
    """Writes what does not run."""

    def _propose(self, request: ProposalRequest) -> Completion:
        text = f"# {request.slot}\nx = 1 / 0\n"
        return Completion(text, text, "", (0, 1), (-0.5, -0.5), Usage(5))


def drive(search: Search, act: acts.Act, world: World) -> None:
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)
    driver.act(search, act, lambda _, events: None)
    while driver.active:
        assert not driver.tick()


@pytest.mark.skipif(not protection(), reason="code of a model is not run on this machine")
def test_code_that_does_not_run_gives_no_step() -> None:
    search = new_search(algorithm="rstar_math", branch=5, run_code=True, guide="terminal")
    run(search, Limits(iterations=40), Coder())
    tree = search.tree
    assert [tree.node(i).slot for i in tree.root.children] == [0, 1, 2]
    refused = next(e for e in search.log if isinstance(e, ev.Expanded)).rejected
    assert ["ZeroDivisionError" in r.reason or "SyntaxError" in r.reason for r in refused] == [
        True,
        True,
    ]
    assert answer(tree) is True
    for act in (acts.expand(0, 5), acts.roll_out(1, 1)):  # children that a person asks for, too
        drive(search, act, Careless())
    added = next(e for e in search.log if isinstance(e, ev.Added))
    rolled = next(e for e in search.log if isinstance(e, ev.RolledOut))
    assert (added.children, len(added.rejected)) == ([], 5)
    assert rolled.steps[0].candidates == []
    plain = new_search(algorithm="rstar_math", branch=5, guide="terminal")
    run(plain, Limits(iterations=1), Coder())
    assert len(plain.tree.root.children) == 5, "nothing is run where it is not switched on"


@pytest.mark.skipif(not protection(), reason="code of a model is not run on this machine")
@pytest.mark.parametrize("held", [True, False])
def test_a_search_whose_programs_were_cut_off_goes_on_as_if_they_had_not_been(held: bool) -> None:
    driver = Driver(Coder(), Coder(), archive := MemoryArchive(), clock=lambda: 0.0)
    whole, cut = (new_search(algorithm="rstar_math", branch=2, run_code=True) for _ in "ab")
    driver.run([whole], Limits(iterations=1), lambda _, events: None)
    archive._executions.clear()
    driver.start(cut, Limits(iterations=1), lambda _, events: None)
    for _ in range(4):
        assert not driver.tick(interrupted=lambda: True)
    assert not archive._executions
    assert len(cut.tree.nodes) == 1
    if held:
        driver.hold(cut)
        assert (driver.held, driver.active) == ([cut], [])
    driver.run([cut], Limits(iterations=1), lambda _, events: None)
    assert [node.step for node in cut.tree.nodes] == [node.step for node in whole.tree.nodes]


def test_the_switch_says_what_protects_this_machine() -> None:
    helps = {info.name: info.help for info in parameters("rstar_math")}
    assert helps["run_code"].endswith(in_words())
    assert "This machine" in helps["run_code"]
    assert not any("This machine" in text for name, text in helps.items() if name != "run_code")


def test_q_is_the_share_of_right_ends() -> None:
    again = {"branch": 3, "guide": "terminal", "reselect_finished": True}
    search = new_search(algorithm="rstar_math", **again)
    run(search, Limits(iterations=300), Maze())
    tree = search.tree
    assert answer(tree) is True
    ends = [event.path[-1] for event in search.log if isinstance(event, ev.Selected)]
    right = sum(tree.node(end).correct is True for end in ends)
    assert tree.root.visits == 300
    assert tree.root.value == pytest.approx(right / 300)
    assert right > 100, "Q leads there"
    for guide, end in (("ppm", 0.1), ("ppm_terminal", 0.0)):
        guided = new_search(algorithm="rstar_math", branch=3, guide=guide)
        run(guided, Limits(iterations=1), Maze())
        child = guided.tree.node(guided.tree.selected_path[1])
        assert child.step == "turn 0\n"
        assert child.value == pytest.approx((0.9 + end) / 2), "the model's word counts like one end"


def test_a_limit_of_tokens_ends_a_search_that_walks_known_ways_again() -> None:
    greedy = new_search(algorithm="rstar_math", branch=1, sampling={"temperature": 0.0})
    run(greedy, Limits(tokens=5000), World(words=3, empty=0.0))
    assert greedy.stopped == "complete", "its only way is at its end"
    # Without exploration the best end is walked for ever, and there are other ways left.
    search = new_search(
        algorithm="rstar_math", branch=3, exploration_constant=0.0, reselect_finished=True
    )
    kept = run(search, Limits(tokens=5000), Maze())
    last = kept[-1][-1]
    assert isinstance(last, ev.Concluded)
    assert last.reason == "idle"
    assert search.tree.growing
    assert 100 < search.tree.iteration < 120
    run(search, Limits(tokens=5000, iterations=7), Maze())
    assert isinstance(search.log[-1], ev.Concluded), "who asks for iterations gets them"
    assert search.log[-1].reason == "iterations"


def asking(name: str, **params: object) -> bool:
    """Whether a search of the same question goes another way when other answers are right."""
    trees = []
    for right in ("1", "0", "2"):
        search = new_search(algorithm=name, seed=3, **params)
        search = Search(search.log, lambda answer, right=right: answer == right)
        run(search, Limits(iterations=40), World(empty=0.0))
        trees.append([(n.parent, n.step, n.value, n.visits) for n in search.tree.nodes])
    return trees[0] != trees[1] or trees[0] != trees[2]


def test_only_a_search_that_says_so_is_led_by_the_right_answer() -> None:
    for one in CONTENDERS.values():
        params = {**one.params, "samples": 8} if one.algorithm == "sampling" else one.params
        assert asking(one.algorithm, **params) is one.oracle, one.name
    assert contender("rstar_math:guide=terminal").oracle
    assert asking("rstar_math", guide="ppm_terminal")
    assert contender("rstar_math:guide=ppm_terminal").oracle
    blind = new_search(algorithm="rstar_math", guide="terminal")
    blind = Search([msgspec.structs.replace(blind.log[0], gold=None)], lambda answer: None)
    with pytest.raises(ParameterError, match="guide = ppm"):
        run(blind, Limits(iterations=1), Maze())


class Half(World):
    """Below "step 1" nothing usable comes."""

    def _propose(self, request: ProposalRequest) -> Completion:
        if request.steps and request.steps[0].startswith("step 1"):
            return Completion("[", "", "too short", (1,), (-0.5,))
        return super()._propose(request)


def test_a_committed_dead_end_answers_nothing_while_a_solution_does() -> None:
    committed = 0
    for seed in range(100):
        search = new_search(algorithm="uct", seed=seed, branch=3, simulations=4)
        run(search, Limits(iterations=60), Half(words=3, empty=0.0))
        tree = search.tree
        answered = any(tree.node(end).answer is not None for end in tree.ends)
        committed += answered and tree.node(tree.tip).dead_end
        assert tree.chosen is not None
        assert not answered or tree.node(tree.chosen).answer is not None
    assert committed, "it happens"
