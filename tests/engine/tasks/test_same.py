"""Which answers are the same one, as tables and as properties of every set of answers."""

import itertools
from fractions import Fraction
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.tasks import same
from engine.tasks.grading import grade, same_answer
from engine.tasks.same import comparison_for, groups, heaviest_first, same_or_none, spellings
from engine.tasks.sketches import comparable, sketch

SPELLED: tuple[tuple[str, ...], ...] = (
    ("1/2", "0.5", r"\frac{1}{2}", r"$\frac{1}{2}$", "0.50", r"\dfrac{1}{2}"),
    ("1234", "1,234", "1234.0", "1{,}234"),
    ("-3", "-3.0", "\u22123", r"\(-3\)"),
    ("18 dollars", "18.0 dollars", r"18 \text{ dollars}"),
    ("Tuesday", "tuesday", r"\text{Tuesday}"),
    (r"\frac{\sqrt{3}}{2}", r"\sqrt{3}/2"),
    ("(1, 2)", "(1,2)", r"\left(1, 2\right)"),
    ("x^2+2x+1", "(x+1)^2"),
    ("7",),
    ("no solution",),
    (r"[0, \infty)", r"[0,\infty)"),
)
"""Ways to spell answers that all differ from each other."""

SOME = st.sampled_from([text for texts in SPELLED for text in texts])
ODD = st.sampled_from(
    ["50 %", "50", "0.5", r"50\%", "18", "18 eggs", "18 dollars", "$18", "", "B", "(B)", "5 m"]
) | st.sampled_from(
    ["5 cm", "5", "1,234", "(1,234)", "0x", "x=5", "x", "\\frac", "(1, 234)", "0", "\u00b5"]
)


def parted(answers: list[str]) -> set[frozenset[str]]:
    return {frozenset(answers[i] for i in group) for group in groups(answers)}


def test_answers_are_the_same_however_they_are_spelled() -> None:
    answers = [text for texts in SPELLED for text in texts]
    assert parted(answers) == {frozenset(texts) for texts in SPELLED}


@pytest.mark.parametrize(
    ("answers", "parts"),
    [
        ("50 %|50|0.5", "50 %;50;0.5"),  # level: it stays by itself
        ("50 %|50|50|0.5", "50 % & 50;0.5"),
        (r"50 %|50|0.5|\frac{1}{2}", r"50 % & 0.5 & \frac{1}{2};50"),
        (r"50\%|50", r"50\% & 50"),
        ("18|18 dollars", "18 & 18 dollars"),
        ("18|18 dollars|18 eggs", "18;18 dollars;18 eggs"),
        ("18|18 dollars|18.0 dollars|18 eggs", "18 & 18 dollars & 18.0 dollars;18 eggs"),
        ("B|(B)|C", "B & (B);C"),
        (r"\frac{1}{3}|0.333", r"\frac{1}{3};0.333"),
        ("2.0000000000000001|2", "2.0000000000000001;2"),
        ("10000000000000000000001|10000000000000000000002|1e22",
         "10000000000000000000001;10000000000000000000002;1e22"),
        ("yes|no", "yes;no"),
        (r"1\!234|1234", r"1\!234 & 1234"),
        (r"[0, \infty)|[0, 1)|7", r"[0, \infty);[0, 1);7"),
        ("4*6|24", "4*6 & 24"),
    ],
)  # fmt: skip
def test_a_set_of_answers(answers: str, parts: str) -> None:
    assert parted(answers.split("|")) == {frozenset(part.split(" & ")) for part in parts.split(";")}


@settings(max_examples=150, deadline=None)
@given(st.lists(SOME | ODD, max_size=12), st.randoms())
@example(["18", "18 dollars", "18 eggs", "18 dollars"], None)
def test_groups_part_the_answers_and_their_order_changes_nothing(
    answers: list[str], random: Random | None
) -> None:
    found = groups(answers)
    assert sorted(i for group in found for i in group) == list(range(len(answers)))
    assert all(group == sorted(group) for group in found)
    assert [group[0] for group in found] == sorted(group[0] for group in found)
    assert len(found) <= len(set(answers))
    for text in set(answers):
        assert sum(text in {answers[i] for i in group} for group in found) == 1
    other = list(answers)
    if random is not None:
        random.shuffle(other)
    assert parted(answers) == parted(other)


