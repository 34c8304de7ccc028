"""Benchmarks whose rows need more than their fields' names: how they ask, and what counts as right.

A shape is recognised by the fields of a file. It makes of a row the question, with what the
benchmark says of the form of an answer, and the right answer in the words by which it is compared
(see `engine.tasks.grading`). Benchmarks whose fields say all (MATH, GSM8K, AIME) need no shape.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from engine.errors import TaskError
from engine.tasks.choices import WORD_FOR_WORD, same_words
from engine.tasks.grading import check_within
from engine.tasks.numerals import number_of

_OPTION_LINE = re.compile(r"^\(?([A-Z])[.):]\s+(\S.*)$", re.MULTILINE)

Texts = Mapping[str, Sequence[str]]
"""The texts of each field of a row: several where it holds a list, none where it is empty."""


class Posed(msgspec.Struct, frozen=True):
    """A question as it is asked, and the right answer, "" if there is none."""

    content: str
    answer: str


class Shape(msgspec.Struct, frozen=True):
    """How a benchmark's rows become questions.

    Attributes:
        name: of the benchmark.
        content, answer: the fields that hold them.
        others: fields that are read beside them.
        pose: the question of a row; raises TaskError where the row is none.
        id: the field of the id, "" for its usual name.
    """

    name: str
    content: str
    answer: str
    others: tuple[str, ...]
    pose: Callable[[Texts], Posed]
    id: str = ""


def _scibench(row: Texts) -> Posed:
    """SciBench: a number in a unit that the question names, right within 5 %."""
    unit = " ".join(_one(row, "unit").replace("$", "").split())
    number = " ".join(_one(row, "answer_number").replace("$", "").split())
    content = _one(row, "problem_text")
    if content and unit:
        stated_unit = "%" if unit in ("%", "\\%") else f"${unit}$"
        content += f"\n\nThe unit of the answer is {stated_unit}."
    stated = f"{number} {unit}".strip() + " within 5 %"
    # What is no number after all (a formula, "3 to 4") is compared as it stands.
    return Posed(content, stated if number and check_within(number, stated) else number)


def _scieval(row: Texts) -> Posed:
    """SciEval: several options, a judgement, or a blank to be filled in."""
    content = re.sub(r"\s*\bAnswer:\s*$", "", _one(row, "question")).strip()
    kind = _one(row, "type").lower()
    answers = [one for one in row.get("answer", ()) if one]
    if kind == "multiple-choice":
        letters = sorted({one.strip("(). ").upper() for one in answers})
        stated = f"option{'s' * (len(letters) > 1)} {', '.join(letters)}" if letters else ""
        if not all(re.fullmatch("[A-Z]", one) for one in letters):
            raise TaskError(f"'answer' is not the letter of an option: {', '.join(answers)[:60]!r}")
        if len(letters) == 1 and (text := _option_text(content, letters[0])):
            stated += f": {text}"
        return Posed(_asking(content, "Answer with the letter of the right option."), stated)
    if kind == "judge":
        return Posed(_asking(content, "Answer with yes, no or maybe."), ", ".join(answers))
    filled = ", ".join(answers)
    words = filled and number_of(filled) is None
    return Posed(content, filled + WORD_FOR_WORD * bool(words))


def _option_text(content: str, letter: str) -> str:
    """What a question says after the letter of an option, "" if nothing or the same of another."""
    texts: dict[str, str] = dict(_OPTION_LINE.findall(content))
    text = texts.get(letter, "").strip()
    return text if sum(same_words(text, one) for one in texts.values()) == 1 else ""


def _game_of_24(row: Texts) -> Posed:
    """Game of 24: four numbers, each of which must be used once."""
    numbers = re.findall(r"\d+", _one(row, "Puzzles"))
    if not numbers:
        raise TaskError("'Puzzles' names no numbers")
    listed = " ".join(numbers)
    return Posed(
        f"Use each of the numbers {listed} exactly once, with + - * / and brackets, to make 24. "
        "State the answer as one expression, such as (7 - 3) * (8 - 2).",
        f"24 from {listed}, each once",
    )


def _one(row: Texts, field: str) -> str:
    return next(iter(row.get(field, ())), "")


def _asking(content: str, form: str) -> str:
    return f"{content}\n\n{form}" if content else ""


_SHAPES = (
    Shape("SciBench", "problem_text", "answer_number", ("unit",), _scibench),
    Shape("SciEval", "question", "answer", ("type", "ability"), _scieval),
    Shape("Game of 24", "Puzzles", "Puzzles", ("Rank",), _game_of_24, "Rank"),
)


def shape_of(fields: Iterable[str]) -> Shape | None:
    """The benchmark that has all these fields, None if none is known that does."""
    there = set(fields)
    for shape in _SHAPES:
        if {shape.content, shape.answer, *shape.others} <= there:
            return shape
    return None
