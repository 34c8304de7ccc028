"""Runs Python that a model has written, in a process that can only compute.

Of the machine it gets processor time, memory and a pipe to print to. System calls for the network,
for files, for processes and for signals to others are refused by the kernel (`filter`), limits hold
for processor time, memory, output and wall clock, and the process ends with the lab. None of this
needs root. Where the kernel has no such filters, running is refused.

How a run ended is not believed to the code: only a secret of this run, which the process writes
when the code came to its last line, together with its exit code says that it ran (`child`). So code
that ends its process early, or writes what it likes to the report, did not run. The limit of that:
code which reads the memory of its own process, as numpy can and made-up byte code, can find the
secret. It can then say of itself that it ran, and can do nothing else that other code cannot.
"""

import json
import math
import os
import re
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from engine.errors import LabError
from engine.sandbox.library import Library, library

_CHILD = Path(__file__).with_name("child.py")
_CHUNK = 65_536
_LONGEST_REPORT = 8_192
_LOOK_SECONDS = 0.1  # how soon a run that is not wanted any more ends
_PROBE_SECONDS = 10.0  # after which a machine that could not protect itself is tried again
MODULES = (
    "math",
    "cmath",
    "fractions",
    "decimal",
    "itertools",
    "functools",
    "collections",
    "operator",
    "random",
    "statistics",
    "re",
    "string",
    "datetime",
    "bisect",
    "heapq",
    "copy",
    "typing",
    "json",
    "time",
    "array",
    "struct",
    "unicodedata",
    "_blake2",
    "_bz2",
    "_contextvars",
    "_csv",
    "_lzma",
    "_md5",
    "_opcode",
    "_posixsubprocess",
    "_sha1",
    "_sha2",
    "_sha256",
    "_sha3",
    "_sha512",
    "_socket",
    "binascii",
    "fcntl",
    "select",
    "zlib",
)
"""Imported before files are out of reach: what most use, and modules that are not Python (sympy
imports `subprocess`, and that some of them; the kernel refuses what they would do).
"""

_NUMPY = (
    "numpy",
    "numpy.ctypeslib",
    "numpy.fft",
    "numpy.linalg",
    "numpy.polynomial",
    "numpy.random",
)
"""Likewise, where the code speaks of numpy."""

_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the same program ends the same
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_REFUSAL = (
    "This machine cannot filter the system calls of a process (Linux on x86_64 or aarch64 "
    "with seccomp can), so that code of a model is not run here."
)


class SandboxError(LabError):
    """This machine cannot run a model's code safely."""


class SandboxLimits(msgspec.Struct, frozen=True):
    """What code may use.

    Attributes:
        cpu_seconds: of processor time, whole.
        wall_seconds: from start to end.
        memory_bytes: of address space.
        output_bytes: printed; more ends the run.
    """

    cpu_seconds: int = 5
    wall_seconds: float = 10.0
    memory_bytes: int = 512 * 1024 * 1024
    output_bytes: int = 65_536


Ended = Literal["done", "error", "time", "memory", "output", "killed", "cancelled"]


class Ran(msgspec.Struct, frozen=True):
    """How a run ended.

    Attributes:
        ended: done: it came to its last line; error: an exception, or it ended itself; time, memory
            or output: that limit was met; killed: its process ended in another way; cancelled: it
            was not wanted any more, or not begun.
        output: what it printed, at most as many bytes as allowed.
        error: the exception in words.
        layers: the protection that held.
        seconds: of wall clock.
    """

    ended: Ended
    output: str
    error: str
    layers: tuple[str, ...]
    seconds: float


_CANCELLED = Ran("cancelled", "", "It was not wanted any more.", (), 0.0)


def never() -> bool:
    """Cancels nothing."""
    return False


def run(
    code: str, limits: SandboxLimits | None = None, cancelled: Callable[[], bool] = never
) -> Ran:
    """Run code; blocks until it has ended, at most `wall_seconds` and a little.

    Args:
        code: Python; hostile.
        limits: what it may use.
        cancelled: asked all the time; the run ends when it says so.

    Raises:
        SandboxError: this machine has no protection that would be enough.
    """
    if not protection():
        raise SandboxError(_REFUSAL)
    return _run(code, limits or SandboxLimits(), cancelled, library())


def run_all(
    codes: Sequence[str],
    limits: SandboxLimits | None = None,
    cancelled: Callable[[], bool] = never,
    patience: float = math.inf,
) -> list[Ran]:
    """Run several programs, as many at a time as there are cores; how they ended, in order.

    An exception meanwhile, such as that of Ctrl-C, ends all of them. Raises as `run`.

    cancelled: as of `run`, asked in several threads. patience: seconds after which none is begun.
    """
    if not protection():
        raise SandboxError(_REFUSAL)
    failed = threading.Event()
    latest = time.monotonic() + patience

    def one(code: str) -> Ran:
        if time.monotonic() > latest:
            return _CANCELLED
        return run(code, limits=limits, cancelled=lambda: failed.is_set() or cancelled())

    with ThreadPoolExecutor(max(1, min(len(codes), len(os.sched_getaffinity(0))))) as pool:
        try:
            return list(pool.map(one, codes))
        except BaseException:
            failed.set()
            raise


