"""Answers the requests of searches: archive first, then the models, one batch a kind.

The address of a reply is made here: model identity, kind, question, steps and, for proposals, seed,
slot, attempt and sampling. What replies took is returned by address; who counts it is the driver's
business.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec

from engine.models.base import (
    NO_USAGE,
    Asked,
    Completion,
    CriticMode,
    Judgement,
    Policy,
    PrefixRequest,
    ProcessRewardModel,
    ProposalRequest,
    Sampling,
    Summary,
    Usage,
    Valuation,
)
from engine.randomness import address
from engine.sandbox.runner import run_all
from engine.search.archive import Archive
from engine.search.requests import (
    Ask,
    Execute,
    Executed,
    FinalAnswer,
    Judge,
    Propose,
    Reply,
    Request,
    writes_code,
)
from engine.tree import Tree

Kept = TypeVar("Kept", Completion, Valuation, Judgement, Summary)
Part = TypeVar("Part", ProposalRequest, PrefixRequest)
_SHORT = 16
_MOST_RAN = 4096
_RAN: dict[str, Executed] = {}
"""How programs ended, the latest of this process."""


class Needed(msgspec.Struct, frozen=True):
    """A request with what its search adds to it."""

    request: Request
    tree: Tree
    sampling: Sampling
    grade: Callable[[str | None], bool | None]


class Charge(msgspec.Struct, frozen=True):
    """What a part of a reply took.

    Attributes:
        prm: whether the process reward model gave it, or the policy.
        generated: tokens sampled for it, whenever that was.
        usage: what was done for it just now; nothing if it was stored.
        text: ids of the tokens that must be read for it.
    """

    prm: bool
    generated: int
    usage: Usage
    text: Callable[[], Sequence[int]]


class Answer(msgspec.Struct, frozen=True):
    """A reply, and what each of its parts took by (shortened) address."""

    reply: Reply
    charges: dict[str, Charge]


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
            "execute": _execute,
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
            if ask.temperature is not None:
                sampling = sampling.model_copy(update={"temperature": ask.temperature})
            request = ProposalRequest(
                tree.question,
                ask.steps,
                tree.seed,
                ask.slot,
                ask.attempt,
                sampling,
                ask.analysis,
                writes_code(tree.params),
            )
            return proposal_address(self._policy.identity, request), request

        return _answer(
            [[addressed(item, ask) for ask in item.request.asks] for item in needed],  # type: ignore[union-attr]
            self._archive.completions,
            self._archive.keep_completions,
            self._policy.propose,
            self._policy_charge,
            [lambda reply: reply] * len(needed),
        )

    def _evaluate(self, needed: Sequence[Needed]) -> list[Answer]:
        return _answer(
            [_prefixes(item, "value", self._prm.identity) for item in needed],
            self._archive.values,
            self._archive.keep_values,
            self._prm.score,
            lambda part, r: Charge(True, 0, r.usage, partial(self._prm.text, part, r)),
            [lambda reply: reply.value] * len(needed),
        )

    def _judge(self, needed: Sequence[Needed], mode: CriticMode) -> list[Answer]:
        return _answer(
            _read(needed, "judge", mode, self._policy.identity),
            self._archive.judgements,
            self._archive.keep_judgements,
            lambda requests: self._policy.judge(requests, mode),
            self._policy_charge,
            [lambda reply: reply] * len(needed),
        )

    def _summarise(self, needed: Sequence[Needed]) -> list[Answer]:
        return _answer(
            _read(needed, "summary", self._policy.identity),
            self._archive.summaries,
            self._archive.keep_summaries,
            self._policy.summarise,
            self._policy_charge,
            [_graded(item) for item in needed],
        )

    def _policy_charge(self, part: Asked, reply: Completion | Judgement | Summary) -> Charge:
        text = partial(self._policy.text, part, reply)
        return Charge(False, len(reply.tokens), reply.usage, text)


def proposal_address(identity: str, request: ProposalRequest) -> str:
    """Where the reply of a policy of this identity is stored."""
    parts = (request.steps, request.seed, request.slot, request.attempt, request.analysis)
    kind = ("code",) if request.code else ()
    sampling = request.sampling.address()
    return address("propose", identity, request.question, *parts, sampling, *kind)


def _execute(needed: Sequence[Needed]) -> list[Answer]:
    """Programs are run anew in each process: that costs no token. All of a batch run at once."""
    asked = [item.request for item in needed if isinstance(item.request, Execute)]
    ran = executed([program for request in asked for program in request.programs])
    return [Answer([ran[program] for program in request.programs], {}) for request in asked]


def executed(programs: Sequence[str]) -> dict[str, Executed]:
    """How programs ended; those that ran lately are not run again."""
    new = [program for program in dict.fromkeys(programs) if program not in _RAN]
    for program, found in zip(new, run_all(new), strict=True):
        _RAN[program] = Executed(found.ended, found.output, found.error)
    ended = {program: _RAN[program] for program in programs}
    while len(_RAN) > _MOST_RAN:
        del _RAN[next(iter(_RAN))]
    return ended


def _kind(request: Request) -> str:
    """What can share a call: the kind of request, for the critic its mode."""
    return request.mode if isinstance(request, Judge) else type(request).__name__.lower()


def _prefixes(item: Needed, *kind: str) -> list[tuple[str, PrefixRequest]]:
    """The prefixes of a request, each with its address."""
    assert not isinstance(item.request, Propose | Execute)
    question = item.tree.question
    return [
        (address(*kind, question, steps), PrefixRequest(question, steps))
        for steps in item.request.prefixes
    ]


def _read(needed: Sequence[Needed], *kind: str) -> list[list[tuple[str, PrefixRequest]]]:
    """As `_prefixes` for what the policy reads: where steps are code, with what they print."""
    asked = [_prefixes(item, *kind) for item in needed]
    coding = [writes_code(item.tree.params) for item in needed]
    whole = [part for parts, code in zip(asked, coding, strict=True) if code for _, part in parts]
    ran = executed(["".join(part.steps) for part in whole]) if whole else {}

    def printed(part: PrefixRequest) -> tuple[str, PrefixRequest]:
        end = ran["".join(part.steps)]
        output = end.output if end.ended == "done" else ""
        where = address(*kind, part.question, part.steps, output)
        return where, msgspec.structs.replace(part, printed=output)

    return [
        [printed(part) for _, part in parts] if code else parts
        for parts, code in zip(asked, coding, strict=True)
    ]


def _graded(item: Needed) -> Callable[[Summary], FinalAnswer]:
    return lambda reply: FinalAnswer(reply.text, reply.answer, item.grade(reply.answer))


def _answer(
    asked: list[list[tuple[str, Part]]],
    kept: Callable[[Iterable[str]], dict[str, Kept]],
    keep: Callable[[Mapping[str, Kept]], None],
    model: Callable[[list[Part]], list[Kept]],
    charge: Callable[[Part, Kept], Charge],
    value: Sequence[Callable[[Kept], Any]],
) -> list[Answer]:
    """Replies to all requests of one kind: the kept ones, the rest from one call of the model.

    asked: per request, its parts with their addresses. value: per request, what its script is
    sent for a kept reply.
    """
    wanted = dict(pair for request in asked for pair in request)
    found = kept(wanted)
    missing = {where: part for where, part in wanted.items() if where not in found}
    fresh: dict[str, Kept] = {}
    if missing:
        fresh = dict(zip(missing, model(list(missing.values())), strict=True))
        # What a reply took belongs to this call, not to the reply.
        plain = {where: _without_usage(reply) for where, reply in fresh.items()}
        keep(plain)
        found = {**found, **plain}
    answers = []
    for request, convert in zip(asked, value, strict=True):
        charges = {
            # Of several requests that share a reply, the first one is charged for the work.
            where[:_SHORT]: charge(part, fresh.pop(where, found[where]))
            for where, part in dict(request).items()
        }
        answers.append(Answer([convert(found[where]) for where, _ in request], charges))
    return answers


def _without_usage(reply: Kept) -> Kept:
    return msgspec.structs.replace(reply, usage=NO_USAGE)
