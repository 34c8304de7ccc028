"""Votes of real searches whose solutions spell their answers in several ways, and ties."""

from collections.abc import Sequence
from functools import partial

import pytest

from engine.evaluation.budgets import outcomes
from engine.evaluation.contenders import contender
from engine.exports.labels import LabelledTree
from engine.models.base import Completion, PrefixRequest, ProposalRequest, Usage, Valuation
from engine.search.answers import AnswerGroup, answer_groups
from engine.search.driver import Limits, Search, create
from engine.search.mcts_star import REFERENCE
from engine.search.ties import tie
from engine.tasks.grading import grade
from engine.training.gathering import own_pairs
from engine.training.verdict import suspect
from engine.tree import Tree
from engine.verifiers.registry import Models, make_verifier
from engine.verifiers.traces import Trace, trace_of
from engine.verifiers.verifying import verify
from tests.engine.worlds import World, new_search, run


class Told(World):
    """The k-th sample says the k-th of some answers at once; the PRM gives each its value."""

    def __init__(self, answers: Sequence[str], values: Sequence[float] = ()) -> None:
        super().__init__(empty=0.0)
        self.answers = answers
        self.values = dict(zip(answers, values or [0.5] * len(answers), strict=True))

    def _propose(self, request: ProposalRequest) -> Completion:
        text = f"Answer: {self.answers[request.slot % len(self.answers)]}\n"
        return Completion(text, text, "", (1, 2), (-1.0, -1.0), Usage(2))

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        return [
            Valuation(self.values[r.steps[-1].removeprefix("Answer: ").strip()], Usage(1))
            for r in requests
        ]


def sampled(
    answers: Sequence[str], choice: str = "majority", values: Sequence[float] = (), gold: str = "1"
) -> Search:
    params: dict[str, object] = {"samples": len(answers), "final_choice": choice}
    first = create("What?", gold, "sampling", params, 0, "world", "world")
    search = Search([first], partial(grade, gold=gold))
    run(search, Limits(), Told(answers, values))
    return search


def answer_of(search: Search) -> str | None:
    return search.tree.node(search.tree.chosen or 0).answer


HALVES = ["3", "1/2", "3.0", "0.5", r"\frac{1}{2}"]


def test_half_is_one_answer_in_every_vote() -> None:
    assert answer_of(sampled(HALVES)) == "1/2"
    values = [0.5, 0.4, 0.5, 0.4, 0.4]
    assert answer_of(sampled(HALVES, "vote", values)) == "1/2", "1.2 against 1.0"
    assert answer_of(sampled(HALVES, "best", values)) == "3"


def test_a_group_tells_its_commonest_spelling_and_all_others() -> None:
    search = sampled(["0.5", "3", "1/2", "1/2"])
    first, second = search.algorithm.groups(search.tree, search.params)
    assert (first.answer, first.count, first.spellings) == ("1/2", 3, ("1/2", "0.5"))
    assert (second.answer, second.spellings) == ("3", ("3",))
    assert first.node == min(i for i in search.tree.ends if search.tree.node(i).answer != "3")


def test_beams_and_mcts_count_answers_too_and_the_reference_texts() -> None:
    slots = ["2", "2.0", "6/3", "5", "5", "9"]
    tuned = {"branch": 6, "roll_forward_steps": 0, "require_finished": True}
    ours = new_search(algorithm="mcts_star", **tuned)
    run(ours, Limits(iterations=1), Told(slots))
    reference = {**REFERENCE, **tuned, "final_choice": "vote"}
    theirs = new_search(algorithm="mcts_star", **reference)
    run(theirs, Limits(iterations=1), Told(slots))
    beam = new_search(algorithm="beam", width=6, branch=1, final_choice="vote")
    run(beam, Limits(), Told(slots))
    for search in (ours, beam):
        best = search.algorithm.groups(search.tree, search.params)[0]
        assert set(best.spellings) == {"2", "2.0", "6/3"}
        assert answer_of(search) in best.spellings
    groups = theirs.algorithm.groups(theirs.tree, theirs.params)
    assert [group.spellings for group in groups] == [("2",), ("2.0",), ("6/3",), ("5",), ("9",)]


def test_verifiers_count_answers() -> None:
    tree = sampled(HALVES).tree
    traces = [trace_of(tree, leaf) for leaf in tree.ends]
    found = verify(traces, make_verifier("self-consistency", Models()))
    assert found.scores == (0.4, 0.6, 0.4, 0.6, 0.6)
    assert found.chosen == 1
    weighed = [
        Trace("Q", ("s\n",), answer, (value,))
        for answer, value in zip(HALVES, (0.5, 0.4, 0.5, 0.4, 0.45), strict=True)
    ]
    voting = make_verifier("prm-last+sc", Models())
    assert verify(weighed, voting).chosen == 4, "the best of the heaviest answer"


