"""`lab solve`: every problem of a dataset searched, with progress, and the accuracy at the end."""

import shlex
import sys
import time
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lab import cli_datasets, terminal
from lab import cli_options as options

if TYPE_CHECKING:
    from engine.tasks.datasets import Dataset
    from lab.results import Refused
    from lab.workbench import BatchState, Workbench
    from sessions.batches import BatchProblem

POLL_SECONDS = 0.2
LINE_SECONDS = 10.0
"""How often a line of progress is printed where there is no terminal."""

DEFAULT_PARALLEL = 16
_SHOWN = 10


def solve(
    ctx: typer.Context,
    dataset: Annotated[
        str,
        typer.Argument(
            help="A file (JSON lines, JSON list, CSV, Parquet), a folder of them or one saved "
            "with save_to_disk, or bundled problems such as heldout.",
            show_default=False,
        ),
    ],
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many problems, from the first one on.")
    ] = None,
    parallel: Annotated[
        int, typer.Option(min=1, max=1024, help="Searches at a time, in one batch.")
    ] = DEFAULT_PARALLEL,
    method: Annotated[
        str, typer.Option("--method", "--algorithm", help="Search algorithm; see `lab algorithms`.")
    ] = "mcts_star",
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE",
            help="A parameter, again and again; see `lab parameters`.",
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Iterations of every search. Default: 20 if there is no other limit.",
            show_default=False,
        ),
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="Most policy tokens that every search may generate.")
    ] = None,
    seed: Annotated[int, options.seed("trees")] = 0,
    field: cli_datasets.Field = None,
    split: Annotated[
        str | None, typer.Option(help="Which split of a folder that has several.")
    ] = None,
    name: Annotated[str, typer.Option(help="A name for the batch.")] = "",
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
    """Search every problem of a dataset, and say how many answers are right.

    What is finished is on disk: the same command goes on where it was ended, also after a crash.
    Exit code 1 if the search of a problem failed.
    """
    from lab.cli import DEFAULT_ITERATIONS, FAILED, INTERRUPTED, parameters
    from lab.models import check

    if iterations is None and tokens is None:
        iterations = DEFAULT_ITERATIONS
    with options.workbench(ctx) as bench:
        check(bench.models)
        params, sampling = parameters(bench, param or [])
        found = bench.dataset(dataset, cli_datasets.field_names(field), split, limit)
        cli_datasets.tell(found)
        if hint := bench.hint(found.problems[0].content, params):
            terminal.notice(hint)
        # A library that prints must not spoil the one object on standard output.
        with redirect_stdout(sys.stderr):
            batch = bench.solve(
                found,
                algorithm=method,
                params=params,
                sampling=sampling,
                seed=seed,
                iterations=iterations,
                tokens=tokens,
                parallel=parallel,
                name=name,
                fresh=fresh,
            )
            finished = _run(bench, batch)
        state = bench.batch(batch)
        problems = bench.batch_problems(batch)
        page = _page_command(ctx, bench.home)
        refused = bench.refused(batch)
        if as_json:
            terminal.print_json(_report(state, problems, found, page, refused))
        else:
            _show(state, page, bench.home, refused)
        _tell_ties(problems)
        _tell_failures(state, problems)
        if not finished:
            again = shlex.join(["lab", *(word for word in sys.argv[1:] if word != "--fresh")])
            terminal.notice(f"Ended by Ctrl-C; what is finished is kept. Go on with: {again}")
            raise typer.Exit(INTERRUPTED)
        if state.failed or state.status == "failed":
            raise typer.Exit(FAILED)


def _run(bench: "Workbench", batch: str) -> bool:
    """Follow a batch to its end; False if Ctrl-C ended it earlier."""
    try:
        _tell_begun(bench.batch(batch))
        _follow(bench, batch)
    except KeyboardInterrupt:
        bench.stop_batch(batch)
        bench.wait_batch(batch)
        return False
    return True


def _tell_begun(state: "BatchState") -> None:
    if not state.done and not state.deleted:
        return
    words = f"Going on with batch {state.id}: {state.done:,} of {state.problems:,} are done."
    if state.deleted:
        words += f" The sessions of {state.deleted:,} were deleted; these are searched again."
    terminal.notice(words)


def _follow(bench: "Workbench", batch: str) -> None:
    """Wait for the end; on a terminal with a progress line, else with a line now and then."""
    console = terminal.err()
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[more]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    failed, said = 0, time.monotonic()
    with progress if console.is_terminal else nullcontext():
        task = progress.add_task("starting", total=None, more="")
        while True:
            state = bench.wait_batch(batch, timeout=POLL_SECONDS)
            if state.failed > failed and state.active:
                failed = state.failed
                console.print(terminal.plain(f"Failed: {state.message}"), soft_wrap=True)
            if not state.active:
                return
            words, more = _words(state)
            total = state.problems if state.status == "running" else None
            progress.update(task, description=words, more=more, completed=state.done, total=total)
            if not console.is_terminal and time.monotonic() > said + LINE_SECONDS:
                said = time.monotonic()
                terminal.notice(f"{words}{', ' if more else ''}{more}")


