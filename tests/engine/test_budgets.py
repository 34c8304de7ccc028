"""What a search would have answered within fewer tokens is what it answers when held to them."""

import itertools
import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ParameterError
from engine.evaluation.budgets import outcomes
from engine.evaluation.chances import majority_at_k, pass_at_k
from engine.evaluation.contenders import CONTENDERS, contender
from engine.models.base import PrefixRequest, Summary
from engine.search.driver import Limits, Search
from tests.engine.worlds import World, new_search, run

ANYTIME = [one for one in CONTENDERS.values() if one.kind == "anytime"]
BUDGETS = [1, 60, 120, 400]


def searched(name: str, tokens: int, seed: int) -> Search:
    one = contender(name)
    search = new_search(algorithm=one.algorithm, seed=seed, **one.params)
    run(search, Limits(iterations=400, tokens=tokens), World(empty=0.05))
    return search


@pytest.mark.parametrize("name", [one.name for one in ANYTIME])
def test_a_cut_is_what_a_smaller_budget_gives(name: str) -> None:
    method = contender(name)
    for seed in range(12):
        whole = outcomes(searched(name, BUDGETS[-1], seed).log, method, BUDGETS)
        for budget, cut in zip(BUDGETS, whole, strict=True):
            own = searched(name, budget, seed)
            alone = outcomes(own.log, method, [budget])[0]
            assert (cut.answer, cut.right, cut.policy_tokens, cut.iterations) == (
                alone.answer,
                alone.right,
                alone.policy_tokens,
                alone.iterations,
            )
            assert cut.policy_tokens <= budget


class Talker(World):
    """Reads an answer in words, which are tokens of the policy; one reply in three is no step."""

    def __init__(self) -> None:
        super().__init__(empty=0.3)

    def summarise(self, requests: Sequence[PrefixRequest]) -> list[Summary]:
        plain = super().summarise(requests)
        return [msgspec.structs.replace(reply, tokens=tuple(range(11))) for reply in plain]


ONE_EACH = {one.algorithm: one.name for one in CONTENDERS.values()}.values()


@pytest.mark.parametrize("name", ONE_EACH)
def test_reading_answers_in_words_is_paid_for(name: str) -> None:
    method = contender(name)
    params = method.at(300, 40.0)
    params = {**params, "attempts": 1}  # dead ends, whose answers are read at the very end
    read_less = False
    for seed, tokens in itertools.product(range(3), (60, 250)):
        search = new_search(algorithm=method.algorithm, seed=seed, **params)
        run(search, Limits(iterations=200, tokens=tokens), Talker())
        assert search.tree.cost.policy_generated <= tokens
        read_less |= any(not search.tree.node(i).answered for i in search.tree.ends)
        cut = outcomes(search.log, method, [tokens])[0]
        assert cut.policy_tokens == search.tree.cost.policy_generated
        free = new_search(algorithm=method.algorithm, seed=seed, **params)
        run(free, Limits(iterations=200), Talker())
        assert outcomes(free.log, method, [tokens])[0].policy_tokens <= tokens
    if method.kind == "samples":
        assert read_less, "some answers were too dear"


def test_readings_of_samples_are_those_of_the_search_itself() -> None:
    search = searched("majority", 600, 1)
    tree = search.tree
    majority = outcomes(search.log, contender("majority"), [600])[0]
    equal = {a: n for a, n in _counts(search).items() if n == max(_counts(search).values())}
    assert majority.answer in equal
    best = outcomes(search.log, contender("best_of_n_last"), [600])[0]
    values = {i: tree.node(i).prm_value or 0.0 for i in tree.ends if tree.node(i).answer}
    assert best.answer == tree.node(max(values, key=lambda i: values[i])).answer
    assert majority.samples == len(values)


