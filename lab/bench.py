"""Figures of this machine: `python -m lab.bench`, or `make bench`.

Searches held-out problems through the driver and the store that every run goes through, and times
what a person waits for. A figure is the median of the repetitions, with the smallest and the
largest; every repetition does the same work (same problems, same seed) in a fresh home. Tokens are
counted, not timed.
"""

import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from engine import events as ev
from engine.errors import LabError
from engine.models import hardware
from engine.models.base import Completion, PrefixRequest, ProposalRequest, Valuation
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_policy import TransformersPolicy, read_format
from engine.models.transformers_prm import TransformersPRM
from engine.search.driver import Driver, Limits, Search, create
from lab import render, terminal
from lab.workbench import ModelSettings, Workbench
from sessions.store import Digest, Store

ALGORITHM = "mcts_star"
BRANCH = 3
Log = list[ev.Event]
Laps = tuple[float, float]
"""Seconds of wall clock, and of processor time of all threads, which neighbours leave alone."""


class Figure(msgspec.Struct, frozen=True):
    """Median of the repetitions, with the smallest and the largest."""

    name: str
    unit: str
    median: float
    smallest: float
    largest: float


class UniqueTokens:
    """Counts distinct prefixes of the texts it is shown: what a perfect cache would forward."""

    def __init__(self) -> None:
        self.count = 0
        self._root: dict[int, Any] = {}

    def see(self, tokens: Iterable[int]) -> None:
        """One text, as token ids from its beginning."""
        here = self._root
        for token in tokens:
            if token not in here:
                here[token] = {}
                self.count += 1
            here = here[token]


class WatchedPolicy(TransformersPolicy):
    """A policy that notes the tokens of its prompts and proposals."""

    unique: UniqueTokens

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        replies = super().propose(requests)
        for asked, reply in zip(requests, replies, strict=True):
            prompt = self.prompter.proposal(asked.question, asked.steps, asked.analysis)
            # The last token of a reply ends the step: nothing is predicted from it yet.
            self.unique.see((*prompt, *reply.tokens[:-1]))
        return replies


class WatchedPrm(TransformersPRM):
    """A process reward model that notes the tokens it was asked about."""

    unique: UniqueTokens

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        for asked in requests:
            if asked.steps:
                self.unique.see(self.prompter.value(asked.question, asked.steps))
        return super().score(requests)


class Bench:
    """The measurements, over models that are loaded once."""

    def __init__(self, policy: ModelSpec, prm: ModelSpec, problems: int, iterations: int) -> None:
        pool = ModelPool()
        writes, values = pool.open(policy), pool.open(prm)
        self.policy = WatchedPolicy(writes, read_format(writes))
        self.prm = WatchedPrm(values, read_format(values))
        self.precision = f"{writes.base.quantised} on {writes.base.device}"
        self.iterations = iterations
        path = files("assets").joinpath("problems", "stories-heldout.jsonl")
        lines = path.read_text("utf-8").splitlines()[:problems]
        self.problems = [(row["content"], row["answer"]) for row in map(json.loads, lines)]

    def search(self, seed: int = 0) -> tuple[list[Laps], list[Log], ev.Cost]:
        """Search every problem: times of each iteration, logs, and tokens."""
        self.policy.unique, self.prm.unique = UniqueTokens(), UniqueTokens()
        laps: list[Laps] = []
        logs: list[Log] = []
        cost = ev.Cost()
        with tempfile.TemporaryDirectory() as home:
            store = Store(Path(home))
            driver = Driver(self.policy, self.prm, store.archive)
            for question, gold in self.problems:
                search = self._one(driver, store, question, gold, seed, laps)
                logs.append(search.log)
                cost = cost + search.tree.cost
            store.close()
        return laps, logs, cost

    def _one(
        self,
        driver: Driver,
        store: Store,
        question: str,
        gold: str,
        seed: int,
        laps: list[Laps],
    ) -> Search:
        """One search as the workbench runs it: every finished iteration goes to disk."""
        models = self.policy.identity, self.prm.identity
        first = create(question, gold, ALGORITHM, {}, seed, *models)
        session = store.create(first)
        search = Search([first], lambda answer: answer == gold)
        began = _now()

        def keep(search: Search, events: Log) -> None:
            nonlocal began
            store.append(session, len(search.log), events, Digest())
            now = _now()
            if isinstance(events[-1], ev.IterationFinished):
                laps.append((now[0] - began[0], now[1] - began[1]))
            began = now

        driver.run([search], Limits(iterations=self.iterations), keep)
        return search


def _now() -> Laps:
    return time.perf_counter(), time.process_time()


def appends_per_second(logs: Sequence[Log]) -> float:
    """Iterations that the store puts on disk in a second, one transaction each."""
    with tempfile.TemporaryDirectory() as home:
        store = Store(Path(home))
        began, done = time.perf_counter(), 0
        for log in logs:
            session, length = store.create(_created(log[0])), 1
            for events in _iterations(log[1:]):
                length = store.append(session, length, events, Digest())
                done += 1
        elapsed = time.perf_counter() - began
        store.close()
    return done / elapsed


def _created(event: ev.Event) -> ev.SearchCreated:
    assert isinstance(event, ev.SearchCreated)
    return event


def _iterations(log: Log) -> list[Log]:
    """A log cut after each finished iteration."""
    parts: list[Log] = [[]]
    for event in log:
        parts[-1].append(event)
        if isinstance(event, ev.IterationFinished):
            parts.append([])
    return [part for part in parts if part]


