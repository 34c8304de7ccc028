"""Whatever a person does to a search, in any order: the tree stays sound, and the log tells all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.errors import EventError, LabError
from engine.rewards.methods import METHODS, infer
from engine.search import acts
from engine.search.acts import perform
from engine.search.answers import best_value
from engine.search.backup import mean_of_children
from engine.search.registry import ALGORITHMS, algorithm, params_of
from engine.tree import Tree
from tests.engine.steered import MOVES, Player
from tests.engine.test_tree import PARAMS
from tests.engine.worlds import new_search


def sound(tree: Tree) -> None:
    """What must hold of every tree that lies between two iterations."""
    for node in tree.nodes:
        above = node.parent is not None and tree.node(node.parent).hidden
        assert node.hidden == (node.pruned or above)
        mean = mean_of_children(tree, node)
        if node.found_value is None and mean is not None:
            assert node.value == mean, f"V of node {node.id}"
        assert node.locked <= (node.found_value is not None)
        assert (node.found_value is not None) <= (node.overruled == node.value)
    shown = [node for node in tree.depth_first() if not node.expanded and not node.hidden]
    assert tree.ends == [node.id for node in shown if node.finished]
    assert tree.growing == {node.id for node in shown if not node.finished and not node.exhausted}


def unpruned(tree: Tree) -> None:
    """What is pruned counts nowhere."""
    kind, params = algorithm(tree.algorithm), params_of(tree)
    hidden = {node.id for node in tree.nodes if node.hidden}
    assert hidden.isdisjoint(kind.end_leaves(tree, params))
    assert hidden.isdisjoint(group.node for group in kind.groups(tree, params))
    assert kind.selects is not None
    assert hidden.isdisjoint(kind.selects(tree, params))
    assert best_value(tree) not in hidden
    for method in METHODS:
        assert hidden.isdisjoint(row.node for row in infer(tree, method).rows)


@settings(max_examples=40, deadline=None)
@given(PARAMS, st.integers(0, 1000), st.lists(MOVES, max_size=14), st.data())
def test_whatever_is_done_the_log_is_the_tree(
    params: dict[str, object], seed: int, moves: list[str], data: st.DataObject
) -> None:
    player = Player(new_search(seed=seed, **params))
    player.world.empty = data.draw(st.sampled_from([0.15, 0.7]))  # few dead ends, or many
    player.run(iterations=3)
    for kind in moves:
        player.move(kind, data)
        tree = player.tree()
        sound(tree)
        unpruned(tree)
        if not player.driver.held:
            live = vars(player.search.tree)
            assert live == {**vars(tree), "applied": live["applied"]}
    read_back = [ev.decode(ev.encode(event)) for event in player.log]
    assert vars(Tree.fold(read_back)) == vars(player.tree())


@settings(max_examples=40, deadline=None)
@given(PARAMS, st.integers(0, 1000), st.lists(MOVES, max_size=6), st.data())
def test_what_is_taken_back_at_once_leaves_all_values_as_they_were(
    params: dict[str, object], seed: int, moves: list[str], data: st.DataObject
) -> None:
    player = Player(new_search(seed=seed, **params))
    player.run(iterations=5)
    for kind in moves:
        player.move(kind, data)
    tree = player.tree()
    before = [(node.value, node.visits, node.hidden) for node in tree.nodes]
    free = [node.id for node in tree.nodes[1:] if node.overruled is None and not node.pruned]
    if not free:
        return
    node = data.draw(st.sampled_from(free))
    perform(tree, acts.overrule(node, data.draw(st.floats(0, 1)), data.draw(st.booleans())))
    sound(tree)
    perform(tree, acts.overrule(node, None))
    assert [(one.value, one.visits, one.hidden) for one in tree.nodes] == before
    perform(tree, acts.prune(node))
    assert tree.node(node).hidden
    perform(tree, acts.prune(node, False))
    assert [(one.value, one.visits, one.hidden) for one in tree.nodes] == before
    sound(tree)


def searched(iterations: int = 6, words: int = 4, **params: object) -> Player:
    player = Player(new_search(**params))
    player.world.words = words
    player.run(iterations=iterations)
    return player


def open_leaf(tree: Tree) -> int:
    return min(tree.growing - {0})


def test_a_locked_value_stays_and_another_one_until_the_search_backs_up_through_it() -> None:
    for locked in (True, False):
        player = searched()
        tree = player.tree()
        (child,) = [
            one.id
            for one in tree.shown(0)
            if one.visits == max(other.visits for other in tree.shown(0))
        ][:1]
        found = tree.node(child).value
        player.act(acts.overrule(child, 1.0, locked))
        assert player.tree().node(child).value == 1.0
        player.run(iterations=4)
        after = player.tree().node(child)
        assert after.visits > tree.node(child).visits, "the search goes where a person points"
        assert (after.value == 1.0) == locked
        assert after.overruled == 1.0
        player.act(acts.overrule(child, None))
        given_back = player.tree().node(child)
        assert given_back.value == mean_of_children(player.tree(), given_back) != 1.0 != found
        assert (given_back.locked, given_back.overruled) == (False, None)


def test_values_above_follow_up_to_a_locked_one() -> None:
    player = searched(8)
    tree = player.tree()
    deep = max((node for node in tree.nodes if node.visits), key=lambda node: node.depth)
    path = tree.path(deep.id)
    assert len(path) > 3
    before = [tree.node(i).value for i in path]
    player.act(acts.overrule(path[2], before[2]))
    player.act(acts.overrule(deep.id, 0.0))
    after = [player.tree().node(i).value for i in path]
    assert after[:3] == before[:3]
    assert after[-1] == 0.0
    player.act(acts.overrule(path[2], None))
    after = [player.tree().node(i).value for i in path]
    assert all(now < then for now, then in zip(after[:-1], before[:-1], strict=True))


def test_a_search_that_was_at_its_end_goes_on_where_a_person_prunes() -> None:
    player = searched(100, words=6, branch=2, max_expansions=1, max_depth=3)
    tree = player.tree()
    assert (tree.stop, tree.root.exhausted) == ("exhausted", True)
    answers = list(tree.ends)
    for child in tree.root.children:
        player.act(acts.prune(child))
    assert player.tree().stop == ""
    player.run(iterations=20)
    tree = player.tree()
    assert len(tree.root.children) > len(list(tree.shown(0))) > 0
    assert set(tree.ends).isdisjoint(answers)
    assert tree.chosen in [one.id for one in tree.depth_first() if not one.hidden]


def test_in_a_simple_search_a_pruned_end_lets_it_look_for_another() -> None:
    player = searched(60, sample_value="simple", end_gate=0.5)
    (first,) = player.tree().closed
    assert player.tree().stop == "gate"
    player.act(acts.prune(first))
    player.run(iterations=60)
    tree = player.tree()
    assert tree.chosen != first
    assert tree.closed[-1] != first


def test_a_step_of_ones_own_is_valued_at_once_and_searched_from() -> None:
    player = searched()
    parent = open_leaf(player.tree())
    events = player.act(acts.write_step(parent, "my own way"))
    (new,) = player.tree().node(parent).children
    node = player.tree().node(new)
    assert (node.step, node.origin, node.verdict) == ("my own way\n", "person", "continue")
    assert node.value == node.prm_value != 0.0
    assert node.source is not None
    assert isinstance(events[-1], ev.Acted)
    assert events[-1].cost.prm_unique > 0
    player.act(acts.overrule(new, 1.0))
    for above in player.tree().path(parent)[1:]:
        player.act(acts.overrule(above, 1.0))
    player.run(iterations=12)
    assert player.tree().node(new).expanded
    end = player.act(acts.write_step(parent, "Answer: 1"))
    assert [type(event).__name__ for event in end] == [
        "Added", "Evaluated", "Judged", "Answered", "Acted",
    ]  # fmt: skip
    assert player.tree().nodes[-1].correct is True


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (acts.overrule(0, 1.0), "The root holds no step"),
        (acts.overrule(1, 1.5), "it takes a number from 0 to 1"),
        (acts.overrule(1, float("nan")), "cannot be nan"),
        (acts.overrule(999, 1.0), "There is no node 999"),
        (acts.prune(0), "The root holds no step"),
        (acts.write_step(0, " \n"), "The step is empty"),
        (acts.expand(0, 0), "number of children cannot be 0"),
        (acts.expand(0, 3, 9.0), "temperature cannot be 9"),
        (acts.roll_out(0, 101), "takes 1 to 100"),
        (acts.keep_rollout(0), "has not been rolled out"),
        (acts.change_parameters({"branch": 0}), "branch cannot be 0"),
        (acts.change_parameters({"sampling": {"heat": 1}}), "no parameter 'heat'"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(act: acts.Act, words: str) -> None:
    player = searched(2)
    before = list(player.log)
    with pytest.raises(LabError, match=words):
        player.act(act)
    assert player.log == before
    player.run(iterations=1)
    assert player.tree().iteration == 3


def test_no_step_follows_what_is_finished_or_pruned() -> None:
    player = searched(8)
    tree = player.tree()
    with pytest.raises(EventError, match="is finished: no step follows"):
        player.act(acts.write_step(tree.ends[0], "more"))
    player.act(acts.prune(1))
    below = tree.node(1).children[0]
    for act in (acts.write_step(below, "x"), acts.expand(1, 2), acts.roll_out(1, 2)):
        with pytest.raises(EventError, match=r"is pruned: bring it back first|is finished"):
            player.act(act)
    known = tree.node(2).step
    with pytest.raises(EventError, match="has this step already: it is node 2"):
        player.act(acts.write_step(0, known.rstrip()))


def stuck() -> tuple[Player, int]:
    """A search whose policy writes no second step, and a dead end of it."""
    player = searched(1)
    player.world.empty = 1.0
    player.run(iterations=40)
    tree = player.tree()
    assert tree.stop == "unusable"
    player.world.empty = 0.0
    return player, next(node.id for node in tree.nodes[1:] if node.dead_end)


@pytest.mark.parametrize("written", [True, False])
def test_a_dead_end_that_gets_a_step_is_searched_on_from(written: bool) -> None:
    player, node = stuck()
    with pytest.raises(EventError, match="is a dead end: the policy wrote no step"):
        player.act(acts.roll_out(node, 2))
    place = len(player.log)
    player.act(acts.write_step(node, "my own way") if written else acts.expand(node, 2))
    tree = player.tree()
    sound(tree)
    end = tree.node(node)
    assert (end.dead_end, end.finished, end.verdict_source) == (False, False, "")
    assert (tree.stop, tree.root.exhausted, node in tree.ends) == ("", False, False)
    children = list(end.children)
    player.act(acts.overrule(node, 1.0))
    player.run(iterations=12)
    tree = player.tree()
    sound(tree)
    assert tree.iteration > 12
    assert any(tree.node(child).visits for child in children)
    assert any(tree.node(child).children for child in children)
    # Taken back, it is a dead end again.
    player.go_back(place)
    assert player.tree().node(node).dead_end
    assert player.tree().stop == "unusable"


def test_a_dead_end_stays_one_if_nothing_more_comes() -> None:
    player, node = stuck()
    player.world.empty = 1.0
    player.act(acts.expand(node, 2))
    tree = player.tree()
    sound(tree)
    assert tree.node(node).dead_end
    assert (tree.stop, tree.root.exhausted) == ("unusable", True)


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "mcts_star"])
def test_every_search_goes_on_where_a_dead_end_got_a_step(name: str) -> None:
    player = Player(new_search(algorithm=name))
    player.world.empty = 1.0
    player.run(iterations=4)
    ends = [node.id for node in player.tree().nodes if node.dead_end]
    assert ends, "the policy writes nothing at all"
    player.world.empty = 0.0
    player.act(acts.write_step(ends[0], "my own way"))
    new = player.tree().nodes[-1]
    assert (new.origin, player.tree().node(ends[0]).dead_end) == ("person", False)
    player.run(iterations=8)
    assert player.tree().node(new.id).children
    assert Tree.fold(player.log).chosen is not None


def test_more_children_are_new_draws_and_those_asked_for_again_newer_ones() -> None:
    player = Player(new_search())
    player.world.words = 9
    player.run(iterations=1)
    asked: list[int] = []
    for temperature in (None, 0.3, None):
        events = player.act(acts.expand(0, 4, temperature))
        added = events[0]
        assert isinstance(added, ev.Added)
        asked.append(added.asked)
        made = [player.tree().node(child.id) for child in added.children]
        used = 1.0 if temperature is None else temperature
        assert all(one.source and one.source.temperature == used for one in made)
    assert asked == sorted(set(asked)), "no slot is asked twice, however few came of it"
    steps = [one.step for one in player.tree().shown(0)]
    assert len(steps) == len(set(steps)) > 3


def test_a_rollout_is_seen_first_and_can_be_kept() -> None:
    player = searched()
    leaf = open_leaf(player.tree())
    before = player.tree()
    player.act(acts.roll_out(leaf, 9))
    tree = player.tree()
    assert len(tree.nodes) == len(before.nodes)
    assert [node.value for node in tree.nodes] == [node.value for node in before.nodes]
    seen = tree.node(leaf).rolled_out
    assert seen is not None
    player.act(acts.keep_rollout(leaf))
    kept = player.tree().nodes[len(before.nodes) :]
    assert [node.step for node in kept] == [
        step.candidates[0] for step in seen.steps if step.chosen is not None
    ]
    assert all(node.origin == "rollout" and node.value == node.prm_value for node in kept)
    assert kept[-1].answered == kept[-1].finished
    assert player.act(acts.keep_rollout(leaf)) == [], "what is there is not made again"


def test_changed_parameters_are_in_the_log_and_count_from_the_next_iteration_on() -> None:
    player = searched(2, branch=2)
    player.act(acts.change_parameters({"b": 4, "sampling": {"T": 0.5}}))
    tree = player.tree()
    assert tree.params["branch"] == 4
    assert tree.params["sampling"]["temperature"] == 0.5  # type: ignore[index]
    nodes = len(tree.nodes)
    player.run(iterations=3)
    grown = [event for event in player.log if isinstance(event, ev.Expanded)]
    assert max(len(event.proposals) for event in grown[:2]) <= 2
    assert max(len(event.proposals) for event in grown[2:]) > 2
    sources = {node.source for node in player.tree().nodes[nodes:]}
    assert {source.temperature for source in sources if source} == {0.5}
    assert player.act(acts.change_parameters({"branch": 4})) == []


def test_logs_of_before_there_was_steering_still_read() -> None:
    player = searched(3)
    child = max(player.tree().root.children, key=lambda one: player.tree().node(one).visits)
    old = [*player.log, ev.decode(b'{"kind":"overruled","node":%d,"value":0.25}' % child)]
    found = Player(new_search())
    found.restart(old)
    found.run(iterations=3)
    assert found.tree().node(child).value == 0.25
    assert found.tree().iteration == 6
