"""Models that read tables instead of weights: for tests, demonstrations and recorded traces.

A table is keyed by the text of a partial solution, the concatenation of its steps. Nothing is
sampled and nothing is forwarded, so every reply is a pure function of the prefix.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine.errors import ModelError
from engine.events import Verdict
from engine.models.base import (
    Asked,
    Completion,
    CriticMode,
    Judgement,
    PrefixRequest,
    ProposalRequest,
    Reply,
    Steps,
    Summary,
    Valuation,
)


class Attempt(msgspec.Struct, frozen=True):
    """One reply of the policy: its words (None: no reply) and the step, "" if rejected."""

    raw: str | None
    step: str


class End(msgspec.Struct, frozen=True):
    """The self-critic's verdict; `by_text`: decided by the words alone."""

    verdict: Verdict
    by_text: bool = False


class Script(msgspec.Struct, frozen=True):
    """Everything the scripted models say.

    Attributes:
        proposals: prefix -> slots of attempts; what is missing is no reply.
        values: prefix -> value; a prefix without one is an error.
        ends: prefix -> verdict; missing means continue.
        summaries: prefix -> (words, answer); missing means no answer.
    """

    proposals: Mapping[str, Sequence[Sequence[Attempt]]] = {}
    values: Mapping[str, float] = {}
    ends: Mapping[str, End] = {}
    summaries: Mapping[str, tuple[str, str | None]] = {}

    @classmethod
    def from_trace(cls, trace: Mapping[str, Any]) -> "Script":
        """The script of a recorded trace (see `tests/conformance`)."""
        return cls(
            proposals={
                prefix: [[Attempt(a["raw"], a["step"]) for a in slot] for slot in slots]
                for prefix, slots in trace["policy"].items()
            },
            values=trace["value"],
            ends={
                prefix: End("end" if row["flag"] == "<end>" else "continue", row["text_rule"])
                for prefix, row in trace["end"].items()
            },
            summaries={
                prefix: (row["summary"], row["extracted"] or None)
                for prefix, row in trace["summary"].items()
            },
        )


def _text(steps: Steps) -> str:
    return "".join(steps)


class ScriptedPolicy:
    """See `engine.models.base.Policy`; says what its script says."""

    def __init__(self, script: Script, identity: str = "scripted") -> None:
        self.script = script
        self.identity = identity

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        """The attempts that the script has for each slot, no reply where it has none."""
        return [self._propose(request) for request in requests]

    def _propose(self, request: ProposalRequest) -> Completion:
        slots = self.script.proposals.get(_text(request.steps), ())
        attempts = slots[request.slot] if request.slot < len(slots) else ()
        if request.attempt >= len(attempts):
            return Completion(None, "", "empty")
        attempt = attempts[request.attempt]
        return Completion(attempt.raw, attempt.step, "" if attempt.step else "rejected")

    def judge(self, requests: Sequence[PrefixRequest], mode: CriticMode) -> list[Judgement]:
        """The script's verdicts; both modes say the same."""
        ends = [self.script.ends.get(_text(r.steps), End("continue")) for r in requests]
        return [Judgement(end.verdict, "text" if end.by_text else "reply") for end in ends]

    def summarise(self, requests: Sequence[PrefixRequest]) -> list[Summary]:
        """The script's summaries."""
        return [Summary(*self.script.summaries.get(_text(r.steps), ("", None))) for r in requests]

    def text(self, request: Asked, reply: Reply) -> Sequence[int]:
        """Nothing is read."""
        return ()


class ScriptedPRM:
    """See `engine.models.base.ProcessRewardModel`; values are the script's, clamped by nobody."""

    def __init__(self, script: Script, identity: str = "scripted") -> None:
        self.script = script
        self.identity = identity

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        """The script's values.

        Raises:
            ModelError: a prefix has no value in the script.
        """
        for request in requests:
            if _text(request.steps) not in self.script.values:
                raise ModelError(
                    f"The script has no value for the prefix {_text(request.steps)!r}."
                )
        return [Valuation(self.script.values[_text(request.steps)]) for request in requests]

    def text(self, request: PrefixRequest, reply: Reply) -> Sequence[int]:
        """Nothing is read."""
        return ()
