"""How fast a model of some shape is: prefill, decode, an iteration, and many trees at once.

Everything goes through the seams that a search uses, for the lab and for what it is measured
against. The floor of a decode step is the time that it takes to read the weights once.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count as naturals
from typing import Any

from engine import events as ev
from engine.models.base import Policy, ProcessRewardModel, ProposalRequest, Sampling
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search, create
from lab.bench import shapes
from lab.bench.baselines import Continuous, GenerateEach, GenerateTogether, Reread
from lab.bench.expansion import CONTINUOUS, EACH, LAB, TOGETHER
from lab.bench.figures import Figure, percentile, summarise
from lab.bench.shapes import Pair, Shape

GIBIBYTE = 2**30
OVER_FLOOR = 2.0
"""Times the floor that a decode step of a few rows may take on a GPU."""


@dataclass(frozen=True)
class Work:
    """How much is measured.

    Attributes:
        shape: of the model.
        prompt: tokens of a question.
        batches: rows of prefill and decode.
        steps: decode steps that are timed together.
        trees: searched at once.
        iterations: of each search.
        copied: bytes of the copy that tells the memory's bandwidth.
    """

    shape: Shape
    prompt: int = 192
    batches: tuple[int, ...] = (1, 3, 8, 16)
    steps: int = 32
    trees: tuple[int, ...] = (1, 8, 32)
    iterations: int = 5
    copied: int = GIBIBYTE


def figures(pair: Pair, work: Work, repetitions: int) -> list[Figure]:
    """The floor, prefill, decode, an iteration, and trees at once."""
    meter = _Meter(pair, work, repetitions)
    floor = meter.floor()
    rows = [
        summarise("memory bandwidth of a copy", "GB/s", [copied for copied, _ in floor]),
        summarise("floor of a decode step", "ms", [step for _, step in floor]),
    ]
    lowest = min(step for _, step in floor)
    for name in (LAB, TOGETHER, CONTINUOUS):
        with _policy(name, pair, work) as policy:
            for batch in work.batches:
                rows += meter.latency(name, policy, batch, lowest)
    for name in (LAB, EACH, CONTINUOUS):
        with _policy(name, pair, work) as policy:
            # One child after the other: more trees at once are not faster.
            for count in work.trees[:1] if name == EACH else work.trees:
                rows += meter.trees(name, policy, count)
    return rows


@contextmanager
def _policy(name: str, pair: Pair, work: Work) -> Iterator[Policy]:
    """A policy by its name, ready for all that is measured."""
    if name == LAB:
        yield pair.policy
    elif name == EACH:
        yield GenerateEach(pair)
    elif name == TOGETHER:
        yield GenerateTogether(pair)
    else:
        policy = Continuous(pair)
        longest = work.prompt + work.iterations * 2 * shapes.STEP_TOKENS + work.steps
        rows = max(*work.batches, 4 * max(work.trees))
        with policy.running(shapes.STEP_TOKENS, longest, rows):
            yield policy


@dataclass(frozen=True)
class _Meter:
    """Takes the measurements; the first repetition of each is for kernels that are chosen and
    graphs that are drawn, and is not counted.
    """

    pair: Pair
    work: Work
    repetitions: int

    def floor(self) -> list[tuple[float, float]]:
        """(bandwidth in GB/s, milliseconds to read the weights once at it), one a repetition."""
        import torch

        base, size = self.pair.policy.handle.base, self.work.copied
        source = torch.empty(size, dtype=torch.uint8, device=base.device)
        target = torch.empty_like(source)
        weights = base.memory_bytes
        if not base.model.config.tie_word_embeddings:
            # A step reads a few rows of it.
            weights -= base.model.get_input_embeddings().weight.nbytes
        found = []
        for _ in range(1 + self.repetitions):
            bandwidth = 2 * size / self._seconds(lambda: target.copy_(source))
            found.append((bandwidth / 1e9, 1000 * weights / bandwidth))
        return found[1:]

    def latency(self, name: str, policy: Policy, batch: int, floor: float) -> list[Figure]:
        """Prefill of so many questions up to the first token that is sampled, and a decode step of
        so many children of one question.

        floor: of a decode step in milliseconds.
        """
        steps = self.work.steps
        fresh = _questions(self.work)
        prefill, decode = [], []
        for repetition in range(1 + self.repetitions):
            self.pair.forget()
            several, one, other = [next(fresh) for _ in range(batch)], next(fresh), next(fresh)
            first = self._seconds(partial(policy.propose, _asks(several, 1, 1)))
            short = self._seconds(partial(policy.propose, _asks([one], batch, 1)))
            long = self._seconds(partial(policy.propose, _asks([other], batch, 1 + steps)))
            if repetition:
                prefill.append(1000 * first)
                decode.append(1000 * (long - short) / steps)
        rows = [
            summarise(f"{name}: prefill of {batch} x {self.work.prompt} tokens", "ms", prefill),
            summarise(f"{name}: decode step at batch {batch}", "ms", decode),
        ]
        if name == LAB:
            goal = OVER_FLOOR if self._device.type == "cuda" and batch > 1 else None
            over = [value / floor for value in decode]
            title = f"{name}: decode step at batch {batch} / floor"
            rows.append(summarise(title, "", over, at_most=goal))
        return rows

    def trees(self, name: str, policy: Policy, count: int) -> list[Figure]:
        """So many searches in one batch: tokens and problems a second; of one, an iteration."""
        prm: ProcessRewardModel = self.pair.prm
        if name != LAB:
            prm = Reread(self.pair, together=name != EACH)
        fresh = _questions(self.work)
        tokens, problems, laps = [], [], []
        for repetition in range(1 + self.repetitions):
            self.pair.forget()
            searches = [_search(next(fresh)) for _ in range(count)]
            driver = Driver(policy, prm, MemoryArchive())
            limits = Limits(iterations=self.work.iterations if repetition else 1)
            began = time.perf_counter()
            driver.run(searches, limits, lambda _search, _events: None)
            seconds = time.perf_counter() - began
            if repetition:
                sampled = sum(search.tree.cost.policy_generated for search in searches)
                tokens.append(sampled / seconds)
                problems.append(count / seconds)
                laps.append(percentile(_iterations(searches[0]), 0.5))
        where = "any number of trees" if name == EACH else f"trees: {count}"
        iterations = self.work.iterations
        rows = [
            summarise(f"{name}: tokens sampled, {where}", "1/s", tokens),
            summarise(f"{name}: problems of {iterations} iterations, {where}", "1/s", problems),
        ]
        return [summarise(f"{name}: iteration", "s", laps), *rows] if count == 1 else rows

    @property
    def _device(self) -> Any:
        return self.pair.policy.handle.base.device

    def _seconds(self, action: Callable[[], object]) -> float:
        """Until an action is done, on its device too."""
        import torch

        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        began = time.perf_counter()
        action()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter() - began


def _questions(work: Work) -> Iterator[str]:
    """Questions that nobody has read yet."""
    return (shapes.question(work.shape, work.prompt, seed) for seed in naturals(1000))


def _asks(questions: Sequence[str], slots: int, tokens: int) -> list[ProposalRequest]:
    """So many slots below every question, each of so many tokens."""
    sampling = Sampling.model_validate({"temperature": 1.0, "max_step_tokens": tokens})
    return [
        ProposalRequest(question, (), 0, slot, 0, sampling)
        for question in questions
        for slot in range(slots)
    ]


def _search(question: str) -> Search:
    first = create(question, None, "mcts_star", {}, 0, "policy", "prm")
    return Search([first], lambda _answer: None)


def _iterations(search: Search) -> list[float]:
    """Seconds of each iteration."""
    return [e.cost.seconds for e in search.log if isinstance(e, ev.IterationFinished)]
