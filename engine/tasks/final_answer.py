"""The final answer in a model's words; nothing in a text is ever evaluated.

Whether the answer is right is decided in `engine.tasks.grading`.
"""

import re

from engine.tasks import choices
from engine.tasks.numerals import number_of, trimmed

LONGEST_WORDS = 8_000
"""Of a longer text, in characters, only the end is looked at."""

_MARK = re.compile(
    r"answer(?:\s+to\s[^.\n]{1,80}?)?(?:\s+is(?:,?\s(?:therefore|thus|hence|then|simply|just"
    r"|clearly|given\sby|equal\sto)\b,?){0,3}\s?:?|\*{0,2}\s?:)"
    r"(?!\s?(?:correct|right|wrong|best)\b)"
    r"|(?:option|choice)(?:\s+is\s?:?|\s?:)(?=\W{0,4}(?-i:[A-J]\b|[a-j]\b(?!\s)))"
    r"|(?:^|[\n.,:]\s{0,3}|\b(?:so|thus|hence|therefore)\s)i(?:\s(?:would|will)|'d|'ll)?"
    r"\s(?:choose|pick|select|go\swith)\s(?:option|choice|answer)(?=\s\W{0,4}(?-i:[A-J]\b))"
    r"|(?:solution|expression)\s+is\s?:?(?=\s{0,3}[\d($\\])"
    r"|(?:^|\n)[ \t#*_>]{0,9}(?:final\s+)?answer[ *_]{0,9}(?::|\n)",
    re.IGNORECASE,
)
"""What an answer comes after: "the answer is", "the correct option is", "**Answer:**"."""

_HASHES = re.compile(r"(?:^|\n)#### *([-+$\u20ac\u00a3]{0,2} ?[\d.,]*\d) *(?=\n|$)")
_BOX = re.compile(r"\\?f?boxed\s*\{")
_MOST_VALUES = 8
_FORMULA = r"(?:\$\$?((?:\\.|[^$\\]){1,200})\$\$?(?!\d)|\\\((.{1,200}?)\\\)|\\\[(.{1,200}?)\\\])"
_AND = (
    r"(?:,\s{0,3}(?:and\b|or\b)?|;|(?:and|or)\b(?:\s(?:possibly|perhaps|maybe|also|even)\b)?"
    r"|\\text\s?\{\s?(?:and|or)\s?\})"
)
_BETWEEN_BOXES = re.compile(
    rf"\s{{0,9}}(?:\$|\\[)\]])?\s{{0,9}}{_AND}\s{{0,9}}(?:\$|\\[(\[])?\s{{0,9}}"
    r"(?:[A-Za-z]\w{0,3}(?:_\{\w{1,3}\})?\s{0,3}=\s{0,3})?"
)
_ANOTHER = re.compile(rf"\s{{0,9}}\(?({_AND})\s{{0,9}}{_FORMULA}", re.DOTALL)
_ANOTHER_PLAIN = re.compile(
    r"\s{0,9}\(?(?:,\s{0,3})?(and|or)\s{1,9}([-\u2212]?\d[\d,.]{0,30}|[A-J])(?!\w)"
)
_ONE_BEFORE = re.compile(
    r"(?:\$([^$\n]{1,200})\$|\\[(\[]([^\n]{1,200}?)\\[)\]])\s{0,9}(,|,?\s{0,9}(?:and|or)\b)\s{0,9}$"
)
_OR_BEFORE = re.compile(
    r"(?<![\w.])([-\u2212]?\d{1,15}(?:\.\d{1,15})?)[$)]?(?:\s?([A-Za-z%]{1,15}))?,?"
    r"\sor\s(?:[A-Za-z]\w?\s?=\s?)?[$(]?$"
)
_ITS_UNIT = re.compile(r"\s?([A-Za-z%]{1,15})")
_VALUE = r"([-\u2212]?\$?\d[\d,.]{0,30}(?<![,.]))"
_TWO = re.compile(rf"{_VALUE},?\s(?:and|or)\s{_VALUE}\.?")
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
    r"|\s\((?:because|since|as|given that|i\.e\.|not)\s(?!.*\),?\s?(?:or|and|\d)).*"
    r"|,\s(?:so|not|but|where|with|and so)\s.*",
    re.DOTALL,
)
_NO_PHRASE = re.compile(
    r"\b(?:i|we|you|let|let's|step|idea|know|sure)\b|[?=:]|[^.]\.\s", re.IGNORECASE
)
_BEGINS = re.compile(r"[(\[]?[A-HJ][.):\]]\s|(?:yes|no|true|false|maybe)[,.;:]\s", re.IGNORECASE)
_OPTION_LINE = re.compile(r"^[ \t*_]{0,9}[(\[]?([A-J])[.)\]]\s{1,3}(?=\S)", re.MULTILINE)
_LEADS_ON = re.compile(
    r"(?:(?:so|thus|hence|therefore|then|finally)\b[,:]?\s{0,3})?(?:we\s(?:get|have)\b[,:]?\s{0,3})?",
    re.IGNORECASE,
)
_LONGEST_WORD = 200
_LONGEST_PHRASE = 12
"""Words of a bare text that is taken for an answer."""

