"""Reading final answers and judging them; nothing in a text is ever evaluated.

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

from engine.errors import TaskError
from engine.tasks import choices
from engine.tasks.algebra import same_value
from engine.tasks.arithmetic import value_of_whole
from engine.tasks.measures import answered_measure, measure_of, same_measure

Checker = Callable[[str, str], bool | None]
"""(answer, gold) -> right or wrong; None: could not be decided."""

LONGEST = 2000
LONGEST_WORDS = 8_000
"""Longer answers, in characters, are taken for wrong without a look."""

_MARK = re.compile(
    r"answer(?:\s+to\s[^.\n]{1,80}?)?(?:\s+is\s?:?|\*{0,2}\s?:)"
    r"(?!\s?(?:correct|right|wrong|best)\b)"
    r"|(?:option|choice)(?:\s+is\s?:?|\s?:)(?=\W{0,4}(?-i:[A-J]\b|[a-j]\b(?!\s)))"
    r"|(?:solution|expression)\s+is\s?:?(?=\s{0,3}[\d($\\])"
    r"|(?:^|\n)[ \t#*_>]{0,9}(?:final\s+)?answer[ *_]{0,9}(?::|\n)",
    re.IGNORECASE,
)
"""What an answer comes after: "the answer is", "the correct option is", "**Answer:**"."""

_HASHES = re.compile(r"(?:^|\n)#### *([-+$\u20ac\u00a3]{0,2} ?[\d.,]*\d) *(?=\n|$)")
_BOX = re.compile(r"\\?f?boxed\s*\{")
_CALCULATED = re.compile(r"<<[^<>\n]{0,200}>>")
_ENDS_FORMULA = re.compile(r"(?:\$([^$\n]{1,200})\$|\\[(\[]([^\n]{1,200}?)\\[)\]])[\s.*]*$")
_PROSE = re.compile(r"(?<![\\{A-Za-z])[A-Za-z]{3,}\s")
_EXPRESSION = re.compile(
    r"(?=.{0,200}\d[^\d]{1,40}\d)"
    r"(?:[-\d\s+*/().,=x\[\]$\u00d7\u00f7\u2212\u00b7]"
    r"|\\(?:times|div|cdot|left|right)\b){3,300}"
)
_REASON = re.compile(
    r",?\s(?:because|since|as|given that|which|i\.e\.)\s.*"
    r"|,\s(?:so|not|but|where|with|and so)\s.*",
    re.DOTALL,
)
_NO_PHRASE = re.compile(
    r"\b(?:i|we|you|let|let's|step|idea|know|sure)\b|[?=:]|[^.]\.\s", re.IGNORECASE
)
_BEGINS = re.compile(r"[(\[]?[A-HJ][.):\]]\s|(?:yes|no|true|false|maybe)[,.;:]\s", re.IGNORECASE)
_LONGEST_WORD = 200
_LONGEST_PHRASE = 12
"""Words of a bare text that is taken for an answer."""

_NUMBER = r"[-+\u2212]?\s?(?:\d{1,3}(?:[,\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?|[-+\u2212]?\s?\.\d+"
_LAST_NUMBER = re.compile(rf"(?<![\w.])(?:{_NUMBER})(?:\s*/\s*\d+)?(?:\s?%)?")
_SIGNS = r"[-+\u2212]"
_SIGN = rf"(?P<sign>{_SIGNS})?"
_PERCENT = re.compile(r"\s*(?:\\?%|\bper\s?cent)$")
_PLAIN = re.compile(
    rf"{_SIGN}(?P<whole>\d{{1,3}}(?:[,\u202f\u00a0 ]\d{{3}})+|\d+)?(?P<decimals>\.\d+)?"
    r"(?:e(?P<exponent>[-+]?\d{1,3}))?"
)
_RATIO = re.compile(rf"{_SIGN}(?P<over>[\d,]+(?:\.\d+)?)/(?P<under>[-\u2212]?[\d,]+(?:\.\d+)?)")
_MIXED = re.compile(rf"{_SIGN}(?P<whole>\d+)\s+(?P<over>\d+)/(?P<under>\d+)")
_LATEX_RATIO = re.compile(
    r"(?P<sign>[-+\u2212])?(?P<whole>\d+)?\s*\\[dt]?frac\s*"
    r"(?:\{\s*(?P<over>-?\d+)\s*\}|(?P<over1>\d))\s*(?:\{\s*(?P<under>-?\d+)\s*\}|(?P<under1>\d))"
)
_NAMED = r"\\?[A-Za-z]\w{0,15}(?:_\{[\w ,]{0,20}\})?(?:\s*\(\s*[A-Za-z]\s*\))?"
_SUM = rf"{_NAMED}(?:\s?[-+*/]\s?{_NAMED}){{0,5}}"
_EQUALS = re.compile(rf"(?:{_SUM}|[-\d\s.+*/^(){{}}]+|\\(?:Delta|angle)\s?\w{{1,9}})\s?=")
_ABOUT = re.compile(
    r"^(?:\\approx|about|approximately|around|roughly|exactly|only|\u2248|~"
    r"|USD|US|EUR|GBP|Rs\.?)(?![A-Za-z])\s*",
    re.IGNORECASE,
)
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SAID_AGAIN = re.compile(r"\s+\([A-Za-z][A-Za-z -]*\)$")
_WORD = r"[A-Za-z\u00b0\u00b5]"
_UNIT = re.compile(
    r"(?P<number>.*?[\d.}\)])(?:\\[,; ]|~|\s)*"
    r"(?:\\(?:text|mathrm|textrm|operatorname|mbox)\s*\{\s*(?P<latex>[^{}]*)\}"
    rf"|(?P<word>{_WORD}{{2}}[A-Za-z/.\u00b2\u00b3 ]*|[mgshlLVWANJCFK\u00b0](?:/[A-Za-z/ ]+)?))"
    r"(?:\^\{?[23]\}?|[\u00b2\u00b3])?"
)
"""A number and its unit: a word, or one letter that is a unit rather than a variable."""

_WITHIN = re.compile(r"(?P<measure>.+) within (?P<percent>\d{1,2}(?:\.\d+)?) ?%")
_FROM = re.compile(r"\d+ from \d+(?:,? \d+)*(?:, each once)?")
_EACH = ", each once"
_DRESSED_SIDE = re.compile(r"\\(?:text|boxed|mathrm)\b|[$`]|\*\*|\\[()\[\]]")
_MOST_SIDES = 6
_FORMATTED = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|mbox)\s*\{[^{}]*\}")
_LETTER = re.compile(r"\(?([A-Za-z])\)?")
_CURRENCY = "$\u20ac\u00a3\u00a5\u20b9"


def extract_answer(text: str) -> str | None:
    r"""The final answer in a model's words, None if there is none.

    In this order: the last LaTeX box; a number after "####"; what follows the last "answer is",
    "option is" or "Answer:"; a text that is nothing but an answer; a last line that is nothing but
    arithmetic; the formula that a text ends with; the last number; a text of few words. Only the
    end of a very long text is looked at.
    """
    text = text[-LONGEST_WORDS:]
    boxed = _last_box(text)
    if boxed is not None:
        return _trimmed(boxed) or None
    if hashed := _HASHES.findall(text):
        return _trimmed(hashed[-1]) or None
    text = _CALCULATED.sub("", text)
    marked = _after_marker(text)
    if marked is not None:
        return marked
    bare = text.strip()
    if "\n" not in bare and (number_of(bare) is not None or _one_formula(bare) or _chosen(bare)):
        return _trimmed(bare) or None
    last = bare.rpartition("\n")[2].strip(" *`")
    if _EXPRESSION.fullmatch(last.rstrip(".")):
        return _trimmed(last)
    if (formula := _ENDS_FORMULA.search(text[-300:])) and not _PROSE.search(formula[0]):
        return _trimmed(formula[1] or formula[2]) or None
    numbers = _LAST_NUMBER.findall(text)
    return numbers[-1].strip() if numbers else _phrase(bare)


def _phrase(text: str) -> str | None:
    """A text of few words that says nothing but an answer, such as "Option B" or "trigonal"."""
    phrase = _trimmed(text)
    few = len(phrase) <= 200 and len(phrase.split()) <= _LONGEST_PHRASE
    return phrase if phrase and few and not _NO_PHRASE.search(phrase) else None


def _last_box(text: str) -> str | None:
    boxes = list(_BOX.finditer(text))
    if not boxes:
        return None
    start = boxes[-1].start()
    depth, begin = 0, text.index("{", start)
    for position in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[begin + 1 : position]
    return text[begin + 1 :]


def _after_marker(text: str) -> str | None:
    """What follows the last marker: its formula if there is one, else its first sentence."""
    marks = list(_MARK.finditer(text))
    if not marks:
        return None
    rest = text[marks[-1].end() :].strip().lstrip("*_ ").strip()
    formula = re.match(r"\$\$?(.+?)\$\$?(?!\d)|\\\((.+?)\\\)|\\\[(.+?)\\\]", rest, re.DOTALL)
    if formula:
        return _trimmed(next(group for group in formula.groups() if group is not None)) or None
    sentence = re.split(r"\.(?=\s|$)|\n", rest, maxsplit=1)[0].rstrip("! ")
    return _trimmed(_REASON.sub("", sentence, count=1)) or None


def _chosen(text: str) -> bool:
    """Whether a text is no more than a single word, or begins as an option or a judgement does."""
    if _BEGINS.match(text) and len(text) <= _LONGEST_WORD:
        return True
    word = text.strip("()*. ")
    return bool(re.fullmatch("[A-Ja-j]", word)) or (
        text.split() == [text] and 1 < len(word) <= _LONGEST_WORD
    )


def _one_formula(text: str) -> bool:
    return bool(re.fullmatch(r"\$[^$]+\$|\\\(.+\\\)|\\\[.+\\\]", text))


def _trimmed(text: str) -> str:
    """Without the marks around an answer: dollars of a formula, bold stars, a full stop."""
    text = text.strip().strip("*`").strip()
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) * 2:
            text = text[len(opening) : -len(closing)].strip()
    text = re.sub(r"[.,;:]$", "", text).strip()
    return text.strip("*`").strip()


def number_of(text: str) -> Fraction | None:
    """The exact number that a text states, None if it states none or more than one.

    Reads thousands separators, decimals, fractions (plain, mixed and LaTeX), percentages (50 % is
    1/2), currency signs, a unit after the number, and "x = 5" as 5.
    """
    return _quantity(text)[0]


def _quantity(text: str) -> tuple[Fraction | None, str]:
    """The number that a text states and its unit, "" without one."""
    if len(text) > LONGEST:
        return None, ""
    text = _trimmed(_undressed_number(text))
    while equals := _EQUALS.match(text):
        text = _trimmed(text[equals.end() :])
    text = text.replace("\\!", "").replace("{,}", ",").replace("\\$", "$")
    text = _ABOUT.sub("", re.sub(r"\\left|\\right", "", text).strip(), count=1)
    text = _SAID_AGAIN.sub("", text)
    percent = _PERCENT.search(text)
    if percent:
        text = text[: percent.start()]
    text = re.sub(rf"^({_SIGNS}?)\s*(?:[{_CURRENCY}]\s*)?", r"\1", text)
    value, unit = _bare_number(text), ""
    if value is None and (united := _UNIT.fullmatch(text)):
        value = _bare_number(united["number"])
        unit = (united["latex"] or united["word"] or "").strip()
    if value is None:
        return None, ""
    return (value / 100, "") if percent else (value, unit)


def _undressed_number(text: str) -> str:
    r"""A number without what says how it looks: "\textbf{(016)}" is "016"."""
    inside = re.fullmatch(r"\\(?:text|textbf|mathbf|mathrm|bf)\s*\{(.*)\}", text.strip())
    text = inside[1].strip() if inside else text
    alone = re.fullmatch(r"\(\s*(\d[\d,.]*)\s*\)", text)
    return alone[1] if alone else text


def _bare_number(text: str) -> Fraction | None:
    text = text.strip().strip(_CURRENCY).strip()
    for pattern, read in ((_PLAIN, _plain), (_RATIO, _ratio), (_MIXED, _ratio)):
        if text and (match := pattern.fullmatch(text.replace(" / ", "/"))):
            return read(match)
    if match := _LATEX_RATIO.fullmatch(text):
        return _ratio(match)
    return None


def _plain(match: re.Match[str]) -> Fraction | None:
    whole, decimals = match["whole"], match["decimals"]
    if whole is None and decimals is None:
        return None
    digits = re.sub(r"\D", "", whole or "0")
    value = Fraction(digits + (decimals or "")) * Fraction(10) ** int(match["exponent"] or 0)
    return -value if match["sign"] in ("-", "\u2212") else value


def _ratio(match: re.Match[str]) -> Fraction | None:
    groups = match.groupdict()
    over, under = (
        Fraction(
            (groups[name] or groups.get(f"{name}1") or "0").replace(",", "").replace("\u2212", "-")
        )
        for name in ("over", "under")
    )
    if under == 0:
        return None
    value = Fraction(groups.get("whole") or 0) + over / under
    return -value if groups["sign"] in ("-", "\u2212") else value


def check_exact(answer: str, gold: str) -> bool:
    """The same text, letter case and white space aside."""
    first, second = (" ".join(_trimmed(text).split()).casefold() for text in (answer, gold))
    return first == second


def check_numeric(answer: str, gold: str) -> bool | None:
    """The same number exactly; None if the gold answer is none.

    A percentage is also right where the gold answer is the bare number of percents, and the other
    way round: "50 %" matches both "50" and "0.5"; so does "5 million" match "5" and "5,000,000". A
    unit counts only where both answers have one; they agree if they are the same or one abbreviates
    the other ("m", "metres"; not "m", "mm").
    """
    wanted, wanted_unit = _quantity(gold)
    if wanted is None:
        return None
    given, unit = _quantity(answer)
    if given is None:
        return False
    scale, wanted_scale = _scale(unit), _scale(wanted_unit)
    if scale != wanted_scale:
        bare = 1 in (scale, wanted_scale) and given == wanted
        return bare or given * scale == wanted * wanted_scale
    if unit and wanted_unit and not _same_unit(unit, wanted_unit):
        return False
    # A percentage was divided by 100; the other side may mean percents or the share itself.
    if _is_percentage(answer) and not _is_percentage(gold):
        return wanted in (given, given * 100)
    if _is_percentage(gold) and not _is_percentage(answer):
        return given in (wanted, wanted * 100)
    return given == wanted


def _scale(unit: str) -> int:
    """What a number is multiplied by in words: "million", "thousand dollars"."""
    return _SCALES.get(unit.lower().partition(" ")[0], 1)


def _same_unit(one: str, other: str) -> bool:
    short, long = sorted((one.lower().rstrip("s."), other.lower().rstrip("s.")), key=len)
    words = {"m": "met", "g": "gram", "h": "hour", "l": "lit", "s": "second", "km": "kilomet"}
    words |= {"cm": "centimet", "mm": "millimet", "kg": "kilogram", "min": "minute", "": "second"}
    abbreviated = len(short) >= 3 and long.startswith(short)
    return short == long or abbreviated or long.startswith(words.get(short, "\0"))


def _is_percentage(text: str) -> bool:
    return bool(_PERCENT.search(_trimmed(text)))


def check_math(answer: str, gold: str) -> bool | None:
    """Mathematically equal; None if that could not be decided before the deadline.

    Numbers are compared exactly; everything else is parsed as LaTeX and compared symbolically.
    """
    if check_exact(answer, gold):
        return True
    if len(answer) > LONGEST or len(gold) > LONGEST:
        return False
    if number_of(gold) is not None and number_of(answer) is not None:
        return check_numeric(answer, gold)
    in_words = _same_in_words(answer, gold)
    return same_value(_trimmed(answer), _trimmed(gold)) if in_words is None else in_words


def _same_in_words(answer: str, gold: str) -> bool | None:
    """Whether two answers in words are the same; None if the right one is no word.

    Algebra would take a word for a product of letters, and "seat" for "east".
    """
    said = choices.undressed(_trimmed(gold))
    given = choices.undressed(_trimmed(answer))
    if letter := _LETTER.fullmatch(said):
        if said != letter[1] or _FORMATTED.search(gold):  # "(C)": an option, no variable
            return choices.letters_of(answer) == frozenset(letter[1].upper())
        if other := _LETTER.fullmatch(given):
            return other[1] == letter[1]
        named = choices.letters_of(answer) if said in "ABCDEFGHIJ" else None
        return None if named is None else named == frozenset(said)
    words = re.fullmatch(r"[A-Za-z][A-Za-z' -]*[A-Za-z]", said)
    marked = _FORMATTED.fullmatch(_trimmed(gold))
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
        gold: "9.8 m/s^2 within 5 %", of the larger of the two numbers; see
            `engine.tasks.measures.same_measure` for powers of ten and percents as units.
    """
    stated = _WITHIN.fullmatch(gold.strip())
    wanted = measure_of(stated["measure"]) if stated else None
    if stated is None or wanted is None:
        return None
    given = answered_measure(_trimmed(answer))
    tolerance = Fraction(stated["percent"]) / 100
    return given is not None and same_measure(given, wanted, tolerance)


def check_stated(answer: str, gold: str) -> bool | None:
    """As the right answer says itself that it is to be compared; else as `check_math`."""
    text = gold.strip()
    if text.endswith(choices.WORD_FOR_WORD):
        return check_words(answer, text)
    if choices.OPTION.fullmatch(text):
        return check_option(answer, text)
    if text.rstrip(".").lower() in choices.JUDGEMENTS:
        return check_judgement(answer, text)
    if _WITHIN.fullmatch(text):
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
    sides = _trimmed(_DRESSED_SIDE.sub(" ", answer[: 2 * LONGEST])).rstrip(".!").split("=")
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
