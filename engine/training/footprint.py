"""How much memory training an adapter takes beside the loaded models, before anything is loaded.

Counted from the shapes of a model without storage and the settings of the training. What a backward
pass keeps was counted layer by layer on Llama and Qwen2 shapes and compared with what training them
took: see docs/recipes.md.
"""

from dataclasses import dataclass
from typing import Any, Literal

from engine.models.footprint import Footprint, empty_model
from engine.models.original_weights import UNPACKED_BYTES
from engine.training.student import LoraSettings

LENGTH = 1024
"""Tokens of the longest texts that are counted on: longer ones are rare."""

_LEARNT_BYTES = 24
"""Of each number that learns, in fp32: itself, its gradient, two of AdamW, and as it was at first,
for the reference and for beginning again."""

_LOGIT_BYTES, _NEARBY_BYTES = 12, 28
"""Of each logit: kept in fp32, and its gradients; with a divergence, both models' too."""

_KEPT_SHARE = 4 / 3
"""On a CPU the heap keeps a part of what was freed between layers."""

_NUMBER = {"fp32": 4, "bf16": 2, "fp16": 2}

Role = Literal["policy", "prm"]


@dataclass(frozen=True)
class Training:
    """Memory in bytes of training an adapter, beside the weights of the base.

    Attributes:
        learnt: the adapter with its gradients and the optimiser's state.
        unpacked: quantised weights, unpacked for as long as training lasts.
        text: of what is kept of one text until its gradients are there.
        texts: of an update; least: that are learnt from together where memory is short.
        length: tokens of a text.
    """

    learnt: int
    unpacked: int
    text: int
    texts: int
    least: int
    length: int

    @property
    def bytes(self) -> int:
        """With all texts of an update at once."""
        return self.learnt + self.unpacked + self.texts * self.text

    @property
    def smallest(self) -> int:
        """With as few texts at once as can be."""
        return self.learnt + self.unpacked + self.least * self.text


def predict_training(
    base: Footprint,
    lora: LoraSettings,
    role: Role,
    batch: int,
    length: int,
    pairs: bool = False,
    nearby: bool = False,
) -> Training:
    """The memory that training takes.

    Args:
        base: that the adapter is on.
        lora: shape of the adapter.
        role: a policy learns from logits, a process reward model from hidden states.
        batch: examples of an update.
        length: tokens of a text; counted up to the model's context.
        pairs: an example is two texts.
        nearby: the loss has the divergence from the policy as it was.
    """
    model = empty_model(base.directory, base.precision)
    rank = lora.rank
    config = model.config.get_text_config()
    context = getattr(config, "max_position_embeddings", None) or LENGTH
    length = min(length, context, LENGTH)
    head = model.get_output_embeddings()
    blocks = _blocks(model, head)
    layers = [layer for block in blocks for layer in block]
    token = sum(_kept(block, rank, _NUMBER[base.precision.dtype]) for block in blocks)
    token += len(blocks) * 4 * config.hidden_size  # what a norm before each reads, in fp32
    if role == "policy":
        token += config.vocab_size * (_NEARBY_BYTES if nearby else _LOGIT_BYTES)
    share = _KEPT_SHARE if base.precision.device == "cpu" else 1.0
    each = 2 if pairs else 1
    return Training(
        learnt=_LEARNT_BYTES * rank * sum(one.in_features + one.out_features for one in layers),
        unpacked=_unpacked(base, [one.in_features * one.out_features for one in layers]),
        text=int(share * length * token),
        texts=batch * each,
        least=each,
        length=length,
    )


def _blocks(model: Any, head: Any) -> list[list[Any]]:
    """The linear layers, those of one attention or feed-forward block together."""
    found: dict[str, list[Any]] = {}
    for name, module in model.named_modules():
        if hasattr(module, "out_features") and module is not head:
            found.setdefault(name.rpartition(".")[0], []).append(module)
    return list(found.values())


def _kept(block: list[Any], rank: int, size: int) -> int:
    """Bytes of a token that are kept of a block whose last layer reads what the others gave.

    Adapters read their inputs in fp32: in another type each layer has a copy of its own.
    """
    first, last = block[0], block[-1]
    inside = sum(layer.out_features for layer in block[:-1]) + last.in_features
    if size == 4:
        read = first.in_features + (last.in_features if len(block) > 1 else 0)
    else:
        read = sum(layer.in_features for layer in block)
    return int(size * inside + 4 * (read + rank * len(block)))


def _unpacked(base: Footprint, numbers: list[int]) -> int:
    """A CPU unpacks a small model for the whole time; else one weight is unpacked at a time."""
    if base.quantised != "nf4":
        return 0
    whole = 2 * sum(numbers)
    if base.precision.device == "cpu":
        return whole if whole < UNPACKED_BYTES else 6 * max(numbers)
    return 2 * max(numbers)
