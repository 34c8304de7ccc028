"""`lab export`: training rows and trees into files."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import typer

from lab import cli_options as options
from lab import terminal

if TYPE_CHECKING:
    from lab.export import RowsReport, Selection
    from lab.workbench import Workbench

Format = Literal[
    "values", "traces", "generation", "pairs", "trl-sft", "trl-dpo", "trl-stepwise", "tree"
]
As = Literal["jsonl", "parquet", "datasets", "json", "graphml", "html", "png", "svg", "pdf"]
_WHICH = "Which sessions"
_WHAT = "What of them"
_SHOWN = 10


def _moment(text: str) -> float:
    """Unix time of a date, or of a date and time; local unless it says otherwise."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise typer.BadParameter(
            f"{text!r} is no date: it takes one such as 2026-11-20 or 2026-11-20T17:30"
        ) from error


def _dated(text: str) -> Any:
    return typer.Option(help=text, metavar="DATE", parser=_moment, rich_help_panel=_WHICH)


def export(
    ctx: typer.Context,
    form: Annotated[Format, typer.Argument(metavar="FORMAT", help="What to write, see above.")],
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            help="A file; for rows .jsonl, .parquet or a folder, for a tree .json, .jsonl, "
            ".graphml, .html, .png, .svg or .pdf.",
        ),
    ],
    session: Annotated[
        list[str] | None,
        typer.Option(help="A session, again and again.", rich_help_panel=_WHICH),
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="Those of a batch.", rich_help_panel=_WHICH)
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Those of all batches of a dataset.", rich_help_panel=_WHICH),
    ] = None,
    algorithm: Annotated[
        str | None, typer.Option(help="Those of a search algorithm.", rich_help_panel=_WHICH)
    ] = None,
    answered: Annotated[
        Literal["right", "wrong", "ungraded", "none"] | None,
        typer.Option(help="Those with such an answer.", rich_help_panel=_WHICH),
    ] = None,
    since: Annotated[
        float | None, _dated("Made on that day (or at that time), local time, or later.")
    ] = None,
    until: Annotated[float | None, _dated("Made before that day or time.")] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Every session.", rich_help_panel=_WHICH)
    ] = False,
    measured: Annotated[
        bool,
        typer.Option(
            "--measured",
            help="Rows of searches of held-out problems too, which rounds and evaluations measure.",
            rich_help_panel=_WHICH,
        ),
    ] = False,
    method: Annotated[
        Literal["paper", "reference", "hard", "soft", "progress"],
        typer.Option(help="How rewards are inferred.", rich_help_panel=_WHAT),
    ] = "paper",
    correct: Annotated[
        bool, typer.Option("--correct", help="Right solutions only.", rich_help_panel=_WHAT)
    ] = False,
    min_value: Annotated[
        float | None,
        typer.Option(
            help="Least label, value of a solution, or score of the better step.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    by: Annotated[
        Literal["reward", "value", "q", "correct"],
        typer.Option(help="What makes a step of a pair better.", rich_help_panel=_WHAT),
    ] = "reward",
    margin: Annotated[
        float,
        typer.Option(min=0.0, help="By how much at least.", rich_help_panel=_WHAT),
    ] = 0.0,
    most_pairs: Annotated[
        int,
        typer.Option(
            min=1, help="Most pairs after the same steps, clearest first.", rich_help_panel=_WHAT
        ),
    ] = 4,
    prompt: Annotated[
        str,
        typer.Option(
            help=r"TRL's prompt; {question} is replaced, \n is a line end.", rich_help_panel=_WHAT
        ),
    ] = r"{question}\n",
    chat: Annotated[
        bool,
        typer.Option("--chat", help="TRL's formats as messages.", rich_help_panel=_WHAT),
    ] = False,
    bare: Annotated[
        bool,
        typer.Option(
            "--bare", help="Without the columns session, node, touched.", rich_help_panel=_WHAT
        ),
    ] = False,
    kind: Annotated[
        As | None, typer.Option("--as", help="Write it as this, whatever the name says.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Write what searches found: training rows, or trees.

    values, traces and generation are rows of the reference implementation, pairs are preferences
    between sibling steps, trl-sft, trl-dpo and trl-stepwise are what TRL's trainers read, and tree
    is a whole session. Say which sessions, or --all. Exit code 1 if there was nothing to write.
    """
    from engine.exports.rows import RowSettings

    settings = RowSettings(
        method=method,
        correct=correct,
        min_value=min_value,
        by=by,
        margin=margin,
        most_pairs=most_pairs,
        prompt=prompt.replace("\\n", "\n"),
        chat=chat,
    )
    with options.workbench(ctx) as bench:
        selection = _selection(
            bench, session, batch, dataset, algorithm, answered, since, until, whole
        )
        selection = msgspec.structs.replace(selection, measured=measured)
        if form == "tree":
            _export_trees(bench, selection, output, kind, force, as_json)
            return
        container: Any = kind
        report = bench.exports.save_rows(
            selection, form, output, settings, container, bare=bare, force=force
        )
    if as_json:
        terminal.print_json(msgspec.to_builtins(report))
    _tell(report)
    if report.path is None:
        terminal.error("There is nothing to write.")
        raise typer.Exit(1)


def _selection(
    bench: "Workbench",
    sessions: list[str] | None,
    batch: str | None,
    dataset: str | None,
    algorithm: str | None,
    answered: Any,
    since: float | None,
    until: float | None,
    whole: bool,
) -> "Selection":
    from lab.cli_sessions import resolve, resolve_batch
    from lab.export import Selection

    found = Selection(
        sessions=[resolve(bench, one) for one in sessions] if sessions else None,
        batch=resolve_batch(batch, [state.id for state in bench.batches()])
        if batch is not None
        else None,
        dataset=dataset,
        algorithm=algorithm,
        answered=answered,
        since=since,
        until=until,
    )
    if whole == (found != Selection()):
        raise typer.BadParameter(
            "say which sessions (--session, --batch, --dataset, ...), or --all, and not both"
        )
    return found


def _export_trees(
    bench: "Workbench",
    selection: "Selection",
    output: Path,
    document: str | None,
    force: bool,
    as_json: bool,
) -> None:
    report = bench.exports.save_trees(selection, output, document, force)
    if as_json:
        terminal.print_json(msgspec.to_builtins(report))
    count = len(report.sessions)
    terminal.notice(f"Wrote {output}: {count:,} session{_s(count)}.")


def _tell(report: "RowsReport") -> None:
    """What was written, and what was not, on standard error."""
    counts = report.counts
    where = f"Wrote {report.path}: " if report.path else ""
    touched = f", {counts.touched:,} of them decided by a person" if counts.touched else ""
    terminal.notice(
        f"{where}{counts.rows:,} row{_s(counts.rows)}{touched}, from {counts.sessions:,} of "
        f"{report.selected:,} sessions."
    )
    if counts.duplicates:
        removed = "duplicates removed" if counts.duplicates > 1 else "duplicate removed"
        terminal.notice(f"  {counts.duplicates:,} {removed}")
    if counts.contradictions:
        terminal.notice(
            f"  {counts.contradictions:,} rows tell something else than an earlier one of the same "
            "text; both are kept"
        )
    for reason, count in counts.rejected.items():
        terminal.notice(f"  {count:,} left out: {reason}")
    by_reason: dict[str, list[str]] = {}
    for skipped in counts.skipped:
        by_reason.setdefault(skipped.reason, []).append(skipped.session)
    for reason, without in sorted(by_reason.items(), key=lambda one: -len(one[1])):
        more = f" and {len(without) - _SHOWN:,} more (--json lists all)"
        which = ", ".join(without[:_SHOWN]) + (more if len(without) > _SHOWN else "")
        terminal.notice(f"  {len(without):,} session{_s(len(without))} gave none: {reason}")
        terminal.notice(f"    {which}")


def _s(count: int) -> str:
    return "" if count == 1 else "s"
