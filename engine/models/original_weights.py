"""4-bit weights of a CPU as they were before inference packed them.

The first forward in eval mode repacks each NF4 weight for the native kernel, in place. Training
through a packed weight goes wrong without a word: no gradient passes the kernel. So the tensors
that packing replaces are kept (another 4 bits a weight), and put back for as long as training
lasts. Elsewhere than on a CPU nothing is packed and there is nothing to keep.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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

    @contextmanager
    def restored(self) -> Iterator[None]:
        """The original weights in place of the packed ones."""
        packed = [
            (module, module.weight.data, module.weight.quant_state) for module, *_ in self._kept
        ]
        self._put([(module, data, copy.copy(state)) for module, data, state in self._kept])
        try:
            yield
        finally:
            self._put(packed)

    @staticmethod
    def _put(weights: list[tuple[Any, Any, Any]]) -> None:
        for module, data, state in weights:
            module.weight.data = data
            module.weight.quant_state = state
            module.quant_state = state
