"""Byte-level BPE for the stories: digits split one by one, a newline never merged."""

from __future__ import annotations

import random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from engine.bundled.corpus import written
from engine.tasks.stories import MAX_EVENTS, demonstrate

VOCABULARY = 768
"""Tokens in all: 256 bytes, 2 special ones, the rest merges. A multiple of 64, as NF4 likes it."""

EOS, PAD = "<eos>", "<pad>"

_PIECES = Regex(r"\n|\d| [+\-*/=] |[.:,] | ?[\p{L}'-]+|.")
"""What a merge may not cross. " + " and ". " are one piece, so an equation is few tokens."""


def train_tokenizer(seed: int, stories: int = 6000) -> PreTrainedTokenizerFast:
    """Train on that many generated stories of the train split, with their demonstrations."""
    rng = random.Random(f"tokenizer-{seed}")
    texts = []
    for _ in range(stories):
        shown = demonstrate(rng, rng.randint(1, MAX_EVENTS), "train")
        prompt, lines = written(shown.story, shown.steps)
        texts.append(prompt + "".join(lines))
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_PIECES, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[EOS, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=raw, eos_token=EOS, pad_token=PAD, model_max_length=1024
    )
