"""What a user of MCTS* relies on beyond the recorded traces: our own parameters and defaults."""

from collections.abc import Sequence

import pytest

from engine import events as ev
from engine.errors import ParameterError
from engine.models.base import (
    Completion,
    CriticMode,
    Judgement,
    PrefixRequest,
    ProposalRequest,
    Usage,
    Valuation,
)
from engine.search import registry
from engine.search.answers import answer_groups, best_value
from engine.search.driver import Limits, Search
from engine.search.mcts_star import REFERENCE
from engine.search.parameters import takes
from tests.engine.worlds import World, new_search, run


class Ladder(World):
    """Two right steps, then the answer 1; only slots from `right_from` on take a right step.

    Values: 0.3 a right step, as the PRM would rate progress; 0.1 below a wrong one.
    """

    def __init__(self, right_from: int = 0) -> None:
        super().__init__()
        self.right_from = right_from

    def _propose(self, request: ProposalRequest) -> Completion:
        right = request.slot >= self.right_from
        if len(request.steps) == 2:
            text = f"Answer: {1 if right else 0}\n"
        else:
            text = f"{'right' if right else 'wrong'} {len(request.steps)}\n"
        return Completion(text, text, "", (1, 2), (-1.0, -1.0), Usage(2))

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        return [
            Valuation(
                0.0
                if any("wrong" in step or "0" in step.partition(":")[2] for step in r.steps)
                else 0.3 * len(r.steps)
            )
            for r in requests
        ]


def test_a_node_that_no_child_improves_is_expanded_again() -> None:
    stuck = new_search(branch=2, max_expansions=1)
    run(stuck, Limits(iterations=30), Ladder(right_from=4))
    assert stuck.tree.node(stuck.tree.chosen or 0).correct is not True
    patient = new_search(branch=2, max_expansions=5)
    run(patient, Limits(iterations=30), Ladder(right_from=4))
    assert patient.tree.root.expansions == 3
    assert patient.tree.node(patient.tree.chosen or 0).correct is True
    slots = [patient.tree.node(child).slot for child in patient.tree.root.children]
    assert slots == [0, 4], "new slots each time; equal steps are kept once"


def test_a_search_ends_when_nothing_is_left_to_do() -> None:
    search = new_search(branch=2)
    run(search, Limits(iterations=1000), Ladder())
    assert search.tree.stop == "exhausted"
    assert search.tree.iteration < 20
    before = len(search.log)
    run(search, Limits(iterations=5), Ladder())
    assert search.tree.iteration < 20
    assert len(search.log) == before + 1, "going on changes nothing but says so again"


def test_the_reference_goes_on_for_ever() -> None:
    search = new_search(branch=2, **REFERENCE)
    run(search, Limits(iterations=40), Ladder())
    assert search.tree.iteration == 40


def test_an_unfinished_node_never_is_the_answer_unless_asked() -> None:
    class Confident(Ladder):
        def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
            return [Valuation(0.95) for _ in requests]

    ours = new_search(sample_value="simple", max_expansions=1)
    run(ours, Limits(iterations=10), Confident())
    assert ours.tree.stop == "gate"
    assert ours.tree.node(ours.tree.chosen or 0).answer == "1"
    theirs = new_search(sample_value="simple", **REFERENCE)
    run(theirs, Limits(iterations=10), Confident())
    assert theirs.tree.stop == "gate"
    assert theirs.tree.node(theirs.tree.chosen or 0).answer is None


def test_a_roll_out_that_cannot_start_costs_nothing_by_default() -> None:
    class Deaf(Ladder):
        def _propose(self, request: ProposalRequest) -> Completion:
            return super()._propose(request) if not request.steps else Completion(None, "")

    for start, expected in (("node", 0.3), ("low", 0.15)):
        search = new_search(rollout_start=start, branch=1)
        run(search, Limits(iterations=1), Deaf())
        assert search.tree.node(1).value == pytest.approx(expected)


def test_the_deepest_level_is_a_dead_end() -> None:
    search = new_search(max_depth=2, branch=1)
    run(search, Limits(iterations=20), World(empty=0.0))
    assert max(node.depth for node in search.tree.nodes) <= 2
    assert search.tree.stop == "unfinished"


def test_the_textual_critic_is_heard_by_the_next_expansion() -> None:
    heard: list[str] = []

    class Listening(World):
        def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
            heard.extend(request.analysis for request in requests)
            return super().propose(requests)

    search = new_search(use_reflection="common", roll_forward_steps=0)
    run(search, Limits(iterations=3), Listening())
    assert heard[0] == "", "the root is expanded without asking"
    assert "look again" in heard
    assert any(node.analysis == "look again" for node in search.tree.nodes)


