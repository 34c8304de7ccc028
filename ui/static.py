"""The page's own files, and Plotly's script, at an address that changes with their content.

A browser may keep them for ever: other content has another address. Where the lab is installed is
in no address and no script.
"""

import hashlib
import importlib.metadata
import importlib.resources
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).resolve().parent.parent / "assets" / "web"

PLOTLY = "plotly.min.js"
"""Beside the files of `WEB` for the page; it comes with the Python package and is not copied."""

_DIGITS = 12
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@cache
def version() -> str:
    """Hex digits that tell one content of all files in `WEB`, and one Plotly, from another."""
    found = hashlib.sha256(importlib.metadata.version("plotly").encode())
    for path in sorted(path for path in WEB.rglob("*") if path.is_file()):
        found.update(f"{path.relative_to(WEB).as_posix()}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:_DIGITS]


def address(file: str) -> str:
    """Where the page finds a file of `WEB`: a path from the root of the server."""
    return f"{_root()}/{file}"


def route() -> Mount:
    """Serves the files; for the application that serves the page."""
    files = Mount("/", _Kept(directory=WEB))
    return Mount(_root(), routes=[Route(f"/{PLOTLY}", _plotly), files])


def _root() -> str:
    return f"/lab-web/{version()}"


def _plotly(request: Request) -> Response:
    script = importlib.resources.files("plotly") / "package_data" / PLOTLY
    return FileResponse(str(script), media_type="text/javascript", headers=_FOR_EVER)


class _Kept(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(_FOR_EVER)
        return response
