"""`--traces DIR`: replay the traces of another folder than the copies kept here."""

import json
from pathlib import Path
from typing import Any

import pytest

TRACES = Path(__file__).parent / "traces"
PARTS = set("answer end expected params policy question summary tie_rule value".split())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--traces", default=str(TRACES), help="Folder with recorded traces (*.json) to replay."
    )


def why_no_trace(file: Path) -> str:
    """Why a file is no recorded trace, "" if it is one."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return f"it cannot be read as JSON ({error})"
    if not isinstance(found, dict):
        return f"it holds a {type(found).__name__}, not an object"
    missing = sorted(PARTS - found.keys())
    return f"it lacks {', '.join(missing)}" if missing else ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "trace_file" in metafunc.fixturenames:
        folder = Path(metafunc.config.getoption("--traces", default=str(TRACES)))
        files = sorted(path for path in folder.glob("*") if not path.name.startswith("."))
        if not files:
            raise pytest.UsageError(f"--traces: there is no file in {folder}")
        metafunc.parametrize("trace_file", [as_parameter(file) for file in files])


def as_parameter(file: Path) -> Any:
    """A trace to replay; anything else is skipped by name, with the reason."""
    why = why_no_trace(file) if file.is_file() else "it is no file"
    marks = [pytest.mark.skip(reason=f"{file.name} is no trace: {why}")] if why else []
    return pytest.param(file, marks=marks, id=file.stem if not why else file.name)
