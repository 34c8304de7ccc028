"""The `lab` command. Heavy imports happen inside the commands: help appears at once."""

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import ExportError, ImportFileError, LabError, ParameterError, TaskError
from engine.models.hardware import prepare_environment
from engine.tasks.problems import SPLITS
from lab import __version__, terminal
from lab import cli_options as options

if TYPE_CHECKING:
    from lab.workbench import Workbench

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
DEFAULT_ITERATIONS = 20
_OF_THE_PAGE = ("host", "port", "no_browser", "window", "auth", "auth_file", "allow_open")

app = typer.Typer(
    name="lab",
    help="A local lab for ReST-MCTS*: process-reward guided tree search over reasoning steps.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"lab {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def page(
    ctx: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 127.0.0.1 is this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port of the page; 0 takes any free one. Default: 7860 or the next free one.",
            show_default=False,
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open a browser window.")
    ] = False,
    window: Annotated[
        bool, typer.Option("--window", help="Show the page in a window of its own (pywebview).")
    ] = False,
    auth: Annotated[
        str | None,
        typer.Option(metavar="USER:PASSWORD", help="Ask for them.", show_default=False),
    ] = None,
    auth_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Ask for the USER:PASSWORD in its first line.", show_default=False
        ),
    ] = None,
    allow_open: Annotated[
        bool,
        typer.Option("--allow-open", help="Let everybody in who reaches a --host of others."),
    ] = False,
    policy: options.Policy = None,
    prm: options.Prm = None,
    quant: options.Quant = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    kv_budget: options.KvBudget = None,
    prm_format: options.PrmFormat = None,
    step_format: options.StepFormat = None,
    home: options.Home = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Open the page of the lab, or do what a command below says without it.

    Exit codes: 0 done, 1 failure, 2 bad input, 130 ended by Ctrl-C.
    """
    if ctx.invoked_subcommand is not None:
        if given := _given(ctx, *_OF_THE_PAGE):
            names = ", ".join("--" + name.replace("_", "-") for name in given)
            raise typer.BadParameter(f"{names}: only the page takes this, not a command")
        return
    from lab.cli_page import access, serve

    who = access(host, auth, auth_file, allow_open)
    with options.workbench(ctx) as bench:
        serve(bench, who, port, open_browser=not no_browser, window=window)


@app.command()
def search(
    ctx: typer.Context,
    question: Annotated[
        str | None, typer.Argument(help="The question.", show_default=False)
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option("--answer", help="The right answer, to be told whether the search found it."),
    ] = None,
    problem: Annotated[
        str | None,
        typer.Option("--problem", help="Ask a bundled problem instead; see `lab problems`."),
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", help="Go on with a session instead.")
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"Iterations of this run. Default: {DEFAULT_ITERATIONS} if no other limit.",
            show_default=False,
        ),
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(min=1, help="Most policy tokens that this run may generate.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.001, help="Most seconds that this run may take.")
    ] = None,
    seed: Annotated[int, options.seed("tree")] = 0,
    algorithm: Annotated[
        str, typer.Option(help="Search algorithm; see `lab algorithms`.")
    ] = "mcts_star",
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE",
            help="A parameter, again and again; see `lab parameters`.",
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="A name for the session.")] = "",
    whole: Annotated[bool, typer.Option("--all", help="Show every node of a large tree.")] = False,
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
    """Search for the answer to a question, and show the tree.

    Every finished iteration is on disk. Ctrl-C ends the run and keeps them; `--session` goes on.
    """
    if sum(source is not None for source in (question, problem, session)) != 1:
        raise typer.BadParameter("give exactly one of QUESTION, --problem and --session")
    if session is not None and _given(ctx, "answer", "seed", "algorithm", "param", "name"):
        raise typer.BadParameter("a session keeps its answer, seed, algorithm, parameters and name")
    from lab.cli_run import run
    from lab.cli_sessions import resolve, show_result
    from lab.models import check

    limits = {"iterations": iterations, "tokens": tokens, "seconds": seconds}
    if all(limit is None for limit in limits.values()):
        limits["iterations"] = DEFAULT_ITERATIONS
    with options.workbench(ctx) as bench:
        check(bench.models)
        if session is not None:
            session = resolve(bench, session)
        else:
            asked = _problem(bench, problem) if problem is not None else (question or "", answer)
            params, sampling = parameters(bench, param or [])
            session = bench.create(
                asked[0],
                gold=asked[1],
                algorithm=algorithm,
                params=params,
                sampling=sampling,
                seed=seed,
                name=name,
            )
        made = bench.settings(session)
        if hint := bench.hint(made.question, made.params):
            terminal.notice(hint)
        # A library that prints must not spoil the one object on standard output.
        with redirect_stdout(sys.stderr):
            finished = run(bench, session, limits)
        show_result(bench, session, as_json=as_json, whole=whole)
        if not finished:
            terminal.notice(
                "Ended by Ctrl-C; finished iterations are kept. "
                f"Go on with: {options.go_on(session, bench.home)}"
            )
            raise typer.Exit(INTERRUPTED)


def _given(ctx: typer.Context, *names: str) -> list[str]:
    """Which of these options the command line gave."""
    return [
        name
        for name in names
        if (source := ctx.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    ]


def _problem(bench: "Workbench", identifier: str) -> tuple[str, str | None]:
    """Question and answer of a bundled problem."""
    for split in SPLITS:
        for found in bench.problems(split=split):
            if found.id == identifier:
                return found.content, found.answer
    raise TaskError(f"There is no bundled problem {identifier!r}; `lab problems` lists them.")


def parameters(bench: "Workbench", texts: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`NAME=VALUE` texts as parameters of the algorithm and of sampling.

    Raises:
        ParameterError: one is no such text.
    """
    names = {
        name for info in bench.sampling_parameters() for name in (info.name, info.symbol) if name
    }
    params: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise ParameterError(f"--param takes NAME=VALUE, not {text!r}.")
        (sampling if name.strip() in names else params)[name.strip()] = value.strip()
    return params, sampling


