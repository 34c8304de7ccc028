"""A row of a dataset as it is asked: the whole question, and the right answer as it is compared."""

from collections.abc import Iterator, Mapping, Sequence

from engine.errors import TaskError
from engine.tasks import benchmarks, questions
from engine.tasks.benchmarks import Posed, Shape, is_tolerance
from engine.tasks.cells import (
    is_empty,
    is_nan,
    number_or_text,
    same_name,
    text_of,
    texts_of,
    value_of,
)
from engine.tasks.final_answer import extract_answer
from engine.tasks.options import (
    Options,
    mixed,
    named_in,
    options_in_columns,
    options_of,
    right_places,
    shown,
    stated,
)
from engine.tasks.tables import Row

_MANY = 20
"""Indexes that tell where they begin: of fewer one may be too large by mistake."""


def posed(row: Row, shape: Shape, first: int = 0) -> Posed:
    """What a row asks; its answer is "" where it has none.

    Args:
        row: of a dataset.
        shape: what its fields are.
        first: the index of the first option; see `first_index`.

    Raises:
        TaskError: it cannot be asked, or does not say what is right.
    """
    found = _answered(row, shape, _question(row, shape), first)
    questions.check_images(row, shape.images, found.content)
    return found


def first_index(rows: Iterator[Row], shape: Shape) -> int:
    """The index of the first option: 0, but 1 where one of many answers is the number of options
    and none is 0.
    """
    last, count = False, 0
    for row in rows:
        answer = next((value for _, value in _filled(row, shape.answer)), None)
        try:
            index = int(str(answer)[:10].removesuffix(".0"))
            options = _options(row, shape)
        except (TaskError, ValueError):
            continue
        if index == 0:
            return 0
        count += options is not None
        last = last or (options is not None and index == len(options.texts))
    return int(last and count >= _MANY)


def _question(row: Row, shape: Shape) -> str:
    told = [field for field in shape.content if not is_empty(value_of(row, field))]
    stories = {same_name(name) for name in questions.STORIES}
    if all(same_name(field) in stories for field in told) and told != list(shape.content):
        raise TaskError(f"{shape.content[-1]!r} is missing or empty")
    content = questions.joined(text_of(row, field) for field in told)
    numbers = value_of(row, shape.numbers) if shape.numbers else None
    read = texts_of if isinstance(numbers, list) else number_or_text
    return questions.filled(content, read(row, shape.numbers) if numbers is not None else "")


def _answered(row: Row, shape: Shape, content: str, first: int) -> Posed:
    """A question with its right answer, of whatever kind it is."""
    if wrong := [text for field in shape.wrong for text in texts_of(row, field)]:
        return _among_wrong(content, _answers(row, shape), wrong)
    if options := _options(row, shape):
        return _with_options(row, shape, content, options, first)
    answers = _answers(row, shape)
    if shape.pose is not None and (special := shape.pose(content, answers, _others(row, shape))):
        return special
    unit = number_or_text(row, shape.unit) if shape.unit else ""
    constant = is_tolerance(shape.tolerance)
    tolerance = shape.tolerance if constant else number_or_text(row, shape.tolerance)
    answers = [text for text in map(final_answer, answers) if text]
    if len(answers) == 1 and (unit or tolerance):
        answer = benchmarks.near(answers[0], unit, tolerance)
    else:
        answer = ", ".join(answers)
        answer = named_in(content, answer) or answer
    return Posed(benchmarks.in_unit(content, unit), answer)


def _among_wrong(content: str, right: Sequence[str], wrong: Sequence[str]) -> Posed:
    """A question whose options are the right answer and the wrong ones, mixed."""
    if len(right) != 1:
        raise TaskError("it has wrong answers, and not one that is right")
    if right[0] in wrong:
        raise TaskError(f"its right answer is among the wrong ones: {right[0][:60]!r}")
    options = options_of("options", mixed(content, [*right, *wrong]))
    if options is None:
        raise TaskError("it has no options")
    places = [place for place, text in enumerate(options.texts) if text == right[0]]
    return Posed(shown(content, options), stated(options, places))


def _with_options(row: Row, shape: Shape, content: str, options: Options, first: int) -> Posed:
    """A question with options; the first answer that is one of them is right."""
    problem: TaskError | None = None
    for field, value in _filled(row, shape.answer):
        try:
            places = right_places(field, value, options, first)
        except TaskError as error:
            problem = problem or error
            continue
        return Posed(shown(content, options, len(places) > 1), stated(options, places))
    if problem is not None:
        raise problem
    return Posed(shown(content, options), "")


def _options(row: Row, shape: Shape) -> Options | None:
    values = [value_of(row, field) for field in shape.options]
    if len(values) > 1:
        return options_in_columns(shape.options, values)
    return options_of(shape.options[0], values[0]) if values else None


def _answers(row: Row, shape: Shape) -> list[str]:
    """The right answers of the first field that has any."""
    problem: TaskError | None = None
    for field in shape.answer:
        try:
            if found := texts_of(row, field):
                return found
        except TaskError as error:  # another field may say it: a label beside NaN
            problem = problem or error
    if problem is not None:
        raise problem
    return []


def _filled(row: Row, fields: Sequence[str]) -> Iterator[tuple[str, object]]:
    for field in fields:
        value = value_of(row, field)
        if value is False or not (is_empty(value) or is_nan(value)):
            yield field, value


def _others(row: Row, shape: Shape) -> Mapping[str, list[str]]:
    return {same_name(field): texts_of(row, field) for field in shape.others}


def final_answer(text: str) -> str:
    r"""The right answer that a dataset's field states: after "####", in a LaTeX box or after
    "answer is" if it is a worked solution, else the text itself; "" if there is none.
    """
    if "####" in text:
        return text.rsplit("####", 1)[1].strip().partition("\n")[0].strip()
    lower = text.lower()
    if "\\boxed" in text or "\n" in text or "answer is" in lower or "answer:" in lower:
        return extract_answer(text) or text.strip()
    return text.strip()
