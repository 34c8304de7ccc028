"""`lab round`: search, learn, compare; and `lab rounds`: what came of it, and what is in use."""

import shlex
import sys
import time
from contextlib import nullcontext, redirect_stdout
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lab import cli_options as options
from lab import terminal
from lab.cli_datasets import tell_left_out

if TYPE_CHECKING:
    from engine.training.verdict import Comparison
    from lab.round_results import Plan, RoundState, Verdict
    from lab.workbench import Workbench

POLL_SECONDS = 0.2
LINE_SECONDS = 10.0
_SHOWN = 5

app = typer.Typer(
    help="Training rounds and adapters: list, show, compare, delete, activate.",
    no_args_is_help=True,
)

RoundId = Annotated[str, typer.Argument(metavar="ROUND", help="Its id or the start of it.")]


def train(
    ctx: typer.Context,
    recipe: Annotated[
        str, typer.Option(help="What is learnt from what; a wrong name lists them.")
    ] = "rest_mcts",
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Rounds in a row.")] = 1,
    pool: Annotated[
        str, typer.Option(metavar="DATASET", help="Problems to search and learn from.")
    ] = "pool",
    pool_limit: Annotated[int, typer.Option(min=1, help="Only so many of them.")] = 200,
    heldout: Annotated[
        str, typer.Option(metavar="DATASET", help="Problems to compare old and new on.")
    ] = "heldout",
    heldout_limit: Annotated[int, typer.Option(min=1, help="Only so many of them.")] = 600,
    guided_limit: Annotated[
        int, typer.Option(min=1, help="So many of these are searched, to compare values.")
    ] = 150,
    iterations: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Iterations of every search of the pool. Default: the recipe's.",
            show_default=False,
        ),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Policy tokens of every search of the pool, in place of the recipe's iterations "
            "or samples.",
            show_default=False,
        ),
    ] = None,
    updates: Annotated[
        int | None,
        typer.Option(
            min=1, help="Most updates of each training. Default: the recipe's.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, options.seed("round")] = 0,
    no_activate: Annotated[
        bool, typer.Option("--no-activate", help="Leave the adapters in use as they are.")
    ] = False,
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
    """Search a pool of problems, learn from the trees, and say whether that helped.

    What is finished is on disk: the same command goes on where it was ended, also after a crash.
    New sessions use the new adapters unless these are worse than the old ones.
    """
    from lab.cli import FAILED, INTERRUPTED
    from lab.models import check
    from lab.round_results import RoundSettings

    settings = RoundSettings(
        recipe=recipe,
        rounds=rounds,
        pool=pool,
        pool_limit=pool_limit,
        heldout=heldout,
        heldout_limit=heldout_limit,
        guided_limit=guided_limit,
        iterations=iterations,
        tokens=tokens,
        updates=updates,
        seed=seed,
        activate=not no_activate,
    )
    with options.workbench(ctx) as bench:
        check(bench.models)
        # A library that prints must not spoil the one object on standard output.
        with redirect_stdout(sys.stderr):
            plan = bench.rounds.plan(settings, fresh)
            _tell(plan)
            most = None if heldout_limit is None else settings.skipped + heldout_limit
            for source, limit in ((settings.pool, pool_limit), (settings.heldout, most)):
                tell_left_out(bench.dataset(source, limit=limit))
            series = bench.rounds.start(settings, fresh)
            finished = follow(bench, series)
        states = [one for one in bench.rounds.states() if one.series == series][::-1]
        if as_json:
            terminal.print_json({"rounds": [_report(bench, state) for state in states]})
        else:
            for state in states:
                _show(state)
        last = states[-1]
        if last.status == "failed":
            terminal.error(last.message)
        again = shlex.join(["lab", *(word for word in sys.argv[1:] if word != "--fresh")])
        if not finished:
            terminal.notice(f"Ended by Ctrl-C; what is finished is kept. Go on with: {again}")
            raise typer.Exit(INTERRUPTED)
        if last.status != "done":
            terminal.notice(f"What is finished is kept. Go on with: {again}")
            raise typer.Exit(FAILED)


@app.callback()
def rounds(ctx: typer.Context, home: options.Home = None) -> None:
    """Training rounds and adapters: list, show, compare, delete, activate."""


@app.command("list")
def list_rounds(
    ctx: typer.Context, as_json: options.Json = False, home: options.Home = None
) -> None:
    """List the rounds of this home, newest first, and the adapters that they made."""
    from lab import render

    with options.workbench(ctx) as bench:
        states, adapters = bench.rounds.states(), bench.adapters.rows()
    if as_json:
        found = [msgspec.to_builtins(row) for row in adapters]
        terminal.print_json({"rounds": msgspec.to_builtins(states), "adapters": found})
        return
    if not states:
        terminal.out().print("No rounds yet. Begin one with: lab round")
        return
    columns = [
        ("round", "left"),
        ("made", "left"),
        ("recipe", "left"),
        ("", "left"),
        ("held-out, greedy", "left"),
    ]
    lines = []
    for state in states:
        made = datetime.fromtimestamp(state.created).strftime("%Y-%m-%d %H:%M")
        greedy = state.verdict.greedy if state.verdict else None
        found_words = greedy.sentence if greedy else ""
        number = f" ({state.number} of {state.rounds})" if state.rounds > 1 else ""
        lines.append((state.id, made, state.recipe + number, state.status, found_words))
    terminal.out().print(render.table(columns, lines))
    columns = [("adapter", "left"), ("of", "left"), ("parent", "left"), ("round", "left")]
    table = [
        (row.id, f"{row.role} {row.base}", row.parent or "base", row.round, _in_use(row.active))
        for row in adapters
    ]
    if table:
        terminal.out().print(render.table([*columns, ("", "left")], table))


@app.command("show")
def show_round(
    ctx: typer.Context,
    identifier: RoundId,
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Show a round: its phases, what it changed, and the adapters that it made."""
    with options.workbench(ctx) as bench:
        state = bench.rounds.state(resolve(bench, identifier))
        if as_json:
            terminal.print_json(_report(bench, state))
        else:
            _show(state, whole=True)


@app.command("compare")
def compare_rounds(
    ctx: typer.Context,
    one: RoundId,
    other: RoundId,
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Compare the policies that two rounds made, on problems that both have answered."""
    with options.workbench(ctx) as bench:
        first, second = resolve(bench, one), resolve(bench, other)
        found = bench.rounds.compare(first, second)
    if as_json:
        report = {"rounds": [first, second], "comparison": msgspec.to_builtins(found)}
        terminal.print_json(report)
    elif found is None:
        terminal.out().print("There is no problem that both have answered.")
    else:
        terminal.out().print(f"{second} against {first}: {found.sentence}")
        terminal.out().print(_counts(found))


@app.command("delete")
def delete_round(
    ctx: typer.Context,
    identifier: RoundId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    home: options.Home = None,
) -> None:
    """Delete a round with its adapters for good; one that others need is refused.

    The sessions of its searches stay, but those that its adapters made cannot go on.
    """
    with options.workbench(ctx) as bench:
        chosen = resolve(bench, identifier)
        if not yes:
            if not sys.stdin.isatty():
                raise typer.BadParameter("deleting needs --yes where nobody can be asked")
            typer.confirm(f"Delete round {chosen} and its adapters for good?", abort=True)
        bench.rounds.delete(chosen)
    terminal.notice(f"Deleted round {chosen} and its adapters.")


@app.command("activate")
def activate(
    ctx: typer.Context,
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ROUND|ADAPTER|base",
            help="A round, for all its adapters; one adapter; or base, the models without any.",
        ),
    ],
    session: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only this session goes on with them; others as before."),
    ] = None,
    as_json: options.Json = False,
    policy: options.Policy = None,
    prm: options.Prm = None,
    quant: options.Quant = None,
    home: options.Home = None,
) -> None:
    """Let new sessions use the adapters of a round, one adapter, or none (base).

    Sessions that are there go on with the adapters that they were made with.
    """
    with options.workbench(ctx) as bench:
        known = [state.id for state in bench.rounds.states()]
        known += [row.id for row in bench.adapters.rows()]
        chosen, who = _one_of(identifier, known), "New sessions use"
        if session is None:
            policy_name, prm_name = bench.rounds.activate(chosen)
        else:
            from lab.cli_sessions import resolve as resolve_session

            found = resolve_session(bench, session)
            bench.steering.use(found, bench.rounds.chosen(chosen))
            row = next(row for row in bench.sessions() if row.id == found)
            policy_name, prm_name = row.policy, row.prm
            who = f"Session {found} goes on with"
    if as_json:
        terminal.print_json({"policy": policy_name, "prm": prm_name})
    else:
        terminal.notice(f"{who} {policy_name} and {prm_name}.")


