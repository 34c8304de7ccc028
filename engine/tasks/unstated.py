"""What a reply comes to at its end that states no answer in so many words."""

import re

from engine.tasks import choices
from engine.tasks.answer_values import LONGEST_PHRASE, listed
from engine.tasks.answer_words import FORMULA
from engine.tasks.numerals import number_of, trimmed

_ONE_BEFORE = re.compile(rf"({FORMULA})\s{{0,9}}(,|,?\s{{0,9}}(?:and|or)\b)\s{{0,9}}$")
_OR_BEFORE = re.compile(
    r"(?<![\w.])([-\u2212]?\d{1,15}(?:\.\d{1,15})?)[$)]?(?:\s?([A-Za-z%]{1,15}))?,?"
    r"\sor\s(?:[A-Za-z]\w?\s?=\s?)?[$(]?$"
)
_ITS_UNIT = re.compile(r"\s?([A-Za-z%]{1,15})")
_VALUE = r"([-\u2212]?\$?\d[\d,.]{0,30}(?<![,.]))"
_TWO = re.compile(rf"{_VALUE},?\s(?:and|or)\s{_VALUE}\.?")
_ENDS_FORMULA = re.compile(rf"({FORMULA})[\s.*]*$")
_PROSE = re.compile(r"(?<![\\{A-Za-z])[A-Za-z]{3,}\s")
_EXPRESSION = re.compile(
    r"(?=.{0,200}\d[^\d]{1,40}\d)"
    r"(?:[-\d\s+*/().,=x\[\]$\u00d7\u00f7\u2212\u00b7]"
    r"|\\(?:times|div|cdot|left|right)\b){3,300}"
)
_NO_PHRASE = re.compile(
    r"\b(?:i|we|you|let|let's|step|idea|know|sure)\b|[?=:]|[^.]\.\s", re.IGNORECASE
)
_BEGINS = re.compile(r"[(\[]?[A-HJ][.):\]]\s|(?:yes|no|true|false|maybe)[,.;:]\s", re.IGNORECASE)
_OPTION_LINE = re.compile(r"^[ \t*_]{0,9}[(\[]?([A-J])[.)\]]\s{1,3}(?=\S)", re.MULTILINE)
_CHOOSES = re.compile(
    r"(?:^|[\n.,:]\s{0,3}|\b(?:so|thus|hence|therefore)\s)(?:i|we)(?:\s(?:would|will)|'d|'ll)?"
    r"\s(?:choose|pick|select|go\swith)\s((?:(?:option|choice|answer)\s|(?=[(*]{0,3}(?-i:[A-J])[)*.,]"
    r"|(?-i:[A-J])$))[^.\n]{1,40})",
    re.IGNORECASE,
)
_LEADS_ON = re.compile(
    r"(?:(?:so|thus|hence|therefore|then|finally)\b[,:]?\s{0,3})?(?:(?:we\s(?:get|have)|it'?s|it\s(?:is|must\sbe))"
    r"\b[,:]?\s{0,3})?",
    re.IGNORECASE,
)
_OPTION = re.compile(r"[*_(\[]{0,3}[A-J][*_)\]]{0,3}\.?")
_BOLD = re.compile(r"\*\*([^*\n]{0,80}\d[^*\n]{0,40})\*\*")
_IN_BRACKETS = re.compile(
    r"(?:(?<=\S) \((?!or\b)[^()\n]*[A-Za-z]{2}|(?<=[A-Za-z]{2}) \([^()\n]*[\u00d7*=+/])[^()\n]*\)"
    r"(?=[.!\s*]*$)"
)
_LONGEST_WORD = 200
_MOST_VALUES = 8

_NUMBER = r"[-+\u2212]?\s?(?:\d{1,3}(?:[,\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?|[-+\u2212]?\s?\.\d+"
_LAST_NUMBER = re.compile(
    rf"(?<![\w.])(?:[-+\u2212]?\d{{1,3}} \d{{1,2}}/\d{{1,3}}(?![\w/]|[.,]\d)"
    rf"|(?:{_NUMBER})(?:\s*/\s*\d+)?(?:\s?%|!(?=[.,$*)]))?)"
)


