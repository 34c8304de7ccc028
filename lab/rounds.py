"""Training rounds: search, learn, compare; several in a row; each goes on where it was ended.

A thread a series goes through the phases; what they leave on disk is all that counts. Searching and
training happen in the model thread.
"""

import shutil
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from engine.errors import LabError, ModelError, ParameterError, TaskError
from engine.randomness import SEEDS, is_seed
from engine.tasks.datasets import Dataset, read_dataset
from engine.training.recipes import RECIPES, Recipe, Search, recipe
from engine.training.verdict import Comparison, compare
from lab.adapters import BASE
from lab.models import adapted
from lab.results import ModelSettings
from lab.round_phases import Parts, Problems
from lab.round_results import PHASES, Plan, RoundSettings, RoundState
from lab.round_run import SeriesRun
from lab.round_states import on_disk
from lab.round_time import expected
from lab.round_verdict import answers
from sessions.adapters import ROLES, Role
from sessions.errors import RoundInUseError, RoundNotFoundError
from sessions.rounds import RoundRow

MOST_ROUNDS = 100

_SHORTEST = 256
"""Tokens of a text that training is counted with at the least."""


class Rounds:
    """The rounds of a home, and those that this process works on.

    Args:
        parts: of the workbench.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._adapters = parts.adapters
        self._runs: dict[str, SeriesRun] = {}
        self._lock = threading.Lock()

    def recipes(self) -> list[Recipe]:
        """The recipes there are."""
        return list(RECIPES.values())

    def settings(self, entered: Mapping[str, Any]) -> RoundSettings:
        """What is asked for as plain JSON; what it leaves out is as usual.

        Raises:
            ParameterError: there is no such setting, or a value is of another kind.
        """
        unknown = sorted(set(entered) - set(RoundSettings.__struct_fields__))
        if unknown:
            raise ParameterError(f"A round has no setting {unknown[0][:40]!r}.")
        try:
            return msgspec.convert(dict(entered), RoundSettings)
        except msgspec.ValidationError as error:
            raise ParameterError(f"A setting of the round is not usable: {error}.") from error

    def plan(self, settings: RoundSettings, fresh: bool = False) -> Plan:
        """What a round would do; takes seconds, and changes nothing.

        Raises:
            ParameterError: there is no such recipe, or a value is out of range.
            TaskError: a dataset cannot be read, or a problem is in both.
        """
        chosen, problems = _read(settings)
        found = None if fresh else self._find(settings, chosen, problems)
        start = found.setting["start"] if found else self._adapters.start()
        seconds = sum(expected(self._parts, chosen, settings, problems).values())
        policy, prm = (adapted(self._adapters.base(role), start[role]) for role in ROLES)
        return Plan(
            recipe=chosen.name,
            title=chosen.title,
            source=chosen.source,
            rounds=settings.rounds,
            policy=policy,
            prm=prm,
            learns=[role for role in ROLES if getattr(chosen, role) is not None],
            pool=len(problems.pool.problems),
            heldout=len(problems.heldout.problems) if chosen.policy else 0,
            guided=len(problems.guided.problems) if chosen.prm else 0,
            search=_in_words(chosen.search),
            seconds=seconds or None,
            memory=_memory(self._adapters.settings, chosen, problems.pool),
            goes_on=found.id if found and found.status == "open" else None,
            done=[name for name in PHASES if found and found.result(name) is not None],
        )

    def start(self, settings: RoundSettings, fresh: bool = False) -> str:
        """Work on a round or several in a row; returns at once.

        Goes on with the last one that was asked for alike and is not at its end, unless a `fresh`
        one is asked for.

        Returns:
            The id of the series, which is that of its first round.

        Raises:
            ParameterError: there is no such recipe, or a value is out of range.
            TaskError: a dataset cannot be read, or a problem is in both.
            RoundInUseError: another process works on it.
            StoreError: it cannot be written.
        """
        chosen, problems = _read(settings)
        with self._lock:
            row = None if fresh else self._find(settings, chosen, problems)
            if row is not None and self._active(row.series) is not None:
                return row.series
            if row is None:
                row = self._begin(settings, chosen, problems)
            self._run(row, settings, chosen, problems)
        return row.series

    def resume(self, round_id: str) -> str:
        """Go on with a round that is not at its end; returns its series at once.

        Raises:
            RoundNotFoundError: there is none with this id.
            TaskError: its datasets are not what they were.
            ParameterError: it is at its end, or the models in use are others.
            RoundInUseError: another process works on it.
        """
        row = self._store.rounds.row(round_id)
        settings = msgspec.convert(row.setting["asked"], RoundSettings)
        if row.status != "open":
            raise ParameterError(f"Round {round_id} is {row.status}: begin a new one.")
        chosen, problems = _read(settings)
        wanted = self._wanted(settings, chosen, problems)
        changed = [name for name, value in wanted.items() if row.setting.get(name) != value]
        if changed:
            raise ParameterError(
                f"Round {round_id} was begun with another {changed[0]} "
                f"({str(row.setting.get(changed[0]))[:100]}): go on with that, or begin a new one."
            )
        with self._lock:
            if self._active(row.series) is None:
                self._run(row, settings, chosen, problems)
        return row.series

    def pause(self, round_id: str) -> None:
        """End this process's work on a round and those after it; what is done is on disk."""
        run = self._runs.get(self._series(round_id))
        if run is not None:
            run.stop()

    def cancel(self, round_id: str) -> None:
        """End a round for good; what it has made stays until it is deleted.

        Raises:
            RoundNotFoundError: there is none with this id.
            RoundInUseError: another process works on it.
        """
        row = self._store.rounds.row(round_id)
        self.pause(round_id)
        self.wait(row.series)
        row = self._store.rounds.row(round_id)
        if row.status == "open":
            self._held(row)
            self._store.rounds.say(round_id, "cancelled")

    def wait(self, round_id: str, timeout: float | None = None) -> RoundState:
        """Wait until this process does not work on a round's series, at most `timeout` seconds;
        the state of its present or last round then.
        """
        series = self._series(round_id)
        run = self._runs.get(series)
        if run is not None:
            run.join(timeout)
            return self.state(run.row.id)
        rows = [row for row in self._store.rounds.rows() if row.series == series]
        return self.state(rows[0].id)

    def state(self, round_id: str) -> RoundState:
        """How far a round is; cheap.

        Raises:
            RoundNotFoundError: there is none with this id.
        """
        return self._state(self._store.rounds.row(round_id))

    def states(self) -> list[RoundState]:
        """All rounds, the newest first."""
        return [self._state(row) for row in self._store.rounds.rows()]

    def batches(self, round_id: str) -> dict[str, str]:
        """The batches of a round that are done: "pool", and "greedy" and "guided", each "before"
        and "after".

        Raises:
            RoundNotFoundError: there is none with this id.
        """
        row = self._store.rounds.row(round_id)
        found = {"pool": (row.result("search") or {}).get("batch")}
        for phase in ("greedy", "guided"):
            result = row.result(phase) or {}
            found |= {f"{phase} {name}": result.get(name) for name in ("before", "after")}
        return {name: batch for name, batch in found.items() if batch}

    def activate(self, identifier: str, role: Role | None = None) -> list[str]:
        """Let new sessions use an adapter, all adapters of a round, or `base`, the bare models
        (only that of a role, if one is named).

        Returns:
            What is in use now, as logs will name it: policy, process reward model.

        Raises:
            StoreError: there is no such round or adapter for the models in use.
        """
        for adapter in self._meant(identifier):
            self._adapters.activate(adapter, role)
        return list(self._adapters.labels())

    def chosen(self, identifier: str) -> dict[Role, str | None]:
        """The adapters that are meant by an id as `activate` takes it, None for a bare model.

        Raises:
            StoreError: there is no such round or adapter.
        """
        if identifier == BASE:
            return dict.fromkeys(ROLES)
        rows = [self._store.adapters.row(adapter) for adapter in self._meant(identifier)]
        return {row.role: row.id for row in rows}

    def _meant(self, identifier: str) -> list[str]:
        with suppress(RoundNotFoundError):
            made = self._made(self._store.rounds.row(identifier).id)
            if made:
                return made
        return [identifier]

    def delete(self, round_id: str) -> None:
        """Delete a round with its adapters. The sessions of its searches stay.

        Raises:
            RoundNotFoundError: there is none with this id.
            RoundInUseError: somebody works on it.
            AdapterNeededError: one of its adapters is in use, or others need it.
        """
        row = self._store.rounds.row(round_id)
        self._held(row)
        self._adapters.delete(*self._made(round_id))
        shutil.rmtree(self._parts.folder(round_id), ignore_errors=True)
        self._store.rounds.delete(round_id)

    def compare(self, one: str, other: str) -> Comparison | None:
        """Greedy answers of the new policies of two rounds, on problems that both have answered;
        None if there are none.

        Raises:
            RoundNotFoundError: there is no such round.
        """
        found = []
        for identifier in (one, other):
            batch = (self._store.rounds.row(identifier).result("greedy") or {}).get("after")
            found.append(answers(self._store, batch) if batch else {})
        return compare(*found)

    def close(self, timeout: float) -> None:
        """End all work."""
        runs = list(self._runs.values())
        for run in runs:
            run.stop()
        deadline = time.monotonic() + timeout
        for run in runs:
            run.join(max(0.0, deadline - time.monotonic()))

    def _series(self, round_id: str) -> str:
        """That of a round, or itself: its first round, whose id it has, may have been deleted."""
        try:
            return self._store.rounds.row(round_id).series
        except RoundNotFoundError:
            if any(row.series == round_id for row in self._store.rounds.rows()):
                return round_id
            raise

    def _made(self, round_id: str) -> list[str]:
        return [row.id for row in self._store.adapters.rows() if row.round == round_id]

    def _held(self, row: RoundRow) -> None:
        """Make sure that nobody works on a round.

        Raises:
            RoundInUseError: somebody does.
        """
        if self._active(row.series) is not None:
            raise RoundInUseError(f"Round {row.id} is being worked on: pause it first.")
        self._store.rounds.hold(row.series)
        self._store.rounds.release(row.series)

    def _active(self, series: str) -> SeriesRun | None:
        run = self._runs.get(series)
        return run if run is not None and run.active else None

    def _run(
        self, row: RoundRow, settings: RoundSettings, chosen: Recipe, problems: Problems
    ) -> None:
        self._store.rounds.hold(row.series)
        wanted = self._wanted(settings, chosen, problems)
        run = SeriesRun(self._parts, row, settings, wanted, chosen, problems)
        self._runs[row.series] = run
        run.start()

    def _state(self, row: RoundRow) -> RoundState:
        state = on_disk(row)
        run = self._runs.get(row.series)
        return run.show(state) if run is not None and run.row.id == row.id else state

    def _find(self, settings: RoundSettings, chosen: Recipe, problems: Problems) -> RoundRow | None:
        wanted = self._wanted(settings, chosen, problems)
        return self._store.rounds.find(wanted, settings.rounds)

    def _begin(self, settings: RoundSettings, chosen: Recipe, problems: Problems) -> RoundRow:
        return self._store.rounds.begin(
            chosen.name,
            self._wanted(settings, chosen, problems),
            settings.rounds,
            msgspec.to_builtins(settings),
            dict(self._adapters.start()),
        )

    def _wanted(
        self, settings: RoundSettings, chosen: Recipe, problems: Problems
    ) -> dict[str, Any]:
        """What tells rounds apart: all that changes their results but the adapters they start
        with.
        """
        return {
            "recipe": chosen.model_dump(mode="json"),
            "policy": self._adapters.base("policy"),
            "prm": self._adapters.base("prm"),
            "pool": problems.pool.digest,
            "heldout": problems.heldout.digest,
            "guided": len(problems.guided.problems),
            "seed": settings.seed,
        }


