"""What two runs of one search must have in common."""

import math
from typing import Any

# Work that was done depends on what else ran and on what was known already.
_WORK = ("seconds", "forwarded", "cached", "padded")

CLOSE = 1e-5
"""Values may differ by this much: a text read in other company is rounded differently."""


def lasting(data: Any) -> Any:
    """JSON-able data without ids of sessions and work that was done."""
    if isinstance(data, dict):
        return {
            key: lasting(value)
            for key, value in data.items()
            if key != "session" and not any(key.endswith(word) for word in _WORK)
        }
    return [lasting(value) for value in data] if isinstance(data, list) else data


def same(one: Any, other: Any, where: str = "") -> None:
    """Assert that two such data are the same, numbers that are not whole within `CLOSE`."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            same(*pair, f"{where}[{index}]")
    elif isinstance(one, float) and isinstance(other, float):
        assert math.isclose(one, other, abs_tol=CLOSE), f"{where}: {one} {other}"
    else:
        assert one == other, f"{where}: {one} {other}"
