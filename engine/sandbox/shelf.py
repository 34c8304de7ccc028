"""Imports modules from the library that the lab has put into memory: see `library`.

Part of the process in which a model's code runs; imports nothing of the lab.
"""

import marshal
import mmap
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


class Shelf:
    """Finds and loads the modules of a library; for `sys.meta_path`."""

    def __init__(self, descriptor: int) -> None:
        self._bytes = memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))
        os.close(descriptor)
        self._start = 8 + int.from_bytes(self._bytes[:8], "little")
        self._index = marshal.loads(self._bytes[8 : self._start])

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if name not in self._index:
            return None
        spec = ModuleSpec(name, self, origin=self._origin(name), is_package=self._index[name][2])  # type: ignore[arg-type]
        spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """The default one."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        start, length, _, compiled = self._index[module.__name__]
        code = self._bytes[self._start + start : self._start + start + length]
        if compiled:
            exec(marshal.loads(code), module.__dict__)
        else:
            origin = self._origin(module.__name__)
            exec(compile(bytes(code), origin, "exec", dont_inherit=True), module.__dict__)

    def _origin(self, name: str) -> str:
        inside = "/__init__" if self._index[name][2] else ""
        return f"/library/{name.replace('.', '/')}{inside}.py"


def install(descriptor: int) -> None:
    """From here on modules come from the library only, but for those built into Python.

    descriptor: of the library, -1 for an empty one.
    """
    sys.meta_path[-1:] = [Shelf(descriptor)] if descriptor >= 0 else []
    sys.path.clear()
    sys.path_importer_cache.clear()
