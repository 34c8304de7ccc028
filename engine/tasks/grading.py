"""Judging final answers; nothing in a text is ever evaluated.

A right answer may say itself how it is to be compared, in words that a person can read: "option B",
"Yes", "9.8 m/s^2 within 5 %", "24 from 1 1 4 6, each once". So it needs nothing beside it, in a
file or in a log.

Most answers are numbers and are compared exactly, here and at once. Anything else (LaTeX, tuples,
expressions) goes to a computer algebra system in a helper process, which is ended when it exceeds
its deadline. This module knows no models and no search.
"""

import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from engine.errors import TaskError
from engine.tasks import choices
from engine.tasks.algebra import same_value
from engine.tasks.arithmetic import value_of_whole
from engine.tasks.formula import read
from engine.tasks.measures import (
    Measure,
    answered_measure,
    measure_of,
    same_amount,
    same_measure,
    unit_of,
)
from engine.tasks.notation import plain
from engine.tasks.numerals import LONGEST, amount_of, label_of, trimmed

Checker = Callable[[str, str], bool | None]
"""(answer, gold) -> right or wrong; None: could not be decided."""

_TOLERANCE = r"(?P<tolerance>\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})(?P<share> ?\\?%)?"
_WITHIN = re.compile(rf"(?P<measure>.+?),? (?:to )?within {_TOLERANCE}")
_SPREAD = re.compile(
    rf"(?P<measure>[-+]?\d[\d,]*(?:\.\d+)?) ?\\pm ?{_TOLERANCE} ?(?P<unit>[^\d\s+*/=,;.-].*)?"
)
_FROM = re.compile(r"\d+ from \d+(?:,? \d+)*(?:, each once)?")
_EACH = ", each once"
_DRESSED_SIDE = re.compile(r"\\(?:text|boxed|mathrm)\b|[$`]|\*\*|\\[()\[\]]")
_MOST_SIDES = 6
_FORMATTED = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*\{[^{}]*\}")
_OPTION_WITH_TEXT = re.compile(r"[(\[]?(?P<letter>[A-J])[.):\]]+\s+(?P<text>\S.*)", re.DOTALL)
_LETTER = re.compile(r"\(?([A-Za-z])\)?")


def check_exact(answer: str, gold: str) -> bool:
    """The same text, letter case and white space aside."""
    first, second = (" ".join(trimmed(text).split()).casefold() for text in (answer, gold))
    return first == second


def check_numeric(answer: str, gold: str) -> bool | None:
    """The same number, in the same unit where both have one; None if the gold answer is none."""
    if amount_of(gold) is None:
        return None
    if len({label_of(answer), label_of(gold)} - {""}) > 1:
        return False
    return bool(same_amount(answer, gold))


def check_math(answer: str, gold: str) -> bool | None:
    """Mathematically equal; None if that could not be decided before the deadline.

    Numbers are compared exactly, words as words, an option by its letter or its text; anything else
    is compared symbolically where both are formulas.
    """
    if _same_text(answer, gold):
        return True
    if len(answer) > LONGEST or len(gold) > LONGEST:
        return False
    for one, other in ((answer, gold), (gold, answer)):
        if option := _OPTION_WITH_TEXT.fullmatch(choices.undressed(trimmed(one))):
            return _same_option(other, option["letter"], option["text"])
    exactly, rounded, about = plain(answer).partition("\\approx")
    if rounded and "\\approx" not in plain(gold):  # "1/3, about 0.333": either may be asked for
        return any(check_math(one, gold) is True for one in (exactly, about) if one.strip())
    amounts = same_amount(answer, gold)
    if amounts is not None:
        return amounts
    in_words = _same_in_words(answer, gold)
    if in_words is None and _is_formula(answer) and _is_formula(gold):
        return same_value(trimmed(answer), trimmed(gold))
    return bool(in_words)


def _same_text(one: str, other: str) -> bool:
    first, second = (" ".join(plain(trimmed(text)).split()) for text in (one, other))
    return first == second if first else one == other


