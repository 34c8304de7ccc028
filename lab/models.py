"""Which models the settings mean, loading them, and what is known of the bundled ones."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from pydantic import ByteSize, TypeAdapter, ValidationError

from engine.errors import ModelError, ParameterError, TaskError
from engine.models.base import Policy, ProcessRewardModel
from engine.models.loading import (
    HUB_ID,
    Location,
    ModelSpec,
    has_chat_template,
    locate,
)
from engine.models.progress import Progress, untold
from engine.tasks.format_files import FILE_NAME, choose_step_format, load_step_format
from engine.tasks.step_format import StepFormat
from engine.training.examples import Example
from engine.training.learner import Learnt, Tell
from engine.training.recipes import Recipe
from lab.results import ModelSettings
from sessions.adapters import Role

BUNDLED = "bundled"
_ON = ("true", "t", "yes", "y", "on", "1")
_ADAPTED = re.compile(r"(.*) \+ adapter ([0-9a-f]{8})", re.DOTALL)
_SIZE = re.compile(r"\s*(\d+(\.\d*)?|\.\d+)\s*([kmgtpe]i?)?b?\s*", re.IGNORECASE | re.ASCII)


class Adapting(Protocol):
    """Models that adapters can be put on, and that can be taught new ones, without a reload."""

    def policy(self, adapter: Path) -> Policy:
        """The policy with the adapter in a directory. Raises ModelError."""

    def prm(self, adapter: Path) -> ProcessRewardModel:
        """The process reward model with the adapter in a directory. Raises ModelError."""

    def close(self, model: Policy | ProcessRewardModel) -> None:
        """Take the adapter of a model that was opened here off its base; nobody may use it then."""

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
        """Train an adapter and write it; see `engine.training.teaching`.

        Args:
            role: which model learns.
            start: adapter that it goes on from, None for the model as it was loaded.
            examples: to learn from.
            recipe: how.
            folder: for checkpoints; it goes on from those that are there.
            out: directory of the new adapter, complete or not there.
            seed: of the adapter and of the order of the examples.
            tell: told of progress; ends training when it answers False.

        Raises:
            TrainingError: there is nothing to train on, or it cannot go on.
        """


@dataclass(frozen=True)
class Models:
    """Loaded models, and what a person should know about them, a sentence each.

    adapting: the same with adapters; None where they take none.
    """

    policy: Policy
    prm: ProcessRewardModel
    notices: list[str] = field(default_factory=list)
    adapting: Adapting | None = None


Loader = Callable[[ModelSettings, Progress], Models]


def load_models(settings: ModelSettings, progress: Progress = untold) -> Models:
    """Load the models of the settings; takes seconds, and memory.

    Args:
        settings: which models, and how to hold them.
        progress: told which model is being loaded and how far, for example
            ("the policy, tiny-policy", 0.45).

    Raises:
        ModelError: one cannot be found, does not fit into memory or is not of its kind.
        ParameterError: the K/V budget is no size.
    """
    # torch and transformers take seconds to import: only a process that runs models needs them.
    from engine.models.pool import ModelPool
    from engine.models.transformers_policy import load_policy
    from engine.models.transformers_prm import load_prm
    from lab.adapting import AdaptingModels

    policy_spec, prm_spec = specs(settings)
    pool = ModelPool(kv_budget(settings.kv_budget))
    pool.progress = lambda name, share: progress(f"the policy, {name}", share)
    policy = load_policy(policy_spec, pool)
    pool.progress = lambda name, share: progress(f"the process reward model, {name}", share)
    prm = load_prm(prm_spec, pool)
    adapting = AdaptingModels(pool, policy_spec, prm_spec, policy, prm)
    return Models(policy, prm, list(pool.notices), adapting)


def adapted(label: str, adapter: str | None) -> str:
    """How a log names a model with an adapter of the home."""
    return label if adapter is None else f"{label} + adapter {adapter}"


def adapter_of(label: str) -> tuple[str, str | None]:
    """The name of the model itself, and its adapter, None if it has none: `adapted` backwards."""
    found = _ADAPTED.fullmatch(label)
    return (found[1], found[2]) if found else (label, None)


def kv_budget(text: str) -> float | None:
    """Bytes that `--kv-budget` allows the K/V rows; None for "auto", infinite for "unlimited".

    Raises:
        ParameterError: it is neither of these nor a size.
    """
    word = text.strip().lower()
    if word == "auto":
        return None
    if word == "unlimited":
        return math.inf
    try:
        # pydantic would read "8 Mbit", and not mind what comes after a size.
        if _SIZE.fullmatch(text):
            return float(TypeAdapter(ByteSize).validate_python(word))
    except (ValidationError, OverflowError):
        pass
    raise ParameterError(
        f"The K/V budget cannot be {text[:50]!r}: it takes auto (what is free after loading), "
        "unlimited, 0 (keep nothing), or a size such as 512MiB or 2GB."
    )


def specs(settings: ModelSettings) -> tuple[ModelSpec, ModelSpec]:
    """(policy, process reward model) that the settings mean."""
    return (
        _spec(settings.policy, "tiny-policy", settings, step_format=settings.step_format),
        _spec(settings.prm, "tiny-prm", settings, settings.prm_format),
    )


def _spec(
    model: str,
    bundled: str,
    settings: ModelSettings,
    prm_format: str = "auto",
    step_format: str = "auto",
) -> ModelSpec:
    path = str(Path(str(files("assets"))) / "models" / bundled) if model == BUNDLED else model
    return ModelSpec.model_validate(
        {
            "path": path,
            "quant": settings.quant,
            "device": settings.device,
            "dtype": settings.dtype,
            "prm_format": None if prm_format == "auto" else prm_format,
            "step_format": None if step_format == "auto" else step_format,
        }
    )


def format_of(settings: ModelSettings) -> tuple[StepFormat, str]:
    """The step format of the policy by its files alone, and where it comes from, in words.

    Raises:
        ModelError: there is no such model, or its step format is not one.
    """
    try:
        if settings.step_format != "auto":
            return choose_step_format(settings.step_format), "as it was named"
        return _format_in(locate(specs(settings)[0]))
    except TaskError as error:
        raise ModelError(str(error)) from error


def format_label(settings: ModelSettings) -> str:
    """How logs name the step format of the policy; "" where only loading it can tell."""
    local = settings.policy == BUNDLED or Path(settings.policy).expanduser().is_dir()
    if not local and settings.step_format == "auto":
        return ""
    try:
        return format_of(settings)[0].digest
    except ModelError:
        return ""  # loading it will say so


def _format_in(location: Location) -> tuple[StepFormat, str]:
    for directory in filter(None, (location.adapter, location.directory)):
        if (directory / FILE_NAME).exists():
            return load_step_format(directory), f"its {FILE_NAME}"
    chat = has_chat_template(location.directory)
    kind = "a chat model" if chat else "a model without a chat template"
    return load_step_format(location.directory, chat), f"the default of {kind}"


def check(settings: ModelSettings) -> None:
    """Refuse models that are not there, without loading any or asking a network.

    Raises:
        ParameterError: a folder is missing, or is no model's; there is no such step format; the K/V
            budget is no size.
    """
    kv_budget(settings.kv_budget)
    if settings.step_format != "auto":
        try:
            choose_step_format(settings.step_format)
        except TaskError as error:
            raise ParameterError(str(error)) from error
    for model in (settings.policy, settings.prm):
        hub_id = HUB_ID.fullmatch(model) and not Path(model).exists()
        if model != BUNDLED and not hub_id:
            try:
                locate(_spec(model, "", settings))
            except ModelError as error:
                raise ParameterError(str(error)) from error


def hint(
    settings: ModelSettings, question: str, params: Mapping[str, Any] | None = None
) -> str | None:
    """Why the policy cannot answer a question in a search with these parameters, as they were
    entered; None if nothing is known against it.
    """
    if not question.strip():
        return None
    found = [_no_story(settings, question), _no_code(settings, params or {})]
    return " ".join(filter(None, found)) or None


def _no_story(settings: ModelSettings, question: str) -> str:
    """Why the bundled policy does not know such questions, "" if it does or is not used."""
    from engine.tasks.stories import recognise

    if settings.policy != BUNDLED:
        return ""
    found = recognise(question)
    if found:
        return ""
    return (
        "The bundled model only knows short stories about a number of things that changes "
        f"({found.reason}). Pick a sample problem to see the kind, or start the lab with a model "
        "that knows more: lab --policy FOLDER-OR-HUB-ID --prm FOLDER-OR-HUB-ID."
    )


def _no_code(settings: ModelSettings, params: Mapping[str, Any]) -> str:
    """What becomes of `run_code` with a policy that keeps to a layout of its own, "" for others."""
    if str(params.get("run_code")).strip().lower() not in _ON:
        return ""
    bundled = settings.policy == BUNDLED
    if not bundled:
        folder = Path(settings.policy).expanduser()
        try:
            if not folder.is_dir() or load_step_format(folder).kind != "lines":
                return ""
        except TaskError:  # loading it will say so
            return ""
    name = "The bundled model" if bundled else f"The policy {settings.policy}"
    return (
        f"{name} is not asked for Python, since it writes steps in a layout of its own: with "
        "run_code every step that is no Python is rejected, so that such a search may find none at "
        "all. Switch run_code off, or start the lab with a chat model: lab --policy "
        "FOLDER-OR-HUB-ID."
    )