def resolve(bench: "Workbench", text: str) -> str:
    """The id of the round whose id is `text`, or the only one that starts with it.

    Raises:
        RoundNotFoundError: none or several.
    """
    from sessions.errors import RoundNotFoundError

    known = [state.id for state in bench.rounds.states()]
    found = _one_of(text, known)
    if found not in known:
        several = [one for one in known if text and one.startswith(text)]
        what = f"{len(several)} rounds start with" if several else "There is no round"
        raise RoundNotFoundError(f"{what} {text[:40]!r}; `lab rounds list` shows those there are.")
    return found


def _one_of(text: str, known: list[str]) -> str:
    """The only one that starts with the text, or the text itself."""
    found = [one for one in known if text and one.startswith(text)]
    return found[0] if len(found) == 1 else text


def _tell(plan: "Plan") -> None:
    """What is going to happen."""
    from lab.cli_solve import duration

    say = terminal.notice
    if plan.goes_on:
        say(f"Going on with round {plan.goes_on}; done: {', '.join(plan.done) or 'nothing yet'}.")
    often = f", {plan.rounds} rounds in a row" if plan.rounds > 1 else ""
    say(f"{plan.title}{often} ({plan.source}).")
    say(f"Begins with: {plan.policy} (policy), {plan.prm} (process reward model).")
    say(f"Searches {plan.pool:,} problems: {plan.search}.")
    learning = {"policy": "the policy", "prm": "the process reward model"}
    say(f"Trains {' and '.join(learning[role] for role in plan.learns)}.")
    compared = []
    if plan.heldout:
        compared.append(f"answers {plan.heldout:,} held-out problems before and after")
    if plan.guided:
        compared.append(f"searches {plan.guided:,} of them with old and new values")
    say(f"Then {', and '.join(compared)}.")
    unknown = "known once the first problems are searched"
    took = unknown if plan.seconds is None else duration(plan.seconds)
    say(f"Expected time of a round: {took}.")
    if plan.memory:
        say(f"Memory: {plan.memory}.")


