"""Problems of any dataset: questions, their right answers, and where a row is no problem.

Fields are found by their usual names or mapped, and known benchmarks by their fields; worked
solutions give their final answer. What cannot be asked (bad rows, questions that were there before)
is told by its place, the rest runs.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import as_file
from pathlib import Path

import msgspec

from engine.errors import ParameterError, TaskError
from engine.tasks.benchmarks import USUAL, Shape, is_tolerance, shape_of
from engine.tasks.cells import is_empty, number_or_text
from engine.tasks.posing import first_index, posed
from engine.tasks.problems import LONGEST_QUESTION, SPLITS, bundled_files
from engine.tasks.tables import Row, Table, open_tables

_SHOWN = 40


class DatasetProblem(msgspec.Struct, frozen=True):
    """A question of a dataset.

    Attributes:
        id: in the dataset, "" without one.
        content: the question's text.
        answer: the right answer, None where there is none.
        place: where it stands: "line 3", "row 3", "test/a.jsonl, line 3".
    """

    id: str
    content: str
    answer: str | None
    place: str

    @property
    def label(self) -> str:
        """Its id, or its place where it has none."""
        return self.id or self.place


class Rejected(msgspec.Struct, frozen=True):
    """A row that is not asked, and why."""

    place: str
    reason: str


class Dataset(msgspec.Struct, frozen=True):
    """The problems of one split of a dataset, in order.

    Attributes:
        source: as it was named: a path, or a bundled split.
        split: "" where there is only one.
        fields: which of its fields were read as content, answer, options and so on; several are
            joined by commas, as `read_dataset` takes them.
        problems: all that can be asked.
        rejected: rows that are no problem.
        repeated: rows that ask again what an earlier one asked, with the same options.
        benchmark: whose rows they are, if it has rules of its own; see `engine.tasks.benchmarks`.

    Every row that was read is a problem, rejected or repeated.
    """

    source: str
    split: str
    fields: dict[str, str]
    problems: list[DatasetProblem]
    rejected: list[Rejected]
    repeated: list[Rejected]
    benchmark: str = ""

    @property
    def ungraded(self) -> int:
        """How many problems have no right answer to be graded with."""
        return sum(problem.answer is None for problem in self.problems)

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the questions and answers in order: the same for the same problems,
        whatever file they come from.
        """
        found = hashlib.sha256()
        for problem in self.problems:
            found.update(msgspec.json.encode([problem.content, problem.answer]))
        return found.hexdigest()


def read_dataset(
    source: str,
    fields: Mapping[str, str] | None = None,
    split: str | None = None,
    limit: int | None = None,
) -> Dataset:
    """Read problems from a file, a folder or a bundled split.

    Args:
        source: a path, or the name of a bundled split; a folder of such a name is "./heldout".
        fields: which field of the dataset is "content", "answer", "options", "unit", "tolerance"
            or "id"; the rest is found by its usual name, see `engine.tasks.benchmarks.USUAL`.
            Several fields, joined by commas, are joined to one question, are options one each, or
            hold the answer in the first that is filled. A tolerance may be given itself: "5 %".
        split: of a folder with several.
        limit: read no more after so many problems.

    Raises:
        TaskError: it cannot be read, has several splits and none was named, has no field with
            questions, or holds no problem.
        ParameterError: `fields` has another name than these.
    """
    for name in fields or {}:
        if name not in USUAL:
            raise ParameterError(
                f"There is no field {name!r} to be mapped: a problem has {', '.join(USUAL)}."
            )
    if source in SPLITS:
        if split is not None:
            raise TaskError(f"The bundled problems {source!r} have no splits: leave out {split!r}.")
        file = bundled_files().get(f"stories-{source}")
        if file is None:
            raise TaskError(f"The bundled problems {source!r} are missing: reinstall the lab.")
        with as_file(file) as path:
            return _read(source, "", open_tables(path)[1], fields or {}, limit)
    path = Path(source).expanduser()
    if not path.exists():
        raise TaskError(
            f"There is no file or folder {source!r}, nor bundled problems of that name "
            f"({', '.join(SPLITS)})."
        )
    chosen, tables = open_tables(path, split)
    return _read(source, chosen, tables, fields or {}, limit)


