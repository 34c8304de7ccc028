"""Exports on the page: what may be asked for, what would be written, and the way to the file."""

import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ui.batches import PageError
from ui.interface import Workbench

ADDRESS = "/lab-exports"

_MOST_SKIPPED = 50
_MOST_CHOSEN = 10_000
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "no-store",
}


class ExportDoor:
    """Exports for the view.

    Args:
        workbench: what is shown.
    """

    FUNCTIONS: tuple[str, ...] = ("export_options", "export_preview", "export_save")

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def export_options(self, session: str | None) -> dict[str, Any]:
        """What can be asked for while a session is open."""
        found: dict[str, Any] = msgspec.to_builtins(self._workbench.exports.orders.options(session))
        return found

    def export_preview(self, entered: Mapping[str, Any]) -> dict[str, Any]:
        """What an export would write; nothing is written."""
        return _told(self._workbench.exports.orders.count(order(entered)))

    def export_save(self, entered: Mapping[str, Any]) -> dict[str, Any]:
        """Write an export; `address` is where a browser gets it."""
        saved = self._workbench.exports.orders.save(order(entered))
        return {**_told(saved), "address": saved.name and f"{ADDRESS}/{quote(saved.name)}"}


def _told(outlook: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(outlook)
    counts = found["counts"]
    if counts:
        counts["skipped_count"] = len(counts["skipped"])
        counts["skipped"] = counts["skipped"][:_MOST_SKIPPED]
    return found


def order(entered: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the page's form as an order for an export.

    Raises:
        PageError: something is missing, or no number or date.
    """
    text = {name: str(value).strip() for name, value in entered.items() if value is not None}
    settings: dict[str, Any] = {
        "method": text.get("method") or "paper",
        "correct": entered.get("correct") is True,
        "chat": entered.get("chat") is True,
        "min_value": _number("The least value", text.get("min_value", "")),
    }
    if text.get("by"):
        settings["by"] = text["by"]
    if text.get("margin"):
        settings["margin"] = _number("The margin", text["margin"])
    if text.get("most_pairs"):
        settings["most_pairs"] = _whole("Most pairs", text["most_pairs"])
    if str(entered.get("prompt") or ""):
        settings["prompt"] = str(entered["prompt"]).replace("\\n", "\n")
    return {
        "selection": _selection(text, entered.get("sessions")),
        "form": text.get("form") or "values",
        "rows": entered.get("rows") is not False,
        "container": text.get("container") or "jsonl",
        "settings": settings,
        "bare": entered.get("bare") is True,
        "name": text.get("name", ""),
    }


def _selection(text: Mapping[str, str], sessions: Any) -> dict[str, Any]:
    """Which sessions: the open one, its batch, those chosen, or all that match."""
    what = text.get("what") or "tree"
    if what == "some":
        some = [str(one) for one in sessions] if isinstance(sessions, list) else []
        if not some:
            raise PageError("No session is chosen: choose some on the sheet of sessions.")
        return {"sessions": some[:_MOST_CHOSEN]}
    if what == "tree":
        if not text.get("session"):
            raise PageError("Open a session first, or export everything that matches a filter.")
        return {"sessions": [text["session"]]}
    if what == "batch":
        if not text.get("batch"):
            raise PageError("This session belongs to no batch.")
        return {"batch": text["batch"]}
    chosen = {name: text[name] for name in ("dataset", "algorithm", "answered") if text.get(name)}
    dates = {name: _moment(text[name]) for name in ("since", "until") if text.get(name)}
    return {**chosen, **dates}


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise PageError(
            f"{text[:40]!r} is no date: it takes one such as 2026-11-20 or 2026-11-20T17:30."
        ) from error


def _number(name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        raise PageError(f"{name} cannot be {text[:40]!r}: it takes a number.") from error


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise PageError(f"{name} cannot be {text[:40]!r}: it takes a whole number from 1 on.")
    return int(text)


def route(workbench: Workbench) -> Route:
    """Serves what lies in the folder of exports, as downloads only; a folder comes as zip."""

    def download(request: Request) -> Response:
        return _served(workbench.exports.folder, request.path_params["name"])

    return Route(f"{ADDRESS}/{{name:path}}", download)


def _served(folder: Path, name: str) -> Response:
    path = folder / name
    plain = name and Path(name).name == name and not name.startswith(".") and "\0" not in name
    if not plain or path.is_symlink() or not path.exists():
        raise HTTPException(404, "There is no such export.")
    if path.is_dir():
        return _zipped(path)
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=name,
        headers=_SAFE,
        content_disposition_type="attachment",
    )


def _zipped(path: Path) -> Response:
    draft = Path(tempfile.mkdtemp(prefix="lab-export-"))
    archive = shutil.make_archive(str(draft / "export"), "zip", path.parent, path.name)
    return FileResponse(
        archive,
        media_type="application/zip",
        filename=f"{path.name}.zip",
        headers=_SAFE,
        content_disposition_type="attachment",
        background=BackgroundTask(shutil.rmtree, draft, ignore_errors=True),
    )
