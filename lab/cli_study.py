"""`lab compare` and `lab fork`: two searches side by side, and one that goes on from a place."""

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from lab import cli_options as options
from lab import terminal
from lab.cli_sessions import SessionId, resolve

if TYPE_CHECKING:
    from lab.compare import Side, Sides

_SHOWN = 12
_LONGEST = 60


def compare(
    ctx: typer.Context,
    session: SessionId,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Another one of its question.")],
    method: Annotated[str, typer.Option(help="Method of the rewards that are compared.")] = "paper",
    as_json: options.Json = False,
    home: options.Home = None,
) -> None:
    """Compare two searches of one question: answers, parameters, values, visits, rewards."""
    with options.workbench(ctx) as bench:
        ids = resolve(bench, session), resolve(bench, other)
        found = bench.studies.comparisons.sessions(*ids, method)
    if as_json:
        terminal.print_json(msgspec.to_builtins(found))
        return
    out = terminal.out()
    for line in (*_head(found.one), *_head(found.other), "", *_differences(found)):
        out.print(terminal.plain(line), soft_wrap=True)


def fork(
    ctx: typer.Context,
    session: SessionId,
    at: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Event of the log, from 1 on. Default: the last."),
    ] = None,
    name: Annotated[str, typer.Option(help="Of the new session.")] = "",
    home: options.Home = None,
) -> None:
    """Make a session of what happened in another one up to an event; prints its id."""
    with options.workbench(ctx) as bench:
        made = bench.steering.fork(resolve(bench, session), at, name)
        iterations = bench.show(made).iterations
    terminal.notice(f"Forked after iteration {iterations}.")
    print(made)


def _head(side: "Side") -> list[str]:
    verdict = {True: " (right)", False: " (wrong)", None: ""}[side.correct]
    answer = "no answer" if side.answer is None else f"answer {side.answer}{verdict}"
    params = ", ".join(f"{name} = {value}" for name, value in side.params.items())
    return [
        f"{side.session}: {answer}, {side.iterations} iterations, {side.nodes} nodes, "
        f"{side.rows} rewards" + (f"; {params}" if params else "")
    ]


def _differences(found: "Sides") -> list[str]:
    pairs = found.pairs
    moved = [pair for pair in pairs if pair.values[0] != pair.values[1]]
    moved.sort(key=lambda pair: -abs(pair.values[1] - pair.values[0]))
    visits = sum(pair.visits[0] != pair.visits[1] for pair in pairs)
    rewards = sum(pair.rewards[0] != pair.rewards[1] for pair in pairs)
    answers = "The same answer" if found.same_answer else "Different answers"
    lines = [
        f"{answers}. {len(pairs)} common nodes: {len(moved)} differ in V, {visits} in visits, "
        f"{rewards} in their reward. Only in the first: {len(found.only_one)}; only in the second: "
        f"{len(found.only_other)}."
    ]
    for pair in moved[:_SHOWN]:
        (before, after), (few, many) = pair.values, pair.visits
        step = " ".join(pair.step.split())[:_LONGEST] or "the question"
        lines.append(f"  V {before:.3f} -> {after:.3f}  n {few} -> {many}  {step}")
    if len(moved) > _SHOWN:
        lines.append(f"  and {len(moved) - _SHOWN} more")
    return lines
