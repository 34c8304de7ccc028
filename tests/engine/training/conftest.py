"""The bundled models, and stories to learn from."""

import random
from pathlib import Path

import pytest

from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_policy import TransformersPolicy, load_policy
from engine.models.transformers_prm import TransformersPRM, load_prm
from engine.tasks import stories
from engine.training.examples import Pair, Solution, Valued

MODELS = Path(__file__).parents[3] / "assets" / "models"


def open_policy(pool: ModelPool, adapter: Path | None = None) -> TransformersPolicy:
    spec = ModelSpec(
        path=str(MODELS / "tiny-policy"), device="cpu", adapter=str(adapter) if adapter else None
    )
    return load_policy(spec, pool)


def open_prm(pool: ModelPool, adapter: Path | None = None) -> TransformersPRM:
    spec = ModelSpec(
        path=str(MODELS / "tiny-prm"), device="cpu", adapter=str(adapter) if adapter else None
    )
    return load_prm(spec, pool)


@pytest.fixture
def pool() -> ModelPool:
    return ModelPool()


@pytest.fixture
def policy(pool: ModelPool) -> TransformersPolicy:
    return open_policy(pool)


@pytest.fixture
def prm(pool: ModelPool) -> TransformersPRM:
    return open_prm(pool)


def right_solutions(count: int, seed: int = 0) -> list[Solution]:
    """Stories of three events, solved without a misreading."""
    rng = random.Random(seed)
    never = dict.fromkeys(stories.TIERS, 0.0)
    told = [stories.demonstrate(rng, 3, "pool", never) for _ in range(count)]
    return [Solution(one.story.question, tuple(f"{line}\n" for line in one.steps)) for one in told]


def values_to_give(count: int, values: tuple[float | None, ...]) -> list[Valued]:
    return [Valued(one.question, one.steps, values) for one in right_solutions(count)]


def pairs_of_steps(count: int) -> list[Pair]:
    """The right first step, and one with a result that is off by one."""
    pairs = []
    for one in right_solutions(count):
        step = one.steps[0]
        head, _, result = step.strip().rpartition(" ")
        pairs.append(Pair(one.question, (), (step,), (f"{head} {int(result) + 1}\n",)))
    return pairs
