"""How likely a policy finds steps that it is shown, whoever wrote them."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from engine.models.base import Policy, PrefixRequest
from engine.models.decoding import Reader
from engine.models.prompting import Prompter, Tokens

BATCH = 64
"""Places of texts that are read in one call; each gives the logits of a whole vocabulary."""


class Likelihood(msgspec.Struct, frozen=True):
    """Natural logarithm of the probability of a last step after the steps before it, summed over
    its tokens at temperature 1, and how many these are.
    """

    logprob: float
    tokens: int


@runtime_checkable
class _Shown(Protocol):
    """A policy with weights that can be read."""

    @property
    def reader(self) -> Reader: ...
    @property
    def prompter(self) -> Prompter: ...


def likelihoods(policy: Policy, requests: Sequence[PrefixRequest]) -> list[Likelihood] | None:
    """How likely a policy finds the last step of each request.

    The steps are read as text: their tokens are those that the tokenizer makes of them, closing
    newline included, which may be others than those that were sampled.

    Args:
        policy: with weights.
        requests: each with at least one step, and within the model's context.

    Returns:
        One each, in order; None if the policy has no weights that could be asked.
    """
    if not isinstance(policy, _Shown):
        return None
    spans = [_span(policy.prompter, request) for request in requests]
    wanted: dict[Tokens, set[int]] = {}
    for text, start in spans:
        for k in range(start, len(text)):
            wanted.setdefault(text[:k], set()).add(text[k])
    found = dict(_read(policy.reader, wanted))
    return [
        Likelihood(
            sum(found[text[:k], text[k]] for k in range(start, len(text))), len(text) - start
        )
        for text, start in spans
    ]


def _span(prompter: Prompter, request: PrefixRequest) -> tuple[Tokens, int]:
    """The whole text, and where in it the last step begins: at the first token that the text
    without it does not have.
    """
    before = prompter.proposal(request.question, request.steps[:-1], date=request.date)
    text = prompter.proposal(request.question, request.steps, date=request.date)
    start = 0
    while start < min(len(before), len(text)) and before[start] == text[start]:
        start += 1
    return text, max(1, start)


def _read(
    reader: Reader, wanted: dict[Tokens, set[int]]
) -> Iterable[tuple[tuple[Tokens, int], float]]:
    """The log-probability of every wanted token after its place."""
    places = list(wanted)
    for first in range(0, len(places), BATCH):
        batch = places[first : first + BATCH]
        for place, (logits, _) in zip(batch, reader.logits(batch), strict=True):
            logprobs = logits.double().log_softmax(dim=-1)
            for token in wanted[place]:
                yield (place, token), float(logprobs[token])