_NUMBER = r"[-+\u2212]?\s?(?:\d{1,3}(?:[,\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?|[-+\u2212]?\s?\.\d+"
_LAST_NUMBER = re.compile(
    rf"(?<![\w.])(?:[-+\u2212]?\d{{1,3}} \d{{1,2}}/\d{{1,3}}(?![\w/]|[.,]\d)"
    rf"|(?:{_NUMBER})(?:\s*/\s*\d+)?(?:\s?%)?)"
)


def extract_answer(text: str) -> str | None:
    r"""The final answer in a model's words, None if there is none.

    In this order: the last LaTeX box, with those before it that "and", "or" or a comma joins to it;
    a number after "####"; what follows the last "answer is", "option is" or "Answer:"; a text that
    is nothing but an answer; a last line that is nothing but arithmetic, or begins as an option
    does; the formula that a text ends with; the last number; a text of few words. Several values
    are a list, and no answer where one is asked for. Only the end of a very long text is looked at.
    """
    text = text[-LONGEST_WORDS:]
    boxed = _last_boxes(text)
    if boxed is not None:
        return boxed or None
    if hashed := _HASHES.findall(text):
        return trimmed(hashed[-1]) or None
    text = _CALCULATED.sub("", text)
    marked = _after_marker(text)
    if marked is not None:
        return marked
    bare = text.strip()
    if "\n" not in bare and (number_of(bare) is not None or _one_formula(bare) or _chosen(bare)):
        return trimmed(bare) or None
    return _last_line(bare) or _last_formula(text) or _last_number(text) or _phrase(bare)


def _last_line(text: str) -> str | None:
    """The last line, if it is nothing but an expression, two numbers or an option."""
    before, _, last = text.rpartition("\n")
    last = last.strip(" *_`")
    if both := _TWO.fullmatch(last):
        return _listed([both[1], both[2]], either=True)
    lead = _LEADS_ON.match(last)
    expression = last[lead.end() :] if lead else last
    several = expression != last and ", " in expression
    if _EXPRESSION.fullmatch(expression.rstrip(".")) and not several:
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
    values, either = [formula[1] or formula[2]], False
    tail = tail[: formula.start()]
    while (one := _ONE_BEFORE.search(tail)) and len(values) < _MOST_VALUES:
        if len(values) == 1 and "or" not in one[3] and not _same_name(one[1] or one[2], values[0]):
            break
        values.insert(0, one[1] or one[2])
        either |= "or" in one[3]
        tail = tail[: one.start()]
    return _listed(values, either)


def _same_name(one: str, other: str) -> bool:
    """Whether two formulas say the same thing's value: "x = 1" and "x = 2", or 1 and 2."""
    return one.rpartition("=")[0].strip() == other.rpartition("=")[0].strip()