def test_the_textual_critic_may_end_a_solution() -> None:
    class Satisfied(World):
        def judge(self, requests: Sequence[PrefixRequest], mode: CriticMode) -> list[Judgement]:
            if mode == "analysis":
                return [Judgement("end", "reply", None, "nothing is missing") for _ in requests]
            return [Judgement("continue", "reply") for _ in requests]

    search = new_search(use_reflection="common", roll_forward_steps=0)
    run(search, Limits(iterations=3), Satisfied(empty=0.0))
    ended = [node for node in search.tree.nodes if node.finished]
    assert ended
    assert all(not node.expanded and node.analysis == "nothing is missing" for node in ended)


def test_votes_and_best_values() -> None:
    search = new_search(branch=4)
    run(search, Limits(iterations=30), World(empty=0.0))
    tree = search.tree
    leaves = [tree.node(i) for i in search.algorithm.end_leaves(tree, search.params)]
    groups = answer_groups(leaves)
    assert sum(group.count for group in groups) == sum(leaf.answer is not None for leaf in leaves)
    assert [g.weight for g in groups] == sorted((g.weight for g in groups), reverse=True)
    assert tree.voted == groups[0].node
    winning = [leaf for leaf in leaves if leaf.answer == groups[0].answer]
    assert tree.voted == winning[0].id
    best = max(winning, key=lambda leaf: leaf.value)
    assert best.value > winning[0].value, "the way shown is not the first one found"
    assert (tree.chosen, groups[0].best) == (best.id, best.id)
    assert tree.node(best_value(tree)).value == max(node.value for node in tree.nodes)


def test_among_equal_values_the_best_is_the_last_one_depth_first() -> None:
    tree = new_search().tree
    assert best_value(tree) == 0
    for event in (
        ev.Expanded(0, "expanded", [ev.NewNode(1, "a\n"), ev.NewNode(2, "b\n")], []),
        ev.Expanded(1, "expanded", [ev.NewNode(3, "c\n")], []),
        ev.Evaluated([ev.NodeValue(node, value) for node, value in ((1, 0.5), (3, 0.5))]),
    ):
        tree.apply(event)
    assert best_value(tree) == 3
    tree.apply(ev.Evaluated([ev.NodeValue(2, 0.5)]))
    assert best_value(tree) == 2, "below the root the second child comes last"
    tree.apply(ev.Evaluated([ev.NodeValue(1, 0.6)]))
    assert best_value(tree) == 1


def test_choices_between_equals() -> None:
    class Flat(World):
        def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
            return [Valuation(0.5) for _ in requests]

    def first_pick(rule: str, seed: int = 0) -> int:
        search = new_search(tie_rule=rule, seed=seed, branch=6, roll_forward_steps=0)
        run(search, Limits(iterations=1), Flat(words=50, empty=0.0))
        (rolled,) = [event for event in search.log if isinstance(event, ev.RolledOut)]
        return rolled.pick.chosen

    assert first_pick("first") == 1
    assert first_pick("last") == 6
    assert len({first_pick("random", seed) for seed in range(12)}) > 2
    assert first_pick("random", 3) == first_pick("random", 3)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"branch": 0}, "branch cannot be 0: it takes a whole number from 1 to 64"),
        ({"branch": "three"}, "branch cannot be 'three'"),
        ({"alpha": 1.5}, "alpha cannot be 1.5: it takes a number from 0 to 1"),
        ({"alpha": float("nan")}, "alpha cannot be nan"),
        ({"c": -1}, "exploration_constant cannot be -1"),
        ({"roll_policy": "lazy"}, "one of greedy, random"),
        ({"brunch": 3}, "no parameter 'brunch'. Known are: branch, exploration_constant"),
        ({"sampling": {"temperature": 9}}, "temperature cannot be 9: it takes a number from 0 to"),
        ({"low": 2}, "low cannot be 2 with high 1: it takes a number below high"),
        ({"require_finished": "perhaps"}, "it takes true or false"),
    ],
)
def test_bad_parameters_are_named_with_their_limits(params: dict[str, object], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        new_search(**params)


def test_an_unknown_algorithm_is_named() -> None:
    with pytest.raises(ParameterError, match=r"no algorithm 'mcts'\. Known are: mcts_star"):
        new_search(algorithm="mcts")


def test_every_parameter_explains_itself() -> None:
    for name in registry.ALGORITHMS:
        for info in registry.parameters(name):
            assert info.help.endswith("."), f"{name}.{info.name}"
            assert takes(info)
            registry.validate(name, {info.name: info.default})


def test_parameters_are_written_out_in_the_log() -> None:
    first = new_search(c="0.25", branch="2").log[0]
    assert isinstance(first, ev.SearchCreated)
    assert first.params["exploration_constant"] == 0.25
    assert first.params["branch"] == 2
    assert first.params["sampling"] == {
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "max_step_tokens": 0,
    }
    assert Search([ev.decode(ev.encode(first))], lambda answer: None).params.branch == 2  # type: ignore[attr-defined]
