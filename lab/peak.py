"""The most memory that this process takes while somebody looks."""

import sys
from typing import Any

import psutil


class Peak:
    """Looks at the memory of this process from now on.

    The resident set is what it is whenever `look` is called; CUDA counts the most by itself, for
    the whole process and from its last reset on, which this does.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._resident = 0
        cuda = _cuda()
        if cuda is not None:
            for device in range(cuda.device_count()):
                cuda.reset_peak_memory_stats(device)

    def look(self) -> None:
        """Look now."""
        self._resident = max(self._resident, int(self._process.memory_info().rss))

    def most(self) -> dict[str, int]:
        """Bytes: `resident` of the process, and `cuda` of all devices where it uses any."""
        found = {"resident": self._resident}
        cuda = _cuda()
        if cuda is not None:
            devices = range(cuda.device_count())
            found["cuda"] = sum(int(cuda.max_memory_allocated(device)) for device in devices)
        return found


def _cuda() -> Any:
    """torch.cuda if this process uses it already; looking takes no memory of a device."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None
