"""Imports: files of others, and of the lab itself, made into sessions: all of a file or nothing."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine import events as ev
from engine.errors import ParameterError
from engine.imports import files
from engine.imports.files import KINDS, Kind
from engine.imports.generation import IMPORTED
from engine.tasks.datasets import Rejected, read_dataset
from engine.tree import Tree
from lab.live import digest, summed
from sessions.batches import Result, Work
from sessions.rows import Arrival, Digest
from sessions.store import Store

Params = Mapping[str, Any] | None
First = Callable[[str, str | None, str, Params, Params, int], ev.SearchCreated]
"""(question, right answer, algorithm, its parameters, those of sampling, seed) -> the first event
of that search with the models in use."""

_LONGEST_LABEL = 200


class ImportReport(msgspec.Struct, frozen=True):
    """What became of a file.

    Attributes:
        source: the file.
        kind: questions, generation or sessions.
        imported: ids of the new sessions, in the order of the rows.
        known: ids of sessions that are here already.
        batch: the batch that they belong to; None for sessions, which stand alone.
        rejected: rows that cannot be read. If there are any and they were not to be skipped,
            nothing was imported.
        repeated: rows that say what an earlier one says.
    """

    source: str
    kind: Kind
    imported: list[str]
    known: list[str]
    batch: str | None
    rejected: list[Rejected]
    repeated: list[Rejected]


class Asking(msgspec.Struct, frozen=True):
    """How questions are to be searched; see `Workbench.create`."""

    algorithm: str = "mcts_star"
    params: Params = None
    sampling: Params = None
    seed: int = 0


class _Read(msgspec.Struct):
    """What a file holds."""

    arrivals: list[Arrival]
    rejected: list[Rejected]
    repeated: list[Rejected]
    setting: Mapping[str, object] | None = None


class Imports:
    """Imports into one store.

    Args:
        store: where the sessions go.
        first: makes the first event of a question's log.
    """

    def __init__(self, store: Store, first: First) -> None:
        self._store = store
        self._first = first

    def read(
        self,
        path: Path,
        kind: Kind | None = None,
        name: str = "",
        fields: Mapping[str, str] | None = None,
        skip_bad: bool = False,
        asking: Asking | None = None,
    ) -> ImportReport:
        """Make sessions of a file: one of each question, generation row or exported session.

        Questions are ready to be searched; generation rows are finished searches, told as they are
        in the file. Both make a batch, and the same file makes no second one. A session keeps its
        id, unless another one has it.

        Args:
            path: a file of JSON lines, a JSON list, one JSON object, CSV or Parquet, or a folder.
            kind: what it holds; by its fields if None.
            name: of the batch.
            fields: of questions, see `engine.tasks.datasets.read_dataset`.
            skip_bad: import the rest if rows cannot be read.
            asking: how questions are to be searched; by the defaults if None.

        Raises:
            TaskError: the file cannot be read, or holds nothing.
            ParameterError: no such kind.
            StoreError: it cannot be written; nothing was imported.
        """
        if kind is not None and kind not in KINDS:
            raise ParameterError(f"There is no kind {kind!r} of file: take {', '.join(KINDS)}.")
        path = path.expanduser()
        kind = kind or files.kind_of_file(path)
        if kind == "questions":
            found = self._questions(path, fields, asking or Asking())
        else:
            found = _generation(path) if kind == "generation" else _sessions(path)
        source, bad = str(path), found.rejected
        if (bad and not skip_bad) or not found.arrivals:
            return ImportReport(source, kind, [], [], None, bad, found.repeated)
        work = None
        if found.setting is not None:
            logs = [arrival.log for arrival in found.arrivals]
            work = Work(_hash(logs), found.setting, len(logs), source, name or path.name)
        taken = self._store.take_in(found.arrivals, work)
        known = set(taken.known)
        new = [session for session in taken.sessions if session not in known]
        return ImportReport(source, kind, new, taken.known, taken.batch, bad, found.repeated)

    def _questions(self, path: Path, fields: Mapping[str, str] | None, asking: Asking) -> _Read:
        # A bare name could be that of bundled problems.
        dataset = read_dataset(str(path.absolute()), fields)
        found = _Read([], dataset.rejected, dataset.repeated)
        how = (asking.algorithm, asking.params, asking.sampling, asking.seed)
        for problem in dataset.problems:
            event = self._first(problem.content, problem.answer, *how)
            found.setting = _setting(event)
            label = problem.label[:_LONGEST_LABEL]
            arrival = Arrival([event], Digest(), label, label=label, place=problem.place)
            found.arrivals.append(arrival)
        return found


def _generation(path: Path) -> _Read:
    rows, rejected = files.read_generation(path)
    found = _Read([], rejected, [])
    places: dict[str, str] = {}
    for row in rows:
        known = places.setdefault(_hash([row.log]), row.place)
        if known != row.place:
            found.repeated.append(Rejected(row.place, f"says what {known} says"))
            continue
        tree = Tree.fold(row.log)
        found.setting = _setting(row.log[0])
        end = summed(tree)
        unanswered = tree.gold is not None and end.answer is None
        correct = False if unanswered else end.correct
        result = Result(end.answer, correct, 0, end.tie)
        found.arrivals.append(
            Arrival(
                log=row.log,
                digest=end,
                name=row.place,
                tags=[IMPORTED],
                label=row.place,
                place=row.place,
                result=result,
            )
        )
    return found


def _sessions(path: Path) -> _Read:
    rows, rejected = files.read_sessions(path)
    found = _Read([], rejected, [])
    places: dict[str, str] = {}
    for row in rows:
        file = row.file
        known = places.setdefault(_hash([file.log]), row.place)
        if known != row.place:
            found.repeated.append(Rejected(row.place, f"is the session of {known}"))
            continue
        found.arrivals.append(
            Arrival(
                log=file.log,
                digest=digest(Tree.fold(file.log)),
                name=file.name,
                tags=file.tags,
                created=file.created,
                wanted=file.session or None,
            )
        )
    return found


def _setting(first: ev.AnyEvent) -> dict[str, object]:
    """How the searches of a batch are made, as `lab solve` writes it down."""
    assert isinstance(first, ev.SearchCreated)
    return {
        "algorithm": first.algorithm,
        "params": first.params,
        "seed": first.seed,
        "policy": first.policy,
        "prm": first.prm,
        "limits": {"iterations": None, "tokens": None},
    }


def _hash(logs: Sequence[Sequence[ev.AnyEvent]]) -> str:
    return hashlib.sha256(msgspec.json.encode(logs)).hexdigest()
