"""What the phases of a round do. Each leaves its result on disk; broken off, it goes on from there.

Searches are batches, which go on by themselves; training goes on from checkpoints in the round's
folder; evaluation reads stored replies. So nothing is done twice.
"""

import hashlib
import importlib.metadata
import queue
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.models.base import PrefixRequest, Steps
from engine.randomness import LARGEST_SEED
from engine.search import driver
from engine.search.driver import Limits
from engine.tasks.datasets import Dataset
from engine.training.examples import Example
from engine.training.learner import Learnt, Progress
from engine.training.recipes import Recipe
from engine.training.verdict import Judged
from lab.adapters import Adapters
from lab.drivers import Drivers
from lab.models import adapted
from lab.round_data import Gathered, read_examples, searched, sources, write_examples
from lab.round_results import RoundError, RoundSettings
from lab.solve import Solver
from lab.worker import Ending, Worker
from sessions.adapters import Role
from sessions.rounds import RoundRow
from sessions.store import Store

_POLL_SECONDS = 0.1
_AT_ONCE = 256
_VERSIONS = ("rest-mcts-lab", "torch", "transformers", "peft", "bitsandbytes", "numpy")
_GREEDY = {"samples": 1, "sampling": {"temperature": 0.0}}


class StoppedError(Exception):
    """Somebody has asked for an end; what is done is on disk."""


@dataclass(frozen=True)
class Parts:
    """What rounds work with: the parts of a workbench."""

    store: Store
    worker: Worker
    solver: Solver
    adapters: Adapters
    home: Path

    def folder(self, round_id: str) -> Path:
        """Where a round keeps its examples and checkpoints."""
        return self.home / "rounds" / round_id


@dataclass(frozen=True)
class Problems:
    """The datasets of a round."""

    pool: Dataset
    heldout: Dataset
    guided: Dataset


Report = Callable[..., None]
"""Told how far a phase is: done, total, left, note, loading, point (update, loss)."""


