"""A dataset with the bundled models: the trees are those of one search after the other."""

import math
from pathlib import Path
from typing import Any

import pytest

from lab.models import load_models
from lab.results import ModelSettings
from lab.workbench import Workbench
from tests.lab.solving import log

pytestmark = pytest.mark.timeout(600)  # loads models

LONG = 300.0
ROUNDING = 1e-4  # of sums in another order, in 32 bits


def same(one: Any, other: Any) -> bool:
    """Whether two logs are the same but for the last digits of values and log-probabilities."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=ROUNDING)
    return bool(one == other)


@pytest.mark.parametrize("quant", ["none", "nf4"])
def test_many_at_once_grow_the_trees_of_one_by_one(tmp_path: Path, quant: Any) -> None:
    settings = ModelSettings(quant=quant, device="cpu", dtype="fp32")
    models = load_models(settings)
    together = Workbench(tmp_path / "together", settings, lambda *_: models)
    alone = Workbench(tmp_path / "alone", settings, lambda *_: models)
    problems = together.dataset("heldout", limit=5)
    batch = together.solve(problems, iterations=4, seed=3, parallel=5)
    state = together.wait_batch(batch, LONG)
    assert (state.message, state.complete) == ("", True)
    for problem, found in zip(problems.problems, together.batch_problems(batch), strict=True):
        session = alone.create(problem.content, gold=problem.answer, seed=3)
        alone.run(session, iterations=4)
        assert alone.wait(session, LONG).message == ""
        assert same(log(together, found.session or ""), log(alone, session))
    together.close()
    alone.close()
