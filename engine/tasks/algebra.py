"""Symbolic comparison in a helper process that can be ended.

A computer algebra system may work for hours, or fill the memory, on one hostile line, and its own
deadlines rest on signals that only a main thread gets. So it runs in a process of its own with
limits on memory and processor time, and is ended when it has not answered in time.
"""

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from functools import lru_cache
from typing import IO

PROCESSOR_SECONDS = 5.0
"""Processor time for one comparison. A busy machine does not change what can be decided."""

DEADLINE = 30.0
"""Seconds by the clock for one comparison, whatever the helper does meanwhile."""

START_DEADLINE = 120.0
"""Seconds by the clock for the helper to start: it imports sympy."""


class Helper:
    """The helper process; started at the first question, again after it ended.

    Args:
        processor_seconds: processor time for one comparison.
        deadline: seconds by the clock for one comparison.
    """

    def __init__(
        self, processor_seconds: float = PROCESSOR_SECONDS, deadline: float = DEADLINE
    ) -> None:
        self.processor_seconds = processor_seconds
        self.deadline = deadline
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._lock = threading.Lock()

    def same(self, answer: str, gold: str) -> bool | None:
        """Whether two answers are equal; None if the helper did not answer in time."""
        with self._lock:
            if self._process is None:
                self._start()
                if self._read(START_DEADLINE) is None:
                    self._end()
                    return None
            if self._send({"answer": answer, "gold": gold}):
                line = self._read(self.deadline)
                if line is not None:
                    reply = json.loads(line)
                    return reply if isinstance(reply, bool) else None
            self._end()
            return None

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        # -P: a file of the working directory must not stand in for a module.
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "engine.tasks.algebra_helper",
                str(self.processor_seconds),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._lines = queue.SimpleQueue()
        assert self._process.stdout is not None
        threading.Thread(
            target=_pump, args=(self._process.stdout, self._lines), daemon=True
        ).start()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # a question may still be in its buffer
                process.stdin.close()

    def _send(self, question: dict[str, str]) -> bool:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:  # it has died since the last answer
            return False
        return True

    def _read(self, seconds: float) -> bytes | None:
        """The helper's next line, None if it ended or is late."""
        try:
            return self._lines.get(timeout=seconds) or None
        except queue.Empty:
            return None


def _pump(stream: IO[bytes], lines: "queue.SimpleQueue[bytes]") -> None:
    """Carry lines from a pipe, which has no deadlines, to a queue, which has; b"" is the end."""
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(b"")


_helper = Helper()
atexit.register(_helper.stop)


def same_value(answer: str, gold: str) -> bool | None:
    """Whether two answers, each a formula or a list of them, are mathematically equal.

    None if that could not be decided within `PROCESSOR_SECONDS`.
    """
    return _same(*sorted((answer, gold)))


@lru_cache(maxsize=4096)
def _same(one: str, other: str) -> bool | None:
    return _helper.same(one, other)
