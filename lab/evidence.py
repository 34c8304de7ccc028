"""The figures of docs/evaluation.md, on the bundled models and problems that nobody has seen.

    python -m lab.evidence searches --home FOLDER --out searches.md
    python -m lab.evidence verifiers --home FOLDER --out verifiers.md

Goes on where it was ended. The problems are generated, so that anybody has the same ones: a series
of their own, without any question that is published.
"""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.bundled.problems import write_new_problems
from engine.errors import LabError
from engine.models import hardware
from engine.models.loading import locate
from engine.tasks.datasets import Dataset
from lab import terminal
from lab.evaluation_files import write
from lab.evaluation_plan import EvaluationSettings
from lab.evaluations import Evaluations
from lab.evidence_models import KINDS, teach
from lab.models import specs
from lab.results import BatchState
from lab.verifications import as_markdown, notes
from lab.verifier_models import Asked, AskState
from lab.workbench import Workbench

SERIES = "-searches-4"
METHODS = (
    "cot",
    "majority",
    "best_of_n_last",
    "best_of_n_product",
    "vote_last",
    "beam",
    "lookahead",
    "dvts",
    "rebase",
    "tot_bfs",
    "tot_dfs",
    "puct",
    "rstar_math",
    "mcts_star",
)
_POLL_SECONDS = 20.0
_LESSON_SAMPLES = 8
"""Solutions of each problem that outcome models learn from."""

app = typer.Typer(add_completion=False, help=__doc__)


@app.callback()
def evidence() -> None:
    """The figures of docs/evaluation.md."""


@app.command()
def searches(
    home: Annotated[Path, typer.Option(help="Folder of the searches.")],
    out: Annotated[Path, typer.Option(help="The table; a .csv and a .svg go beside it.")],
    problems: Annotated[int, typer.Option(min=1)] = 500,
    budgets: Annotated[str, typer.Option()] = "300,600,1200",
    seeds: Annotated[str, typer.Option()] = "0",
    parallel: Annotated[int, typer.Option(min=1, max=1024)] = 256,
) -> None:
    """Methods of search at equal policy tokens."""
    hardware.prepare_environment()
    home.mkdir(parents=True, exist_ok=True)
    settings = EvaluationSettings(
        dataset=new_problems(home, problems),
        methods=METHODS,
        budgets=tuple(int(part) for part in budgets.split(",")),
        seeds=tuple(int(part) for part in seeds.split(",")),
        parallel=parallel,
    )
    bench = Workbench(home)
    try:
        _run(bench.evaluations, settings, out)
    except LabError as error:
        terminal.error(str(error))
        raise typer.Exit(1) from error
    finally:
        bench.close()


@app.command()
def verifiers(
    home: Annotated[Path, typer.Option(help="Folder of the samples.")],
    out: Annotated[Path, typer.Option(help="The table; a .json goes beside it.")],
    problems: Annotated[int, typer.Option(min=1)] = 500,
    samples: Annotated[int, typer.Option(min=4, max=1024)] = 16,
    lessons: Annotated[
        int, typer.Option(min=0, help="Problems that outcome models learn from; 0 for none.")
    ] = 800,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    parallel: Annotated[int, typer.Option(min=1, max=1024)] = 64,
) -> None:
    """Verifiers on the same samples, two outcome models that are taught here among them."""
    hardware.prepare_environment()
    home.mkdir(parents=True, exist_ok=True)
    bench = Workbench(home)
    try:
        asked = _outcome_models(bench, home / "outcome-models", lessons, seed, parallel)
        dataset = bench.dataset(new_problems(home, problems, "-verifiers-1"))
        state = _sampled(bench, dataset, samples, seed, parallel)
        told = AskState()
        if asked != Asked():
            bench.evaluations.ask_about(state.id, asked)
            while (told := bench.evaluations.asking.wait(_POLL_SECONDS)).active:
                terminal.notice(f"{told.doing}: {told.done:,} of {told.total:,} samples")
            if told.message:
                raise LabError(told.message)
        ks = [k for k in (1, 4, 16, 64) if k <= samples]
        scores = bench.evaluations.verified(state.id, ks)
    except LabError as error:
        terminal.error(str(error))
        raise typer.Exit(1) from error
    finally:
        bench.close()
    text = "\n".join([as_markdown(scores), "", *(f"- {line}" for line in notes(scores, told))])
    out.write_text(f"{text}\n- seed {seed}; sampling took {state.seconds:,.0f} s.\n", "utf-8")
    out.with_suffix(".json").write_bytes(msgspec.json.encode(scores))


def _outcome_models(
    bench: Workbench, folder: Path, lessons: int, seed: int, parallel: int
) -> Asked:
    """An outcome and a value model that have learnt from samples of so many problems."""
    if not lessons:
        return Asked()
    folder.mkdir(parents=True, exist_ok=True)
    state = _sampled(bench, bench.dataset("pool", limit=lessons), _LESSON_SAMPLES, seed, parallel)
    traces = [one for group in bench.evaluations.samples(state.id) for one in group]
    policy = locate(specs(bench.models)[0]).directory
    orm, value = (teach(policy, traces, kind, folder, seed) for kind in KINDS)
    return Asked(orm=str(orm), value=str(value), policy=True)


def _sampled(
    bench: Workbench, dataset: Dataset, samples: int, seed: int, parallel: int
) -> BatchState:
    """Solutions of every problem of a dataset.

    Raises:
        LabError: it was ended before its end.
    """
    params = {"samples": samples, "final_choice": "best"}
    batch = bench.solve(dataset, "sampling", params, seed=seed, parallel=parallel)
    while (state := bench.wait_batch(batch, _POLL_SECONDS)).active:
        terminal.notice(f"{state.done:,} of {state.problems:,} problems sampled")
    if not state.complete:
        raise LabError(state.message or "It was ended before its end; the same command goes on.")
    return state


def new_problems(home: Path, count: int, series: str = SERIES) -> str:
    """A file of generated held-out problems that no published file has."""
    return write_new_problems(home / f"heldout{series}-{count}.jsonl", count, series)


def _run(evaluations: Evaluations, settings: EvaluationSettings, out: Path) -> None:
    evaluation = evaluations.start(settings, "searches at equal budgets")
    while (state := evaluations.wait(evaluation, _POLL_SECONDS)).active:
        done, total = sum(run.done for run in state.runs), sum(run.total for run in state.runs)
        now = next((run.name for run in state.runs if run.done < run.total), "")
        terminal.notice(f"{done:,} of {total:,} searches; {now}")
    if state.status != "done":
        raise LabError(state.message or "It was ended before its end; the same command goes on.")
    report = evaluations.report(evaluation)
    for suffix in (".md", ".csv", ".svg"):
        write(report, out.with_suffix(suffix), force=True)


if __name__ == "__main__":
    app()
