"""How long a round may take, from what was done in this home before."""

from contextlib import suppress

import msgspec

from engine.tasks.datasets import Dataset
from engine.training.recipes import Recipe, Search
from lab.models import adapter_of
from lab.round_phases import Parts, Problems
from lab.round_results import RoundSettings
from sessions.adapters import ROLES
from sessions.batches import BatchRow
from sessions.errors import BatchNotFoundError
from sessions.rounds import RoundRow
from sessions.store import Store

_FEWEST = 5
"""Searches that a batch must have done for its pace to count."""

_COSTS = {"prm": 0.7, "policy": 0.8, "greedy": 0.25, "guided": 1.0}
"""What follows the search of a problem in seconds of it: what is learnt from it, and a held-out
problem that is answered or searched once. Measured with the bundled models on two cores; only for
recipes that this home has no finished round of.
"""


def expected(
    parts: Parts, recipe: Recipe, settings: RoundSettings, problems: Problems
) -> dict[str, float]:
    """Seconds of each phase: from the last round of this recipe that is done, else from the pace of
    the last searches like its own with the models in use; empty where there is neither.
    """
    found = _like_the_last(parts.store, recipe, settings, problems)
    if found:
        return found
    bases = [parts.adapters.base(role) for role in ROLES]
    for row in parts.store.batches.rows():
        asked = [adapter_of(row.setting[role])[0] for role in ROLES]
        if asked == bases and _alike(recipe.search, row):
            each = row.seconds / row.done * _times(recipe.search, row)
            return from_searches(each, recipe, problems)
    return {}


def from_searches(each: float, recipe: Recipe, problems: Problems) -> dict[str, float]:
    """Seconds of each phase, roughly, from those that the search of one pool problem takes."""
    pool = len(problems.pool.problems)
    found = {"search": each * pool}
    if recipe.prm is not None:
        found["prm"] = each * pool * _COSTS["prm"]
        found["guided"] = 2 * each * len(problems.guided.problems) * _COSTS["guided"]
    if recipe.policy is not None:
        found["policy"] = each * pool * _COSTS["policy"]
        found["greedy"] = 2 * each * len(problems.heldout.problems) * _COSTS["greedy"]
    return found


def _like_the_last(
    store: Store, recipe: Recipe, settings: RoundSettings, problems: Problems
) -> dict[str, float]:
    """Searches take longer with more problems and budget, and training with more examples."""
    rows = store.rounds.rows()
    last = next((row for row in rows if row.recipe == recipe.name and row.status == "done"), None)
    if last is None:
        return {}
    then = msgspec.convert(last.setting["asked"], RoundSettings)
    searched = _batch(store, last, "search", "batch")
    pool = _problems(problems.pool, searched)
    heldout = _problems(problems.heldout, _batch(store, last, "greedy", "before"))
    guided = _problems(problems.guided, _batch(store, last, "guided", "before"))
    updates = pool
    if settings.updates is not None and then.updates is not None:
        updates = settings.updates / then.updates
    budget = 1.0 if searched is None else _budget(recipe.search, searched)
    scale = {
        "search": pool * budget,
        "examples": pool,
        "prm": updates,
        "policy": updates,
        "greedy": heldout,
        "guided": guided * budget,
    }
    return {name: row.seconds * scale.get(name, 1.0) for name, row in last.phases.items()}


def _batch(store: Store, row: RoundRow, phase: str, name: str) -> BatchRow | None:
    """A batch of a round; None if the phase was skipped or its batch is gone."""
    found = (row.result(phase) or {}).get(name)
    with suppress(BatchNotFoundError):
        return store.batches.row(found) if found else None
    return None


def _problems(now: Dataset, then: BatchRow | None) -> float:
    return len(now.problems) / then.problems if then is not None and then.problems else 1.0


def _budget(search: Search, row: BatchRow) -> float:
    """How many times the budget of a search of a batch one of this kind has."""
    limits = row.setting["limits"]
    if search.tokens is not None or limits["tokens"] is not None:
        spent = row.tokens / max(1, row.done)
        return (search.tokens or spent) / max(1.0, limits["tokens"] or spent)
    return _ratio(search.iterations, limits["iterations"])


def _alike(search: Search, row: BatchRow) -> bool:
    """Whether the pace of a batch tells that of a search. An imported one took no time."""
    greedy = row.setting["params"].get("samples") == 1
    searched = row.done >= _FEWEST and row.seconds > 0
    return row.setting["algorithm"] == search.algorithm and searched and not greedy


def _times(search: Search, row: BatchRow) -> float:
    """How many times the work of a search of a batch one of this kind is."""
    if search.tokens is not None:
        return search.tokens / max(1.0, row.tokens / row.done)
    if row.setting["limits"]["tokens"] is not None:
        return 1.0
    samples = _ratio(search.params.get("samples"), row.setting["params"].get("samples"))
    return samples * _ratio(search.iterations, row.setting["limits"]["iterations"])


def _ratio(now: int | None, then: int | None) -> float:
    return now / then if now and then else 1.0
