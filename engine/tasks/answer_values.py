"""The value in the words that state an answer: where it begins and ends, what is joined to it."""

import re
from typing import NamedTuple

from engine.tasks import answer_words as words
from engine.tasks import choices
from engine.tasks.numerals import number_of, trimmed

LONGEST_PHRASE = 12
"""Words of an answer without a number or a formula."""

_FEW = 3
"""Words of an answer that is surely no sentence."""

_MOST_VALUES = 8
FORMULA = re.compile(words.FORMULA)
_AND = (
    r"(?:,\s{0,3}(?:and\b|or\b)?|;|(?:and|or)\b(?:\s(?:possibly|perhaps|maybe|also|even)\b)?"
    r"|\\text\s?\{\s?(?:and|or)\s?\})"
)
_ANOTHER = re.compile(
    rf"\s{{0,9}}\(?(?:(?P<and>{_AND})\s{{0,9}}(?P<formula>{words.FORMULA})"
    r"|(?:,\s{0,3})?(?P<or>and|or)\s{1,9}(?P<plain>[-\u2212]?\d[\d,.]{0,30}|[A-J])(?!\w))"
)
_UNIT = re.compile(r"\s?(?:[A-Za-z]{1,15}|%)(?=[.,;!*]|\s*(?:\n|$))")
_PLAIN = r"[-\u2212]?\$?\d[\d,.]*(?<![,.])(?:/\d+)?"
_LIST = re.compile(rf"{_PLAIN}(?:,?\s(?:and|or|&)\s{_PLAIN}|,\s{_PLAIN}){{1,9}}")
_STOP = re.compile(r"[.!?](?=[\s*_]|$)(?!\s*[=+/\u00d7])|[\u3002\u0964]|\n")
_BOLD = re.compile(r"(?<![\w)*])(\*\*|__|`)(?=\S)(.{1,300}?)(?<=\S)\1(?![\w(*])")
_BULLETS = re.compile(r"(?:[-\u2022][ \t]{1,3}[^\n]{1,80}(?:\n|$)){2,9}")
_CUT = re.compile(
    r"(?:[,+*/=(\[{<\\^_\u00d7\u2212-]|\b(?:and|or|the|an?|of|is|to|about|approximately))\s*$"
)
_VALUE = re.compile(words.VALUE, re.IGNORECASE)
_CHOSEN = re.compile(r".{0,20}(?:\d|[$\\]|(?<![\w'\u2019])[B-HJ](?![\w'\u2019]))", re.DOTALL)


class Value(NamedTuple):
    """An answer as it is stated, "" for none.

    end: where its sentence ends. sound: it is a value, no remark about one. prose: read out of a
    sentence. corrected: put in the place of another one. whole: not cut off in its middle.
    """

    answer: str
    end: int
    sound: bool
    prose: bool = False
    corrected: bool = False
    whole: bool = True


def value_of(text: str) -> Value:
    """The value that a text begins with, or its first sentence says."""
    lead = words.LEADS.match(text)
    begin = lead.end() if lead else 0
    stop = sentence_end(text, begin)
    corrections = list(words.CORRECTED.finditer(text, begin, stop))
    begin = corrections[-1].end() if corrections else begin
    if formula := FORMULA.match(text, begin):
        answer, end = _formulas(text, formula)
        stop = sentence_end(text, end)
        return Value(answer, stop, bool(answer.strip()), corrected=bool(corrections))
    if listing := _BULLETS.match(text, begin):
        each = [
            value_of(line.strip("-\u2022 \t")).answer for line in listing[0].strip().split("\n")
        ]
        return Value(listed(each, either=False) or "", listing.end(), sound=True)
    said, dressed = text[begin:stop], re.search(r"[*_`]*$", text[max(0, begin - 3) : begin])
    if dressed and dressed[0]:
        said = said.replace(dressed[0], "", 1)
    said = words.CLOSES.sub("", _BOLD.sub(r"\2", said))
    value, prose, sound = _said(said)
    bare = re.sub(r"(?<=\S)[*_`]+$", "", said)
    cut = stop == len(text) and (_CUT.search(bare) or _depth(said) > 0)
    return Value(value, stop, sound, prose, bool(corrections), not cut)


