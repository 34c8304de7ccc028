"""Rows of data files: JSON lines, JSON lists, CSV, Parquet, and folders of them with splits.

Knows nothing of questions and answers. A row that cannot be read is told, with its place, and the
rest goes on; a file that cannot be read at all is an error.
"""

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from engine.errors import TaskError

Row = dict[str, Any]
Reader = Callable[[Sequence[str]], Iterator[tuple[int, Row | str]]]
"""(wanted fields) -> number of each row from 1 on, and the row with at least those fields, or why
it cannot be read."""

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
LOOKED_AT = 100
"""Rows of a JSON file that are looked at to learn its fields."""

_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_METADATA = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}
_WRAPPERS = ("data", "rows", "examples", "problems", "instances", "items")
_BATCH = 1000
_BOM = b"\xef\xbb\xbf"
_SHOWN = 12


class Table(msgspec.Struct, frozen=True):
    """Rows of one file.

    Attributes:
        file: its name, "" where there is only one.
        unit: what the numbers count.
        fields: names of the fields; of JSON those of the first rows.
        rows: reads it from the start.
        inside: names of fields of the objects in fields: "choices.text".
    """

    file: str
    unit: Literal["line", "item", "row"]
    fields: list[str]
    rows: Reader
    inside: list[str] = []


def open_tables(source: Path, split: str | None = None) -> tuple[str, list[Table]]:
    """The tables of a data file, or those of one split of a folder.

    Args:
        source: a file, a folder of files, or a dataset saved with `save_to_disk`.
        split: of a folder that has several.

    Returns:
        The split's name, "" for a file, and its tables in order of their names.

    Raises:
        TaskError: there is no such file or split, several splits and none named, or a file cannot
            be read.
    """
    if source.is_dir():
        if (source / "dataset_dict.json").is_file():
            return _saved_splits(source, split)
        if (source / "state.json").is_file():
            return _only_split(source, split), [_saved(source)]
        return _folder(source, split)
    _only_split(source, split)
    return "", [_file(source, "")]


def _only_split(source: Path, split: str | None) -> str:
    if split is not None:
        raise TaskError(f"{source} has no splits: leave out the split {split!r}.")
    return ""


def _choose(source: Path, names: Sequence[str], split: str | None) -> list[str]:
    """The splits that a name means: itself, or all that lie in the folder of that name."""
    if split is None and len(names) == 1:
        return [names[0]]
    found = [name for name in names if name == split or name.startswith(f"{split}/")]
    if split is not None and found:
        return found
    tops = list(dict.fromkeys(name.partition("/")[0] for name in names))
    shown = list(names) if len(names) <= _SHOWN else tops
    listed = ", ".join(shown[:_SHOWN]) + (", ..." if len(shown) > _SHOWN else "")
    if split is None:
        raise TaskError(f"{source} has several splits: name one of {listed}.")
    raise TaskError(f"{source} has no split {split!r}; there are: {listed or 'none'}.")


def _folder(source: Path, split: str | None) -> tuple[str, list[Table]]:
    """Data files of a folder; a split is what files are called, their shards' numbers aside."""
    files: dict[str, list[Path]] = {}
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix.lower() in SUFFIXES and path.name not in _METADATA and not hidden:
            name = PurePosixPath(*inside.parts[:-1], _SHARD.sub("", path.stem))
            files.setdefault(str(name), []).append(path)
    if not files:
        raise TaskError(
            f"The folder {source} holds no data file: there is none with {', '.join(SUFFIXES)}, "
            "nor a dataset saved with save_to_disk."
        )
    shared = os.path.commonpath([PurePosixPath(name).parent for name in files])
    short = {str(PurePosixPath(name).relative_to(shared or ".")): name for name in files}
    chosen = _choose(source, list(short), split)
    paths = [path for name in chosen for path in files[short[name]]]
    several = len(paths) > 1
    tables = [_file(path, str(path.relative_to(source)) if several else "") for path in paths]
    return split or chosen[0], tables


def _file(path: Path, name: str) -> Table:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise TaskError(
            f"{path} is no data file by its name: it takes {', '.join(SUFFIXES)}, or a folder."
        )
    try:
        if suffix == ".parquet":
            return _parquet(path, name)
        return _csv(path, name) if suffix in (".csv", ".tsv") else _json(path, name)
    except OSError as error:
        raise _unreadable(path, error.strerror or error) from error


def _unreadable(path: Path, why: object) -> TaskError:
    return TaskError(f"{path} cannot be read: {why}.")


def _json(path: Path, name: str) -> Table:
    """JSON lines, one list of objects, or one object; what a file says of itself counts."""
    with path.open("rb") as file:
        first = file.readline().removeprefix(_BOM)
        while first and not first.strip():
            first = file.readline()
    lines = path.suffix.lower() != ".json"
    if first.lstrip().startswith(b"[") or (not lines and not _is_json(first)):
        try:
            value = _decoded(path.read_bytes().removeprefix(_BOM))
        except ValueError as error:
            if not lines:
                raise _unreadable(path, error) from error
        else:
            items = [_object(item) for item in _items(value)]
            return _table(name, "item", lambda _: enumerate(items, start=1))
    return _table(name, "line", lambda _: _json_lines(path))


