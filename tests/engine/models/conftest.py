"""Tiny random models on disk: real files, real loading, no training."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from engine.models.loading import ModelSpec
from engine.models.pool import Handle, ModelPool

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