def unstated(text: str) -> str | None:
    """The answer of a text that is nothing but an answer, or comes to one at its end."""
    bare = text.strip()
    if "\n" not in bare and (number_of(bare) is not None or _one_formula(bare) or _chosen(bare)):
        return trimmed(bare) or None
    return conclusion(text) or _phrase(bare)


def conclusion(text: str) -> str | None:
    """The value that a text comes to: its last line, its last formula or its last number."""
    return _last_line(text.strip()) or _last_formula(text) or _last_number(text)


def _last_line(text: str) -> str | None:
    """The last line, if it is nothing but an expression, two numbers or an option."""
    before, _, last = text.rpartition("\n")
    if chosen := _CHOOSES.search(last):
        return chosen[1].strip()
    if bold := _BOLD.findall(last):
        value = trimmed(bold[-1])
        if number_of(value) is not None:
            return value
    last = last.strip(" *_`")
    if both := _TWO.fullmatch(last):
        return listed([both[1], both[2]], either=True)
    lead = _LEADS_ON.match(last)
    expression = last[lead.end() :] if lead else last
    several = expression != last and ", " in expression
    if _EXPRESSION.fullmatch(expression.rstrip(".")) and not several:
        return trimmed(expression)
    if expression != last and (_OPTION.fullmatch(expression) or _OPTION_LINE.match(expression)):
        return trimmed(expression)
    return trimmed(last) if _concludes(last, before.rstrip()) else None


def _concludes(line: str, before: str) -> bool:
    """Whether a last line is the option that is chosen, not one of those that are gone through."""
    option = _OPTION_LINE.match(line)
    if option is None or len(line) > _LONGEST_WORD or choices.DENIED.search(line):
        return False
    others = _OPTION_LINE.findall(before)
    return option[1] in others if others else not before.endswith(":")


def _last_formula(text: str) -> str | None:
    """The formula that a text ends with, and those before it that are as good an answer."""
    tail = text[-300:]
    formula = _ENDS_FORMULA.search(tail)
    if formula is None or _PROSE.search(formula[0]):
        return None
    values, either = [formula[1]], False
    tail = tail[: formula.start()]
    while (one := _ONE_BEFORE.search(tail)) and len(values) < _MOST_VALUES:
        if len(values) == 1 and "or" not in one[2] and not _same_name(one[1], values[0]):
            break
        values.insert(0, one[1])
        either |= "or" in one[2]
        tail = tail[: one.start()]
    return listed(values, either)


def _same_name(one: str, other: str) -> bool:
    """Whether two formulas say the same thing's value: "x = 1" and "x = 2", or 1 and 2."""
    names = [trimmed(formula).rpartition("=")[0].strip() for formula in (one, other)]
    return names[0] == names[1]


def _last_number(text: str) -> str | None:
    """The last number outside a last remark in brackets, with the one before it if "3 or 4"."""
    shorter = _IN_BRACKETS.sub("", text)
    if re.search(r"\d", shorter.rstrip(" .*\n").rpartition("\n")[2]):
        text = shorter
    numbers = list(_LAST_NUMBER.finditer(text))
    if not numbers:
        return None
    last = numbers[-1]
    values = [last[0].strip()]
    other = _OR_BEFORE.search(text[max(0, last.start() - 60) : last.start()])
    unit = _ITS_UNIT.match(text, last.end())
    if other and not (other[2] and unit and other[2] != unit[1]):  # "2 hours or 120 minutes"
        values.insert(0, other[1])
    return listed(values, either=True)


def _phrase(text: str) -> str | None:
    """A text of few words that says nothing but an answer, such as "Option B" or "trigonal"."""
    phrase = trimmed(text)
    few = len(phrase) <= 200 and len(phrase.split()) <= LONGEST_PHRASE
    return phrase if phrase and few and not _NO_PHRASE.search(phrase) else None


def _chosen(text: str) -> bool:
    """Whether a text is no more than a single word, or begins as an option or a judgement does."""
    if _BEGINS.match(text.lstrip("*_ ")) and len(text) <= _LONGEST_WORD:
        return True
    word = text.strip("()*. ")
    return bool(re.fullmatch("[A-Ja-j]", word)) or (
        text.split() == [text] and 1 < len(word) <= _LONGEST_WORD
    )


def _one_formula(text: str) -> bool:
    return re.fullmatch(FORMULA, text) is not None and "$" not in text.strip("$")
