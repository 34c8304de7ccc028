"""`lab problems`, `lab algorithms`, `lab parameters`, `lab doctor`: what there is."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from engine.errors import ParameterError
from engine.tasks.problems import SPLITS
from lab import cli_datasets, terminal
from lab import cli_options as options

if TYPE_CHECKING:
    from engine.search.parameters import ParameterInfo


def problems(
    ctx: typer.Context,
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="A file or folder as `lab solve` takes it. Default: bundled problems.",
            show_default=False,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help=f"Which part of the bundled problems: {', '.join(SPLITS)} (default: heldout); or "
            "which split of a folder that has several.",
            show_default=False,
        ),
    ] = None,
    field: cli_datasets.Field = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """List the problems of a dataset as they would be asked, with right answers and what is left
    out; without a dataset bundled problems. `lab search --problem ID` asks one of these.
    """
    if dataset is not None:
        _of_dataset(ctx, dataset, split, cli_datasets.field_names(field), limit, as_json)
        return
    if field:
        raise ParameterError("--field is for a dataset: name a file or folder.")
    split = split or "heldout"
    with options.workbench(ctx) as bench:
        found: list[dict[str, Any]] = [
            msgspec.to_builtins(problem) for problem in bench.problems(split=split, limit=limit)
        ]
    if as_json:
        terminal.print_json({"split": split, "problems": found})
        return
    from lab import render

    columns = [("id", "left"), ("question", "left"), ("answer", "right")]
    rows = [(str(one["id"]), one["content"], str(one["answer"])) for one in found]
    terminal.out().print(render.table(columns, rows))


def _of_dataset(
    ctx: typer.Context,
    source: str,
    split: str | None,
    fields: dict[str, str],
    limit: int,
    as_json: bool,
) -> None:
    with options.workbench(ctx) as bench:
        found = bench.dataset(source, fields, split)
    shown = found.problems[:limit]
    cli_datasets.tell(found)
    if as_json:
        terminal.print_json(
            {
                "dataset": cli_datasets.described(found),
                "count": len(found.problems),
                "ungraded": found.ungraded,
                "problems": msgspec.to_builtins(shown),
            }
        )
        return
    from rich.text import Text

    from lab import render

    columns = [("problem", "left"), ("question", "left"), ("right answer", "left")]
    asked = [Text("\n").join(map(terminal.plain, one.content.split("\n"))) for one in shown]
    rows = [(one.label, text, one.answer or "-") for one, text in zip(shown, asked, strict=True)]
    terminal.out().print(render.table(columns, rows))


def algorithms(as_json: options.Json = False, home: options.Home = None) -> None:
    """List the search algorithms."""
    from engine.search.registry import ALGORITHMS

    rows = [(one.name, one.title, one.summary) for one in ALGORITHMS.values()]
    if as_json:
        keys = ("name", "title", "summary")
        terminal.print_json({"algorithms": [dict(zip(keys, row, strict=True)) for row in rows]})
        return
    from lab import render

    columns = [("name", "left"), ("title", "left"), ("what it does", "left")]
    terminal.out().print(render.table(columns, rows))


def parameters(
    algorithm: Annotated[str, typer.Argument(help="Name of an algorithm.")] = "mcts_star",
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """List what `lab search --param` takes: parameters of an algorithm and of sampling."""
    from engine.models.base import Sampling
    from engine.search.parameters import describe, takes
    from engine.search.registry import parameters as of_algorithm

    own, sampling = of_algorithm(algorithm), describe(Sampling)
    if as_json:
        lists = {"parameters": own, "sampling": sampling}
        terminal.print_json({"algorithm": algorithm, **msgspec.to_builtins(lists)})
        return
    from lab import render

    columns = [
        ("name", ""),
        ("symbol", ""),
        ("default", "right"),
        ("takes", ""),
        ("what it is", ""),
    ]
    out = terminal.out()
    for heading, infos in ((f"Search: {algorithm}", own), ("Sampling of steps", sampling)):
        out.print(terminal.plain(heading, style="bold"))
        rows = [(info.name, info.symbol, _default(info), takes(info), info.help) for info in infos]
        out.print(render.table(columns, rows))
        out.print()


def _default(info: "ParameterInfo") -> str:
    return str(info.default).lower() if info.kind == "bool" else str(info.default)


def doctor(
    ctx: typer.Context,
    as_json: options.Json = False,
    policy: options.Policy = None,
    prm: options.Prm = None,
    quant: options.Quant = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    kv_budget: options.KvBudget = None,
    prm_format: options.PrmFormat = None,
    step_format: options.StepFormat = None,
    home: options.Home = None,
) -> None:
    """Say what this machine can run: versions, memory, GPU, 4-bit kernel, writable home.

    Predicts whether the models named (or the bundled ones) fit into memory, without loading them.
    Exit code 1 if something that the lab needs is missing, or the models do not fit.
    """
    from lab import doctor as checkup
    from lab.models import check
    from lab.results import ModelSettings

    settings = ModelSettings(**options.model_options(ctx))
    check(settings)
    report = checkup.examine(options.home(ctx), settings)
    if as_json:
        terminal.print_json(report.as_dict())
    else:
        checkup.show(report)
    if not report.healthy:
        raise typer.Exit(1)
