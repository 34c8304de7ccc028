"""Reading and continuing many texts at once with one model, each token at most once.

Rows of one call share everything their texts have in common: what the store knows already is not
read again, what several rows need is read for the first of them, and rows that sample the same
tokens stay one text until they differ. Rows leave as they stop. This module knows token ids, not
prompts or steps.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np

from engine.errors import ModelError, OutOfMemoryError
from engine.models.base import NO_USAGE, Sampling, Usage
from engine.models.kv_store import KVStore, Place, Segment
from engine.models.pool import Handle
from engine.models.sampling import sample
from engine.models.static_steps import StaticSteps
from engine.models.tree_attention import Scratch
from engine.models.workspace import New, Tokens, Workspace, group

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)

Stopped = Literal["text", "eos", "limit", "context"]
T = TypeVar("T")
R = TypeVar("R")

_ROOM = 64
"""Tokens for which each row gets room at first; a step is seldom longer."""


@dataclass(frozen=True)
class Row:
    """One text to be continued.

    Attributes:
        prefix: tokens before it, at least one.
        random: makes the source of its numbers in [0, 1), from its beginning each time.
        sampling: temperature and filters.
        limit: most tokens to sample.
        ends: whether the tokens sampled so far, the newest last, complete the text.
    """

    prefix: Tokens
    random: Callable[[], np.random.Generator]
    sampling: Sampling
    limit: int
    ends: Callable[[Sequence[int]], bool]


@dataclass
class Decoded:
    """What was sampled after a row's prefix.

    Attributes:
        tokens: sampled ids, the stop token included.
        logprobs: natural logarithm of each token's probability at temperature 1, unfiltered.
        stopped: by its text, an end-of-text token, the limit, or a full context.
        usage: what it took; what rows share counts at the first of them.
    """

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    stopped: Stopped = "limit"
    usage: Usage = NO_USAGE

    def stops(self, row: Row, end_tokens: frozenset[int], context: int) -> bool:
        """Whether the newest token was the last; says why in `stopped`."""
        if self.tokens[-1] in end_tokens:
            self.stopped = "eos"
        elif row.ends(self.tokens):
            self.stopped = "text"
        elif len(self.tokens) >= row.limit:
            self.stopped = "limit"
        elif len(row.prefix) + len(self.tokens) >= context:
            self.stopped = "context"
        else:
            return False
        return True


class Reader(Protocol):
    """How a model reads and continues texts; see `TreeReader` and `engine.models.plain`."""

    handle: Handle

    def hidden(self, texts: Sequence[Tokens]) -> "list[tuple[Tensor, Usage]]":
        """[hidden] after the last token of each of the distinct texts, and what it took."""

    def logits(self, texts: Sequence[Tokens]) -> "list[tuple[Tensor, Usage]]":
        """[vocabulary] float32 after the last token of each of the distinct texts."""

    def decode(self, rows: Sequence[Row], end_tokens: frozenset[int]) -> list[Decoded]:
        """Continue every row; results in the order of the rows."""


class Batching(Protocol):
    """What runs in batches that may have to become smaller."""

    handle: Handle
    store: KVStore
    max_batch: int


def in_batches(
    reader: Batching, items: Sequence[T], run: Callable[[Sequence[T]], list[R]]
) -> list[R]:
    """Apply `run` to batches of at most `max_batch` items.

    When memory runs out the stored rows go first, then the batch is halved, for good.

    Raises:
        OutOfMemoryError: memory runs out with a single item and nothing stored.
    """
    results: list[R] = []
    while len(results) < len(items):
        batch = items[len(results) : len(results) + reader.max_batch]
        # Before the call: what it stored itself does not help its repetition.
        stored = reader.store.bytes
        try:
            results += run(batch)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            _make_room(reader, len(batch), stored, error)
    return results


def _make_room(reader: Batching, size: int, stored: int, error: RuntimeError) -> None:
    import torch

    base = reader.handle.base
    reader.store.clear()
    if not stored:
        if size == 1:
            raise OutOfMemoryError(
                f"The memory of {base.device} does not hold one text of {base.name}: use --quant "
                "nf4, a smaller model, or shorter steps."
            ) from error
        reader.max_batch = size // 2
    notice = (
        f"The memory of {base.device} ran out: stored rows of {base.name} were dropped, and at "
        f"most {reader.max_batch} texts go at once. It goes on, more slowly."
    )
    log.warning(notice)
    if notice not in base.notices:
        base.notices.append(notice)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _out_of_memory(error: RuntimeError) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)


def require_numbers(values: Sequence[float], handle: Handle) -> None:
    """Refuse results of a model that has overflowed.

    Raises:
        ModelError: a value is not a finite number.
    """
    if not all(map(math.isfinite, values)):
        raise ModelError(
            f"{handle.base.name} in {handle.base.precision.dtype} gives results that are not "
            "numbers: use --dtype bf16 or fp32."
        )


class TreeReader:
    """Reads through a store of K/V rows; see `Reader`.

    Args:
        handle: the model; `engine.models.reading` tells whether this way fits it.
        store: rows of this and other models.
        max_batch: most texts of one call to the model; halved by itself when memory runs out.
        steps: for decode steps of fixed shape; None to do without.
    """

    def __init__(
        self,
        handle: Handle,
        store: KVStore,
        max_batch: int = 256,
        steps: StaticSteps | None = None,
    ) -> None:
        self.handle = handle
        self.store = store
        self.max_batch = max_batch
        self.steps = steps
        self.scratch = Scratch()
        self._stamp: int | None = None

    def hidden(self, texts: Sequence[Tokens]) -> "list[tuple[Tensor, Usage]]":
        """See `Reader`."""
        return self._states(texts, lambda states: states)

    def logits(self, texts: Sequence[Tokens]) -> "list[tuple[Tensor, Usage]]":
        """See `Reader`."""
        return self._states(texts, lambda states: self.handle.logits(states).float())

    def _states(
        self, texts: Sequence[Tokens], become: "Callable[[Tensor], Tensor]"
    ) -> "list[tuple[Tensor, Usage]]":
        """What the last hidden state of each text becomes; one row each in and out."""
        import torch

        def read(batch: Sequence[Tokens]) -> "list[tuple[Tensor, Usage]]":
            with self._working(batch) as (work, begun):
                states = torch.stack([work.hidden(one.place) for one in begun])
                require_numbers([float(states.float().abs().sum())], self.handle)
                return list(zip(become(states), (one.usage for one in begun), strict=True))

        return in_batches(self, texts, read)

    def decode(self, rows: Sequence[Row], end_tokens: frozenset[int]) -> list[Decoded]:
        """See `Reader`.

        Raises:
            OutOfMemoryError: the device's memory does not hold even one row.
        """
        context = self.handle.base.context
        results = [Decoded(stopped="context") for _ in rows]
        open_ = [i for i, row in enumerate(rows) if len(row.prefix) < context]

        def run(batch: Sequence[Row]) -> list[Decoded]:
            distinct = list(dict.fromkeys(row.prefix for row in batch))
            written = sum(min(row.limit, _ROOM) for row in batch)
            with self._working(distinct, written) as (work, begun):
                loop = _Loop(work, batch, begun, end_tokens)
                loop.run()
            return loop.results

        done = in_batches(self, [rows[i] for i in open_], run)
        for i, decoded in zip(open_, done, strict=True):
            results[i] = decoded
        return results

    @contextmanager
    def _working(
        self, texts: Sequence[Tokens], written: int = 0
    ) -> "Iterator[tuple[Workspace, list[_Begun]]]":
        """A workspace in which distinct texts have been read; what is read goes to the store.

        written: tokens that will follow, all texts together, as far as known.
        """
        handle = self.handle
        stamp = handle.stamp()
        if self.steps is not None and stamp != self._stamp:
            self.steps.drop()  # recorded over weights that may lie elsewhere now
        self._stamp = stamp
        root = self.store.root(handle.key, stamp)
        lanes = group(texts, written > 0)
        count = max(lanes) + 1
        room = max(map(len, texts)) + written // count
        work = Workspace(handle, self.store, root, count, room, self.scratch, self.steps)
        try:
            yield work, _read(work, texts, lanes)
            work.settle()
            # The first forward on a CPU packs 4-bit weights: their state has another name now.
            self.store.restamp(handle.key, handle.stamp())
        except BaseException:
            work.discard()
            # What is no number must not come into the sums of later calls, be it as 0 times it.
            self._forget_lanes()
            raise
        finally:
            self.store.trim()

    def _forget_lanes(self) -> None:
        """Give back the memory of the lanes, and what was recorded over it."""
        self.scratch.drop()
        if self.steps is not None:
            self.steps.drop()


class _Begun(NamedTuple):
    """A text that has been read: its last place, its lane, what it took."""

    text: Tokens
    place: Place
    lane: int
    usage: Usage


def _read(work: Workspace, texts: Sequence[Tokens], lanes: Sequence[int]) -> list[_Begun]:
    """Read what is not known of the texts.

    A new segment that texts of several lanes begin with is read, and stored, before the others.
    """
    begun: list[_Begun] = []
    users: dict[Segment, set[int]] = {}
    for text, lane in zip(texts, lanes, strict=True):
        place, known = work.store.find(work.root, text)
        if known < len(text):
            segment = work.draft(place, list(text[known:]), lane)
            users[segment] = set()
            place = Place(segment, len(text) - known)
        cached = 0
        for segment, offset in place.path():
            if segment in users:
                users[segment].add(lane)
            cached += work.account(Place(segment, offset))
        begun.append(_Begun(text, place, lane, Usage(len(text) - known, cached)))
    waiting = [segment for segment, lanes_ in users.items() if len(lanes_) > 1]
    while waiting:
        ready = [segment for segment in waiting if segment.parent not in waiting]
        work.read_apart(ready)
        waiting = [segment for segment in waiting if segment not in ready]
    work.read_drafts()
    first = begun[0]
    begun[0] = first._replace(usage=first.usage + Usage(padded=work.padded))
    return begun


class _Live:
    """A row that has not stopped."""

    __slots__ = ("lane", "numbers", "place", "result", "row")

    def __init__(self, row: Row, result: Decoded, place: Place, lane: int) -> None:
        self.row = row
        self.result = result
        self.place = place
        self.lane = lane
        # Made here: a batch that is tried again must begin with the same numbers.
        self.numbers = row.random()


class _Loop:
    """Samples one token for every row, drops the rows that stop, reads what is new, and again."""

    def __init__(
        self,
        work: Workspace,
        rows: Sequence[Row],
        begun: Sequence[_Begun],
        end_tokens: frozenset[int],
    ) -> None:
        self.handle = work.handle
        self.work = work
        self.end_tokens = end_tokens
        self.results: list[Decoded] = []
        self._live: list[_Live] = []
        of = {one.text: one for one in begun}
        paid: set[Tokens] = set()
        for row in rows:
            at = of[row.prefix]
            result = Decoded(usage=NO_USAGE if row.prefix in paid else at.usage)
            paid.add(row.prefix)
            self.results.append(result)
            self._live.append(_Live(row, result, at.place, at.lane))

    def run(self) -> None:
        """Until every row has stopped."""
        live = self._live
        while live:
            self._sample(live)
            context = self.handle.base.context
            live = [one for one in live if not one.result.stops(one.row, self.end_tokens, context)]
            if live:
                self.work.keep_only({one.lane for one in live})
                self._advance(live)

    def _sample(self, live: Sequence[_Live]) -> None:
        import torch

        index: dict[Place, int] = {}
        of = [index.setdefault(one.place, len(index)) for one in live]
        hidden = torch.stack([self.work.hidden(place) for place in index])
        logits = self.handle.logits(hidden)
        if len(index) < len(live):
            logits = logits[torch.tensor(of, device=logits.device)]
        penalties = any(one.row.sampling.repetition_penalty != 1.0 for one in live)
        texts: list[Any] = (
            [(*one.row.prefix, *one.result.tokens) for one in live] if penalties else [()] * len(of)
        )
        tokens, logprobs = sample(
            logits, [one.row.sampling for one in live], [one.numbers for one in live], texts
        )
        require_numbers(logprobs, self.handle)
        for one, token, logprob in zip(live, tokens, logprobs, strict=True):
            one.result.tokens.append(token)
            one.result.logprobs.append(logprob)

    def _advance(self, live: Sequence[_Live]) -> None:
        """Take every row past its newest token; read those that nobody has read."""
        news: list[New] = []
        for one in live:
            token = one.result.tokens[-1]
            after = one.place.after(token)
            if after is None:
                after = self._grow(one, token, news)
                one.result.usage += Usage(forwarded=1)
            elif new := self.work.account(after):
                one.result.usage += Usage(cached=new)
                self.work.store.touch(after.segment)
            one.place = after
        before = self.work.padded
        self.work.read(news)
        if padded := self.work.padded - before:
            live[0].result.usage += Usage(padded=padded)

    def _grow(self, one: _Live, token: int, news: list[New]) -> Place:
        segment, offset = one.place
        if self.work.drafted(segment) and offset == len(segment.tokens):
            segment.tokens.append(token)
        else:
            segment = self.work.draft(one.place, [token], one.lane)
            offset = 0
        news.append(New(self.work.lane(segment), segment, offset, offset + 1))
        return Place(segment, offset + 1)