def follow(bench: "Workbench", series: str) -> bool:
    """Show how far a series is, to its end; False if Ctrl-C ended it earlier."""
    try:
        _follow(bench, series)
    except KeyboardInterrupt:
        bench.rounds.pause(series)
        bench.rounds.wait(series)
        return False
    return True


def _follow(bench: "Workbench", series: str) -> None:
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
    phase, said = "", time.monotonic()
    with progress if console.is_terminal else nullcontext():
        task = progress.add_task("starting", total=None, more="")
        while (state := bench.rounds.wait(series, POLL_SECONDS)).active:
            words, more, done, total = _words(state)
            progress.update(task, description=words, more=more, completed=done, total=total or None)
            due = time.monotonic() > said + LINE_SECONDS or state.phase != phase
            if not console.is_terminal and due:
                phase, said = state.phase, time.monotonic()
                terminal.notice(f"{words}{', ' if more else ''}{more}")


def _words(state: "RoundState") -> tuple[str, str, int, int]:
    """How far a round is: the phase, the rest, and its bar."""
    from lab.cli_solve import duration

    phase = next((one for one in state.phases if one.name == state.phase), None)
    if phase is None:
        return state.status, "", 0, 0
    number = f"round {state.number} of {state.rounds}: " if state.rounds > 1 else ""
    title = f"{number}{phase.title}{f' ({phase.note})' if phase.note else ''}"
    if state.message:
        return title, terminal.visible(state.message), 0, 0
    more = [f"{phase.done:,} of {phase.total:,}"] if phase.total else []
    curve = state.curves.get(phase.name)
    if curve:
        more.append(f"loss {curve[-1][1]:.4f}")
    if phase.left is not None:
        more.append(f"{duration(phase.left)} left")
    if state.left is not None:
        more.append(f"{duration(state.left)} to the end")
    return title, ", ".join(more), phase.done, phase.total


