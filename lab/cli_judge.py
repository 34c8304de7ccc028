"""`lab grade`, `lab read`: what the lab makes of replies, one JSON object a line in and out."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.errors import ParameterError, TaskError
from lab import cli_options as options
from lab import terminal

BAD_LINE = 2
Row = dict[str, Any]

File = Annotated[
    Path | None,
    typer.Argument(help="JSON lines. Default: standard input.", show_default=False),
]


def grade(file: File = None, home: options.Home = None) -> None:
    """Judge answers: each line has `gold` and `answer` or `reply`, and comes back with `answer` and
    `correct` (true, false, or null where there is no right answer or nothing could be decided).

    Exit code 2 if a line cannot be judged; the others are all the same.
    """
    from engine.tasks.final_answer import extract_answer
    from engine.tasks.grading import grade as judged

    def judge(row: Row) -> Row:
        gold = _text(row, "gold")
        if "answer" in row:
            answer = None if row["answer"] is None else _text(row, "answer")
        elif "reply" in row:
            answer = extract_answer(_text(row, "reply") or "")
        else:
            raise TaskError('there is neither "answer" nor "reply"')
        return {**row, "answer": answer, "correct": judged(answer, gold)}

    _each(file, judge)


def read(
    ctx: typer.Context,
    file: File = None,
    policy: options.Policy = None,
    step_format: options.StepFormat = None,
    home: options.Home = None,
) -> None:
    """Read replies as a search does: each line has `reply`, and comes back with `steps`, `finished`
    (whether the text by itself says that the solution is at its end), `answer` (as the text states
    it, else null) and `refused` (what gives no step, and why).

    The step format is --step-format, else that of the --policy, else natural. Exit code 2 if a line
    cannot be read; the others are all the same.
    """
    from engine.tasks.step_format import NATURAL
    from lab.models import format_of
    from lab.results import ModelSettings

    given = options.model_options(ctx)
    form = format_of(ModelSettings(**given))[0] if given else NATURAL

    def take(row: Row) -> Row:
        reply = _text(row, "reply")
        if reply is None:
            raise TaskError('there is no "reply"')
        found = form.read(reply)
        ending = form.ending(found.taken)
        return {
            **row,
            "steps": list(found.steps),
            "finished": ending.finished,
            "answer": ending.answer,
            "refused": [{"text": text, "reason": reason} for text, reason in found.refused],
        }

    _each(file, take)


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise TaskError(f'"{name}" must be a text')
    return None if value is None else str(value)


def _each(file: Path | None, change: Callable[[Row], Row]) -> None:
    """Print what becomes of each line; one that is no such object comes back with an `error`."""
    failed = False
    for number, line in _lines(file):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=Row)
            changed = change(row)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            changed = {"line": number, "error": "not a JSON object"}
        except TaskError as error:
            changed = {**row, "line": number, "error": str(error)}
        failed |= "error" in changed and "line" in changed
        terminal.print_json_line(changed)
    if failed:
        raise typer.Exit(BAD_LINE)


def _lines(file: Path | None) -> Iterator[tuple[int, bytes]]:
    if file is None:
        yield from enumerate(sys.stdin.buffer, start=1)
        return
    try:
        with file.open("rb") as stream:
            yield from enumerate(stream, start=1)
    except OSError as error:
        raise ParameterError(f"{file} cannot be read: {error.strerror or error}.") from error