def _read(
    source: str, split: str, tables: Sequence[Table], given: Mapping[str, str], limit: int | None
) -> Dataset:
    there = [name for table in tables for name in [*table.fields, *table.inside]]
    there = list(dict.fromkeys(there))
    shape = shape_of(there, _given(source, there, given))
    listed = _listed(there)
    if not shape.content:
        raise TaskError(
            f"{source} has no field with questions that is known ({', '.join(USUAL['content'])}): "
            f"map one of its fields to content. They are: {listed}."
        )
    reader = _Reader(shape, _first_index(tables, shape))
    for place, row in _rows(tables, _wanted(shape)):
        if limit is not None and len(reader.problems) >= limit:
            break
        reader.take(place, row)
    if not reader.problems:
        bad = reader.rejected
        why = f": {bad[0].place}: {bad[0].reason}" if bad else ""
        raise TaskError(f"{source} holds no problem{why}.")
    return Dataset(
        source,
        split,
        _told(shape),
        reader.problems,
        reader.rejected,
        reader.repeated,
        shape.name,
    )


def _listed(there: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in there[:20]) or "none"


def _given(source: str, there: Sequence[str], given: Mapping[str, str]) -> dict[str, list[str]]:
    """The fields that a person has mapped, each of them as the file spells it."""
    found: dict[str, list[str]] = {}
    for name, text in given.items():
        fields = [text] if text in there else [one.strip() for one in text.split(",")]
        missing = [one for one in fields if one not in there]
        if missing and not (name == "tolerance" and is_tolerance(text)):
            raise TaskError(
                f"{source} has no field {missing[0]!r}; its fields are: {_listed(there)}."
            )
        found[name] = [text] if missing else fields
    return found


def _wanted(shape: Shape) -> list[str]:
    """The fields that a row is read with."""
    several = (shape.content, shape.answer, shape.options, shape.wrong, shape.others, shape.images)
    one = (shape.id, shape.unit, shape.tolerance, shape.numbers)
    return [field for field in dict.fromkeys([*sum(several, ()), *one]) if field]


def _told(shape: Shape) -> dict[str, str]:
    """What is read as what."""
    told = {
        "content": shape.content,
        "answer": shape.answer,
        "options": (*shape.options, *shape.wrong),
        "unit": (shape.unit,),
        "tolerance": (shape.tolerance,),
        "id": (shape.id,),
    }
    return {name: ",".join(fields) for name, fields in told.items() if any(fields)}


def _rows(tables: Sequence[Table], wanted: Sequence[str]) -> Iterator[tuple[str, Row | str]]:
    for table in tables:
        before = f"{table.file}, " if table.file else ""
        outer = [name if name in table.fields else name.partition(".")[0] for name in wanted]
        there = [name for name in dict.fromkeys(outer) if name in table.fields]
        for number, row in table.rows(there):
            yield f"{before}{table.unit} {number}", row


def _first_index(tables: Sequence[Table], shape: Shape) -> int:
    if not shape.options:
        return 0
    rows = (row for _, row in _rows(tables, [*shape.options, *shape.answer]))
    return first_index((row for row in rows if not isinstance(row, str)), shape)


class _Reader:
    """Takes rows one by one and sorts them.

    Args:
        shape: what their fields are.
        first: the index of the first option.
    """

    def __init__(self, shape: Shape, first: int) -> None:
        self.problems: list[DatasetProblem] = []
        self.rejected: list[Rejected] = []
        self.repeated: list[Rejected] = []
        self._shape = shape
        self._first = first
        self._contents: dict[str, DatasetProblem] = {}

    def take(self, place: str, row: Row | str) -> None:
        """Keep a row as a problem, or as what it is instead."""
        if isinstance(row, str):
            self.rejected.append(Rejected(place, row))
            return
        try:
            problem = self._problem(place, row)
        except TaskError as error:
            self.rejected.append(Rejected(place, str(error)))
            return
        # White space is how a file is laid out, not what is asked.
        known = self._contents.setdefault(" ".join(problem.content.split()), problem)
        if known is problem:
            self.problems.append(problem)
            return
        reason = f"asks what {known.place} asks"
        if None not in (known.answer, problem.answer) and known.answer != problem.answer:
            reason += f", with another answer: {_cut(problem.answer)}, there {_cut(known.answer)}"
        self.repeated.append(Rejected(place, reason))

    def _problem(self, place: str, row: Row) -> DatasetProblem:
        shape = self._shape
        identifier = "" if is_empty(row.get(shape.id)) else number_or_text(row, shape.id)
        found = posed(row, shape, self._first)
        for names, text in (
            (shape.content, found.content),
            ((shape.id,), identifier),
            (shape.answer, found.answer),
        ):
            if len(text) > LONGEST_QUESTION:
                raise TaskError(_too_long(names[0], text))
        return DatasetProblem(identifier, found.content, found.answer or None, place)


def _too_long(field: str, text: str) -> str:
    return f"{field!r} has {len(text):,} characters; it can have {LONGEST_QUESTION:,}"


def _cut(text: str | None) -> str:
    return repr((text or "")[:_SHOWN])
