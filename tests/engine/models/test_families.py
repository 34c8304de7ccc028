"""Other architectures: left padding and cached decoding must be exact in each of them."""

from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    PreTrainedConfig,
    Qwen3Config,
)

from engine.models.decoding import Decoder
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from tests.engine.models.conftest import make_tokenizer
from tests.engine.models.test_decoding import logprobs_by_hand, rows

COMMON = {"vocab_size": 320, "eos_token_id": 0, "pad_token_id": 1, "bos_token_id": None}
SHAPE = {
    **COMMON,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": 512,
    "initializer_range": 0.25,
}
FAMILIES: dict[str, PreTrainedConfig] = {
    "qwen3": Qwen3Config(**SHAPE),
    "gemma3, sliding window": Gemma3TextConfig(
        **SHAPE, sliding_window=4, layer_types=["sliding_attention", "full_attention"]
    ),
    "gpt2, learned positions": GPT2Config(
        **COMMON, n_embd=64, n_layer=2, n_head=2, n_positions=512, initializer_range=0.25
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_decoding_is_exact(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(FAMILIES[family]).save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    handle = ModelPool().open(ModelSpec(path=str(tmp_path), quant="none", device="cpu"))
    decoder = Decoder(handle, [])
    together = decoder.decode(rows())
    assert [one.tokens for one in together] == [decoder.decode([r])[0].tokens for r in rows()]
    for one, found in zip(rows(), together, strict=True):
        by_hand = logprobs_by_hand(handle, [*one.prefix, *found.tokens])[len(one.prefix) - 1 :]
        assert found.logprobs == pytest.approx(by_hand.tolist(), abs=1e-4)
