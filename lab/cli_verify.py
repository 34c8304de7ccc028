"""`lab verify`: verifiers compared on the same samples."""

from typing import Annotated

import msgspec
import typer

from lab import cli_options as options
from lab import terminal

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
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same samples.")] = 0,
    parallel: Annotated[
        int, typer.Option(min=1, max=1024, help="Problems at a time; changes no result.")
    ] = 64,
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
    from lab.cli import FAILED, INTERRUPTED
    from lab.models import check
    from lab.verifications import KS, as_markdown, notes

    with options.workbench(ctx) as bench:
        check(bench.models)
        problems = bench.dataset(dataset, limit=limit)
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
        scores = bench.evaluations.verified(batch, ks)
    if as_json:
        terminal.print_json({"batch": batch, "verifiers": msgspec.to_builtins(scores)})
        return
    out = terminal.out()
    out.print(as_markdown(scores), markup=False, highlight=False)
    for sentence in notes(scores):
        out.print(sentence, markup=False, highlight=False)
