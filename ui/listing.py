"""Lists of sessions: the short one under the page's title, and the long one with filters."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import msgspec

from ui.interface import BatchState, SessionInfo, Workbench

MOST_LINES = 200
_LONGEST_QUESTION = 240

Outcome = Literal["right", "wrong", "ungraded", "none"]
Order = Literal["newest", "oldest", "changed", "nodes", "name"]


class Wanted(msgspec.Struct, frozen=True):
    """Which sessions a person wants to see; what is "" or None does not filter.

    Attributes:
        search: text in question, answer, name, tag or id, upper and lower case being the same.
        outcome: what became of the answer.
        algorithm: of the search.
        source: "own" for those of no batch, or the id of a batch.
        tag: one of its tags.
        since, until: Unix seconds, between which it was made.
        order: of the rows.
        offset, limit: which of the rows.
    """

    search: str = ""
    outcome: Outcome | Literal[""] = ""
    algorithm: str = ""
    source: str = ""
    tag: str = ""
    since: float | None = None
    until: float | None = None
    order: Order = "newest"
    offset: int = 0
    limit: int = 50


def listing(workbench: Workbench, search: str = "") -> dict[str, Any]:
    """Lines, the newest first, at most `MOST_LINES` of them.

    Args:
        workbench: whose sessions.
        search: only what has this text in its question, answer or name, upper and lower case being
            the same. Sessions of batches are listed only if something is searched for.

    Returns:
        `lines`: batches and sessions, told by `kind`; `left_out`: how many more there are.
    """
    wanted = _flat(search)
    batches = list(workbench.batches())
    names = _names(batches)
    found = [
        *(_batch_line(batch) for batch in batches if wanted in _flat(batch.name, batch.dataset)),
        *(
            session_line(session, names)
            for session in workbench.sessions()
            if (wanted in _text(session) if wanted else session.batch is None)
        ),
    ]
    found.sort(key=lambda line: -float(line["created"]))
    return {"lines": found[:MOST_LINES], "left_out": max(0, len(found) - MOST_LINES)}


def filtered(workbench: Workbench, wanted: Wanted) -> dict[str, Any]:
    """The rows that a person wants to see, and what can be filtered by.

    Returns:
        `rows` and their `total` number; `counts` of every outcome among what the other filters let
        through; `algorithms`, `tags` and `batches` that there are; `away`: how many sessions were
        deleted and can be had back.
    """
    sessions = list(workbench.sessions())
    batches = list(workbench.batches())
    names = _names(batches)
    passed = [one for one in sessions if _passes(one, wanted)]
    kinds = [outcome_of(one) for one in passed]
    rows = [one for one, kind in zip(passed, kinds, strict=True) if wanted.outcome in ("", kind)]
    page = _sorted(rows, wanted.order)[max(0, wanted.offset) :][: min(wanted.limit, MOST_LINES)]
    used = {one.batch for one in sessions}
    return {
        "rows": [session_line(one, names) for one in page],
        "total": len(rows),
        "counts": {kind: kinds.count(kind) for kind in get_args(Outcome)} | {"all": len(passed)},
        "everything": len(sessions),
        "algorithms": sorted({one.algorithm for one in sessions}),
        "tags": sorted({tag for one in sessions for tag in one.tags}),
        "batches": [{"id": b.id, "name": names[b.id]} for b in batches if b.id in used],
        "away": len(workbench.collection.away()),
    }


def outcome_of(session: SessionInfo) -> Outcome:
    """What became of a session's answer."""
    if session.answer is None:
        return "none"
    return "ungraded" if session.correct is None else "right" if session.correct else "wrong"


def _passes(session: SessionInfo, wanted: Wanted) -> bool:
    text = _flat(wanted.search)
    source = session.batch or "own"
    return (
        (not text or text in _text(session) or session.id.startswith(text))
        and wanted.algorithm in ("", session.algorithm)
        and wanted.source in ("", source)
        and (not wanted.tag or wanted.tag in session.tags)
        and (wanted.since is None or session.created >= wanted.since)
        and (wanted.until is None or session.created <= wanted.until)
    )


def _sorted(sessions: Sequence[SessionInfo], order: Order) -> list[SessionInfo]:
    """In an order; sessions come newest first, and stay so where the order says nothing."""
    if order == "oldest":
        return sorted(sessions, key=lambda one: one.created)
    if order == "changed":
        return sorted(sessions, key=lambda one: -one.updated)
    if order == "nodes":
        return sorted(sessions, key=lambda one: -one.nodes)
    if order == "name":
        return sorted(sessions, key=lambda one: _flat(one.name or one.question))
    return list(sessions)


def _names(batches: Iterable[BatchState]) -> dict[str, str]:
    return {batch.id: batch.name or batch.dataset for batch in batches}


def _text(session: SessionInfo) -> str:
    return _flat(session.name, session.question, session.answer or "", *session.tags)


def _flat(*texts: str) -> str:
    return " ".join(" ".join(texts).split()).casefold()


def _batch_line(batch: BatchState) -> dict[str, Any]:
    return {
        "kind": "batch",
        "id": batch.id,
        "name": batch.name,
        "dataset": batch.dataset,
        "created": batch.created,
        "problems": batch.problems,
        "done": batch.done,
        "right": batch.right,
        "graded": batch.right + batch.wrong,
        "active": batch.active,
    }


def session_line(session: SessionInfo, batches: dict[str, str]) -> dict[str, Any]:
    """A session as the page lists it; `batches` are the names of batches by id."""
    return {
        "kind": "session",
        "id": session.id,
        "name": session.name,
        "tags": list(session.tags),
        "question": session.question[:_LONGEST_QUESTION],
        "algorithm": session.algorithm,
        "created": session.created,
        "updated": session.updated,
        "deleted": session.deleted,
        "iterations": session.iterations,
        "nodes": session.nodes,
        "answer": session.answer and session.answer[:_LONGEST_QUESTION],
        "correct": session.correct,
        "in_use_by": session.in_use_by,
        "batch": batches.get(session.batch or ""),
    }
