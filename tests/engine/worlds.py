"""A world without models: proposals, values and verdicts are pure functions of the text.

Steps are drawn from a few words, so duplicates happen; some replies are empty, some prefixes are
dead ends; a solution ends with "Answer: n" after three to six steps.
"""

from collections.abc import Sequence

from engine import events as ev
from engine.models.base import (
    Asked,
    Completion,
    CriticMode,
    Judgement,
    PrefixRequest,
    ProposalRequest,
    Reply,
    Summary,
    Usage,
    Valuation,
)
from engine.randomness import generator
from engine.search.archive import Archive, MemoryArchive
from engine.search.driver import Driver, Limits, Search, create


class World:
    """Policy, self-critic and PRM in one; counts its calls and the sizes of their batches."""

    identity = "world"

    def __init__(self, words: int = 4, empty: float = 0.15) -> None:
        self.words = words
        self.empty = empty
        self.calls: list[tuple[str, int]] = []

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        self.calls.append(("propose", len(requests)))
        return [self._propose(request) for request in requests]

    def _propose(self, request: ProposalRequest) -> Completion:
        draw = generator(
            request.question, request.steps, request.seed, request.slot, request.attempt
        )
        if draw.random() < self.empty:
            return Completion(None, "", "no reply", (), (), Usage(7))
        word = int(draw.integers(self.words))
        if len(request.steps) >= 2 and draw.random() < 0.4:
            text = f"Answer: {word}\n"
        else:
            text = f"step {word}\n"
        length = 2 + word
        usage = Usage(10 + length)
        return Completion(text, text, "", tuple(range(length)), (-0.5,) * length, usage)

    def judge(self, requests: Sequence[PrefixRequest], mode: CriticMode) -> list[Judgement]:
        self.calls.append(("judge", len(requests)))
        return [
            Judgement("end", "text")
            if request.steps and request.steps[-1].startswith("Answer")
            else Judgement("continue", "reply", None, "look again" if mode == "analysis" else "")
            for request in requests
        ]

    def summarise(self, requests: Sequence[PrefixRequest]) -> list[Summary]:
        lasts = [request.steps[-1] if request.steps else "" for request in requests]
        return [
            Summary(last, last.removeprefix("Answer: ").strip() if "Answer" in last else None)
            for last in lasts
        ]

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        self.calls.append(("score", len(requests)))
        return [
            Valuation(float(generator("value", request.question, request.steps).random()), Usage(5))
            for request in requests
        ]

    def text(self, request: Asked, reply: Reply) -> Sequence[int]:
        """A character is a token here."""
        sampled = reply.tokens if isinstance(reply, Completion) else ()
        return (*map(ord, request.question + "".join(request.steps)), *sampled[:-1])


def grade(answer: str | None) -> bool | None:
    """The oracle answer of every question of this world is 1."""
    return answer == "1"


def new_search(
    question: str = "What?", algorithm: str = "mcts_star", seed: int = 0, **params: object
) -> Search:
    """A fresh search in this world."""
    first = create(question, "1", algorithm, dict(params), seed, "world", "world")
    return Search([first], grade)


def run(
    search: Search, limits: Limits, world: World | None = None, archive: Archive | None = None
) -> list[list[ev.Event]]:
    """Run one search to its limits; the batches of events that were to be kept."""
    kept: list[list[ev.Event]] = []
    model = world or World()
    driver = Driver(model, model, archive or MemoryArchive(), clock=lambda: 0.0)
    driver.run([search], limits, lambda _, events: kept.append(events))
    return kept


def state(search: Search) -> dict[str, object]:
    """Everything a tree holds that does not tell how the work was done, for comparison."""
    cost = search.tree.cost
    lasting = (cost.policy_generated, cost.policy_unique, cost.prm_unique)
    return {**vars(search.tree), "cost": lasting}
