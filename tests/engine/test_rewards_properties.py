"""What holds for the rewards of any tree, whatever a person says of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.rewards.evidence import end_leaves, leaf_verdicts
from engine.rewards.methods import METHODS, infer
from engine.rewards.preview import flipped, supposing
from engine.rewards.rows import Rewards, difference
from engine.tree import Tree
from tests.engine.reward_trees import Outline, trees, verdicts

METHOD = st.sampled_from(sorted(METHODS))


# By definition and by text, without the code under test: nodes with the same steps are one.


def begins(tree: Tree, whole: int, part: int) -> bool:
    """Whether one node's steps begin with another's."""
    steps, first = tree.steps(whole), tree.steps(part)
    return steps[: len(first)] == first


def right_at_or_below(tree: Tree, node: int) -> bool:
    return any(
        one.accepted
        and one.finished
        and not one.children
        and begins(tree, one.id, node)
        and not wrong_on_the_way(tree, one.id)
        for one in tree.nodes
    )


def wrong_on_the_way(tree: Tree, node: int) -> bool:
    return any(one.mark == "wrong" and begins(tree, node, one.id) for one in tree.nodes)


@settings(max_examples=150, deadline=None)
@given(st.data(), METHOD)
def test_values_lie_in_the_unit_interval_and_the_tree_stays(data: st.DataObject, name: str) -> None:
    tree = data.draw(trees())
    said = data.draw(verdicts(tree))
    judged = supposing(tree, said)
    before = repr(vars(judged)), repr(vars(tree))
    rewards = infer(judged, name)
    assert (repr(vars(judged)), repr(vars(tree))) == before
    assert infer(judged, name) == rewards
    assert bool(rewards.rows) == (not rewards.empty)
    for row in rewards.rows:
        assert 0.0 <= row.value <= 1.0
        assert row.m is None or row.m >= 0
        assert set(row.right).isdisjoint(row.wrong)
        assert bool(row.right) == right_at_or_below(judged, row.node)
        if wrong_on_the_way(judged, row.node):
            assert row.r in (1, None)
        mine = [one for one in judged.nodes if tree.steps(one.id) == tree.steps(row.node)]
        said_values = [one.overruled for one in mine if one.overruled is not None]
        assert not said_values or row.value == said_values[0]
    if not said:
        assert not any(row.touched for row in rewards.rows)


@settings(max_examples=150, deadline=None)
@given(st.data(), METHOD)
def test_verdicts_fold_read_back_and_are_taken_back(data: st.DataObject, name: str) -> None:
    tree = data.draw(trees())
    said = data.draw(verdicts(tree))
    read = [ev.decode(ev.encode(verdict)) for verdict in said]
    assert read == said
    judged = supposing(tree, said)
    undone: list[ev.Marked | ev.Regraded | ev.Overruled] = []
    for verdict in said:
        match verdict:
            case ev.Marked(node):
                undone.append(ev.Marked(node, ""))
            case ev.Regraded(node):
                undone.append(ev.Regraded(node, None))
            case ev.Overruled(node):
                undone.append(ev.Overruled(node, None))
    back = supposing(judged, undone)
    assert back.nodes == tree.nodes
    assert infer(back, name) == infer(tree, name)


@settings(max_examples=150, deadline=None)
@given(st.data(), METHOD)
def test_rows_that_no_verdict_touches_are_the_same_without_it(
    data: st.DataObject, name: str
) -> None:
    tree = data.draw(trees())
    plain = infer(tree, name).by_node()
    for row in infer(supposing(tree, data.draw(verdicts(tree))), name).rows:
        if not row.touched:
            assert (row.value, row.m, row.r, row.w) == (
                plain[row.node].value,
                plain[row.node].m,
                plain[row.node].r,
                plain[row.node].w,
            )


@settings(max_examples=100, deadline=None)
@given(trees())
def test_pruned_branches_give_no_row(tree: Tree) -> None:
    for name, answerless in (("paper", "pruned"), ("reference", "wrong"), ("soft", "wrong")):
        leaves = leaf_verdicts(tree, answerless)  # type: ignore[arg-type]
        on_the_way = {n.id for n in tree.nodes if any(begins(tree, leaf, n.id) for leaf in leaves)}
        rows = infer(tree, name).rows
        assert {row.node for row in rows} == (on_the_way if rows else set())
    assert set(leaf_verdicts(tree, "pruned")) <= set(leaf_verdicts(tree, "wrong"))
    assert set(leaf_verdicts(tree, "wrong")) <= set(end_leaves(tree))


@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_on_a_wholly_correct_trace_v_is_progress(steps: int) -> None:
    outline = Outline()
    outline.finish(outline.chain(0, steps)[-1], True)
    for name in ("paper", "reference", "progress"):
        for row in infer(outline.tree, name).rows:
            assert row.value == pytest.approx(row.node / steps, abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(trees())
def test_hard_is_at_least_soft_and_soft_is_positive_where_a_correct_leaf_is(tree: Tree) -> None:
    hard, soft = infer(tree, "hard").by_node(), infer(tree, "soft").by_node()
    assert hard.keys() == soft.keys()
    for node, row in soft.items():
        assert hard[node].value >= row.value
        assert (row.value > 0) == (hard[node].value > 0) == right_at_or_below(tree, node)


def changed(before: Rewards, after: Rewards) -> set[int]:
    return {change.node for change in difference(before, after)}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_flipped_leaf_changes_estimates_on_its_own_way_only(data: st.DataObject) -> None:
    tree = data.draw(trees())
    leaves = sorted(leaf_verdicts(tree, "wrong"))
    if not leaves:
        return
    leaf = data.draw(st.sampled_from(leaves))
    other = supposing(tree, [flipped(tree, leaf)])
    for name in ("hard", "soft"):
        rows = changed(infer(tree, name), infer(other, name))
        assert all(begins(tree, leaf, node) for node in rows)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_flipped_leaf_changes_v_below_its_first_step_and_where_m_is_the_roots(
    data: st.DataObject,
) -> None:
    """Since v depends on the parent's v, all below the leaf's first step may change. Elsewhere
    v_0 = 0 is all that is shared, but for branches without a correct leaf: their m is the root's.
    """
    tree = data.draw(trees())
    leaves = sorted(leaf_verdicts(tree, "wrong"))
    if not leaves:
        return
    leaf = data.draw(st.sampled_from(leaves))
    other = supposing(tree, [flipped(tree, leaf)])
    first_step = tree.steps(leaf)[:1]
    for node in changed(infer(tree, "reference"), infer(other, "reference")) - {0}:
        branch = tree.path(node)[1]
        assert tree.steps(branch) == first_step or not right_at_or_below(tree, branch)
