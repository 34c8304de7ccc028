"""Which models the settings mean, loading them, and what is known of the bundled ones."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from engine.errors import ModelError, ParameterError
from engine.models.base import Policy, ProcessRewardModel
from engine.models.loading import HUB_ID, ModelSpec, locate
from lab.results import ModelSettings

BUNDLED = "bundled"


@dataclass(frozen=True)
class Models:
    """Loaded models, and what a person should know about them, a sentence each."""

    policy: Policy
    prm: ProcessRewardModel
    notices: list[str] = field(default_factory=list)


Loader = Callable[[ModelSettings], Models]


def load_models(settings: ModelSettings) -> Models:
    """Load the models of the settings; takes seconds, and memory.

    Raises:
        ModelError: one cannot be found, does not fit into memory or is not of its kind.
    """
    # torch and transformers take seconds to import: only a process that runs models needs them.
    from engine.models.pool import ModelPool
    from engine.models.transformers_policy import load_policy
    from engine.models.transformers_prm import load_prm

    pool = ModelPool()
    policy = load_policy(_spec(settings.policy, "tiny-policy", settings), pool)
    prm = load_prm(_spec(settings.prm, "tiny-prm", settings), pool)
    return Models(policy, prm, list(pool.notices))


def _spec(model: str, bundled: str, settings: ModelSettings) -> ModelSpec:
    path = str(Path(str(files("assets"))) / "models" / bundled) if model == BUNDLED else model
    return ModelSpec.model_validate(
        {
            "path": path,
            "quant": settings.quant,
            "device": settings.device,
            "dtype": settings.dtype,
        }
    )


def check(settings: ModelSettings) -> None:
    """Refuse models that are not there, without loading any or asking a network.

    Raises:
        ParameterError: a folder is missing, or is no model's.
    """
    for model in (settings.policy, settings.prm):
        hub_id = HUB_ID.fullmatch(model) and not Path(model).exists()
        if model != BUNDLED and not hub_id:
            try:
                locate(_spec(model, "", settings))
            except ModelError as error:
                raise ParameterError(str(error)) from error


def hint(settings: ModelSettings, question: str) -> str | None:
    """Why the bundled policy cannot answer a question; None if it can or another one is used."""
    from engine.tasks.stories import recognise

    if settings.policy != BUNDLED or not question.strip():
        return None
    found = recognise(question)
    if found:
        return None
    return (
        "The bundled model only knows short stories about a number of things that changes "
        f"({found.reason}). Pick a sample problem to see the kind, or start the lab with a model "
        "that knows more: lab --policy FOLDER-OR-HUB-ID --prm FOLDER-OR-HUB-ID."
    )