def _same_option(answer: str, letter: str, text: str) -> bool:
    """Whether an answer is the letter of an option, or its text, and contradicts neither."""
    said = choices.undressed(trimmed(answer))
    if both := _OPTION_WITH_TEXT.fullmatch(said):
        return both["letter"] == letter and _same_option_text(both["text"], text)
    if (named := choices.letters_of(said, text)) is not None:
        return named == frozenset(letter)
    return _same_option_text(answer, text)


def _same_option_text(answer: str, text: str) -> bool:
    return choices.same_words(answer, text) or check_math(answer, text) is True


def _is_formula(text: str) -> bool:
    """Whether a text is read as mathematics."""
    try:
        read(trimmed(text))
    except TaskError:
        return False
    return True


def _same_in_words(answer: str, gold: str) -> bool | None:
    """Whether two answers in words are the same; None if the right one is no word.

    Algebra would take a word for a product of letters, and "seat" for "east".
    """
    said = choices.undressed(trimmed(gold))
    given = choices.undressed(trimmed(answer))
    if letter := _LETTER.fullmatch(said):
        if said != letter[1] or _FORMATTED.search(gold):  # "(C)": an option, no variable
            return choices.letters_of(answer) == frozenset(letter[1].upper())
        if other := _LETTER.fullmatch(given):
            small_option = said in "ABCDEFGHIJ" and other[1].upper() == said
            return small_option or other[1] == letter[1]
        named = choices.letters_of(answer) if said in "ABCDEFGHIJ" else None
        return None if named is None else named == frozenset(said)
    words = re.fullmatch(r"[A-Za-z][A-Za-z' -]*[A-Za-z]", said)
    marked = _FORMATTED.fullmatch(trimmed(gold))
    if words and (marked or (re.search("[A-Za-z]{4}", said) and "\\" not in gold)):
        return choices.same_words(answer, gold)
    return None


def check_option(answer: str, gold: str) -> bool | None:
    """The same option, or all of several and no other.

    Args:
        answer: a letter, in brackets or with the option's text after it: "b", "(B)", "B. Iron",
            "the correct option is B"; that text alone, where the right answer has it; several
            letters: "A, C", "A and C". Two letters for one option, "A or B", are no answer.
        gold: "option B", "option B: Iron", "options A, C", or the letters alone.
    """
    right = choices.choice_of(gold)
    return None if right is None else choices.chooses(answer, right)


def check_judgement(answer: str, gold: str) -> bool | None:
    """The same judgement: yes (true, correct), no (false, incorrect) or maybe."""
    wanted = choices.judgement_of(gold)
    return None if wanted is None else choices.judgement_of(answer) == wanted


def check_words(answer: str, gold: str) -> bool:
    """The same word or code that fills a blank, or the same number where both are numbers.

    gold: "trigonal planar, word for word", or the words alone.
    """
    wanted = gold.strip().removesuffix(choices.WORD_FOR_WORD)
    return choices.same_words(answer, wanted) or check_numeric(answer, wanted) is True


def check_within(answer: str, gold: str) -> bool | None:
    r"""A number within a tolerance, in a unit that does not contradict; None if gold is none.

    Args:
        answer: such as "9.81 m/s^2", "9.81", "9.8 x 10^0", "\pi^2". One that states several
            numbers is wrong.
        gold: "9.8 m/s^2 within 5 %", of the larger of the two numbers; "9.8 m/s^2 within 0.1";
            "9.8 \u00b1 0.1 m/s^2". See `engine.tasks.measures.same_measure` for powers of ten and
            percents as units.
    """
    tolerated = _tolerated(gold)
    if tolerated is None:
        return None
    wanted, tolerance, is_share = tolerated
    given = answered_measure(trimmed(answer))
    if given is None:
        return False
    if is_share:
        return same_measure(given, wanted, share=tolerance / 100)
    return same_measure(given, wanted, apart=tolerance)


