"""Sample whole solutions of many problems at once, for training data and for measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.cache_utils import DynamicLayer

from engine.bundled.corpus import written
from engine.tasks.stories import Story


@dataclass(frozen=True)
class Trace:
    """One sampled solution: its lines without newlines, its tokens (EOS included), and whether it
    is whole, that is, ended by the model and with no unfinished line.
    """

    steps: tuple[str, ...]
    tokens: int
    whole: bool

    @property
    def answer(self) -> str | None:
        last = self.steps[-1] if self.whole and self.steps else ""
        return last.removeprefix("Answer: ") if last.startswith("Answer: ") else None


class _RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A cache layer with room to grow in place; the usual one copies itself at each token."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._room: list[Tensor] = []

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append [rows, heads, new, width]; returns all keys and values as views."""
        new = [key_states, value_states]
        used, end = self.get_seq_length(), self.get_seq_length() + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._room = [nn.functional.pad(x, (0, 0, 0, 64)) for x in new]
        elif end > self._room[0].shape[-2]:
            self._room = [nn.functional.pad(x, (0, 0, 0, 64)) for x in self._room]
        for room, states in zip(self._room, new, strict=True):
            room[..., used:end, :] = states
        return self._show(end)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep these rows, in this order; a row may be kept several times."""
        used = self.get_seq_length()
        self._room = [x[indices] for x in self._room]
        self._show(used)

    def _show(self, end: int) -> tuple[Tensor, Tensor]:
        keys, values = (x[..., :end, :] for x in self._room)
        self.keys, self.values = keys, values
        return keys, values


def roomy_cache(layers: int) -> DynamicCache:
    """An empty cache whose layers grow in place."""
    cache = DynamicCache()
    cache.layers = [_RoomyLayer() for _ in range(layers)]
    return cache


@torch.inference_mode()
def sample_traces(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    stories: Sequence[Story],
    seed: int,
    temperature: float = 1.0,
    rows: int = 96,
    most: int = 256,
) -> list[Trace]:
    """One trace per story (repeat a story to get several), greedy at temperature 0.

    Stories are handled in batches of `rows` in order of length; a trace has at most `most` tokens.
    """
    generator = torch.Generator().manual_seed(seed)
    prompts = [tokenizer(written(story, ())[0])["input_ids"] for story in stories]
    order = sorted(range(len(stories)), key=lambda i: -len(prompts[i]))
    traces: dict[int, Trace] = {}
    for at in range(0, len(order), rows):
        chosen = order[at : at + rows]
        made = _sample(model, [prompts[i] for i in chosen], generator, temperature, most)
        for i, ids in zip(chosen, made, strict=True):
            traces[i] = _trace(tokenizer, ids)
    return [traces[i] for i in range(len(stories))]


def _trace(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> Trace:
    ended = ids[-1] == tokenizer.eos_token_id
    text = str(tokenizer.decode(ids[:-1] if ended else ids))
    return Trace(tuple(text.splitlines()), len(ids), ended and text.endswith("\n"))


def _sample(
    model: LlamaForCausalLM,
    prompts: list[list[int]],
    generator: torch.Generator,
    temperature: float,
    most: int,
) -> list[list[int]]:
    """Token rows after each prompt, EOS included. Finished rows leave the batch at half size."""
    pad, eos = model.config.pad_token_id, model.config.eos_token_id
    width = max(map(len, prompts))
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])
    mask = (torch.arange(width) >= torch.tensor([[width - len(p)] for p in prompts])).long()
    made: list[list[int]] = [[] for _ in prompts]
    live = torch.arange(len(prompts))
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    cache = roomy_cache(model.config.num_hidden_layers)
    for _ in range(most):
        out = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache,
            use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        cache = out.past_key_values
        picked = _pick(out.logits[:, -1].float(), generator, temperature)
        for row, token in zip(live.tolist(), picked.tolist(), strict=True):
            if not made[row] or made[row][-1] != eos:
                made[row].append(token)
        going = torch.tensor([made[row][-1] != eos for row in live.tolist()])
        if not going.any():
            break
        if going.sum() <= len(live) // 2:
            keep = going.nonzero().squeeze(1)
            live, picked, mask, positions = live[keep], picked[keep], mask[keep], positions[keep]
            cache.batch_select_indices(keep)
        ids = picked[:, None]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
        positions = positions[:, -1:] + 1
    return made


def _pick(logits: Tensor, generator: torch.Generator, temperature: float) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1)
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator).squeeze(1)
