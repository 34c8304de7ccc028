"""Rewards of small trees, number by number; a person's verdicts; the words that give reasons."""

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import pytest

from engine import events as ev
from engine.errors import EventError, ParameterError
from engine.rewards.methods import METHODS, infer, targets
from engine.rewards.preview import PersonsVerdict, flipped, preview, supposing
from engine.rewards.rows import difference
from engine.tree import Tree
from tests.engine.reward_trees import Outline

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "rewards.md"


def example() -> Tree:
    """The tree of docs/rewards.md."""
    outline = Outline()
    first, second = outline.chain(0, 2)
    outline.finish(outline.add(second), True)
    outline.finish(outline.add(second), False, "no")
    outline.finish(outline.chain(first, 3)[-1], True)
    eighth = outline.add(0)
    outline.finish(outline.add(eighth), False, "no")
    outline.add(eighth)
    outline.tree.apply(ev.Concluded("", best=3, voted=3, chosen=3))
    return outline.tree


def spoken(words: str) -> list[PersonsVerdict]:
    """A verdict as the document writes it: `mark 2 wrong`, `regrade 9 right`, `overrule 1 0.8`."""
    if words == "nothing":
        return []
    kind, node, what = words.strip("`").split()
    if kind == "mark":
        return [ev.Marked(int(node), what)]  # type: ignore[arg-type]
    if kind == "regrade":
        return [ev.Regraded(int(node), what == "right")]
    return [ev.Overruled(int(node), float(what))]


def documented() -> Iterable[tuple[str, str, list[str]]]:
    """(method, verdict, cells) of every row of the document's tables of examples."""
    for line in DOCUMENT.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].strip("`") in METHODS and len(cells) == 13:
            yield cells[0].strip("`"), cells[1], cells[2:]


def test_the_documented_examples_are_what_is_computed() -> None:
    rows = list(documented())
    assert {method for method, _, _ in rows} == {"paper", "reference", "hard", "soft", "progress"}
    for method, verdict, cells in rows:
        found = infer(supposing(example(), spoken(verdict)), method).by_node()
        for node, cell in enumerate(cells):
            place = f"{method}, {verdict}, node {node}"
            if cell == "–":
                assert node not in found, place
            else:
                value = float(Fraction(cell.rstrip("*")))
                assert found[node].value == pytest.approx(value, abs=1e-12), place
                assert found[node].touched == cell.endswith("*"), place


def test_a_row_says_where_its_numbers_come_from() -> None:
    rows = infer(example()).by_node()
    fourth = rows[4]
    assert (fourth.m, fourth.r, fourth.parent_value) == (1, 1, pytest.approx(2 / 3))
    assert fourth.w == pytest.approx(-1 / 6)
    assert fourth.value == pytest.approx(1 / 2)
    assert (fourth.right, fourth.wrong) == ((), (4,))
    assert fourth.why.m_from == 2
    assert fourth.why.nearest == 3
    assert fourth.why.worked == "v = max(0.6667 + (1 − 0.6667) / (1 + 1) · (1 − 2·1), 0) = 0.5"
    assert "The only finished solution is not correct" in fourth.why.sentence
    assert (rows[1].right, rows[1].wrong, rows[1].why.nearest) == ((3, 7), (4,), 3)
    assert infer(example(), "soft").by_node()[1].why.worked == "2 / 3 = 0.6667"


def test_a_false_positive_is_said_to_be_one() -> None:
    rows = infer(supposing(example(), [ev.Marked(2, "wrong", "<b>bad</b>")])).by_node()
    assert rows[3].false_positives == rows[1].false_positives == (3,)
    assert rows[3].why.wrong_by == 2
    assert "marked node 2 wrong" in rows[3].why.sentence
    assert "false positive" in rows[1].why.sentence
    assert rows[7].false_positives == ()
    assert not any("<b>" in row.why.sentence for row in rows.values())


def test_an_overruled_value_keeps_what_the_formula_says() -> None:
    row = infer(supposing(example(), [ev.Overruled(1, 0.8)])).by_node()[1]
    assert (row.value, row.why.numbers["v"], row.why.overruled) == (0.8, pytest.approx(1 / 3), True)
    assert "overruled the value: 0.8 instead of 0.3333" in row.why.sentence


def test_an_overruled_value_is_taken_from_the_range_of_the_search() -> None:
    outline = Outline(low=-1.0, high=3.0, end_gate=2.0)
    outline.finish(outline.chain(0, 2)[-1], True)
    outline.tree.apply(ev.Overruled(1, 0.0))
    assert infer(outline.tree).by_node()[1].value == 0.25


