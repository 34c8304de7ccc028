"""A process reward model: a value head on the body of a causal language model.

The head is beside the weights: `value_head.safetensors` with `weight` [outputs, hidden] and `bias`
[outputs], and `value_head.json`: {"outputs": [names], "read": name}. The value of a solution is the
sigmoid of the output `read` at its last token, the closing one of its last step, after the body's
final norm. The language model's own head is never run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from engine.models.base import PrefixRequest, Reply, Valuation
from engine.models.decoding import Reader, require_numbers
from engine.models.loading import ModelSpec, read_json
from engine.models.pool import ModelPool
from engine.models.prompting import Prompter, Tokens
from engine.models.reading import open_reader
from engine.models.transformers_policy import read_format
from engine.tasks.step_format import StepFormat

if TYPE_CHECKING:
    from torch import Tensor

HEAD_WEIGHTS, HEAD_CONFIG = "value_head.safetensors", "value_head.json"


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


def load_value_head(directory: Path, hidden: int, device: Any) -> ValueHead:
    """Read and check the head in a directory.

    Args:
        directory: with `value_head.safetensors` and `value_head.json`.
        hidden: width of the body's hidden states.
        device: where it is put.

    Raises:
        ModelError: a file is missing, or names and shapes do not fit together or to the body.
    """
    import hashlib

    import safetensors.torch

    for name in (HEAD_WEIGHTS, HEAD_CONFIG):
        if not (directory / name).exists():
            raise ModelError(
                f"{directory} is no process reward model: it has no {name}. A policy cannot serve "
                "as one; name a model with a value head."
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


class TransformersPRM:
    """See `engine.models.base.ProcessRewardModel`.

    The empty solution is worth 0 by definition (v_0 = 0 in the paper), without a forward: no head
    is trained to read a value before the first step.

    Args:
        reader: of the model; the head lies in its handle's directory.
        step_format: how question and steps become one text.
    """

    def __init__(self, reader: Reader, step_format: StepFormat) -> None:
        handle = reader.handle
        self.reader = reader
        self.handle = handle
        self.prompter = Prompter(handle.base.tokenizer, step_format)
        width = handle.base.model.config.get_text_config().hidden_size
        self.head = load_value_head(handle.directory, width, handle.base.device)

    @property
    def identity(self) -> str:
        """Name, fingerprint, quantisation, precision, adapter and head."""
        return f"{self.handle.identity}+head-{self.head.read}-{self.head.digest}"

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        """One value per request, in order; equal ones are forwarded once and counted once.

        Raises:
            ModelError: a solution is longer than the model's context.
        """
        prefixes = [self.prompter.value(r.question, r.steps) if r.steps else () for r in requests]
        distinct = [prefix for prefix in dict.fromkeys(prefixes) if prefix]
        for prefix in distinct:
            if len(prefix) > self.handle.base.context:
                raise ModelError(
                    f"A solution of {len(prefix)} tokens is longer than the context of "
                    f"{self.handle.base.name}, {self.handle.base.context} tokens."
                )
        found = dict(zip(distinct, self._values(distinct), strict=True))
        found[()] = Valuation(0.0)
        results = []
        for prefix in prefixes:
            results.append(found[prefix])
            found[prefix] = Valuation(found[prefix].value)
        return results

    def text(self, request: PrefixRequest, reply: Reply) -> Tokens:
        """See `engine.models.base.ProcessRewardModel`."""
        return self.prompter.value(request.question, request.steps) if request.steps else ()

    def _values(self, prefixes: Sequence[Tokens]) -> list[Valuation]:
        import torch

        read = self.reader.hidden(prefixes)
        if not read:
            return []
        outputs = self.head(torch.stack([hidden for hidden, _ in read]))
        values = outputs[:, self.head.index].clamp(0.0, 1.0).tolist()
        require_numbers(values, self.handle)
        usages = [usage for _, usage in read]
        return [Valuation(*item) for item in zip(values, usages, strict=True)]


def load_prm(spec: ModelSpec, pool: ModelPool) -> TransformersPRM:
    """Open a process reward model; head and step format are read from its directory.

    Raises:
        ModelError: the model cannot be loaded, or has no head that fits.
    """
    handle = pool.open(spec)
    return TransformersPRM(open_reader(handle, pool.store), read_format(handle))
