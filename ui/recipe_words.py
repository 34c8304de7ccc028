"""Recipes in the words of the papers' comparison: what is searched, what each model learns, how."""

from collections.abc import Mapping
from typing import Any

from ui.interface import Recipe

_EXAMPLES = {
    "solutions": "right solutions",
    "steps": "steps, weighted by relative correctness",
    "step_pairs": "pairs of sibling steps",
    "own_pairs": "pairs of solutions by its own word",
}
_REWARDS = {
    "paper": "v of every node (Eq. 1-2)",
    "hard": "whether a right answer lies below",
    "soft": "share of right answers below",
}
_LOSSES = {
    "imitation": "likelihood (SFT)",
    "nearby": "likelihood near the old policy (KL)",
    "preference": "DPO",
    "squared_error": "squared error",
    "cross_entropy": "cross-entropy",
    "ranking": "pairwise ranking",
}
_BY = {"q": "Q", "value": "V", "reward": "reward", "correct": "right answers"}


def recipe_row(recipe: Recipe, algorithms: Mapping[str, str]) -> dict[str, Any]:
    """A recipe as a row of the table.

    Args:
        recipe: what it does.
        algorithms: name -> title.
    """
    return {
        "name": recipe.name,
        "title": recipe.title,
        "source": recipe.source,
        "search": _search(recipe.search, algorithms),
        "policy": _policy(recipe.policy),
        "prm": _prm(recipe.prm),
    }


def _search(search: Any, algorithms: Mapping[str, str]) -> str:
    title = algorithms.get(search.algorithm, _plain(search.algorithm))
    samples = search.params.get("samples")
    if samples:
        return f"{title}, {samples:,} samples"
    return f"{title}, {search.iterations:,} iterations" if search.iterations else title


def _policy(part: Any) -> dict[str, str] | None:
    if part is None:
        return None
    learns = _EXAMPLES.get(part.examples, _plain(part.examples))
    if part.examples == "step_pairs" or (part.examples == "steps" and part.by == "value"):
        learns += f" by {_BY.get(part.by, _plain(part.by))}"
    if part.examples == "solutions":
        learns += f" valued {part.least_value:g} or more" if part.least_value else ""
        learns += f", {part.most:,} a problem" if part.most else ""
    return {"learns": learns, "loss": _LOSSES.get(part.loss, _plain(part.loss))}


def _prm(part: Any) -> dict[str, str] | None:
    if part is None:
        return None
    if part.loss == "ranking":
        learns = f"pairs of sibling steps by {_BY.get(part.by, _plain(part.by))}"
    else:
        learns = _REWARDS.get(part.rewards, f"{_plain(part.rewards)} rewards")
    return {"learns": learns, "loss": _LOSSES.get(part.loss, _plain(part.loss))}


def _plain(name: str) -> str:
    return name.replace("_", " ")