def test_right_below_wrong_is_wrong_and_reported() -> None:
    tree = supposing(example(), [ev.Marked(5, "wrong"), ev.Marked(6, "right")])
    rewards = infer(tree)
    assert [rewards.by_node()[i].r for i in (5, 6, 7)] == [1, 1, 1]
    assert [(one.node, one.reason) for one in rewards.unused] == [
        (6, "Node 5, at or above it, is marked wrong.")
    ]


def test_a_verdict_right_below_what_is_known_gives_a_row_and_one_further_down_does_not() -> None:
    outline = Outline()
    outline.finish(outline.add(0), True)
    outline.chain(0, 3)
    near = supposing(outline.tree, [ev.Marked(2, "wrong")])
    assert infer(near).by_node()[2].r == infer(near, "hard").by_node()[2].r == 1
    far = infer(supposing(outline.tree, [ev.Marked(4, "wrong")]))
    assert 4 not in far.by_node()
    assert far.unused[0].node == 4
    assert "left out" in far.unused[0].reason


def test_unclear_changes_no_number_and_is_told() -> None:
    tree = supposing(example(), [ev.Marked(2, "unclear")])
    assert difference(infer(example()), infer(tree)) == ()
    assert (infer(tree).by_node()[2].mark, infer(tree).by_node()[2].touched) == ("unclear", False)


def test_where_paper_and_reference_differ() -> None:
    outline = Outline()
    outline.finish(outline.chain(0, 2)[-1], True)
    dead_end = outline.add(1)
    outline.finish(dead_end, False, None)
    assert dead_end not in infer(outline.tree, "paper").by_node()
    assert infer(outline.tree, "reference").by_node()[dead_end].value == 0.25
    outline.tree.apply(ev.Regraded(dead_end, False))
    assert infer(outline.tree, "paper").by_node()[dead_end].value == 0.25


def test_a_dead_end_whose_answer_nobody_looked_for_is_one_too() -> None:
    outline = Outline()
    outline.finish(outline.chain(0, 2)[-1], True)
    dead_end = outline.add(1)
    outline.tree.apply(ev.Judged(dead_end, "end", "dead_end"))
    assert dead_end not in infer(outline.tree, "paper").by_node()
    assert infer(outline.tree, "reference").by_node()[dead_end].wrong == (dead_end,)


def test_a_step_marked_right_is_no_answer() -> None:
    outline = Outline()
    outline.finish(outline.add(0), True)
    beside = outline.add(0)
    row = infer(supposing(outline.tree, [ev.Marked(beside, "right")])).by_node()[beside]
    assert (row.m, row.r, row.value) == (1, 0, 0.5)


def test_what_nobody_judged_is_pruned() -> None:
    outline = Outline()
    outline.finish(outline.add(0), None, "who knows")
    outline.finish(outline.add(0), None, "who else")
    for method in ("paper", "reference", "hard", "soft"):
        rewards = infer(outline.tree, method)
        assert rewards.rows == ()
        assert rewards.empty == "There is no finished solution whose answer was judged."
    outline.tree.apply(ev.Regraded(1, True))
    assert [row.node for row in infer(outline.tree).rows] == [0, 1]


def test_pruned_solutions_are_told_where_no_row_is_left() -> None:
    outline = Outline()
    outline.finish(outline.add(0), True)
    outline.finish(outline.add(0), True)
    outline.finish(outline.add(0), False, "no")
    tree = outline.tree
    for node, told in (
        (1, ""),
        (2, "The only finished solution is not correct; 2 are pruned."),
        (3, "No finished solution whose answer was judged is left: 3 are pruned."),
    ):
        tree.apply(ev.Pruned(node, True, []))
        assert infer(tree).empty == told
    tree.apply(ev.Pruned(3, False, []))
    tree.apply(ev.Pruned(1, False, []))
    assert infer(tree).empty == ""


def test_no_correct_leaf_gives_no_v_but_estimates() -> None:
    tree = supposing(example(), [ev.Regraded(3, False), ev.Regraded(7, False)])
    rewards = infer(supposing(tree, [ev.Marked(1, "right")]))
    assert rewards.empty == "None of the 4 finished solutions is correct."
    assert rewards.unused[0].reason == rewards.empty
    assert {row.value for row in infer(tree, "hard").rows} == {0.0}


def test_samples_with_the_same_steps_are_one_partial_solution() -> None:
    outline = Outline()
    for word, correct in (("yes", True), ("no", False), ("no", False)):
        outline.finish(outline.add(outline.add(0, "begin"), word), correct)
    tree = outline.tree
    rows = infer(tree, "soft").by_node()
    assert [rows[i].value for i in (1, 3, 5)] == [pytest.approx(1 / 3)] * 3
    assert [rows[i].same_as for i in (1, 3, 4, 5, 6)] == [None, 1, None, 1, 4]
    assert rows[3].right == (2,)
    assert rows[3].wrong == (4, 6)
    assert [row.node for row in targets(tree, infer(tree))] == [1, 2, 4]
    assert infer(tree).by_node()[6].value == pytest.approx(0.25)
    marked = infer(supposing(tree, [ev.Marked(5, "wrong")]), "hard").by_node()
    assert {marked[i].value for i in range(7)} == {0.0}
    assert (marked[1].mark, marked[2].why.wrong_by, marked[2].touched) == ("wrong", 5, True)


