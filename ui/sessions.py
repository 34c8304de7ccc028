"""The sheet of sessions: lists, miniatures, names and tags, copies, deleting, importing."""

import hashlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ui.interface import Workbench
from ui.listing import Wanted, filtered, listing, session_line

ADDRESS = "/lab-import"
MOST_BYTES = 2 * 1024**3
"""Of an uploaded file: what is larger is better imported on the machine itself."""

_MOST_MINIATURES = 60
_MOST_ROWS = 50
_LONGEST = 300
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")


class SessionsDoor:
    """Sessions for the view.

    Args:
        workbench: whose.
    """

    FUNCTIONS: tuple[str, ...] = (
        "sessions",
        "session_list",
        "session_away",
        "miniatures",
        "rename",
        "retag",
        "duplicate",
        "put_away",
        "bring_back",
        "empty_away",
        "samples",
        "begin",
    )

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def sessions(self, search: str = "") -> dict[str, Any]:
        """The short list; see `ui.listing`."""
        return listing(self._workbench, str(search))

    def session_list(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """The long list; see `ui.listing.Wanted`."""
        return filtered(self._workbench, msgspec.convert(wanted, Wanted, strict=False))

    def session_away(self) -> dict[str, Any]:
        """What was deleted and can be had back."""
        found = self._workbench.collection.away()
        return {"rows": [session_line(one, {}) for one in found]}

    def miniatures(self, sessions: list[str]) -> dict[str, Any]:
        """Trees in small by session; those that cannot be drawn are left out."""
        found = {}
        for session in sessions[:_MOST_MINIATURES]:
            try:
                tree = self._workbench.collection.miniature(session)
            except Exception:  # a damaged or deleted one has no picture; its line says the rest
                continue
            found[session] = msgspec.to_builtins(tree)
        return {"trees": found}

    def rename(self, session: str, name: str) -> dict[str, Any]:
        self._workbench.rename(session, str(name))
        return {}

    def retag(self, session: str, tags: list[str]) -> dict[str, Any]:
        """Put tags on a session in place of those there."""
        self._workbench.steering.tag(session, None, [str(tag) for tag in tags])
        return {}

    def duplicate(self, session: str) -> dict[str, Any]:
        """A new session with the whole log of this one."""
        known = next((one for one in self._workbench.sessions() if one.id == session), None)
        title = known and (known.name or " ".join(known.question.split())[:80])
        copy = self._workbench.steering.fork(session, name=f"Copy of {title or session}"[:200])
        return {"session": copy}

    def put_away(self, session: str) -> dict[str, Any]:
        """Delete a session; it can be had back."""
        self._workbench.collection.put_away(session)
        return {}

    def bring_back(self, session: str) -> dict[str, Any]:
        self._workbench.collection.bring_back(session)
        return {}

    def empty_away(self) -> dict[str, Any]:
        """Delete for good what was deleted."""
        return {"deleted": self._workbench.collection.empty()}

    def samples(self) -> dict[str, Any]:
        """Three sample problems, from short to long."""
        problems = sorted(self._workbench.problems("samples"), key=lambda one: len(one.content))
        places = dict.fromkeys(round(k * (len(problems) - 1) / 3) for k in (0, 1, 2))
        shown = [problems[place] for place in places if 0 <= place < len(problems)]
        return {"problems": [{"id": one.id, "content": one.content} for one in shown]}

    def begin(self, problem: str, iterations: int = 10) -> dict[str, Any]:
        """Search a sample problem as the form does at first."""
        found = next((p for p in self._workbench.problems("samples") if p.id == problem), None)
        if found is None:
            return {"error": "There is no such sample problem."}
        session = self._workbench.create(found.content, found.answer)
        self._workbench.run(session, iterations=int(iterations))
        return {"session": session}


def route(workbench: Workbench) -> Route:
    """Takes a file as the body of a request and imports it: see `lab import`.

    Query: `name` of the file; `skip` to import the rest of a file with bad rows.
    """

    async def take(request: Request) -> Response:
        path, batch = None, None
        skip = request.query_params.get("skip") == "1"
        try:
            path = await _kept(request, workbench.home / "imports")
            report = await run_in_threadpool(workbench.imports.read, path, skip_bad=skip)
            batch = report.batch
            return JSONResponse(_told(msgspec.to_builtins(report)))
        except Exception as error:  # it belongs where the person looks
            said = str(error) or type(error).__name__
            known = request.query_params.get("name") or "the file"
            return JSONResponse({"error": said.replace(str(path), known)})
        finally:
            if path is not None and batch is None:  # nothing goes back to it
                path.unlink(missing_ok=True)

    return Route(ADDRESS, take, methods=["POST"])


async def _kept(request: Request, folder: Path) -> Path:
    """The body as a file of a plain name that tells its content; a batch may be read again."""
    folder.mkdir(parents=True, exist_ok=True)
    name = _STRANGE.sub("-", Path(request.query_params.get("name", "")).name).strip("-.") or "file"
    digest, size = hashlib.sha256(), 0
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", delete=False) as file:
        draft = Path(file.name)
        try:
            async for part in request.stream():
                size += len(part)
                if size > MOST_BYTES:
                    raise ValueError(
                        f"The file has more than {MOST_BYTES // 1024**3} GiB: import it with "
                        "`lab import FILE`."
                    )
                digest.update(part)
                file.write(part)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    return draft.replace(folder / f"{digest.hexdigest()[:8]}-{name[-80:]}")


def _told(report: dict[str, Any]) -> dict[str, Any]:
    """A report of an import, cut to what a page can show."""
    for part in ("rejected", "repeated"):
        rows = report[part]
        report[part] = {
            "count": len(rows),
            "rows": [
                {"place": str(row["place"])[:_LONGEST], "reason": str(row["reason"])[:_LONGEST]}
                for row in rows[:_MOST_ROWS]
            ],
        }
    imported = report.pop("imported")
    return {
        "kind": report["kind"],
        "batch": report["batch"],
        "first": imported[0] if imported else (report["known"][:1] or [None])[0],
        "imported": len(imported),
        "known": len(report["known"]),
        "rejected": report["rejected"],
        "repeated": report["repeated"],
    }
