"""`lab prompt`: what the models are given, to the token."""

import json
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.errors import ParameterError
from lab import cli_options as options
from lab import terminal


def prompt(
    ctx: typer.Context,
    question: Annotated[str, typer.Argument(help="The question.")],
    steps: Annotated[
        Path | None,
        typer.Option(
            "--steps",
            metavar="FILE",
            help="The solution so far: a JSON list of steps, or a text that the step format cuts.",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
    policy: options.Policy = None,
    prm: options.Prm = None,
    prm_format: options.PrmFormat = None,
    step_format: options.StepFormat = None,
    home: options.Home = None,
) -> None:
    """Show exactly what policy and process reward model are given, as text and as token ids.

    Only tokenizers and small files are read, no weights.
    """
    from engine.days import today
    from lab.models import format_of
    from lab.prompts import prompts
    from lab.results import ModelSettings

    settings = ModelSettings(**options.model_options(ctx))
    written: list[str] = []
    if steps is not None:
        text = _text(steps)
        written = _listed(steps, text) or list(format_of(settings)[0].read(text).taken)
    found = prompts(settings, question, written, today())
    if as_json:
        terminal.print_json(msgspec.to_builtins(found))
        return
    out = terminal.out()
    out.print(terminal.plain(f"step format: {found.step_format} ({found.source})"))
    out.print(terminal.plain(f"process reward model: {found.prm_format}"))
    for role, texts in (("policy", found.policy), ("process reward model", found.prm)):
        for one in texts:
            out.print()
            head = f"{role}, for {one.purpose}: {len(one.tokens)} tokens"
            out.print(terminal.plain(head, "bold"))
            for line in one.text.split("\n"):
                out.print(terminal.plain(line), soft_wrap=True)
            out.print(terminal.plain(f"ids: {' '.join(map(str, one.tokens))}"), soft_wrap=True)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} cannot be read as a text: {error}.") from error


def _listed(path: Path, text: str) -> list[str]:
    """The steps of a JSON list, [] where the text is none."""
    if not text.lstrip().startswith("["):
        return []
    try:
        return msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError as error:
        if _is_json(text):
            raise ParameterError(f"{path} must hold a JSON list of texts: {error}.") from error
        return []


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
