"""The rows at work in one call: which text lies in which lane, and forwards over them.

A call reads some texts and perhaps goes on writing them. Texts that share most of their tokens lie
in one lane. Known rows are copied into it from the store; what is new goes through the model once,
whatever number of texts it belongs to, and then into the store.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.models.kv_store import KVStore, Place, Segment, common
from engine.models.pool import Handle
from engine.models.static_steps import StaticSteps, Step
from engine.models.tree_attention import (
    Lanes,
    Pass,
    Scratch,
    UnsupportedModelError,
    attending,
    rounded,
)

if TYPE_CHECKING:
    from torch import Tensor

Tokens = tuple[int, ...]

MOST_TOKENS = 2048
"""Tokens of one forward: more would only cost memory for activations and masks."""

_PADDED, _SMALL = 2, 4096
"""Most padding of queries: so many times the new tokens, or all of it as long as it is small."""

_ALIKE = 0.8
"""Texts share a lane if this share of the shorter one is common to both."""


@dataclass
class New:
    """Tokens `start` to `stop` of a segment that have no rows yet, to be read in a lane."""

    lane: int
    segment: Segment
    start: int
    stop: int


@dataclass
class _Draft:
    """A segment whose rows lie in a lane only.

    Attributes:
        lane: where.
        hidden: of its tokens so far, pieces of [n, hidden].
        visible: [slots] bool: what a token after its last one sees; it grows with the segment.
    """

    lane: int
    hidden: "list[Tensor]" = field(default_factory=list)
    visible: "np.ndarray[Any, np.dtype[np.bool_]] | None" = None


class Workspace:
    """Lanes for a number of groups of texts.

    Args:
        handle: the model.
        store, root: where known rows come from and new ones go.
        lanes: how many.
        room: slots of a lane that the call will need, as far as known.
        scratch: memory for them.
        steps: for decode steps of fixed shape; None to do without.
    """

    def __init__(
        self,
        handle: Handle,
        store: KVStore,
        root: Segment,
        lanes: int,
        room: int,
        scratch: Scratch,
        steps: StaticSteps | None = None,
    ) -> None:
        config = handle.base.model.config.get_text_config()
        self.handle = handle
        self.store = store
        self.root = root
        layers, device = config.num_hidden_layers, handle.base.device
        self.lanes = Lanes(layers, lanes, room, device, scratch, steady=steps is not None)
        self.steps = steps
        self.padded = 0  # positions computed for nothing so far
        self._at = list(range(lanes))  # where each lane lies among those of `self.lanes`
        self._used = [0] * lanes
        self._slots: list[dict[Segment, list[int]]] = [{} for _ in range(lanes)]
        self._drafts: dict[Segment, _Draft] = {}
        self._accounted: dict[Segment, float] = {}  # tokens of a segment that somebody has paid for

    def draft(self, place: Place, tokens: list[int], lane: int) -> Segment:
        """A new segment after a place, to be read in a lane."""
        segment = self.store.grow(place, tokens)
        self._drafts[segment] = _Draft(lane)
        self._accounted[segment] = math.inf
        return segment

    def account(self, place: Place) -> int:
        """How many tokens of a place's segment come from the store and were not needed before."""
        segment, offset = place
        before = self._accounted.get(segment, 0)
        self._accounted[segment] = max(before, offset)
        return int(max(0, offset - before))

    def drafted(self, segment: Segment) -> bool:
        """Whether a segment has its rows here only."""
        return segment in self._drafts

    def hidden(self, place: Place) -> "Tensor":
        """[hidden] after the last token of a text that has been read."""
        segment, offset = place
        draft = self._drafts.get(segment)
        if draft is None:
            assert segment.hidden is not None
            return segment.hidden[offset - 1]
        if offset == len(segment.tokens):
            return draft.hidden[-1][-1]
        for piece in draft.hidden:
            if offset <= len(piece):
                return piece[offset - 1]
            offset -= len(piece)
        raise AssertionError("a place that has not been read")

    def lane(self, segment: Segment) -> int:
        """The lane of a segment that was begun here."""
        return self._drafts[segment].lane

    def read_drafts(self) -> None:
        """Read all segments that were begun here; each was begun after those that it follows."""
        self.read([New(draft.lane, one, 0, len(one.tokens)) for one, draft in self._drafts.items()])

    def read_apart(self, segments: Sequence[Segment]) -> None:
        """Read segments in lanes of their own and store them, so that every lane can have them."""
        room = max(one.start + len(one.tokens) for one in segments)
        apart = Workspace(self.handle, self.store, self.root, len(segments), room, Scratch())
        for lane, segment in enumerate(segments):
            del self._drafts[segment]
            apart._drafts[segment] = _Draft(lane)
        try:
            apart.read_drafts()
            apart.settle()
        except BaseException:
            apart.discard()
            raise

    def read(self, news: Sequence[New]) -> None:
        """Read new tokens; a segment after those that it follows."""
        for batch in _cut(news, self._at):
            hidden = self._forward(batch)
            done = 0
            for new in batch:
                size = new.stop - new.start
                self._drafts[new.segment].hidden.append(hidden[done : done + size])
                done += size

    def keep_only(self, lanes: Collection[int]) -> None:
        """No more tokens come in any other lane: store what was read there and let it go."""
        for lane, at in enumerate(self._at):
            if at < 0 or lane in lanes:
                continue
            self._settle([one for one, draft in self._drafts.items() if draft.lane == lane])
            self.lanes.leave(at)
            self._at[self._at.index(self.lanes.active)] = at
            self._at[lane] = -1

    def settle(self) -> None:
        """Put everything that was read here into the store."""
        self._settle(list(self._drafts))

    def _settle(self, segments: Sequence[Segment]) -> None:
        import torch

        for segment in segments:
            draft = self._drafts[segment]
            slots = self._slots[draft.lane][segment]
            assert self.lanes.rows is not None
            lane = self.lanes.rows[:, self._at[draft.lane]]
            if slots[-1] - slots[0] + 1 == len(slots):
                rows = lane[:, :, slots[0] : slots[-1] + 1].clone()
            else:
                rows = lane.index_select(2, torch.tensor(slots, device=lane.device))
            self.store.settle(segment, rows, torch.cat(draft.hidden))
            # Not before: until it has rows it must be taken back after an error.
            del self._drafts[segment]

    def discard(self) -> None:
        """Forget what was begun here, after an error."""
        self.store.discard(list(self._drafts))
        self._drafts.clear()

    def _forward(self, news: Sequence[New]) -> "Tensor":
        """[N, hidden] of all new tokens, in order."""
        import torch

        flat = _Flat(news, self._at)
        for lane in {new.lane for new in news}:
            count = flat.count(self._at[lane])
            self.lanes.require(self._used[lane] + self._missing(lane, news) + count)
        for k, new in enumerate(news):
            flat.put(k, self._take(new))
        small = self.steps is not None and len(flat.token) == len(news)
        first = 0 if small else int(flat.lane.min())
        stop = self.lanes.active if small else int(flat.lane.max()) + 1
        visible = self._visible(news, flat, range(first, stop))
        self.lanes.positions[flat.lane, flat.slot] = flat.position
        if self.steps is not None and small:
            step = Step(flat.token, flat.position, flat.lane, flat.column, flat.slot, visible)
            if self.steps.fits(self.lanes, step):
                self.padded += self.steps.padding(self.lanes, step)
                return self.steps.run(self.lanes, step)
        device = self.lanes.device
        present = Pass(
            self.lanes,
            lane=torch.from_numpy(flat.lane - first).to(device),
            column=torch.from_numpy(flat.column).to(device),
            slot=torch.from_numpy(flat.slot).to(device),
            visible=torch.from_numpy(visible).to(device),
            first=first,
        )
        with self.handle.using() as model, attending(model, present):
            out = model.get_decoder()(
                input_ids=torch.from_numpy(flat.token[None]).to(device),
                position_ids=torch.from_numpy(flat.position[None]).to(device),
                use_cache=False,
            )
        if self.lanes.rows is None:
            raise UnsupportedModelError("its layers do not use the attention interface")
        return out.last_hidden_state[0]  # type: ignore[no-any-return]

    def _missing(self, lane: int, news: Sequence[New]) -> int:
        """Slots for known rows that the lane does not have yet."""
        needed: dict[Segment, int] = {}
        for new in news:
            if new.lane == lane and new.start == 0:
                for segment, offset in self._before(new.segment):
                    needed[segment] = max(needed.get(segment, 0), offset)
        held = self._slots[lane]
        return sum(max(0, n - len(held.get(segment, ()))) for segment, n in needed.items())

    @staticmethod
    def _before(segment: Segment) -> list[Place]:
        assert segment.parent is not None
        return Place(segment.parent, segment.offset).path()

    def _take(self, new: New) -> list[int]:
        """Slots for new tokens."""
        size = new.stop - new.start
        first = self._used[new.lane]
        slots = list(range(first, first + size))
        self._used[new.lane] += size
        self._slots[new.lane].setdefault(new.segment, []).extend(slots)
        return slots

    def _visible(self, news: Sequence[New], flat: "_Flat", lanes: range) -> "np.ndarray[Any, Any]":
        """See `Pass.visible`; lanes: where those lie that take part."""
        bases = [self._base(new) for new in news]
        span = rounded(max(self._used[lane] for lane, at in enumerate(self._at) if at in lanes))
        columns = int(flat.column.max()) + 1
        visible = np.zeros((len(lanes), columns, span), dtype=np.bool_)
        empty = np.ones((len(lanes), columns), dtype=np.bool_)
        for k, (new, base) in enumerate(zip(news, bases, strict=True)):
            at, slots = flat.column[flat.first[k]], flat.slots(k)
            size = len(slots)
            lane = self._at[new.lane] - lanes.start
            here = visible[lane, at : at + size]
            here[:, : len(base)] = base[:span]
            if size == 1:
                here[0, slots[0]] = True
            else:
                here[:, slots[0] : slots[-1] + 1] |= np.tri(size, dtype=np.bool_)
            empty[lane, at : at + size] = False
            self._extend(new, base, slots)
        visible[:, :, 0] |= empty
        return visible

    def _base(self, new: New) -> "np.ndarray[Any, Any]":
        """[slots] bool: what the token before the new ones sees, itself included."""
        draft = self._drafts[new.segment]
        if draft.visible is not None:
            return draft.visible
        slots: list[int] = []
        for segment, offset in self._before(new.segment):
            slots += self._place(new.lane, segment, offset)[:offset]
        base = np.zeros(self.lanes.capacity, dtype=np.bool_)
        base[slots] = True
        return base

    def _extend(self, new: New, base: "np.ndarray[Any, Any]", slots: Sequence[int]) -> None:
        draft = self._drafts[new.segment]
        if len(base) < self.lanes.capacity:
            base = np.concatenate([base, np.zeros(self.lanes.capacity - len(base), np.bool_)])
        base[slots] = True
        draft.visible = base

    def _place(self, lane: int, segment: Segment, offset: int) -> list[int]:
        """Slots of a segment, its first `offset` rows copied into the lane if they are not yet."""
        slots = self._slots[lane].setdefault(segment, [])
        have = len(slots)
        if have < offset:
            assert segment.rows is not None
            first, size = self._used[lane], offset - have
            known = segment.rows[:, :, have:offset]
            rows = self.lanes.shaped_like(known.shape[1], known.shape[3], known.dtype)
            rows[:, self._at[lane], :, first : first + size] = known
            begin = segment.start + have
            self.lanes.positions[self._at[lane], first : first + size] = range(begin, begin + size)
            slots.extend(range(first, first + size))
            self._used[lane] += size
        return slots