def _words(state: "BatchState") -> tuple[str, str]:
    """How far a batch is: the searches, and the rest."""
    if state.status != "running":
        return terminal.visible(state.message or state.status), ""
    more = []
    if state.accuracy is not None:
        more.append(f"{100 * state.accuracy.estimate:.1f} % right")
    if state.failed:
        more.append(f"{state.failed:,} failed")
    more.append(f"{state.rate:,.0f} tokens/s")
    if state.left is not None:
        more.append(f"{duration(state.left)} left")
    return f"{state.done:,} of {state.problems:,} done", ", ".join(more)


def duration(seconds: float) -> str:
    """A time for a person: hours and minutes, or minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _page_command(ctx: typer.Context, where: Path) -> str:
    """The command that opens the page where these sessions are, with these models."""
    words = ["lab"]
    for name, value in options.model_options(ctx).items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, *_elsewhere(where)])


def _elsewhere(where: Path) -> list[str]:
    """The option that names a home, none for the usual one."""
    return [] if where == options.usual_home() else ["--home", str(where)]


def _report(
    state: "BatchState",
    problems: "list[BatchProblem]",
    dataset: "Dataset",
    page: str,
    refused: "Refused",
) -> dict[str, Any]:
    """What `--json` prints."""
    limits = state.setting["limits"]
    return {
        "batch": state.id,
        "name": state.name,
        "dataset": cli_datasets.described(dataset),
        "algorithm": state.setting["algorithm"],
        "params": state.setting["params"],
        "seed": state.setting["seed"],
        "models": {name: state.setting[name] for name in ("policy", "prm")},
        "limits": limits,
        "complete": state.complete,
        "problems": state.problems,
        "done": state.done,
        "right": state.right,
        "wrong": state.wrong,
        "ungraded": state.ungraded,
        "failed": state.failed,
        "accuracy": msgspec.to_builtins(state.accuracy),
        "refused": msgspec.to_builtins(refused),
        "tokens": state.tokens,
        "seconds": state.seconds,
        "problems_per_second": _per_second(state.done, state.seconds),
        "error": state.message if state.status == "failed" else "",
        "results": [
            {
                "problem": problem.label,
                "place": problem.place,
                "session": problem.session,
                "status": problem.status,
                "answer": problem.answer,
                "gold": dataset.problems[problem.position].answer,
                "correct": problem.correct,
                "tokens": problem.tokens,
                "message": problem.message,
            }
            for problem in problems
        ],
        "page": page,
    }


def _per_second(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0


def _show(state: "BatchState", page: str, where: Path, refused: "Refused") -> None:
    """The end of a batch for a person."""
    from lab import render

    found = state.accuracy
    accuracy = "nothing was graded"
    if found is not None:
        accuracy = (
            f"{100 * found.estimate:.1f} % "
            f"({100 * found.low:.1f} to {100 * found.high:.1f} % at 95 %)"
        )
    rate = _per_second(state.done, state.seconds)
    rows = [
        ("problems", f"{state.problems:,}, {state.done:,} done"),
        ("right", f"{state.right:,} of {state.right + state.wrong:,}"),
        ("accuracy", accuracy),
        ("ungraded", f"{state.ungraded:,}"),
        ("failed", f"{state.failed:,}"),
        ("refused", refused.words or "no proposals"),
        ("tokens", f"{state.tokens:,} generated"),
        ("time", f"{duration(state.seconds)}, {rate:.3g} problems/s"),
    ]
    out = terminal.out()
    out.print(render.table([(f"batch {state.id}", "left"), ("", "left")], rows))
    listed = shlex.join(["lab", "sessions", "list", "--batch", state.id, *_elsewhere(where)])
    out.print(terminal.plain(f"Its sessions: {listed}"), soft_wrap=True)
    out.print(terminal.plain(f"The page: {page}"), soft_wrap=True)


def _tell_ties(problems: "list[BatchProblem]") -> None:
    """Votes that had no single winner."""
    level = [one for one in problems if one.status == "done" and one.message]
    if level:
        terminal.notice(f"Of {len(level):,} problems the vote had no single winner:")
    _list(level)


def _list(problems: "list[BatchProblem]") -> None:
    for problem in problems[:_SHOWN]:
        label = "" if problem.label == problem.place else f" ({problem.label})"
        terminal.notice(f"  {problem.place}{label}: {problem.message}")
    if len(problems) > _SHOWN:
        terminal.notice(f"  and {len(problems) - _SHOWN:,} more (--json lists all)")


def _tell_failures(state: "BatchState", problems: "list[BatchProblem]") -> None:
    if state.status == "failed":
        terminal.error(state.message)
    failed = [problem for problem in problems if problem.status == "failed"]
    if not failed:
        return
    terminal.notice(
        f"The search of {len(failed):,} problems failed; the same command tries them again:"
    )
    _list(failed)
