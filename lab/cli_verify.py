"""`lab verify`: verifiers compared on the same samples."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from lab import cli_options as options
from lab import terminal
from lab.cli_datasets import tell_left_out

if TYPE_CHECKING:
    from lab.evaluations import Evaluations
    from lab.verifier_models import Asked, AskState

POLL_SECONDS = 10.0


def verify(
    ctx: typer.Context,
    dataset: Annotated[
        str, typer.Argument(help="File, folder or bundled split with right answers.")
    ],
    samples: Annotated[
        int, typer.Option(min=1, max=1024, help="Solutions sampled of each problem.")
    ] = 16,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many problems.", show_default=False)
    ] = None,
    seed: Annotated[int, options.seed("samples")] = 0,
    parallel: Annotated[
        int, typer.Option(min=1, max=1024, help="Problems at a time; changes no result.")
    ] = 64,
    verifiers: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Only these, commas between. Default: all that models are there for.",
        ),
    ] = None,
    orm: Annotated[
        str | None,
        typer.Option(
            help="Outcome reward model: a folder or a hub id.", rich_help_panel="Verifiers"
        ),
    ] = None,
    orm_format: Annotated[
        str, typer.Option(help="How it is read.", rich_help_panel="Verifiers", metavar="NAME")
    ] = "auto",
    value: Annotated[
        str | None,
        typer.Option(help="Value model besides the PRM.", rich_help_panel="Verifiers"),
    ] = None,
    value_format: Annotated[
        str, typer.Option(help="How it is read.", rich_help_panel="Verifiers", metavar="NAME")
    ] = "auto",
    judge: Annotated[
        str | None,
        typer.Option(
            help="Language model that is asked; the policy by default, if it can be.",
            rich_help_panel="Verifiers",
        ),
    ] = None,
    as_json: options.Json = False,
    policy: options.Policy = None,
    prm: options.Prm = None,
    quant: options.Quant = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    kv_budget: options.KvBudget = None,
    home: options.Home = None,
) -> None:
    """Sample solutions of problems once, and say which verifier chooses best among them.

    What is sampled is on disk: the same command goes on where it was ended.
    """
    from engine.errors import ParameterError
    from engine.verifiers.registry import VOTES
    from lab.cli import FAILED, INTERRUPTED
    from lab.models import check
    from lab.verifications import KS, as_markdown, checked_names, notes
    from lab.verifier_models import ASKED, Asked, AskState, check_asked

    asked = Asked(orm or "", orm_format, value or "", value_format, judge or "", policy=True)
    with options.workbench(ctx) as bench:
        check(bench.models)
        names = checked_names(verifiers)
        wanted = [one for one in ASKED if {one, one + VOTES} & set(names)]
        check_asked(asked, wanted, bench.models)
        problems = bench.dataset(dataset, limit=limit)
        tell_left_out(problems)
        if problems.ungraded:
            raise ParameterError(
                f"{dataset} has {problems.ungraded:,} problems without a right answer: comparing "
                "verifiers needs right answers."
            )
        params = {"samples": samples, "final_choice": "best"}
        batch = bench.solve(
            problems, "sampling", params, seed=seed, parallel=parallel, name="samples to verify"
        )
        try:
            while (state := bench.wait_batch(batch, POLL_SECONDS)).active:
                terminal.notice(f"{state.done:,} of {state.problems:,} problems sampled")
        except KeyboardInterrupt:
            bench.stop_batch(batch)
            bench.wait_batch(batch, None)
            terminal.notice("Ended by Ctrl-C; the same command goes on.")
            raise typer.Exit(INTERRUPTED) from None
        if state.status == "failed":
            terminal.error(state.message)
            raise typer.Exit(FAILED)
        ks = sorted({k for k in KS if k < samples} | {samples})
        told = AskState()
        if wanted or not names:
            told = _ask(bench.evaluations, batch, asked, wanted)
        scores = [
            one for one in bench.evaluations.verified(batch, ks) if not names or one.name in names
        ]
    if as_json:
        terminal.print_json(
            {
                "batch": batch,
                "verifiers": msgspec.to_builtins(scores),
                "left_out": {one.name: one.why for one in told.left_out},
                "seconds": told.seconds,
            }
        )
        return
    out = terminal.out()
    out.print(as_markdown(scores), markup=False, highlight=False)
    for sentence in notes(scores, told):
        out.print(sentence, markup=False, highlight=False)


def _ask(
    evaluations: "Evaluations", batch: str, asked: "Asked", wanted: Sequence[str]
) -> "AskState":
    """Ask models about the samples, telling how far that is.

    Raises:
        ModelError: one cannot be asked.
    """
    from engine.errors import ModelError
    from lab.cli import INTERRUPTED

    evaluations.ask_about(batch, asked, wanted)
    try:
        while (state := evaluations.asking.wait(POLL_SECONDS)).active:
            done = f": {state.done:,} of {state.total:,} samples" if state.total else ""
            terminal.notice(f"{state.doing}{done}")
    except KeyboardInterrupt:
        evaluations.asking.stop()
        terminal.notice("Ended by Ctrl-C; the samples are kept, and asked about anew.")
        raise typer.Exit(INTERRUPTED) from None
    if state.message:
        raise ModelError(state.message)
    return state
