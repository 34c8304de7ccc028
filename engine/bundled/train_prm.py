"""Train the PRM from the policy's body: three sigmoid outputs at every line end, oracle labels."""

from __future__ import annotations

import copy
import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from engine.bundled.muon import Optimizers
from engine.bundled.prm_corpus import PrmBatch, drawn_story, prm_batches
from engine.bundled.sampling import Trace, sample_traces
from engine.bundled.train_policy import save_model
from engine.tasks.stories import Story

log = logging.getLogger(__name__)

PER_BATCH = 5_000
SAMPLED_EACH = 2
"""Policy traces of every sampled story."""

OUTPUTS = ("v", "prefix", "step")


@dataclass(frozen=True)
class Stage:
    """A stretch of training: the mix of wrong lines, tokens (padding included), stories of the
    train split that the policy is sampled on, peak rates, and over which share they fall to 0.
    """

    mix: str
    tokens: int
    stories: int
    muon_lr: float
    adam_lr: float
    decay: float


STAGES = (
    Stage("misreadings", 9_000_000, 2500, 0.01, 1.5e-3, 0.6),
    Stage("slips", 3_500_000, 1500, 0.006, 1e-3, 0.9),
)
"""The second stage was added when the first PRM was seen to miss lines calculated with a number
that the event does not have (on the dev split)."""


@dataclass
class Prm:
    """A Llama and a linear head on its last hidden state (after the final norm)."""

    model: LlamaForCausalLM
    head: nn.Linear

    def logits(self, ids: Tensor, where: Tensor) -> Tensor:
        """[rows, length] tokens and [lines, 2] (row, column) -> [lines, 3] logits of `OUTPUTS`."""
        hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        picked = hidden[where[:, 0], where[:, 1]].float()
        with torch.autocast("cpu", enabled=False):
            logits: Tensor = self.head(picked)
        return logits


def loss_of(prm: Prm, batch: PrmBatch) -> Tensor:
    """Weighted mean of the cross-entropies of the three outputs; v is a soft target."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = prm.logits(batch.ids, batch.where)
    each = nn.functional.binary_cross_entropy_with_logits(logits, batch.labels, reduction="none")
    return (each.sum(1) * batch.weights).sum() / batch.weights.sum()


def policy_traces(
    seed: int, policy: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, stories: int
) -> list[tuple[Story, Trace]]:
    """Traces of the policy on stories of the train split, in random order."""
    rng = random.Random(f"prm-stories-{seed}")
    asked = [drawn_story(rng) for _ in range(stories)]
    asked = [story for story in asked for _ in range(SAMPLED_EACH)]
    pairs = list(zip(asked, sample_traces(policy, tokenizer, asked, seed, rows=192), strict=True))
    rng.shuffle(pairs)
    return pairs


def new_prm(policy: LlamaForCausalLM) -> Prm:
    """A copy of the policy in fp32 with a head of zeros: every value is 0.5."""
    model = copy.deepcopy(policy)
    nn.Module.to(model, torch.float32)
    head = nn.Linear(model.config.hidden_size, len(OUTPUTS))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return Prm(model, head)


def train_prm(
    seed: int,
    prm: Prm,
    tokenizer: PreTrainedTokenizerFast,
    sampled: Sequence[tuple[Story, Trace]],
    stage: Stage,
    checkpoint: Callable[[float], None] | None = None,
) -> None:
    """Train a PRM, in place, for one stage; `checkpoint(progress)` is for looking in."""
    prm.model.train()
    both = nn.ModuleDict({"body": prm.model, "head": prm.head})
    optimizers = Optimizers(both, stage.muon_lr, stage.adam_lr, stage.decay)
    began, spent, smooth = time.perf_counter(), 0, None
    stream = prm_batches(seed, tokenizer, sampled, stage.tokens, PER_BATCH, stage.mix)
    for k, (batch, progress) in enumerate(stream):
        loss = loss_of(prm, batch)
        torch.autograd.backward(loss)
        optimizers.step(progress)
        spent += batch.ids.numel()
        smooth = loss.item() if smooth is None else 0.97 * smooth + 0.03 * loss.item()
        if k % 50 == 49:
            rate = spent / (time.perf_counter() - began)
            log.info("%s %4.1f %% loss %.4f %.0f tokens/s", stage.mix, 100 * progress, smooth, rate)
        if checkpoint is not None and k % 200 == 199:
            checkpoint(progress)
    prm.model.train(False)


def save_prm(
    prm: Prm, tokenizer: PreTrainedTokenizerFast, directory: Path, read: str = "v"
) -> None:
    """The policy's files plus the head: `value_head.safetensors` (fp32) and `value_head.json`."""
    save_model(prm.model, tokenizer, directory)
    head = {"weight": prm.head.weight.detach().float(), "bias": prm.head.bias.detach().float()}
    path = directory / "value_head.safetensors"
    save_file({name: value.contiguous() for name, value in head.items()}, path)
    path.chmod(0o644)
    (directory / "value_head.json").write_text(
        json.dumps({"outputs": list(OUTPUTS), "read": read}, indent=2) + "\n"
    )
