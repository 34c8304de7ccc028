r"""Which answers are the same one, so that votes count answers and not spellings.

Two answers are the same if the grading calls each right where the other is the right answer:
1/2, 0.5 and \frac{1}{2}. Among answers as people write them this is not quite transitive: "18" is
"18 dollars" and "18 eggs", and "50 %" is "50" and "0.5". So groups are made in three steps, none of
which depends on the order of the answers or on how they are spelled:

1. Answers that none of the others tells apart are one answer. Where the equality is transitive, and
   that is nearly always, these are the groups.
2. Those that equal the fewest others come first: they say most.
3. One that equals several groups goes with the one that more solutions give, and stays by itself
   where these are level. It only joins a group all of whose answers it equals.

So every two answers of a group are the same one for the grading. Right answers are not asked: a
vote knows none.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import Literal, TypeVar

from engine.tasks.grading import check_countdown, same_answer
from engine.tasks.numerals import number_of
from engine.tasks.sketches import Sketch, comparable, sketch

_Any = TypeVar("_Any")

Comparison = Literal["value", "text"]
"""How answers are compared: as the grading does, or letter by letter as the reference does."""

MOST_ASKED = 5_000
"""Comparisons of two numbers in one set of answers; one that may need algebra counts as `_DEAR` of
them. Likely ones come first, and those of the commonest answers; what is left counts as different.
"""

_DEAR = 25

_HOPELESS, _MOST_UNDECIDED = 2, 4
"""Undecided comparisons, which take seconds each, after which an answer takes part in no more of
them, and after which a set of answers has no more of them.
"""


def comparison_for(gold: str | None) -> Comparison:
    """How the answers to a problem are compared.

    Where the right answer is any expression that makes a number from given ones, expressions of
    one value may be right and wrong: there the text decides.
    """
    return "text" if gold is not None and check_countdown("", gold) is not None else "value"


def groups(answers: Sequence[str], by: Comparison = "value") -> list[list[int]]:
    """The indices of the answers, those of the same answer together.

    Groups are in order of their first answer, and indices rise. There are never more groups than
    different texts, and equal texts are always together.
    """
    number: dict[str, int] = {}
    if by == "value":
        number = _numbered(tuple(sorted(Counter(answers).items())))
    found: dict[int | str, list[int]] = {}
    for index, answer in enumerate(answers):
        found.setdefault(number.get(answer, answer), []).append(index)
    return list(found.values())


def same_or_none(one: str | None, other: str | None, by: Comparison = "value") -> bool:
    """Whether two answers are the same one, or there is neither."""
    if one is None or other is None:
        return one is other
    return len(groups([one, other], by)) == 1


def spellings(answers: Sequence[str]) -> list[str]:
    """The different texts, the commonest first; of equally common ones the first."""
    return [text for text, _ in Counter(answers).most_common()]


def level(one: float, other: float) -> bool:
    """Whether two answers have equally much weight.

    Counts are compared exactly. Sums of values are level if they differ by less than a billionth
    of them, which is what the order of adding up may change.
    """
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def heaviest_first(found: Sequence[_Any], weight: Callable[[_Any], float]) -> list[_Any]:
    """Answers in order of their weights; those that share the first place keep their order."""
    ordered = sorted(found, key=lambda one: -weight(one))
    first = [one for one in found if level(weight(one), weight(ordered[0]))]
    places = {id(one) for one in first}
    return first + [one for one in ordered if id(one) not in places]


class _Spelled:
    """One or several texts that are the same answer at a glance.

    Attributes:
        text: the commonest of them, which speaks for all.
        count: solutions that give one of them.
        looks: of its text.
    """

    def __init__(self, texts: list[tuple[str, int]]) -> None:
        self.text = min(texts, key=lambda one: (-one[1], one[0]))[0]
        self.count = sum(count for _, count in texts)
        self.looks: Sketch = sketch(self.text)


@lru_cache(maxsize=1024)
def _numbered(counts: tuple[tuple[str, int], ...]) -> dict[str, int]:
    """The number of each text's group. counts: how often each different text is given, by text."""
    texts: dict[object, list[tuple[str, int]]] = {}
    for text, count in counts:
        exact = sketch(text).exact
        texts.setdefault(" ".join(text.split()) if exact is None else exact, []).append(
            (text, count)
        )
    if len(texts) == 1:
        return dict.fromkeys((text for text, _ in counts), 0)
    spelled = [(_Spelled(those), those) for those in texts.values()]
    spelled.sort(key=lambda one: (-one[0].count, one[0].text))
    members = [one for one, _ in spelled]
    found = dict[str, int]()
    for number, group in enumerate(_cliques(members, _equal(members))):
        for one in group:
            found |= {text: number for text, _ in spelled[one][1]}
    return found


