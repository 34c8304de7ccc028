"""What a search algorithm may ask for, and how it asks.

An algorithm is a generator: it yields requests and events, and is sent the reply of each request
(None after an event). It never touches a model, a file or a clock. Every step tuple is a path from
the root; () is the root.
"""

from collections.abc import Generator, Mapping
from typing import Any, TypeVar

import msgspec

from engine.events import Event, NewNode, Rejected
from engine.models.base import Completion, CriticMode, Judgement, Steps
from engine.tree import Tree


class Ask(msgspec.Struct, frozen=True):
    """One proposal to sample: the prefix and the address of its random numbers below it.

    temperature: None for that of the search.
    """

    steps: Steps
    slot: int
    attempt: int
    analysis: str = ""
    temperature: float | None = None


class Propose(msgspec.Struct, frozen=True):
    """Sample next steps; reply: one `Completion` per ask, in order."""

    asks: tuple[Ask, ...]


class Evaluate(msgspec.Struct, frozen=True):
    """Value prefixes; reply: one float per prefix, in order."""

    prefixes: tuple[Steps, ...]


class Judge(msgspec.Struct, frozen=True):
    """Ask the self-critic; reply: one `Judgement` per prefix, in order."""

    prefixes: tuple[Steps, ...]
    mode: CriticMode = "verdict"


class Summarise(msgspec.Struct, frozen=True):
    """Read final answers; reply: one `FinalAnswer` per prefix, in order."""

    prefixes: tuple[Steps, ...]


class Execute(msgspec.Struct, frozen=True):
    """Run Python programs that the policy wrote; reply: one `Executed` per program, in order."""

    programs: tuple[str, ...]


class Executed(msgspec.Struct, frozen=True):
    """How a program ended: "done" if it ran, else why not; what it printed; the error in words."""

    ended: str
    output: str
    error: str


class FinalAnswer(msgspec.Struct, frozen=True):
    """The words an answer was read from, the answer (None: none found), and its verdict."""

    summary: str
    answer: str | None
    correct: bool | None


class Proposal(msgspec.Struct, frozen=True):
    """An accepted step with the address it came from; `end` as of `Completion`."""

    slot: int
    attempt: int
    step: str
    tokens: int
    logprob: float | None
    end: float | None = None

    def node(self, identifier: int) -> NewNode:
        """The child that it becomes."""
        return NewNode(
            identifier,
            self.step,
            self.slot,
            self.attempt,
            self.tokens,
            self.logprob,
            self.end,
        )


Request = Propose | Evaluate | Judge | Summarise | Execute
Reply = list[Completion] | list[float] | list[Judgement] | list[FinalAnswer] | list[Executed] | None

Result = TypeVar("Result")
# A piece of an algorithm that returns a Result. Sent are replies; their type follows from the
# request just yielded, which Python's generator types cannot express.
Part = Generator[Request | Event, Any, Result]
Script = Part[None]


class Branching(msgspec.Struct, frozen=True):
    """Ask one step per slot below a prefix."""

    steps: Steps
    slots: tuple[int, ...]
    analysis: str = ""


class Proposals(msgspec.Struct, frozen=True):
    """Accepted steps in slot order, repeated texts included, and the rejected replies.

    end: where a reply said that the solution was finished before it, the probability of that.
    """

    accepted: list[Proposal]
    rejected: list[Rejected]
    end: float | None = None


def propose(
    tree: Tree, branchings: list[Branching], attempts: int, temperature: float | None = None
) -> Part[list[Proposals]]:
    """One step per slot of every branching, trying a slot again while its reply gives no step.

    A slot takes the first of attempts 0..attempts-1 with a usable step; a slot without any gives
    nothing, nor does one whose reply says that the solution is finished. All slots still open are
    asked in one request. Replies depend on their address alone, so the result does not depend on
    how calls are batched. A temperature goes before the search's; at 0 the reply is always the
    same, so that a slot has one attempt.
    """
    if (tree.source.temperature if temperature is None else temperature) == 0:
        attempts = 1
    accepted: list[dict[int, Proposal]] = [{} for _ in branchings]
    rejected: list[list[Rejected]] = [[] for _ in branchings]
    ended: list[dict[int, float]] = [{} for _ in branchings]
    for attempt in range(attempts):
        waiting = [
            (index, Ask(item.steps, slot, attempt, item.analysis, temperature))
            for index, item in enumerate(branchings)
            for slot in item.slots
            if slot not in accepted[index] and slot not in ended[index]
        ]
        if not waiting:
            break
        completions = yield Propose(tuple(ask for _, ask in waiting))
        for (index, ask), completion in zip(waiting, completions, strict=True):
            if completion.step:
                accepted[index][ask.slot] = _proposal(ask, completion)
            else:
                raw = completion.raw or ""
                rejected[index].append(Rejected(ask.slot, attempt, raw, completion.reason))
                if completion.end is not None:
                    ended[index][ask.slot] = completion.end
    return [
        Proposals(
            [found[slot] for slot in item.slots if slot in found],
            refused,
            max(ends.values(), default=None),
        )
        for item, found, refused, ends in zip(branchings, accepted, rejected, ended, strict=True)
    ]


def writes_code(params: Mapping[str, object]) -> bool:
    """Whether the steps of a search by these parameters are Python that is run."""
    return params.get("run_code") is True


def those_that_run(tree: Tree, steps: Steps, found: Proposals) -> Part[Proposals]:
    """The proposals below a prefix whose code so far runs, where the search runs code; the others
    are rejected.
    """
    if not writes_code(tree.params) or not found.accepted:
        return found
    programs = tuple("".join((*steps, item.step)) for item in found.accepted)
    ran: list[Executed] = yield Execute(programs)
    pairs = list(zip(found.accepted, ran, strict=True))
    failed = [
        Rejected(item.slot, item.attempt, item.step, f"its code fails: {end.error}")
        for item, end in pairs
        if end.ended != "done"
    ]
    return Proposals(
        [item for item, end in pairs if end.ended == "done"],
        [*found.rejected, *failed],
        found.end,
    )


def _proposal(ask: Ask, completion: Completion) -> Proposal:
    logprob = sum(completion.logprobs) if completion.logprobs else None
    return Proposal(
        ask.slot, ask.attempt, completion.step, len(completion.tokens), logprob, completion.end
    )
