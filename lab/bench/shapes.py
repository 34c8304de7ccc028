"""Models of a given shape with random weights, written to a directory that loads as any other.

The time a model takes depends on its shape and precision, not on what it has learnt. Weights are
made and quantised one tensor at a time, so a large model never exists in full precision. The
tokenizer has one word for every token: text that was sampled reads back as the same tokens. A base
has two LoRA adapters that change what it says: `policy`, and `prm` with a value head.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.models.hardware import import_bitsandbytes
from engine.models.loading import ModelSpec, Quant
from engine.models.pool import Handle, ModelPool
from engine.models.reading import open_reader
from engine.models.transformers_policy import TransformersPolicy, read_format
from engine.models.transformers_prm import HEAD_CONFIG, HEAD_WEIGHTS, TransformersPRM
from engine.tasks.format_files import FILE_NAME as STEP_FORMAT

if TYPE_CHECKING:
    from torch import Tensor

POLICY, PRM = "policy", "prm"
EOS = "<eos>"
RANK = 16
STEP_TOKENS = 16
COMPLETE = Path(PRM, HEAD_CONFIG)
"""The file of a directory that is written last."""

_SPREAD = 0.02
"""Standard deviation of random weights, as models are initialised."""


@dataclass(frozen=True)
class Shape:
    """A shape: its name, the model's class by its `model_type`, and the fields of its config."""

    name: str
    model_type: str
    fields: dict[str, Any] = field(default_factory=dict)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            "tiny",
            "qwen2",
            {
                "vocab_size": 4096,
                "hidden_size": 64,
                "intermediate_size": 128,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "tie_word_embeddings": True,
            },
        ),
        Shape(
            "qwen2-236m",
            "qwen2",
            {
                "vocab_size": 32_000,
                "hidden_size": 896,
                "intermediate_size": 4800,
                "num_hidden_layers": 14,
                "num_attention_heads": 14,
                "num_key_value_heads": 2,
                "tie_word_embeddings": True,
            },
        ),
        Shape(
            "qwen2-1.5b",
            "qwen2",
            {
                "vocab_size": 151_936,
                "hidden_size": 1536,
                "intermediate_size": 8960,
                "num_hidden_layers": 28,
                "num_attention_heads": 12,
                "num_key_value_heads": 2,
                "tie_word_embeddings": True,
            },
        ),
        Shape(
            "llama-8b",
            "llama",
            {
                "vocab_size": 128_256,
                "hidden_size": 4096,
                "intermediate_size": 14_336,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "tie_word_embeddings": False,
            },
        ),
    )
}


@dataclass(frozen=True)
class Pair:
    """A policy and a process reward model on one base, as the lab holds them."""

    policy: TransformersPolicy
    prm: TransformersPRM
    pool: ModelPool

    def forget(self) -> None:
        """Drop everything read so far, so that it has to be read again."""
        self.pool.store.clear()

    @property
    def precision(self) -> str:
        """Quantisation, precision of the rest, and device."""
        base = self.policy.handle.base
        return f"{base.quantised} and {base.precision.dtype} on {base.device}"


def open_pair(directory: Path, device: str, quant: Quant, pool: ModelPool) -> Pair:
    """The models that `write` made.

    Raises:
        ModelError: they cannot be held on this device.
    """
    policy, prm = (_open(directory, adapter, device, quant, pool) for adapter in (POLICY, PRM))
    return Pair(
        TransformersPolicy(open_reader(policy, pool.store), read_format(policy)[0]),
        TransformersPRM(open_reader(prm, pool.store), read_format(prm)[0]),
        pool,
    )


def _open(directory: Path, adapter: str, device: str, quant: Quant, pool: ModelPool) -> Handle:
    from transformers import PreTrainedTokenizerFast

    path = str(directory)
    spec = ModelSpec(
        path=path,
        adapter=str(directory / adapter),
        device=device,
        quant=quant,
        # A small model would be held in fp32 on a CPU, unlike those that it stands for.
        dtype="bf16" if device == "cpu" else "auto",
    )
    handle = pool.open(spec)
    # Whatever the files say, transformers reads the tokenizer of a Qwen2 as Qwen2's own.
    handle.base.tokenizer = PreTrainedTokenizerFast.from_pretrained(path)
    return handle


def write(shape: Shape, directory: Path, device: str, quant: Quant, seed: int = 0) -> int:
    """Write a base with its two adapters; equal arguments give equal files on one machine.

    Args:
        shape: which.
        directory: made, and filled.
        device: where tensors are made and quantised, as torch writes it.
        quant: "nf4", or "none" for bf16.
        seed: of all weights.

    Returns:
        The number of parameters, adapters not counted.
    """
    import torch

    import_bitsandbytes()
    directory.mkdir(parents=True, exist_ok=True)
    model = _empty(shape)
    parameters = sum(parameter.numel() for parameter in _named(model).values())
    source = torch.Generator(device).manual_seed(seed)
    _write_weights(model, directory, source, quant)
    _write_config(model.config, directory, quant)
    _write_tokenizer(shape.fields["vocab_size"], directory)
    _write_adapters(model, directory, source)
    return int(parameters)


