"""The process in which a model's Python runs: it limits itself, then runs what it is given.

Started as a script, without site packages. Reads one JSON object from standard input; what the code
prints goes to standard output. Its arguments are two descriptors: that of the report and that of
the library. The report has a line with the layers that hold, written before the code runs, and then
the secret of this run if the code came to its end, or how it failed.

Code that runs here could write to the report whatever it likes, so only the secret counts, which
`main` writes: see there. Who reads the memory of this process finds it nevertheless (`guard`).
"""

import ctypes
import importlib
import io
import json
import os
import random
import resource
import signal
import sys
import traceback
from contextlib import suppress
from typing import Any

_KEPT_FRAMES = 3
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_UNPROTECTED = 7
_LONGEST_ERROR = 2000


def main() -> None:
    """Take the code, give up what computing does not need, run it, report."""
    asked = json.loads(sys.stdin.buffer.read())
    report = int(sys.argv[1])
    layers = _give_up(asked, int(sys.argv[2]))
    write, leave, describe = os.write, os._exit, _described
    code, secret = asked.pop("code"), [asked.pop("secret").encode()]
    write(report, json.dumps(layers).encode() + b"\n")
    try:
        # While the code runs, the secret is nowhere but on this frame's stack of operands, where no
        # name, frame or object of Python leads; an exception drops it. So it is written only if
        # `_run` came back.
        write(report, secret.pop() + _run(code))
    except BaseException as problem:
        write(report, describe(problem))
    leave(0)


def _run(code: str) -> bytes:
    space = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(compile(code, "<steps>", "exec", dont_inherit=True), space)
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    return b"\n"


def _described(problem: BaseException) -> bytes:
    with suppress(Exception):
        sys.stdout.flush()
    if isinstance(problem, MemoryError):
        return json.dumps({"ended": "memory", "error": "MemoryError"}).encode()
    if isinstance(problem, SystemExit):
        error = "It ended itself before its last line."
    else:
        lines = traceback.format_exception_only(type(problem), problem)
        error = "".join(lines[-_KEPT_FRAMES:]).strip()
    return json.dumps({"ended": "error", "error": error[:_LONGEST_ERROR]}).encode()


def _give_up(asked: dict[str, Any], library: int) -> list[str]:
    """Give up everything that computing does not need; the layers that hold, by name."""
    layers = []
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0) == 0:
        if os.getppid() != asked["lab"]:  # it died before
            os._exit(_UNPROTECTED)
        layers.append("killed when the lab ends")
    seccomp, guard = _imported(asked, library)
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "backslashreplace")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    random.seed(0)  # the same program ends the same
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    used = resource.getrusage(resource.RUSAGE_SELF)
    limits = {
        resource.RLIMIT_CPU: asked["cpu_seconds"] + int(used.ru_utime + used.ru_stime),
        resource.RLIMIT_AS: asked["memory_bytes"],
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 16,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))
    layers.append("limits of processor time, memory and files")
    if seccomp.supported():
        with suppress(OSError):
            seccomp.install()
            layers.append("system calls filtered: no network, files, processes or signals")
    if len(layers) < 3:
        os._exit(_UNPROTECTED)
    guard.install()
    return layers


def _imported(asked: dict[str, Any], library: int) -> tuple[Any, Any]:
    """Import what is not Python, as long as files can be opened; the filter and the guard."""
    sys.path[:0] = [asked["folder"], *asked["folders"]]
    for name in asked["modules"]:
        with suppress(ImportError):
            importlib.import_module(name)
    shelf, seccomp, guard = map(importlib.import_module, ("shelf", "filter", "guard"))
    shelf.install(library)
    return seccomp, guard


main()
