"""Recipes: which search makes the data, what is learnt from it, and how. A table, and no code.

A recipe is a row of the papers' comparison; another one is another row. What the words mean:
`engine.training.teaching` makes them happen.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import ParameterError
from engine.training.learner import Schedule
from engine.training.student import LoraSettings


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Search(_Part):
    """Which search makes the data.

    iterations: of each problem, None to its end; `params` are those of the algorithm, `sampling`
    the policy's.
    """

    algorithm: str = "mcts_star"
    params: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    iterations: int | None = Field(default=20, ge=1)


class PolicyPart(_Part):
    """How the policy learns.

    Attributes:
        loss: `imitation` of right solutions; `nearby` the same with a divergence from the base;
            `preference` (DPO) of better siblings or solutions.
        least_value: lowest value that the PRM gave to a solution that is imitated.
        most: most solutions of a problem.
        strength: of the divergence (`nearby`), or DPO's beta.
    """

    loss: Literal["imitation", "nearby", "preference"] = "imitation"
    least_value: float = Field(default=0.0, ge=0.0, le=1.0)
    most: int | None = 4
    strength: float = Field(default=0.1, ge=0.0)
    schedule: Schedule = Schedule()


class PrmPart(_Part):
    """How the process reward model learns.

    Attributes:
        rewards: method of inferring them, see `engine.rewards.methods`.
        loss: `squared_error`, `cross_entropy`, or `ranking` of siblings.
    """

    rewards: str = "paper"
    loss: Literal["squared_error", "cross_entropy", "ranking"] = "squared_error"
    schedule: Schedule = Schedule(rate=2e-4)


class Recipe(_Part):
    """One way to learn from searches.

    Attributes:
        name, title: for commands and headings.
        source: where it comes from.
        search: makes the data.
        policy, prm: how each learns; None if it stays as it is.
        lora: shape of new adapters.
    """

    name: str
    title: str
    source: str
    search: Search = Search()
    policy: PolicyPart | None = None
    prm: PrmPart | None = None
    lora: LoraSettings = LoraSettings()


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="rest_mcts",
            title="ReST-MCTS*",
            source="arXiv 2406.03816: right traces of a value-guided search; values by Eq. 1-2",
            policy=PolicyPart(least_value=0.5),
            prm=PrmPart(),
        ),
        Recipe(
            name="rest_em",
            title="ReST-EM",
            source="arXiv 2312.06585: right samples of the policy",
            search=Search(algorithm="sampling", params={"samples": 16}, iterations=None),
            policy=PolicyPart(),
        ),
        Recipe(
            name="math_shepherd_hard",
            title="Math-Shepherd, hard labels",
            source="arXiv 2312.08935: a step is good if a right answer was reached from it",
            prm=PrmPart(rewards="hard", loss="cross_entropy"),
        ),
        Recipe(
            name="math_shepherd_soft",
            title="Math-Shepherd, soft labels",
            source="arXiv 2312.08935: a step is as good as the share of right answers from it",
            prm=PrmPart(rewards="soft", loss="cross_entropy"),
        ),
    )
}


def recipe(name: str) -> Recipe:
    """The recipe of this name.

    Raises:
        ParameterError: there is none.
    """
    if name not in RECIPES:
        raise ParameterError(f"There is no recipe {name!r}. Known are: {', '.join(RECIPES)}.")
    return RECIPES[name]