class _Flat:
    """New tokens side by side: arrays of [N] int64, and where each piece begins.

    at: where each lane lies.
    """

    def __init__(self, news: Sequence[New], at: Sequence[int]) -> None:
        sizes = [new.stop - new.start for new in news]
        self.first = np.concatenate([[0], np.cumsum(sizes)])
        self.token = np.array(
            [token for new in news for token in new.segment.tokens[new.start : new.stop]],
            dtype=np.int64,
        )
        self.lane = np.repeat(np.array([at[new.lane] for new in news], dtype=np.int64), sizes)
        self.position = np.concatenate(
            [np.arange(new.segment.start + new.start, new.segment.start + new.stop) for new in news]
        ).astype(np.int64)
        self.column = np.empty(len(self.token), dtype=np.int64)
        self.slot = np.empty(len(self.token), dtype=np.int64)
        self._filled: dict[int, int] = {}
        for k, new in enumerate(news):
            lane = at[new.lane]
            done = self._filled.get(lane, 0)
            self.column[self.first[k] : self.first[k + 1]] = range(done, done + sizes[k])
            self._filled[lane] = done + sizes[k]

    def count(self, lane: int) -> int:
        """How many new tokens a lane has."""
        return self._filled.get(lane, 0)

    def put(self, k: int, slots: Sequence[int]) -> None:
        """Say where the tokens of piece k are written."""
        self.slot[self.first[k] : self.first[k + 1]] = slots

    def slots(self, k: int) -> list[int]:
        """Where the tokens of piece k are written."""
        return [int(slot) for slot in self.slot[self.first[k] : self.first[k + 1]]]


