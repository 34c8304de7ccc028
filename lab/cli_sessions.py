"""`lab sessions`: list, show, delete, export."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from lab import cli_options as options
from lab import terminal

if TYPE_CHECKING:
    from rich.text import Text

    from lab.workbench import BatchState, Workbench

app = typer.Typer(help="Stored sessions: list, show, delete, export.", no_args_is_help=True)

SessionId = Annotated[str, typer.Argument(metavar="SESSION", help="Its id or the start of it.")]


@app.callback()
def sessions(ctx: typer.Context, home: options.Home = None) -> None:
    """Stored sessions: list, show, delete, export."""


@app.command("list")
def list_sessions(
    ctx: typer.Context,
    batch: Annotated[
        str | None,
        typer.Option(metavar="BATCH", help="The sessions of a batch; its id or the start of it."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Every session, those of batches one by one.")
    ] = False,
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """List the sessions of this home, newest first; a batch of them is one line."""
    with options.workbench(ctx) as bench:
        rows: list[dict[str, Any]] = [msgspec.to_builtins(info) for info in bench.sessions()]
        batches = bench.batches()
    if batch is not None:
        chosen = resolve_batch(batch, [state.id for state in batches])
        rows = [row for row in rows if row["batch"] == chosen]
        batches = [state for state in batches if state.id == chosen]
    if as_json:
        terminal.print_json({"sessions": rows, "batches": msgspec.to_builtins(batches)})
        return
    one_by_one = whole or batch is not None
    lines = [_session_line(row) for row in rows if one_by_one or row["batch"] is None]
    if not one_by_one:
        lines = sorted([*lines, *map(_batch_line, batches)], key=lambda line: -line[0])
    if not lines:
        terminal.out().print("No sessions yet. Make one with: lab search QUESTION")
        return
    from lab import render

    columns = [
        ("session", "left"),
        ("made", "left"),
        ("iterations", "right"),
        ("nodes", "right"),
        ("answer", "left"),
        ("", "left"),
        ("question", "left"),
    ]
    terminal.out().print(render.table(columns, [cells for _, cells in lines]))


_Line = tuple[float, tuple["str | Text", ...]]


def _made(created: float) -> str:
    return datetime.fromtimestamp(created).strftime("%Y-%m-%d %H:%M")


def _session_line(row: dict[str, Any]) -> _Line:
    """When a session was made, and its cells in the table."""
    from lab import render

    return row["created"], (
        row["id"],
        _made(row["created"]),
        f"{row['iterations']:,}",
        f"{row['nodes']:,}",
        row["answer"] or "",
        render.verdict(row["correct"]),
        _title(row),
    )


def _title(row: dict[str, Any]) -> str:
    """Name and question, and who else is at it."""
    title = f"{row['name']}: {row['question']}" if row["name"] else row["question"]
    return f"{title} [{row['in_use_by']}]" if row["in_use_by"] else title


def _batch_line(state: "BatchState") -> _Line:
    """When a batch was begun, and its cells in the table."""
    right = f"{100 * state.accuracy.estimate:.1f} % right" if state.accuracy else ""
    name = f"{state.name}: " if state.name else ""
    of = f"{state.done:,} of {state.problems:,} done"
    failed = f", {state.failed:,} failed" if state.failed else ""
    title = f"{name}{state.dataset}, {of}{failed}; see --batch {state.id}"
    return state.created, ("batch", _made(state.created), "", "", right, "", title)


def resolve_batch(text: str, known: list[str]) -> str:
    """The id of the batch whose id is `text`, or the only one that starts with it.

    Raises:
        BatchNotFoundError: none or several.
    """
    from sessions.errors import BatchNotFoundError

    matches = [one for one in known if text and one.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    raise BatchNotFoundError(
        f"{text!r} is the start of {len(matches)} batches: {', '.join(matches[:5])}."
        if matches
        else f"There is no batch {text!r}; `lab sessions list` lists them."
    )


@app.command()
def show(
    ctx: typer.Context,
    session: SessionId,
    whole: Annotated[bool, typer.Option("--all", help="Show every node of a large tree.")] = False,
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Show a session's tree and answer as `lab search` does."""
    with options.workbench(ctx) as bench:
        show_result(bench, resolve(bench, session), as_json=as_json, whole=whole)


@app.command()
def delete(
    ctx: typer.Context,
    session: SessionId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    home: options.Home = None,
) -> None:
    """Delete a session and its log for good."""
    with options.workbench(ctx) as bench:
        identifier = resolve(bench, session)
        if not yes:
            if not sys.stdin.isatty():
                raise typer.BadParameter("deleting needs --yes where nobody can be asked")
            typer.confirm(f"Delete session {identifier} for good?", abort=True)
        bench.delete(identifier)
    terminal.notice(f"Deleted session {identifier}.")


@app.command()
def export(
    ctx: typer.Context,
    session: SessionId,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write there, not to the terminal."),
    ] = None,
    home: options.Home = None,
) -> None:
    """Print a session's tree and log as one JSON object."""
    with options.workbench(ctx) as bench:
        exported = bench.export(resolve(bench, session))
    if output is None:
        terminal.print_json(exported)
        return
    try:
        output.write_text(json.dumps(exported, ensure_ascii=True, indent=2) + "\n", "ascii")
    except OSError as error:
        raise typer.BadParameter(f"{output} cannot be written ({error.strerror})") from error
    terminal.notice(f"Wrote {output}.")


def resolve(bench: "Workbench", text: str) -> str:
    """The id of the session whose id is `text`, or the only one that starts with it.

    Raises:
        SessionNotFoundError: none or several.
    """
    from sessions.errors import SessionNotFoundError

    known = [info.id for info in bench.sessions()]
    matches = [text] if text in known else [one for one in known if text and one.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise SessionNotFoundError(
            f"{text!r} is the start of {len(matches)} sessions: {', '.join(matches[:5])}."
        )
    raise SessionNotFoundError(
        f"There is no session {text!r} in {bench.home}; `lab sessions list` lists them."
    )


def show_result(bench: "Workbench", session: str, *, as_json: bool, whole: bool) -> None:
    """What `lab search` and `lab sessions show` print."""
    result = msgspec.to_builtins(bench.show(session))
    if as_json:
        terminal.print_json(result)
        return
    from lab import render

    out = terminal.out()
    out.print(render.tree(bench.delta(session, -1), None if whole else render.LINES))
    out.print()
    out.print(render.summary(result))
    ended = result["stop"] in render.ENDED
    more = "" if ended else f" Go on with: {options.go_on(session, bench.home)}"
    out.print(f"Session {session}.{more}", soft_wrap=True)
