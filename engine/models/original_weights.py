"""4-bit weights of a CPU as they were before inference packed them.

The first forward in eval mode repacks each NF4 weight for the native kernel, in place. Training
through a packed weight goes wrong without a word: no gradient passes the kernel. So the tensors
that packing replaces are kept (another 4 bits a weight), and put back for as long as training
lasts. Elsewhere than on a CPU nothing is packed and there is nothing to keep.

Packed weights are also unpacked whenever somebody asks for the model's state, as PEFT does when it
loads an adapter, and that loses precision. So the state is given from the original tensors.

A small model is also unpacked to bf16 for that time. Its products are then rounded as those of the
native kernel are and take half as long as with 4-bit weights, which training unpacks to fp32 at
every product.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

UNPACKED_BYTES = 100 * 2**20
"""Of the weights of a model in bf16: a larger one stays in 4 bits while it is trained."""


class OriginalWeights:
    """The weights of a model that has not run yet.

    model: a transformers model, just loaded.
    """

    def __init__(self, model: Any) -> None:
        # The state is changed field by field when its weight is packed; its tensors are not.
        self._kept = [
            (module, module.weight.data, copy.copy(module.weight.quant_state))
            for module in model.modules()
            if getattr(module, "support_avx512bf16_for_cpu", False)
        ]
        for module, data, state in self._kept:
            module._save_to_state_dict = partial(_save_original, module, data, state)
        numbers = sum(module.in_features * module.out_features for module, *_ in self._kept)
        self._small = 2 * numbers < UNPACKED_BYTES

    @contextmanager
    def restored(self) -> Iterator[None]:
        """The original weights in place of the packed ones."""
        packed = [
            (module, module.weight.data, module.weight.quant_state) for module, *_ in self._kept
        ]
        with ExitStack() as undo:
            undo.callback(_put, packed)
            _put([(module, data, copy.copy(state)) for module, data, state in self._kept])
            for module, data, state in self._kept if self._small else ():
                undo.callback(_set_forward, module, module.__dict__.get("forward"))
                _set_forward(module, _in_bf16(data, state, module.bias))
            yield


def _put(weights: list[tuple[Any, Any, Any]]) -> None:
    for module, data, state in weights:
        module.weight.data = data
        module.weight.quant_state = state
        module.quant_state = state


def _save_original(
    module: Any, data: "Tensor", state: Any, destination: Any, prefix: str, keep_vars: bool
) -> None:
    """In place of `torch.nn.Module._save_to_state_dict` of a layer whose weight may be packed."""
    packed = [(module, module.weight.data, module.weight.quant_state)]
    _put([(module, data, copy.copy(state))])
    try:
        type(module)._save_to_state_dict(module, destination, prefix, keep_vars)
    finally:
        _put(packed)


def _set_forward(module: Any, forward: "Callable[[Tensor], Tensor] | None") -> None:
    """Let a layer compute in another way; None: as its class does."""
    if forward is None:
        del module.forward
    else:
        module.forward = forward


def _in_bf16(data: "Tensor", state: Any, bias: "Tensor | None") -> "Callable[[Tensor], Tensor]":
    """The forward of a linear layer with this 4-bit weight, unpacked once."""
    import torch
    from bitsandbytes.functional import dequantize_4bit

    weight = dequantize_4bit(data, state).to(torch.bfloat16)
    added = None if bias is None else bias.detach().to(torch.bfloat16)
    return partial(_product, weight, added)


def _product(weight: "Tensor", bias: "Tensor | None", inputs: "Tensor") -> "Tensor":
    from torch.nn.functional import linear

    return linear(inputs.to(weight.dtype), weight, bias).to(inputs.dtype)
