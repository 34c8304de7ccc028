"""Saying that a vote had no single winner."""

from collections.abc import Sequence

import msgspec

from engine.search.answers import AnswerGroup
from engine.search.parameters import Parameters
from engine.tasks.same import level

_LONGEST, _NAMED = 40, 4


class Tie(msgspec.Struct, frozen=True):
    """Answers that share the first place of a vote.

    Attributes:
        answers: all of them, the one that was taken first.
        share: of all votes, that each of them has; None where votes can be negative or are none.
        words: that as a sentence without a full stop, and which one was taken.
    """

    answers: list[str]
    share: float | None
    words: str


def by_vote(params: Parameters) -> bool:
    """Whether an algorithm with these parameters lets its finished solutions vote."""
    return getattr(params, "final_choice", "best") != "best"


def tie(ordered: Sequence[AnswerGroup], answer: str | None) -> Tie | None:
    """What shares the first place with an answer that a vote has chosen; None if nothing does.

    Args:
        ordered: all answers, as `engine.search.answers.answer_groups` gives them.
        answer: as the solution spells it that was taken.
    """
    first = [group for group in ordered if level(group.weight, ordered[0].weight)]
    taken = next((group for group in first if answer in group.spellings), None)
    if taken is None or len(first) < 2:
        return None
    answers = [taken.answer, *(group.answer for group in first if group is not taken)]
    whole = sum(group.weight for group in ordered)
    share = None
    if whole > 0 and all(group.weight >= 0 for group in ordered):
        share = taken.weight / whole
    return Tie(answers, share, _words(answers, share))


def _words(answers: Sequence[str], share: float | None) -> str:
    lines = [" ".join(answer.split()) for answer in answers]
    named = [one if len(one) <= _LONGEST else f"{one[: _LONGEST - 1]}\u2026" for one in lines]
    if len(named) > _NAMED:
        named = [*named[: _NAMED - 1], f"{len(named) - _NAMED + 1} others"]
    are = f"{', '.join(named[:-1])} and {named[-1]} are level"
    at = "" if share is None else f" at {100 * share:.1f} %"
    return f"{are}{at}; {named[0]} was taken, the first in the search tree"
