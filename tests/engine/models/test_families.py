"""Other architectures: rows kept by tree node give what the model itself gives, in each of them."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BambaConfig,
    CohereConfig,
    DeepseekV3Config,
    FalconH1Config,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GptOssConfig,
    GraniteConfig,
    JambaConfig,
    Llama4TextConfig,
    LlamaConfig,
    Mamba2Config,
    MambaConfig,
    MistralConfig,
    Olmo3Config,
    Phi3Config,
    PreTrainedConfig,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
)

from engine.models import workspace
from engine.models.decoding import Row, TreeReader
from engine.models.kv_store import KVStore
from engine.models.loading import ModelSpec, Quant
from engine.models.plain import PlainReader
from engine.models.pool import Handle, ModelPool
from engine.models.reading import open_reader
from engine.models.workspace import Tokens
from tests.engine.models.conftest import (
    logits_by_hand,
    logprobs_by_hand,
    open_tiny,
    reader,
    row,
    some_text,
    write_adapter,
    write_model,
)

NONE: frozenset[int] = frozenset()
CLOSE = 1e-4
"""Largest difference of a logit in fp32; the logits are of the size of 1 to 10."""

COMMON = {"vocab_size": 320, "eos_token_id": 0, "pad_token_id": 1, "bos_token_id": None}
SHAPE: dict[str, Any] = {
    **COMMON,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "initializer_range": 0.25,
}
LONGROPE = {
    "rope_type": "longrope",
    "rope_theta": 10000.0,
    "short_factor": [1.0] * 8,
    "long_factor": [4.0] * 8,
    "original_max_position_embeddings": 96,
}
MIXED = ["sliding_attention", "full_attention"]
FAMILIES: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**SHAPE),
    "llama, tied head": lambda: LlamaConfig(**SHAPE, tie_word_embeddings=True),
    "llama, a head for each": lambda: LlamaConfig(**SHAPE | {"num_key_value_heads": 4}),
    "qwen2": lambda: Qwen2Config(**SHAPE),
    "qwen2, window": lambda: Qwen2Config(
        **SHAPE, use_sliding_window=True, sliding_window=5, max_window_layers=1
    ),
    "qwen3": lambda: Qwen3Config(**SHAPE),
    "mistral, window": lambda: MistralConfig(**SHAPE, sliding_window=6),
    "gemma": lambda: GemmaConfig(**SHAPE),
    "gemma2, softcaps": lambda: Gemma2Config(
        **SHAPE, sliding_window=6, attn_logit_softcapping=3.0, final_logit_softcapping=2.0
    ),
    "gemma3, local and global": lambda: Gemma3TextConfig(
        **SHAPE, sliding_window=6, layer_types=MIXED
    ),
    "phi3, window": lambda: Phi3Config(**SHAPE, sliding_window=7),
    "phi3, longrope": lambda: Phi3Config(
        **SHAPE, original_max_position_embeddings=96, rope_parameters=LONGROPE
    ),
    "olmo3, window": lambda: Olmo3Config(**SHAPE, sliding_window=6),
    "gpt2, learned positions": lambda: GPT2Config(
        **COMMON, n_embd=64, n_layer=2, n_head=2, n_positions=512, initializer_range=0.25
    ),
}
MAMBA = {
    "mamba_d_state": 8,
    "mamba_n_heads": 4,
    "mamba_d_head": 16,
    "mamba_n_groups": 1,
}
OTHERS: dict[str, tuple[str, Callable[[], PreTrainedConfig]]] = {
    "mamba": (
        "linear_attention",
        lambda: MambaConfig(**COMMON, hidden_size=64, state_size=8, num_hidden_layers=2),
    ),
    "mamba2": (
        "linear_attention",
        lambda: Mamba2Config(
            **COMMON,
            hidden_size=64,
            state_size=8,
            num_hidden_layers=2,
            num_heads=4,
            head_dim=32,
            n_groups=1,
        ),
    ),
    "falcon h1": ("hybrid", lambda: FalconH1Config(**SHAPE, mamba_d_ssm=64, **MAMBA)),
    "bamba": (
        "linear_attention",
        lambda: BambaConfig(**SHAPE, attn_layer_indices=[1], **MAMBA | {"mamba_n_heads": 8}),
    ),
    "jamba": (
        "linear_attention",
        lambda: JambaConfig(
            **SHAPE,
            attn_layer_period=2,
            attn_layer_offset=1,
            expert_layer_period=8,
            expert_layer_offset=7,
            num_experts=2,
            use_mamba_kernels=False,
        ),
    ),
    "deepseek, latent attention": (
        "keys and values differ in shape",
        lambda: DeepseekV3Config(
            **COMMON,
            hidden_size=64,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            n_routed_experts=4,
            n_group=1,
            topk_group=1,
            num_experts_per_tok=2,
            moe_intermediate_size=32,
            kv_lora_rank=16,
            q_lora_rank=16,
            qk_rope_head_dim=8,
            qk_nope_head_dim=8,
            v_head_dim=12,
            first_k_dense_replace=2,
            max_position_embeddings=512,
        ),
    ),
    "gpt-oss, sinks": (
        "s_aux",
        lambda: GptOssConfig(**SHAPE, num_local_experts=4, num_experts_per_tok=2, sliding_window=6),
    ),
    "llama4, chunks": (
        "chunked_attention",
        lambda: Llama4TextConfig(**SHAPE, num_local_experts=2, attention_chunk_size=8),
    ),
    "a window that only the mask knows": (
        "of a kind of its own",
        lambda: Qwen2MoeConfig(
            **SHAPE,
            use_sliding_window=True,
            sliding_window=40,
            layer_types=["sliding_attention"] * 2,
            moe_intermediate_size=32,
            shared_expert_intermediate_size=32,
            num_experts=4,
            num_experts_per_tok=2,
        ),
    ),
    "cohere, scaled logits": ("of a kind of its own", lambda: CohereConfig(**SHAPE)),
    "granite, scaled logits": (
        "of a kind of its own",
        lambda: GraniteConfig(**SHAPE, logits_scaling=3.0),
    ),
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Handle]:
    """Each model once."""
    made: dict[str, Handle] = {}

    def get(name: str) -> Handle:
        if name not in made:
            config = FAMILIES[name]() if name in FAMILIES else OTHERS[name][1]()
            made[name] = open_tiny(config, tmp_path_factory.mktemp("family") / "model")
        return made[name]

    return get


def agrees(handle: Handle, one: TreeReader, texts: list[Tokens]) -> None:
    """What is read through the store is what the model says of the whole text."""
    for text, (logits, _) in zip(texts, one.logits(texts), strict=True):
        torch.testing.assert_close(logits, logits_by_hand(handle, text)[-1], atol=CLOSE, rtol=0)


TRUNK = some_text(50)
LEAVES = [
    TRUNK[:20],
    TRUNK,
    TRUNK[:30] + some_text(25, 1),
    TRUNK[:30] + some_text(25, 2),
    TRUNK[:49] + some_text(30, 3),
    some_text(33, 4),
    some_text(1, 5),
    some_text(60, 6),
]


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_read_by_tree_node(family: str, opened: Callable[[str], Handle]) -> None:
    handle = opened(family)
    assert isinstance(open_reader(handle, KVStore(math.inf)), TreeReader)
    assert not [text for text in handle.base.notices if "slow" in text]


@pytest.mark.parametrize("most", [2048, 7])
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_the_whole_text(
    family: str, most: int, opened: Callable[[str], Handle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fresh, cached, in pieces, branched, in several lanes, in forwards of seven tokens."""
    monkeypatch.setattr(workspace, "MOST_TOKENS", most)
    handle = opened(family)
    agrees(handle, reader(handle), LEAVES)
    one = reader(handle)
    agrees(handle, one, [TRUNK[:9]])
    agrees(handle, one, [TRUNK[:31]])
    agrees(handle, one, LEAVES[::-1])
    agrees(handle, one, LEAVES)
    agrees(handle, one, [text + some_text(8, 7) for text in LEAVES[:5]])
    assert one.logits([TRUNK])[0][1].forwarded == 0


