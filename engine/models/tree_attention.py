"""Attention over lanes of K/V rows, put into a transformers model from outside.

A pass is one forward of a flat list of N new tokens. Each belongs to a lane: a buffer of K/V rows
of one tree of texts. It writes its own row into a slot of the lane and sees the slots that its text
consists of, whatever lies between them. So neither padding nor copies of shared beginnings go
through the model; only the small products of queries and keys are padded to the longest lane.

transformers calls the function registered here instead of its own wherever a model's config names
it (see "Attention Interface" in its documentation). It gives each layer's new queries, keys and
values after the rotary embedding, which is all that is needed: no cache class takes part.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

NAME = "lab_tree"

_UNKNOWN = ("s_aux", "position_bias")
"""Arguments that change what attention means and that this one does not know."""


_STEADY = 256
"""Least capacity of steady lanes."""

_GRAIN = 16
"""Slots are looked at in multiples of this: the kernels of CUDA want aligned masks."""


def rounded(slots: int) -> int:
    """The next multiple of the grain."""
    return -(-slots // _GRAIN) * _GRAIN


class UnsupportedModelError(Exception):
    """The model's attention does not fit into lanes; the plain path serves it."""


class Scratch:
    """Memory for rows that is used again by the next call: making it costs more than using it."""

    def __init__(self) -> None:
        self._memory: Tensor | None = None

    def take(
        self, shape: tuple[int, ...], dtype: "torch.dtype", device: "torch.device"
    ) -> "Tensor":
        """A tensor of finite numbers. It is lost to the next one who asks.

        Finite, because a slot that nothing sees still takes part in products, as 0 times its value.
        """
        import torch

        size = math.prod(shape)
        memory = self._memory
        if memory is None or memory.numel() < size or memory.dtype != dtype:
            memory = self._memory = torch.zeros(size, dtype=dtype, device=device)
        return memory[:size].view(shape)

    def drop(self) -> None:
        """Give the memory back."""
        self._memory = None


