"""`lab eval`: methods compared at equal budgets; `lab evals`: those that were."""

import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from lab import cli_options as options
from lab import terminal
from lab.cli_datasets import tell_left_out

if TYPE_CHECKING:
    from lab.evaluation_states import EvaluationState
    from lab.workbench import Workbench

POLL_SECONDS = 0.2
LINE_SECONDS = 10.0

app = typer.Typer(
    help="Evaluations: list, show, compare, export, delete.",
    no_args_is_help=True,
)
EvaluationId = Annotated[
    str, typer.Argument(metavar="EVALUATION", help="Its id or the start of it.")
]


def evaluate(
    ctx: typer.Context,
    dataset: Annotated[
        str, typer.Argument(help="File, folder or bundled split with right answers.")
    ],
    methods: Annotated[
        str | None,
        typer.Option(
            help="Names with commas between; a wrong one lists them. Default: the usual ones.",
            show_default=False,
        ),
    ] = None,
    budgets: Annotated[
        str, typer.Option(help="Policy tokens that a problem may take, with commas between.")
    ] = "300,600,1200",
    seeds: Annotated[str, typer.Option(help="Every search runs with each of these.")] = "0",
    baseline: Annotated[
        str, typer.Option(help="The method that the others are compared with.")
    ] = "mcts_star",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many problems.", show_default=False)
    ] = None,
    skip: Annotated[int, typer.Option(min=0, help="Leave so many problems before these.")] = 0,
    parallel: Annotated[
        int, typer.Option(min=1, max=1024, help="Searches at a time; changes no result.")
    ] = 128,
    name: Annotated[str, typer.Option(help="For lists.", show_default=False)] = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew instead of going on where it stopped.")
    ] = False,
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
    """Ask problems by several methods within the same tokens, and say which differences are real.

    What is finished is on disk: the same command goes on where it was ended. Every search is a
    session and can be opened.
    """
    from engine.evaluation.contenders import USUAL
    from lab.cli import FAILED, INTERRUPTED
    from lab.evaluation_plan import EvaluationSettings
    from lab.models import check

    asked = EvaluationSettings(
        dataset=dataset,
        limit=limit,
        skip=skip,
        methods=tuple(_names(methods)) if methods else USUAL,
        budgets=tuple(_numbers("--budgets", budgets)),
        seeds=tuple(_numbers("--seeds", seeds)),
        baseline=baseline,
        parallel=parallel,
    )
    with options.workbench(ctx) as bench:
        check(bench.models)
        most = None if limit is None else skip + limit
        tell_left_out(bench.dataset(dataset, limit=most))
        evaluation = bench.evaluations.start(asked, name, fresh)
        finished = _follow(bench, evaluation)
        _show(bench, evaluation, as_json)
        state = bench.evaluations.state(evaluation)
        again = shlex.join(["lab", *(word for word in sys.argv[1:] if word != "--fresh")])
        if state.status == "failed":
            terminal.error(state.message)
        if not finished:
            terminal.notice(f"Ended by Ctrl-C; what is finished is kept. Go on with: {again}")
            raise typer.Exit(INTERRUPTED)
        if state.status != "done":
            terminal.notice(f"What is finished is kept. Go on with: {again}")
            raise typer.Exit(FAILED)


@app.callback()
def evals(ctx: typer.Context, home: options.Home = None) -> None:
    """Evaluations: list, show, compare, export, delete."""


@app.command("list")
def list_evaluations(
    ctx: typer.Context, as_json: options.Json = False, home: options.Home = None
) -> None:
    """List the evaluations of this home, newest first."""
    from lab import render

    with options.workbench(ctx) as bench:
        states = bench.evaluations.states()
    if as_json:
        terminal.print_json({"evaluations": msgspec.to_builtins(states)})
        return
    if not states:
        terminal.out().print("No evaluations yet. Begin one with: lab eval DATASET")
        return
    columns = [(head, "left") for head in ("evaluation", "made", "dataset", "problems", "", "name")]
    lines = [
        (
            one.id,
            datetime.fromtimestamp(one.created).strftime("%Y-%m-%d %H:%M"),
            one.setting.dataset,
            f"{one.problems:,}",
            one.status,
            one.name,
        )
        for one in states
    ]
    terminal.out().print(render.table(columns, lines))