def test_game_of_24_is_compared_by_text() -> None:
    search = sampled(["4*6", "4*6*1*1", "24", "6*4"], gold="24 from 4 6 1 1, each once")
    groups = search.algorithm.groups(search.tree, search.params)
    assert [group.correct for group in groups] == [False, True, False, False]
    assert {trace_of(search.tree, leaf).compared for leaf in search.tree.ends} == {"text"}


def test_evaluations_read_the_same_votes() -> None:
    search = sampled(HALVES, gold="0.5")
    found = outcomes(search.log, contender("majority"), [10**6])[0]
    assert (found.answer, found.right, found.tie) == ("1/2", True, "")
    assert sorted(found.answers) == [(2, False), (3, True)]
    level = outcomes(sampled(HALVES[:4]).log, contender("majority"), [10**6])[0]
    assert level.tie.startswith("3 and 1/2 are level at 50.0 %; 3 was taken")
    best = outcomes(sampled(HALVES[:4]).log, contender("best_of_n"), [10**6])[0]
    assert best.tie == "", "no vote, no tie"


def test_a_policy_agrees_with_itself_however_it_spells() -> None:
    tree = sampled(["1/2", "0.5", "3"]).tree
    pairs = own_pairs(tree, "s", 0.1, None)
    assert [(pair.better, pair.worse) for pair in pairs] == [(("Answer: 1/2\n",), ("Answer: 3\n",))]


def test_most_solutions_agree_on_another_answer_however_they_spell_it() -> None:
    tree = sampled(["1/2", "0.5", r"\frac{1}{2}", "2/4"], "vote", [0.9] * 4, gold="7").tree
    found = suspect(LabelledTree(tree, "paper"), "s")
    assert found is not None
    assert (found.found, found.share) == ("1/2", 1.0)


# Ties.


def test_level_answers_are_told_and_the_first_is_taken() -> None:
    search = sampled(["81", "91", "91.0", "81", "7"])
    groups = search.algorithm.groups(search.tree, search.params)
    found = tie(groups, answer_of(search))
    assert found is not None
    assert found.answers == ["81", "91"]
    assert found.share == pytest.approx(0.4)
    assert found.words == (
        "81 and 91 are level at 40.0 %; 81 was taken, the first in the search tree"
    )
    assert tie(groups, "7") is None, "a search that concluded otherwise"
    assert tie([], None) is None


def test_sums_that_differ_by_their_rounding_are_level() -> None:
    values = [0.3, 0.1, 0.2]
    search = sampled(["81", "91", "91.0"], "vote", values)
    assert 0.1 + 0.2 > 0.3
    assert answer_of(search) == "81", "the first, not the one that rounding favours"
    groups = search.algorithm.groups(search.tree, search.params)
    assert tie(groups, "81") is not None
    other = sampled(["81", "91", "91.0"], "vote", [0.3, 0.1, 0.2001])
    assert answer_of(other) in ("91", "91.0")
    assert tie(other.algorithm.groups(other.tree, other.params), "91") is None


def test_many_and_long_answers_are_told_in_short() -> None:
    groups = [AnswerGroup(f"{n}" * 90, 1, 1.0, n, n, None, (f"{n}" * 90,)) for n in range(1, 8)]
    found = tie(groups, groups[2].answer)
    assert found is not None
    assert found.answers[0] == groups[2].answer
    assert found.words.count("\u2026") == 4, "three, and the one that was taken again"
    assert "4 others are level at 14.3 %" in found.words


def test_no_share_is_told_where_votes_are_nothing_or_negative() -> None:
    for weight in (0.0, -0.5):
        groups = [AnswerGroup(a, 1, weight, 0, 0, None, (a,)) for a in ("1", "2")]
        found = tie(groups, "1")
        assert found is not None
        assert (found.share, "%" in found.words) == (None, False)


def test_a_log_is_folded_without_comparing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    search = sampled(HALVES)

    def refuse(*_: object) -> bool:
        raise AssertionError

    monkeypatch.setattr("engine.tasks.same.same_answer", refuse)
    tree = Tree.fold(search.log)
    assert (tree.chosen, tree.voted) == (search.tree.chosen, search.tree.voted)
    leaves = [tree.node(leaf) for leaf in tree.ends]
    assert len(answer_groups(leaves, by="text")) == 5
