"""What this machine can run: cores, memory, CUDA devices, and which 4-bit kernel.

Importing this module imports neither torch nor bitsandbytes; `prepare_environment` must run before
anything does. It does not know what a policy or a process reward model is.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.errors import ModelError

FourBitKernel = Literal["cuda", "cpu-native", "cpu-dequantise", "missing"]
"""Which code multiplies with NF4 weights.

cuda: the fused kernels of bitsandbytes. cpu-native: its AVX512-BF16 kernel. cpu-dequantise: every
call unpacks the whole weight first, several times slower than no quantisation at all. missing:
bitsandbytes cannot be imported.
"""


_GROUPS, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


@dataclass(frozen=True)
class CudaDevice:
    """One CUDA device; memory in bytes, `capability` as (major, minor)."""

    index: int
    name: str
    total: int
    free: int
    capability: tuple[int, int]


@dataclass(frozen=True)
class Hardware:
    """The machine as the models see it; memory in bytes.

    Attributes:
        cores: cores this process may use.
        threads: threads torch computes with.
        memory_total, memory_free: main memory; 0 where the system does not tell.
        cuda: devices by index, empty without one.
        kernel_cpu: 4-bit kernel on the CPU.
        kernel_cuda: 4-bit kernel on the CUDA devices, None without one.
        versions: of torch, transformers, bitsandbytes and peft; "missing" if not importable.
    """

    cores: int
    threads: int
    memory_total: int
    memory_free: int
    cuda: tuple[CudaDevice, ...]
    kernel_cpu: FourBitKernel
    kernel_cuda: FourBitKernel | None
    versions: Mapping[str, str]


def usable_cores() -> int:
    """Cores that this process may run on (affinity mask, not the machine's count)."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def prepare_environment() -> bool:
    """Set what torch reads once, at its import; call it first thing in a program.

    OpenMP threads that spin while they wait make a decode step many times slower beside any busy
    neighbour, and more threads than cores do the same. A value the person set is kept.

    Returns:
        False if torch had been imported already, so that nothing here can take effect.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("BITSANDBYTES_NOWELCOME", "1")
    return "torch" not in sys.modules


def limit_threads() -> int:
    """Cap torch's threads at the usable cores; returns how many it computes with."""
    import torch

    if torch.get_num_threads() > usable_cores():
        torch.set_num_threads(usable_cores())
    return torch.get_num_threads()


@contextlib.contextmanager
def _without_kernel_downloads() -> Iterator[None]:
    """Keep the CPU backend of bitsandbytes from fetching a kernel from the hub at its import.

    It asks the `kernels` package, if there is one, and otherwise logs a warning that is none.
    """
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    level, known = logger.level, sys.modules.get("kernels")
    had = "kernels" in sys.modules
    sys.modules["kernels"] = None  # type: ignore[assignment]  # makes its import fail
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        if had and known is not None:
            sys.modules["kernels"] = known
        else:
            del sys.modules["kernels"]


def import_bitsandbytes() -> bool:
    """Import bitsandbytes without touching the network; False if it is not usable here."""
    if "bitsandbytes" in sys.modules:
        return True
    import torch  # noqa: F401  # bitsandbytes needs its shared libraries loaded

    try:
        with _without_kernel_downloads():
            import bitsandbytes  # noqa: F401
    except Exception as error:  # a broken installation raises anything, from ImportError to OSError
        logging.getLogger(__name__).debug("bitsandbytes is not usable: %s", error)
        return False
    return True


def four_bit_kernel(device: str) -> FourBitKernel:
    """Which kernel serves NF4 weights on a device ("cpu", "cuda", "cuda:1")."""
    if not import_bitsandbytes():
        return "missing"
    if device.startswith("cuda"):
        return "cuda"
    from bitsandbytes.functional import has_avx512bf16

    return "cpu-native" if has_avx512bf16() else "cpu-dequantise"


def memory() -> tuple[int, int]:
    """(total, available) main memory in bytes; zeros where the system does not tell.

    What a container or service may use counts where that is less than the machine has.
    """
    total, free = _machine_memory()
    for limit, left in _group_limits():
        total, free = min(total, limit), min(free, left)
    return total, free


def _machine_memory() -> tuple[int, int]:
    path = Path("/proc/meminfo")
    if path.exists():
        rows = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        size = {key: int(rows[key].split()[0]) * 1024 for key in ("MemTotal", "MemAvailable")}
        return size["MemTotal"], size["MemAvailable"]
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        return page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0, 0


def _group_limits() -> Iterator[tuple[int, int]]:
    """(limit, left of it) in bytes of every control group around this process that has one."""
    try:
        lines = _OWN_GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, names = _GROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = _GROUPS / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # In a container the path may be the host's, and only the group at the root is ours to see.
        folder = root / path.lstrip("/")
        while True:
            if (found := _group_limit(folder, *names)) is not None:
                yield found
            if folder == root or root not in folder.parents:
                break
            folder = folder.parent


def _group_limit(folder: Path, limit: str, usage: str, cache: str) -> tuple[int, int] | None:
    try:
        allowed, used = (int((folder / name).read_text()) for name in (limit, usage))
        rows = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None
    return allowed, max(0, allowed - used + int(rows.get(cache, 0)))


def free_memory(device: str) -> tuple[int, int]:
    """(total, free) bytes of a device, "cpu" or "cuda:<number>", now; zeros where unknown.

    Memory that torch has reserved on a CUDA device without using it counts as free.
    """
    if device == "cpu":
        return memory()
    import torch

    free, total = torch.cuda.mem_get_info(device)
    spare = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return total, free + spare


def cuda_devices() -> tuple[CudaDevice, ...]:
    """The CUDA devices torch can use, with what is free on them now."""
    import torch

    if not torch.cuda.is_available():
        return ()
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        capability = torch.cuda.get_device_capability(index)
        name = torch.cuda.get_device_name(index)
        found.append(CudaDevice(index, name, total, free, capability))
    return tuple(found)


def choose_device(wanted: str) -> str:
    """The device that "auto", "cpu", "cuda" or "cuda:n" stands for here, as torch writes it.

    Raises:
        ModelError: it is not one of these, or this machine does not have it.
    """
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return "cuda:0" if count else "cpu"
    if wanted == "cpu":
        return "cpu"
    kind, _, index = wanted.partition(":")
    if kind != "cuda" or not (index == "" or index.isdecimal()):
        raise ModelError(f"Unknown device '{wanted}': use auto, cpu, cuda or cuda:<number>.")
    if int(index or 0) >= count:
        have = f"has {count} CUDA device(s), numbered from 0" if count else "has no CUDA device"
        raise ModelError(
            f"Device '{wanted}' is not there: torch says that this machine {have}. "
            "Use --device auto or cpu."
        )
    return f"cuda:{int(index or 0)}"


def survey() -> Hardware:
    """Everything `lab doctor` shows about models. Imports torch; takes seconds the first time."""
    threads = limit_threads()
    total, free = memory()
    cuda = cuda_devices()
    return Hardware(
        cores=usable_cores(),
        threads=threads,
        memory_total=total,
        memory_free=free,
        cuda=cuda,
        kernel_cpu=four_bit_kernel("cpu"),
        kernel_cuda=four_bit_kernel("cuda") if cuda else None,
        versions={
            name: _version(name) for name in ("torch", "transformers", "bitsandbytes", "peft")
        },
    )


def _version(package: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
