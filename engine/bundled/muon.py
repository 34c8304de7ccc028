"""Muon for the matrices of the body, AdamW for the rest, with one learning-rate schedule.

Muon (Keller Jordan, 2024) replaces a matrix's momentum by its nearest semi-orthogonal matrix,
approximated by five Newton-Schulz iterations with the published quintic coefficients.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalised(matrices: Tensor, iterations: int = 5) -> Tensor:
    """[count, rows, columns] -> same shape, singular values of each matrix near 1."""
    a, b, c = _QUINTIC
    x = matrices.bfloat16()
    tall = x.size(-2) > x.size(-1)
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = (x.mT if tall else x).float()
    return result


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; equal shapes are orthogonalised in one batch."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    shapes[p.shape].append(p)
            for shape, params in shapes.items():
                updates = []
                for p in params:
                    assert p.grad is not None
                    velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                    velocity.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(velocity, group["momentum"]))
                scale = max(1.0, shape[0] / shape[1]) ** 0.5
                for p, update in zip(params, orthogonalised(torch.stack(updates)), strict=True):
                    p.add_(update, alpha=-group["lr"] * scale)


class Optimizers:
    """Muon on the body's matrices and AdamW on embeddings, norms and heads, stepped together."""

    def __init__(self, model: nn.Module, muon_lr: float, adam_lr: float, decay: float) -> None:
        """`decay`: share of the training at whose end the rate falls linearly to 0."""
        matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "layers." in n]
        chosen = {id(p) for p in matrices}
        rest = [p for p in model.parameters() if id(p) not in chosen]
        self._parts: list[torch.optim.Optimizer] = [
            Muon(matrices, muon_lr),
            torch.optim.AdamW(rest, adam_lr, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        self._peaks = [muon_lr, adam_lr]
        self._decay = decay
        self._params = list(model.parameters())

    def step(self, progress: float) -> None:
        """One update at `progress` in [0, 1]; gradients are clipped to norm 1 and cleared."""
        factor = min(1.0, progress / 0.02 + 0.02, max(0.02, (1 - progress) / self._decay))
        torch.nn.utils.clip_grad_norm_(self._params, 1.0)
        for part, peak in zip(self._parts, self._peaks, strict=True):
            part.param_groups[0]["lr"] = peak * factor
            part.step()
            part.zero_grad(set_to_none=True)
