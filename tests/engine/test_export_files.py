"""Files of rows: read back by those who read them, written whole or not at all, nothing overrun."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ExportError, ParameterError
from engine.exports.collect import FORMATS, Collection
from engine.exports.files import Container, container, write_file, write_folder, write_rows
from engine.exports.rows import RowSettings
from tests.browser.hostile import PAYLOADS
from tests.engine.trees import small_tree

COLUMNS = {"text": "text", "label": "number", "touched": "verdict"}
ROWS: list[dict[str, Any]] = [
    {"text": text, "label": number / 3, "touched": number % 2 == 0}
    for number, text in enumerate(PAYLOADS)
]


def read(path: Path, kind: Container) -> list[dict[str, Any]]:
    if kind == "jsonl":
        lines = path.read_text("utf-8").split("\n")
        return [json.loads(line) for line in lines if line]
    if kind == "parquet":
        import pyarrow.parquet

        return list(pyarrow.parquet.read_table(path).to_pylist())
    import datasets

    return list(datasets.load_from_disk(str(path)).to_list())


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "datasets"])
def test_rows_are_read_back_exactly(kind: Container, tmp_path: Path) -> None:
    write_rows(ROWS, COLUMNS, tmp_path / "out", kind)
    assert read(tmp_path / "out", kind) == ROWS


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", ["parquet", "datasets"])
def test_every_format_has_its_columns(name: str, kind: Container, tmp_path: Path) -> None:
    for chat in (False, True):
        if chat and not FORMATS[name].chat_columns:
            continue
        found = Collection(name, RowSettings(chat=chat))
        found.add("s", small_tree())
        path = tmp_path / f"{chat}"
        write_rows(found.records(), found.columns, path, kind)
        assert read(path, kind) == found.records()


def test_a_name_tells_how_rows_are_written() -> None:
    named = {"a.jsonl": "jsonl", "b.PARQUET": "parquet", "c": "datasets", "d.json": "jsonl"}
    assert {name: container(Path(name)) for name in named} == named
    with pytest.raises(ParameterError, match=r"'rows\.csv'"):
        container(Path("rows.csv"))


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "datasets"])
def test_what_is_there_stays_unless_it_is_to_be_replaced(kind: Container, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out"
    write_rows(ROWS[:2], COLUMNS, path, kind)
    with pytest.raises(ExportError, match="is there already"):
        write_rows(ROWS, COLUMNS, path, kind)
    assert read(path, kind) == ROWS[:2]
    write_rows(ROWS, COLUMNS, path, kind, force=True)
    assert read(path, kind) == ROWS
    assert [one.name for one in path.parent.iterdir()] == ["out"]


def test_only_a_saved_dataset_is_ever_replaced_by_one(tmp_path: Path) -> None:
    precious = tmp_path / "work"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years")
    with pytest.raises(ExportError, match="is not a saved dataset"):
        write_rows(ROWS, COLUMNS, precious, "datasets", force=True)
    write_rows(ROWS, COLUMNS, tmp_path / "data", "datasets")
    (tmp_path / "data" / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="is not a saved dataset"):
        write_rows(ROWS, COLUMNS, tmp_path / "data", "datasets", force=True)
    with pytest.raises(ExportError, match="is no file"):
        write_rows(ROWS, COLUMNS, precious, "jsonl", force=True)
    assert (precious / "thesis.tex").read_text() == "years"
    assert (tmp_path / "data" / "notes.txt").read_text() == "mine"


def test_an_error_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken(draft: Path) -> None:
        (draft if draft.is_file() else draft / "part").write_text("half")
        raise OSError(28, "No space left on device")

    kept = tmp_path / "kept.jsonl"
    kept.write_text("old")
    with pytest.raises(ExportError, match="No space left"):
        write_file(kept, broken, force=True)
    with pytest.raises(ExportError, match="No space left"):
        write_folder(tmp_path / "folder", broken)
    assert [one.name for one in tmp_path.iterdir()] == ["kept.jsonl"]
    assert kept.read_text() == "old"


def test_a_file_that_comes_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    def late(draft: Path) -> None:
        draft.write_text("ours")
        path.write_text("theirs")

    with pytest.raises(ExportError, match="is there already"):
        write_file(path, late)
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed(tmp_path: Path) -> None:
    target = tmp_path / "target.jsonl"
    target.write_text("old")
    link = tmp_path / "link.jsonl"
    link.symlink_to(target)
    write_rows(ROWS, COLUMNS, link, "jsonl", force=True)
    assert link.is_symlink()
    assert read(target, "jsonl") == ROWS


def test_new_files_are_as_readable_as_others(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    write_rows(ROWS, COLUMNS, tmp_path / "out.jsonl", "jsonl")
    assert (tmp_path / "out.jsonl").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot be written"):
        write_rows(ROWS, COLUMNS, tmp_path / "file" / "out.jsonl", "jsonl")
    with pytest.raises(ExportError, match="cannot be written"):
        write_rows(ROWS, COLUMNS, tmp_path / ("x" * 300), "jsonl")


HALF = """
import sys, time
from pathlib import Path
from engine.exports.files import write_file, write_folder, write_rows

kind, path = sys.argv[1], Path(sys.argv[2])

def told():
    print("half", flush=True)
    time.sleep(600)

def rows():
    for number in range(50_000):
        yield {"text": "x" * 100, "label": 0.5, "touched": False}
    told()

def folder(draft):
    (draft / "data-00000-of-00001.arrow").write_text("half")
    told()

if kind == "datasets":
    write_folder(path, folder, force=True)
else:
    write_rows(rows(), {}, path, kind, force=True)
"""


@pytest.mark.parametrize("kind", ["jsonl", "datasets"])
@pytest.mark.parametrize("old", [True, False])
def test_a_killed_export_leaves_what_was_there(kind: Container, old: bool, tmp_path: Path) -> None:
    path = tmp_path / "out"
    if old:
        write_rows(ROWS, COLUMNS, path, kind)
    process = subprocess.Popen(
        [sys.executable, "-c", HALF, kind, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    process.stdout.close()
    assert path.exists() == old
    if old:
        assert read(path, kind) == ROWS
    (left,) = [one for one in tmp_path.iterdir() if one != path]
    assert left.name.startswith(".out-")
    assert left.suffix == ".part"
    write_rows(ROWS[:3], COLUMNS, path, kind, force=True)
    assert read(path, kind) == ROWS[:3]