@settings(max_examples=100, deadline=None)
@given(st.lists(SOME | ODD, max_size=9))
def test_every_two_answers_of_a_group_are_the_same_for_the_grading(answers: list[str]) -> None:
    for group in parted(answers):
        for one, other in itertools.combinations(sorted(group), 2):
            alike = " ".join(one.split()) == " ".join(other.split())
            assert alike or same_answer(one, other) is True


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(range(len(SPELLED))), min_size=1, max_size=12),
    st.data(),
)
def test_votes_with_respelled_answers_have_the_same_outcome(
    meant: list[int], data: st.DataObject
) -> None:
    plain = [SPELLED[one][0] for one in meant]
    respelled = [data.draw(st.sampled_from(SPELLED[one])) for one in meant]
    assert groups(respelled) == groups(plain) == groups([str(one) for one in meant], "text")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.fractions(max_denominator=50), max_size=30), st.data())
def test_numbers_are_the_same_if_they_are_equal(
    values: list[Fraction], data: st.DataObject
) -> None:
    def spelled(value: Fraction) -> str:
        over, under = abs(value.numerator), value.denominator
        sign = "-" if value < 0 else ""
        ways = [f"{sign}{over}/{under}", rf"{sign}\frac{{{over}}}{{{under}}}"]
        if under == 1:
            ways += [f"{sign}{over}", f"{sign}{over}.0", f"{sign}{over:,}"]
        return data.draw(st.sampled_from(ways))

    told = groups([spelled(value) for value in values])
    assert told == groups([str(value) for value in values], "text")


@settings(max_examples=200, deadline=None)
@given(SOME | ODD, SOME | ODD)
def test_a_glance_rules_out_no_answer_that_is_the_same(one: str, other: str) -> None:
    if same_answer(one, other):
        assert comparable(sketch(one), sketch(other))


def test_few_comparisons_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def counting(one: str, other: str) -> bool | None:
        asked.append((one, other))
        return same_answer(one, other)

    monkeypatch.setattr(same, "same_answer", counting)
    same._numbered.cache_clear()
    groups([str(n) for n in range(1000)] + [f"{n}.0" for n in range(1000)])
    groups([rf"\frac{{\sqrt{{{n}}}}}{{2}}" for n in range(2, 300)])
    groups([f"{n} dollars" for n in range(500)])
    groups([f"He needs {n} apples and then walks to the shop" for n in range(101, 160)])
    assert asked == []
    groups([*map(str, range(50)), r"\frac{\sqrt{36}}{2}", "3.0"])
    assert len(asked) == 1, "only the number that it may be"


def test_what_cannot_be_decided_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def undecided(one: str, other: str) -> bool | None:
        asked.append((one, other))
        return None

    monkeypatch.setattr(same, "same_answer", undecided)
    same._numbered.cache_clear()
    hostile = [rf"\prod_{{i=0}}^{{{n}}} f(i)" for n in range(60)]
    assert len(groups(hostile)) == 60
    assert len(asked) <= 4
    monkeypatch.undo()
    same._numbered.cache_clear()


def test_expressions_that_make_a_number_are_compared_by_text() -> None:
    assert comparison_for("24 from 4 6 1 1, each once") == "text"
    assert comparison_for("24") == comparison_for(None) == "value"
    answers = ["4*6*1*1", "4*6", "24"]
    assert len(groups(answers, comparison_for("24 from 4 6 1 1"))) == 3
    assert [grade(one, "24 from 4 6 1 1, each once") for one in answers] == [True, False, False]


def test_the_commonest_spelling_is_shown_and_the_first_of_equals() -> None:
    assert spellings(["0.5", "1/2", "1/2", "0.50"]) == ["1/2", "0.5", "0.50"]
    assert spellings(["0.5", "1/2"])[0] == "0.5"
    assert same_or_none("1/2", "0.5")
    assert same_or_none(None, None)
    assert not same_or_none(None, "0.5")


def test_level_weights_keep_the_order_of_their_answers() -> None:
    sums = [0.3, 0.1 + 0.2, 0.2, 0.1 + 0.2 + 1e-3]
    assert 0.1 + 0.2 > 0.3
    assert heaviest_first([0, 1, 2], lambda k: sums[k]) == [0, 1, 2]
    assert heaviest_first([0, 1, 2, 3], lambda k: sums[k]) == [3, 1, 0, 2]
    assert heaviest_first([], float) == []
