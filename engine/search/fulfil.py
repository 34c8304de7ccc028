"""Answers the requests of searches: archive first, then the models, one batch a kind.

The address of a reply is made here: model identity, kind, question, steps and, for proposals, seed,
slot, attempt and sampling. Costs are returned by address; who counts them is the driver's business.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from engine.events import Cost
from engine.models.base import (
    Completion,
    CriticMode,
    Judgement,
    Policy,
    PrefixRequest,
    ProcessRewardModel,
    ProposalRequest,
    Sampling,
    Summary,
    Valuation,
)
from engine.randomness import address
from engine.search.archive import Archive
from engine.search.requests import (
    Ask,
    FinalAnswer,
    Judge,
    Propose,
    Reply,
    Request,
)
from engine.tree import Tree

Kept = TypeVar("Kept", Completion, Valuation, Judgement, Summary)
Asked = TypeVar("Asked", ProposalRequest, PrefixRequest)
_SHORT = 16


class Needed(msgspec.Struct, frozen=True):
    """A request with what its search adds to it."""

    request: Request
    tree: Tree
    sampling: Sampling
    grade: Callable[[str | None], bool | None]


class Answer(msgspec.Struct, frozen=True):
    """A reply, and what each of its parts costs by (shortened) address."""

    reply: Reply
    costs: dict[str, Cost]


class Fulfiller:
    """Answers requests with one policy and one PRM."""

    def __init__(self, policy: Policy, prm: ProcessRewardModel, archive: Archive) -> None:
        self._policy = policy
        self._prm = prm
        self._archive = archive

    def fulfil(self, needed: Sequence[Needed]) -> list[Answer]:
        """One answer per request, in order; each model is called once per kind of request."""
        methods: dict[str, Callable[[list[Needed]], list[Answer]]] = {
            "propose": self._propose,
            "evaluate": self._evaluate,
            "verdict": lambda batch: self._judge(batch, "verdict"),
            "analysis": lambda batch: self._judge(batch, "analysis"),
            "summarise": self._summarise,
        }
        groups: dict[str, list[int]] = {}
        for index, item in enumerate(needed):
            groups.setdefault(_kind(item.request), []).append(index)
        answers: dict[int, Answer] = {}
        for kind, indices in groups.items():
            replies = methods[kind]([needed[i] for i in indices])
            answers.update(zip(indices, replies, strict=True))
        return [answers[i] for i in range(len(needed))]

    def _propose(self, needed: Sequence[Needed]) -> list[Answer]:
        def addressed(item: Needed, ask: Ask) -> tuple[str, ProposalRequest]:
            tree, sampling = item.tree, item.sampling
            parts = (ask.steps, tree.seed, ask.slot, ask.attempt, ask.analysis)
            where = address(
                "propose", self._policy.identity, tree.question, *parts, sampling.model_dump()
            )
            return where, ProposalRequest(
                tree.question, ask.steps, tree.seed, ask.slot, ask.attempt, sampling, ask.analysis
            )

        return _answer(
            [[addressed(item, ask) for ask in item.request.asks] for item in needed],  # type: ignore[union-attr]
            self._archive.completions,
            self._archive.keep_completions,
            self._policy.propose,
            lambda r: Cost(policy_forwarded=r.forwarded, policy_generated=len(r.tokens)),
            [lambda reply: reply] * len(needed),
        )

    def _evaluate(self, needed: Sequence[Needed]) -> list[Answer]:
        return _answer(
            [_prefixes(item, "value", self._prm.identity) for item in needed],
            self._archive.values,
            self._archive.keep_values,
            self._prm.score,
            lambda r: Cost(prm_forwarded=r.forwarded),
            [lambda reply: reply.value] * len(needed),
        )

    def _judge(self, needed: Sequence[Needed], mode: CriticMode) -> list[Answer]:
        return _answer(
            [_prefixes(item, "judge", mode, self._policy.identity) for item in needed],
            self._archive.judgements,
            self._archive.keep_judgements,
            lambda requests: self._policy.judge(requests, mode),
            lambda r: Cost(policy_forwarded=r.forwarded, policy_generated=r.generated),
            [lambda reply: reply] * len(needed),
        )

    def _summarise(self, needed: Sequence[Needed]) -> list[Answer]:
        return _answer(
            [_prefixes(item, "summary", self._policy.identity) for item in needed],
            self._archive.summaries,
            self._archive.keep_summaries,
            self._policy.summarise,
            lambda r: Cost(policy_forwarded=r.forwarded, policy_generated=r.generated),
            [_graded(item) for item in needed],
        )


def _kind(request: Request) -> str:
    """What can share a call: the kind of request, for the critic its mode."""
    return request.mode if isinstance(request, Judge) else type(request).__name__.lower()


def _prefixes(item: Needed, *kind: str) -> list[tuple[str, PrefixRequest]]:
    """The prefixes of a request, each with its address."""
    assert not isinstance(item.request, Propose)
    question = item.tree.question
    return [
        (address(*kind, question, steps), PrefixRequest(question, steps))
        for steps in item.request.prefixes
    ]


def _graded(item: Needed) -> Callable[[Summary], FinalAnswer]:
    return lambda reply: FinalAnswer(reply.text, reply.answer, item.grade(reply.answer))


def _answer(
    asked: list[list[tuple[str, Asked]]],
    kept: Callable[[Iterable[str]], dict[str, Kept]],
    keep: Callable[[Mapping[str, Kept]], None],
    model: Callable[[list[Asked]], list[Kept]],
    cost: Callable[[Kept], Cost],
    value: Sequence[Callable[[Kept], Any]],
) -> list[Answer]:
    """Replies to all requests of one kind: the kept ones, the rest from one call of the model.

    asked: per request, its parts with their addresses. value: per request, what its script is
    sent for a kept reply.
    """
    wanted = dict(pair for request in asked for pair in request)
    found = kept(wanted)
    missing = {where: part for where, part in wanted.items() if where not in found}
    if missing:
        replies = dict(zip(missing, model(list(missing.values())), strict=True))
        keep(replies)
        found = {**found, **replies}
    return [
        Answer(
            [convert(found[where]) for where, _ in request],
            {where[:_SHORT]: cost(found[where]) for where, _ in request},
        )
        for request, convert in zip(asked, value, strict=True)
    ]
