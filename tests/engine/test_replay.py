"""A search replayed with something changed."""

import msgspec
import pytest

from engine import events as ev
from engine.errors import ParameterError
from engine.search import acts
from engine.search.acts import perform
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search
from engine.search.replay import Remembering, Replay, Supposition, replay
from engine.tree import Tree
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
        for event in perform(Tree.fold(self.search.log), act):
            self.search.tree.apply(event)
            self.search.log.append(event)

    def again(self, generate: bool = False, **supposed: object) -> Replay:
        world = World(words=WORDS)
        model = world if generate else Remembering(world)
        driver = Driver(model, model, self.archive, clock=lambda: 0.0)
        return replay(self.search.log, Supposition(**supposed), driver, grade)  # type: ignore[arg-type]


def told(log: list[ev.Event]) -> list[ev.Event]:
    """A log without what the work really took."""
    kept = []
    for event in log:
        if isinstance(event, ev.IterationFinished | ev.Concluded):
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
    same = [e for e in told(searched.search.log) if not isinstance(e, ev.Concluded | ev.Answered)]
    mine = [e for e in told(found.log) if not isinstance(e, ev.Concluded | ev.Answered)]
    assert mine == same
    assert Tree.fold(found.log).cost.policy_forwarded == 0


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


def test_longer_than_the_search_was() -> None:
    searched = Searched(6)
    found = searched.again(generate=True, iterations=9)
    assert found.iterations == 9
    longer = Search(searched.search.log[:1], grade)
    run(longer, Limits(iterations=9), World(words=WORDS), searched.archive)
    assert [n.step for n in Tree.fold(found.log).nodes] == [n.step for n in longer.tree.nodes]