def _report(bench: "Workbench", state: "RoundState") -> dict[str, Any]:
    """A round as JSON, with its adapters."""
    adapters = [row for row in bench.adapters.rows() if row.round == state.id]
    return {**msgspec.to_builtins(state), "adapters": msgspec.to_builtins(adapters)}


def _show(state: "RoundState", whole: bool = False) -> None:
    """A round for a person."""
    from lab import render
    from lab.cli_solve import duration

    out = terminal.out()
    if whole or state.verdict is None:
        rows = [(one.title, one.status, duration(one.seconds), one.note) for one in state.phases]
        columns = [(f"round {state.id}", "left"), ("", "left"), ("", "right"), ("", "left")]
        out.print(render.table(columns, rows))
        if state.message:
            out.print(terminal.plain(state.message), soft_wrap=True)
    if state.verdict is not None:
        lines = _verdict_lines(state.verdict)
        out.print(render.table([(f"round {state.id}", "left"), (state.status, "left")], lines))
        for warning in state.verdict.warnings:
            out.print(terminal.plain(f"Warning: {warning}", "yellow"), soft_wrap=True)


def _verdict_lines(verdict: "Verdict") -> list[tuple[str, str]]:
    lines = []
    if verdict.greedy is not None:
        lines += [("greedy answers", verdict.greedy.sentence), ("", _counts(verdict.greedy))]
        for kind, fixed in (("fixed", True), ("broken", False)):
            some = [one for one in verdict.changed if one.fixed == fixed][:_SHOWN]
            lines += [
                (kind, f"{one.problem}: {one.before or 'no answer'} -> {one.after or 'no answer'}")
                for one in some
            ]
    if verdict.guided is not None:
        tokens = f"MCTS* with {verdict.guided_tokens:,} tokens each, old and new values"
        lines += [(tokens, verdict.guided.sentence), ("", _counts(verdict.guided))]
    if (found := verdict.calibration) is not None:
        before, after = found.before, found.after
        n = f"{found.solutions:,} solutions"
        lines.append(("Brier score", f"{before.brier:.3f} -> {after.brier:.3f} ({n})"))
        if before.auc is not None and after.auc is not None:
            n = f"{found.problems:,} problems"
            lines.append(("AUC within problems", f"{before.auc:.3f} -> {after.auc:.3f} ({n})"))
    if verdict.pool_tokens is not None and verdict.pool_searches:
        each = verdict.pool_tokens / verdict.pool_searches
        lines.append(("tokens sampled in the pool", f"{verdict.pool_tokens:,} ({each:,.0f} each)"))
    if (steps := verdict.steps) is not None and steps.checked:
        share = f"{steps.right:,} of {steps.checked:,} ({100 * steps.right / steps.checked:.1f} %)"
        lines.append(("traces without a wrong step", share))
    for role, adapter in verdict.adapters.items():
        if adapter is not None:
            lines.append((f"adapter of the {role}", adapter + _used(verdict.activated[role])))
    return lines


def _used(activated: bool) -> str:
    return ", in use for new sessions" if activated else ", not activated"


def _in_use(active: bool) -> str:
    return "in use" if active else ""


def _counts(found: "Comparison") -> str:
    percent = f"{100 * found.before.estimate:.1f} % -> {100 * found.after.estimate:.1f} % right"
    same = found.same_right + found.same_wrong
    return f"{percent}; {len(found.fixed):,} fixed, {len(found.broken):,} broken, {same:,} the same"
