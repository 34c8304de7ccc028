"""The history of a log: all that was done, and every state of it to go to."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.errors import EventError
from engine.history import after_undoing, end_before, items, present
from engine.search import acts
from engine.tree import Tree, standing
from tests.engine.steered import MOVES, Player
from tests.engine.worlds import new_search

STEERED = st.lists(MOVES, min_size=3, max_size=12)


def played(seed: int, moves: list[str], data: st.DataObject) -> Player:
    player = Player(new_search(seed=seed))
    player.run(iterations=1)
    for kind in moves:
        player.move(kind, data)
    return player


def states(log: list[ev.Event]) -> list[list[int]]:
    """The places that count after each event, told in the plainest way."""
    found: list[list[int]] = [[]]
    for place, event in enumerate(log, 1):
        found.append(found[event.to] if isinstance(event, ev.Rewound) else [*found[-1], place])
    return found


def what(tree: Tree) -> dict[str, object]:
    return vars(tree)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), STEERED, st.data())
def test_items_tell_everything_and_lead_to_every_state(
    seed: int, moves: list[str], data: st.DataObject
) -> None:
    log = played(seed, moves, data).log
    counts = states(log)
    assert [place for place, _ in standing(log)] == counts[-1]
    found = items(log)
    told = [place for item in found for place in range(item.first, item.last + 1)]
    rest = [place for place in range(1, len(log) + 1) if place not in told]
    assert told == sorted(told)
    assert all(isinstance(log[place - 1], ev.Rewound) for place in rest)
    assert [item.last for item in found if item.standing] == [
        item.last for item in found if item.last in counts[-1]
    ]
    assert counts[present(log)] == counts[-1]
    for item in found:
        assert counts[item.first - 1] == counts[item.before]
        assert end_before(log, item.last) == item.last
        # A fork there is the state there, and can be searched on.
        cut = log[: item.last]
        assert [place for place, _ in standing(cut)] == counts[item.last]
        assert Tree.fold(cut).iteration == item.iteration
    forked = Player()
    forked.restart(log[: data.draw(st.sampled_from([item.last for item in found]))])
    before = forked.tree().iteration
    forked.run(iterations=2)
    assert forked.tree().iteration == before + 2 or forked.tree().stop
    assert what(forked.tree()) == what(Tree.fold(map(ev.decode, map(ev.encode, forked.log))))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), STEERED, st.data())
def test_undo_walks_back_to_the_start_and_redo_to_where_it_was(
    seed: int, moves: list[str], data: st.DataObject
) -> None:
    log = list(played(seed, moves, data).log)
    passed = [item.last for item in items(log) if item.standing]
    before = what(Tree.fold(log))
    for end in reversed(passed[:-1]):
        (*_, last) = [item for item in items(log) if item.standing]
        log.append(ev.Rewound(last.before))
        assert present(log) == end
    assert present(log) == 1
    for end in passed[1:]:
        to = after_undoing(log)
        assert to == end
        log.append(ev.Rewound(end))
    assert what(Tree.fold(log)) == before


def test_redo_does_again_what_was_left_last() -> None:
    player = Player()
    player.run(iterations=1)
    at = present(player.log)
    ends = []
    for value in (0.1, 0.2, 0.3):
        player.act(acts.overrule(1, value))
        ends.append(present(player.log))
        player.go_back(at)
        assert after_undoing(player.log) == ends[-1]
    player.go_back(ends[0])
    assert player.tree().node(1).value == 0.1
    assert after_undoing(player.log) is None
    player.go_back(at)
    assert after_undoing(player.log) == ends[0]


def rolled_at(player: Player) -> int:
    """How many nodes there were when the roll-out was kept: those with its first step go on."""
    (kept,) = [
        event for event in player.log if isinstance(event, ev.Added) and event.origin == "rollout"
    ][:1]
    return kept.children[0].id


def test_the_history_in_words() -> None:
    player = Player()
    player.run(iterations=2)
    leaf = min(player.tree().growing)
    player.act(acts.overrule(1, 0.5))
    player.act(acts.overrule(1, 0.5, locked=False))
    player.act(acts.overrule(1, 0.5))
    player.act(acts.overrule(1, 0.25, locked=False))
    player.act(acts.write_step(leaf, "one"))
    player.act(acts.write_step(leaf, "two"))
    player.act(acts.expand(leaf, 2))
    player.act(acts.roll_out(leaf, 2))
    player.act(acts.keep_rollout(leaf))
    player.act(acts.prune(1))
    player.act(acts.prune(1, False))
    player.act(acts.overrule(1, None))
    player.act(acts.change_parameters({"branch": 2}))
    player.act(acts.choose_models("other", "world"))
    for said in (ev.Noted(1, "hm"), ev.Marked(1, "wrong", "why"), ev.Tagged(None, ["a", "b"])):
        player.say(said)
    player.run(iterations=1)
    found = [(item.doing, item.node, item.value, item.text) for item in items(player.log)]
    rolled = player.tree().node(leaf).rolled_out
    assert rolled is not None
    first, second = (step.candidates[0] for step in rolled.steps)
    there = [one.id for one in player.tree().shown(leaf) if one.step == first]
    kept = (there[0], second) if there and there[0] < rolled_at(player) else (leaf, first)
    assert found == [
        ("created", None, None, ""),
        ("iteration", None, None, ""),
        ("iteration", None, None, ""),
        ("overruled", 1, 0.5, ""),
        ("overruled", 1, 0.5, "unlocked"),
        ("overruled", 1, 0.5, "locked"),
        ("overruled", 1, 0.25, "not locked"),
        ("wrote", leaf, None, "one\n"),
        ("wrote", leaf, None, "two\n"),
        ("asked", leaf, None, player.tree().node(found_child(player, leaf)).step),
        ("rolled_out", leaf, None, ""),
        ("kept", kept[0], None, kept[1]),
        ("pruned", 1, None, ""),
        ("brought_back", 1, None, ""),
        ("restored", 1, None, ""),
        ("parameters", None, None, "branch 3 to 2"),
        ("models", None, None, "other, world"),
        ("noted", 1, None, "hm"),
        ("marked", 1, None, "wrong: why"),
        ("tagged", None, None, "a, b"),
        ("iteration", None, None, ""),
    ]


def found_child(player: Player, parent: int) -> int:
    """The first child that the policy was asked for below a node."""
    tree = player.tree()
    return next(i for i in tree.node(parent).children if tree.node(i).origin == "policy")


def test_a_place_that_is_not_there_is_named() -> None:
    player = Player()
    player.run(iterations=1)
    for place in (0, len(player.log) + 1):
        with pytest.raises(EventError, match=f"There is no event {place}"):
            end_before(player.log, place)
    for to in (0, len(player.log) + 1):
        with pytest.raises(EventError, match="which it cannot"):
            standing([*player.log, ev.Rewound(to)])
