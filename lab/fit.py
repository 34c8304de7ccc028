"""Whether the models of the settings fit the memory of their device, told before loading them."""

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

import msgspec
from pydantic import ByteSize

from engine.errors import ModelError
from lab.models import kv_budget, specs
from lab.results import ModelSettings

if TYPE_CHECKING:
    from engine.models.footprint import Footprint
    from engine.training.footprint import Training
    from engine.training.recipes import Recipe

Verdict = Literal["fits", "tight", "does not fit", "unknown"]

_RANK = {"unknown": 0, "does not fit": 0, "tight": 1, "fits": 2}

_TIGHT_SHARE = 0.1
"""Of the free memory: with less than this left over, anything else that runs may be in the way."""

_FEW_TOKENS = 16_384
"""A search of twenty iterations with long steps; with less room its tokens are read again."""


class ModelSize(msgspec.Struct, frozen=True):
    """One model; memory in bytes.

    Attributes:
        name: as given.
        quantised: "nf4", "int8", "none" or the scheme of the files.
        dtype: of everything that is not quantised.
        parameters: how many numbers its weights are.
        weights: as held, without adapters.
        kv_token: what is kept of each token it has read.
    """

    name: str
    quantised: str
    dtype: str
    parameters: int
    weights: int
    kv_token: int


class Work(msgspec.Struct, frozen=True):
    """Memory in bytes of one batch: see `engine.models.footprint.Work` for the formula."""

    batch: int
    length: int
    rows: int
    logits: int
    activations: int


class Fit(msgspec.Struct, frozen=True):
    """The prediction; memory in bytes.

    Attributes:
        verdict: whether the models fit; "unknown" where the system does not tell what is free.
        device: where they would be.
        total, free: memory of the device, now.
        policy, prm: their bases.
        shared: both stand on one base, which is loaded once.
        adapters: LoRA weights of both.
        value_head: of the process reward model.
        weights: everything that stays loaded.
        loading: most memory at any time while loading.
        work: of one batch, beside the weights.
        needed: most of all this at any time, without kept rows.
        left: free memory less weights and work; negative if that is too much.
        kv_budget: asked for.
        kv_token: what is kept of a token that both models have read.
        kv_tokens: tokens whose rows are kept within the budget and what is left.
        advice: what is not as asked for and what to do, a sentence each.
    """

    verdict: Verdict
    device: str
    total: int
    free: int
    policy: ModelSize
    prm: ModelSize
    shared: bool
    adapters: int
    value_head: int
    weights: int
    loading: int
    work: Work
    needed: int
    left: int
    kv_budget: str
    kv_token: int
    kv_tokens: int
    advice: list[str]


def fit(settings: ModelSettings) -> Fit:
    """Predict; takes seconds and no memory to speak of, and asks no network.

    Raises:
        ModelError: a model is not on this machine, or what it takes cannot be told.
        ParameterError: the K/V budget is no size.
    """
    found = _predict(settings)
    return msgspec.structs.replace(found, advice=[*found.advice, *_advice(settings, found)])


class TrainingFit(msgspec.Struct, frozen=True):
    """Memory in bytes at any time while a round trains, models included.

    Attributes:
        needed: with all texts of an update at once.
        least: with as few at once as can be, which is what training comes to where memory is short.
        texts, length: of the update that needs most, and the tokens of each.
    """

    needed: int
    least: int
    texts: int
    length: int


def fit_training(settings: ModelSettings, recipe: "Recipe", length: int) -> TrainingFit:
    """Predict for a recipe that learns from texts of so many tokens; as quick as `fit`.

    Raises:
        ModelError: a model is not on this machine, or what it takes cannot be told.
    """
    from engine.models.footprint import predict

    pair = predict(*specs(settings))
    parts = _trainings(pair.policy, pair.prm, recipe, length)
    most = max(parts, key=lambda one: one.bytes)
    return TrainingFit(
        pair.weights + most.bytes,
        pair.weights + max(one.smallest for one in parts),
        most.texts,
        most.length,
    )


