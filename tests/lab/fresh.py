"""The `lab` command in a process of its own that need not import large libraries again.

One server per test process has imported them; it is forked for each command, which then starts
from nothing as any other: arguments, environment, standard streams and exit code are its own, and
no module of the lab was imported before.
"""

import gc
import io
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

LIBRARIES = (
    *("torch", "transformers", "bitsandbytes", "peft", "sympy", "sqlite_utils"),
    *("pydantic.types", "typer", "rich.console", "msgspec"),
)
PATIENCE = 300.0  # seconds

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(LIBRARIES))


class Command:
    """One that runs; leave the `with` and it has ended, whatever happened."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._said = " ".join(arguments)
        self._folder = tempfile.TemporaryDirectory()
        self._out, self._err = (Path(self._folder.name, name) for name in ("out", "err"))
        self._process = _context.Process(
            target=_main, args=(arguments, dict(environment), self._out, self._err)
        )

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._folder.cleanup()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.is_alive()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def ended(self) -> tuple[int, str, str]:
        """Wait for its end; its exit code (of a signal, minus that), output and errors."""
        self._process.join(PATIENCE)
        if self._process.exitcode is None:
            raise TimeoutError(f"lab {self._said} did not end within {PATIENCE:g} s")
        out, err = (
            path.read_text("utf-8") if path.exists() else "" for path in (self._out, self._err)
        )
        return self._process.exitcode, out, err


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Run it to its end without input; its exit code, output and errors."""
    with Command(arguments, environment) as command:
        return command.ended()


def _main(arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path) -> None:
    gc.freeze()  # the libraries stay: each look through them takes a third of a second
    os.environ.clear()
    os.environ.update(environment)
    streams = (os.open(os.devnull, os.O_RDONLY), *map(_new, (out, err)))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, mode), "utf-8") for number, mode in enumerate("rww")
    )
    sys.argv = ["lab", *arguments]
    from lab.cli import main

    main()


def _new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT)
