"""The question of a row, made whole: its parts joined, its numbers filled in, its images missed."""

import re
from collections.abc import Iterable, Sequence

from engine.errors import TaskError
from engine.tasks.cells import is_empty, same_name, value_of
from engine.tasks.tables import Row

STORIES = ("body", "passage", "context", "article", "table")
"""Fields that tell what a question is about, and stand before it."""

NUMBERS = ("numbers", "nums", "num_list", "number_list")
"""Fields with the numbers that stand for placeholders."""

_IMAGE_FIELD = re.compile(
    r"(?:decoded)?(?:image|img|picture|figure|diagram)(?:path|file|url)?s?\d*"
)
_IMAGE = re.compile(
    r"<image(?: ?\d{1,3})?>|<img[ _][^<>]{0,300}>|!\[[^\]\n]{0,300}\]\([^)\n]{1,2000}\)"
    r"|\\includegraphics\b"
)
_MARKED = r"number_?(?P<number>\d{1,3})\b|[\[<]NUM_?(?P<num>\d{0,3})[\]>]"
_PLACEHOLDER = re.compile(rf"(?<!\w)(?:{_MARKED})")
"""What is a placeholder wherever it stands."""

_FILLED = re.compile(
    rf"(?<!\w)(?:{_MARKED}|N_?(?P<n>\d{{1,3}})\b|temp_(?P<letter>[a-z])\b|(?P<next>NUM)\b)"
)
"""What is one where the row has numbers for it."""

_A_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:/\d+)?%?")
_ENDS = ".?!:;,\u3002\uff1f\uff01\uff1a\uff0c\u2026"


def joined(parts: Iterable[str]) -> str:
    """Parts of a question as one text. A story of one line is a sentence before the question, a
    longer one a paragraph; a part that another one has in it is not said twice.
    """
    told = [part for part in parts if part]
    plain = [" ".join(part.split()) for part in told]
    kept = [
        part
        for place, part in enumerate(told)
        if not any(
            plain[place] in other and (plain[place] != other or place > before)
            for before, other in enumerate(plain)
            if before != place
        )
    ]
    text = ""
    for part in kept:
        if not text:
            text = part
        elif "\n" in text or "\n" in part:
            text += f"\n\n{part}"
        else:
            text += f" {part}" if text[-1] in _ENDS else f". {part}"
    return text


def filled(content: str, numbers: str | Sequence[str]) -> str:
    """A question with the numbers of its row in the place of "number0", "[NUM1]", "N_0", "temp_a".

    Args:
        content: the question.
        numbers: in their order, as a list or in one text: "76 25".

    Raises:
        TaskError: a placeholder has no number, or what should be numbers are none.
    """
    listed = re.split(r"[\s,;\[\]]+", numbers) if isinstance(numbers, str) else numbers
    values = [_number(one) for one in listed if one]
    counted = 0

    def of(found: re.Match[str]) -> str:
        nonlocal counted
        groups = found.groupdict()
        if letter := groups.get("letter"):
            place = ord(letter) - ord("a")
        else:
            digits = groups["number"] or groups["num"] or groups.get("n") or ""
            place = int(digits) if digits else counted
            counted += not digits
        if place >= len(values):
            raise TaskError(
                f"its question has the placeholder {found[0]!r}, and the row "
                + (f"has {len(values)} numbers" if values else "names no numbers")
            )
        return values[place]

    return (_FILLED if values else _PLACEHOLDER).sub(of, content)


def _number(text: str) -> str:
    if not _A_NUMBER.fullmatch(text):
        raise TaskError(f"its numbers are none: {text[:40]!r}")
    return re.sub(r"\.0*(?=$|[/%])", "", text)


def image_fields(there: Iterable[str]) -> list[str]:
    """Fields that hold images."""
    return [field for field in there if _IMAGE_FIELD.fullmatch(same_name(field))]


def check_images(row: Row, fields: Iterable[str], content: str) -> None:
    """Raises TaskError if a question cannot be asked without an image that it has."""
    for field in fields:
        if not is_empty(value_of(row, field)):
            raise TaskError(f"it needs the image in {field!r}")
    if (shown := _IMAGE.search(content)) and "\\nonessentialimage" not in content:
        raise TaskError(f"it needs an image: its question has {shown[0][:40]!r}")
