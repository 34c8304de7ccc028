"""Workbenches that close themselves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.models import Models
from lab.workbench import Workbench
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, Gate


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Workbench]]:
    opened = []

    def open_bench(world: World | None = None, home: Path = tmp_path, **changes: Any) -> Workbench:
        world = world or World(words=9)
        models = Models(world, world, ["a notice"])
        bench = Workbench(home, SETTINGS, changes.get("load", lambda *_: models))
        opened.append((bench, world))
        return bench

    yield open_bench
    for bench, world in opened:
        if isinstance(world, Gate):
            world.let_all_through()
        bench.close()