class Phases:
    """The phases of one round, each a method that returns its result.

    Args:
        parts: of the workbench.
        row: the round.
        settings: what was asked for.
        recipe: with what the settings change in it.
        problems: the datasets.
        stopped: whether somebody has asked for an end.
        report: told of progress.
    """

    def __init__(
        self,
        parts: Parts,
        row: RoundRow,
        settings: RoundSettings,
        recipe: Recipe,
        problems: Problems,
        stopped: Callable[[], bool],
        report: Report,
    ) -> None:
        self._parts = parts
        self._row = row
        self._settings = settings
        self._recipe = recipe
        self._problems = problems
        self._stopped = stopped
        self._report = report
        self._start: Mapping[Role, str | None] = row.setting["start"]
        self._seed = (settings.seed + row.number - 1) % (LARGEST_SEED + 1)
        self.folder = parts.folder(row.id)

    def search(self) -> dict[str, Any]:
        """The pool, searched with the models that the round begins with."""
        search = self._recipe.search
        batch = self._solve(
            self._problems.pool,
            search.algorithm,
            {**search.params, "sampling": search.sampling},
            self._start,
            Limits(iterations=search.iterations, tokens=search.tokens),
            "pool",
        )
        row = self._parts.store.batches.row(batch)
        return {
            "batch": batch,
            "done": row.done,
            "failed": row.failed,
            "right": row.right,
            "tokens": row.tokens,
        }

    def examples(self) -> dict[str, Any]:
        """Rewards and examples out of the searched trees."""
        batch = self._result("search")["batch"]
        gathered = Gathered(self._recipe)
        total = len(self._problems.pool.problems)
        for _, session, tree in searched(self._parts.store, batch):
            if self._stopped():
                raise StoppedError
            gathered.add(session, tree)
            self._report(done=gathered.trees, total=total)
        for role, examples in gathered.examples.items():
            write_examples(self.folder / f"{role}.jsonl", examples)
        return gathered.result()

    def prm(self) -> dict[str, Any]:
        """An adapter of the process reward model."""
        return self._train("prm", self._recipe.prm is not None)

    def policy(self) -> dict[str, Any]:
        """An adapter of the policy."""
        return self._train("policy", self._recipe.policy is not None)

    def greedy(self) -> dict[str, Any]:
        """Held-out problems answered without search, by the old and by the new policy."""
        new = self._result("policy").get("adapter")
        if new is None:
            return {"skipped": "no new policy"}
        found: dict[str, Any] = {}
        for name, adapter in (("before", self._start["policy"]), ("after", new)):
            models: dict[Role, str | None] = {"policy": adapter, "prm": self._start["prm"]}
            self._report(note=name)
            found[name] = self._solve(
                self._problems.heldout,
                "sampling",
                _GREEDY,
                models,
                Limits(),
                f"greedy {name}",
                more=name == "before",
            )
        return {**found, "failed": self._failed(*found.values())}

    def guided(self) -> dict[str, Any]:
        """Held-out problems searched by the old policy with the old and with the new PRM, each
        search with as many policy tokens as one of the pool took.
        """
        new = self._result("prm").get("adapter")
        if new is None:
            return {"skipped": "no new process reward model"}
        pool, search = self._result("search"), self._recipe.search
        tokens = max(1, -(-pool["tokens"] // max(1, pool["done"])))
        params = search.params if search.algorithm == "mcts_star" else {}
        params = {**params, "sampling": search.sampling}
        limits = Limits(iterations=4 * (search.iterations or 20), tokens=tokens)
        found: dict[str, Any] = {"tokens": tokens}
        for name, adapter in (("before", self._start["prm"]), ("after", new)):
            models: dict[Role, str | None] = {"policy": self._start["policy"], "prm": adapter}
            self._report(note=name)
            found[name] = self._solve(
                self._problems.guided,
                "mcts_star",
                params,
                models,
                limits,
                f"guided {name}",
                more=name == "before",
            )
        batches = found["before"], found["after"]
        judged = self._judged(batches, self._start["prm"], new)
        failed = self._failed(*batches)
        return {**found, "failed": failed, "judged": msgspec.to_builtins(judged)}

    def _result(self, phase: str) -> dict[str, Any]:
        row = self._parts.store.rounds.row(self._row.id)
        return row.result(phase) or {}

    # Searching.

    def _solve(
        self,
        problems: Dataset,
        algorithm: str,
        params: Mapping[str, Any],
        adapters: Mapping[Role, str | None],
        limits: Limits,
        name: str,
        more: bool = False,
    ) -> str:
        """Search problems; the batch's id.

        `more`: the phase has another one like it to do after this.

        Raises:
            RoundError: it failed.
            StoppedError: somebody has ended it.
        """
        labels = (adapted(self._parts.adapters.base(role), adapters[role]) for role in adapters)
        first = driver.create("", None, algorithm, dict(params), self._seed, *labels)
        solver = self._parts.solver
        title = f"round {self._row.id}, {name}"
        batch = solver.start(problems, first, limits, self._settings.parallel, title)
        while (state := solver.wait(batch, _POLL_SECONDS)).active:
            loading = state.message if state.status == "loading" else ""
            left = state.left
            if left is not None and more:
                left += state.seconds + left
            self._report(done=state.done, total=state.problems, left=left, loading=loading)
            if self._stopped():
                solver.stop(batch)
                solver.wait(batch, None)
                raise StoppedError
        if state.status == "failed":
            raise RoundError(f"The search of {problems.source} failed: {state.message}")
        if state.done + state.failed < state.problems:
            raise StoppedError  # somebody has stopped the batch itself
        if not state.done:
            raise RoundError(
                f"None of the {state.problems:,} searches of {problems.source} came to its end: "
                f"{state.message}"
            )
        return batch

    def _failed(self, *batches: str) -> int:
        return sum(self._parts.store.batches.row(batch).failed for batch in batches)

    # In the model thread.

    def _do(self, title: str, work: Callable[[Drivers], None]) -> None:
        """Have something done with the models, and wait for it.

        Raises:
            RoundError: it failed. StoppedError: it was ended.
        """
        ended: queue.SimpleQueue[Ending] = queue.SimpleQueue()

        def unless_stopped(drivers: Drivers) -> None:
            if not self._halting():
                work(drivers)

        self._parts.worker.task(title, unless_stopped, ended.put)
        while True:
            try:
                ending = ended.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                self._report(loading=self._parts.worker.loading)
                if self._parts.worker.closed:
                    raise StoppedError from None
                continue
            if ending.error:
                raise RoundError(ending.error)
            return

    def _halting(self) -> bool:
        return self._stopped() or self._parts.worker.closing

    def _train(self, role: Role, learns: bool) -> dict[str, Any]:
        if not learns:
            return {"adapter": None, "skipped": "the recipe leaves it as it is"}
        examples = read_examples(self.folder / f"{role}.jsonl")
        if not examples:
            return {"adapter": None, "skipped": "there is nothing to learn from"}
        store, start = self._parts.store.adapters, self._start[role]
        adapter = hashlib.sha256(f"{self._row.id} {role}".encode()).hexdigest()[:8]
        out, folder = store.directory(adapter), self.folder / f"{role}-training"
        known = next((row for row in store.rows() if row.id == adapter), None)
        updated: list[float] = []
        if known is None or not out.is_dir():
            # Weights that are not entered: killed in between. The last checkpoint has them still.
            shutil.rmtree(out, ignore_errors=True)
            learnt = self._teach(role, start, examples, folder, out, updated)
            self._enter(adapter, role, start, examples, learnt)
        shutil.rmtree(folder, ignore_errors=True)
        return {
            "adapter": adapter,
            "training": store.row(adapter).meta["training"],
            "first_update": updated[0] if updated else None,
        }

    def _teach(
        self,
        role: Role,
        start: str | None,
        examples: Sequence[Example],
        folder: Path,
        out: Path,
        updated: list[float],
    ) -> Learnt:
        """Train; `updated` gets the seconds from here to the end of each update."""
        learnt: list[Learnt] = []
        began = time.monotonic()

        def tell(progress: Progress) -> bool:
            updated.append(time.monotonic() - began)
            self._report(done=progress.step, total=progress.steps, point=progress)
            return not self._halting()

        def work(drivers: Drivers) -> None:
            drivers.close_idle()
            found = self._parts.store.adapters.open(start) if start else None
            rest = (self._recipe, folder, out, self._seed, tell)
            learnt.append(drivers.adapting.teach(role, found, examples, *rest))

        what = "the policy" if role == "policy" else "the process reward model"
        self._do(f"{what} is being trained", work)
        if not learnt or not learnt[0].finished:
            raise StoppedError
        return learnt[0]

    def _enter(
        self,
        adapter: str,
        role: Role,
        start: str | None,
        examples: Sequence[Example],
        learnt: Learnt,
    ) -> None:
        meta = {"id": adapter, "role": role, "parent": start, **self._meta(role, examples, learnt)}
        base = self._parts.adapters.base(role)
        self._parts.store.adapters.add(adapter, role, base, start, {**meta, "base": base})

    def _meta(self, role: Role, examples: Sequence[Example], learnt: Learnt) -> dict[str, Any]:
        return {
            "round": self._row.id,
            "recipe": self._recipe.model_dump(mode="json"),
            "seed": self._seed,
            "settings": msgspec.to_builtins(self._settings),
            "data": {
                "pool": self._problems.pool.source,
                "problems": self._problems.pool.digest,
                "batch": self._result("search")["batch"],
                "rows": len(examples),
                "sessions": sources(examples),
                "file": f"rounds/{self._row.id}/{role}.jsonl",
            },
            "training": msgspec.to_builtins(learnt),
            "versions": {name: importlib.metadata.version(name) for name in _VERSIONS},
            "evaluation": None,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _judged(self, batches: Sequence[str], before: str | None, after: str) -> list[Judged]:
        """The finished solutions of searched trees, valued by both process reward models."""
        asked: dict[tuple[str, Steps], tuple[str, bool]] = {}
        days: dict[tuple[str, Steps], str] = {}
        for batch in batches:
            for label, _, tree in searched(self._parts.store, batch):
                for node in tree.nodes:
                    if node.accepted is not None:
                        text = tree.question, tree.steps(node.id)
                        asked[text] = (label, node.accepted)
                        days.setdefault(text, tree.date)
        requests = [PrefixRequest(*text, date=days[text]) for text in asked]
        values: dict[str | None, list[float]] = {before: [], after: []}

        def work(drivers: Drivers) -> None:
            for adapter, found in values.items():
                prm = drivers.prm(adapter)
                for k in range(0, len(requests), _AT_ONCE):
                    if self._halting():
                        return
                    some = prm.score(requests[k : k + _AT_ONCE])
                    found += [one.value for one in some]

        self._report(note="values")
        self._do("values are being compared", work)
        if len(values[after]) < len(requests) or len(values[before]) < len(requests):
            raise StoppedError
        rows = zip(asked.values(), values[before], values[after], strict=True)
        return [Judged(label, right, old, new) for (label, right), old, new in rows]
