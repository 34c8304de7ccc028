"""What is read of a process reward model at the end of a step: a head's output, or two logits.

`ValueHead` is the lab's own head, and that of any model whose value is the sigmoid of one linear
output. `ClassHead` gives the probability of "right". `TokenPair` compares the logits of
two tokens. The language model's own head runs only for the last.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.errors import ModelError
from engine.models.base import Usage
from engine.models.decoding import Reader, require_numbers
from engine.models.loading import read_json
from engine.models.prm_formats import (
    HEAD_CONFIG,
    HEAD_WEIGHTS,
    PRMFormat,
    read_tensors,
    tensor_names,
)
from engine.models.workspace import Tokens

if TYPE_CHECKING:
    from torch import Tensor

_RIGHT = 1
"""The class of a right step, of two."""


class Readout(Protocol):
    """How a value is read at the last token of a text."""

    @property
    def identity(self) -> str:
        """Names what is read and with which weights; part of the model's identity."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes beside the model."""

    def values(self, reader: Reader, texts: Sequence[Tokens]) -> list[tuple[float, Usage]]:
        """A value in [0, 1] for each of the distinct texts, and what it took.

        Raises:
            ModelError: the model's results are no numbers.
        """


@dataclass(frozen=True)
class ValueHead:
    """A linear layer with one named output per row.

    Attributes:
        outputs: name of each output.
        read: the one that is the value.
        weight: [outputs, hidden] float32.
        bias: [outputs] float32.
        digest: 12 hex digits of its contents, part of the identity.
    """

    outputs: tuple[str, ...]
    read: str
    weight: "Tensor"
    bias: "Tensor"
    digest: str

    def __call__(self, hidden: "Tensor") -> "Tensor":
        """[N, outputs] values in [0, 1] of hidden states [N, hidden]."""
        return (hidden.float() @ self.weight.T + self.bias).sigmoid()

    @property
    def index(self) -> int:
        """Which output is the value."""
        return self.outputs.index(self.read)

    @property
    def identity(self) -> str:
        """See `Readout`."""
        return f"head-{self.read}-{self.digest}"

    @property
    def nbytes(self) -> int:
        """See `Readout`."""
        return self.weight.nbytes + self.bias.nbytes

    def values(self, reader: Reader, texts: Sequence[Tokens]) -> list[tuple[float, Usage]]:
        """See `Readout`."""
        return _of_states(reader, texts, lambda hidden: self(hidden)[:, self.index])


@dataclass(frozen=True)
class ClassHead:
    """One or two linear layers, a ReLU between them, onto the classes wrong and right, or onto one
    reward.

    Attributes:
        layers: of each its weight [out, in] and bias [out], float32.
        digest: 12 hex digits of its contents.
    """

    layers: "tuple[tuple[Tensor, Tensor], ...]"
    digest: str

    def __call__(self, hidden: "Tensor") -> "Tensor":
        """[N] probabilities of "right", or sigmoids of the reward, of hidden states [N, hidden]."""
        state = hidden.float()
        for k, (weight, bias) in enumerate(self.layers):
            state = (state.relu() if k else state) @ weight.T + bias
        return state.softmax(-1)[:, _RIGHT] if state.shape[1] > 1 else state[:, 0].sigmoid()

    @property
    def identity(self) -> str:
        """See `Readout`."""
        return f"classes-{self.digest}"

    @property
    def nbytes(self) -> int:
        """See `Readout`."""
        return sum(tensor.nbytes for layer in self.layers for tensor in layer)

    def values(self, reader: Reader, texts: Sequence[Tokens]) -> list[tuple[float, Usage]]:
        """See `Readout`."""
        return _of_states(reader, texts, self)


@dataclass(frozen=True)
class TokenPair:
    """The probability of one token against another.

    Attributes:
        good, bad: token ids.
    """

    good: int
    bad: int

    @property
    def identity(self) -> str:
        """See `Readout`."""
        return f"tokens-{self.good}-{self.bad}"

    @property
    def nbytes(self) -> int:
        """See `Readout`."""
        return 0

    def values(self, reader: Reader, texts: Sequence[Tokens]) -> list[tuple[float, Usage]]:
        """See `Readout`."""
        import torch

        read = reader.logits(texts)
        if not read:
            return []
        pairs = torch.stack([logits[[self.good, self.bad]] for logits, _ in read])
        return _checked(reader, pairs.softmax(-1)[:, 0], read)


def _of_states(reader: Reader, texts: Sequence[Tokens], become: Any) -> list[tuple[float, Usage]]:
    import torch

    read = reader.hidden(texts)
    if not read:
        return []
    return _checked(reader, become(torch.stack([hidden for hidden, _ in read])), read)


def _checked(reader: Reader, found: "Tensor", read: Sequence[Any]) -> list[tuple[float, Usage]]:
    values = found.clamp(0.0, 1.0).tolist()
    require_numbers(values, reader.handle)
    return list(zip(values, (usage for _, usage in read), strict=True))


