"""From logits to tokens: filters, penalties, and one number in [0, 1) a token.

A token is drawn through the inverse of the cumulative distribution in token order, so that what is
sampled depends on a row's own number and probabilities alone, never on its neighbours in a batch.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.models.base import Sampling

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = 256

_COLDEST = 1e-30
"""Lower temperatures are 0 in single precision."""


def sample(
    logits: "Tensor",
    samplings: Sequence[Sampling],
    numbers: Sequence[np.random.Generator],
    texts: Sequence[Sequence[int]],
) -> tuple[list[int], list[float]]:
    """One token per row, and its log-probability at temperature 1 without filters or penalty.

    Args:
        logits: [N, vocabulary].
        samplings: of each row.
        numbers: of each row; the next one in [0, 1) is taken, unless the temperature is 0.
        texts: the tokens before, of each row; for the repetition penalty.
    """
    import torch

    logits = logits.float()
    chosen = torch.empty(len(logits), dtype=torch.int64, device=logits.device)
    groups: dict[Sampling, list[int]] = {}
    for k, sampling in enumerate(samplings):
        groups.setdefault(sampling, []).append(k)
    for sampling, members in groups.items():
        index = torch.tensor(members, device=logits.device)
        rows = logits if len(groups) == 1 else logits[index]
        if sampling.repetition_penalty != 1.0:
            rows = penalised(rows, sampling.repetition_penalty, [texts[k] for k in members])
        if sampling.temperature == 0:
            chosen[index] = rows.argmax(dim=-1)
            continue
        drawn = [numbers[k].random() for k in members]
        uniform = torch.tensor(drawn, dtype=torch.float64).to(logits.device)
        chosen[index] = inverse_cdf(probabilities(rows, sampling), uniform)
    picked = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(dim=-1)
    return chosen.tolist(), picked.tolist()


def penalised(logits: "Tensor", penalty: float, texts: Sequence[Sequence[int]]) -> "Tensor":
    """[N, vocabulary] logits with those of tokens that occur in the row's text made less likely.

    Positive ones are divided by the penalty, negative ones multiplied (Keskar et al., CTRL, 2019).
    """
    import torch

    out = logits.clone()
    for row, text in enumerate(texts):
        seen = torch.tensor(sorted(set(text)), device=logits.device)
        scores = out[row, seen]
        out[row, seen] = torch.where(scores > 0, scores / penalty, scores * penalty)
    return out


def probabilities(logits: "Tensor", sampling: Sampling) -> "Tensor":
    """[N, vocabulary] probabilities after temperature, then top-k, then top-p, then min-p.

    Top-p keeps the smallest set of the likeliest tokens whose probabilities, renormalised after
    top-k, reach it; among equal ones the lower id comes first. Min-p keeps those with at least this
    share of the likeliest one's probability. What is left is not renormalised.
    """
    # The largest becomes 0, so that no temperature, however low, makes it infinite.
    logits = logits - logits.max(dim=-1, keepdim=True).values
    logits = logits / max(sampling.temperature, _COLDEST)
    if 0 < sampling.top_k < logits.shape[-1]:
        order = logits.argsort(dim=-1, descending=True, stable=True)
        logits = logits.scatter(1, order[:, sampling.top_k :], float("-inf"))
    result = logits.softmax(dim=-1)
    if sampling.top_p < 1.0:
        ordered, order = result.sort(dim=-1, descending=True, stable=True)
        exact = ordered.double()
        before = exact.cumsum(dim=-1) - exact
        kept = ordered.masked_fill(before >= sampling.top_p, 0.0)
        result = result.scatter(1, order, kept)
    if sampling.min_p > 0.0:
        least = sampling.min_p * result.max(dim=-1, keepdim=True).values
        result = result.masked_fill(result < least, 0.0)
    return result


def inverse_cdf(weights: "Tensor", uniform: "Tensor") -> "Tensor":
    """[N] ids: for each row the first token whose cumulative weight exceeds its number.

    The sum goes over blocks of tokens first and then within one: a vocabulary is long.

    Args:
        weights: [N, vocabulary], not all zero in a row, of any sum.
        uniform: [N] float64 in [0, 1).
    """
    import torch
    from torch.nn import functional

    rows, size = weights.shape
    blocks = functional.pad(weights, (0, -size % _BLOCK)).view(rows, -1, _BLOCK)
    ends = blocks.sum(dim=-1).double().cumsum(dim=-1)
    # Below the whole sum even after rounding, so that a block with weight is found.
    below = torch.nextafter(ends[:, -1:], torch.zeros_like(ends[:, -1:]))
    target = torch.minimum(uniform[:, None] * ends[:, -1:], below)
    # Weights that are no numbers are found out by the caller; here they must stay in the table.
    block = torch.searchsorted(ends, target, right=True).clamp(max=ends.shape[1] - 1)
    before = functional.pad(ends, (1, 0)).gather(1, block)
    inside = blocks.gather(1, block[:, :, None].expand(-1, -1, _BLOCK))[:, 0].double()
    cumulative = before + inside.cumsum(dim=-1)
    found = torch.searchsorted(cumulative, target, right=True)[:, 0]
    # Rounding may put the target beyond a block's sum: its last token with any weight then.
    last = _BLOCK - 1 - inside.flip(-1).ne(0).to(torch.int8).argmax(dim=-1)
    return block[:, 0] * _BLOCK + torch.minimum(found, last)