def _cut(news: Sequence[New], at: Sequence[int]) -> Iterator[list[New]]:
    """Batches of at most `MOST_TOKENS` tokens, in the order of lanes; long pieces are cut.

    Lanes of one batch have about as many new tokens each, as the products of queries and keys are
    padded to the lane that has most.

    at: where each lane lies.
    """
    batch: list[New] = []
    room, most, count = MOST_TOKENS, 0, 0  # most of a lane, and of the newest one
    for new in sorted(news, key=lambda new: at[new.lane]):
        start, lane = new.start, at[new.lane]
        while start < new.stop:
            stop = min(new.stop, start + room)
            count = stop - start + (count if batch and batch[-1].lane == new.lane else 0)
            lanes = lane - at[batch[0].lane] + 1 if batch else 1
            padded = lanes * max(most, count)
            room -= stop - start
            if batch and padded > max(_PADDED * (MOST_TOKENS - room), _SMALL):
                yield batch
                batch, room, most = [], MOST_TOKENS, 0
                continue
            batch.append(New(new.lane, new.segment, start, stop))
            most, start = max(most, count), stop
            if room == 0:
                yield batch
                batch, room, most = [], MOST_TOKENS, 0
    if batch:
        yield batch


def group(texts: Sequence[Tokens], continued: bool = True) -> list[int]:
    """The lane of each distinct text: neighbours in sorted order that are mostly alike share one.

    A text that is to be continued always shares the lane of every text that begins with it: what is
    written after the shorter one may run into the longer one.
    """
    lanes = [0] * len(texts)
    lane = -1
    before: Tokens = ()
    beginnings: list[Tokens] = []
    for index in sorted(range(len(texts)), key=texts.__getitem__):
        text = texts[index]
        beginnings = [one for one in beginnings if text[: len(one)] == one]
        if not beginnings and common(before, text) < _ALIKE * min(len(before), len(text)):
            lane += 1
        lane = max(lane, 0)
        lanes[index] = lane
        before = text
        if continued:
            beginnings.append(text)
    return lanes
