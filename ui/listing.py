"""The lines of the list of sessions: sessions of a person's own, and each batch as one line."""

from typing import Any

from ui.interface import BatchState, SessionInfo, Workbench

MOST_LINES = 200
_LONGEST_QUESTION = 240


def listing(workbench: Workbench, search: str = "") -> dict[str, Any]:
    """Lines, the newest first, at most `MOST_LINES` of them.

    Args:
        workbench: whose sessions.
        search: only what has this text in its question, answer or name, upper and lower case being
            the same. Sessions of batches are listed only if something is searched for.

    Returns:
        `lines`: batches and sessions, told by `kind`; `left_out`: how many more there are.
    """
    wanted = " ".join(search.split()).casefold()
    batches = list(workbench.batches())
    names = {batch.id: batch.name or batch.dataset for batch in batches}
    found = [
        *(_batch_line(batch) for batch in batches if wanted in _batch_text(batch)),
        *(
            _session_line(session, names)
            for session in workbench.sessions()
            if _listed(session, wanted)
        ),
    ]
    found.sort(key=lambda line: -float(line["created"]))
    return {"lines": found[:MOST_LINES], "left_out": max(0, len(found) - MOST_LINES)}


def _listed(session: SessionInfo, wanted: str) -> bool:
    if not wanted:
        return session.batch is None
    return wanted in _flat(session.name, session.question, session.answer or "")


def _batch_text(batch: BatchState) -> str:
    return _flat(batch.name, batch.dataset)


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


def _session_line(session: SessionInfo, batches: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": "session",
        "id": session.id,
        "name": session.name,
        "question": session.question[:_LONGEST_QUESTION],
        "algorithm": session.algorithm,
        "created": session.created,
        "iterations": session.iterations,
        "nodes": session.nodes,
        "answer": session.answer and session.answer[:_LONGEST_QUESTION],
        "correct": session.correct,
        "in_use_by": session.in_use_by,
        "batch": batches.get(session.batch or ""),
    }
