r"""Steps of a reply that a model writes in its own way: where one ends, to the letter.

Nothing is renumbered, cut off or refused for its looks: joined, the steps are the reply. Whether a
step has ended depends on nothing but the lines before, so that a model can be stopped there while
it writes. Blank lines that follow belong to the step before them, as far as they are known by then.
"""

import re
from typing import Literal

from engine.tasks.final_answer import read_ending
from engine.tasks.thoughts import is_open, split_thought, without_marks

Unit = Literal["paragraph", "line", "heading"]

LAST_CHARACTERS = "\n"
"""A step ends after one of these alone."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_BLANK_LINES = re.compile(r"(?:[^\S\n]*\n)*")
_MARKS = re.compile(
    # A line break of LaTeX and a price open nothing.
    r"\\\\|\\\$|(?P<mark>\\\[|\\\]|\$\$)|\\(?P<way>begin|end)\s?\{(?P<name>[A-Za-z]{1,20}\*?)\}"
)
_FENCE = re.compile(r"[ \t]{0,12}(?P<mark>`{3,}|~{3,})(?P<rest>[^`\n]*)\s*")
_ITEM = r"\s{0,12}(?:(?:[-*+\u2022>]|\d{1,3}[.)])\s{1,12}){0,3}"
_HEADINGS = tuple(
    re.compile(_ITEM + pattern, re.IGNORECASE)
    for pattern in (
        r"#{1,6}\s+(?P<words>\S.*)",
        r"(?:\*\*|__)(?P<words>[^*\n]{1,200})(?:\*\*|__)\s*[:\uff1a.]?",
        r"\\(?:(?:sub){0,2}section\*?|paragraph\*?|textbf)\s?\{(?P<words>[^{}\n]{1,200})\}",
        r"[*_]{0,3}(?P<words>step\s{0,3}#?\d{1,3})[*_]{0,3}\s{0,3}[:\uff1a.)]?[*_]{0,3}",
    )
)
_BEGINS_A_STEP = re.compile(_ITEM + r"[#*_\s]{0,12}step\s{0,3}#?\d{1,3}\b", re.IGNORECASE)
_A_NUMBER = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*")
_RULE = re.compile(r"\s*(?:={3,}|-{3,}|\*{3,}|_{3,}|(?:[-*_]\s){2,}[-*_])\s*")
_COLON = re.compile(r"[:\uff1a][\s*_]*$")
_ROW = re.compile(r"\s*\|.*\|\s*")
_HEAD_OF_TABLE = re.compile(r"\s*\|?(?:\s*:?-{2,}:?\s*\|){1,99}(?:\s*:?-{2,}:?)?\s*")


def split(text: str, unit: Unit = "paragraph", thoughts: bool = False) -> list[str]:
    """The steps of a whole reply; joined they are the reply.

    Args:
        text: of the reply.
        unit: a step ends at a blank line, at the end of a line, or before the next heading.
        thoughts: parts of a thought are steps; else a thought belongs to the step that follows it.
    """
    steps: list[str] = []
    rest = text
    while rest:
        end = first_end(rest, "".join(steps), unit, thoughts)
        if end is None or not rest[end:].strip():
            end = len(rest)
        steps.append(rest[:end])
        rest = rest[end:]
    return steps


def first_end(
    text: str, before: str = "", unit: Unit = "paragraph", thoughts: bool = False
) -> int | None:
    """Where the first step of a text ends, None where it goes on to the end of the text.

    Args:
        text: what was written after the steps before.
        before: those steps, joined.
        unit: as of `split`.
        thoughts: as of `split`.
    """
    place = 0 if thoughts else len(split_thought(text)[0])
    open_ = _Open(before)
    last, said = "", False
    for line in _LINE.findall(text[place:]):
        if not line.endswith("\n"):
            break
        if unit == "heading" and said and not open_ and _parts(line):
            return place
        place += len(line)
        blank = not line.strip()
        if not blank:
            last, said = line, said or _says(line)
            open_.read(line)
        ends = blank if unit == "paragraph" else unit == "line" and not _ROW.fullmatch(line)
        if not ends or not said or open_ or _leads_on(last):
            continue
        if thoughts or not is_open(before + text[:place]):
            blanks = _BLANK_LINES.match(text, place)
            return blanks.end() if blanks else place
    return None


def is_heading(line: str) -> bool:
    """Whether a line is a heading and nothing else: it belongs to what follows.

    One that is a number, or states the answer, says something itself ("#### 60").
    """
    words = next(
        (found["words"] for one in _HEADINGS if (found := one.fullmatch(line.rstrip()))), ""
    )
    return bool(words) and not _A_NUMBER.fullmatch(words) and not read_ending(line).finished


def _parts(line: str) -> bool:
    """Whether a line begins a new step where headings part them."""
    return is_heading(line) or bool(_BEGINS_A_STEP.match(line))


def _says(line: str) -> bool:
    """Whether a line is more than a heading, a rule, or the mark of a thought."""
    words = without_marks(line)
    return not words.isspace() and not is_heading(line) and not _RULE.fullmatch(words)


def _leads_on(line: str) -> bool:
    """Whether a line, the last of its paragraph, belongs together with what follows."""
    words = without_marks(line)
    apart = any(one.fullmatch(words) for one in (_RULE, _HEAD_OF_TABLE))
    return apart or bool(_COLON.search(words)) or is_heading(words)


class _Open:
    """What is open after the lines read so far: code, display mathematics, environments."""

    def __init__(self, before: str) -> None:
        self._fence = ""
        self._marks: list[str] = []
        for line in _LINE.findall(before):
            self.read(line)

    def __bool__(self) -> bool:
        return bool(self._fence or self._marks)

    def read(self, line: str) -> None:
        fence = _FENCE.fullmatch(line)
        if self._fence:
            closes = fence and fence["mark"].startswith(self._fence) and not fence["rest"].strip()
            self._fence = "" if closes else self._fence
        elif fence:
            self._fence = fence["mark"]
        else:
            for mark in _MARKS.finditer(line):
                self._meet(mark)

    def _meet(self, mark: re.Match[str]) -> None:
        name = mark["mark"] or mark["name"]
        if not name:
            return
        opening = {"\\]": "\\["}.get(name, name)
        closes = name == "\\]" or mark["way"] == "end" or (name == "$$" and "$$" in self._marks)
        if not closes:
            self._marks.append(opening)
        elif opening in self._marks:
            while self._marks.pop() != opening:
                pass
