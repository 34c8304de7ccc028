"""The tree is the fold of its log, whatever the log."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.errors import EventError
from engine.search.driver import Limits, create
from engine.tree import Tree
from tests.engine.worlds import new_search, run

ALGORITHMS = st.sampled_from(["mcts_star", "sampling", "beam"])
PARAMS = st.fixed_dictionaries(
    {
        "branch": st.integers(1, 4),
        "max_expansions": st.integers(1, 3),
        "alpha": st.floats(0, 1),
        "roll_forward_steps": st.integers(0, 3),
        "sample_value": st.sampled_from(["full", "simple"]),
        "reward_model_type": st.sampled_from(["vm", "prm"]),
        "roll_policy": st.sampled_from(["greedy", "random"]),
        "use_reflection": st.sampled_from(["simple", "common"]),
        "require_finished": st.booleans(),
        "reselect_finished": st.booleans(),
        "tie_rule": st.sampled_from(["first", "last", "random"]),
    }
)


def log_of(params: dict[str, object], seed: int, iterations: int) -> list[ev.Event]:
    search = new_search(seed=seed, **params)
    run(search, Limits(iterations=iterations))
    return search.log


@settings(max_examples=60, deadline=None)
@given(PARAMS, st.integers(0, 10_000), st.integers(0, 15), st.data())
def test_any_prefix_of_a_log_folds_and_reads_back_the_same(
    params: dict[str, object], seed: int, iterations: int, data: st.DataObject
) -> None:
    log = log_of(params, seed, iterations)
    cut = data.draw(st.integers(0, len(log)))
    tree = Tree.fold(log[:cut])
    stored = [ev.encode(event) for event in log[:cut]]
    again = Tree.fold(ev.decode(body) for body in stored)
    assert vars(again) == vars(tree)
    assert [ev.encode(ev.decode(body)) for body in stored] == stored
    for event in log[cut:]:
        again.apply(event)
    assert vars(again) == vars(Tree.fold(log))


@settings(max_examples=40, deadline=None)
@given(PARAMS, st.integers(0, 10_000), st.integers(1, 15))
def test_a_searched_tree_is_sound(params: dict[str, object], seed: int, iterations: int) -> None:
    tree = Tree.fold(log_of(params, seed, iterations))
    for node in tree.nodes:
        assert 0.0 <= node.value <= 1.0
        assert tree.path(node.id)[-1] == node.id
        assert len(tree.steps(node.id)) == node.depth
        for child in node.children:
            assert tree.node(child).parent == node.id
        texts = [tree.node(child).step for child in node.children]
        assert len(texts) == len(set(texts)), "an expansion keeps distinct steps only"
    assert sorted(node.id for node in tree.depth_first()) == list(range(len(tree.nodes)))
    # Every iteration visits the root once, except one that the gate stopped.
    assert tree.root.visits in (tree.iteration, tree.iteration - 1)


VERDICTS = st.sampled_from(["unknown", "continue", "end"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["judge", "expand", "exhaust", "close"])), st.data())
def test_what_a_tree_keeps_ready_is_what_a_walk_over_it_finds(
    moves: list[str], data: st.DataObject
) -> None:
    tree = Tree.fold([create("What?", None, "mcts_star", {}, 0, "policy", "prm")])
    closed: list[int] = []
    for kind in moves:
        node = data.draw(st.integers(0, len(tree.nodes) - 1))
        if kind == "judge":
            tree.apply(ev.Judged(node, data.draw(VERDICTS), "text"))
        elif kind == "expand":
            first, count = len(tree.nodes), data.draw(st.integers(0, 3))
            children = [ev.NewNode(first + i, f"step {i}\n") for i in range(count)]
            tree.apply(ev.Expanded(node, "expanded" if count else "skipped_end", children, []))
        elif kind == "exhaust":
            tree.apply(ev.Exhausted([node]))
        else:
            tree.apply(ev.Closed(node))
            closed += [] if node in closed else [node]
        leaves = [one for one in tree.depth_first() if not one.expanded]
        assert tree.ends == [one.id for one in leaves if one.finished]
        assert tree.growing == {one.id for one in leaves if not one.finished and not one.exhausted}
        assert tree.closed == closed


def test_an_event_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    tree = Tree()
    with pytest.raises(EventError, match="starts with search_created"):
        tree.apply(ev.IterationStarted(1))
    log = log_of({}, 0, 3)
    tree = Tree.fold(log)
    before = repr(vars(tree))
    for event, reason in [
        (log[0], "one search_created"),
        (ev.IterationStarted(9), "cannot follow"),
        (ev.Evaluated([ev.NodeValue(0, 0.5), ev.NodeValue(10_000, 0.5)]), "no node 10000"),
        (ev.BackedUp([ev.Backup(0, 0.1, 9), ev.Backup(-1, 0.5, 1)]), "no node -1"),
        (ev.Expanded(0, "expanded", [ev.NewNode(0, "again\n")], []), "numbered from"),
        (ev.IterationFinished(99, ev.Cost()), "cannot finish"),
        (ev.Concluded("", 10_000, None, 0), "no node 10000"),
    ]:
        with pytest.raises(EventError, match=reason):
            tree.apply(event)
        assert repr(vars(tree)) == before


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"kind":"exploded"}', b'{"kind":"judged","node":"x"}', b"\xff\xfe"],
)
def test_a_damaged_event_is_named(body: bytes) -> None:
    with pytest.raises(EventError, match="cannot be read"):
        ev.decode(body)


def test_notes_can_be_written_and_removed() -> None:
    tree = Tree.fold(log_of({}, 0, 2))
    tree.apply(ev.Noted(1, "look here"))
    tree.apply(ev.Noted(None, "a good one"))
    assert (tree.node(1).note, tree.note) == ("look here", "a good one")
    tree.apply(ev.Noted(1, ""))
    assert tree.node(1).note == ""