def _equal(members: Sequence[_Spelled]) -> list[set[int]]:
    """Of each the indices of those that it equals, itself included."""
    equal = [{index} for index in range(len(members))]
    undecided: Counter[int] = Counter()
    left = MOST_ASKED
    for one, other in _candidates(members):
        first, second = members[one], members[other]
        if not _cheap(first, second):
            tried = max(undecided[one], undecided[other]) >= _HOPELESS
            if tried or left < _DEAR or undecided.total() >= 2 * _MOST_UNDECIDED:
                continue
            left -= _DEAR - 1
        if not left:
            break
        left -= 1
        same = same_answer(first.text, second.text)
        if same is None:
            undecided.update((one, other))
        elif same:
            equal[one].add(other)
            equal[other].add(one)
    return equal


def _candidates(members: Sequence[_Spelled]) -> list[tuple[int, int]]:
    """Pairs that may be the same: those of one value first, then by how common they are."""
    marked: dict[str, list[int]] = {}
    around: dict[str, list[int]] = {}
    pairs = set[tuple[int, int]]()
    for index, one in enumerate(members):
        for mark in one.looks.marks:
            marked.setdefault(mark, []).append(index)
        if one.looks.kind == "quantity":
            around.setdefault(one.looks.around, []).append(index)
        elif one.looks.kind in ("open", "words"):
            pairs.update((min(index, i), max(index, i)) for i in range(len(members)) if i != index)
    for those in marked.values():
        pairs.update(combinations(those, 2))
    for these, those in combinations(around.values(), 2):
        pairs.update((min(i, j), max(i, j)) for i, j in product(these, those))
    looks = [one.looks for one in members]
    likely = [pair for pair in pairs if comparable(looks[pair[0]], looks[pair[1]])]
    return sorted(
        likely, key=lambda one: (looks[one[0]].marks.isdisjoint(looks[one[1]].marks), one)
    )


def _cheap(one: _Spelled, other: _Spelled) -> bool:
    """Whether both are numbers, which are compared at once, exactly."""
    return number_of(one.text) is not None and number_of(other.text) is not None


def _cliques(members: Sequence[_Spelled], equal: Sequence[set[int]]) -> list[list[int]]:
    """Groups of which every two are equal; see the head of this module."""
    twins: dict[frozenset[int], list[int]] = {}
    for index, near in enumerate(equal):
        twins.setdefault(frozenset(near), []).append(index)
    kind = {index: number for number, those in enumerate(twins.values()) for index in those}
    classes = sorted(
        twins.items(),
        key=lambda one: (len({kind[i] for i in one[0]}), -_count(members, one[1]), one[1][0]),
    )
    made: list[list[int]] = []
    for neighbours, those in classes:
        fitting = [group for group in made if neighbours.issuperset(group)]
        most = max((_count(members, group) for group in fitting), default=0)
        largest = [group for group in fitting if _count(members, group) == most]
        if len(largest) == 1:
            largest[0].extend(those)
        else:
            made.append(those)
    return made


def _count(members: Sequence[_Spelled], group: Sequence[int]) -> int:
    return sum(members[index].count for index in group)
