"""A seed has one range, wherever it is given."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from engine.errors import ParameterError
from engine.randomness import LARGEST_SEED, is_seed
from lab.cli import app
from lab.workbench import Workbench


def commands(group: Any, path: str = "lab") -> Iterator[tuple[str, Any]]:
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{path} {name}")


WITH_SEED = [
    (path, option)
    for path, command in commands(typer.main.get_command(app))
    for option in command.params
    if "--seed" in option.opts
]


def test_many_commands_take_a_seed() -> None:
    assert {"lab search", "lab solve", "lab round"} <= {path for path, _ in WITH_SEED}


@pytest.mark.parametrize(("path", "option"), WITH_SEED, ids=[path for path, _ in WITH_SEED])
def test_every_command_takes_the_same_seeds(path: str, option: Any) -> None:
    assert (option.min, option.max) == (0, LARGEST_SEED)
    told = CliRunner().invoke(app, [*path.split()[1:], "--help"], env={"COLUMNS": "200"}).output
    assert f"0<=x<={LARGEST_SEED}" in "".join(told.split())
    for bad in (-1, LARGEST_SEED + 1):
        found = CliRunner().invoke(app, [*path.split()[1:], "--seed", str(bad), "x"])
        assert found.exit_code == 2


def test_a_workbench_takes_the_same_seeds(make: Callable[..., Workbench]) -> None:
    bench = make()
    for good in (0, LARGEST_SEED):
        assert bench.settings(bench.create("What?", seed=good)).seed == good
    for bad in (-1, LARGEST_SEED + 1, True, 1.5, "1"):
        with pytest.raises(ParameterError, match=str(LARGEST_SEED)):
            bench.create("What?", seed=bad)


def test_what_a_seed_is() -> None:
    assert LARGEST_SEED == 2**53 - 1
    assert [is_seed(x) for x in (0, LARGEST_SEED, -1, LARGEST_SEED + 1, True, 1.0, "1")] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip
