"""Which tokens a search has needed so far, each counted once.

A token is the same for a model only together with all tokens before it, so what is counted are
beginnings of texts. Each has a print of 48 bits; the prints that an iteration adds go into its
log, so that a search that was interrupted counts as if it had not been. Two beginnings of 100,000
share a print with a chance of 2 in 100,000.
"""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

_BYTES = 6
_MASK = np.uint64((1 << (8 * _BYTES)) - 1)
# Odd numbers without structure, from the fractional parts of square roots (SHA-512's constants).
_TOKEN, _PLACE = np.uint64(0x428A2F98D728AE23), np.uint64(0x7137449123EF65CD)
_MIX = np.uint64(0xBF58476D1CE4E5B9)  # of SplitMix64

Prints = set[int]


def prints(tokens: Sequence[int]) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """[len(tokens)] a print of each beginning of a text."""
    token = np.asarray(tokens, dtype=np.uint64)
    place = np.arange(1, len(token) + 1, dtype=np.uint64)
    mixed = (token + np.uint64(1)) * _TOKEN ^ place * _PLACE
    for shift in (np.uint64(30), np.uint64(27)):
        mixed = (mixed ^ (mixed >> shift)) * _MIX
    summed = np.cumsum(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)
    return (summed * _MIX ^ (summed >> np.uint64(29))) & _MASK


def encode(found: Iterable[int]) -> str:
    """Prints as base64 text, ascending."""
    array = np.array(sorted(found), dtype="<u8")
    return base64.b64encode(array.view(np.uint8).reshape(-1, 8)[:, :_BYTES].tobytes()).decode()


def decode(text: str) -> Prints:
    """The prints that `encode` wrote.

    Raises:
        ValueError: it did not write them.
    """
    raw = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    padded = np.zeros((len(raw) // _BYTES, 8), dtype=np.uint8)
    padded[:, :_BYTES] = raw.reshape(-1, _BYTES)
    return {int(one) for one in padded.view("<u8")[:, 0]}


class Ledger:
    """The beginnings that one model has had to read for a search.

    Attributes:
        new: those added since the last `close`.
    """

    def __init__(self, written: Iterable[str] = ()) -> None:
        self._seen: Prints = set()
        for text in written:
            self._seen |= decode(text)
        self.new: Prints = set()

    def add(self, tokens: Sequence[int]) -> int:
        """A text was needed; how many of its beginnings had not been."""
        fresh = set(prints(tokens).tolist()) - self._seen - self.new
        self.new |= fresh
        return len(fresh)

    def close(self) -> str:
        """Keep what is new, and give it for the log."""
        text = encode(self.new)
        self._seen |= self.new
        self.new = set()
        return text

    def drop(self) -> None:
        """Forget what is new: its iteration does not count."""
        self.new = set()
