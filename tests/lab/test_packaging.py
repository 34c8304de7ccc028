"""The wheel: built, installed into an empty environment, and run from somewhere else."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    find_spec("hatchling") is None or find_spec("pip") is None,
    reason="building the wheel needs hatchling and pip, which the `dev` extra installs",
)


def run(*command: str | Path, cwd: Path, home: Path | None = None) -> str:
    """Standard output of a command that must succeed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["LAB_HOME"] = str(home or cwd)
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds the wheel and nothing else.

    Dependencies come from the packages of this run, by path: no network is asked. Entries of a
    .pth file are not searched for further .pth files, so an editable installation of the checkout
    does not shine through.
    """
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return folder / "bin"


def test_the_wheel_carries_the_rooms_and_the_assets(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        size = sum(item.file_size for item in archive.infolist())
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"lab", "ui", "engine", "sessions", "assets"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".sqlite")]
    kinds = {Path(name).suffix for name in names if name.startswith("assets/")}
    assert {".safetensors", ".js", ".css"} <= kinds
    assert size < 60 * 2**20


def test_the_installed_lab_runs_from_another_folder(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "lab", "--version", cwd=tmp_path).startswith("lab ")
    where = run(
        installed / "python",
        "-c",
        "import lab, ui, sessions, engine\n"
        "from importlib.resources import files\n"
        "print(lab.__file__)\n"
        "print(files('assets').joinpath('models', 'tiny-policy', 'model.safetensors').is_file())",
        cwd=tmp_path,
    ).split()
    assert Path(where[0]).is_relative_to(installed.parent)
    assert where[1] == "True"


def test_the_installed_lab_searches_and_is_healthy(installed: Path, tmp_path: Path) -> None:
    question = json.loads(
        run(installed / "lab", "problems", "--limit", "1", "--json", cwd=tmp_path)
    )["problems"][0]
    found = json.loads(
        run(
            installed / "lab",
            "search",
            question["content"],
            "--answer",
            question["answer"],
            "--iterations",
            "2",
            "--json",
            cwd=tmp_path,
        )
    )
    assert found["question"] == question["content"]
    assert found["iterations"] == 2
    assert found["nodes"] > 1
    assert (tmp_path / "lab.sqlite").is_file()
    assert json.loads(run(installed / "lab", "doctor", "--json", cwd=tmp_path))["healthy"] is True