def large_log(nodes: int) -> Log:
    """A log of so many nodes, with the events that an iteration of MCTS* has."""
    log: Log = [create("A large session", "1", ALGORITHM, {}, 0, "policy", "prm")]
    count, iteration = 1, 0
    while count < nodes:
        iteration += 1
        parent = iteration - 1
        children = range(count, min(count + BRANCH, nodes))
        steps = [
            f"{one}. Someone hands {one} to someone: {one} - 1 = {one - 1}\n" for one in children
        ]
        log += [
            ev.IterationStarted(iteration),
            ev.Selected([parent], [], False),
            ev.Expanded(
                parent,
                "expanded",
                [ev.NewNode(one, step) for one, step in zip(children, steps, strict=True)],
                steps,
            ),
            ev.Evaluated([ev.NodeValue(one, 0.5) for one in children]),
            ev.BackedUp([ev.Backup(parent, 0.5, 1)]),
            ev.IterationFinished(iteration, ev.Cost(100, 30, 100, 0.1)),
        ]
        count += len(children)
    return log


def seconds_to_open(log: Log) -> float:
    """From a closed home to the whole tree as the page reads it."""
    with tempfile.TemporaryDirectory() as home:
        store = Store(Path(home))
        session = store.create(_created(log[0]))
        store.append(session, 1, log[1:], Digest())
        store.close()
        began = time.perf_counter()
        workbench = Workbench(Path(home), ModelSettings())
        workbench.delta(session, -1)
        elapsed = time.perf_counter() - began
        workbench.close()
    return elapsed


def repeat(name: str, unit: str, times: int, measure: Callable[[], float]) -> Figure:
    """Median and spread of a measurement."""
    values = [measure() for _ in range(times)]
    return summarise(name, unit, values)


def summarise(name: str, unit: str, values: Sequence[float]) -> Figure:
    """A figure of its repetitions."""
    return Figure(name, unit, statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below `share` of the values."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def figures(bench: Bench, repetitions: int, nodes: int) -> list[Figure]:
    """All measurements."""
    bench.search(seed=1)  # the first forwards pack weights and fill caches of the libraries
    found: dict[str, list[float]] = {}
    for _ in range(repetitions):
        laps, logs, cost = bench.search()
        walls, processors = zip(*laps, strict=True)
        for name, value in (
            ("iteration p50, s", percentile(walls, 0.5)),
            ("iteration p90, s", percentile(walls, 0.9)),
            ("iteration p50 of processor time, s", percentile(processors, 0.5)),
            ("policy forwarded, tokens", cost.policy_forwarded),
            ("policy unique, tokens", bench.policy.unique.count),
            ("policy forwarded / unique", cost.policy_forwarded / bench.policy.unique.count),
            ("PRM forwarded, tokens", cost.prm_forwarded),
            ("PRM unique, tokens", bench.prm.unique.count),
            ("PRM forwarded / unique", cost.prm_forwarded / bench.prm.unique.count),
        ):
            found.setdefault(name, []).append(value)
    log = large_log(nodes)
    rows = [summarise(*_named(name), values) for name, values in found.items()]
    return [
        *rows,
        repeat("iterations appended", "1/s", repetitions, lambda: appends_per_second(logs)),
        repeat(f"open {nodes:,} nodes", "s", repetitions, lambda: seconds_to_open(log)),
    ]


def _named(name: str) -> tuple[str, str]:
    """Name and unit of "name, unit"."""
    text, _, unit = name.partition(", ")
    return text, unit


def main(
    repetitions: Annotated[int, typer.Option("--repeat", min=1, help="Repetitions.")] = 5,
    problems: Annotated[int, typer.Option(min=1, help="Held-out problems to search.")] = 10,
    iterations: Annotated[int, typer.Option(min=1, help="Iterations of each search.")] = 20,
    nodes: Annotated[int, typer.Option(min=2, help="Nodes of the large session.")] = 10_000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    quant: Annotated[Literal["nf4", "int8", "none"], typer.Option(help="Weights.")] = "nf4",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there too.")
    ] = None,
) -> None:
    """Measure this machine with the bundled models."""
    hardware.prepare_environment()
    try:
        models = Path(str(files("assets").joinpath("models")))
        policy, prm = (
            ModelSpec(path=str(models / name), quant=quant, device=device)
            for name in ("tiny-policy", "tiny-prm")
        )
        bench = Bench(policy, prm, problems, iterations)
        rows = figures(bench, repetitions, nodes)
    except LabError as error:
        terminal.error(str(error))
        raise typer.Exit(1) from error
    setting = {
        "algorithm": ALGORITHM,
        "models": bench.precision,
        "problems": problems,
        "iterations": iterations,
        "repetitions": repetitions,
        "cores": hardware.usable_cores(),
        "python": platform.python_version(),
    }
    show(setting, rows)
    if json_file is not None:
        report = {"setting": setting, "figures": msgspec.to_builtins(rows)}
        json_file.write_text(json.dumps(report, indent=2) + "\n", "ascii")


def show(setting: dict[str, object], rows: Sequence[Figure]) -> None:
    """Print the table."""
    out = terminal.out()
    out.print(", ".join(f"{name} {value}" for name, value in setting.items()))
    columns = [("figure", "left"), ("median", "right"), ("from", "right"), ("to", "right")]
    out.print(
        render.table(
            [*columns, ("unit", "left")],
            [
                (row.name, *map(_number, (row.median, row.smallest, row.largest)), row.unit)
                for row in rows
            ],
        )
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    typer.run(main)
