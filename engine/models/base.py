"""The seams behind which models live: batches of requests in, one reply each out.

A request carries everything its reply depends on, so a reply is a pure function of the request and
of the model's `identity`. An implementation groups equal prefixes and batches as it likes; it must
not let the grouping change what is sampled (see `engine.randomness`).
"""

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from engine.events import Verdict, VerdictSource

Steps = tuple[str, ...]


class Sampling(BaseModel):
    """How the policy samples a step. Part of a completion's address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(
        1.0,
        ge=0.0,
        le=5.0,
        description="Softmax temperature; 0 is greedy.",
        json_schema_extra={"symbol": "T"},
    )
    top_p: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="Nucleus: smallest set of tokens with this probability.",
    )
    top_k: int = Field(
        0, ge=0, le=1_000_000, description="Keep the k likeliest tokens; 0 keeps all."
    )
    min_p: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Keep tokens with at least this share of the likeliest one's probability.",
    )
    repetition_penalty: float = Field(
        1.0,
        ge=0.5,
        le=2.0,
        description="Above 1 makes tokens less likely that occur in question or solution so far.",
    )
    max_step_tokens: int = Field(
        0,
        ge=0,
        le=8192,
        description="Longest step in tokens; 0 takes the limit of the model's step format.",
    )

    def address(self) -> dict[str, object]:
        """The fields as parts of an address.

        Those that came later count only where they differ from their default, so that replies
        stored before them are still found.
        """
        fields = self.model_dump()
        for name in ("min_p", "repetition_penalty"):
            if fields[name] == type(self).model_fields[name].default:
                del fields[name]
        return fields


class Usage(msgspec.Struct, frozen=True):
    """What the model really did for a reply; nothing for a stored one.

    forwarded: tokens that went through it. cached: tokens of the reply's text that it did not have
    to read again. What several replies of one call need counts at the first of them. padded:
    positions beside them that were computed for nothing.
    """

    forwarded: int = 0
    cached: int = 0
    padded: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.forwarded + other.forwarded, self.cached + other.cached, self.padded + other.padded
        )


NO_USAGE = Usage()


class ProposalRequest(msgspec.Struct, frozen=True):
    """Ask for one next step.

    Attributes:
        question: problem text.
        steps: the partial solution, each step with its closing newline.
        seed, slot, attempt: with question and steps, the address of the random numbers.
        sampling: temperature and limits.
        analysis: words of the textual critic on the partial solution, "" for none.
        code: whether the steps are Python that is run.
        date: the day that a chat template writes, YYYY-MM-DD; see `engine.models.dates`.
    """

    question: str
    steps: Steps
    seed: int
    slot: int
    attempt: int
    sampling: Sampling
    analysis: str = ""
    code: bool = False
    date: str = ""


ENDED = "the solution was finished before"
"""Why a reply that is nothing but the end of the turn gives no step."""


class Completion(msgspec.Struct, frozen=True):
    """A proposed step.

    Attributes:
        raw: the model's words, None if it said nothing.
        step: the normalised step with closing newline; "" if the reply was rejected.
        reason: why it was rejected, "" if not.
        tokens: sampled token ids, stop token included.
        logprobs: natural log-probability of each token under the untempered model.
        usage: what it took.
        end: where the reply ended with the model's end-of-turn token and the step format takes that
            for the end of the solution, its probability. Without a step the solution was finished
            before it.
    """

    raw: str | None
    step: str
    reason: str = ""
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    usage: Usage = NO_USAGE
    end: float | None = None


class PrefixRequest(msgspec.Struct, frozen=True):
    """A partial solution to be valued, judged or summarised.

    printed: what its steps printed as a program, None if they are none that was run; for the
    policy alone. date: as that of a proposal.
    """

    question: str
    steps: Steps
    printed: str | None = None
    date: str = ""


class Valuation(msgspec.Struct, frozen=True):
    """The PRM's value in [0, 1] at the end of a partial solution, and what it took."""

    value: float
    usage: Usage = NO_USAGE


class Judgement(msgspec.Struct, frozen=True):
    """The self-critic's verdict; see `engine.events.Judged`.

    tokens: sampled ids of all its replies, none if it was read from the text or from logits.
    """

    verdict: Verdict
    source: VerdictSource
    probability: float | None = None
    analysis: str = ""
    tokens: tuple[int, ...] = ()
    usage: Usage = NO_USAGE


class Summary(msgspec.Struct, frozen=True):
    """The final answer of a solution: the words it was read from and the answer, None if none.

    tokens: sampled ids, none if the solution itself states the answer.
    """

    text: str
    answer: str | None
    tokens: tuple[int, ...] = ()
    usage: Usage = NO_USAGE


Asked = ProposalRequest | PrefixRequest
Reply = Completion | Valuation | Judgement | Summary


CriticMode = Literal["verdict", "analysis"]


class Policy(Protocol):
    """Writes steps, judges whether a solution is finished, states its final answer.

    One whose template writes the day says so by an attribute `dated`; so does a process reward
    model. The others are never told the day; see `engine.models.dates.day_for`.
    """

    @property
    def identity(self) -> str:
        """Names weights, adapter and precision; part of every address."""

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        """One completion per request, in order."""

    def judge(self, requests: Sequence[PrefixRequest], mode: CriticMode) -> list[Judgement]:
        """The self-critic. `verdict` reads end/continue as cheaply as the model's format allows;
        `analysis` lets it write what is missing, for the next expansion.
        """

    def summarise(self, requests: Sequence[PrefixRequest]) -> list[Summary]:
        """The final answer of each solution, by text where the step format has one."""

    def text(self, request: Asked, reply: Reply) -> Sequence[int]:
        """Ids of all tokens that must have been read for a reply, () if there are none.

        A function of its arguments alone: it is the same for a stored reply.
        """


class ProcessRewardModel(Protocol):
    """Values partial solutions."""

    @property
    def identity(self) -> str:
        """Names weights, adapter, head and precision; part of every address."""

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        """One value per request, in order; equal requests may be forwarded once."""

    def text(self, request: PrefixRequest, reply: Reply) -> Sequence[int]:
        """As that of the policy."""


@runtime_checkable
class Spelling(Protocol):
    """A policy that can tell what its tokens spell."""

    @property
    def identity(self) -> str: ...

    def spell(self, request: ProposalRequest, reply: Completion) -> list[str]:
        """The text of each sampled token, in order; joined they are all that was written."""
