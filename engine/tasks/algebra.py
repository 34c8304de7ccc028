"""Symbolic comparison in a helper process that can be ended.

A computer algebra system may work for hours, or fill the memory, on one hostile line, and its own
deadlines rest on signals that only a main thread gets. So it runs in a process of its own with a
limit on memory, and is ended when it has not answered in time.
"""

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from typing import Any

DEADLINE = 5.0
"""Seconds for one comparison, after the helper has started."""

START_DEADLINE = 60.0
"""Seconds for the helper to start: it imports sympy."""


class Helper:
    """The helper process; started at the first question, again after it had to be ended."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self.deadline = deadline
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def same(self, answer: str, gold: str) -> bool | None:
        """Whether two answers are equal; None if the helper did not answer in time."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = _start()
                if self._read(START_DEADLINE) != "ready":
                    self.stop()
                    return None
            reply = self._ask({"answer": answer, "gold": gold})
            if reply is None:
                self.stop()
            return reply

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _ask(self, question: dict[str, str]) -> bool | None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return None
        reply = self._read(self.deadline)
        return reply if isinstance(reply, bool) else None

    def _read(self, seconds: float) -> Any:
        """One JSON line of the process, None if there is none in time."""
        assert self._process is not None
        assert self._process.stdout is not None
        stream, line = self._process.stdout.fileno(), b""
        end = time.monotonic() + seconds
        while not line.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                return None
            part = os.read(stream, 4096)
            if not part:
                return None
            line += part
        return json.loads(line)


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "engine.tasks.algebra_helper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


_helper = Helper()
atexit.register(_helper.stop)


def same_value(answer: str, gold: str) -> bool | None:
    """Whether two answers, each a formula or a list of them, are mathematically equal.

    None if that could not be decided within `DEADLINE` seconds.
    """
    return _helper.same(answer, gold)
