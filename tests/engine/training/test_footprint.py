"""What training is said to take, against what it keeps for the gradients."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Phi3Config, PreTrainedConfig, Qwen2Config

from engine.models.footprint import predict
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_policy import load_policy
from engine.training import objectives
from engine.training.batches import Text, collate
from engine.training.footprint import _KEPT_SHARE, predict_training
from engine.training.student import LoraSettings, learning
from tests.engine.models.test_footprint import SHAPE, random_model
from tests.engine.training.conftest import MODELS

TEXTS, LENGTH = 4, 96

WIDE = {**SHAPE, "intermediate_size": 512, "dtype": "bfloat16"}
SHAPES: dict[str, PreTrainedConfig] = {
    "qwen2": Qwen2Config(**WIDE),
    "phi3": Phi3Config(**WIDE),
}


def kept(path: Path, dtype: str, lora: LoraSettings) -> tuple[int, int]:
    """Bytes that a forward pass keeps for the gradients, and numbers that learn."""
    spec = ModelSpec.model_validate(
        {"path": str(path), "device": "cpu", "quant": "none", "dtype": dtype}
    )
    base = load_policy(spec, ModelPool()).handle.base
    own = {one.untyped_storage().data_ptr() for one in base.model.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
        return tensor

    text = (Text(tuple(range(5, 5 + LENGTH)), 1),)
    with learning(base, lora, None, None, 0) as student:
        own |= {one.untyped_storage().data_ptr() for one in student.parameters().values()}
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = objectives.imitate(student, collate([text] * TEXTS))
        numbers = sum(one.numel() for one in student.parameters().values())
        assert loss.requires_grad
    return sum(size for place, size in found.items() if place not in own), numbers


@pytest.mark.parametrize("name", ["bundled", *SHAPES])
def test_what_training_takes_is_predicted(name: str, tmp_path: Path) -> None:
    bundled, lora = name == "bundled", LoraSettings(rank=8)
    path = MODELS / "tiny-policy" if bundled else random_model(tmp_path / name, SHAPES[name])
    dtype = "fp32" if bundled else "bf16"
    spec = ModelSpec.model_validate(
        {"path": str(path), "device": "cpu", "quant": "none", "dtype": dtype}
    )
    head = spec.model_copy(update={"path": str(MODELS / "tiny-prm")}) if bundled else spec
    base = predict(spec, head).policy
    found = predict_training(base, lora, "policy", TEXTS, LENGTH)
    took, numbers = kept(path, dtype, lora)
    assert found.learnt == 24 * numbers
    logits = 8 * TEXTS * LENGTH * base_vocabulary(path)  # their gradients come later
    texts = TEXTS * found.text / _KEPT_SHARE - logits
    assert took <= 1.1 * texts
    assert texts <= 1.25 * took


def base_vocabulary(path: Path) -> int:
    from transformers import AutoConfig

    return int(AutoConfig.from_pretrained(path).vocab_size)


def test_what_needs_more_is_said_to_need_more() -> None:
    spec = ModelSpec.model_validate({"path": str(MODELS / "tiny-policy"), "device": "cpu"})
    prm = spec.model_copy(update={"path": str(MODELS / "tiny-prm")})
    base, lora = predict(spec, prm).policy, LoraSettings()

    def training(length: int = 200, batch: int = 16, **kind: bool) -> Any:
        return predict_training(base, lora, "policy", batch, length, **kind)

    plain = training()
    assert training(nearby=True).text > plain.text
    assert training(pairs=True, batch=8).bytes == plain.bytes
    assert training(pairs=True, batch=8).smallest == plain.smallest + plain.text
    assert training(length=5000).length == 1024, "no text is longer than the context"
    assert predict_training(base, LoraSettings(rank=64), "policy", 16, 200).learnt == (
        4 * plain.learnt
    )
    assert predict_training(base, lora, "prm", 16, 200).text < plain.text
    on_gpu = replace(base, precision=replace(base.precision, device="cuda:0"))
    assert predict_training(on_gpu, lora, "policy", 16, 200).text < plain.text
