"""Main memory as a process may use it."""

from pathlib import Path

import pytest

from engine.models import hardware


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Control groups in a folder; the machine itself has 1000 bytes, 800 of them free."""
    monkeypatch.setattr(hardware, "_GROUPS", tmp_path)
    monkeypatch.setattr(hardware, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(hardware, "_machine_memory", lambda: (1000, 800))
    return tmp_path


def write(folder: Path, **contents: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name.replace("__", ".")).write_text(content)


def test_no_groups(groups: Path) -> None:
    assert hardware.memory() == (1000, 800)


def test_a_limit_of_a_group_or_of_one_around_it(groups: Path) -> None:
    write(groups, own="0::/service/part\n")
    write(groups / "service" / "part", memory__max="max\n", memory__current="100")
    assert hardware.memory() == (1000, 800)
    stat = "anon 350\ninactive_file 50\n"
    write(groups / "service", memory__max="600\n", memory__current="400\n", memory__stat=stat)
    assert hardware.memory() == (600, 250)


def test_in_a_container_the_path_may_be_unknown(groups: Path) -> None:
    write(groups, own="0::/../../docker/abc\n", memory__max="300", memory__current="290")
    write(groups, memory__stat="inactive_file 0\n")
    assert hardware.memory() == (300, 10)


def test_older_kernels(groups: Path) -> None:
    write(groups, own="5:cpu,cpuacct:/x\n4:memory:/x\n0::/\n")
    folder = groups / "memory" / "x"
    write(folder, memory__limit_in_bytes="9223372036854771712", memory__usage_in_bytes="1")
    write(folder, memory__stat="total_inactive_file 0\n")
    assert hardware.memory() == (1000, 800)
    write(folder, memory__limit_in_bytes="500", memory__usage_in_bytes="700")
    assert hardware.memory() == (500, 0)


def test_the_processor_has_the_main_memory() -> None:
    total, free = hardware.free_memory("cpu")
    assert 0 < free < total