def _tolerated(gold: str) -> tuple[Measure, Fraction, bool] | None:
    r"""The measure of a gold answer, its tolerance, and whether that is in percents.

    "2.5 \u00b1 0.5" is a tolerance only where it has a unit or is a decimal of at most a tenth of
    the number; else it may be two values, 2 and 3.
    """
    stated = _WITHIN.fullmatch(gold.strip()) or _SPREAD.fullmatch(plain(gold))
    wanted = measure_of(stated["measure"]) if stated else None
    if stated is None or wanted is None:
        return None
    tolerance, unit = Fraction(stated["tolerance"]), stated.groupdict().get("unit") or ""
    is_share = bool(stated["share"])
    if stated.re is _SPREAD and not is_share:
        decimal = "." in stated["tolerance"] and tolerance * 10 <= abs(wanted.value)
        if (unit and unit_of(unit) is None) or not (decimal or len(unit) > 1):
            return None
    return wanted._replace(unit=wanted.unit or unit), tolerance, is_share


def check_stated(answer: str, gold: str) -> bool | None:
    """As the right answer says itself that it is to be compared; else as `check_math`."""
    text = gold.strip()
    if not _FROM.fullmatch(text) and _same_text(answer, gold):
        return True
    if text.endswith(choices.WORD_FOR_WORD):
        return check_words(answer, text)
    if choices.OPTION.fullmatch(text):
        return check_option(answer, text)
    if text.rstrip(".").lower() in choices.JUDGEMENTS:
        return check_judgement(answer, text)
    if _tolerated(text):
        return check_within(answer, text)
    if _FROM.fullmatch(text):
        return check_countdown(answer, text)
    return check_math(answer, gold)


def check_countdown(answer: str, gold: str) -> bool | None:
    """An expression that makes the target from each number at most once.

    Args:
        answer: such as "(7 - 3) * 5", as `value_of_whole` reads it; "= 20" may follow or go before.
            Of several sides one has to use the numbers, and all have to be the target.
        gold: "20 from 7 3 5 2", target and numbers, each of which may be used once; with ", each
            once" at its end each must be used, as in the Game of 24.
    """
    stated = _FROM.fullmatch(gold.strip())
    if stated is None or len(gold) > LONGEST:
        return None
    target, *numbers = map(int, re.findall(r"\d+", gold[:LONGEST]))
    given = Counter(numbers)
    sides = trimmed(_DRESSED_SIDE.sub(" ", answer[: 2 * LONGEST])).rstrip(".!").split("=")
    if len(sides) > _MOST_SIDES:
        return False
    try:
        read = [value_of_whole(side) for side in sides if side.strip()]
    except (TaskError, ZeroDivisionError):
        return False
    each = gold.strip().endswith(_EACH)
    fits = any(used == given if each else used <= given for _, used in read)
    return fits and all(value == target for value, _ in read)


CHECKERS: dict[str, Checker] = {
    "math": check_math,
    "numeric": check_numeric,
    "exact": check_exact,
    "countdown": check_countdown,
    "option": check_option,
    "judgement": check_judgement,
    "words": check_words,
    "within": check_within,
    "stated": check_stated,
}
"""How an answer is compared with the right one, by name."""


def grade(answer: str | None, gold: str | None, checker: str = "stated") -> bool | None:
    """Whether an answer is right; None without a gold answer, or if it could not be decided.

    checker: one of `CHECKERS`; by default as the gold answer says itself.

    Raises:
        TaskError: there is no checker of that name.
    """
    if checker not in CHECKERS:
        raise TaskError(f"Unknown checker '{checker}': there are {', '.join(CHECKERS)}.")
    if gold is None or not gold.strip():
        return None
    if answer is None or not answer.strip():
        return False
    return CHECKERS[checker](answer, gold)


def same_answer(one: str, other: str) -> bool | None:
    """Whether two answers are the same one: each is right where the other is the right answer.

    The order changes nothing. None if that could not be decided.
    """
    return True if one == other else _same_both_ways(*sorted((one, other)))


@lru_cache(maxsize=65_536)
def _same_both_ways(one: str, other: str) -> bool | None:
    first = grade(one, other)
    return grade(other, one) if first else first