def rows() -> list[Row]:
    """Siblings, a row that begins within another's prefix, one on its own, a greedy one."""
    siblings = [row(seed, TRUNK[:40], limit=6 + seed) for seed in range(4)]
    others = [row(8, TRUNK[:12], limit=20), row(9, LEAVES[5]), row(10, TRUNK[:33], temperature=0.0)]
    return [*siblings, *others, row(11, TRUNK[:40], top_k=20, top_p=0.9, repetition_penalty=1.3)]


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_decoding_is_that_of_the_plain_way(
    family: str, static: bool, opened: Callable[[str], Handle]
) -> None:
    """With steps of fixed shape, too, as they run on a GPU."""
    handle = opened(family)
    expected = PlainReader(handle, KVStore(0)).decode(rows(), NONE)
    one = reader(handle, static=static)
    for _ in range(2):
        found = one.decode(rows(), NONE)
        assert [a.tokens for a in found] == [b.tokens for b in expected]
        assert [a.stopped for a in found] == [b.stopped for b in expected]
        for wanted, decoded in zip(rows(), found, strict=True):
            by_hand = logprobs_by_hand(handle, wanted.prefix, decoded.tokens)
            assert decoded.logprobs == pytest.approx(by_hand, abs=1e-3)


def test_a_context_ends_where_the_positions_would_change(
    opened: Callable[[str], Handle],
) -> None:
    """Beyond it, keys of the beginning would not fit to those that come later."""
    handle = opened("phi3, longrope")
    assert handle.base.context == 96
    full = row(0, some_text(90), limit=50)
    for one in (reader(handle), PlainReader(handle, KVStore(0))):
        (found,) = one.decode([full], NONE)
        assert (len(found.tokens), found.stopped) == (6, "context")