def _said(said: str) -> tuple[str, bool, bool]:
    """The value of a sentence; whether the sentence is prose; whether it is sound."""
    if value := _value(said):
        return trimmed(value), False, re.search(r"[\w\u221e\u2205]", value) is not None
    said = _until(words.REASON, said)
    few = len(said.split())
    dull = words.DULL.match(said) or words.WORKING.match(said)
    clause = words.CLAUSE.search(said)
    if (
        clause
        and (not dull or said[:4].lower() == "the ")
        and not words.DENIED.search(said, 0, clause.end())
    ):
        rest = said[clause.end() :]
        formula = FORMULA.match(rest)
        if value := _formulas(rest, formula)[0] if formula else _value(rest):
            return trimmed(value), True, True
    answer = trimmed(said)
    hollow = dull or words.PLACEHOLDER.fullmatch(answer)
    return answer, few > _FEW, few <= LONGEST_PHRASE and not hollow


def speaks_of_value(answer: str) -> bool:
    """Whether words that are no answer still name a number, a formula or an option."""
    return bool(_CHOSEN.search(answer))


def sentence_end(text: str, start: int) -> int:
    """Where the sentence or line ends that goes on at a place: at its closing mark."""
    for stop in _STOP.finditer(text, start):
        if stop[0] != ".":
            return stop.start()
        before = text[max(start, stop.start() - 8) : stop.start()].split()
        word = before[-1].lower().lstrip("(") if before else ""
        after = text[stop.end() : stop.end() + 2].strip()[:1]
        if re.fullmatch("[a-z]", word) and re.match(
            r"\s[A-Z]\.", text[stop.end() : stop.end() + 3]
        ):
            continue  # initials
        short = word.isascii() and 1 < len(word) <= 4 and word.replace(".", "").isalpha()
        if word in words.ABBREVIATED or (word == "no" and after.isdigit()):
            continue
        if not (short and after.islower()) and not ("." in word and after.isdigit()):
            return stop.start()
    return len(text)


def listed(values: list[str], either: bool) -> str | None:
    """Values as one answer: one that is said twice once; "A or B" is no list of options."""
    values = [value for value in map(trimmed, values) if value]
    numbers = {number_of(value) for value in values}
    if len(set(values)) == 1 or (len(numbers) == 1 and None not in numbers):
        return values[-1]
    letters = all(re.fullmatch(r"\W*[A-J]\W*", choices.undressed(value)) for value in values)
    return (" or " if either and letters else ", ").join(values) or None


def braces(text: str, begin: int) -> tuple[str, int, bool]:
    """What the braces at a place hold, where they end, and whether they do."""
    depth = 0
    for position in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[begin + 1 : position], position + 1, True
    return text[begin + 1 :], len(text), False


def _formulas(text: str, first: re.Match[str]) -> tuple[str, int]:
    """A formula, and the values that the rest of its sentence joins to it."""
    values, either, end = [first[0]], False, first.end()
    while len(values) < _MOST_VALUES and (another := _ANOTHER.match(text, end)):
        values.append(another["plain"] or another["formula"])
        either |= "or" in (another["and"] or another["or"])
        end = another.end()
    answer = listed(values, either) or ""
    unit = _UNIT.match(text, end)
    return (answer + unit[0] if unit and number_of(answer) is not None else answer), end


def _value(said: str) -> str:
    """The value that a sentence begins with, without remarks on it; "" if it begins otherwise."""
    if not _VALUE.match(said):
        return ""
    value = _until(words.REMARK, said)
    both = _LIST.fullmatch(trimmed(value))
    if both:
        return listed(re.findall(_PLAIN, both[0]), either=True) or ""
    return value.strip()


def _until(remark: re.Pattern[str], said: str) -> str:
    """A sentence up to a remark that is not within brackets."""
    return next(
        (said[: one.start()] for one in remark.finditer(said) if _depth(said[: one.start()]) <= 0),
        said,
    )


def _depth(text: str) -> int:
    return sum(map(text.count, "([{")) - sum(map(text.count, ")]}"))
