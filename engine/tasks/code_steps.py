"""Steps with code, as in rStar-Math: a sentence as a comment, then the Python that does it.

    # Step 2: Take away what was sold.
    left = total - 12

Joined, the steps of a solution are a program. What it prints when it is run is what counts: the
last step prints "The answer is ...". A comment without Python may state the answer too, and counts
where nothing was printed.
"""

import ast
import io
import re
import tokenize
from collections.abc import Sequence
from typing import NamedTuple

from engine.tasks.final_answer import extract_answer, read_ending
from engine.tasks.printed import as_written

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

_OPENED = re.compile(
    r"(?P<before>(?:(?!```).)*?)```(?:python|py)\w*[ \t]*\n|\s*```[ \t]*\n",
    re.IGNORECASE | re.DOTALL,
)
_CLOSED = re.compile(r"^[ \t]*```", re.MULTILINE)
_SURELY_CLOSED = re.compile(r"^[ \t]*```[ \t]*\n", re.MULTILINE)  # where another may be opened
_LATER = re.compile(r"^#+[ \t]*Step[ \t]*\d", re.MULTILINE)
_HEAD = re.compile(
    r"(?:#+[ \t]*(?:\**Step[ \t]*\d+\**[ \t]*[:.)-]\**)?|\**Step[ \t]*\d+\**[ \t]*[:.)]\**)"
    r"[ \t]*(?P<sentence>.*?)[ \t*]*"
)


class CodeStep(NamedTuple):
    """What a reply says: the sentence and the Python below it, either "" if there is none."""

    sentence: str
    code: str


def read_code_step(raw: str) -> CodeStep:
    """The first step in a model's words, fences and later steps left away. Where its block of
    Python begins without a sentence, the last line before the block is it.
    """
    before, text = _opened(raw)
    closed = _CLOSED.search(text)
    body = (text[: closed.start()] if closed else text).strip("\r\n\t ")
    first, _, rest = body.partition("\n")
    head = _HEAD.fullmatch(first)
    sentence = head["sentence"].strip() if head else ""
    if head is None:
        rest = body
    if not sentence and before.strip():
        last = before.strip().rpartition("\n")[2].strip()
        head = _HEAD.fullmatch(last)
        sentence = (head["sentence"] if head else last).strip(" \t*:")
    later = _later(rest)
    return CodeStep(sentence, (rest if later is None else rest[:later]).strip("\n").rstrip())


def is_whole(text: str) -> bool:
    """Whether a model that goes on writing has begun something after its step."""
    first, _, rest = _opened(text)[1].lstrip().partition("\n")
    return bool(first) and (_later(rest) is not None or bool(_SURELY_CLOSED.search(rest)))


def split(reply: str) -> list[str]:
    """A whole reply cut before each later comment of a step, and where its block of Python ends."""
    before, text = _opened(reply)
    closed = _SURELY_CLOSED.search(text)
    text = text[: closed.start()] if closed else text
    parts: list[str] = []
    while text.strip():
        first, _, rest = text.partition("\n")
        later = _later(rest)
        end = len(text) if later is None else len(first) + 1 + later
        parts.append(text[:end])
        text = text[end:]
    if parts and before.strip():
        parts[0] = reply[: reply.index(parts[0]) + len(parts[0])]
    return parts


def _opened(raw: str) -> tuple[str, str]:
    """What goes before the first step in a reply, and the reply from there on."""
    opened = _OPENED.match(raw)
    before, text = (opened["before"] or "", raw[opened.end() :]) if opened else ("", raw)
    if not _HEAD.fullmatch(text.lstrip().partition("\n")[0]):
        later = _later(text)
        if later is not None and _is_prose(text[:later]):
            return before + text[:later], text[later:]
    return before, text


def _is_prose(text: str) -> bool:
    """Whether a text is no Python, or a single word."""
    try:
        lines = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return all(isinstance(line, ast.Expr) and isinstance(line.value, ast.Name) for line in lines)


def _later(code: str) -> int | None:
    """Where the comment of a later step begins; a line within a string is none."""
    found = list(_LATER.finditer(code))
    inside = _in_strings(code) if found else set()
    return next(
        (one.start() for one in found if code.count("\n", 0, one.start()) + 1 not in inside), None
    )


def _in_strings(code: str) -> set[int]:
    """The lines, from 1 on, that begin within a string."""
    lines: set[int] = set()
    if not re.search("'''|\"\"\"", code):
        return lines
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            lines.update(range(token.start[0] + 1, token.end[0] + 1))
    except tokenize.TokenError as error:
        says, (line, _) = error.args
        if "string" in says:  # it has no end yet
            lines.update(range(line + 1, code.count("\n") + 2))
    except SyntaxError:  # of its indentation: the rest is read as it is
        pass
    return lines


def has_code(step: str) -> bool:
    """Whether there is more than comments."""
    return any(line.strip() and not line.lstrip().startswith("#") for line in step.split("\n"))


def states_answer(text: str) -> bool:
    """Whether words state an answer, as `read_ending` reads them."""
    return read_ending(text).answer is not None


def ends(steps: Sequence[str], printed: str | None) -> bool:
    """Whether a program states its answer; printed: what it printed, None if it was not run."""
    if printed is None:
        return any(map(states_answer, steps))
    return states_answer(printed) or _claim(steps, printed) is not None


def answer_of(steps: Sequence[str], printed: str | None) -> tuple[str, str | None] | None:
    """The words that the answer was read from and the answer; None if there are none to read.

    What was printed goes before what a comment says; of several printed lines that state no answer
    the last one counts. Values in the notation of Python are written in that of mathematics.
    """
    lines = [line.strip() for line in (printed or "").splitlines() if line.strip()]
    stating = next((line for line in reversed(lines) if states_answer(line)), None)
    if stating is not None and printed is not None:
        answer = extract_answer(stating)
        return stating, answer and as_written(answer, _speaks_of_intervals(steps))
    claim = _claim(steps, printed)
    if claim is not None:
        return claim, extract_answer(claim)
    if not lines:
        return None
    written = as_written(lines[-1], _speaks_of_intervals(steps))
    whole = written != lines[-1] and _is_expression(lines[-1])
    return lines[-1], written if whole else extract_answer(written)


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _speaks_of_intervals(steps: Sequence[str]) -> bool:
    return any("interval" in step.lower() for step in steps)


def _claim(steps: Sequence[str], printed: str | None) -> str | None:
    """The last comment that states an answer: below it there is no Python, or none was run."""
    for step in reversed(steps):
        if printed is None or not has_code(step):
            comments = [line.lstrip("# ") for line in step.split("\n") if line.startswith("#")]
            found = next((line for line in reversed(comments) if states_answer(line)), None)
            if found is not None:
                return found.strip()
    return None
