"""Datasets on the page: what a reader found in one, batches and their problems, going on."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ui.interface import (
    BatchProblem,
    BatchState,
    Dataset,
    DatasetRow,
    SessionInfo,
    Workbench,
)

BUNDLED = ("samples", "heldout", "dev", "pool", "train")
MOST_ROWS = 200
"""Problems of a batch in one answer, and bad rows of a dataset that are told one by one."""

_FIELDS = ("content", "answer", "options", "tolerance", "id")
_PARALLEL = 16
_EXAMPLES = 3
_LONGEST = 400
_FRESH_SECONDS = 1.0


class PageError(Exception):
    """Something cannot be done, in words for the page."""


class Order(msgspec.Struct, frozen=True):
    """What a person asks to be searched, besides what the form says.

    Attributes:
        source: a path, or the name of bundled problems.
        fields: which field of the dataset is content, answer, options, tolerance or id.
        split: of a folder with several, None if none is named.
        limit: of problems, None for all.
        parallel: searches at a time.
        iterations, tokens: limits of each search, None for none.
        name: of the batch.
        fresh: begin anew even if this work was begun before.
    """

    source: str
    fields: dict[str, str] = {}
    split: str | None = None
    limit: int | None = None
    parallel: int = _PARALLEL
    iterations: int | None = None
    tokens: int | None = None
    name: str = ""
    fresh: bool = False


def order(entered: Mapping[str, Any]) -> Order:
    """The fields of the page's form as an order.

    Raises:
        PageError: something is missing or no whole number.
    """
    source = str(entered.get("source") or "").strip()
    if not source:
        raise PageError("Name a file or folder on this machine, or bundled problems.")
    given = entered.get("fields") or {}
    fields = {name: str(given.get(name) or "").strip() for name in _FIELDS}
    return Order(
        source=_absolute(source),
        fields={name: field for name, field in fields.items() if field},
        split=str(entered.get("split") or "").strip() or None,
        limit=_whole("Problems", entered.get("limit")),
        parallel=_whole("At a time", entered.get("parallel")) or _PARALLEL,
        iterations=_whole("Iterations", entered.get("iterations")),
        tokens=_whole("Tokens", entered.get("tokens")),
        name=str(entered.get("name") or "").strip(),
        fresh=entered.get("fresh") is True,
    )


def _absolute(source: str) -> str:
    """A path that means the same wherever the lab is started; names of bundled problems as is."""
    path = Path(source).expanduser()
    try:
        there = source not in BUNDLED and path.exists()
    except (OSError, ValueError):  # too long for a path, or none at all: the reader says so
        return source
    return str(path.absolute()) if there else source


def _whole(name: str, entered: Any) -> int | None:
    text = "" if entered is None else str(entered).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise PageError(f"{name} cannot be {text[:40]!r}: it takes a whole number from 1 on.")
    return int(text)


class Batches:
    """The batches of a workbench as the page asks for them.

    What a batch was read with is remembered as long as the lab runs, for going on with it.

    Args:
        workbench: whose.
        check: of a path that a person has entered; raises PageError if it is out of bounds.
    """

    def __init__(self, workbench: Workbench, check: Callable[[str], str] = str) -> None:
        self._workbench = workbench
        self._check_path = check
        self._orders: dict[str, Order] = {}
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._sessions: dict[str, SessionInfo] = {}

    def bundled(self) -> list[str]:
        """Names of bundled problems."""
        return [name for name in BUNDLED if self._has(name)]

    def _has(self, name: str) -> bool:
        try:
            return bool(self._workbench.problems(name, limit=1))
        except Exception:  # this workbench has none of that name
            return False

    def read(self, wanted: Order) -> Dataset:
        """The problems of an order."""
        return self._workbench.dataset(
            wanted.source, wanted.fields or None, wanted.split, wanted.limit
        )

    def report(self, wanted: Order) -> dict[str, Any]:
        """What there is to be searched, and what is left out and why."""
        self._check_path(wanted.source)
        found = self.read(wanted)
        return {
            "source": found.source,
            "split": found.split,
            "fields": dict(found.fields),
            "problems": len(found.problems),
            "ungraded": found.ungraded,
            "rejected": _left_out(found.rejected),
            "repeated": _left_out(found.repeated),
            "examples": [
                {"place": one.place, "content": _cut(one.content), "answer": _cut(one.answer)}
                for one in found.problems[:_EXAMPLES]
            ],
            "hint": self._workbench.hint(found.problems[0].content),
        }

    def start(self, wanted: Order, way: Mapping[str, Any]) -> str:
        """Begin a batch, or go on with the latest one of the same work.

        Args:
            wanted: what to search.
            way: `algorithm`, `params`, `sampling` and `seed` of the searches.

        Returns:
            The batch's id.
        """
        self._check_path(wanted.source)
        batch = self._workbench.solve(
            self.read(wanted),
            **way,
            iterations=wanted.iterations,
            tokens=wanted.tokens,
            parallel=wanted.parallel,
            name=wanted.name,
            fresh=wanted.fresh,
        )
        self._orders[batch] = wanted
        return batch

    def go_on(self, batch: str) -> None:
        """Work on a batch that was stopped.

        Raises:
            PageError: its dataset has changed, or the models in use are others.
        """
        state = self._workbench.batch(batch)
        setting = state.setting
        self._check_models(setting)
        known = self._orders.get(batch, Order(state.dataset))
        dataset = self.read(msgspec.structs.replace(known, limit=state.problems))
        self._check_problems(state, dataset)
        params = dict(setting["params"])
        sampling, limits = params.pop("sampling", {}), setting.get("limits", {})
        begun = self._workbench.solve(
            dataset,
            algorithm=setting["algorithm"],
            params=params,
            sampling=sampling,
            seed=setting["seed"],
            iterations=limits.get("iterations"),
            tokens=limits.get("tokens"),
            parallel=known.parallel,
        )
        if begun != batch:
            self._workbench.stop_batch(begun)
            raise PageError(
                f"The problems of {state.dataset} are not those that this batch asks any more, or "
                f"there is a newer batch of the same work: that is batch {begun}."
            )

    def _check_models(self, setting: Mapping[str, Any]) -> None:
        labels = self._workbench.adapters.labels()
        for option, label in zip(("policy", "prm"), labels, strict=True):
            if setting[option] != label:
                raise PageError(
                    f"This batch was begun with the {option} {setting[option]}, and the lab runs "
                    f"{label}: choose that model, or activate that adapter, to go on "
                    "with it."
                )

    def _check_problems(self, state: BatchState, dataset: Dataset) -> None:
        """Searching other problems would begin another batch."""
        found = dataset.problems
        same = len(found) == state.problems and all(
            found[one.position].place == one.place
            for one in self._workbench.batch_problems(state.id)
        )
        if not same:
            raise PageError(
                f"{state.dataset} does not hold the {state.problems:,} problems of this batch as "
                f"it is read now ({len(found):,} problems). Start it under New batch with the "
                "fields, split and settings of before: what is done is not searched again."
            )

    def states(self) -> list[dict[str, Any]]:
        """All batches, the newest first."""
        titles = {one.name: one.title for one in self._workbench.algorithms()}
        return [_state(batch, titles) for batch in self._workbench.batches()]

    def stop(self, batch: str) -> None:
        """End the work on a batch; it can go on."""
        self._workbench.stop_batch(batch)

    def problems(
        self, batch: str, kind: str = "all", search: str = "", offset: int = 0, limit: int = 100
    ) -> dict[str, Any]:
        """A page of the problems that were begun, in the order of the dataset.

        Args:
            batch: id.
            kind: all, right, wrong, failed, ungraded or running.
            search: only those with this text in label, question, answer or right answer.
            offset: of the first row.
            limit: of rows, `MOST_ROWS` at most.

        Returns:
            `rows`, the `total` number of rows of this kind, and `counts` of every kind.
        """
        begun = self._workbench.batch_problems(batch)
        kinds = [_kind(one) for one in begun]
        counts = {name: kinds.count(name) for name in sorted(set(kinds))} | {"all": len(begun)}
        sessions = self._infos() if begun else {}
        wanted = " ".join(search.split()).casefold()
        shown = [
            one
            for one, its in zip(begun, kinds, strict=True)
            if kind in ("all", its) and wanted in _text(one, sessions.get(one.session or ""))
        ]
        page = shown[max(0, offset) :][: max(0, min(limit, MOST_ROWS))]
        return {
            "rows": [_row(one, sessions.get(one.session or "")) for one in page],
            "total": len(shown),
            "counts": counts,
        }

    def _infos(self) -> dict[str, SessionInfo]:
        """Sessions by id, as new as a second ago: scrolling asks for many pages at once."""
        with self._lock:
            if time.monotonic() > self._looked + _FRESH_SECONDS:
                self._sessions = {one.id: one for one in self._workbench.sessions()}
                self._looked = time.monotonic()
            return self._sessions


def _kind(problem: BatchProblem) -> str:
    if problem.session is None and problem.status != "failed":
        return "deleted"
    if problem.status == "done":
        return {True: "right", False: "wrong", None: "ungraded"}[problem.correct]
    return "failed" if problem.status == "failed" else "running"


def _text(problem: BatchProblem, info: SessionInfo | None) -> str:
    texts = [problem.label, problem.place, problem.answer or "", problem.message]
    if info is not None:
        texts += [info.question, info.gold or ""]
    return " ".join(" ".join(texts).split()).casefold()


def _row(problem: BatchProblem, info: SessionInfo | None) -> dict[str, Any]:
    return {
        "position": problem.position,
        "label": problem.label,
        "place": problem.place,
        "session": problem.session,
        "kind": _kind(problem),
        "answer": _cut(problem.answer),
        "gold": _cut(info.gold) if info else None,
        "question": _cut(info.question) if info else "",
        "iterations": info.iterations if info else None,
        "tokens": problem.tokens,
        "message": _cut(problem.message),
    }


def _state(batch: BatchState, titles: Mapping[str, str]) -> dict[str, Any]:
    """A batch as JSON-able data, with what it works out of itself."""
    accuracy = batch.accuracy
    return {
        **msgspec.to_builtins(batch),
        "active": batch.active,
        "complete": batch.complete,
        "accuracy": None
        if accuracy is None
        else {"estimate": accuracy.estimate, "low": accuracy.low, "high": accuracy.high},
        "title": titles.get(batch.setting.get("algorithm", ""), ""),
    }


def _left_out(rows: Sequence[DatasetRow]) -> dict[str, Any]:
    return {
        "count": len(rows),
        "rows": [{"place": one.place, "reason": _cut(one.reason)} for one in rows[:MOST_ROWS]],
    }


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= _LONGEST:
        return text
    return text[: _LONGEST - 1] + "…"
