"""Files that must not be opened stay as they are; older ones are upgraded whole or not at all."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from engine.events import SearchCreated
from sessions import database, schema
from sessions.batches import Place
from sessions.errors import (
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreForeignError,
    StoreNewerError,
    StoreUnwritableError,
)
from sessions.store import FILE_NAME, Store

VERSION_1 = Path(__file__).parent / "version_1.sql"
QUESTION = SearchCreated("q", None, "mcts_star", {}, 0, "", "")


def snapshot(home: Path) -> dict[str, bytes]:
    """Everything in a home folder but locks, which include the table of SQLite's readers."""
    files = [path for path in home.iterdir() if path.is_file() and path.suffix != ".sqlite-shm"]
    return {path.name: path.read_bytes() for path in files}


def count(home: Path) -> int:
    store = Store(home)
    sessions = len(store.sessions())
    store.close()
    return sessions


def refuse(home: Path, error: type[StoreError], match: str) -> None:
    before = snapshot(home)
    with pytest.raises(error, match=match) as caught:
        Store(home)
    assert str(home) in str(caught.value)
    assert snapshot(home) == before


def filled(home: Path, sessions: int = 40) -> Path:
    store = Store(home)
    for _ in range(sessions):
        store.create(QUESTION)
    store.close()
    return store.path


@pytest.mark.parametrize(
    "content", [b"x", b"my diary " * 1000, b"SQLite format 3\x00", bytes(5000)]
)
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    refuse(tmp_path, StoreForeignError, "not an SQLite database")


@pytest.mark.parametrize("wal", [False, True])
def test_a_database_of_another_program(tmp_path: Path, wal: bool) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    if wal:
        connection.execute("PRAGMA journal_mode = wal")
    connection.execute("CREATE TABLE sessions (id)")
    connection.commit()
    refuse(tmp_path, StoreForeignError, "another program")
    connection.close()


def set_version(path: Path, version: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    return connection


def test_a_newer_store(tmp_path: Path) -> None:
    set_version(filled(tmp_path), 99).close()
    refuse(tmp_path, StoreNewerError, r"store version 99; this lab knows 7\)")


def test_a_newer_store_that_is_open_elsewhere(tmp_path: Path) -> None:
    connection = set_version(filled(tmp_path), 99)  # the version is only in the write-ahead log
    refuse(tmp_path, StoreNewerError, "store version 99")
    connection.close()


@pytest.mark.parametrize("where", ["cut", "zeros", "noise", "schema"])
def test_a_damaged_store(tmp_path: Path, where: str) -> None:
    path = filled(tmp_path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    if where == "cut":
        del content[middle:]
    elif where == "zeros":
        content[4096:] = bytes(len(content) - 4096)
    elif where == "noise":
        content[4096:8192] = bytes(range(256)) * 16
    else:
        content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)
    refuse(tmp_path, StoreDamagedError, "is damaged")


def test_a_store_whose_tables_are_gone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute("CREATE TABLE other (id)")
    connection.commit()
    connection.close()
    refuse(tmp_path, StoreDamagedError, "is damaged")


def test_a_write_ahead_log_without_its_database(tmp_path: Path) -> None:
    (tmp_path / f"{FILE_NAME}-wal").write_bytes(b"the rest of something")
    refuse(tmp_path, StoreDamagedError, "lies there without the database")


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    assert filled(tmp_path).stat().st_size > 0


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(StoreUnwritableError, match=r"home cannot be used \(.+\)\. Choose one"):
        Store(tmp_path / "home")


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StoreUnwritableError, match="cannot be created or opened"):
        Store(tmp_path)


def test_a_home_with_unusual_letters(tmp_path: Path) -> None:
    home = tmp_path / "50% of? #my % stuff ü"
    assert filled(home).parent == home
    assert count(home) == 40


def load(path: Path, dump: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(dump.read_text(encoding="utf-8"))
    connection.close()


def test_a_store_of_version_1_opens_with_everything_in_it(tmp_path: Path) -> None:
    load(tmp_path / FILE_NAME, VERSION_1)
    store = Store(tmp_path)
    row = store.session("0123abcd")
    assert (row.name, row.tags, row.digest.nodes) == ("first", ["kept"], 3)
    assert len(store.events("0123abcd")) == row.events == 4
    assert row.batch is None
    assert store.archive.values(["ab" * 32])["ab" * 32].value == 0.25
    assert store.batches.rows() == []
    batch = store.batches.begin("digest", {}, 1, "data.jsonl")
    session = store.create(QUESTION, place=Place(batch, 0, "a", "line 1"))
    assert store.session(session).batch == batch
    store.close()


def add_colour(db: schema.Database) -> None:
    db.table("sessions").add_column("colour", str, not_null_default="red")


def fail_half_way(db: schema.Database) -> None:
    db.execute("DROP TABLE summaries")
    raise RuntimeError("no")


def test_an_older_store_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = filled(tmp_path, sessions=2)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_colour))
    version = len(schema.MIGRATIONS)
    assert schema.prepare(path, tmp_path / "locks") == version
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT colour FROM sessions").fetchall() == [("red",)] * 2
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    connection.close()


def test_an_upgrade_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path)
    before = path.read_bytes()
    later = (*schema.MIGRATIONS, add_colour, fail_half_way)
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    with pytest.raises(RuntimeError, match="no"):
        schema.prepare(path, tmp_path / "locks")
    assert path.read_bytes() == before


def test_an_open_store_stops_writing_when_a_newer_lab_upgrades_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    session = store.create(QUESTION)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_colour))
    schema.prepare(store.path, tmp_path / "locks")
    with pytest.raises(StoreNewerError, match="upgraded by a newer lab"):
        store.rename(session, "x")
    store.close()


def test_a_killed_creation_leaves_no_half_store(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from sessions import schema\n"
        "def die(db): os.kill(os.getpid(), 9)\n"
        "schema.MIGRATIONS = (*schema.MIGRATIONS, die)\n"
        "home = Path(sys.argv[1]); (home / 'locks').mkdir()\n"
        "schema.prepare(home / 'lab.sqlite', home / 'locks')"
    )
    died = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert died.returncode == -9
    assert not (tmp_path / FILE_NAME).exists()
    assert any(tmp_path.glob(f"{FILE_NAME}.new*"))
    filled(tmp_path)
    assert not any(tmp_path.glob(f"{FILE_NAME}.new*"))


def test_a_copied_home_is_a_store(tmp_path: Path) -> None:
    path = filled(tmp_path / "one")
    shutil.copytree(path.parent, tmp_path / "two")
    assert count(tmp_path / "two") == 40


def test_a_store_that_another_program_locks_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA locking_mode = exclusive")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("UPDATE sessions SET name = 'x'")
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with pytest.raises(StoreBusyError, match="locked by another process"):
        Store(tmp_path)
    connection.close()
    assert count(tmp_path) == 40


def test_a_lock_folder_that_cannot_be_used(tmp_path: Path) -> None:
    store = Store(tmp_path)
    session = store.create(QUESTION)
    (tmp_path / "locks" / f"{session}.lock").mkdir()
    with pytest.raises(StoreUnwritableError, match=rf"{session}\.lock cannot be locked"):
        store.leases.acquire(session)
    store.close()