def _counts(search: Search) -> dict[str, int]:
    found: dict[str, int] = {}
    for leaf in search.tree.ends:
        answer = search.tree.node(leaf).answer
        if answer is not None:
            found[answer] = found.get(answer, 0) + 1
    return found


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 9), st.data())
def test_pass_at_k_is_the_mean_over_all_choices(samples: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, samples))
    k = data.draw(st.integers(1, samples))
    outcomes_of = [1] * right + [0] * (samples - right)
    choices = list(itertools.combinations(outcomes_of, k))
    assert math.isclose(
        pass_at_k(samples, right, k), sum(any(choice) for choice in choices) / len(choices)
    )


def _majority_of_every_choice(answers: list[tuple[int, bool]], silent: int, k: int) -> float:
    samples = [answer for answer, (n, _) in enumerate(answers) for _ in range(n)] + [-1] * silent
    shares = []
    for choice in itertools.combinations(samples, k):
        votes = {answer: choice.count(answer) for answer in choice if answer >= 0}
        first = [answer for answer, n in votes.items() if n == max(votes.values())]
        shares.append(sum(answers[answer][1] for answer in first) / max(1, len(first)))
    return sum(shares) / len(shares)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=4),
    st.integers(0, 3),
    st.data(),
)
def test_majority_at_k_is_the_mean_over_all_choices(
    answers: list[tuple[int, bool]], silent: int, data: st.DataObject
) -> None:
    count = sum(n for n, _ in answers) + silent
    k = data.draw(st.integers(1, count))
    told = majority_at_k(count, answers, k)
    exact = _majority_of_every_choice(answers, silent, k)
    assert math.isclose(told, exact, rel_tol=1e-12, abs_tol=1e-12)


def test_majority_at_5_of_7_is_exact() -> None:
    answers = [(3, True), (3, False), (1, False)]
    assert majority_at_k(7, answers, 5) == pytest.approx(0.5, abs=1e-12), "21 subsets"
    assert majority_at_k(7, [(3, True), (2, False), (2, False)], 5) == pytest.approx(
        _majority_of_every_choice([(3, True), (2, False), (2, False)], 0, 5), abs=1e-12
    )


def test_majority_at_k_of_many_samples_is_counted_too() -> None:
    even = [(8, place % 2 == 0) for place in range(32)]
    assert majority_at_k(256, even, 256) == pytest.approx(0.5, abs=1e-12)
    assert majority_at_k(1024, [(512, True), (512, False)], 128) == pytest.approx(0.5, abs=1e-12)
    assert majority_at_k(1024, [(700, True), (324, False)], 500) == pytest.approx(1.0, abs=1e-6)


def test_pass_at_more_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="5 samples"):
        pass_at_k(5, 1, 6)


def test_a_width_grows_with_the_budget_and_an_unknown_method_is_named() -> None:
    beam = contender("beam:branch=4")
    assert beam.at(800, 50.0) == {"branch": 4, "width": 4}
    # A budget of three solutions holds no beam of four: fewer children of one.
    assert beam.at(150, 50.0) == {"branch": 3, "width": 1}
    assert beam.at(10, 50.0) == {"branch": 1, "width": 1}
    assert contender("lookahead").at(1200, 50.0)["width"] == 2
    with pytest.raises(ParameterError, match="majority"):
        contender("magic")


def test_a_method_can_be_compared_with_itself_at_other_parameters() -> None:
    wide = contender("beam:branch=2")
    assert (wide.name, wide.title) == ("beam:branch=2", "Step beam (branch 2)")
    assert wide.at(800, 50.0) == {"branch": 2, "width": 8}
    assert contender("rebase:price=0.25:balance=0.2").at(800, 50.0) == {"balance": 0.2, "width": 64}
    assert contender("mcts_star:final_choice=best").params["final_choice"] == "best"
    for wrong, words in (
        ("majority:samples=4", "takes no parameters"),
        ("beam:width=3", "follows from the budget"),
        ("mcts_star:sampling=3", "the same for all"),
        ("beam:branch=0", "branch"),
        ("beam:colour=red", "colour"),
        ("beam:price=0", "more than 0"),
        ("mcts_star:price=2", "price"),
    ):
        with pytest.raises(ParameterError, match=words):
            contender(wrong)
