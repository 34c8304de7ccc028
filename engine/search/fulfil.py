"""Answers the requests of searches: archive first, then the models, one batch a kind. Programs of
a model are run here, too, before the rest, because what they print belongs to what is asked.

The address of a reply is made here: model identity, kind, question, steps and, for proposals, seed,
slot, attempt and sampling; for models whose chat template writes the day, that too. What replies
took is returned by address; who counts it is the driver's business.
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
from engine.models.dates import day_for
from engine.randomness import address
from engine.sandbox.runner import never, run_all
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
    Summarise,
    writes_code,
)
from engine.tree import Tree

Kept = TypeVar("Kept", Completion, Valuation, Judgement, Summary)
Part = TypeVar("Part", ProposalRequest, PrefixRequest)
_Model = Policy | ProcessRewardModel
_SHORT = 16
_BEGIN_SECONDS = 2.0
"""Of a batch of programs none is begun later: the others are asked for again."""
_KEPT_ENDS = ("done", "error", "memory", "output")
_MOST_RAN = 4096
_RAN: dict[str, Executed] = {}
"""How programs ended that may end otherwise the next time, such as by the clock; the latest."""


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

    def fulfil(
        self, needed: Sequence[Needed], interrupted: Callable[[], bool] = never
    ) -> list[Answer | None]:
        """One answer per request, in order; each model is called once per kind of request. None
        where a program of the request was cut off or not begun: it has to be asked again.

        interrupted: asked, in several threads, while programs run; they end when it says so.
        """
        wanted = [_programs(item) for item in needed]
        ran = self._run(dict.fromkeys(one for programs in wanted for one in programs), interrupted)
        methods: dict[str, Callable[[list[Needed]], list[Answer]]] = {
            "propose": self._propose,
            "evaluate": self._evaluate,
            "verdict": lambda batch: self._judge(batch, "verdict", ran),
            "analysis": lambda batch: self._judge(batch, "analysis", ran),
            "summarise": lambda batch: self._summarise(batch, ran),
            "execute": lambda batch: [_ended(item, ran) for item in batch],
        }
        groups: dict[str, list[int]] = {}
        for index, item in enumerate(needed):
            if all(program in ran for program in wanted[index]):
                groups.setdefault(_kind(item.request), []).append(index)
        answers: dict[int, Answer] = {}
        for kind, indices in groups.items():
            replies = methods[kind]([needed[i] for i in indices])
            answers.update(zip(indices, replies, strict=True))
        return [answers.get(i) for i in range(len(needed))]

    def _run(self, programs: Iterable[str], interrupted: Callable[[], bool]) -> dict[str, Executed]:
        """How programs ended, those left out that were cut off or not begun: archive first, then
        the sandbox. Costs no token.
        """
        places = {program: address("execute", program) for program in programs}
        if not places:
            return {}
        stored = self._archive.executions(places.values())
        ended = {p: stored[where] for p, where in places.items() if where in stored}
        ended.update({p: _RAN[p] for p in places if p not in ended and p in _RAN})
        new = [program for program in places if program not in ended]
        fresh: dict[str, Executed] = {}
        found = run_all(new, cancelled=interrupted, patience=_BEGIN_SECONDS) if new else []
        for program, ran in zip(new, found, strict=True):
            end = Executed(ran.ended, ran.output if ran.ended == "done" else "", ran.error)
            if ran.ended in _KEPT_ENDS:
                fresh[places[program]] = ended[program] = end
            elif ran.ended != "cancelled":
                _RAN[program] = ended[program] = end
        self._archive.keep_executions(fresh)
        while len(_RAN) > _MOST_RAN:
            del _RAN[next(iter(_RAN))]
        return ended

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
                day_for(self._policy, tree.date),
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
            [_prefixes(item, self._prm, "value") for item in needed],
            self._archive.values,
            self._archive.keep_values,
            self._prm.score,
            lambda part, r: Charge(True, 0, r.usage, partial(self._prm.text, part, r)),
            [lambda reply: reply.value] * len(needed),
        )

    def _judge(
        self, needed: Sequence[Needed], mode: CriticMode, ran: Mapping[str, Executed]
    ) -> list[Answer]:
        return _answer(
            [_read(item, ran, self._policy, "judge", mode) for item in needed],
            self._archive.judgements,
            self._archive.keep_judgements,
            lambda requests: self._policy.judge(requests, mode),
            self._policy_charge,
            [lambda reply: reply] * len(needed),
        )

    def _summarise(self, needed: Sequence[Needed], ran: Mapping[str, Executed]) -> list[Answer]:
        return _answer(
            [_read(item, ran, self._policy, "summary") for item in needed],
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
    return address("propose", identity, request.question, *parts, sampling, *kind, *_dated(request))


def _dated(request: Asked) -> tuple[tuple[str, str], ...]:
    """The day as part of an address; a pair, which no other part is."""
    return (("date", request.date),) if request.date else ()


def _programs(item: Needed) -> list[str]:
    """The programs that must have run before a request can be answered."""
    request = item.request
    if isinstance(request, Execute):
        return list(request.programs)
    if isinstance(request, Judge | Summarise) and writes_code(item.tree.params):
        return ["".join(steps) for steps in request.prefixes]
    return []


def _ended(item: Needed, ran: Mapping[str, Executed]) -> Answer:
    return Answer([ran[program] for program in _programs(item)], {})


def _kind(request: Request) -> str:
    """What can share a call: the kind of request, for the critic its mode."""
    return request.mode if isinstance(request, Judge) else type(request).__name__.lower()


def _prefixes(item: Needed, model: _Model, *kind: str) -> list[tuple[str, PrefixRequest]]:
    """The prefixes of a request, each with its address."""
    assert not isinstance(item.request, Propose | Execute)
    question, day = item.tree.question, day_for(model, item.tree.date)
    parts = [PrefixRequest(question, steps, date=day) for steps in item.request.prefixes]
    return [
        (address(*kind, model.identity, question, part.steps, *_dated(part)), part)
        for part in parts
    ]


def _read(
    item: Needed, ran: Mapping[str, Executed], model: _Model, *kind: str
) -> list[tuple[str, PrefixRequest]]:
    """As `_prefixes` for what the policy reads: where steps are code, with what they print."""
    if not writes_code(item.tree.params):
        return _prefixes(item, model, *kind)

    def printed(part: PrefixRequest) -> tuple[str, PrefixRequest]:
        output = ran["".join(part.steps)].output
        where = address(*kind, model.identity, part.question, part.steps, output, *_dated(part))
        return where, msgspec.structs.replace(part, printed=output)

    return [printed(part) for _, part in _prefixes(item, model, *kind)]


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
