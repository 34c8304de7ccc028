"""The way that serves any model: `generate()` for one text after the other.

For models whose state cannot be cut into rows (state-space layers, keys and values of several
shapes, attention with terms of its own). transformers knows how to keep their state; our random
numbers and stop rules are put in as processors. Nothing is shared between texts or calls.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.models.base import Usage
from engine.models.decoding import Decoded, Row, in_batches, require_numbers
from engine.models.kv_store import KVStore
from engine.models.pool import Handle
from engine.models.sampling import sample
from engine.models.workspace import Tokens

if TYPE_CHECKING:
    from torch import Tensor


class PlainReader:
    """See `engine.models.decoding.Reader`.

    Args:
        handle: the model.
        store: rows of other models, dropped when memory runs out.
    """

    max_batch = 1

    def __init__(self, handle: Handle, store: KVStore) -> None:
        self.handle = handle
        self.store = store

    def hidden(self, texts: Sequence[Tokens]) -> "list[tuple[Tensor, Usage]]":
        """See `Reader`: every text from its beginning."""

        def read(batch: Sequence[Tokens]) -> "list[tuple[Tensor, Usage]]":
            (text,) = batch
            with self.handle.using() as model:
                states = _last_states(model, self._ids(text))
            return [(states[0, -1], Usage(len(text)))]

        return in_batches(self, texts, read)

    def logits(self, texts: Sequence[Tokens]) -> "list[tuple[Tensor, Usage]]":
        """See `Reader`: every text from its beginning."""

        def read(batch: Sequence[Tokens]) -> "list[tuple[Tensor, Usage]]":
            (text,) = batch
            with self.handle.using() as model:
                last = {"logits_to_keep": 1} if model._supports_logits_to_keep() else {}
                out = model(input_ids=self._ids(text), use_cache=False, **last)
            return [(out.logits[0, -1].float(), Usage(len(text)))]

        return in_batches(self, texts, read)

    def decode(self, rows: Sequence[Row], end_tokens: frozenset[int]) -> list[Decoded]:
        """See `Reader`: one row after the other."""
        return in_batches(self, rows, lambda batch: [self._continue(batch[0], end_tokens)])

    def _continue(self, row: Row, end_tokens: frozenset[int]) -> Decoded:
        context = self.handle.base.context
        if len(row.prefix) >= context:
            return Decoded(stopped="context")
        result = Decoded()
        numbers = row.random()

        def choose(ids: "Tensor", scores: "Tensor") -> "Tensor":
            """Leave only the sampled token, so that `generate` takes it."""
            text = (*row.prefix, *result.tokens)
            tokens, logprobs = sample(scores, [row.sampling], [numbers], [text])
            require_numbers(logprobs, self.handle)
            result.tokens += tokens
            result.logprobs += logprobs
            forced = scores.new_full(scores.shape, float("-inf"))
            forced[0, tokens[0]] = 0.0
            return forced

        def finished(ids: "Tensor", scores: Any, **others: Any) -> "Tensor":
            import torch

            return torch.tensor([result.stops(row, end_tokens, context)], device=ids.device)

        self._generate(row.prefix, choose, finished)
        # The last token is never read, as nothing follows it.
        result.usage = Usage(len(row.prefix) + len(result.tokens) - 1)
        return result

    def _generate(self, prefix: Tokens, choose: Any, finished: Any) -> None:
        from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

        ids = self._ids(prefix)
        room = self.handle.base.context - len(prefix)
        with self.handle.using() as model:
            own = model.generation_config
            # It would fill in what is not set here: penalties, filters and ends of its own.
            model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
            try:
                model.generate(
                    ids,
                    attention_mask=ids.new_ones(ids.shape),
                    generation_config=GenerationConfig(  # type: ignore[no-untyped-call]
                        do_sample=False, max_new_tokens=min(room, 2**20), pad_token_id=0
                    ),
                    logits_processor=LogitsProcessorList([choose]),
                    stopping_criteria=StoppingCriteriaList([finished]),
                )
            finally:
                model.generation_config = own

    def _ids(self, text: Tokens) -> "Tensor":
        import torch

        return torch.tensor([text], device=self.handle.base.device)


def _last_states(model: Any, ids: "Tensor") -> "Tensor":
    """[1, N, hidden] after the final norm."""
    body = model.get_decoder()
    if body is not model:
        return body(input_ids=ids, use_cache=False).last_hidden_state  # type: ignore[no-any-return]
    # It does not find the body of every model: what the head is given, then.
    given: list[Tensor] = []
    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, args: given.append(args[0]))
    try:
        model(input_ids=ids, use_cache=False)
    finally:
        hook.remove()
    return given[0]
