"""Loaded models with adapters on them: opened, and taught new ones, on the base in memory."""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from engine.errors import TrainingError
from engine.models.base import Policy, ProcessRewardModel
from engine.models.loading import ModelSpec, locate
from engine.models.pool import ModelPool
from engine.models.transformers_policy import TransformersPolicy, load_policy
from engine.models.transformers_prm import TransformersPRM, load_prm
from engine.training.examples import Example
from engine.training.learner import Learnt, Tell
from engine.training.recipes import Recipe
from engine.training.teaching import teach_policy, teach_prm
from sessions.adapters import Role


class AdaptingModels:
    """See `lab.models.Adapting`. Use from the model thread.

    Args:
        pool: where they are loaded.
        policy_spec, prm_spec: what was loaded.
        policy, prm: as loaded.
    """

    def __init__(
        self,
        pool: ModelPool,
        policy_spec: ModelSpec,
        prm_spec: ModelSpec,
        policy: TransformersPolicy,
        prm: TransformersPRM,
    ) -> None:
        self.pool = pool
        self._specs: dict[Role, ModelSpec] = {"policy": policy_spec, "prm": prm_spec}
        self._policy, self._prm = policy, prm

    def policy(self, adapter: Path) -> TransformersPolicy:
        """The policy with an adapter."""
        return load_policy(self._spec("policy", adapter), self.pool)

    def prm(self, adapter: Path) -> TransformersPRM:
        """The process reward model with an adapter."""
        return load_prm(self._spec("prm", adapter), self.pool)

    def close(self, model: Policy | ProcessRewardModel) -> None:
        """Take the adapter of a model off its base, unless another model has it, too."""
        assert isinstance(model, TransformersPolicy | TransformersPRM)
        model.handle.close()

    def _spec(self, role: Role, adapter: Path) -> ModelSpec:
        spec = self._specs[role]
        # What was loaded may itself be an adapter, which the new one has grown out of.
        base = {"path": str(locate(spec).directory), "adapter": str(adapter)}
        return spec.model_copy(update=base)

    def teach(
        self,
        role: Role,
        start: Path | None,
        examples: Sequence[Example],
        recipe: Recipe,
        folder: Path,
        out: Path,
        seed: int,
        tell: Tell,
    ) -> Learnt:
        """Train an adapter; what was read before makes room for it."""
        self.pool.store.clear()
        # The library's word to itself, and nothing that a person could act on.
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing", FutureWarning)
        part = recipe.policy if role == "policy" else recipe.prm
        if part is None:
            raise TrainingError(f"The recipe {recipe.name} has nothing for the {role} to learn.")
        rest = (recipe.lora, folder, out, seed, tell)
        with ExitStack() as undo:
            if role == "policy":
                policy = self.policy(start) if start else self._policy
                if start:
                    undo.callback(self.close, policy)
                return teach_policy(policy, examples, recipe.policy, *rest)  # type: ignore[arg-type]
            prm = self.prm(start) if start else self._prm
            if start:
                undo.callback(self.close, prm)
            return teach_prm(prm, examples, recipe.prm, *rest)  # type: ignore[arg-type]
