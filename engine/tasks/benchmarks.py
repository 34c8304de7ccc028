"""What the fields of a dataset mean: the question, its options, the right answer and how near to it
is right.

Most files say so by their fields' names; those that need more are benchmarks in a table of shapes,
known by the fields that they have. The right answer is stated in the words by which it is compared
(see `engine.tasks.grading`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import msgspec

from engine.errors import TaskError
from engine.tasks import options
from engine.tasks.cells import found_names, same_name
from engine.tasks.choices import WORD_FOR_WORD, same_words
from engine.tasks.final_answer import extract_answer
from engine.tasks.measures import answered_measure
from engine.tasks.numerals import number_of
from engine.tasks.questions import NUMBERS, STORIES, image_fields

USUAL = {
    "content": (
        *("question.stem", "question.problem", "content", "question", "problem", "prompt"),
        *("question_stem", "question_text", "problem_text", "instruction", "input", "query"),
    ),
    "answer": (
        *("answer", "final_answer", "answer_key", "correct", "correct_answer", "correct_option"),
        *("expected_answer", "reference_answer", "ground_truth", "question.ground_truth_answer"),
        *("solution", "gold", "target", "output", "label"),
    ),
    "options": options.FIELDS,
    "unit": (),
    "tolerance": (),
    "id": ("id", "unique_id", "problem_id", "question_id", "record_id"),
}
"""What a problem has, and what the fields with it are called in datasets, whatever their letter
case and strokes. Of the question the first that is there is taken, of the answer the first that is
filled; a unit and a tolerance are read where a benchmark or `--field` names them."""

_OPTION_LINE = re.compile(r"^\(?([A-Z])[.):]\s+(\S.*)$", re.MULTILINE)

_LONGEST_UNIT = 120

Texts = Mapping[str, Sequence[str]]
"""The texts of each field of a row: several where it holds a list, none where it is empty."""


class Posed(msgspec.Struct, frozen=True):
    """A question as it is asked, and the right answer, "" if there is none."""

    content: str
    answer: str


Pose = Callable[[str, Sequence[str], Texts], Posed | None]
"""(question, right answers, other fields) -> what is asked, None where nothing special is; raises
TaskError where the row is no problem."""


class Shape(msgspec.Struct, frozen=True):
    """What the fields of a dataset are; before it is resolved, by any of their usual names.

    Attributes:
        name: of the benchmark, "" for none.
        known_by: the fields by which it is known, all of them.
        alone: whether it is known by having no other fields.
        content: fields that are joined to the question; the usual ones if empty.
        answer: fields of the right answer, of which the first that is filled counts.
        options: one field with all options, or several with one each.
        wrong: fields with what is wrong, where the right answer is an option among these.
        unit: field of the answer's unit.
        tolerance: field of how near is right, or that itself: "5 %", "0.1".
        id: field of the id.
        others: fields that `pose` reads.
        pose: the question and answer of a row, where that is not said by the rest.
        numbers: field with numbers for placeholders.
        images: fields with images.
    """

    name: str = ""
    known_by: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    answer: tuple[str, ...] = USUAL["answer"]
    options: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    unit: str = ""
    tolerance: str = ""
    id: str = ""
    others: tuple[str, ...] = ()
    pose: Pose | None = None
    numbers: str = ""
    images: tuple[str, ...] = ()
    alone: bool = False


def _scieval(content: str, answers: Sequence[str], others: Texts) -> Posed | None:
    """SciEval: several options, a judgement, or a blank to be filled in."""
    kind = _one(others, "type").lower()
    if kind not in ("multiple-choice", "judge", "filling"):
        return None
    content = re.sub(r"\s*\bAnswer:\s*$", "", content).strip()
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


def _game_of_24(content: str, answers: Sequence[str], others: Texts) -> Posed:
    """Game of 24: four numbers, each of which must be used once."""
    numbers = re.findall(r"\d+", content)
    if not numbers:
        raise TaskError("'Puzzles' names no numbers")
    listed = " ".join(numbers)
    return Posed(
        f"Use each of the numbers {listed} exactly once, with + - * / and brackets, to make 24. "
        "State the answer as one expression, such as (7 - 3) * (8 - 2).",
        f"24 from {listed}, each once",
    )


def _scibench_in_a_text(content: str, answers: Sequence[str], others: Texts) -> Posed | None:
    """SciBench as ReST-MCTS* publishes it: the question ends with the unit of its answer."""
    _, says, unit = content.rpartition("The unit of the answer should be")
    if not says or len(unit) > _LONGEST_UNIT or len(answers) != 1:
        return None
    return Posed(content, near(answers[0], unit.strip(" .\n"), "5 %"))


def _olympiadbench(content: str, answers: Sequence[str], others: Texts) -> Posed | None:
    """OlympiadBench: several answers, each in its formula, or all in one."""
    parts = [part for one in answers for part in _parts(one.replace("$", ""))]
    if len(parts) < 2:
        return None
    if others.get("error"):
        raise TaskError("it has a tolerance for several answers, which cannot be compared")
    return Posed(content, ", ".join(parts))


def _parts(text: str) -> list[str]:
    """What commas outside of brackets divide."""
    found, depth, start = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            found.append(text[start:place].strip())
            start = place + 1
    return [part for part in [*found, text[start:].strip()] if part]


def _theoremqa(content: str, answers: Sequence[str], others: Texts) -> Posed | None:
    """TheoremQA: what the kind of an answer says of it; decimals are right within 4 %."""
    kind = _one(others, "answer_type").lower()
    answer = ", ".join(answers)
    if kind.startswith("list"):
        return Posed(content, ", ".join(re.split(r"\s*,\s*", answer.strip("[] "))))
    if kind == "option":
        letter = answer.strip("() .").upper()
        if not re.fullmatch("[A-Z]", letter):
            raise TaskError(f"'Answer' is not the letter of an option: {answer[:60]!r}")
        return Posed(content, options.named_in(content, letter) or f"option {letter}")
    if kind == "bool":
        return Posed(content, {"1": "True", "0": "False"}.get(answer, answer))
    return Posed(content, near(answer, "", "4 %") if kind == "float" else answer)


def _asdiv(content: str, answers: Sequence[str], others: Texts) -> Posed | None:
    """ASDiv: "9 (apples)" says what was counted, not what is to be answered."""
    parts = [re.sub(r"\s*\([^()]*\)\s*$", "", one) for one in ";".join(answers).split(";")]
    return Posed(content, ", ".join(part.strip() for part in parts if part.strip()))


def _choice_answer(content: str, answers: Sequence[str], others: Texts) -> Posed | None:
    """Chinese examinations: the letter beside the answer, and the options in the question."""
    letter = _one(others, "choice_answer")
    if not letter:
        return None
    stated = options.named_in(content, letter)
    if not stated and not re.fullmatch("[A-Z]", letter):
        raise TaskError(f"'choice_answer' is no letter of an option: {letter[:40]!r}")
    return Posed(content, stated or f"option {letter}")


def _math_shepherd(content: str, answers: Sequence[str], others: Texts) -> Posed | None:
    """Math-Shepherd: a solution whose steps are marked, right if the last one is."""
    marked = answers[0] if answers else ""
    question = re.split(r"\s*\bStep 1:", content, maxsplit=1)[0].strip()
    if question == content or not re.search(r"[+-]\s*$", marked):
        return None
    if marked.rstrip().endswith("-"):
        raise TaskError("its solution is marked as wrong, and it has no other answer")
    return Posed(question, extract_answer(marked.rstrip(" \n+")) or "")


def _one(row: Texts, field: str) -> str:
    return next(iter(row.get(same_name(field), ())), "")


def _asking(content: str, form: str) -> str:
    return f"{content}\n\n{form}" if content else ""


_NO_LABEL = tuple(name for name in USUAL["answer"] if name != "label")

SHAPES = (
    Shape("SciBench", ("problem_text", "answer_number", "unit"), ("problem_text",),
          ("answer_number",), unit="unit", tolerance="5 %", id="problemid"),
    Shape("", ("content", "answer"), alone=True, pose=_scibench_in_a_text),
    Shape("SciEval", ("answer", "type", "ability"), others=("type",), pose=_scieval),
    Shape("SciEval", ("content", "answer", "type"), others=("type",), alone=True, pose=_scieval),
    Shape("Game of 24", ("Puzzles", "Rank"), ("Puzzles",), (), id="Rank", pose=_game_of_24),
    Shape("TheoremQA", ("question", "answer", "answer_type"), ("question",), ("answer",),
          others=("answer_type",), pose=_theoremqa),
    Shape("OlympiadBench", ("question", "final_answer", "is_multiple_answer"),
          ("context", "question"), ("final_answer",), unit="unit", tolerance="error",
          others=("error",), pose=_olympiadbench),
    Shape("PRM800K", ("question.problem", "label"), answer=("question.ground_truth_answer",)),
    Shape("ASDiv", ("body", "question", "answer", "formula"), ("body", "question"), ("answer",),
          pose=_asdiv),
    Shape("GAOKAO", ("question", "answer", "choice_answer"), ("question",), ("answer",),
          others=("choice_answer",), pose=_choice_answer),
    Shape("ProcessBench", ("steps", "label"), answer=_NO_LABEL),
    Shape("Math-Shepherd", ("input", "label", "task"), ("input",), ("label",),
          pose=_math_shepherd),
    Shape("ReClor", ("context", "question", "answers", "label"), ("context", "question"),
          ("label",), options=("answers",)),
)  # fmt: skip
"""Benchmarks whose fields need more than their names; the first that has all its fields is taken.
Files of "content" and "answer" are as ReST-MCTS* publishes its benchmarks."""


def shape_of(there: Sequence[str], given: Mapping[str, Sequence[str]] | None = None) -> Shape:
    """What the fields of a dataset are.

    Args:
        there: names of its fields.
        given: which of them is what of a problem, see `USUAL`; a content, an answer or a tolerance
            that is given goes before what is known of a benchmark.
    """
    given = given or {}
    found = Shape()
    if not {"content", "answer"} & set(given):
        names = {same_name(field) for field in there}
        found = next((shape for shape in SHAPES if _has(names, shape)), found)
    if "tolerance" in given and found.pose is _scibench_in_a_text:
        found = Shape()  # that is all that it says
    content = tuple(given.get("content", ())) or tuple(found_names(there, found.content))
    options_, wrong = _options(there, found, given)
    return msgspec.structs.replace(
        found,
        content=content or _usual_content(there),
        answer=tuple(given.get("answer", ())) or tuple(found_names(there, found.answer)),
        options=options_,
        wrong=wrong,
        unit=_only(given.get("unit", found_names(there, [found.unit]))),
        tolerance=_only(given.get("tolerance", found_names(there, [found.tolerance])))
        or (found.tolerance if _TOLERANCE.fullmatch(found.tolerance) else ""),
        id=_only(given.get("id", found_names(there, [found.id, *USUAL["id"]]))),
        others=tuple(found_names(there, found.others)),
        numbers=_only(found_names(there, NUMBERS)),
        images=tuple(image_fields(there)),
    )


def _has(names: set[str], shape: Shape) -> bool:
    known_by = {same_name(name) for name in shape.known_by}
    return names == known_by if shape.alone else known_by <= names


def _only(found: Sequence[str]) -> str:
    return next(iter(found), "")


def _options(
    there: Sequence[str], shape: Shape, given: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Fields of options, and fields of what is wrong."""
    if "options" in given:
        return tuple(given["options"]), ()
    one = found_names(there, shape.options or USUAL["options"])[:1]
    wrong = [] if one else options.wrong_fields(there)
    return tuple(one or ([] if wrong else options.option_columns(there))), tuple(wrong)


