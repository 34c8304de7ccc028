"""Runs Python that a model has written, in a process that can only compute.

Of the machine it gets processor time, memory and a pipe to print to. System calls for the network,
for files, for processes and for signals to others are refused by the kernel (`filter`), limits hold
for processor time, memory, output and wall clock, and the process ends with the lab. None of this
needs root. Where the kernel has no such filters, running is refused.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from engine.errors import LabError

_CHILD = Path(__file__).with_name("child.py")
_CHUNK = 65_536
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
)
"""What code can import; everything else would need files."""


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


class Ran(msgspec.Struct, frozen=True):
    """How a run ended.

    Attributes:
        ended: done; error: an exception; time, memory or output: that limit was met; killed: the
            kernel or somebody ended it.
        output: what it printed, at most as many bytes as allowed.
        error: the exception in words.
        layers: the protection that held.
        seconds: of wall clock.
    """

    ended: Literal["done", "error", "time", "memory", "output", "killed"]
    output: str
    error: str
    layers: tuple[str, ...]
    seconds: float


def run(code: str, limits: SandboxLimits | None = None) -> Ran:
    """Run code; blocks until it has ended, at most `wall_seconds` and a little.

    Args:
        code: Python; hostile.
        limits: what it may use.

    Raises:
        SandboxError: this machine has no protection that would be enough.
    """
    limits = limits or SandboxLimits()
    if not protection():
        raise SandboxError(
            "This machine cannot filter the system calls of a process (Linux on x86_64 or aarch64 "
            "with seccomp can), so that code of a model is not run here."
        )
    return _run(code, limits)


@cache
def protection() -> tuple[str, ...]:
    """The layers that protect this machine, in words; none if code is not run here."""
    if sys.platform != "linux":
        return ()
    tried = _run("print(1 + 1)", SandboxLimits())
    return tried.layers if tried.output == "2\n" else ()


def _run(code: str, limits: SandboxLimits) -> Ran:
    asked = {
        "code": code,
        "modules": MODULES,
        "folder": str(_CHILD.parent),
        "cpu_seconds": limits.cpu_seconds,
        "memory_bytes": limits.memory_bytes,
        "must_filter": True,
    }
    began = time.monotonic()
    read_end, write_end = os.pipe()
    try:
        process = subprocess.Popen(
            _command(write_end),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            pass_fds=(write_end,),
            start_new_session=True,
        )
    finally:
        os.close(write_end)
    try:
        output, why = _attend(process, json.dumps(asked).encode(), limits, began)
        report = b"" if why else os.read(read_end, _CHUNK)
    finally:
        _end(process)
        os.close(read_end)
    return _told(process.returncode, output, why, report, limits, time.monotonic() - began)


def _command(report: int) -> list[str]:
    # The descriptor of the report becomes 3 in the child, whatever it is here.
    start = f"import os,runpy; os.dup2({report}, 3); runpy.run_path({str(_CHILD)!r})"
    return [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", start]


def _attend(
    process: "subprocess.Popen[bytes]", asked: bytes, limits: SandboxLimits, began: float
) -> tuple[bytes, Literal["", "time", "output"]]:
    """Give it its code and take what it prints; why it had to be ended, "" if it ended itself."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError):
        process.stdin.write(asked)
        process.stdin.close()
    taken = bytearray()
    while True:
        left = began + limits.wall_seconds - time.monotonic()
        if left <= 0:
            return bytes(taken), "time"
        ready, _, _ = select.select([process.stdout], [], [], left)
        if not ready:
            return bytes(taken), "time"
        chunk = os.read(process.stdout.fileno(), _CHUNK)
        if not chunk:
            break
        taken += chunk
        if len(taken) > limits.output_bytes:
            return bytes(taken[: limits.output_bytes]), "output"
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.1, began + limits.wall_seconds - time.monotonic()))
    return bytes(taken), "" if process.returncode is not None else "time"


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
    code: int | None,
    output: bytes,
    why: Literal["", "time", "output"],
    report: bytes,
    limits: SandboxLimits,
    seconds: float,
) -> Ran:
    text = output.decode("utf-8", "backslashreplace")
    if why == "time":
        words = f"It took more than {limits.wall_seconds:g} s."
        return Ran("time", text, words, (), seconds)
    if why == "output":
        words = f"It printed more than {limits.output_bytes:,} bytes."
        return Ran("output", text, words, (), seconds)
    try:
        told = msgspec.json.decode(report, type=_Report)
    except msgspec.DecodeError:
        if code == -signal.SIGXCPU or code == -signal.SIGKILL:
            words = f"It took more than {limits.cpu_seconds} s of processor time."
            return Ran("time", text, words, (), seconds)
        return Ran("killed", text, f"It ended by itself ({code}).", (), seconds)
    return Ran(told.ended, text, told.error, tuple(told.layers), seconds)


class _Report(msgspec.Struct, frozen=True):
    ended: Literal["done", "error", "memory"]
    error: str
    layers: list[str]