def test_rollouts_join_the_leaves() -> None:
    tree = example()
    ends = {8: [False, True, False, False], 10: [True]}
    hard, soft = (infer(tree, kind, rollouts=ends).by_node() for kind in ("hard", "soft"))
    assert [hard[i].value for i in (0, 8, 9, 10)] == [1, 1, 0, 1]
    assert [soft[i].value for i in (0, 8, 9, 10)] == [0.5, 0.25, 0, 1]
    assert soft[8].rollouts == (1, 4)
    assert "Roll-outs from here: 4, correct: 1." in soft[8].why.sentence
    alone = infer(tree, "soft", verdicts={}, rollouts=ends)
    assert [(row.node, row.value) for row in alone.rows] == [(8, 0.25), (10, 1.0)]
    wrong = supposing(tree, [ev.Marked(8, "wrong")])
    for kind in ("hard", "soft"):
        assert [infer(wrong, kind, rollouts=ends).by_node()[i].value for i in (8, 10)] == [0, 0]


def test_targets_leave_the_root_out_where_the_method_does() -> None:
    tree = example()
    for method, first in (("paper", 1), ("reference", 1), ("hard", 0), ("soft", 0)):
        made = targets(tree, infer(tree, method))
        assert made[0].node == first
        assert made[-1].steps == "step 8\nstep 9\n"


def test_a_preview_changes_nothing() -> None:
    tree = example()
    before = repr(vars(tree))
    shown = preview(tree, "paper", [flipped(tree, 9)])
    assert [change.node for change in shown.changes] == [0, 8, 9]
    assert shown.changes[0].fields == ("m",)
    assert shown.after.by_node()[9].value == 1.0
    assert repr(vars(tree)) == before
    appeared = preview(tree, "paper", [ev.Regraded(3, False), ev.Regraded(7, False)])
    assert all(change.after is None for change in appeared.changes)


def test_unknown_methods_and_nodes_are_named() -> None:
    with pytest.raises(ParameterError, match="no method 'nonsense'"):
        infer(example(), "nonsense")
    with pytest.raises(EventError, match="no node 99"):
        infer(example(), "soft", rollouts={99: [True]})


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (ev.Marked(99, "wrong"), "no node 99"),
        (ev.Marked(0, "wrong"), "The root holds no step"),
        (ev.Overruled(0, 0.5), "The root holds no step"),
        (ev.Overruled(1, 1.5), "takes a number from 0 to 1"),
        (ev.Overruled(1, float("nan")), "takes a number from 0 to 1"),
        (ev.Regraded(1, True), "no final answer was looked for"),
        (ev.Regraded(-1, None), "no node -1"),
    ],
)
def test_a_verdict_that_does_not_fit_is_refused(verdict: PersonsVerdict, reason: str) -> None:
    tree = example()
    before = repr(vars(tree))
    with pytest.raises(EventError, match=re.escape(reason)):
        tree.apply(verdict)
    assert repr(vars(tree)) == before


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"marked","node":1,"verdict":"maybe"}',
        b'{"kind":"marked","node":1.5,"verdict":"right"}',
        b'{"kind":"regraded","node":1,"correct":"yes"}',
        b'{"kind":"regraded","node":1}',
        b'{"kind":"overruled","node":1,"value":"0.5"}',
    ],
)
def test_a_verdict_of_the_wrong_form_is_not_read(body: bytes) -> None:
    with pytest.raises(EventError, match="cannot be read"):
        ev.decode(body)


def test_verdicts_are_taken_back() -> None:
    tree, plain = example(), infer(example())
    hostile = "'; DROP TABLE events; -- {0} %s <script>"
    for verdict in (ev.Marked(2, "wrong", hostile), ev.Overruled(1, 0.8), ev.Regraded(9, True)):
        tree.apply(ev.decode(ev.encode(verdict)))
    node = tree.node(2)
    assert (node.mark, node.mark_reason, tree.node(1).overruled) == ("wrong", hostile, 0.8)
    assert (tree.node(9).accepted, tree.node(9).correct) == (True, False)
    assert difference(plain, infer(tree))
    for verdict in (ev.Marked(2, "", "why not"), ev.Overruled(1, None), ev.Regraded(9, None)):
        tree.apply(verdict)
    assert (node.mark, node.mark_reason) == ("", "")
    assert infer(tree) == plain