def _usual_content(there: Sequence[str]) -> tuple[str, ...]:
    found = found_names(there, USUAL["content"])[:1]
    if found and same_name(found[0]).startswith("question"):
        return (*found_names(there, STORIES), *found)
    if found and same_name(found[0]) == "instruction":
        return (*found, *found_names(there, ["input"]))
    return tuple(found)


_TOLERANCE = re.compile(r"(?P<number>\d{0,9}\.?\d{1,12}(?:[eE][-+]?\d{1,2})?)\s*(?P<percent>%?)")


def in_unit(content: str, unit: str) -> str:
    """A question that names the unit of its answer, "" for none."""
    unit = " ".join(unit.replace("$", "").split())
    if not unit:
        return content
    formula = ("\\" in unit and unit != "\\%") or "^" in unit
    return f"{content}\n\nThe unit of the answer is " + (
        f"${unit}$." if formula else f"{unit.removeprefix(chr(92))}."
    )


def is_tolerance(text: str) -> bool:
    """Whether a text says how near to a number is right: "5 %" of it, or "0.1"."""
    return bool(_TOLERANCE.fullmatch(text.strip()))


def near(number: str, unit: str, tolerance: str) -> str:
    """A right answer with its unit and tolerance, in the words by which it is compared.

    What is no number (a formula, "3 to 4") is compared as it stands.

    Args:
        number: the right answer.
        unit: "" for none.
        tolerance: "5 %" of the number, "0.1" in its unit, "" or 0 for none.

    Raises:
        TaskError: the tolerance is none, or 100 % and more.
    """
    number, unit = (" ".join(text.replace("$", "").split()) for text in (number, unit))
    if answered_measure(number) is None:
        return number
    measured = f"{number} {unit}".strip()
    found = _TOLERANCE.fullmatch(tolerance.strip() or "0")
    if found is None:
        raise TaskError(f"its tolerance is neither a number nor percents: {tolerance[:40]!r}")
    size, percent = Fraction(found["number"]), found["percent"]
    if percent and size >= 100:
        raise TaskError(f"its tolerance is all of the answer: {tolerance[:40]!r}")
    written = f"{float(size):.9f}".rstrip("0").rstrip(".")
    if written == "0":
        return measured if number_of(measured) is not None else number
    return f"{measured} within {written}{' %' if percent else ''}"
