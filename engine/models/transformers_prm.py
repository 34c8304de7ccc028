"""A process reward model: a value head on the body of a causal language model.

The head is beside the weights: `value_head.safetensors` with `weight` [outputs, hidden] and `bias`
[outputs], and `value_head.json`: {"outputs": [names], "read": name}. The value of a solution is the
sigmoid of the output `read` at its last token, the closing one of its last step, after the body's
final norm. The language model's own head is never run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.errors import ModelError
from engine.models.base import PrefixRequest, Valuation
from engine.models.decoding import in_batches, left_padded, require_numbers
from engine.models.loading import ModelSpec, read_json
from engine.models.pool import Handle, ModelPool
from engine.models.prompting import Prompter, Tokens
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


class LastHidden(Protocol):
    """How prefixes become hidden states: the place where a cache over tree nodes fits in."""

    def __call__(self, prefixes: Sequence[Tokens]) -> "tuple[Tensor, list[int]]":
        """[P, hidden] at the last token of each distinct prefix, and the tokens forwarded."""


class FreshHidden:
    """Reads every prefix from its first token; keeps nothing between calls."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    def __call__(self, prefixes: Sequence[Tokens]) -> "tuple[Tensor, list[int]]":
        """One forward of the body over the left-padded prefixes."""
        with self.handle.using() as model:
            ids, mask, positions = left_padded(prefixes, self.handle.base.device)
            out = model.get_decoder()(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
            )
        return out.last_hidden_state[:, -1], [len(prefix) for prefix in prefixes]


class TransformersPRM:
    """See `engine.models.base.ProcessRewardModel`.

    The empty solution is worth 0 by definition (v_0 = 0 in the paper), without a forward: no head
    is trained to read a value before the first step.

    Args:
        handle: the model; its head lies in the handle's directory.
        step_format: how question and steps become one text.
        max_batch: most texts forwarded together.
        last_hidden: where hidden states come from; None reads every prefix anew.
    """

    def __init__(
        self,
        handle: Handle,
        step_format: StepFormat,
        max_batch: int = 64,
        last_hidden: LastHidden | None = None,
    ) -> None:
        self.handle = handle
        self.prompter = Prompter(handle.base.tokenizer, step_format)
        width = handle.base.model.config.get_text_config().hidden_size
        self.head = load_value_head(handle.directory, width, handle.base.device)
        self.max_batch = max_batch
        self.last_hidden: LastHidden = last_hidden or FreshHidden(handle)

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
        found = dict(zip(distinct, in_batches(self, distinct, self._values), strict=True))
        found[()] = Valuation(0.0)
        results = []
        for prefix in prefixes:
            results.append(found[prefix])
            found[prefix] = Valuation(found[prefix].value)
        return results

    def _values(self, prefixes: Sequence[Tokens]) -> list[Valuation]:
        hidden, forwarded = self.last_hidden(prefixes)
        values = self.head(hidden)[:, self.head.index].clamp(0.0, 1.0).tolist()
        require_numbers(values, self.handle)
        return [Valuation(*item) for item in zip(values, forwarded, strict=True)]


def load_prm(spec: ModelSpec, pool: ModelPool, max_batch: int = 64) -> TransformersPRM:
    """Open a process reward model; head and step format are read from its directory.

    Raises:
        ModelError: the model cannot be loaded, or has no head that fits.
    """
    handle = pool.open(spec)
    return TransformersPRM(handle, read_format(handle), max_batch)
