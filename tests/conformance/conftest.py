"""`--traces DIR`: replay the traces of another folder than the copies kept here."""

from pathlib import Path

import pytest

TRACES = Path(__file__).parent / "traces"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--traces", default=str(TRACES), help="Folder with recorded traces (*.json) to replay."
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "trace_file" in metafunc.fixturenames:
        folder = Path(metafunc.config.getoption("--traces", default=str(TRACES)))
        files = sorted(folder.glob("*.json"))
        if not files:
            raise pytest.UsageError(f"--traces: no *.json in {folder}")
        metafunc.parametrize("trace_file", files, ids=[file.stem for file in files])