def _last_number(text: str) -> str | None:
    """The last number, with the one before it if it is "3 or 4"."""
    numbers = list(_LAST_NUMBER.finditer(text))
    if not numbers:
        return None
    last = numbers[-1]
    values = [last[0].strip()]
    other = _OR_BEFORE.search(text[max(0, last.start() - 60) : last.start()])
    unit = _ITS_UNIT.match(text, last.end())
    if other and not (other[2] and unit and other[2] != unit[1]):  # "2 hours or 120 minutes"
        values.insert(0, other[1])
    return _listed(values, either=True)


def _listed(values: list[str], either: bool) -> str | None:
    """Values as one answer: one that is said twice once; "A or B" is no list of options."""
    values = [value for value in map(trimmed, values) if value]
    numbers = {number_of(value) for value in values}
    if len(set(values)) == 1 or (len(numbers) == 1 and None not in numbers):
        return values[-1]
    letters = all(re.fullmatch(r"\W*[A-J]\W*", choices.undressed(value)) for value in values)
    return (" or " if either and letters else ", ").join(values) or None


def _phrase(text: str) -> str | None:
    """A text of few words that says nothing but an answer, such as "Option B" or "trigonal"."""
    phrase = trimmed(text)
    few = len(phrase) <= 200 and len(phrase.split()) <= _LONGEST_PHRASE
    return phrase if phrase and few and not _NO_PHRASE.search(phrase) else None


def _last_boxes(text: str) -> str | None:
    """What the last box holds, and those that are joined to it; None without one."""
    boxes = [found.start() for found in _BOX.finditer(text)][-_MOST_VALUES:]
    if not boxes:
        return None
    inside, _ = _braces(text, boxes[-1], len(text))
    values, either = [inside], False
    for place, following in zip(boxes[-2::-1], boxes[:0:-1], strict=False):
        inside, end = _braces(text, place, following)
        joined = _BETWEEN_BOXES.fullmatch(text[end:following]) if following - end < 60 else None
        if joined is None:
            break
        values.insert(0, inside)
        either |= "or" in joined[0]
    return _listed(values, either) or ""


def _braces(text: str, start: int, stop: int) -> tuple[str, int]:
    """What the first braces after a place hold, and where they end."""
    depth, begin = 0, text.index("{", start)
    for position in range(begin, stop):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[begin + 1 : position], position + 1
    return text[begin + 1 : stop], stop


def _after_marker(text: str) -> str | None:
    """What follows the last marker: its formulas if it begins with one, else its first sentence."""
    marks = list(_MARK.finditer(text))
    if not marks:
        return None
    rest = text[marks[-1].end() :].strip().lstrip("*_ ").strip()
    formula = re.match(r"\$\$?(.+?)\$\$?(?!\d)|\\\((.+?)\\\)|\\\[(.+?)\\\]", rest, re.DOTALL)
    if formula:
        return _formulas(_held(formula.groups()), rest[formula.end() :])
    sentence = re.split(r"(?<!\bi\.e)\.(?=\s|$)|\n", rest, maxsplit=1)[0].rstrip("! ")
    return trimmed(_REASON.sub("", sentence, count=1)) or None


def _formulas(first: str, rest: str) -> str | None:
    """A formula after a marker, and the values that the rest of its sentence joins to it."""
    values, either = [first], False
    while len(values) < _MOST_VALUES:
        if another := _ANOTHER.match(rest):
            values.append(_held(another.groups()[1:]))
        elif another := _ANOTHER_PLAIN.match(rest):
            values.append(another[2])
        else:
            break
        either |= "or" in another[1]
        rest = rest[another.end() :]
    return _listed(values, either)


def _held(groups: tuple[str | None, ...]) -> str:
    return next(group for group in groups if group is not None)


def _chosen(text: str) -> bool:
    """Whether a text is no more than a single word, or begins as an option or a judgement does."""
    if _BEGINS.match(text.lstrip("*_ ")) and len(text) <= _LONGEST_WORD:
        return True
    word = text.strip("()*. ")
    return bool(re.fullmatch("[A-Ja-j]", word)) or (
        text.split() == [text] and 1 < len(word) <= _LONGEST_WORD
    )


def _one_formula(text: str) -> bool:
    return bool(re.fullmatch(r"\$[^$]+\$|\\\((?:(?!\\\)).)+\\\)|\\\[(?:(?!\\\]).)+\\\]", text))
