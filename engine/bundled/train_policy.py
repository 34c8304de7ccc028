"""Train the policy: a Llama of 1.9M parameters, next-token loss on demonstrated solutions."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from engine.bundled.corpus import IGNORED, STEP_FORMAT, Batch, batches
from engine.bundled.muon import Optimizers

log = logging.getLogger(__name__)

BUDGET = 15_000_000
"""Tokens of policy training, prompts and padding included."""

PER_BATCH = 5_000


def new_model(seed: int, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained policy; widths are multiples of 64, as NF4 likes them."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=6,
            num_key_value_heads=6,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def loss_of(model: LlamaForCausalLM, batch: Batch) -> torch.Tensor:
    """Mean next-token loss over the tokens to be learnt.

    Padding is on the right, behind the causal mask, so no attention mask is needed.
    """
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=batch.ids, use_cache=False).last_hidden_state
        wanted = batch.targets != IGNORED
        logits = model.lm_head(hidden[wanted])
    return nn.functional.cross_entropy(logits.float(), batch.targets[wanted])


def train_policy(
    seed: int,
    tokenizer: PreTrainedTokenizerFast,
    budget: int = BUDGET,
    checkpoint: Callable[[LlamaForCausalLM, float], None] | None = None,
) -> LlamaForCausalLM:
    """Train from scratch on `budget` tokens; `checkpoint(model, progress)` is for looking in."""
    model = new_model(seed, tokenizer)
    model.train()
    optimizers = Optimizers(model, muon_lr=0.02, adam_lr=4e-3, decay=0.5)
    began, spent, smooth = time.perf_counter(), 0, None
    for k, (batch, progress) in enumerate(batches(seed, tokenizer, budget, PER_BATCH)):
        loss = loss_of(model, batch)
        torch.autograd.backward(loss)
        optimizers.step(progress)
        spent += batch.tokens
        smooth = loss.item() if smooth is None else 0.97 * smooth + 0.03 * loss.item()
        if k % 50 == 49:
            rate = spent / (time.perf_counter() - began)
            log.info("policy %4.1f %% loss %.4f %.0f tokens/s", 100 * progress, smooth, rate)
        if checkpoint is not None and k % 200 == 199:
            checkpoint(model, progress)
    model.train(False)
    return model


def save_model(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, directory: Path
) -> None:
    """Write an ordinary Hugging Face directory (bf16) and `step_format.json`; the model is kept."""
    directory.mkdir(parents=True, exist_ok=True)
    shipped = copy.deepcopy(model)
    nn.Module.to(shipped, torch.bfloat16)
    shipped.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=True
    )
    shipped.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": tokenizer.eos_token,
        "pad_token": tokenizer.pad_token,
        "model_max_length": tokenizer.model_max_length,
        "clean_up_tokenization_spaces": False,
    }
    for name, content in (("tokenizer_config", described), ("step_format", STEP_FORMAT)):
        (directory / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    for path in directory.iterdir():
        path.chmod(0o644)