def load_head(
    form: PRMFormat, own: Path, base: Path, hidden: int, device: Any
) -> ValueHead | ClassHead | None:
    """The head of a format, None where the language model's own is read.

    Args:
        form: the format.
        own: directory of the model, which may be an adapter's.
        base: directory of its base.
        hidden: width of the body's hidden states.
        device: where it is put.

    Raises:
        ModelError: it is not there, or does not fit to the body.
    """
    if form.format == "value-head":
        return load_value_head(own, hidden, device)
    if form.format == "skywork":
        return _load_sequence_head(base, hidden, device)
    if form.format in ("qwen-prm", "trl", "outcome"):
        outputs = 1 if form.format == "outcome" else 2
        return _load_class_head(base, hidden, outputs, device, form.format == "qwen-prm")
    return None


def load_value_head(directory: Path, hidden: int, device: Any) -> ValueHead:
    """Read and check the head in a directory.

    Args:
        directory: with `value_head.safetensors` and `value_head.json`.
        hidden: width of the body's hidden states.
        device: where it is put.

    Raises:
        ModelError: a file is missing, or names and shapes do not fit together or to the body.
    """
    import safetensors.torch

    for name in (HEAD_WEIGHTS, HEAD_CONFIG):
        if not (directory / name).exists():
            raise ModelError(
                f"{directory} is no process reward model: it has no {name}. A policy cannot serve "
                "as one; name a model with a value head, or one of another format."
            )
    config = read_json(directory / HEAD_CONFIG)
    outputs, read = config.get("outputs"), str(config.get("read"))
    if not isinstance(outputs, list) or not outputs or read not in outputs:
        raise ModelError(
            f'{directory / HEAD_CONFIG} must be {{"outputs": [names], "read": one of them}}; it '
            f"says outputs={outputs!r}, read={read!r}."
        )
    try:
        content = (directory / HEAD_WEIGHTS).read_bytes()
        tensors = safetensors.torch.load(content)
    except Exception as error:  # the library raises errors of its own kind without a base
        raise ModelError(f"{directory / HEAD_WEIGHTS} cannot be read: {error}.") from error
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wanted = {"weight": (len(outputs), hidden), "bias": (len(outputs),)}
    if shapes != wanted:
        raise ModelError(
            f"{directory / HEAD_WEIGHTS} does not fit: for {len(outputs)} output(s) on a body of "
            f"width {hidden} it must hold {wanted}, it holds {shapes}."
        )
    digest = hashlib.sha256(content + repr((outputs, read)).encode()).hexdigest()[:12]
    weight, bias = (tensors[name].float().to(device) for name in ("weight", "bias"))
    return ValueHead(tuple(outputs), read, weight, bias, digest)


def _load_sequence_head(directory: Path, hidden: int, device: Any) -> ValueHead:
    """The value head among a checkpoint's own weights: `v_head.summary`."""
    weight, bias = _layer(directory, "v_head.summary", (1, hidden))
    return ValueHead(("v",), "v", weight.to(device), bias.to(device), _digest([weight, bias]))


def _load_class_head(
    directory: Path, hidden: int, outputs: int, device: Any, deep: bool
) -> ClassHead:
    """The classes among a checkpoint's own weights: `score.0` and `score.2`, or `score`.

    deep: which of the two is asked for where neither is there.
    """
    names = tensor_names(directory)
    if "score.0.weight" in names or (deep and "score.weight" not in names):
        layers = [
            _layer(directory, "score.0", (hidden, hidden)),
            _layer(directory, "score.2", (outputs, hidden)),
        ]
    else:
        layers = [_layer(directory, "score", (outputs, hidden))]
    digest = _digest([tensor for layer in layers for tensor in layer])
    return ClassHead(tuple((weight.to(device), bias.to(device)) for weight, bias in layers), digest)


def _layer(directory: Path, name: str, shape: tuple[int, int]) -> "tuple[Tensor, Tensor]":
    """Weight and bias of a linear layer; without a bias it is zero."""
    import torch

    there = read_tensors(directory, [f"{name}.weight", f"{name}.bias"])
    weight = there.get(f"{name}.weight")
    bias = there.get(f"{name}.bias", torch.zeros(shape[0]))
    if weight is None or weight.shape != shape or bias.shape != shape[:1]:
        held = {key: tuple(tensor.shape) for key, tensor in there.items()} or "none of them"
        raise ModelError(
            f"The head in the weights of {directory} does not fit: this format needs {name}.weight "
            f"of the shape {shape} and {name}.bias of {shape[:1]}; there is {held}. Are all files "
            "of the model there, and is it of this format?"
        )
    return weight, bias


def _digest(tensors: "Sequence[Tensor]") -> str:
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()[:12]
