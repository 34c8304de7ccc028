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
from engine.tasks.benchmarks import Shape, shape_of
from engine.tasks.final_answer import extract_answer
from engine.tasks.problems import LONGEST_QUESTION, SPLITS, bundled_files
from engine.tasks.tables import Row, Table, kind_of, open_tables

USUAL = {
    "content": ("content", "question", "problem", "prompt", "input", "query"),
    "answer": ("answer", "solution", "gold", "target", "output", "label"),
    "id": ("id", "unique_id", "problem_id", "question_id", "problemid"),
}
"""Fields of a problem, and what they are called in datasets, in small letters or others; the first
that is there is taken."""


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
        fields: which of its fields were read as content, answer and id.
        problems: all that can be asked.
        rejected: rows that are no problem.
        repeated: rows that ask again what an earlier one asked, or have its id.
        benchmark: whose rows they are, if it has rules of its own; see `engine.tasks.benchmarks`.
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
        fields: which field of the dataset is "content", "answer" or "id"; the rest is found by its
            usual name, see `USUAL`.
        split: of a folder with several.
        limit: read no more after so many problems.

    Raises:
        TaskError: it cannot be read, has several splits and none was named, has no field with
            questions, or holds no problem.
        ParameterError: `fields` has another name than content, answer or id.
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
    shape = None if {"content", "answer"} & set(given) else shape_of(_there(tables))
    if shape is not None:
        own = {"content": shape.content, "answer": shape.answer, "id": shape.id}
        given = {**{name: field for name, field in own.items() if field}, **given}
    fields = _fields(source, tables, given)
    reader = _Reader(fields, shape)
    found = Dataset(
        source,
        split,
        fields,
        reader.problems,
        reader.rejected,
        reader.repeated,
        shape.name if shape is not None else "",
    )
    others = shape.others if shape is not None else ()
    for place, row in _rows(tables, list(dict.fromkeys([*fields.values(), *others]))):
        if limit is not None and len(found.problems) >= limit:
            break
        reader.take(place, row)
    if not found.problems:
        why = f": {found.rejected[0].place}: {found.rejected[0].reason}" if found.rejected else ""
        raise TaskError(f"{source} holds no problem{why}.")
    return found


def _there(tables: Sequence[Table]) -> list[str]:
    return list(dict.fromkeys(name for table in tables for name in table.fields))


def _fields(source: str, tables: Sequence[Table], given: Mapping[str, str]) -> dict[str, str]:
    """Which field of the dataset is which of a problem's."""
    there = _there(tables)
    small = {name.lower(): name for name in reversed(there)}
    listed = ", ".join(repr(name) for name in there[:20]) or "none"
    fields: dict[str, str] = {}
    for name, usual in USUAL.items():
        wanted = given.get(name)
        if wanted is not None and wanted not in there:
            raise TaskError(f"{source} has no field {wanted!r}; its fields are: {listed}.")
        found = wanted or next(
            (one if one in there else small[one.lower()] for one in usual if one.lower() in small),
            None,
        )
        if found is not None:
            fields[name] = found
    if "content" not in fields:
        raise TaskError(
            f"{source} has no field with questions that is known ({', '.join(USUAL['content'])}): "
            f"map one of its fields to content. They are: {listed}."
        )
    return fields


def _rows(tables: Sequence[Table], wanted: Sequence[str]) -> Iterator[tuple[str, Row | str]]:
    for table in tables:
        before = f"{table.file}, " if table.file else ""
        there = [name for name in wanted if name in table.fields]
        for number, row in table.rows(there):
            yield f"{before}{table.unit} {number}", row


class _Reader:
    """Takes rows one by one and sorts them."""

    def __init__(self, fields: Mapping[str, str], shape: Shape | None = None) -> None:
        self.problems: list[DatasetProblem] = []
        self.rejected: list[Rejected] = []
        self.repeated: list[Rejected] = []
        self._fields = fields
        self._shape = shape
        self._contents: dict[str, str] = {}
        self._ids: dict[str, str] = {}

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
        content = " ".join(problem.content.split())
        if content in self._contents:
            reason = f"asks what {self._contents[content]} asks"
        elif problem.id and problem.id in self._ids:
            reason = f"has the id {problem.id!r} of {self._ids[problem.id]}"
        else:
            self._contents[content] = place
            if problem.id:
                self._ids[problem.id] = place
            self.problems.append(problem)
            return
        self.repeated.append(Rejected(place, reason))

    def _problem(self, place: str, row: Row) -> DatasetProblem:
        identifier = self._number_or_text(self._fields.get("id", ""), row)
        content, answer = self._posed(row)
        if not content:
            raise TaskError(f"{self._fields['content']!r} is missing or empty")
        for name, text in (("content", content), ("id", identifier), ("answer", answer)):
            if len(text) > LONGEST_QUESTION:
                raise TaskError(_too_long(self._fields[name], text))
        return DatasetProblem(identifier, content, answer or None, place)

    def _posed(self, row: Row) -> tuple[str, str]:
        """The question and its right answer, "" if there is none."""
        if self._shape is None:
            field = self._fields["content"]
            answer = self._number_or_text(self._fields.get("answer", ""), row)
            return self._text(field, row.get(field)), final_answer(answer)
        names = dict.fromkeys((self._shape.content, self._shape.answer, *self._shape.others))
        posed = self._shape.pose({name: self._texts(name, row) for name in names})
        return posed.content, posed.answer

    def _texts(self, field: str, row: Row) -> list[str]:
        value = row.get(field)
        items = value if isinstance(value, list) else [value]
        found = [self._number_or_text(field, {field: item}) for item in items]
        return [text for text in found if text]

    def _number_or_text(self, field: str, row: Row) -> str:
        value = row.get(field)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                return str(value)
            except ValueError as error:  # a whole number of thousands of digits
                raise TaskError(f"{field!r} is not a usable number") from error
        return self._text(field, value)

    def _text(self, field: str, value: object) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise TaskError(f"{field!r} is {kind_of(value)}, not a text")
        if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError as error:
                raise TaskError(f"{field!r} is not valid Unicode text") from error
        return value.replace("\r\n", "\n").strip()


def _too_long(field: str, text: str) -> str:
    return f"{field!r} has {len(text):,} characters; it can have {LONGEST_QUESTION:,}"


def final_answer(text: str) -> str:
    r"""The right answer that a dataset's field states: after "####", in a LaTeX box or after
    "answer is" if it is a worked solution, else the text itself; "" if there is none.
    """
    if "####" in text:
        return text.rsplit("####", 1)[1].strip().partition("\n")[0].strip()
    lower = text.lower()
    if "\\boxed" in text or "\n" in text or "answer is" in lower or "answer:" in lower:
        return extract_answer(text) or text.strip()
    return text.strip()
