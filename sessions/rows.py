"""What the store says of a session without its log, and what it takes in from elsewhere."""

from collections.abc import Sequence

import msgspec

from engine.events import AnyEvent
from sessions.batches import Result

_SHORT = 40  # characters of a question


class Digest(msgspec.Struct, frozen=True):
    """What a list shows of a session: finished iterations, nodes of the tree, answer found."""

    iterations: int = 0
    nodes: int = 1
    answer: str | None = None
    correct: bool | None = None


class SessionRow(msgspec.Struct, frozen=True):
    """A session without its log.

    Times are Unix seconds; `events` is the length of the log; `batch` the batch that it belongs to,
    None if it belongs to none; `deleted` when it was deleted, None if it is not.
    """

    id: str
    name: str
    tags: list[str]
    question: str
    gold: str | None
    algorithm: str
    seed: int
    policy: str
    prm: str
    created: float
    updated: float
    events: int
    batch: str | None
    deleted: float | None
    digest: Digest

    @property
    def title(self) -> str:
        """Its name, or how its question begins."""
        question = " ".join(self.question.split())
        short = question if len(question) <= _SHORT else f"{question[: _SHORT - 1]}…"
        return self.name or short


class Arrival(msgspec.Struct, frozen=True):
    """A session that was made elsewhere.

    Attributes:
        log: its events.
        digest: of the state after them.
        name, tags: for lists.
        created: Unix time, None for now.
        wanted: the id that it should have if that is free, None for any.
        label, place: of its problem, if it comes with a batch; its position is that of the arrival.
        result: of that problem, if it is finished.
    """

    log: Sequence[AnyEvent]
    digest: Digest
    name: str = ""
    tags: Sequence[str] = ()
    created: float | None = None
    wanted: str | None = None
    label: str = ""
    place: str = ""
    result: Result | None = None


class TakenIn(msgspec.Struct, frozen=True):
    """Sessions of arrivals, in order; those of them that were there already; the batch."""

    sessions: list[str]
    known: list[str]
    batch: str | None