def _items(value: object) -> list[object]:
    """The rows of a JSON value: of a list, of an object that names each row, of the list in an
    object such as {"data": [...]}; else the value itself.
    """
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value:
        held = list(value.values())
        if len(held) > 1 and all(isinstance(item, dict) for item in held):
            return [{"id": name, **item} for name, item in value.items()]
        lists = [value[name] for name in _WRAPPERS if isinstance(value.get(name), list)]
        if len(lists) == 1 and set(map(type, lists[0])) == {dict}:
            return list(lists[0])
    return [value]


def _is_json(text: bytes) -> bool:
    try:
        _decoded(text)
    except ValueError:
        return False
    return True


def _table(name: str, unit: Literal["line", "item", "row"], rows: Reader) -> Table:
    """A table whose fields are those of its first rows."""
    first = [row for _, row in islice(rows(()), LOOKED_AT) if isinstance(row, dict)]
    fields = dict.fromkeys(key for row in first for key in row)
    inside = dict.fromkeys(
        f"{key}.{inner}" for row in first for key in row if isinstance(row[key], dict)
        for inner in row[key]
    )  # fmt: skip
    return Table(name, unit, list(fields), rows, list(inside))


def _json_lines(path: Path) -> Iterator[tuple[int, Row | str]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(_BOM) if number == 1 else line
            if not text.strip():
                continue
            try:
                value = _decoded(text)
            except ValueError as error:
                yield number, str(error)
            else:
                yield number, _object(value)


def _decoded(text: bytes) -> object:
    """The value of a JSON text.

    Raises:
        ValueError: it is none; the message says why.
    """
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        try:  # for what is no JSON by the book but written by many, such as NaN
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"not JSON ({error.msg}, character {error.pos + 1})") from error
        except (ValueError, RecursionError) as error:
            raise ValueError(f"not JSON ({error})") from error


def _object(value: object) -> Row | str:
    """A decoded row; what else it is in words."""
    return value if isinstance(value, dict) else f"{kind_of(value)}, not an object with fields"


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    return _KINDS.get(type(value), type(value).__name__)


_KINDS = {
    str: "a text",
    dict: "an object",
    list: "a list",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def _csv(path: Path, name: str) -> Table:
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        line = file.readline()
        delimiter = max("\t" if path.suffix.lower() == ".tsv" else ",;\t", key=line.count)
    try:
        header = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise _unreadable(path, f"its first line is no header ({error})") from error
    if not any(header):
        raise _unreadable(path, "its first line names no fields")
    fields = [field.strip() for field in header]
    return Table(name, "line", fields, lambda _: _csv_rows(path, delimiter, fields))


def _csv_rows(path: Path, delimiter: str, fields: list[str]) -> Iterator[tuple[int, Row | str]]:
    # Python's limit would cut a long field in the middle and take the rest for rows.
    csv.field_size_limit(2**31 - 1)
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        file.readline()
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            number = reader.line_num + 2
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield number, f"not a row ({error})"
                continue
            if row and len(row) != len(fields):
                yield number, f"{len(row)} values, and the header names {len(fields)} fields"
            elif row:
                yield number, dict(zip(fields, row, strict=True))


def _parquet(path: Path, name: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    def rows(wanted: Sequence[str]) -> Iterator[tuple[int, Row | str]]:
        try:
            with pq.ParquetFile(path) as file:
                batches = file.iter_batches(batch_size=_BATCH, columns=list(wanted))
                yield from _numbered(batch.to_pylist() for batch in batches)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _unreadable(path, _brief(error)) from error

    try:
        schema = pq.read_schema(path)
    except pa.ArrowException as error:
        raise _unreadable(path, _brief(error)) from error
    return Table(name, "row", list(schema.names), rows, _inside(schema))


def _inside(schema: Any) -> list[str]:
    """Names of the fields in the structs of an Arrow schema."""
    import pyarrow as pa

    structs = [field for field in schema if pa.types.is_struct(field.type)]
    return [f"{field.name}.{inner.name}" for field in structs for inner in field.type]


def _numbered(batches: Iterable[list[Row]]) -> Iterator[tuple[int, Row | str]]:
    number = 0
    for batch in batches:
        for row in batch:
            number += 1
            yield number, row


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")


def _saved_splits(source: Path, split: str | None) -> tuple[str, list[Table]]:
    """One split of a dataset dictionary saved with `save_to_disk`."""
    path = source / "dataset_dict.json"
    try:
        listed = msgspec.json.decode(path.read_bytes(), type=dict[str, list[str]])["splits"]
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(path, _brief(error)) from error
    chosen = _choose(source, listed, split)
    folders = [(source / name).resolve() for name in chosen]
    if not all(folder.parent == source.resolve() for folder in folders):
        raise _unreadable(path, "a split lies outside the folder")
    return chosen[0], [_saved(folder) for folder in folders]


def _saved(folder: Path) -> Table:
    """A dataset saved with `save_to_disk`."""
    import datasets

    try:
        found = datasets.load_from_disk(str(folder))
    except Exception as error:  # whatever a damaged folder makes of the library
        raise _unreadable(folder, _brief(error)) from error

    def rows(wanted: Sequence[str]) -> Iterator[tuple[int, Row | str]]:
        chosen = found.select_columns(list(wanted)).with_format("arrow")
        batches = (table.to_pylist() for table in chosen.iter(batch_size=_BATCH))
        try:
            yield from _numbered(batches)
        except (datasets.table.pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _unreadable(folder, _brief(error)) from error

    schema = found.features.arrow_schema
    return Table("", "row", list(found.column_names), rows, _inside(schema))
