"""A search replayed with something changed."""

from collections.abc import Sequence
from itertools import groupby

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.errors import ParameterError
from engine.models.base import Completion, Judgement, PrefixRequest, ProposalRequest, Summary, Usage
from engine.sandbox.runner import protection
from engine.search import acts
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search
from engine.search.replay import Remembering, Replay, Supposition, replay
from engine.tree import Tree, standing
from tests.engine.steered import MOVES, Player
from tests.engine.test_tree import PARAMS
from tests.engine.worlds import World, grade, new_search, run

WORDS = 6


class Searched:
    """A search, and the replies that it had."""

    def __init__(self, iterations: int = 14, **params: object) -> None:
        self.archive = MemoryArchive()
        self.search = new_search(seed=5, inf=0.8, **params)
        self.more(iterations)

    def more(self, iterations: int) -> None:
        run(self.search, Limits(iterations=iterations), World(words=WORDS), self.archive)

    def act(self, act: acts.Act) -> None:
        world = World(words=WORDS)
        driver = Driver(world, world, self.archive, clock=lambda: 0.0)
        driver.act(self.search, act, lambda _, events: None)
        while driver.active:
            for failure in driver.tick():
                raise failure.error

    def again(self, generate: bool = False, **supposed: object) -> Replay:
        world = World(words=WORDS)
        model = world if generate else Remembering(world)
        driver = Driver(model, model, self.archive, clock=lambda: 0.0)
        return replay(self.search.log, Supposition(**supposed), driver, grade)  # type: ignore[arg-type]


def told(log: list[ev.Event]) -> list[ev.Event]:
    """A log without what the work really took."""
    kept = []
    for event in log:
        if isinstance(event, ev.IterationFinished | ev.Concluded | ev.Acted):
            cost = ev.Cost(
                policy_generated=event.cost.policy_generated,
                policy_unique=event.cost.policy_unique,
                prm_unique=event.cost.prm_unique,
            )
            event = msgspec.structs.replace(event, cost=cost)
        kept.append(event)
    return kept


def test_nothing_changed_gives_the_same_search_and_asks_no_model() -> None:
    searched = Searched()
    found = searched.again()
    assert (found.iterations, found.wanted, found.missing, found.left_out) == (14, 14, 0, [])
    assert told(found.log) == told(searched.search.log)
    assert Tree.fold(found.log).cost.policy_forwarded == 0


def test_a_replay_by_other_rules_than_those_of_the_search_says_so() -> None:
    searched = Searched()
    assert isinstance(searched.search.log[0], ev.SearchCreated)
    searched.search.log[0] = msgspec.structs.replace(searched.search.log[0], version=0)
    assert "an earlier version" in searched.again().left_out[0]


def test_a_changed_parameter_gives_what_a_fresh_search_with_it_gives() -> None:
    searched = Searched()
    looked = searched.again(params={"exploration_constant": 2.0})
    assert looked.missing > 0
    assert looked.iterations < 14
    found = searched.again(generate=True, params={"exploration_constant": 2.0})
    fresh = Searched(exploration_constant=2.0).search
    assert (found.iterations, found.missing) == (14, 0)
    shown = [(n.step, n.value, n.visits, n.answer) for n in Tree.fold(found.log).nodes]
    assert shown == [(n.step, n.value, n.visits, n.answer) for n in fresh.tree.nodes]
    # Now everything is stored.
    assert searched.again(params={"exploration_constant": 2.0}).missing == 0
    with pytest.raises(ParameterError, match="exploration_constant"):
        searched.again(params={"exploration_constant": -1})


def test_a_supposed_value_holds_from_the_node_s_creation_on() -> None:
    searched = Searched()
    found = searched.again(generate=True, values={1: 0.0})
    places = [type(event) for event in found.log]
    second = [k for k, kind in enumerate(places) if kind is ev.IterationStarted][1]
    assert places.index(ev.Evaluated) < places.index(ev.Overruled) < second
    tree = Tree.fold(found.log)
    assert (tree.node(1).value, tree.node(1).locked) == (0.0, True)
    assert tree.node(1).visits <= searched.search.tree.node(1).visits