class Lanes:
    """The K/V rows of one call.

    Attributes:
        rows: [2 * layers, lanes, heads, capacity, width]: keys (even), values (odd); None until
            the first layer tells the shape.
        layers: of the model.
        lanes: how many there are.
        active: how many of them, from 0 on, still take part.
        capacity: slots of each lane; the last one is never used for a text if they are steady.
        positions: [lanes, capacity] int64, position in its text of each slot's token.

    Args:
        layers, lanes, device, scratch: as above.
        capacity: slots that each lane will need at least.
        steady: let few different shapes occur: powers of two, and larger ones.
    """

    def __init__(
        self,
        layers: int,
        lanes: int,
        capacity: int,
        device: "torch.device",
        scratch: Scratch,
        steady: bool = False,
    ) -> None:
        self.rows: Tensor | None = None
        self.layers = layers
        self.lanes = 1 << (lanes - 1).bit_length() if steady else lanes
        self.active = lanes
        self.scratch = scratch
        self.device = device
        self.steady = steady
        self.capacity = self._size(capacity)
        self.positions = np.zeros((self.lanes, self.capacity), dtype=np.int64)

    def _size(self, capacity: int) -> int:
        if not self.steady:
            return rounded(capacity)
        return max(_STEADY, 1 << capacity.bit_length())

    def require(self, capacity: int) -> None:
        """Make room for so many slots in each lane."""
        if capacity + self.steady <= self.capacity:
            return
        capacity = self._size(max(capacity, self.capacity + self.capacity // 2))
        if self.rows is not None:
            old = self.rows.clone()
            shape = (*old.shape[:3], capacity, old.shape[4])
            self.rows = self.scratch.take(shape, old.dtype, self.device)
            self.rows[:, :, :, : self.capacity] = old
        wider = np.zeros((self.lanes, capacity), dtype=np.int64)
        wider[:, : self.capacity] = self.positions
        self.positions, self.capacity = wider, capacity

    def leave(self, lane: int) -> None:
        """A lane takes no further part: the last active one moves into its place."""
        self.active -= 1
        if lane != self.active:
            if self.rows is not None:
                self.rows[:, lane] = self.rows[:, self.active]
            self.positions[lane] = self.positions[self.active]

    def shaped_like(self, heads: int, width: int, dtype: "torch.dtype") -> "Tensor":
        """The rows, made if this is the first time that their shape is known.

        Raises:
            UnsupportedModelError: layers differ in shape.
        """
        if self.rows is None:
            shape = (2 * self.layers, self.lanes, heads, self.capacity, width)
            self.rows = self.scratch.take(shape, dtype, self.device)
        if self.rows.shape[2] != heads or self.rows.shape[4] != width or self.rows.dtype != dtype:
            raise UnsupportedModelError("its layers keep keys and values of different shapes")
        return self.rows


@dataclass
class Pass:
    """One forward.

    Attributes:
        lanes: where rows are written and read.
        lane, column, slot: [N] int64: of each new token its lane (0 is `first`), its number within
            the lane's new tokens, and the slot it is written to.
        visible: [lanes, columns, slots] bool: what each new token sees, itself included.
            Columns that no token has see one slot, so that nothing is divided by zero.
        first: the first lane that takes part; the others follow it.
        positions: [lanes, slots] int64 of each slot's token, on the device; None to take those of
            `lanes`.
        span: slots that are looked at, from 0 on.
    """

    lanes: Lanes
    lane: "Tensor"
    column: "Tensor"
    slot: "Tensor"
    visible: "Tensor"
    first: int = 0
    positions: "Tensor | None" = None
    _masks: dict[tuple[object, ...], "Tensor"] = field(default_factory=dict)

    @property
    def span(self) -> int:
        return self.visible.shape[2]

    def write(self, layer: int, key: "Tensor", value: "Tensor") -> "tuple[Tensor, Tensor]":
        """Put new rows [1, heads, N, width] into their slots; all rows of the layer, to the span.

        Returns:
            Keys and values, each [lanes, heads, span, width].
        """
        if key.shape != value.shape:
            raise UnsupportedModelError("its keys and values differ in shape")
        rows = self.lanes.shaped_like(key.shape[1], key.shape[3], key.dtype)
        count = len(self.visible)
        rows = rows[:, self.first : self.first + count]
        for index, new in ((2 * layer, key[0]), (2 * layer + 1, value[0])):
            if count == 1:
                rows[index, 0].index_copy_(1, self.slot, new)
            else:
                rows[index][self.lane, :, self.slot] = new.transpose(0, 1)
        rows = rows[:, :, :, : self.span]
        return rows[2 * layer], rows[2 * layer + 1]

    def spread(self, query: "Tensor") -> "Tensor":
        """[lanes, heads, columns, width] of flat queries [1, heads, N, width]."""
        lanes, columns, _ = self.visible.shape
        if lanes == 1:
            return query
        out = query.new_zeros((lanes, query.shape[1], columns, query.shape[3]))
        out[self.lane, :, self.column] = query[0].transpose(0, 1)
        return out

    def gather(self, out: "Tensor") -> "Tensor":
        """[1, N, heads, width] of [lanes, heads, columns, width]."""
        if out.shape[0] == 1:
            return out.transpose(1, 2)
        return out[self.lane, :, self.column][None]

    def mask(self, window: int | None, groups: int, dtype: "torch.dtype") -> "Tensor":
        """[lanes, 1, groups * columns, span] to be added to scores: 0 where visible, else -inf.

        Made once for all layers: from a mask of booleans each would make it anew.
        """
        key = (window, groups, dtype)
        if key not in self._masks:
            visible = self._within(window)[:, None].repeat(1, 1, groups, 1)
            blank = visible.new_zeros(visible.shape, dtype=dtype)
            self._masks[key] = blank.masked_fill_(~visible, float("-inf"))
        return self._masks[key]

    def _within(self, window: int | None) -> "Tensor":
        """`visible`, within a sliding window if there is one."""
        keys = self._key_positions(window) if window is not None else None
        if window is None or keys is None:
            return self.visible
        asked = keys.new_zeros(self.visible.shape[:2])
        asked[self.lane, self.column] = keys[self.lane, self.slot]
        return self.visible & (asked[:, :, None] - keys[:, None, :] < window)

    def _key_positions(self, window: int) -> "Tensor | None":
        """[lanes, span] int64; None if all texts lie within the window anyway."""
        import torch

        if self.positions is not None:
            return self.positions
        lanes = slice(self.first, self.first + len(self.visible))
        positions = self.lanes.positions[lanes, : self.span]
        if positions.max() < window:
            return None
        return torch.from_numpy(positions).to(self.visible.device)

    def forget_masks(self) -> None:
        """`visible` was written to."""
        self._masks.clear()


_present: list[Pass] = []


@contextmanager
def attending(model: Any, present: Pass) -> Iterator[None]:
    """Let the model's layers attend over the lanes of a pass."""
    config = model.config
    before = config._attn_implementation
    _present.append(present)
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
        _present.pop()


def register() -> None:
    """Make the attention known to transformers, under `NAME`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attention)


def attention(
    module: Any,
    query: "Tensor",
    key: "Tensor",
    value: "Tensor",
    attention_mask: "Tensor | None",
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **others: Any,
) -> "tuple[Tensor, None]":
    """What a layer calls: queries [1, heads, N, width], keys and values [1, kv heads, N, width].

    Query heads that share a key head are made columns of it: masked products then need no copies
    of the rows. `attention_mask` is ignored: the pass knows what is visible.

    Returns:
        [1, N, heads, width], and None for the weights.
    """
    from torch.nn import functional

    for name in _UNKNOWN:
        if others.get(name) is not None:
            raise UnsupportedModelError(f"its attention has {name}")
    present = _present[-1]
    keys, values = present.write(module.layer_idx, key, value)
    spread = present.spread(query)
    lanes, heads, columns, width = spread.shape
    groups = heads // keys.shape[1]
    packed = spread.reshape(lanes, keys.shape[1], groups * columns, width)
    mask = present.mask(sliding_window, groups, packed.dtype)
    if softcap is None:
        out = functional.scaled_dot_product_attention(
            packed, keys, values, attn_mask=mask, scale=scaling
        )
    else:
        out = _softcapped(packed, keys, values, mask, scaling or width**-0.5, softcap)
    return present.gather(out.reshape(lanes, heads, columns, width)), None


def _softcapped(
    query: "Tensor", key: "Tensor", value: "Tensor", mask: "Tensor", scaling: float, softcap: float
) -> "Tensor":
    """Attention whose scores are squeezed into (-softcap, softcap), as Gemma 2 has it."""
    scores = (query @ key.transpose(2, 3)) * scaling
    scores = (scores / softcap).tanh() * softcap
    weights = (scores + mask).float().softmax(dim=-1)
    return weights.to(query.dtype) @ value