def _read(settings: RoundSettings) -> tuple[Recipe, Problems]:
    """The recipe with what the settings change in it, and the problems.

    Raises:
        ParameterError, TaskError: they are not usable.
    """
    if not 1 <= settings.rounds <= MOST_ROUNDS:
        raise ParameterError(
            f"rounds cannot be {settings.rounds!r}: it takes a whole number from 1 to "
            f"{MOST_ROUNDS}."
        )
    if not is_seed(settings.seed):
        raise ParameterError(f"seed cannot be {settings.seed!r}: it takes {SEEDS}.")
    pool = read_dataset(settings.pool, limit=settings.pool_limit)
    skip, limit = settings.skipped, settings.heldout_limit
    whole = read_dataset(settings.heldout, limit=None if limit is None else skip + limit)
    heldout = _from(whole, skip, None)
    _check_apart(pool, heldout)
    guided = _from(heldout, 0, settings.guided_limit)
    return _changed(recipe(settings.recipe), settings), Problems(pool, heldout, guided)


def _from(dataset: Dataset, skip: int, limit: int | None) -> Dataset:
    end = None if limit is None else skip + limit
    chosen = dataset.problems[skip:end]
    if not chosen:
        raise TaskError(
            f"{dataset.source} has {len(dataset.problems):,} problems: none is left after the "
            f"first {skip:,}."
        )
    return msgspec.structs.replace(dataset, problems=chosen)


