"""Steps that are numbered anew: a model's words become one line "Step k: ...".

A model is asked for such lines and writes them in many ways: "Next step: X", "### Step 4: X",
"- **Step 4.** X", or X alone. Display mathematics, and what a heading or a colon leads on to, stay
with their step; where the next one begins is seen at the beginning of a line, never inside one.
"""

import re

from engine.tasks import natural_steps
from engine.tasks.thoughts import without_thoughts

_LINE_BEGINS = (
    r"[ \t]{0,12}(?:(?:[-+\u2022>]|[*](?!\*)|\d{1,3}[.)](?=[ \t]*[*_#]*step))[ \t]{1,12}){0,3}"
)
_STEP = (
    r"[#*_ \t]{0,12}step[ \t]{0,3}#?\d{1,3}[*_]{0,3}[ \t]{0,3}(?:[:\uff1a.)]|[-\u2013\u2014](?=\s))"
)
_NEXT = r"[#*_ \t]{0,12}next step[ \t]?[:\uff1a]"
_HEAD = re.compile(rf"\s*{_LINE_BEGINS}(?:{_STEP}|{_NEXT})[*_]{{0,3}}\s*", re.IGNORECASE)
_LATER = re.compile(rf"\n{_LINE_BEGINS}(?:{_STEP}|{_NEXT})|\sNext step:", re.IGNORECASE)
_ANNOUNCED = "Next step:"
_LITTER = re.compile(r"[\s#]*\s[#>*-]+\s*$|^[#>]+\s*$")


def is_whole(text: str) -> bool:
    """Whether a model that goes on writing has ended its step."""
    head = _HEAD.match(text)
    rest = text[head.end() :] if head else text
    if not rest.strip():
        return False
    return bool(_LATER.search(rest)) or natural_steps.first_end(text, unit="line") is not None


def split(reply: str) -> list[str]:
    """A whole reply cut where a model would have been stopped after each step."""
    parts: list[str] = []
    while reply.strip():
        end = natural_steps.first_end(reply, unit="line")
        while end is not None and not is_whole(reply[:end]):
            following = natural_steps.first_end(reply[end:], reply[:end], unit="line")
            end = None if following is None else end + following
        end = len(reply) if end is None else end
        head = _HEAD.match(reply)
        if later := _LATER.search(reply, head.end() if head else 0, end):
            end = later.start() + 1
        parts.append(reply[:end])
        reply = reply[end:]
    return parts


def read_step(raw: str) -> tuple[bool, str]:
    """Whether a reply announces its step, and the step's text on one line."""
    text = without_thoughts(raw).strip()
    announced = True
    if _ANNOUNCED in text:
        text = text.split(_ANNOUNCED, 1)[1]
    elif head := _HEAD.match(text):
        text = text[head.end() :]
        for mark in ("**", "__"):
            if head[0].count(mark) % 2:  # the bold words go on after the number
                text = text.replace(mark, "", 1)
    else:
        announced = False
    text = _LATER.split(text, maxsplit=1)[0]
    text = " ".join(line.strip() for line in text.splitlines() if line.strip())
    return announced, _without_litter(text)


def _without_litter(text: str) -> str:
    """Without marks that are left of a heading or of bold words that begin or end elsewhere."""
    text = _LITTER.sub("", text)
    for mark in ("**", "__"):
        if text.count(mark) % 2 and text.endswith(mark):
            text = text.removesuffix(mark).rstrip()
    return text
