"""Putting rows and documents into files: whole or not at all.

Everything is written beside its place under another name and moved there when it is complete and on
disk. A process that is killed leaves what was there, and a file whose name ends with `.part`.
"""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from engine.errors import ExportError, ParameterError

Container = Literal["jsonl", "parquet", "datasets"]
CONTAINERS: tuple[Container, ...] = ("jsonl", "parquet", "datasets")
_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
_LONGEST_NAME = 40

Row = Mapping[str, Any]


def container(path: Path) -> Container:
    """What a name asks for: JSON lines, Parquet, or without a suffix a folder of `datasets`.

    Raises:
        ParameterError: the suffix is another one.
    """
    if not path.suffix:
        return "datasets"
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise ParameterError(
            f"{path.name!r} does not tell how rows are to be written: name a file .jsonl or "
            ".parquet, a folder without a suffix, or say which with --as."
        )
    return found  # type: ignore[return-value]


def write_rows(
    rows: Iterable[Row],
    columns: Mapping[str, str],
    path: Path,
    kind: Container,
    force: bool = False,
) -> None:
    """Write rows to a file or, for `datasets`, a folder that `load_from_disk` reads.

    Args:
        rows: each with all columns.
        columns: their types: text, texts, number, count, verdict, verdicts, messages, solutions or
            targets. Every one may be null.
        path: where.
        kind: how.
        force: replace what is there.

    Raises:
        ExportError: something is there already, or it cannot be written; nothing was changed.
    """
    if kind == "datasets":
        write_folder(path, lambda draft: _save_dataset(rows, columns, draft), force)
    elif kind == "parquet":
        write_file(path, lambda draft: _save_parquet(rows, columns, draft), force)
    else:
        write_file(path, lambda draft: _save_lines(rows, draft), force)


def _save_lines(rows: Iterable[Row], draft: Path) -> None:
    with draft.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _save_parquet(rows: Iterable[Row], columns: Mapping[str, str], draft: Path) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(_table(rows, columns), draft)


def _save_dataset(rows: Iterable[Row], columns: Mapping[str, str], draft: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset(_table(rows, columns)).save_to_disk(draft)


def _table(rows: Iterable[Row], columns: Mapping[str, str]) -> Any:
    import pyarrow

    text, number, verdict = pyarrow.string(), pyarrow.float64(), pyarrow.bool_()
    types = {
        "text": text,
        "number": number,
        "count": pyarrow.int64(),
        "verdict": verdict,
        "texts": pyarrow.list_(text),
        "verdicts": pyarrow.list_(verdict),
        "messages": pyarrow.list_(pyarrow.struct({"role": text, "content": text})),
        "solutions": pyarrow.list_(
            pyarrow.struct({"solution": text, "summary": text, "correct": verdict})
        ),
        "targets": pyarrow.list_(pyarrow.struct({"steps": text, "value": number})),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    return pyarrow.Table.from_pylist(list(rows), schema=schema)


def write_file(path: Path, write: Callable[[Path], None], force: bool = False) -> None:
    """Have a file written and put it in its place.

    Args:
        path: its place.
        write: writes a file at the path that it is given.
        force: replace a file that is there.

    Raises:
        ExportError: something is there already, or it cannot be written; nothing was changed.
    """
    path = _place(path)
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise ExportError(f"{path} is there already and is no file: choose another name.")
    if path.exists() and not force:
        raise _taken(path)
    draft = _draft(path, lambda draft: draft.touch(exist_ok=False))
    try:
        write(draft)
        _to_disk(draft)
        if force:
            draft.replace(path)
        else:
            _put(draft, path)
        _to_disk(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def write_folder(path: Path, write: Callable[[Path], None], force: bool = False) -> None:
    """Have a saved dataset written and put it in its place.

    Args:
        path: its place.
        write: fills the folder that it is given.
        force: replace a saved dataset that is there; nothing else is ever replaced.

    Raises:
        ExportError: something is there already, or it cannot be written; nothing was changed.
    """
    path = _place(path)
    if path.exists() and not force:
        raise _taken(path)
    if path.exists() and not _is_saved_dataset(path):
        raise ExportError(
            f"{path} is there already and is not a saved dataset: it is not replaced. Choose "
            "another name, or move it away."
        )
    draft = _draft(path, Path.mkdir)
    try:
        write(draft)
        for file in [*draft.rglob("*"), draft]:
            _to_disk(file)
        if path.exists():
            _swap(draft, path)
        else:
            draft.rename(path)
        _to_disk(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _place(path: Path) -> Path:
    """The path itself, not a link to it; its folder is made."""
    try:
        path = path.expanduser().resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.exists()  # a name may be no name here
    except (OSError, RuntimeError, ValueError) as error:
        raise _unwritable(path, error) from error
    return path


def _draft(path: Path, make: Callable[[Path], None]) -> Path:
    """A new file or folder beside a path."""
    draft = path.with_name(f".{path.name[:_LONGEST_NAME]}-{secrets.token_hex(4)}.part")
    try:
        make(draft)
    except OSError as error:
        raise _unwritable(path, error) from error
    return draft


def _put(draft: Path, path: Path) -> None:
    """Move a file to where nothing is; what comes there meanwhile is kept."""
    try:
        path.hardlink_to(draft)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError:  # a file system without links
        if path.exists():
            raise _taken(path) from None
        draft.replace(path)


def _swap(draft: Path, path: Path) -> None:
    """Put a folder in the place of another one, which is removed once it is out of the way."""
    old = draft.with_name(f"{draft.name}.old")
    path.rename(old)
    try:
        draft.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_saved_dataset(path: Path) -> bool:
    """Whether a folder holds what `save_to_disk` writes and nothing else."""
    if not path.is_dir():
        return False
    names = {inside.name for inside in path.iterdir()}
    arrow = {name for name in names if name.startswith("data-") and name.endswith(".arrow")}
    return {"dataset_info.json", "state.json"} == names - arrow


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _taken(path: Path) -> ExportError:
    return ExportError(f"{path} is there already: choose another name, or --force replaces it.")


def _unwritable(path: Path, error: Exception) -> ExportError:
    reason = getattr(error, "strerror", None) or error
    return ExportError(
        f"{path} cannot be written ({reason}). Choose another place; nothing was changed."
    )
