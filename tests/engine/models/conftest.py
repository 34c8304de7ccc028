"""Tiny random models on disk: real files, real loading, no training."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)

from engine.models.base import Sampling
from engine.models.decoding import Row, TreeReader
from engine.models.kv_store import KVStore
from engine.models.loading import ModelSpec
from engine.models.pool import Handle, ModelPool
from engine.models.static_steps import StaticSteps
from engine.models.tree_attention import register
from engine.models.workspace import Tokens
from engine.randomness import generator

LINES = {
    "prompt": "{question}\n",
    "number_sentences": False,
    "step_end": "\n",
    "final_prefix": "Answer: ",
    "max_step_tokens": 12,
    "critic": "eos",
    "reject_unfinished": False,
}

CHAT = (
    "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n{% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    words = ["Step 1: add 12 and 30 to get 42\n", "The answer is 42. Problem solved\n"] * 4
    raw.train_from_iterator(
        words,
        trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=["<eos>", "<pad>", "<|turn|>", "<|end|>"],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<eos>",
        pad_token="<pad>",
        additional_special_tokens=["<|turn|>", "<|end|>"],
    )


def write_model(
    directory: Path,
    seed: int = 0,
    step_format: dict[str, object] | None = None,
    chat: bool = False,
    hidden: int = 64,
    **config: object,
) -> Path:
    """Save a random Llama of two layers with its tokenizer."""
    tokenizer = make_tokenizer()
    if chat:
        tokenizer.chat_template = CHAT
    torch.manual_seed(seed)
    settings = {
        "vocab_size": 320,
        "hidden_size": hidden,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "initializer_range": 0.25,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        **config,
    }
    LlamaForCausalLM(LlamaConfig(**settings)).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    if step_format is not None:
        (directory / "step_format.json").write_text(json.dumps(step_format))
    return directory


def open_tiny(
    config: PreTrainedConfig, directory: Path, dtype: str = "fp32", quant: str = "none"
) -> Handle:
    """Save a random model of any architecture, and open it on the CPU."""
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    make_tokenizer().save_pretrained(directory)
    spec = ModelSpec(path=str(directory), quant=quant, dtype=dtype, device="cpu")
    return ModelPool().open(spec)


def write_adapter(directory: Path, base: Path, seed: int = 0) -> Path:
    """Save a random LoRA adapter on a base."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    model = LlamaForCausalLM.from_pretrained(base)
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.3)
    adapted.save_pretrained(directory)
    return directory


def write_head(directory: Path, width: int = 64, read: str = "v", seed: int = 0) -> Path:
    """Save a random value head with two outputs, v and step."""
    generator = torch.Generator().manual_seed(seed)
    save_file(
        {
            "weight": torch.randn(2, width, generator=generator) * 0.2,
            "bias": torch.zeros(2),
        },
        directory / "value_head.safetensors",
    )
    (directory / "value_head.json").write_text(json.dumps({"outputs": ["v", "step"], "read": read}))
    return directory


@pytest.fixture(scope="session")
def lines_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "lines", step_format=LINES)


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "chat", chat=True)


@pytest.fixture(scope="session")
def exact(lines_model: Path) -> Handle:
    """The lines model in fp32, where batching changes nothing that can be seen."""
    return ModelPool().open(
        ModelSpec(path=str(lines_model), quant="none", dtype="fp32", device="cpu")
    )


def reader(
    handle: Handle, budget: float = math.inf, max_batch: int = 256, static: bool = False
) -> TreeReader:
    """A reader through a fresh store. static: decode steps as on a GPU, without recording them."""
    register()
    steps = StaticSteps(handle, record=False) if static else None
    return TreeReader(handle, KVStore(budget), max_batch, steps)


def row(seed: int, prefix: Tokens, limit: int = 8, **sampling: float) -> Row:
    """A row that only its limit ends."""
    return Row(
        prefix, lambda: generator("test", seed), Sampling(**sampling), limit, lambda tokens: False
    )


def some_text(length: int, seed: int = 0) -> Tokens:
    """Tokens without a pattern, none of them special."""
    return tuple(int(one) for one in generator("text", seed).integers(5, 320, length))


def logits_by_hand(handle: Handle, text: Sequence[int]) -> torch.Tensor:
    """[len(text), vocabulary] of the model's own forward over the whole text."""
    with handle.using() as model:
        out = model(input_ids=torch.tensor([list(text)]), use_cache=False)
    logits: torch.Tensor = out.logits[0].float()
    return logits


def logprobs_by_hand(handle: Handle, prefix: Sequence[int], sampled: Sequence[int]) -> list[float]:
    """Log-probability of each sampled token, from one forward over everything."""
    logits = logits_by_hand(handle, [*prefix, *sampled])[len(prefix) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(sampled)[:, None])[:, 0].tolist()


class Gate:
    """Watches the body of a model: counts tokens, fails where it is told to.

    Attributes:
        sizes: tokens of each forward so far.
        error: raised where `fails` says so of the tokens of a forward; None for never.
    """

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.error: BaseException | None = None
        self.fails = lambda size: True

    @property
    def tokens(self) -> int:
        """Tokens that went through the model, padding included."""
        return sum(self.sizes)

    def pass_(self, body: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        size = kwargs["input_ids"].numel()
        if self.error is not None and self.fails(size):
            raise self.error
        self.sizes.append(size)


@contextmanager
def watched(handle: Handle) -> Iterator[Gate]:
    """Everything that goes through a model."""
    gate = Gate()
    body = handle.base.model.get_decoder()
    hook = body.register_forward_pre_hook(gate.pass_, with_kwargs=True)
    try:
        yield gate
    finally:
        hook.remove()
