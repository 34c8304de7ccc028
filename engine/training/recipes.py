"""Recipes: which search makes the data, what is learnt from it, and how. A table, and no code.

A recipe is a row of the papers' comparison; another one is another row. What the words mean:
`engine.training.teaching` makes them happen.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.errors import ParameterError
from engine.training.learner import Schedule
from engine.training.student import LoraSettings

_MOST_SAMPLES = 1024
"""As many as the algorithm takes."""

Score = Literal["reward", "value", "q", "correct"]
"""What one of two sibling steps is better by, see `engine.exports.rows`."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Search(_Part):
    """Which search makes the data.

    iterations, tokens: most of each problem, None for no limit; tokens are those that the policy
    samples. `params` are those of the algorithm, `sampling` the policy's.
    """

    algorithm: str = "mcts_star"
    params: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    iterations: int | None = Field(default=20, ge=1)
    tokens: int | None = Field(default=None, ge=1)

    def within(self, tokens: int) -> "Search":
        """The same search of as many iterations or samples as so many tokens allow."""
        params = dict(self.params)
        if self.algorithm == "sampling":
            params |= {"samples": _MOST_SAMPLES, "at_once": 1}
        # An iteration may sample nothing, so that tokens alone would not end every search.
        changes = {"params": params, "iterations": tokens, "tokens": tokens}
        return self.model_copy(update=changes)


class PolicyPart(_Part):
    """How the policy learns.

    Attributes:
        examples: `solutions`, right ones; `steps`, each weighted by how much better it is than its
            siblings; `step_pairs`, of siblings; `own_pairs`, solutions by the policy's own word.
        loss: `imitation`; `nearby`, the same with a divergence from the policy as it was; or
            `preference` (DPO), of pairs.
        least_value: lowest value that the PRM gave to a solution that is imitated.
        most: most solutions of a problem, pairs of it (`own_pairs`) or of a node (`step_pairs`).
        by: what one of a pair of siblings is better by; for `steps`, how correct one is: `q`, the
            share of right solutions below, or `value`, its V.
        margin: by how much at least.
        strength: of the divergence (`nearby`), or DPO's beta.
    """

    examples: Literal["solutions", "steps", "step_pairs", "own_pairs"] = "solutions"
    loss: Literal["imitation", "nearby", "preference"] = "imitation"
    least_value: float = Field(default=0.0, ge=0.0, le=1.0)
    most: int | None = Field(default=4, ge=1)
    by: Score = "q"
    margin: float = Field(default=0.0, ge=0.0, le=1.0)
    strength: float = Field(default=0.1, ge=0.0)
    schedule: Schedule = Schedule()

    @model_validator(mode="after")
    def _fits(self) -> "PolicyPart":
        if (self.loss == "preference") != self.examples.endswith("_pairs"):
            raise ValueError(f"the loss {self.loss} is not one of {self.examples}")
        if self.examples == "steps" and self.by not in ("q", "value"):
            raise ValueError(f"steps are weighted by q or value, not by {self.by}")
        return self


class PrmPart(_Part):
    """How the process reward model learns.

    Attributes:
        rewards: method of inferring them, see `engine.rewards.methods`.
        loss: `squared_error` or `cross_entropy` of their values, or `ranking` of siblings.
        by, margin, most: of siblings, as for the policy.
    """

    rewards: str = "paper"
    loss: Literal["squared_error", "cross_entropy", "ranking"] = "squared_error"
    by: Score = "q"
    margin: float = Field(default=0.0, ge=0.0, le=1.0)
    most: int | None = Field(default=4, ge=1)
    schedule: Schedule = Schedule(rate=5e-5, epochs=1.0)


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


_DPO_RATE = 2e-5
"""Of DPO: it has no floor that slows it down, as likelihood has."""

_PAIRS = 8
"""Pairs of an update: as many texts as the 16 of the other losses."""

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
            name="self_rewarding",
            title="Self-Rewarding",
            source="arXiv 2401.10020: DPO on pairs of samples that the policy scores itself",
            search=Search(algorithm="sampling", params={"samples": 16}, iterations=None),
            policy=PolicyPart(
                examples="own_pairs",
                loss="preference",
                margin=0.25,
                schedule=Schedule(rate=_DPO_RATE, batch=_PAIRS),
            ),
        ),
        Recipe(
            name="mcts_process",
            title="MCTS process supervision",
            source="arXiv 2501.01478: steps weighted by roll-outs that the oracle scores, near the "
            "policy",
            search=Search(algorithm="uct", iterations=80),
            policy=PolicyPart(examples="steps", loss="nearby", most=None, by="value"),
        ),
        Recipe(
            name="mcts_process_guided",
            title="MCTS process supervision, guided",
            source="as arXiv 2501.01478 learns, from trees that the PRM has guided",
            policy=PolicyPart(examples="steps", loss="nearby", most=None),
        ),
        Recipe(
            name="step_dpo",
            title="Step-level DPO",
            source="arXiv 2405.00451: DPO on sibling steps of a search",
            policy=PolicyPart(
                examples="step_pairs",
                loss="preference",
                margin=0.25,
                most=1,
                schedule=Schedule(rate=_DPO_RATE, batch=_PAIRS),
            ),
        ),
        Recipe(
            name="rstar_math",
            title="rStar-Math",
            source="arXiv 2501.04519: the best right traces; a PRM that ranks sibling steps by Q",
            policy=PolicyPart(most=2),
            prm=PrmPart(loss="ranking", schedule=Schedule(rate=5e-5, epochs=1.0, batch=_PAIRS)),
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
