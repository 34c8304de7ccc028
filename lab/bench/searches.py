"""Searches of held-out problems with the bundled models, as the workbench runs them.

Seconds are those of wall clock, and of processor time of all threads, which neighbours leave alone.
Tokens are counted by the searches themselves. Every search begins with nothing read.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from engine import events as ev
from engine.models.loading import ModelSpec, Quant
from engine.models.pool import ModelPool
from engine.models.transformers_policy import load_policy
from engine.models.transformers_prm import load_prm
from engine.search.driver import Driver, Limits, Search, create
from lab.bench.figures import Figure, percentile, summarise
from sessions.rows import Digest
from sessions.store import Store

ALGORITHM = "mcts_star"
TREES = 32
TREES_ITERATIONS = 10
"""Problems searched at once, and iterations of each."""

Log = list[ev.Event]
Laps = tuple[float, float]


class Bundled:
    """The bundled models, loaded once."""

    def __init__(self, device: str, quant: Quant) -> None:
        models = Path(str(files("assets").joinpath("models")))
        self.pool = ModelPool()
        self.policy = load_policy(_spec(models / "tiny-policy", device, quant), self.pool)
        self.prm = load_prm(_spec(models / "tiny-prm", device, quant), self.pool)
        base = self.policy.handle.base
        self.precision = f"{base.quantised} on {base.device}"

    @contextmanager
    def driver(self) -> Iterator[tuple[Driver, Store]]:
        """A driver and a store that know nothing yet."""
        self.pool.store.clear()
        with tempfile.TemporaryDirectory() as home:
            store = Store(Path(home))
            yield Driver(self.policy, self.prm, store.archive), store
            store.close()

    def search(self, question: str, gold: str, seed: int) -> Search:
        """A search that has not begun."""
        models = self.policy.identity, self.prm.identity
        first = create(question, gold, ALGORITHM, {}, seed, *models)
        return Search([first], lambda answer: answer == gold)


def _spec(directory: Path, device: str, quant: Quant) -> ModelSpec:
    return ModelSpec(path=str(directory), device=device, quant=quant)


def problems(count: int) -> list[tuple[str, str]]:
    """The first held-out problems: (question, answer)."""
    path = files("assets").joinpath("problems", "stories-heldout.jsonl")
    rows = map(json.loads, path.read_text("utf-8").splitlines()[:count])
    return [(row["content"], row["answer"]) for row in rows]


def one_by_one(
    bundled: Bundled, asked: Sequence[tuple[str, str]], limits: Limits, seed: int = 0
) -> tuple[list[Laps], ev.Cost]:
    """Search problem after problem: times of each iteration, and tokens."""
    laps: list[Laps] = []
    cost = ev.Cost()
    with bundled.driver() as (driver, store):
        for question, gold in asked:
            search = bundled.search(question, gold, seed)
            _run(driver, store, [search], limits, laps)
            cost = cost + search.tree.cost
    return laps, cost


def at_once(bundled: Bundled, asked: Sequence[tuple[str, str]], limits: Limits) -> ev.Cost:
    """Search all problems in one batch: tokens."""
    with bundled.driver() as (driver, store):
        searches = [bundled.search(question, gold, 0) for question, gold in asked]
        _run(driver, store, searches, limits, [])
    cost = ev.Cost()
    for search in searches:
        cost = cost + search.tree.cost
    return cost


def _run(
    driver: Driver, store: Store, searches: Sequence[Search], limits: Limits, laps: list[Laps]
) -> None:
    """Every finished iteration goes to disk."""
    sessions = {id(search): store.create(_created(search)) for search in searches}
    began = _now()

    def keep(search: Search, events: Log) -> None:
        nonlocal began
        store.append(sessions[id(search)], len(search.log), events, Digest())
        now = _now()
        if isinstance(events[-1], ev.IterationFinished):
            laps.append((now[0] - began[0], now[1] - began[1]))
        began = now

    driver.run(searches, limits, keep)


def _created(search: Search) -> ev.SearchCreated:
    first = search.log[0]
    assert isinstance(first, ev.SearchCreated)
    return first


def _now() -> Laps:
    return time.perf_counter(), time.process_time()


def latency(bundled: Bundled, repetitions: int, count: int, iterations: int) -> list[Figure]:
    """What a person waits for: an iteration of a search."""
    asked, limits = problems(count), Limits(iterations=iterations)
    one_by_one(bundled, asked, limits, seed=1)  # weights are packed, caches of libraries filled
    found: dict[str, list[float]] = {}
    for _ in range(repetitions):
        laps, _cost = one_by_one(bundled, asked, limits)
        walls, processors = zip(*laps, strict=True)
        for name, value in (
            ("iteration p50", percentile(walls, 0.5)),
            ("iteration p90", percentile(walls, 0.9)),
            ("iteration p50 of processor time", percentile(processors, 0.5)),
        ):
            found.setdefault(name, []).append(value)
    return [summarise(name, "s", values) for name, values in found.items()]


def tokens(bundled: Bundled, count: int, iterations: int) -> list[Figure]:
    """Tokens that went through each model, against those that had to; counted, so once will do."""
    _, cost = one_by_one(bundled, problems(count), Limits(iterations=iterations))
    rows = []
    for name, forwarded, unique in (
        ("policy", cost.policy_forwarded, cost.policy_unique),
        ("PRM", cost.prm_forwarded, cost.prm_unique),
    ):
        rows += [
            summarise(f"{name} forwarded", "tokens", [forwarded]),
            summarise(f"{name} unique", "tokens", [unique]),
            summarise(f"{name} forwarded / unique", "", [forwarded / unique], at_most=1.05),
        ]
    return rows


def trees(bundled: Bundled, repetitions: int, count: int, iterations: int) -> list[Figure]:
    """Many problems in one batch against one after the other."""
    asked, limits = problems(count), Limits(iterations=iterations)
    together, apart = [], []
    at_once(bundled, asked, limits)
    for _ in range(repetitions):
        began = time.perf_counter()
        at_once(bundled, asked, limits)
        middle = time.perf_counter()
        one_by_one(bundled, asked, limits)
        together.append(count / (middle - began))
        apart.append(count / (time.perf_counter() - middle))
    faster = [many / one for many, one in zip(together, apart, strict=True)]
    return [
        summarise(f"{count} problems at once", "1/s", together),
        summarise(f"{count} problems one by one", "1/s", apart),
        summarise("at once against one by one", "", faster, at_least=3.0),
    ]