def _register() -> None:
    from lab import (
        cli_catalogue,
        cli_eval,
        cli_export,
        cli_import,
        cli_judge,
        cli_prompt,
        cli_round,
        cli_sessions,
        cli_solve,
        cli_study,
        cli_verify,
    )

    app.command()(cli_solve.solve)
    app.command("eval")(cli_eval.evaluate)
    app.add_typer(cli_eval.app, name="evals")
    app.command()(cli_verify.verify)
    app.command("round")(cli_round.train)
    app.add_typer(cli_round.app, name="rounds")
    app.add_typer(cli_sessions.app, name="sessions")
    app.command()(cli_study.compare)
    app.command()(cli_study.fork)
    app.command()(cli_export.export)
    app.command("import")(cli_import.import_file)
    app.command()(cli_prompt.prompt)
    app.command()(cli_judge.grade)
    app.command()(cli_judge.read)
    app.command()(cli_catalogue.problems)
    app.command()(cli_catalogue.algorithms)
    app.command()(cli_catalogue.parameters)
    app.command()(cli_catalogue.doctor)


_register()


def main() -> None:
    """Run the command line; never returns."""
    prepare_environment()
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        # Help and usage errors are typer's; FORCE_COLOR and the like would colour a pipe.
        os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
    try:
        app(prog_name="lab")
    except LabError as problem:
        terminal.error(str(problem))
        sys.exit(BAD_INPUT if isinstance(problem, _bad_input()) else FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _bad_input() -> tuple[type[LabError], ...]:
    """Errors that the person's words caused; all others are failures of the work itself."""
    from sessions.errors import (
        AdapterNeededError,
        AdapterNotFoundError,
        BatchNotFoundError,
        RoundNotFoundError,
        SessionNotFoundError,
    )

    return (
        ParameterError,
        TaskError,
        ExportError,
        ImportFileError,
        SessionNotFoundError,
        BatchNotFoundError,
        RoundNotFoundError,
        AdapterNotFoundError,
        AdapterNeededError,
    )
