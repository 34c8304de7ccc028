"""`lab import`: questions, generation rows and exported sessions out of files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from lab import cli_datasets, terminal
from lab import cli_options as options

if TYPE_CHECKING:
    from engine.tasks.datasets import Rejected
    from lab.imports import ImportReport

_SHOWN = 20


def import_file(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="JSON lines, a JSON list or object, CSV, Parquet, or a folder."
        ),
    ],
    kind: Annotated[
        Literal["questions", "generation", "sessions"] | None,
        typer.Option(
            "--as", help="What the file holds. Default: what its fields say.", show_default=False
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="A name for the batch; else the file's.")] = "",
    field: cli_datasets.Field = None,
    algorithm: Annotated[str, typer.Option(help="How questions are to be searched.")] = "mcts_star",
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="A parameter of that search."),
    ] = None,
    seed: Annotated[int, options.seed("search")] = 0,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Import the rest if rows cannot be read.")
    ] = False,
    as_json: options.Json = False,
    policy: options.Policy = None,
    prm: options.Prm = None,
    quant: options.Quant = None,
    home: options.Home = None,
) -> None:
    """Make sessions of a file: questions, the reference's generation rows, or exported sessions.

    Rows that cannot be read are told by their line, and then nothing is imported: exit code 2.
    """
    from lab.cli import BAD_INPUT, parameters
    from lab.imports import Asking

    with options.workbench(ctx) as bench:
        params, sampling = parameters(bench, param or [])
        report = bench.imports.read(
            source,
            kind=kind,
            name=name,
            fields=cli_datasets.field_names(field),
            skip_bad=skip_bad,
            asking=Asking(algorithm, params, sampling, seed),
        )
    if as_json:
        terminal.print_json(msgspec.to_builtins(report))
    _tell(report)
    if report.rejected and not skip_bad:
        terminal.error("Nothing was imported. Mend these rows, or leave them out with --skip-bad.")
        raise typer.Exit(BAD_INPUT)


def _tell(report: "ImportReport") -> None:
    count = len(report.imported)
    batch = f" in batch {report.batch}" if report.batch else ""
    terminal.notice(f"{report.source} ({report.kind}): {count:,} new sessions{batch}.")
    if report.known:
        terminal.notice(f"  {len(report.known):,} are here already")
    _tell_rows("cannot be read", report.rejected)
    _tell_rows("are there twice", report.repeated)


def _tell_rows(what: str, rows: "list[Rejected]") -> None:
    if not rows:
        return
    terminal.notice(f"  {len(rows):,} rows {what}:")
    for row in rows[:_SHOWN]:
        terminal.notice(f"    {row.place}: {row.reason}")
    if len(rows) > _SHOWN:
        terminal.notice(f"    and {len(rows) - _SHOWN:,} more (--json lists all)")
