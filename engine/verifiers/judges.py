"""Verifiers that ask a language model what it thinks of a solution.

The model is shown problem and solution and asked to reply with one word or digit. Its reply is not
sampled: the logits of all allowed replies give the probability of each, and the score is their
mean. So a judgement takes one forward, is the same every time, and can be told apart finely.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Protocol

import msgspec

from engine.errors import ModelError
from engine.models.base import NO_USAGE, PrefixRequest, Usage
from engine.models.decoding import require_numbers
from engine.models.transformers_policy import TransformersPolicy
from engine.verifiers.verifying import Group, Scored, Verifier

_POINTS = tuple("012345")


class Question(msgspec.Struct, frozen=True):
    """What a model is asked about a solution.

    Attributes:
        text: follows problem and solution.
        replies: all allowed ones.
        worth: of each reply, in [0, 1].
    """

    text: str
    replies: tuple[str, ...]
    worth: tuple[float, ...]


def _points(text: str) -> Question:
    return Question(text, _POINTS, tuple(k / 5 for k in range(6)))


YES_NO = Question(
    "Is the final answer of the solution above right? Reply with one word: Yes or No.",
    ("Yes", "No"),
    (1.0, 0.0),
)
"""The yes/no logit of a language model as an outcome reward model."""

JUDGE = _points(
    "Check the solution above as a strict teacher would: every step, every calculation and the "
    "final answer. Reply with one number from 0 (entirely wrong) to 5 (entirely right)."
)
"""LLM-as-judge."""

SELF_REWARD = _points(
    "Give the solution above one point for each of these that is true: it is about the problem; "
    "it uses all that the problem says; each step follows from those before it; its calculations "
    "are right; its final answer is right. Reply with the number of points, from 0 to 5."
)
"""Points that add up, after the prompt of self-rewarding language models."""


class Marker(Protocol):
    """A language model that can be asked about solutions."""

    @property
    def identity(self) -> str:
        """Names weights, adapter and precision."""

    def shares(
        self, requests: Sequence[PrefixRequest], text: str, replies: Sequence[str]
    ) -> list[tuple[tuple[float, ...], Usage]]:
        """For each solution the probability of each allowed reply, which sum to 1."""


class Judge(Verifier):
    """Asks a model about each solution; see `YES_NO`, `JUDGE`, `SELF_REWARD`."""

    def __init__(self, marker: Marker, question: Question) -> None:
        self.marker = marker
        self.question = question

    def score(self, groups: Sequence[Group]) -> list[Scored]:
        """The mean worth of the replies.

        Raises:
            ModelError: a solution is too long for the model's context.
        """
        asked = [PrefixRequest(t.question, t.steps, date=t.date) for group in groups for t in group]
        replies = iter(self.marker.shares(asked, self.question.text, self.question.replies))
        found = []
        for group in groups:
            own = list(islice(replies, len(group)))
            scores = (
                min(1.0, sum(p * w for p, w in zip(shares, self.question.worth, strict=True)))
                for shares, _ in own
            )
            found.append(Scored(tuple(scores), sum((usage for _, usage in own), NO_USAGE)))
        return found


class PolicyMarker:
    """See `Marker`: a policy asked about solutions, its own or others'.

    Raises:
        ModelError: the policy knows only the layout it was trained on, and no questions.
    """

    def __init__(self, policy: TransformersPolicy) -> None:
        if policy.format.kind == "lines":
            raise ModelError(
                f"{policy.handle.base.name} writes one layout and cannot be asked about a "
                "solution: take a chat model for this verifier."
            )
        self.policy = policy

    @property
    def identity(self) -> str:
        """That of the policy."""
        return self.policy.identity

    def shares(
        self, requests: Sequence[PrefixRequest], text: str, replies: Sequence[str]
    ) -> list[tuple[tuple[float, ...], Usage]]:
        """See `Marker`. Problem and solution are read once, however many questions are asked."""
        prompter, base = self.policy.prompter, self.policy.handle.base
        before, tokens = prompter.replies(replies)
        prefixes = [
            prompter.follow_up(r.question, r.steps, text, r.date) + before for r in requests
        ]
        if any(len(prefix) > base.context for prefix in prefixes):
            raise ModelError(
                f"A solution of {max(map(len, prefixes))} tokens, with a question about it, is "
                f"longer than the context of {base.name}, {base.context} tokens."
            )
        distinct = list(dict.fromkeys(prefixes))
        found: dict[tuple[int, ...], tuple[tuple[float, ...], Usage]] = {}
        for prefix, (logits, usage) in zip(
            distinct, self.policy.reader.logits(distinct), strict=True
        ):
            shares = logits[list(tokens)].double().softmax(-1).tolist()
            require_numbers(shares, self.policy.handle)
            found[prefix] = (tuple(shares), usage)
        results = []
        for prefix in prefixes:
            results.append(found[prefix])
            found[prefix] = (found[prefix][0], NO_USAGE)
        return results
