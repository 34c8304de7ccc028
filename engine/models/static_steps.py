"""Decode steps of fixed shape, recorded once as CUDA graphs and played again.

A step of a few tokens is hundreds of small kernels, and starting them takes longer than running
them. A graph starts them all at once, but only with the tensors that it was recorded with: so the
lanes lie in memory that stays, their number and capacity are powers of two, and each lane has the
same number of columns. What is not filled is padding: its rows go to a slot that nothing sees.
"""

import logging
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.models.pool import Handle
from engine.models.tree_attention import Lanes, Pass, attending

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

MOST_TOKENS = 64
"""Tokens of the largest step: the fused 4-bit kernels of bitsandbytes serve up to 64 rows."""

_COLUMNS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_KEPT = 32
_WARM = 2


@dataclass(frozen=True)
class Step:
    """New tokens, at most one a text: arrays of [N] int64, see `engine.models.tree_attention.Pass`.

    visible: [lanes, columns, span] bool.
    """

    token: "np.ndarray[Any, Any]"
    position: "np.ndarray[Any, Any]"
    lane: "np.ndarray[Any, Any]"
    column: "np.ndarray[Any, Any]"
    slot: "np.ndarray[Any, Any]"
    visible: "np.ndarray[Any, Any]"


class StaticSteps:
    """The recorded steps of one model.

    Args:
        record: as CUDA graphs. Without it the same tensors go through the model one kernel after
            the other, which shows on any device what a graph would do.
    """

    def __init__(self, handle: Handle, record: bool = True) -> None:
        self.handle = handle
        self.record = record
        self._steps: OrderedDict[Hashable, _Static] = OrderedDict()
        self._memory = 0

    def fits(self, lanes: Lanes, step: Step) -> bool:
        """Whether a step is small enough."""
        return lanes.lanes * _columns(step) <= MOST_TOKENS and lanes.rows is not None

    def padding(self, lanes: Lanes, step: Step) -> int:
        """How many positions of a step are computed for nothing."""
        return lanes.lanes * _columns(step) - len(step.token)

    def run(self, lanes: Lanes, step: Step) -> "Tensor":
        """[N, hidden] of the new tokens; writes their rows."""
        assert lanes.rows is not None
        if self._memory != lanes.rows.data_ptr():  # what was recorded would keep the old one alive
            self._steps.clear()
            self._memory = lanes.rows.data_ptr()
        columns = _columns(step)
        key = (lanes.rows.shape, columns)
        static = self._steps.pop(key, None) or _Static(self.handle, lanes, columns)
        self._steps[key] = static
        while len(self._steps) > _KEPT:
            self._steps.popitem(last=False)
        index = static.fill(lanes, step)
        with self.handle.using() as model, attending(model, static.present):
            if self.record:
                self._record(static, model)
            out = static.play(model)
        return out[index].clone()

    def drop(self) -> None:
        """Forget all recordings, and the memory they hold."""
        self._steps.clear()

    def _record(self, static: "_Static", model: Any) -> None:
        """Record a step at its first use; where that fails, steps are run without."""
        if static.graph is not None:
            return
        try:
            static.record(model)
        except RuntimeError as error:
            self.record = False
            self.handle.base.notices.append(
                f"Decode steps of {self.handle.base.name} cannot be recorded as CUDA graphs "
                f"({str(error).splitlines()[0]}): small batches are slower."
            )
            log.warning("no CUDA graphs", exc_info=True)


def _columns(step: Step) -> int:
    """Texts of the fullest lane, rounded up so that few shapes occur."""
    needed = int(step.column.max()) + 1
    return next(size for size in (*_COLUMNS, needed) if size >= needed)


class _Static:
    """One shape: tensors that stay where they are, and the graph over them."""

    def __init__(self, handle: Handle, lanes: Lanes, columns: int) -> None:
        import torch

        rows = lanes.rows
        assert rows is not None
        count, capacity, device = lanes.lanes, rows.shape[3], rows.device
        size = count * columns
        self.columns = columns
        self.graph: Any = None
        self.out: Tensor | None = None
        self.token = torch.zeros((1, size), dtype=torch.int64, device=device)
        self.position = torch.zeros_like(self.token)
        where = torch.arange(size, device=device)
        self.present = Pass(
            _fixed(lanes),
            lane=where // columns,
            column=where % columns,
            slot=torch.zeros(size, dtype=torch.int64, device=device),
            visible=torch.zeros((count, columns, capacity), dtype=torch.bool, device=device),
            positions=torch.zeros((count, capacity), dtype=torch.int64, device=device),
        )

    def fill(self, lanes: Lanes, step: Step) -> "Tensor":
        """Copy a step into the tensors; where its tokens are among the columns."""
        import torch

        index = step.lane * self.columns + step.column
        size = self.token.shape[1]
        trash = lanes.capacity - 1
        present = self.present
        assert present.positions is not None
        arrays = (
            (self.token[0], step.token, 0),
            (self.position[0], step.position, 0),
            (present.slot, step.slot, trash),
        )
        for tensor, values, otherwise in arrays:
            whole = np.full(size, otherwise, dtype=np.int64)
            whole[index] = values
            tensor.copy_(torch.from_numpy(whole))
        visible = np.zeros(present.visible.shape, dtype=np.bool_)
        visible[:, :, trash] = True  # so that padding sees something, too
        real = visible[step.lane, step.column]
        real[:] = False
        real[:, : step.visible.shape[2]] = step.visible[step.lane, step.column]
        visible[step.lane, step.column] = real
        present.visible.copy_(torch.from_numpy(visible))
        present.positions.copy_(torch.from_numpy(lanes.positions))
        return torch.from_numpy(index).to(self.token.device)

    def play(self, model: Any) -> "Tensor":
        """[lanes * columns, hidden] after one forward."""
        if self.graph is not None:
            self.graph.replay()
            assert self.out is not None
            return self.out
        return self._forward(model)

    def record(self, model: Any) -> None:
        """Run a few times, so that everything is in place, then record."""
        import torch

        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM):
                self._forward(model)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.out = self._forward(model)
        self.graph = graph

    def _forward(self, model: Any) -> "Tensor":
        self.present.forget_masks()
        out = model.get_decoder()(input_ids=self.token, position_ids=self.position, use_cache=False)
        return out.last_hidden_state[0]  # type: ignore[no-any-return]


def _fixed(lanes: Lanes) -> Lanes:
    """Lanes over the same rows that nobody changes."""
    fixed = Lanes(lanes.layers, lanes.lanes, 1, lanes.device, lanes.scratch)
    fixed.rows = lanes.rows
    return fixed
