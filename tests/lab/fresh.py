"""The `lab` command in a process of its own that need not import large libraries again.

One server per test process has imported them; it is forked for each command, which then starts
from nothing as any other: arguments, environment, standard streams and exit code are its own, and
no module of the lab was imported before.
"""

import io
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

LIBRARIES = ("torch", "transformers", "bitsandbytes", "peft", "math_verify", "sqlite_utils")
PATIENCE = 300.0  # seconds

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(LIBRARIES))


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Run it to its end without input; its exit code, output and errors."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _context.Process(target=_main, args=(arguments, dict(environment), out, err))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"lab {' '.join(arguments)} did not end within {PATIENCE:g} s")
        return process.exitcode, out.read_text("utf-8"), err.read_text("utf-8")


def _main(arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path) -> None:
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
