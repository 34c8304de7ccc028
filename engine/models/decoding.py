"""The decode loop: many texts continued at once, each with its own random numbers.

Rows of one batch share the prefill of equal prefixes and leave the batch as they stop. One number
in [0, 1) is spent per token, through the inverse of the cumulative distribution in token order, so
what a row samples depends on its own numbers and probabilities alone, never on its neighbours.
This module knows token ids, not prompts or steps.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np

from engine.errors import ModelError
from engine.models.base import Sampling
from engine.models.pool import Handle

if TYPE_CHECKING:
    import torch
    from torch import Tensor

log = logging.getLogger(__name__)

Tokens = tuple[int, ...]
Stopped = Literal["text", "eos", "limit", "context"]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Row:
    """One text to be continued.

    Attributes:
        prefix: tokens before it, at least one.
        random: makes the source of its numbers in [0, 1), from its beginning each time.
        sampling: temperature and filters.
        limit: most tokens to sample.
        ends: whether the tokens sampled so far, the newest last, complete the text.
    """

    prefix: Tokens
    random: Callable[[], np.random.Generator]
    sampling: Sampling
    limit: int
    ends: Callable[[Sequence[int]], bool]


@dataclass
class Decoded:
    """What was sampled after a row's prefix.

    Attributes:
        tokens: sampled ids, the stop token included.
        logprobs: natural logarithm of each token's probability at temperature 1, unfiltered.
        stopped: by its text, an end-of-text token, the limit, or a full context.
        forwarded: tokens that went through the model for it, without padding; a prefix shared with
            other rows is counted at the first of them.
    """

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stopped: Stopped = "limit"
    forwarded: int = 0


@dataclass
class Prefilled:
    """The model's state after P prefixes, left-padded to a common length L.

    Attributes:
        cache: keys and values, P rows of L positions; the decoder changes it.
        mask: [P, L] int64, 1 where there is a token.
        logits: [P, vocabulary], after the last token of each prefix.
        forwarded: tokens that went through the model for each prefix.
    """

    cache: Any
    mask: "Tensor"
    logits: "Tensor"
    forwarded: list[int]


class Prefill(Protocol):
    """How prefixes become model state: the place where a cache over tree nodes fits in."""

    def __call__(self, prefixes: Sequence[Tokens]) -> Prefilled:
        """The state after each of the prefixes, which are distinct."""


def left_padded(texts: Sequence[Tokens], device: "torch.device") -> "tuple[Tensor, Tensor, Tensor]":
    """(ids, mask, positions), each [P, L] int64; padding on the left with mask 0, position 0."""
    import torch

    length = max(map(len, texts))
    ids = torch.zeros((len(texts), length), dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, length - len(text) :] = torch.tensor(text)
        mask[row, length - len(text) :] = 1
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return ids.to(device), mask.to(device), positions.to(device)


class FreshPrefill:
    """Reads every prefix from its first token; keeps nothing between calls."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    def __call__(self, prefixes: Sequence[Tokens]) -> Prefilled:
        """One forward over the left-padded prefixes."""
        from transformers import DynamicCache

        with self.handle.using() as model:
            ids, mask, positions = left_padded(prefixes, self.handle.base.device)
            out = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=DynamicCache(config=model.config),
                use_cache=True,
                logits_to_keep=1,
            )
        return Prefilled(
            out.past_key_values, mask, out.logits[:, -1], [len(prefix) for prefix in prefixes]
        )


class Batched(Protocol):
    """Something that runs in batches and learns how large they may be."""

    handle: Handle
    max_batch: int


def in_batches(
    owner: Batched, items: Sequence[T], run: Callable[[Sequence[T]], list[R]]
) -> list[R]:
    """Apply `run` to batches of at most `max_batch` items; halve that when memory runs out.

    Raises:
        ModelError: memory runs out with a single item.
    """
    results: list[R] = []
    while len(results) < len(items):
        batch = items[len(results) : len(results) + owner.max_batch]
        try:
            results += run(batch)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            _shrink(owner, len(batch), error)
    return results