def test_acts_are_done_again_and_what_has_no_place_is_reported() -> None:
    searched = Searched(5)
    searched.act(acts.overrule(2, 0.9))
    searched.more(5)
    last = len(searched.search.tree.nodes) - 1
    searched.act(acts.prune(last))
    same = searched.again()
    assert same.left_out == []
    tree = Tree.fold(same.log)
    assert (tree.node(2).overruled, tree.node(last).pruned) == (0.9, True)
    shorter = searched.again(iterations=5, flips={last: True}, marks={1: "wrong"})
    assert shorter.iterations == 5
    assert Tree.fold(shorter.log).node(1).mark == "wrong"
    assert [one for one in shorter.left_out if f"node {last}" in one or f"{last}" in one]


def shown(log: list[ev.Event]) -> list[tuple[object, ...]]:
    return [(n.step, n.value, n.visits, n.origin, n.answer) for n in Tree.fold(log).nodes]


def test_parameters_change_again_when_they_did_but_for_those_that_are_supposed() -> None:
    searched = Searched(6, branch=2)
    searched.act(acts.change_parameters({"branch": 5, "sampling": {"temperature": 0.5}}))
    searched.more(6)
    same = searched.again()
    assert (same.iterations, same.missing, same.left_out) == (12, 0, [])
    assert shown(same.log) == shown(searched.search.log)
    found = searched.again(generate=True, params={"exploration_constant": 2.0})
    first, *changed = [
        event.params
        for event in found.log
        if isinstance(event, ev.SearchCreated | ev.ParametersChanged)
    ]
    assert [one["branch"] for one in (first, *changed)] == [2, 5]
    assert [one["exploration_constant"] for one in (first, *changed)] == [2.0, 2.0]
    other = Searched(6, branch=2, exploration_constant=2.0)
    other.act(acts.change_parameters({"branch": 5, "sampling": {"temperature": 0.5}}))
    other.more(6)
    assert shown(found.log) == shown(other.search.log)
    # What is supposed holds throughout.
    wide = searched.again(generate=True, params={"branch": 4}, sampling={"temperature": 1.0})
    assert Tree.fold(wide.log).params["branch"] == 4
    assert not [event for event in wide.log if isinstance(event, ev.ParametersChanged)]


def steered() -> Searched:
    """With a step of a person's, more children, and a roll-out that was kept."""
    searched = Searched(4)
    leaf = min(searched.search.tree.growing - {0})
    searched.act(acts.write_step(leaf, "my own way"))
    mine = len(searched.search.tree.nodes) - 1
    searched.act(acts.overrule(mine, 0.9))
    searched.act(acts.expand(0, 4, 0.3))
    searched.more(4)
    rolled = min(searched.search.tree.growing - {0})
    searched.act(acts.roll_out(rolled, 3))
    searched.act(acts.keep_rollout(rolled))
    searched.more(4)
    return searched


def test_steps_children_and_rollouts_of_a_person_come_again() -> None:
    searched = steered()
    found = searched.again()
    assert (found.iterations, found.missing, found.left_out) == (12, 0, [])
    assert shown(found.log) == shown(searched.search.log)
    assert {"person", "rollout"} <= {node.origin for node in Tree.fold(found.log).nodes}
    assert told(found.log) == told(searched.search.log)


def replayed(player: Player, generate: bool = False, **params: object) -> Replay:
    model = player.world if generate else Remembering(player.world)
    driver = Driver(model, model, player.archive, clock=lambda: 0.0)
    return replay(player.log, Supposition(params=params), driver, grade)


def schedule(log: list[ev.Event]) -> list[dict[str, object]]:
    """The parameters, one after the other, as far as they stand."""
    kinds = (ev.SearchCreated, ev.ParametersChanged)
    return [event.params for _, event in standing(log) if isinstance(event, kinds)]


ACTS = MOVES.filter(lambda move: move not in ("phase", "kill", "say"))


