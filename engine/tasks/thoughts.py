"""The thoughts of models that think before they answer: what stands between two marks.

A thought is no part of a solution. It may be closed, still open, or opened by the prompt, so that
the reply shows its closing mark alone.
"""

import re
from collections.abc import Sequence

MARKS: tuple[tuple[str, str], ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<seed:think>", "</seed:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("[THINK]", "[/THINK]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<unused94>", "<unused95>"),
    ("<|channel>thought", "<channel|>"),
    ("<|channel|>analysis<|message|>", "<|end|>"),
)
"""(opening, closing) of each family of models; letter case does not count."""

_REPLY_BEGINS = ("<|channel|>final<|message|>", "[BEGIN FINAL RESPONSE]")
"""All that stands before one of these is thought, whatever else is marked in it."""

_CLOSING = {opening.lower(): closing for opening, closing in MARKS}
_ALONE = {closing.lower() for _, closing in MARKS} - {"<|end|>"}  # which ends any turn of others
_ANY = re.compile(
    "|".join(re.escape(mark) for mark in (*(m for pair in MARKS for m in pair), *_REPLY_BEGINS)),
    re.IGNORECASE,
)


def _thoughts(text: str) -> tuple[list[tuple[int, int]], str]:
    """Where the thoughts of a text lie, marks included, and what closes the last, "" if closed."""
    found: list[tuple[int, int]] = []
    begin, closing = 0, ""
    for mark in _ANY.finditer(text):
        said = mark[0].lower()
        if mark[0].upper() in map(str.upper, _REPLY_BEGINS) or (not closing and said in _ALONE):
            found, closing = [(0, mark.end())], ""
        elif not closing and said in _CLOSING:
            begin, closing = mark.start(), _CLOSING[said]
        elif said == closing.lower():
            found.append((begin, mark.end()))
            closing = ""
    return [*found, *([(begin, len(text))] if closing else [])], closing


def without_thoughts(text: str) -> str:
    """A text without its thoughts and their marks; the rest is left to the letter."""
    kept, place = [], 0
    for begin, end in _thoughts(text)[0]:
        kept.append(text[place:begin])
        place = end
    return "".join(kept) + text[place:]


def without_marks(text: str) -> str:
    """A text whose thoughts are left in, without their marks."""
    return _ANY.sub("", text) if _ANY.search(text) else text


def has_thought(text: str) -> bool:
    """Whether a thought is marked anywhere in a text."""
    return bool(_thoughts(text)[0])


def begins_mark(text: str) -> bool:
    """Whether a text is so far nothing but the beginning of an opening mark, or blank."""
    said = text.strip().lower()
    return any(opening.lower().startswith(said) for opening, _ in MARKS)


def by_marks(text: str) -> list[tuple[str, bool]]:
    """A text cut at the marks of thoughts: (piece, whether it is a mark); joined it is the text."""
    pieces, place = [], 0
    for mark in _ANY.finditer(text):
        pieces += [(text[place : mark.start()], False), (mark[0], True)]
        place = mark.end()
    return [piece for piece in [*pieces, (text[place:], False)] if piece[0]]


def as_solution(steps: Sequence[str]) -> tuple[str, ...]:
    """Steps as they are valued: without thoughts that one of them holds whole, and where parts of a
    thought are steps, without its marks.
    """
    if not _ANY.search("".join(steps)):
        return tuple(steps)
    found: list[str] = []
    before = ""
    for step in steps:
        inside = is_open(before) or is_open(before + step)
        found.append(without_marks(step) if inside else without_thoughts(step))
        before += step
    return tuple(found)


def split_thought(text: str) -> tuple[str, str]:
    """The thoughts that a text begins with, marks included, and the rest; joined they are the
    text. ("", text) if it begins otherwise.
    """
    place = 0
    for begin, end in _thoughts(text)[0]:
        if text[place:begin].strip():
            break
        place = end
    return text[:place], text[place:]


def is_open(text: str) -> bool:
    """Whether a text ends within a thought."""
    return bool(closing_of(text))


def closing_of(text: str) -> str:
    """The mark that closes the thought that a text ends in, "" if it ends in none."""
    return _thoughts(text)[1]
