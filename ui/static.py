"""The page's own files at an address that changes with their content.

A browser may keep them for ever: other content has another address. Where the lab is installed is
in no address and no script.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).resolve().parent.parent / "assets" / "web"

_DIGITS = 12


@cache
def version() -> str:
    """Hex digits that tell one content of all files in `WEB` from another."""
    found = hashlib.sha256()
    for path in sorted(path for path in WEB.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(WEB).as_posix()}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:_DIGITS]


def address(file: str) -> str:
    """Where the page finds a file of `WEB`: a path from the root of the server."""
    return f"{_root()}/{file}"


def route() -> Mount:
    """Serves the files; for the application that serves the page."""
    return Mount(_root(), _Kept(directory=WEB))


def _root() -> str:
    return f"/lab-web/{version()}"


class _Kept(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