def _check_apart(pool: Dataset, heldout: Dataset) -> None:
    learnt = {problem.content: problem.place for problem in pool.problems}
    both = [problem for problem in heldout.problems if problem.content in learnt]
    if both:
        raise TaskError(
            f"{len(both):,} problems are in the pool ({pool.source}) and held out "
            f"({heldout.source}), such as {both[0].place} of the latter, which is "
            f"{learnt[both[0].content]} of the former. What was learnt from says nothing about the "
            "rest: take them out of one of the two, or leave that many at the beginning "
            "(`--heldout-skip`)."
        )


def _changed(chosen: Recipe, settings: RoundSettings) -> Recipe:
    search = chosen.search
    if settings.tokens is not None:
        if settings.tokens < 1:
            raise ParameterError(
                f"tokens cannot be {settings.tokens!r}: a search takes a whole number from 1 on."
            )
        search = search.within(settings.tokens)
    if settings.iterations is not None:
        search = search.model_copy(update={"iterations": settings.iterations})
    changes: dict[str, Any] = {"search": search}
    for role in ROLES:
        part = getattr(chosen, role)
        if part is not None and settings.updates is not None:
            schedule = part.schedule.model_copy(update={"most_steps": settings.updates})
            changes[role] = part.model_copy(update={"schedule": schedule})
    return chosen.model_copy(update=changes)


def _in_words(search: Search) -> str:
    if search.tokens:
        return f"{search.algorithm}, {search.tokens:,} tokens a problem"
    ending = f", {search.iterations:,} iterations" if search.iterations else " to its end"
    return search.algorithm + ending


def _memory(models: ModelSettings, chosen: Recipe, pool: Dataset) -> str:
    from lab.fit import fit, fit_training, in_words

    # A text is the question and about two times as much; a token is some letters.
    longest = max(len(problem.content) for problem in pool.problems)
    try:
        search, training = fit(models), fit_training(models, chosen, max(_SHORTEST, longest))
    except (ModelError, LabError):
        return ""
    needed = in_words(training.needed)
    if training.least < training.needed:
        needed += f", or down to {in_words(training.least)} where memory is short"
    return (
        f"{in_words(search.needed)} for the models and a batch of searches; {needed}, while "
        f"training on {training.texts} texts of {training.length:,} tokens at a time; "
        f"{in_words(search.free)} are free"
    )