@settings(max_examples=40, deadline=None)
@given(PARAMS, st.integers(0, 1000), st.lists(ACTS, max_size=14), st.data())
def test_whatever_was_done_comes_again(
    params: dict[str, object], seed: int, moves: list[str], data: st.DataObject
) -> None:
    player = Player(new_search(seed=seed, **params))
    player.world.empty = data.draw(st.sampled_from([0.15, 0.6]))  # few dead ends, or many
    player.run(iterations=3)
    for move in moves:
        player.move(move, data)
    tree = player.tree()
    found = replayed(player)
    assert (found.iterations, found.missing, found.left_out) == (tree.iteration, 0, [])
    again = Tree.fold(found.log)
    assert again.nodes == tree.nodes
    assert again.params == tree.params
    # Only what is supposed is otherwise, from the first iteration to the last.
    other = replayed(player, generate=True, exploration_constant=2.5)
    if not any("change of parameters" in one for one in other.left_out):
        wanted = [{**one, "exploration_constant": 2.5} for one in schedule(player.log)]
        assert schedule(other.log) == [one for one, _ in groupby(wanted)]


def test_acts_that_have_no_place_are_told_in_words() -> None:
    searched = Searched(1)
    last = searched.search.tree.root.children[-1]
    searched.act(acts.write_step(last, "my own way"))
    searched.act(acts.roll_out(last, 2))
    searched.search.log.append(ev.ModelsChosen("other", "other"))
    searched.search = Search(searched.search.log, grade)
    searched.more(2)
    found = searched.again(generate=True, params={"branch": 1})
    assert found.iterations == 3
    assert found.left_out == [
        f"the step written below node {last}",
        f"the roll-out from node {last}",
        "the choice of other models: the replay has the last ones from the start.",
    ]


def test_what_was_done_after_the_replay_s_end_is_told() -> None:
    searched = Searched(8)
    searched.act(acts.overrule(1, 0.9))
    found = searched.again(generate=True, params={"branch": 1, "max_expansions": 1, "max_depth": 2})
    assert found.iterations < 8
    assert found.left_out == [
        f"an act on node 1 after iteration 8: the replay ends after {found.iterations}"
    ]


def test_answers_are_read_where_they_were() -> None:
    """With the reference's way of choosing, the best node answers though it is unfinished."""
    searched = Searched(6, require_finished=False)
    searched.more(3)
    found = searched.again()
    assert (found.iterations, found.missing) == (9, 0)
    assert sum(isinstance(event, ev.Concluded) for event in found.log) == 2
    assert told(found.log) == told(searched.search.log)


def test_longer_than_the_search_was() -> None:
    searched = Searched(6)
    found = searched.again(generate=True, iterations=9)
    assert found.iterations == 9
    longer = Search(searched.search.log[:1], grade)
    run(longer, Limits(iterations=9), World(words=WORDS), searched.archive)
    assert [n.step for n in Tree.fold(found.log).nodes] == [n.step for n in longer.tree.nodes]


class Restless(World):
    """Writes Python whose second step prints something else every time; that decides its answer."""

    def _propose(self, request: ProposalRequest) -> Completion:
        text = f"# Take {request.slot}.\nx = {request.slot}\n"
        if request.steps:
            text = "# Print.\nimport os\nprint(object(), int.from_bytes(os.urandom(4), 'big'))\n"
        return Completion(text, text, "", (1, 2), (-0.5, -0.5), Usage(5))

    def judge(self, requests, mode):  # type: ignore[no-untyped-def]
        return [Judgement("end" if r.printed else "continue", "text") for r in requests]

    def summarise(self, requests: Sequence[PrefixRequest]) -> list[Summary]:
        return [Summary(r.printed or "", (r.printed or "?").split()[-1]) for r in requests]


@pytest.mark.skipif(not protection(), reason="code of a model is not run on this machine")
def test_programs_that_print_something_else_every_time_are_replayed_as_they_were() -> None:
    world, archive = Restless(), MemoryArchive()
    search = new_search(algorithm="rstar_math", run_code=True, branch=2)
    run(search, Limits(iterations=3), world, archive)
    model = Remembering(world)
    found = replay(search.log, Supposition(), Driver(model, model, archive), grade)
    assert (found.iterations, found.missing) == (search.tree.iteration, 0)
    first, second = Tree.fold(search.log), Tree.fold(found.log)
    assert [node.answer for node in first.nodes] == [node.answer for node in second.nodes]
    assert any(node.answer for node in first.nodes)
