"""Which way of reading fits a model: through the store of rows, or the plain one.

A model is tried before it is trusted: a short text is read both ways, in pieces and with a branch,
and the logits must agree. So an architecture that nobody thought of is served, if slowly, and never
served wrongly.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from engine.errors import OutOfMemoryError
from engine.models.decoding import Reader, TreeReader
from engine.models.kv_store import KVStore
from engine.models.plain import PlainReader
from engine.models.pool import Base, Handle
from engine.models.static_steps import StaticSteps
from engine.models.tree_attention import UnsupportedModelError, register
from engine.models.workspace import Tokens

log = logging.getLogger(__name__)

_KNOWN_LAYERS = {"full_attention", "sliding_attention"}
_AGREE = {"fp32": 0.01, "bf16": 0.25, "fp16": 0.1}
"""Largest difference of a logit between the two ways, in standard deviations of the logits.

Kernels for many tokens round differently from those for one, visibly in half precision.
"""

_WINDOW = 4
"""Tokens of a sliding window while a model is tried."""


def open_reader(handle: Handle, store: KVStore, max_batch: int = 256) -> Reader:
    """The fastest way of reading that gives what the model itself gives."""
    if handle.base.unfit is None:
        handle.base.unfit = _why_unfit(handle.base)
        if handle.base.unfit:
            handle.base.notices.append(
                f"{handle.base.name} is read text by text, which is slow: its keys and values "
                f"cannot be kept by tree node ({handle.base.unfit})."
            )
    if handle.base.unfit:
        return PlainReader(handle, store)
    steps = StaticSteps(handle) if handle.base.device.type == "cuda" else None
    return TreeReader(handle, store, max_batch, steps)


def _why_unfit(base: Base) -> str:
    """Why rows cannot be kept for a model, "" if they can."""
    register()
    config = base.model.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ()) - _KNOWN_LAYERS
    if layers:
        return f"it has layers of the kind {', '.join(sorted(layers))}"
    if getattr(config, "attention_chunk_size", None):
        return "its attention is cut into chunks"
    handle = Handle(base, None, base.directory)
    text = tuple((7 * k + 3) % config.vocab_size for k in range(12))
    branch = (*text[:8], (text[8] + 1) % config.vocab_size)
    plain = PlainReader(handle, KVStore(0))
    try:
        with _narrow_windows(base.model):
            expected = [logits for logits, _ in plain.logits([text[:5], text, branch])]
            found = _in_pieces(handle, text, branch)
    except OutOfMemoryError:
        raise
    except Exception as error:  # whatever a model's own code raises where it does not fit
        log.debug("no tree attention for %s", base.name, exc_info=True)
        cause = str(error) if isinstance(error, UnsupportedModelError) else type(error).__name__
        return cause
    # 4-bit kernels compute in bf16 within, whatever the precision of the rest.
    limit = _AGREE[base.precision.dtype if base.quantised == "none" else "bf16"]
    for one, other in zip(expected, found, strict=True):
        if not float((one - other).abs().max()) <= limit * float(one.std()):
            return "its attention is of a kind of its own"
    return ""


@contextmanager
def _narrow_windows(model: Any) -> Iterator[None]:
    """Let sliding windows be as short as the texts that a model is tried with.

    Some models build them into their masks without telling the attention of them.
    """
    holders = [model.config.get_text_config(), *model.modules()]
    sizes = [(one, getattr(one, "sliding_window", None)) for one in holders]
    wide = [(one, size) for one, size in sizes if isinstance(size, int) and size > _WINDOW]
    try:
        for one, _ in wide:
            one.sliding_window = _WINDOW
        yield
    finally:
        for one, size in wide:
            one.sliding_window = size


def _in_pieces(handle: Handle, text: Tokens, branch: Tokens) -> Sequence[Any]:
    """Logits of the first five tokens, then of the whole text and a branch of it."""
    reader = TreeReader(handle, KVStore(float("inf")))
    first = reader.logits([text[:5]])
    return [logits for logits, _ in [*first, *reader.logits([text, branch])]]
