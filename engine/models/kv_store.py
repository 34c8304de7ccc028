"""K/V rows of everything read so far: one trie of tokens per model and adapter, on a budget.

A text's rows are those of its beginning and its own, so texts that begin alike share rows. A
`Segment` holds a run of tokens with their rows; others branch off it at any place, so that nothing
is ever split or copied when texts diverge. A tree of reasoning steps makes such a trie by itself:
a child's segments hang below its parent's. This module knows tensors by their shape alone.
"""

import heapq
from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

_ROOM = 0.8
"""Share of the budget that is left in use when rows had to go: not every call drops some."""


class Segment:
    """A run of tokens after a place in another segment.

    Attributes:
        parent, offset: the place it follows: after the first `offset` tokens of `parent`.
        start: how many tokens are before it.
        tokens: of the run, at least one (none at the root).
        branches: segments that follow places of this one, by (offset, first token).
        rows: [2 * layers, heads, tokens, width] keys (even) and values (odd); None at the root
            and while it is being read.
        hidden: [tokens, hidden] of the last layer after the final norm; None like `rows`.
        used: when it was last of use, in calls.
    """

    __slots__ = ("branches", "hidden", "offset", "parent", "rows", "start", "tokens", "used")

    def __init__(self, parent: "Segment | None", offset: int, tokens: list[int]) -> None:
        self.parent = parent
        self.offset = offset
        self.start: int = parent.start + offset if parent is not None else 0
        self.tokens = tokens
        self.branches: dict[tuple[int, int], Segment] = {}
        self.rows: Tensor | None = None
        self.hidden: Tensor | None = None
        self.used = 0

    @property
    def bytes(self) -> int:
        """Memory of its rows and hidden states."""
        return sum(tensor.nbytes for tensor in (self.rows, self.hidden) if tensor is not None)


class Place(NamedTuple):
    """A text: the first `offset` tokens of `segment` and all that is before them."""

    segment: Segment
    offset: int

    def path(self) -> "list[Place]":
        """The segments of the text, root excluded, each with how much of it belongs to it."""
        here: Place = self
        found = []
        while here.segment.parent is not None:
            if here.offset:
                found.append(here)
            here = Place(here.segment.parent, here.segment.offset)
        return found[::-1]

    def after(self, token: int) -> "Place | None":
        """The place after one more token, None if nothing is known of it."""
        segment, offset = self
        if offset < len(segment.tokens) and segment.tokens[offset] == token:
            return Place(segment, offset + 1)
        branch = segment.branches.get((offset, token))
        return Place(branch, 1) if branch is not None else None


class KVStore:
    """The tries of all models of one device.

    Args:
        budget: bytes that rows may take between calls; `math.inf` for no limit. During a call
            everything it needs is there.
    """

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self.bytes = 0
        self._roots: dict[Hashable, tuple[Hashable, Segment]] = {}
        self._clock = 0

    def root(self, key: Hashable, stamp: Hashable) -> Segment:
        """The trie of a model and adapter.

        stamp: names the state of the weights. Rows that were made by another state are dropped.
        """
        self._clock += 1
        known = self._roots.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        if known is not None:
            self._forget(known[1])
        root = Segment(None, 0, [])
        self._roots[key] = (stamp, root)
        return root

    def restamp(self, key: Hashable, stamp: Hashable) -> None:
        """The state of the weights changed its name without changing what it computes."""
        if key in self._roots:
            self._roots[key] = (stamp, self._roots[key][1])

    def find(self, root: Segment, tokens: Sequence[int]) -> tuple[Place, int]:
        """The longest beginning of a text that is known, and its length."""
        place, done = Place(root, 0), 0
        while done < len(tokens):
            segment = place.segment
            segment.used = self._clock
            known = common(segment.tokens, tokens, place.offset, done)
            done += known
            place = Place(segment, place.offset + known)
            if done == len(tokens):
                break
            branch = segment.branches.get((place.offset, tokens[done]))
            if branch is None:
                break
            place = Place(branch, 0)
        place.segment.used = self._clock
        return place, done

    def touch(self, segment: Segment) -> None:
        """The segment has been of use."""
        segment.used = self._clock

    def grow(self, place: Place, tokens: list[int]) -> Segment:
        """A new segment after a place, still without rows."""
        segment = Segment(place.segment, place.offset, tokens)
        segment.used = self._clock
        place.segment.branches[place.offset, tokens[0]] = segment
        return segment

    def settle(self, segment: Segment, rows: "Tensor", hidden: "Tensor") -> None:
        """Give a segment the rows and hidden states of its tokens."""
        segment.rows, segment.hidden = rows, hidden
        self.bytes += segment.bytes

    def discard(self, segments: Sequence[Segment]) -> None:
        """Take segments back that never got rows, after an error."""
        for segment in segments:
            if segment.parent is not None and segment.rows is None:
                segment.parent.branches.pop((segment.offset, segment.tokens[0]), None)

    def trim(self) -> None:
        """Drop the rows that were of no use for longest until the budget is kept."""
        if self.bytes <= self.budget:
            return
        allowed = self.budget * _ROOM
        leaves = [(leaf.used, id(leaf), leaf) for leaf in self._segments() if not leaf.branches]
        heapq.heapify(leaves)
        while self.bytes > allowed and leaves:
            _, _, leaf = heapq.heappop(leaves)
            parent = leaf.parent
            assert parent is not None
            del parent.branches[leaf.offset, leaf.tokens[0]]
            self.bytes -= leaf.bytes
            if parent.parent is not None and not parent.branches:
                heapq.heappush(leaves, (parent.used, id(parent), parent))

    def clear(self) -> None:
        """Drop everything."""
        self._roots.clear()
        self.bytes = 0

    def __len__(self) -> int:
        """How many tokens have rows."""
        return sum(len(segment.tokens) for segment in self._segments())

    def _segments(self) -> Iterator[Segment]:
        """Every segment but the roots."""
        waiting = [root for _, root in self._roots.values()]
        while waiting:
            segment = waiting.pop()
            waiting.extend(segment.branches.values())
            if segment.parent is not None:
                yield segment

    def _forget(self, root: Segment) -> None:
        waiting = [root]
        while waiting:
            segment = waiting.pop()
            waiting.extend(segment.branches.values())
            self.bytes -= segment.bytes


def common(run: Sequence[int], tokens: Sequence[int], start: int = 0, done: int = 0) -> int:
    """How many tokens of `run` from `start` on are those of `tokens` from `done` on."""
    length = min(len(run) - start, len(tokens) - done)
    if list(run[start : start + length]) == list(tokens[done : done + length]):
        return length
    return next(k for k in range(length) if run[start + k] != tokens[done + k])
