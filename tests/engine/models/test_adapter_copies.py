"""PEFT writes the base's embedding or output layer beside an adapter of it: the base's stays."""

import re
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPTJConfig, GPTJForCausalLM

from engine.models.pool import ModelPool
from tests.engine.models.conftest import make_tokenizer, write_model
from tests.engine.models.test_adapters import (
    LORA,
    QUANTS,
    logits,
    refuse,
    same_state,
    save,
    spec,
    state,
)


@pytest.mark.parametrize("quant", QUANTS)
@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("layer", ["embed_tokens", "lm_head"])
def test_a_copy_of_the_base_in_an_adapter_is_not_read(
    layer: str, tied: bool, rounded: bool, quant: str, tmp_path: Path
) -> None:
    base = write_model(tmp_path / "base", tie_word_embeddings=tied)
    fields = {**LORA, "target_modules": [layer, "q_proj"]}
    adapter = save(peft.LoraConfig(**fields), base, tmp_path / "adapter")
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    copies = [name for name in tensors if ".lora_" not in name]
    assert copies, "PEFT writes the base's embedding along"
    if rounded:  # as an adapter that was trained on the base in half precision
        save_file({n: t.bfloat16() if n in copies else t for n, t in tensors.items()}, file)
    models = ModelPool()
    bare = models.open(spec(base, quant))
    before, weights = logits(bare), state(bare)
    adapted = models.open(spec(base, quant, adapter))
    assert not torch.allclose(logits(adapted), before)
    assert torch.equal(logits(bare), before)
    adapted.close()
    assert same_state(bare, weights)
    save_file({n: t + 0.5 if n == copies[0] else t for n, t in tensors.items()}, file)
    refuse(base, quant, adapter, re.escape(copies[0]))


def test_copies_are_known_by_their_place_whatever_it_is_called(tmp_path: Path) -> None:
    """Other families call these layers otherwise, and give the output layer a bias."""
    tiny = {"vocab_size": 320, "n_embd": 64, "n_layer": 2, "n_head": 2, "rotary_dim": 8}
    torch.manual_seed(0)
    base = tmp_path / "base"
    GPTJForCausalLM(GPTJConfig(**tiny, n_positions=128)).save_pretrained(base)
    make_tokenizer().save_pretrained(base)
    config = peft.LoraConfig(r=4, target_modules=["wte", "lm_head", "q_proj"])
    adapter = save(config, base, tmp_path / "adapter", kind=GPTJForCausalLM)
    tensors = load_file(adapter / "adapter_model.safetensors")
    copies = [name for name in tensors if ".lora_" not in name]
    assert sorted(name.rpartition(".")[2] for name in copies) == ["bias", "weight", "weight"]
    models = ModelPool()
    bare = models.open(spec(base, "none"))
    before = logits(bare)
    assert not torch.allclose(logits(models.open(spec(base, "none", adapter))), before)
    assert torch.equal(logits(bare), before)