def _shrink(owner: Batched, size: int, error: RuntimeError) -> None:
    import torch

    if size == 1:
        raise ModelError(
            f"The memory of {owner.handle.base.device} does not hold one text of "
            f"{owner.handle.base.name}: use --quant nf4, a smaller model, or shorter steps."
        ) from error
    owner.max_batch = size // 2
    log.warning("out of memory with %d texts at once; trying %d", size, owner.max_batch)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _out_of_memory(error: RuntimeError) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)


class Decoder:
    """Continues texts with one model.

    Args:
        handle: the model.
        end_tokens: ids that end every text.
        max_batch: most rows decoded together; halved by itself when memory runs out.
        prefill: where the state after a prefix comes from.
    """

    def __init__(
        self,
        handle: Handle,
        end_tokens: Sequence[int],
        max_batch: int = 64,
        prefill: Prefill | None = None,
    ) -> None:
        self.handle = handle
        self.end_tokens = frozenset(end_tokens)
        self.max_batch = max_batch
        self.prefill: Prefill = prefill or FreshPrefill(handle)

    def decode(self, rows: Sequence[Row]) -> list[Decoded]:
        """Continue every row; results in the order of the rows.

        Raises:
            ModelError: the accelerator's memory does not hold even one row.
        """
        results = [Decoded(stopped="context") for _ in rows]
        open_ = [i for i, row in enumerate(rows) if len(row.prefix) < self.handle.base.context]
        # Rows of one prefix side by side, prefixes in order of first use.
        first = {rows[i].prefix: i for i in reversed(open_)}
        open_.sort(key=lambda i: (first[rows[i].prefix], i))
        done = in_batches(self, [rows[i] for i in open_], self._decode_batch)
        for i, decoded in zip(open_, done, strict=True):
            results[i] = decoded
        return results

    def last_logits(self, prefixes: Sequence[Tokens]) -> "list[tuple[Tensor, int]]":
        """(float32 logits [vocabulary] after the prefix, tokens forwarded) of distinct prefixes."""

        def read(batch: Sequence[Tokens]) -> "list[tuple[Tensor, int]]":
            state = self.prefill(batch)
            return list(zip(state.logits.float(), state.forwarded, strict=True))

        return in_batches(self, prefixes, read)

    def _decode_batch(self, rows: Sequence[Row]) -> list[Decoded]:
        """Decode rows whose equal prefixes lie side by side."""
        import torch

        prefixes = list(dict.fromkeys(row.prefix for row in rows))
        where = {prefix: k for k, prefix in enumerate(prefixes)}
        state = self.prefill(prefixes)
        results = [Decoded() for _ in rows]
        seen: set[Tokens] = set()
        for row, decoded in zip(rows, results, strict=True):
            if row.prefix not in seen:
                decoded.forwarded = state.forwarded[where[row.prefix]]
            seen.add(row.prefix)
        source = torch.tensor([where[row.prefix] for row in rows], device=state.mask.device)
        if len(rows) > len(prefixes):
            state.cache.batch_select_indices(source)
        self._loop(rows, results, state, state.mask[source], state.logits[source])
        return results

    def _loop(
        self,
        rows: Sequence[Row],
        results: Sequence[Decoded],
        state: Prefilled,
        mask: "Tensor",
        logits: "Tensor",
    ) -> None:
        """Sample one token for every live row, drop the rows that stop, forward the rest."""
        import torch

        live = list(range(len(rows)))
        # Made here: a batch that is tried again must begin with the same numbers.
        numbers = [row.random() for row in rows]
        while True:
            tokens, logprobs = sample(
                logits, [rows[i].sampling for i in live], [numbers[i] for i in live]
            )
            require_numbers(logprobs, self.handle)
            keep = []
            for k, i in enumerate(live):
                results[i].tokens.append(tokens[k])
                results[i].logprobs.append(logprobs[k])
                if not self._stops(rows[i], results[i]):
                    results[i].forwarded += 1
                    keep.append(k)
            if not keep:
                return
            if len(keep) < len(live):
                index = torch.tensor(keep, device=mask.device)
                state.cache.batch_select_indices(index)
                mask = mask[index]
                live = [live[k] for k in keep]
            mask = torch.cat([mask, mask.new_ones((len(live), 1))], dim=1)
            newest = torch.tensor([[tokens[k]] for k in keep], device=mask.device)
            logits = self._forward(newest, mask, state.cache)

    def _forward(self, newest: "Tensor", mask: "Tensor", cache: Any) -> "Tensor":
        """[N, vocabulary] logits after one more token [N, 1] of every row; the cache grows."""
        with self.handle.using() as model:
            out = model(
                input_ids=newest,
                attention_mask=mask,
                position_ids=mask.sum(dim=1, keepdim=True) - 1,
                past_key_values=cache,
                use_cache=True,
            )
        return out.logits[:, -1]  # type: ignore[no-any-return]

    def _stops(self, row: Row, decoded: Decoded) -> bool:
        if decoded.tokens[-1] in self.end_tokens:
            decoded.stopped = "eos"
        elif row.ends(decoded.tokens):
            decoded.stopped = "text"
        elif len(decoded.tokens) >= row.limit:
            decoded.stopped = "limit"
        elif len(row.prefix) + len(decoded.tokens) >= self.handle.base.context:
            decoded.stopped = "context"
        else:
            return False
        return True


