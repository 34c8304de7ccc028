"""The process in which a model's Python runs: it limits itself, then runs what it is given.

Started as a script, without site packages or environment. Reads one JSON object from standard
input; what the code prints goes to standard output, and how it ended to file descriptor 3.
"""

import ctypes
import importlib
import io
import json
import os
import resource
import signal
import sys
import traceback
from contextlib import suppress
from typing import Any

_KEPT_FRAMES = 3
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def main() -> None:
    """Take the code, give up what computing does not need, run it, report."""
    asked = json.loads(sys.stdin.buffer.read())
    report = os.fdopen(3, "w", encoding="utf-8")
    for name in asked["modules"]:
        try:
            __import__(name)
        except ImportError:
            continue
    layers = _limit(asked)
    space = {"__name__": "__main__", "__builtins__": __builtins__}
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "backslashreplace")
    ended, error = "done", ""
    try:
        with suppress(SystemExit):
            exec(compile(asked["code"], "<steps>", "exec"), space)
    except MemoryError:
        ended, error = "memory", "MemoryError"
    except BaseException as problem:
        ended, error = "error", _short(problem)
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    report.write(json.dumps({"ended": ended, "error": error[:2000], "layers": layers}))
    report.flush()
    os._exit(0)


def _limit(asked: dict[str, Any]) -> list[str]:
    """Give up everything that computing does not need; the layers that hold, by name."""
    layers = []
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0) == 0:
        layers.append("dies with the lab")
    limits = {
        resource.RLIMIT_CPU: asked["cpu_seconds"],
        resource.RLIMIT_AS: asked["memory_bytes"],
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 16,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))
    layers.append("limits of processor time, memory and files")
    sys.path.insert(0, asked["folder"])
    seccomp = importlib.import_module("filter")

    sys.path.pop(0)
    if seccomp.supported():
        with suppress(OSError):
            seccomp.install()
            layers.append("system calls filtered: no network, files, processes or signals")
    if asked["must_filter"] and len(layers) < 3:
        os._exit(7)
    return layers


def _short(problem: BaseException) -> str:
    lines = traceback.format_exception_only(type(problem), problem)
    return "".join(lines[-_KEPT_FRAMES:]).strip()


main()