def _empty(shape: Shape) -> Any:
    """The model without memory for its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        shape.model_type,
        **shape.fields,
        bos_token_id=None,
        eos_token_id=None,
        max_position_embeddings=4096,
        dtype=torch.bfloat16,
    )
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]


def _named(model: Any) -> "dict[str, Tensor]":
    """Its parameters by name, tied ones once."""
    return dict(model.named_parameters())


def _quantised(model: Any) -> set[str]:
    """Names of the weights that NF4 is for: of all linear layers but the head."""
    from torch.nn import Linear

    head = model.get_output_embeddings()
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, Linear) and module is not head
    }


def _write_weights(model: Any, directory: Path, source: Any, quant: Quant) -> None:
    """Safetensors files, one for each layer and one for the rest."""
    from safetensors.torch import save_file

    packed = _quantised(model) if quant == "nf4" else set()
    files: dict[str, list[str]] = {}
    for name in _named(model):
        files.setdefault(_part(name), []).append(name)
    index: dict[str, str] = {}
    for number, names in enumerate(files.values(), 1):
        file = f"model-{number:05}-of-{len(files):05}.safetensors"
        tensors: dict[str, Tensor] = {}
        for name in names:
            tensors.update(_random(name, _named(model)[name].shape, source, name in packed))
        save_file(tensors, directory / file, {"format": "pt"})
        index.update(dict.fromkeys(tensors, file))
    content = {"metadata": {}, "weight_map": index}
    (directory / "model.safetensors.index.json").write_text(json.dumps(content), "ascii")


def _part(name: str) -> str:
    """Which file a weight goes into: that of its layer ("model.layers.7"), or the rest."""
    pieces = name.split(".")
    return ".".join(pieces[:3]) if "layers" in pieces else ""


def _random(name: str, size: Any, source: Any, packed: bool) -> "dict[str, Tensor]":
    """One weight as it is stored: itself, or in four bits with what unpacks them."""
    import torch

    if name.endswith("norm.weight"):
        return {name: torch.ones(size, dtype=torch.bfloat16)}
    weight = torch.randn(size, generator=source, device=source.device, dtype=torch.float32)
    weight = (weight * _SPREAD).to(torch.bfloat16)
    if not packed:
        return {name: weight.cpu()}
    from bitsandbytes.functional import quantize_4bit

    four, state = quantize_4bit(weight, compress_statistics=True, quant_type="nf4")
    parts = {f"{name}.{key}": value for key, value in state.as_dict(packed=True).items()}
    return {key: value.cpu().contiguous() for key, value in {name: four, **parts}.items()}


def _write_config(config: Any, directory: Path, quant: Quant) -> None:
    import torch
    from transformers import BitsAndBytesConfig

    if quant == "nf4":
        config.quantization_config = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    config.save_pretrained(directory)
    step_format = {
        "prompt": "{question}\n",
        "max_step_tokens": STEP_TOKENS,
        "reject_unfinished": False,
        "critic": "eos",
    }
    (directory / STEP_FORMAT).write_text(json.dumps(step_format), "ascii")


def words(vocabulary: int) -> list[str]:
    """The text of each token by its id."""
    return [EOS, *(f"w{token}" for token in range(1, vocabulary))]


def _write_tokenizer(vocabulary: int, directory: Path) -> None:
    """A tokenizer of words between spaces. Newlines are spaces to it, so a step has no end but its
    limit: every step is as long as the next.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {word: token for token, word in enumerate(words(vocabulary))}
    raw = Tokenizer(models.WordLevel(ids, unk_token="w1"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=raw, eos_token=EOS
    )
    tokenizer.save_pretrained(directory)


def _write_adapters(model: Any, directory: Path, source: Any) -> None:
    """Two LoRA adapters on every linear layer of the body, and a value head beside one."""
    import torch
    from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
    from safetensors.torch import save_file

    targets = sorted({name.split(".")[-2] for name in _quantised(model)})
    config = LoraConfig(
        r=RANK,
        lora_alpha=RANK,
        target_modules=targets,
        task_type="CAUSAL_LM",
        base_model_name_or_path=str(directory),
    )
    inject_adapter_in_model(config, model)
    shapes = {name: tensor.shape for name, tensor in get_peft_model_state_dict(model).items()}
    for adapter in (POLICY, PRM):
        place = directory / adapter
        config.save_pretrained(str(place))
        tensors = {
            f"base_model.model.{name}": value
            for key, size in shapes.items()
            for name, value in _random(key, size, source, packed=False).items()
        }
        save_file(tensors, place / "adapter_model.safetensors", {"format": "pt"})
    width = model.config.hidden_size
    weight = torch.randn(1, width, generator=source, device=source.device) * width**-0.5
    head = {"weight": weight.cpu(), "bias": torch.zeros(1)}
    save_file(head, directory / PRM / HEAD_WEIGHTS)
    names = {"outputs": ["value"], "read": "value"}
    (directory / PRM / HEAD_CONFIG).write_text(json.dumps(names), "ascii")


def question(shape: Shape, tokens: int, seed: int) -> str:
    """A question of so many tokens; other seeds share no beginning with it."""
    return " ".join(_drawn(shape.fields["vocab_size"], tokens, seed))


def _drawn(vocabulary: int, tokens: int, seed: int) -> Iterator[str]:
    from random import Random

    source = Random(f"question-{seed}")
    for _ in range(tokens):
        yield f"w{source.randrange(1, vocabulary)}"
