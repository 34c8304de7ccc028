"""Expanding a tree: the root's children, then those of a few nodes at each further depth.

Every method does the same work on the same texts: the nodes that grow are a fixed choice, every
step has the same number of tokens, and the PRM values every child.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from engine.models.base import (
    Policy,
    PrefixRequest,
    ProcessRewardModel,
    ProposalRequest,
    Sampling,
    Steps,
)
from lab.bench import shapes
from lab.bench.baselines import Continuous, GenerateEach, GenerateTogether, Reread
from lab.bench.figures import Figure, summarise
from lab.bench.shapes import Pair, Shape

LAB, EACH, TOGETHER, CONTINUOUS = (
    "the lab",
    "generate() per child",
    "one batched generate()",
    "continuous batching",
)


@dataclass(frozen=True)
class Setting:
    """What is expanded.

    Attributes:
        shape: of the model.
        prompt: tokens of the question; other seeds have other ones.
        nodes: that grow at each depth below the first.
        branch: children of each.
        depths: of the tree in steps.
        step: tokens of a step.
        seed: of question and samples.
    """

    shape: Shape
    prompt: int = 192
    nodes: int = 4
    branch: int = 4
    depths: int = 3
    step: int = shapes.STEP_TOKENS
    seed: int = 0


@dataclass(frozen=True)
class Work:
    """Seconds of wall clock, and tokens that went through policy and PRM, padding left out."""

    seconds: float
    policy_forwarded: int
    prm_forwarded: int


Method = Callable[[Setting], Work]
"""Expands one tree of a setting."""

METHODS = (LAB, EACH, TOGETHER, CONTINUOUS)
GOALS = {"qwen2-236m": {EACH: 6.0, CONTINUOUS: 2.0}}
"""How many times faster than these the lab should be with a shape, on a CPU."""


@contextmanager
def running(name: str, pair: Pair, largest: Setting) -> Iterator[Method]:
    """A method by its name, ready for settings no larger than this one."""
    if name == LAB:
        yield partial(expand, pair.policy, pair.prm)
    elif name == EACH:
        yield partial(expand, GenerateEach(pair), Reread(pair, together=False))
    elif name == TOGETHER:
        yield partial(expand, GenerateTogether(pair), Reread(pair, together=True))
    else:
        policy = Continuous(pair)
        longest = largest.prompt + largest.depths * largest.step
        with policy.running(largest.step, longest, largest.nodes * largest.branch):
            yield partial(expand, policy, Reread(pair, together=True))


def expand(policy: Policy, prm: ProcessRewardModel, setting: Setting) -> Work:
    """Expand one tree and count."""
    import torch

    torch.manual_seed(setting.seed)
    question = shapes.question(setting.shape, setting.prompt, setting.seed)
    sampling = Sampling.model_validate({"temperature": 1.0, "max_step_tokens": setting.step})
    nodes: list[Steps] = [()]
    wrote = read = 0
    began = time.perf_counter()
    for _ in range(setting.depths):
        asks = [
            ProposalRequest(question, steps, setting.seed, slot, 0, sampling)
            for steps in nodes
            for slot in range(setting.branch)
        ]
        replies = policy.propose(asks)
        children = [(*ask.steps, reply.step) for ask, reply in zip(asks, replies, strict=True)]
        values = prm.score([PrefixRequest(question, steps) for steps in children])
        wrote += sum(reply.usage.forwarded for reply in replies)
        read += sum(value.usage.forwarded for value in values)
        nodes = _grow_next(children, setting)
    return Work(time.perf_counter() - began, wrote, read)


def _grow_next(children: list[Steps], setting: Setting) -> list[Steps]:
    """All children of the root, later one child of each node."""
    if len(children) <= setting.nodes:
        return children
    return [children[i * setting.branch + i % setting.branch] for i in range(setting.nodes)]


def figures(pair: Pair, setting: Setting, repetitions: int) -> list[Figure]:
    """Seconds and tokens of every method, and how many times faster the lab is.

    Within a repetition the methods expand trees of the same question, one after the other, so that
    a slow minute of the machine is one of all. The batched `generate()`, which has no goal and is
    no faster than the other, is measured once.
    """
    runs: dict[str, list[Work]] = {name: [] for name in METHODS}
    with ExitStack() as stack:
        ready = {name: stack.enter_context(running(name, pair, setting)) for name in METHODS}
        for seed in range(-1, repetitions):
            # The first one is small and not counted: kernels are chosen, weights packed.
            now = replace(setting, seed=seed, depths=1 if seed < 0 else setting.depths)
            pair.forget()
            for name, method in ready.items():
                if name == TOGETHER and seed > 0:
                    continue
                work = method(now)
                if seed >= 0:
                    runs[name].append(work)
    on_cpu = pair.policy.handle.base.device.type == "cpu"
    return _rows(runs, GOALS.get(setting.shape.name, {}) if on_cpu else {})


def _rows(runs: Mapping[str, list[Work]], goals: Mapping[str, float]) -> list[Figure]:
    rows = []
    for name, works in runs.items():
        rows += [
            summarise(name, "s", [work.seconds for work in works]),
            summarise(f"{name}: policy", "tokens", [work.policy_forwarded for work in works]),
            summarise(f"{name}: PRM", "tokens", [work.prm_forwarded for work in works]),
        ]
    for name, works in runs.items():
        if name != LAB:
            pairs = zip(works, runs[LAB][: len(works)], strict=True)
            faster = [other.seconds / ours.seconds for other, ours in pairs]
            title = f"{name}: times the seconds of the lab"
            rows.append(summarise(title, "", faster, at_least=goals.get(name)))
    return rows