@pytest.mark.parametrize("other", OTHERS)
def test_what_cannot_be_kept_is_read_the_plain_way_and_said(
    other: str, opened: Callable[[str], Handle]
) -> None:
    handle, why = opened(other), OTHERS[other][0]
    one = open_reader(handle, KVStore(math.inf))
    again = open_reader(handle, KVStore(math.inf))
    assert isinstance(one, PlainReader)
    assert isinstance(again, PlainReader)
    (notice,) = [text for text in handle.base.notices if "slow" in text]
    assert why in notice
    text = TRUNK[:17]
    logits, usage = one.logits([text])[0]
    torch.testing.assert_close(logits, logits_by_hand(handle, text)[-1], atol=CLOSE, rtol=0)
    assert usage.forwarded == 17
    with handle.using() as model:
        states = model(torch.tensor([text]), use_cache=False, output_hidden_states=True)
    torch.testing.assert_close(
        one.hidden([text])[0][0], states.hidden_states[-1][0, -1], atol=CLOSE, rtol=0
    )
    greedy, free = row(0, text, limit=10, temperature=0.0), row(1, text, limit=10)
    found = one.decode([greedy, free], NONE)
    with handle.using() as model:
        said = model.generate(
            torch.tensor([text]), do_sample=False, max_new_tokens=10, eos_token_id=None
        )
    assert found[0].tokens == said[0, 17:].tolist()
    for wanted, decoded in zip([greedy, free], found, strict=True):
        by_hand = logprobs_by_hand(handle, text, decoded.tokens)
        assert decoded.logprobs == pytest.approx(by_hand, abs=2e-3)
        assert decoded.usage.forwarded == len(wanted.prefix) + len(decoded.tokens) - 1


def test_the_plain_way_ignores_what_the_model_would_like_to_sample(tmp_path: Path) -> None:
    """Its generation config is for chats: penalties, filters, and ends of its own."""
    handle = open_tiny(LlamaConfig(**SHAPE), tmp_path)
    wanted = [row(seed, TRUNK[:15] * 2, limit=12, temperature=seed / 3) for seed in range(4)]
    expected = reader(handle).decode(wanted, NONE)
    own = handle.base.model.generation_config
    own.repetition_penalty, own.no_repeat_ngram_size, own.do_sample = 1.8, 1, True
    own.eos_token_id = sorted({token for one in expected for token in one.tokens})
    found = PlainReader(handle, KVStore(0)).decode(wanted, NONE)
    assert [one.tokens for one in found] == [one.tokens for one in expected]
    assert handle.base.model.generation_config is own


def test_a_window_is_as_it_was_after_a_model_was_tried(opened: Callable[[str], Handle]) -> None:
    for name, size in (("a window that only the mask knows", 40), ("mistral, window", 6)):
        handle = opened(name)
        open_reader(handle, KVStore(0))
        assert handle.base.model.config.sliding_window == size


@pytest.mark.parametrize(("dtype", "limit"), [("bf16", 0.15), ("fp16", 0.02)])
def test_half_precision_agrees_within_rounding(dtype: str, limit: float, tmp_path: Path) -> None:
    """In standard deviations of the logits."""
    handle = open_tiny(LlamaConfig(**SHAPE), tmp_path, dtype=dtype)
    assert isinstance(open_reader(handle, KVStore(0)), TreeReader)
    one = reader(handle)
    one.logits([TRUNK[:9]])
    for text, (logits, _) in zip(LEAVES, one.logits(LEAVES), strict=True):
        by_hand = logits_by_hand(handle, text)[-1]
        assert float((logits - by_hand).abs().max() / by_hand.std()) < limit


@pytest.mark.parametrize("quant", ["none", "nf4"])
def test_an_adapter_in_fp32_serves_on_a_base_in_half_precision(
    quant: Quant, tmp_path: Path
) -> None:
    base = write_model(tmp_path / "base")
    adapter = write_adapter(tmp_path / "adapter", base)
    spec = ModelSpec(path=str(base), adapter=str(adapter), quant=quant, dtype="bf16", device="cpu")
    handle = ModelPool().open(spec)
    kinds = {one.dtype for name, one in handle.base.model.named_parameters() if "lora" in name}
    assert kinds == {torch.float32}
    one = open_reader(handle, KVStore(math.inf))
    assert isinstance(one, TreeReader)
    for text, (logits, _) in zip(LEAVES, one.logits(LEAVES), strict=True):
        by_hand = logits_by_hand(handle, text)[-1]
        assert float((logits - by_hand).abs().max() / by_hand.std()) < 0.15
