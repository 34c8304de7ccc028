"""One table of recipes at equal search budgets, made by one command.

    python -m lab.recipe_table --home DIR --out FILE.md

Every recipe begins with the bundled models, searches the same pool with the same number of policy
tokens a problem, and is asked the same held-out problems. Where two recipes search alike (in the
first round), the stored searches are used for both. Whatever ends the command, the same command
goes on; the figures are also written as JSON beside the table.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.bundled.problems import write_new_problems
from engine.errors import LabError
from engine.models import hardware
from lab import terminal
from lab.cli_round import follow
from lab.recipe_report import Entry, Report, differences, markdown
from lab.round_results import RoundError, RoundSettings, RoundState
from lab.workbench import Workbench

RECIPES = ("rest_mcts", "rest_em", "self_rewarding", "mcts_process")
NEW = "new"
SERIES = "-new-1"
"""Of the generated held-out problems. Whoever has looked at the answers to these and changes what
is measured with them has to take another one."""

_INTERRUPTED = 130


def main(
    home: Annotated[Path, typer.Option(help="Folder of the rounds; adapters may not be in use.")],
    out: Annotated[Path, typer.Option(metavar="FILE.md", help="Gets the table.")],
    recipe: Annotated[
        list[str] | None,
        typer.Option(help=f"May be given several times. Default: {', '.join(RECIPES)}."),
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="May be given several times. Default: 0.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in a row, of every recipe.")] = 2,
    further: Annotated[
        int, typer.Option(min=0, help="So many more rounds of the first recipe, for its curve.")
    ] = 0,
    tokens: Annotated[int, typer.Option(min=1, help="Policy tokens of each pool search.")] = 900,
    pool_limit: Annotated[
        int, typer.Option(min=1, help="Problems searched and learnt from.")
    ] = 200,
    heldout: Annotated[
        str,
        typer.Option(metavar="DATASET", help="Problems to ask; `new` generates unpublished ones."),
    ] = NEW,
    heldout_limit: Annotated[int, typer.Option(min=1, help="Only so many of them.")] = 600,
    guided_limit: Annotated[
        int, typer.Option(min=1, help="So many of them are searched with old and new values.")
    ] = 150,
    updates: Annotated[
        int | None, typer.Option(min=1, help="Most updates of each training.", show_default=False)
    ] = None,
    parallel: Annotated[
        int, typer.Option(min=1, max=1024, help="Searches at a time; changes no result.")
    ] = 64,
    finished: Annotated[
        bool, typer.Option("--finished", help="Run nothing: only the recipes that are done.")
    ] = False,
) -> None:
    """Compare recipes at equal search budgets."""
    hardware.prepare_environment()
    home.mkdir(parents=True, exist_ok=True)
    asked = new_problems(home, heldout_limit) if heldout == NEW else heldout
    common = RoundSettings(
        pool_limit=pool_limit,
        heldout=asked,
        heldout_limit=heldout_limit,
        guided_limit=guided_limit,
        tokens=tokens,
        updates=updates,
        activate=False,
        parallel=parallel,
    )
    bench = Workbench(home)
    try:
        table = Table(bench, f"generated, series {SERIES}" if heldout == NEW else heldout)
        names = recipe or RECIPES
        for one in seed or [0]:
            for name in names:
                several = rounds + (further if name == names[0] else 0)
                changes = {"recipe": name, "seed": one, "rounds": several}
                if table.take(msgspec.structs.replace(common, **changes), run=not finished):
                    # What is there is worth a look while the rest is under way.
                    table.write(out)
    except LabError as error:
        terminal.error(str(error))
        raise typer.Exit(1) from error
    finally:
        bench.close()
    if not table.rows:
        terminal.error("No recipe is done yet.")
        raise typer.Exit(1)
    terminal.out().print(out.read_text("utf-8"), markup=False, highlight=False, soft_wrap=True)


def new_problems(home: Path, count: int) -> str:
    """A file of generated held-out problems that no published file has."""
    return write_new_problems(home / f"heldout{SERIES}.jsonl", count, SERIES)


class Table:
    """What the rounds of a home came to.

    Attributes:
        rows: a round each, and which held-out problems its policy answers right.

    Args:
        bench: where they are run.
        heldout: the held-out problems, in words.
    """

    def __init__(self, bench: Workbench, heldout: str) -> None:
        used = [adapter for adapter in bench.adapters.start().values() if adapter]
        if used:
            raise RoundError(
                f"Adapter {used[0]} is in use in {bench.home}: recipes are compared from the bare "
                "models. Take another folder, or `lab rounds activate base`."
            )
        self._bench = bench
        self._heldout = heldout
        self._before: dict[str, bool] = {}
        self.rows: list[tuple[Entry, dict[str, bool]]] = []
        self._settings: list[RoundSettings] = []

    def take(self, settings: RoundSettings, run: bool = True) -> bool:
        """Add the rounds of a recipe, unless they are not there and are not to be run.

        Returns:
            Whether they were added.

        Raises:
            RoundError: one of them failed.
            Exit: it was interrupted.
        """
        states = self._done(settings)
        if not states and not run:
            return False
        if not states:
            terminal.notice(f"{settings.recipe}, seed {settings.seed}")
            series = self._bench.rounds.start(settings)
            if not follow(self._bench, series):
                terminal.notice("Ended by Ctrl-C; the same command goes on.")
                raise typer.Exit(_INTERRUPTED)
            states = self._done(settings)
            if not states:
                state = self._bench.rounds.state(series)
                raise RoundError(f"{settings.recipe} did not come to its end: {state.message}")
        title = self._bench.rounds.plan(settings).title
        self._settings.append(settings)
        right: dict[str, bool] = {}
        for state in states:
            batches = self._bench.rounds.batches(state.id)
            if "greedy before" in batches and state.number == 1:
                right = self._before = self._answers(batches["greedy before"])
            if "greedy after" in batches:
                right = self._answers(batches["greedy after"])
            self.rows.append((self._entry(state, settings, title, batches["pool"]), right))
        return True

    def write(self, out: Path) -> None:
        """Write table and figures; each file is there whole or as it was."""
        report = self._report()
        figures = json.dumps(msgspec.to_builtins(report), indent=1) + "\n"
        for file, text in ((out, markdown(report)), (out.with_suffix(".json"), figures)):
            draft = file.with_name(f".{file.name}.new")
            draft.write_text(text, "utf-8")
            draft.replace(file)

    def _report(self) -> Report:
        known = [right for _, right in self.rows]
        labels = [one for one in self._before if all(one in right for right in known)]
        entries = [
            msgspec.structs.replace(entry, right=[right[label] for label in labels])
            for entry, right in self.rows
        ]
        before = [self._before[label] for label in labels]
        setting: dict[str, Any] = msgspec.to_builtins(self._settings[0])
        setting |= {
            "heldout": self._heldout,
            "recipe": list(dict.fromkeys(one.recipe for one in self._settings)),
            "rounds": {one.recipe: one.rounds for one in self._settings},
            "seed": list(dict.fromkeys(one.seed for one in self._settings)),
        }
        return Report(setting, labels, before, entries, differences(before, entries))

    def _done(self, settings: RoundSettings) -> list[RoundState]:
        """The rounds of a series that is at its end and began with the bare models, in order."""
        whole: dict[str, list[RoundState]] = {}
        for state in self._bench.rounds.states():
            asked = msgspec.convert(state.setting, RoundSettings)
            if msgspec.structs.replace(asked, parallel=settings.parallel) == settings:
                whole.setdefault(state.series, []).append(state)
        for states in whole.values():
            states.sort(key=lambda state: state.number)
            bare = not any(states[0].start.values())
            if len(states) == settings.rounds and states[-1].status == "done" and bare:
                return states
        return []

    def _answers(self, batch: str) -> dict[str, bool]:
        return {
            problem.label: problem.correct
            for problem in self._bench.batch_problems(batch)
            if problem.status == "done" and problem.correct is not None
        }

    def _entry(self, state: RoundState, settings: RoundSettings, title: str, pool: str) -> Entry:
        verdict = state.verdict
        assert verdict is not None
        searched = self._bench.batch(pool)
        adapters = [row for row in self._bench.adapters.rows() if row.round == state.id]
        return Entry(
            recipe=settings.recipe,
            title=title,
            seed=settings.seed,
            number=state.number,
            round=state.id,
            right=[],
            tokens=searched.tokens,
            searches=searched.done,
            learnt={row.role: row.meta["data"]["rows"] for row in adapters},
            steps=verdict.steps,
            guided=verdict.guided,
            guided_tokens=verdict.guided_tokens,
            seconds={
                "search": searched.seconds,
                "training": sum(
                    phase.seconds for phase in state.phases if phase.name in ("prm", "policy")
                ),
            },
            warnings=verdict.warnings,
        )


if __name__ == "__main__":
    typer.run(main)
