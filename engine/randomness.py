"""Random numbers by address.

A proposal is addressed by (seed, question, steps so far, slot, attempt). Its random numbers are a
pure function of that address, so they depend neither on the order of calls nor on what else is in
the batch: the same seed gives the same tree however the work is scheduled.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LARGEST_SEED = 2**53 - 1
"""Seeds are whole numbers from 0 to this: the largest that JSON and browsers keep exactly."""

SEEDS = f"a whole number from 0 to 2^53 - 1 ({LARGEST_SEED})"

_encoder = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


def is_seed(value: object) -> bool:
    """Whether a value is a seed."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_SEED


def address(*parts: object) -> str:
    """Hex SHA-256 of a list of JSON-serialisable parts; equal parts give equal addresses.

    JSON quotes every string, so no two different lists of parts share a byte sequence.
    """
    return hashlib.sha256(_encoder.encode(parts).encode("ascii")).hexdigest()


def generator(*parts: object) -> "np.random.Generator":
    """A counter-based generator (Philox) keyed by the address of `parts`."""
    import numpy as np  # not above: commands know what a seed is without it

    key = int(address(*parts)[:32], 16)
    return np.random.Generator(np.random.Philox(key=key))


def choose(candidates: Sequence[object], *parts: object) -> int:
    """Index in [0, len(candidates)) drawn uniformly from the numbers of the address `parts`."""
    return int(generator(*parts).integers(len(candidates)))