class _Probe:
    """What protects this machine, as tried last. It may have failed for want of memory only."""

    def __init__(self) -> None:
        self._layers: tuple[str, ...] = ()
        self._again = -math.inf

    def layers(self) -> tuple[str, ...]:
        if not self._layers and time.monotonic() >= self._again:
            with suppress(OSError):
                tried = _run("print(1 + 1)", SandboxLimits(), never, Library(-1, {}))
                if (tried.ended, tried.output) == ("done", "2\n"):
                    self._layers = tried.layers
            self._again = time.monotonic() + _PROBE_SECONDS
        return self._layers


_probe = _Probe()


def protection() -> tuple[str, ...]:
    """The layers that protect this machine, in words; none if code is not run here."""
    return _probe.layers() if sys.platform == "linux" else ()


def in_words() -> str:
    """What this machine offers, in a sentence for a person."""
    layers = protection()
    return f"This machine offers: {'; '.join(layers)}." if layers else _REFUSAL


def _run(code: str, limits: SandboxLimits, cancelled: Callable[[], bool], books: Library) -> Ran:
    if cancelled():
        return _CANCELLED
    began = time.monotonic()
    compiled = [name for name in _NUMPY if "numpy" in books.folders and re.search("numpy", code)]
    secret = secrets.token_hex()
    asked = {
        "code": code,
        "secret": secret,
        "lab": os.getpid(),
        "modules": (*MODULES, *compiled),
        "folder": str(_CHILD.parent),
        "folders": sorted(set(books.folders.values())),
        "cpu_seconds": limits.cpu_seconds,
        "memory_bytes": limits.memory_bytes,
    }
    report, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        process = subprocess.Popen(
            _command(write_end, books.descriptor),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            pass_fds=[one for one in (write_end, books.descriptor) if one >= 0],
            start_new_session=True,
        )
    finally:
        os.close(write_end)
    try:
        taken = _attend(process, json.dumps(asked).encode(), report, limits, cancelled, began)
    finally:
        _end(process)
        os.close(report)
    return _told(process.returncode, taken, secret.encode(), limits, time.monotonic() - began)


def _command(report: int, books: int) -> list[str]:
    flags = ["-s", "-P", "-S", "-B", "-X", "utf8"]
    return [sys.executable, *flags, str(_CHILD), str(report), str(books)]


class _Taken(msgspec.Struct):
    """What came from a process, and why it had to be ended, "" if it ended itself."""

    output: bytearray
    report: bytearray
    why: Literal["", "time", "output", "cancelled"] = ""


def _attend(
    process: "subprocess.Popen[bytes]",
    asked: bytes,
    report: int,
    limits: SandboxLimits,
    cancelled: Callable[[], bool],
    began: float,
) -> _Taken:
    """Give it its code and take what it prints and reports, both up to their limits."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.write(asked)
        process.stdin.close()
    taken = _Taken(bytearray(), bytearray())
    printed = process.stdout.fileno()
    streams = {
        printed: (taken.output, limits.output_bytes),
        report: (taken.report, _LONGEST_REPORT),
    }
    waiting = list(streams)
    while waiting:
        left = began + limits.wall_seconds - time.monotonic()
        if cancelled():
            taken.why = "cancelled"
            return taken
        if left <= 0:
            taken.why = "time"
            return taken
        for stream in select.select(waiting, [], [], min(left, _LOOK_SECONDS))[0]:
            chunk = os.read(stream, _CHUNK)
            into, most = streams[stream]
            into += chunk
            if not chunk:
                waiting.remove(stream)
            elif len(into) > most:
                del into[most:]
                taken.why = "output"
                return taken
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.1, began + limits.wall_seconds - time.monotonic()))
    taken.why = "time" if process.returncode is None else ""
    return taken


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill it with everything that it may have started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _told(
    code: int | None, taken: _Taken, secret: bytes, limits: SandboxLimits, seconds: float
) -> Ran:
    """How it ended, by what the lab knows itself; only the words of an error are the process's."""
    text = taken.output.decode("utf-8", "backslashreplace")
    first, _, rest = bytes(taken.report).partition(b"\n")
    layers: tuple[str, ...] = ()
    with suppress(msgspec.DecodeError):  # where it ended before it could run anything
        layers = msgspec.json.decode(first, type=tuple[str, ...])
    ended: Ended
    if taken.why == "time":
        ended, words = "time", f"It took more than {limits.wall_seconds:g} s."
    elif taken.why == "output":
        ended, words = "output", f"It printed more than {limits.output_bytes:,} bytes."
    elif taken.why == "cancelled":
        return _CANCELLED
    elif code == 0 and secret in rest:
        ended, words = "done", ""
    elif code in (-signal.SIGXCPU, -signal.SIGKILL):
        ended, words = "time", f"It took more than {limits.cpu_seconds} s of processor time."
    else:
        ended, words = _failed(rest, code)
    return Ran(ended, text, words, layers, seconds)


def _failed(report: bytes, code: int | None) -> tuple[Ended, str]:
    try:
        failure = msgspec.json.decode(report, type=_Failure)
    except msgspec.DecodeError:
        return "killed", f"It ended itself before its last line (exit code {code})."
    return failure.ended, failure.error


class _Failure(msgspec.Struct, frozen=True):
    ended: Literal["error", "memory"]
    error: str
