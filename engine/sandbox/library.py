"""The modules that a model's code can import, as bytes in memory.

A process that may open no file can import nothing from disk. So the lab reads the modules once, the
standard library, sympy, mpmath and numpy as far as they are installed, into one sealed memory file;
each run maps it, read-only, and imports from there (`shelf`). What is compiled already is taken
compiled.
"""

import fcntl
import importlib.util
import marshal
import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("sympy", "mpmath", "numpy")
"""What code can import beside the standard library, where it is installed."""

_IDLE = {
    "__pycache__",
    "benchmarks",
    "config",
    "curses",
    "dbm",
    "distutils",
    "ensurepip",
    "idlelib",
    "lib-dynload",
    "lib2to3",
    "multiprocessing",
    "pydoc_data",
    "site-packages",
    "sqlite3",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
    "venv",
    "wsgiref",
    "xmlrpc",
}
"""Folders without anything that computing needs."""

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_PYC_HEAD = 16


class Library(NamedTuple):
    """The memory file, -1 for an empty one, and where each package lies on disk (for modules that
    are no Python).
    """

    descriptor: int
    folders: dict[str, str]


@cache
def library() -> Library:
    """The library of this process; made once."""
    folders = {name: folder for name in PACKAGES if (folder := _folder(name))}
    index: dict[str, tuple[int, int, bool, bool]] = {}
    body = bytearray()
    roots = [(Path(sysconfig.get_paths()["stdlib"]), "")]
    roots += [(Path(folder) / name, name) for name, folder in folders.items()]
    for root, package in roots:
        for name, path in _modules(root, package):
            data, compiled = _code(path)
            index[name] = (len(body), len(data), path.name == "__init__.py", compiled)
            body += data
    head = marshal.dumps(index)
    descriptor = os.memfd_create("library", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(len(head).to_bytes(8, "little") + head + body)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    return Library(descriptor, folders)


def _folder(package: str) -> str:
    """The folder that a package lies in, "" if it is not installed."""
    spec = importlib.util.find_spec(package)
    places = spec.submodule_search_locations if spec is not None else None
    return str(Path(places[0]).parent) if places else ""


def _modules(folder: Path, package: str) -> Iterator[tuple[str, Path]]:
    """The modules of a folder by name; "" is the top."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py":
            parts = [package] if path.name == "__init__.py" else [package, path.stem]
            yield ".".join(filter(None, parts)), path
        elif (path / "__init__.py").exists() and path.name not in _IDLE:
            yield from _modules(path, ".".join(filter(None, [package, path.name])))


def _code(path: Path) -> tuple[bytes, bool]:
    """The bytes of a module, and whether they are compiled; stale ones are passed over."""
    try:
        compiled = Path(importlib.util.cache_from_source(str(path))).read_bytes()
        found = path.stat()
    except (OSError, NotImplementedError):
        return path.read_bytes(), False
    times = (int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)
    head = (
        importlib.util.MAGIC_NUMBER
        + bytes(4)
        + b"".join(number.to_bytes(4, "little") for number in times)
    )
    if compiled[:_PYC_HEAD] != head or sys.flags.optimize:
        return path.read_bytes(), False
    return compiled[_PYC_HEAD:], True
