"""What goes to the terminal: plain text where nobody looks at colours, and no hostile characters.

Questions, steps and file names are other people's text. It is printed as rich `Text`, never as
markup, and with its control characters (ANSI, bidirectional overrides) written out.
"""

import json
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from engine.exports.words import legible

PLAIN_WIDTH = 120
"""Columns where the output goes to a file or a pipe."""


def visible(text: str) -> str:
    """One line of `text` with everything that could steer a terminal written as an escape."""
    return legible(text, kept="")


def plain(text: str, style: str = "") -> Text:
    """Somebody's text, safe to print."""
    return Text(visible(text), style=style)


def out() -> Console:
    """Standard output, whatever that is at present."""
    return _console(sys.stdout)


def err() -> Console:
    """Standard error: notices, progress and errors."""
    return _console(sys.stderr)


@lru_cache(maxsize=4)
def _console(stream: TextIO) -> Console:
    # An encoding without some letter must not turn a finished search into a traceback.
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    terminal = stream.isatty()
    return Console(
        file=stream,
        # Said outright, because rich lets FORCE_COLOR and continuous integration overrule it.
        force_terminal=terminal,
        width=None if terminal else PLAIN_WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
    )


def print_json_line(value: Mapping[str, Any]) -> None:
    """One JSON object on a line of its own, in ASCII."""
    print(json.dumps(value, ensure_ascii=True), flush=True)


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object in ASCII, so that no text in it can steer the terminal it is read on."""
    print(json.dumps(value, indent=2, ensure_ascii=True), flush=True)


def notice(text: str) -> None:
    """One line on standard error."""
    err().print(plain(text), soft_wrap=True)


def error(text: str) -> None:
    """One line on standard error that says what went wrong."""
    err().print(Text.assemble(("Error: ", "bold red"), plain(text)), soft_wrap=True)
