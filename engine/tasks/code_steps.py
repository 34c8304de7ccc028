"""Steps with code, as in rStar-Math: a sentence as a comment, then the Python that does it.

    # Step 2: Take away what was sold.
    left = total - 12

Joined, the steps of a solution are a program. What it prints when it is run is what counts: the
last step prints "The answer is ...". A comment without Python may state the answer too, and counts
where nothing was printed.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from engine.tasks.grading import extract_answer

SOLVE_IN_CODE = """\
Solve the problem below by a Python program, written step by step. Begin each step with a comment \
line "# Step k: ", where k is its number, and say in one sentence what the step does; below it \
write the Python that does it. A step goes on from the variables of the steps before it, and the \
program so far must run after each step. math, fractions, itertools, statistics, sympy and numpy \
can be imported; files and the network cannot be reached. When the problem is solved, let the last \
step print the answer: print("The answer is", answer)

Problem: {question}"""
"""Default prompt for steps with code."""

OPENING, CLOSING = "```python\n", "```"
"""What stands before and after the program in a model's reply."""

LAST_CHARACTERS = "0123456789\n"
"""A step's end is seen at one of these."""

_OPENED = re.compile(r"[^`]*?```(?:python|py)\w*[ \t]*\n|\s*```[ \t]*\n", re.IGNORECASE)
_CLOSED = re.compile(r"^[ \t]*```", re.MULTILINE)
_SURELY_CLOSED = re.compile(r"^[ \t]*```[ \t]*\n", re.MULTILINE)  # where another may be opened
_LATER = re.compile(r"^#+[ \t]*Step[ \t]*\d", re.MULTILINE)
_HEAD = re.compile(
    r"(?:#+[ \t]*(?:\**Step[ \t]*\d+\**[ \t]*[:.)-]\**)?|\**Step[ \t]*\d+\**[ \t]*[:.)]\**)"
    r"[ \t]*(?P<sentence>.*?)[ \t*]*"
)
_STATES = re.compile(r"answer\s+is\b|\banswer\s*:|\\boxed", re.IGNORECASE)


class CodeStep(NamedTuple):
    """What a reply says: the sentence and the Python below it, either "" if there is none."""

    sentence: str
    code: str


def read_code_step(raw: str) -> CodeStep:
    """The first step in a model's words, fences and later steps left away."""
    body = _body(raw)
    first, _, rest = body.partition("\n")
    head = _HEAD.fullmatch(first)
    if head is None:
        return CodeStep("", body)
    code = rest[: later.start()] if (later := _LATER.search(rest)) else rest
    return CodeStep(head["sentence"].strip(), code.strip("\n").rstrip())


def _body(raw: str) -> str:
    opened = _OPENED.match(raw)
    text = raw[opened.end() :] if opened else raw
    closed = _CLOSED.search(text)
    return (text[: closed.start()] if closed else text).strip("\r\n\t ")


def is_whole(text: str) -> bool:
    """Whether a model that goes on writing has begun something after its step."""
    opened = _OPENED.match(text)
    first, _, rest = (text[opened.end() :] if opened else text).lstrip().partition("\n")
    return bool(first) and bool(_LATER.search(rest) or _SURELY_CLOSED.search(rest))


def has_code(step: str) -> bool:
    """Whether there is more than comments."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in step.split("\n"))


def states_answer(text: str) -> bool:
    """Whether words state an answer: "answer is", "Answer:" or a LaTeX box."""
    return _STATES.search(text) is not None


def ends(steps: Sequence[str], printed: str | None) -> bool:
    """Whether a program states its answer; printed: what it printed, None if it was not run."""
    if printed is None:
        return any(map(states_answer, steps))
    return states_answer(printed) or _claim(steps, printed) is not None


def answer_of(steps: Sequence[str], printed: str | None) -> tuple[str, str | None] | None:
    """The words that the answer was read from and the answer; None if there are none to read.

    What was printed goes before what a comment says; of several printed lines that state no answer
    the last one counts.
    """
    lines = [line.strip() for line in (printed or "").splitlines() if line.strip()]
    stating = next((line for line in reversed(lines) if states_answer(line)), None)
    if stating is not None and printed is not None:
        return stating, extract_answer(stating)
    claim = _claim(steps, printed)
    if claim is not None:
        return claim, extract_answer(claim)
    return (lines[-1], extract_answer(lines[-1])) if lines else None


def _claim(steps: Sequence[str], printed: str | None) -> str | None:
    """The last comment that states an answer: below it there is no Python, or none was run."""
    for step in reversed(steps):
        if printed is None or not has_code(step):
            comments = [line.lstrip("# ") for line in step.split("\n") if line.startswith("#")]
            found = next((line for line in reversed(comments) if states_answer(line)), None)
            if found is not None:
                return found.strip()
    return None
