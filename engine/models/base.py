"""The seams behind which models live: batches of requests in, one reply each out.

A request carries everything its reply depends on, so a reply is a pure function of the request and
of the model's `identity`. An implementation groups equal prefixes and batches as it likes; it must
not let the grouping change what is sampled (see `engine.randomness`).
"""

from collections.abc import Sequence
from typing import Literal, Protocol

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
    max_step_tokens: int = Field(
        0,
        ge=0,
        le=8192,
        description="Longest step in tokens; 0 takes the limit of the model's step format.",
    )


class ProposalRequest(msgspec.Struct, frozen=True):
    """Ask for one next step.

    Attributes:
        question: problem text.
        steps: the partial solution, each step with its closing newline.
        seed, slot, attempt: with question and steps, the address of the random numbers.
        sampling: temperature and limits.
        analysis: words of the textual critic on the partial solution, "" for none.
    """

    question: str
    steps: Steps
    seed: int
    slot: int
    attempt: int
    sampling: Sampling
    analysis: str = ""


class Completion(msgspec.Struct, frozen=True):
    """A proposed step.

    Attributes:
        raw: the model's words, None if it said nothing.
        step: the normalised step with closing newline; "" if the reply was rejected.
        reason: why it was rejected, "" if not.
        tokens: sampled token ids, stop token included.
        logprobs: natural log-probability of each token under the untempered model.
        forwarded: tokens that went through the model for this reply (a shared prefix is counted
            at the first reply that needed it).
    """

    raw: str | None
    step: str
    reason: str = ""
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    forwarded: int = 0


class PrefixRequest(msgspec.Struct, frozen=True):
    """A partial solution to be valued, judged or summarised."""

    question: str
    steps: Steps


class Valuation(msgspec.Struct, frozen=True):
    """The PRM's value in [0, 1] at the end of a partial solution, and the tokens it cost."""

    value: float
    forwarded: int = 0


class Judgement(msgspec.Struct, frozen=True):
    """The self-critic's verdict; see `engine.events.Judged`."""

    verdict: Verdict
    source: VerdictSource
    probability: float | None = None
    analysis: str = ""
    forwarded: int = 0
    generated: int = 0


class Summary(msgspec.Struct, frozen=True):
    """The final answer of a solution: the words it was read from and the answer, None if none."""

    text: str
    answer: str | None
    forwarded: int = 0
    generated: int = 0


CriticMode = Literal["verdict", "analysis"]


class Policy(Protocol):
    """Writes steps, judges whether a solution is finished, states its final answer."""

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


class ProcessRewardModel(Protocol):
    """Values partial solutions."""

    @property
    def identity(self) -> str:
        """Names weights, adapter, head and precision; part of every address."""

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        """One value per request, in order; equal requests may be forwarded once."""