def _trainings(
    policy: "Footprint", prm: "Footprint", recipe: "Recipe", length: int
) -> "list[Training]":
    from engine.training.footprint import predict_training

    found = []
    if (part := recipe.policy) is not None:
        batch, loss = part.schedule.batch, part.loss
        kind = {"pairs": loss == "preference", "nearby": loss == "nearby"}
        found.append(predict_training(policy, recipe.lora, "policy", batch, length, **kind))
    if (values := recipe.prm) is not None:
        batch, pairs = values.schedule.batch, values.loss == "ranking"
        found.append(predict_training(prm, recipe.lora, "prm", batch, length, pairs))
    return found


def in_words(size: int) -> str:
    """Bytes as a person reads them."""
    return ByteSize(max(0, size)).human_readable(separator=" ")


def _predict(settings: ModelSettings) -> Fit:
    from engine.models.footprint import LENGTH, ROWS, predict
    from engine.models.hardware import free_memory
    from engine.models.pool import ROWS_SHARE

    budget = kv_budget(settings.kv_budget)
    pair = predict(*specs(settings))
    policy, prm, work = pair.policy, pair.prm, pair.work
    device = policy.precision.device
    total, free = free_memory(device)
    needed = max(pair.loading, pair.weights + work.bytes)
    left = free - pair.weights - work.bytes
    asked = ROWS_SHARE * (free - pair.weights) if budget is None else budget
    rows = int(max(0, min(asked, left)))
    wanted = _FEW_TOKENS * pair.token if budget in (None, math.inf) else asked
    return Fit(
        verdict=_verdict(free, needed, enough=rows >= wanted),
        device=device,
        total=total,
        free=free,
        policy=_size(settings.policy, policy),
        prm=_size(settings.prm, prm),
        shared=pair.shared,
        adapters=pair.adapters,
        value_head=pair.head,
        weights=pair.weights,
        loading=pair.loading,
        work=Work(ROWS, LENGTH, work.rows, work.logits, work.activations),
        needed=needed,
        left=left,
        kv_budget=settings.kv_budget,
        kv_token=pair.token,
        kv_tokens=rows // pair.token,
        advice=list(dict.fromkeys(filter(None, (policy.precision.notice, prm.precision.notice)))),
    )


def _size(name: str, base: "Footprint") -> ModelSize:
    return ModelSize(
        name, base.quantised, base.precision.dtype, base.parameters, base.weights, base.token
    )


def _verdict(free: int, needed: int, enough: bool) -> Verdict:
    """`enough`: as many rows can be kept as are wanted."""
    if not free:
        return "unknown"
    if needed > free:
        return "does not fit"
    return "fits" if enough and free - needed >= _TIGHT_SHARE * free else "tight"


def _advice(settings: ModelSettings, found: Fit) -> list[str]:
    """What to do; other settings are tried before they are named."""
    if found.verdict in ("fits", "unknown"):
        return []
    advice = []
    budget = kv_budget(settings.kv_budget)
    if budget is not None and max(0, found.left) < budget < math.inf:
        advice.append("Take --kv-budget auto: more was asked for than is left.")
    advice += [
        f"With {options}: {other.verdict}, {in_words(other.needed)} of {in_words(other.free)}."
        for options, other in _others(settings, found)
        if _RANK[other.verdict] > _RANK[found.verdict]
    ]
    if not advice and found.verdict == "does not fit":
        return ["Take smaller models, or free memory."]
    return advice or ["It runs; where memory is short, texts are read again, which takes time."]


def _others(settings: ModelSettings, found: Fit) -> Iterator[tuple[str, Fit]]:
    """Settings that may need less or have more room, as options, each with its prediction."""
    there = {"quant": "nf4", "dtype": "auto"}
    for changes in (there, {**there, "device": "cpu"}):
        other = {name: value for name, value in changes.items() if getattr(settings, name) != value}
        if other and (found.device != "cpu" or "device" not in other):
            with suppress(ModelError):  # cannot be held so: not on that device, for example
                options = " ".join(f"--{name} {value}" for name, value in other.items())
                yield options, _predict(msgspec.structs.replace(settings, **other))