def sample(
    logits: "Tensor", samplings: Sequence[Sampling], numbers: Sequence[np.random.Generator]
) -> tuple[list[int], list[float]]:
    """One token per row, and its log-probability at temperature 1 without filters.

    Args:
        logits: [N, vocabulary].
        samplings: of each row.
        numbers: of each row; the next one in [0, 1) is taken, unless the temperature is 0.
    """
    import torch

    logits = logits.float()
    chosen = torch.empty(len(logits), dtype=torch.int64, device=logits.device)
    groups: dict[Sampling, list[int]] = {}
    for k, sampling in enumerate(samplings):
        groups.setdefault(sampling, []).append(k)
    for sampling, members in groups.items():
        index = torch.tensor(members, device=logits.device)
        if sampling.temperature == 0:
            chosen[index] = logits[index].argmax(dim=-1)
            continue
        drawn = [numbers[k].random() for k in members]
        uniform = torch.tensor(drawn, dtype=torch.float64).to(logits.device)
        chosen[index] = inverse_cdf(probabilities(logits[index], sampling), uniform)
    picked = logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(dim=-1)
    return chosen.tolist(), picked.tolist()


def require_numbers(values: Sequence[float], handle: Handle) -> None:
    """Refuse results of a model that has overflowed.

    Raises:
        ModelError: a value is not a number.
    """
    if any(math.isnan(value) for value in values):
        raise ModelError(
            f"{handle.base.name} in {handle.base.precision.dtype} gives results that are not "
            "numbers: use --dtype bf16 or fp32."
        )


def probabilities(logits: "Tensor", sampling: Sampling) -> "Tensor":
    """[N, vocabulary] float64 probabilities after temperature, then top-k, then top-p.

    Top-p keeps the smallest set of the likeliest tokens whose probabilities, renormalised after
    top-k, reach it; among equal ones the lower id comes first.
    """
    logits = logits.double()
    # The largest becomes 0, so that no temperature, however low, makes it infinite.
    logits = (logits - logits.max(dim=-1, keepdim=True).values) / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1]:
        order = logits.argsort(dim=-1, descending=True, stable=True)
        logits = logits.scatter(1, order[:, sampling.top_k :], float("-inf"))
    result = logits.softmax(dim=-1)
    if sampling.top_p < 1.0:
        ordered, order = result.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(dim=-1) - ordered
        kept = ordered.masked_fill(before >= sampling.top_p, 0.0)
        result = result.scatter(1, order, kept)
    return result


def inverse_cdf(weights: "Tensor", uniform: "Tensor") -> "Tensor":
    """[N] ids: for each row the first token whose cumulative weight exceeds its number.

    weights: [N, vocabulary] float64, not all zero in a row, of any sum; uniform: [N] in [0, 1).
    """
    import torch

    cumulative = weights.cumsum(dim=-1)
    target = uniform[:, None] * cumulative[:, -1:]
    found = torch.searchsorted(cumulative, target, right=True)[:, 0]
    # Rounding may put the target at the very end of the sum: the last token with any weight then.
    last = weights.shape[-1] - 1 - weights.flip(-1).ne(0).to(torch.int8).argmax(dim=-1)
    return torch.minimum(found, last)
