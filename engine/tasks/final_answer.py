r"""Where a solution states its final answer, and what the answer is; nothing is ever evaluated.

Statements are found first: LaTeX boxes, tags, a line "#### 5", words such as "the answer is 5". Of
those that are sound and not taken back the last of the highest rank counts. Whether an answer is
right is decided in `engine.tasks.grading`.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from engine.tasks import answer_words as words
from engine.tasks.answer_values import braces, listed, sentence_end, speaks_of_value, value_of
from engine.tasks.numerals import trimmed
from engine.tasks.thoughts import without_thoughts as without_thoughts
from engine.tasks.unstated import conclusion, unstated

LONGEST_WORDS = 8_000
"""Of a longer text, in characters, only the end is looked at."""

_MOST = 60
"""Statements of a kind that are looked at, from the end."""

_BOX = re.compile(
    r"\\?\b(?:f?boxed|framebox|fbox)\s*(?=\{)|\\boxed\s*(\w)|<\|begin_of_box\|>", re.IGNORECASE
)
_DRESS = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\b")
_TAG = re.compile(
    r"[<\[]((?:final_?)?answer|ans|solution)[>\]]((?:(?![<\[]/?\1[>\]]).){0,2000})([<\[]/\1[>\]])?",
    re.IGNORECASE | re.DOTALL,
)
_HASHES = re.compile(
    r"(?:^|(?<=\n))#### {0,3}(?=\S)([-+$\u20ac\u00a3]{0,2} ?[\d.,/]*\d ?%?(?: [a-z]{1,15}){0,2}|\$[^$\n]{1,80}\$"
    r"|\\[^\n]{1,80}|\(?[A-J]\)?)[ .]*(?=\n|$)"
)
_SPACING = re.compile(r"\\text\b|\\q?quad|\\[\[\]() ,;:!]|[\s${}~*]")
_JOINED = re.compile(r"(?:,|;|,?(?:and|or)|[,;](?:and|or))(?:[A-Za-z]\w{0,3}(?:_\w{1,3})?=)?")
_CALCULATED = re.compile(r"<<[^<>\n]{0,200}>>")
_LAST_MARKS = re.compile(r"(?:\s*(?:<\|(?!end_of_box)\w{1,30}\|>|</s>|<eos>|<end_of_turn>))+\s*$")
_PROGRAM = re.compile(
    r"^[ \t]*```[ \t]*(?:py|c\b|cpp|java|js|ts|sql|rust|go\b|r\b|bash|sh\b).*?(?:^[ \t]*```[ \t]*$|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}
"""Full-width forms of ASCII."""


class Ending(NamedTuple):
    """How a text ends.

    finished: the text by itself says that the solution is at its end. answer: the final answer,
    None if none is stated. words: the sentence or line that states it, "" if there is none.
    """

    finished: bool
    answer: str | None
    words: str


class _Statement(NamedTuple):
    """rank: what goes before what. sound: said outright. doubted: said of what is no answer.

    whole: not cut off in its middle.
    """

    rank: int
    start: int
    end: int
    answer: str
    sound: bool
    doubted: bool = False
    whole: bool = True


def read_ending(text: str) -> Ending:
    """Whether a solution is finished by its words, and the final answer that it states.

    Thoughts are not read. No end is what is asked, supposed, denied, said of a part, or taken back.
    """
    text = _plain(text)
    found = _best(text, _statements(text))
    if found is None:
        return Ending(False, None, "")
    begin = found.start - len(_clause(text, found.start))
    said = text[begin : sentence_end(text, found.end)]
    return Ending(found.whole, found.answer, said.strip())


def extract_answer(text: str) -> str | None:
    """The final answer of a reply that has ended, None if there is none.

    That of `read_ending`; where none is stated outright, what the reply comes to at its end: a bare
    value, an option, a formula, the last number.
    """
    text = _plain(text)
    statements = _statements(text)
    if found := _best(text, statements):
        return found.answer
    if not statements:
        return unstated(text)
    last = max(statements, key=lambda one: (one.end, one.start))
    before = conclusion(text[: last.start])
    return (
        conclusion(text[last.end :])
        or (before if last.doubted else last.answer)
        or before
        or unstated(text)
    )


def _plain(text: str) -> str:
    """The part of a text that is read, without thoughts, in plain characters."""
    text = _LAST_MARKS.sub("", without_thoughts(text)[-LONGEST_WORDS:])
    return _CALCULATED.sub("", text.replace("\r\n", "\n").translate(_WIDE)).strip()


def _statements(text: str) -> list[_Statement]:
    """What states an answer, or looks like it; not what a program would print."""
    programs = [code.span() for code in _PROGRAM.finditer(text)]
    found = (*_boxes(text), *_tags(text), *_hashes(text), *_said(text))
    return [one for one in found if not any(a <= one.start < b for a, b in programs)]


def _best(text: str, statements: list[_Statement]) -> _Statement | None:
    """The statement that counts: none that is unsound or taken back."""
    back = max((found.start() for found in words.RETRACTED.finditer(text)), default=-1)
    standing = [one for one in statements if one.sound and one.end > back]
    return max(standing, key=lambda one: (one.rank, one.end, one.start), default=None)


def _last(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    return list(pattern.finditer(text))[-_MOST:]


def _boxes(text: str) -> Iterator[_Statement]:
    """LaTeX boxes, each with those before it that "and", "or" or a comma joins to it."""
    values: list[str] = []
    either, start, last_end = False, 0, -1
    for box in _last(_BOX, text):
        if box[1]:
            inside, end, whole = box[1], box.end(), True
        elif box[0].startswith("<"):
            inside, closed, _ = text[box.end() :].partition("<|end_of_box|>")
            end, whole = box.end() + len(inside + closed), bool(closed)
            inside = _inside(inside)
        else:
            inside, end, whole = braces(text, box.end())
        gap = _SPACING.sub("", text[last_end : box.start()]) if values else ""
        if not _JOINED.fullmatch(gap):
            values, either, start = [], False, box.start()
        values.append(inside)
        either |= gap.lstrip(",;").startswith("or")
        last_end = end
        answer = listed(values, either) or ""
        hollow = bool(words.PLACEHOLDER.fullmatch(_DRESS.sub("", inside)))
        doubted = hollow or bool(words.DOUBTED.search(_clause(text, start))) or _asked(text, end)
        yield _Statement(3, start, end, answer, bool(answer) and not doubted, doubted, whole)


def _tags(text: str) -> Iterator[_Statement]:
    for tag in _last(_TAG, text):
        inside = tag[2].strip()
        if _BOX.search(inside):
            continue
        hollow, answer = bool(words.PLACEHOLDER.fullmatch(inside)), _inside(inside)
        sound = bool(answer) and not hollow
        yield _Statement(2, tag.start(), tag.end(), answer, sound, hollow, bool(tag[3]))


def _inside(text: str) -> str:
    """The answer between the marks of one: each line a value, or a solution that comes to it."""
    lines = [value_of(line) for line in text.split("\n") if line.strip()]
    if all(line.sound and not line.prose for line in lines) or len(lines) == 1:
        return ", ".join(line.answer for line in lines)
    return unstated(text) or ""


def _hashes(text: str) -> Iterator[_Statement]:
    for line in _last(_HASHES, text):
        yield _Statement(1, line.start(), line.end(), trimmed(line[1]), True)


def _said(text: str) -> Iterator[_Statement]:
    """Statements in words, and what only looks like one."""
    for turned in _last(words.TURNED, text):
        doubted = bool(words.DOUBTED.search(_clause(text, turned.start()))) or _asked(
            text, turned.end()
        )
        sound = not doubted and turned["sure"] is not None
        yield _Statement(0, turned.start(), turned.end(), trimmed(turned["value"]), sound, doubted)
    for mark in _last(words.MARK, text):
        value = value_of(text[mark.end() :])
        if not value.answer or not (value.sound or speaks_of_value(value.answer)):
            continue
        end, clause = mark.end() + value.end, _clause(text, mark.start())
        doubted = bool(words.DOUBTED.search(clause)) or text[end : end + 1] == "?"
        doubted = doubted and not value.corrected
        later = value.prose and re.search(r"\d", text[end:])
        sound = value.sound and not (doubted or later or _is_remark(mark[0], clause, value.answer))
        yield _Statement(0, mark.start(), end, value.answer, sound, doubted, value.whole)


def _is_remark(mark: str, clause: str, answer: str) -> bool:
    """Whether words that look like a statement ask for the answer, or say something about it."""
    beside = " ".join([*clause.split()[-1:], mark])
    if words.INSTRUCTED.search(clause) or words.PART.search(beside):
        return True
    if "would" in mark and clause.lower().startswith("if "):
        return True
    if not mark[-1].isalpha():  # a colon or a heading
        return False
    modal = mark.endswith("be") and not speaks_of_value(answer)
    return modal or words.LOOSE.match(answer) is not None


def _clause(text: str, start: int) -> str:
    """What goes before a place in its sentence."""
    before, begin = text[max(0, start - 200) : start].rpartition("\n")[2], 0
    while (stop := sentence_end(before, begin)) < len(before):
        begin = stop + 1
    return before[begin:]


def _asked(text: str, end: int) -> bool:
    """Whether the sentence that goes on at a place is a question."""
    stop = sentence_end(text, end)
    return text[stop : stop + 1] == "?"