@app.command("show")
def show_evaluation(
    ctx: typer.Context,
    identifier: EvaluationId,
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Show what an evaluation has found so far."""
    with options.workbench(ctx) as bench:
        _show(bench, resolve(bench, identifier), as_json)


@app.command("export")
def export_evaluation(
    ctx: typer.Context,
    identifier: EvaluationId,
    path: Annotated[Path, typer.Argument(help="The file: .csv, .json, .md, .png or .svg.")],
    kind: Annotated[
        Literal["csv", "json", "md", "png", "svg"] | None,
        typer.Option("--as", help="What to write; by the suffix if not given."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    home: options.Home = None,
) -> None:
    """Write an evaluation: every answer (csv), the whole (json), its table (md), its curves."""
    from lab.evaluation_files import write

    with options.workbench(ctx) as bench:
        report = bench.evaluations.report(resolve(bench, identifier))
    write(report, path, kind, force)
    terminal.notice(f"Wrote {path}.")


@app.command("compare")
def compare_evaluations(
    ctx: typer.Context,
    one: EvaluationId,
    other: EvaluationId,
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Compare two evaluations on the problems, methods and budgets that both have."""
    from lab import render
    from lab.evaluation_words import compared

    with options.workbench(ctx) as bench:
        found = bench.evaluations.compare(resolve(bench, one), resolve(bench, other))
    if as_json:
        terminal.print_json(msgspec.to_builtins(found))
        return
    terminal.out().print(f"{found.problems:,} problems that both have.")
    if found.rows:
        columns = [("method", "left"), ("tokens", "right"), ("first", "right"),
                   ("second", "right"), ("difference", "left")]  # fmt: skip
        terminal.out().print(render.table(columns, compared(found)))


@app.command("delete")
def delete_evaluation(
    ctx: typer.Context,
    identifier: EvaluationId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    home: options.Home = None,
) -> None:
    """Forget an evaluation. Its batches and their sessions stay."""
    with options.workbench(ctx) as bench:
        chosen = resolve(bench, identifier)
        if not yes:
            if not sys.stdin.isatty():
                raise typer.BadParameter("deleting needs --yes where nobody can be asked")
            typer.confirm(f"Forget evaluation {chosen}?", abort=True)
        bench.evaluations.delete(chosen)
    terminal.notice(f"Evaluation {chosen} is forgotten; its sessions stay.")


def resolve(bench: "Workbench", text: str) -> str:
    """The id of the evaluation whose id is `text`, or the only one that starts with it.

    Raises:
        EvaluationNotFoundError: none or several.
    """
    from sessions.errors import EvaluationNotFoundError

    known = [state.id for state in bench.evaluations.states()]
    found = [one for one in known if text and one.startswith(text)]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} evaluations start with" if found else "There is no evaluation"
    raise EvaluationNotFoundError(f"{what} {text[:40]!r}; `lab evals list` shows those there are.")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _numbers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(
            f"{option} cannot be {text[:60]!r}: it takes whole numbers with commas between."
        ) from error


def _follow(bench: "Workbench", evaluation: str) -> bool:
    """Say how far it is, to its end; False if Ctrl-C ended it earlier."""
    import time

    said, last = "", 0.0
    try:
        while (state := bench.evaluations.wait(evaluation, POLL_SECONDS)).active:
            line = _line(state)
            if line != said and time.monotonic() > last + LINE_SECONDS:
                terminal.notice(line)
                said, last = line, time.monotonic()
    except KeyboardInterrupt:
        bench.evaluations.stop(evaluation)
        bench.evaluations.wait(evaluation)
        return False
    return True


def _line(state: "EvaluationState") -> str:
    from lab.cli_solve import duration

    done, total = sum(run.done for run in state.runs), sum(run.total for run in state.runs)
    now = next((run for run in state.runs if run.done < run.total), None)
    words = f"{done:,} of {total:,} searches"
    if now is not None:
        words += f"; {now.name}: {now.done:,} of {now.total:,}"
    return words if state.left is None else f"{words}; about {duration(state.left)} left"


def _show(bench: "Workbench", evaluation: str, as_json: bool) -> None:
    from lab.evaluation_words import as_markdown, costs_as_markdown, sentences

    state, report = bench.evaluations.state(evaluation), bench.evaluations.report(evaluation)
    refused = bench.refused(*(run.batch for run in state.runs if run.batch is not None))
    if as_json:
        parts = {"state": state, "report": report, "refused": refused}
        terminal.print_json(msgspec.to_builtins(parts))
        return
    out = terminal.out()
    if not report.scores:
        out.print("No problem has been asked by every method yet.")
        return
    for table in (as_markdown(report), costs_as_markdown(report)):
        out.print(table, markup=False, highlight=False)
        out.print()
    for sentence in sentences(report):
        out.print(sentence, markup=False, highlight=False)
    if refused.words:
        out.print(f"refused: {terminal.visible(refused.words)}", markup=False, highlight=False)
