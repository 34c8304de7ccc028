"""Ctrl-C and kill -9 in the middle of `lab eval`: the same command goes on to the same result."""

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.cli import INTERRUPTED
from sessions.store import Store
from tests.lab import fresh
from tests.lab.benches import LONG
from tests.lab.solving import done

COMMAND = ["eval", "samples", "--limit", "4", "--methods", "majority,beam",
           "--budgets", "24", "--baseline", "majority", "--parallel", "2", "--json"]  # fmt: skip
SEARCHES = 4 * 3  # greedy ones, samples, a beam


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "LAB_HOME": str(home)}


def ended_midway(store: Store, number: int, more: int) -> tuple[int, str, str]:
    """Begin or go on, and send it a signal once it has finished some more searches."""
    enough = len(done(store)) + more
    with fresh.Command(COMMAND, environment(store.path.parent)) as command:
        deadline = time.monotonic() + LONG
        while command.running and len(done(store)) < enough:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        command.signal(number)
        return command.ended()


def found(out: str) -> dict[str, Any]:
    """The report, without what depends on the machine and its state."""
    report: dict[str, Any] = json.loads(out)["report"]
    for part in (*report["scores"], *_cells(report)):
        for name in ("seconds", "session", "process_memory", "gpu_memory"):
            part.pop(name, None)
    return report


def _cells(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [cell for rows in report["grid"].values() for row in rows for cell in row]


def test_ctrl_c_and_kill_lose_nothing_that_is_done(tmp_path: Path) -> None:
    code, expected, err = fresh.run(COMMAND, environment(tmp_path / "whole"))
    assert code == 0, err

    store = Store(tmp_path / "ended")
    code, out, err = ended_midway(store, signal.SIGINT, 2)
    assert code == INTERRUPTED, err
    assert "what is finished is kept. Go on with: lab eval samples --limit 4" in err
    assert json.loads(out)["state"]["status"] == "idle"
    stopped = done(store)
    assert 2 <= len(stopped) < SEARCHES

    assert ended_midway(store, signal.SIGKILL, 5)[0] == -signal.SIGKILL
    killed = done(store)
    assert len(stopped) + 5 <= len(killed) < SEARCHES
    assert stopped.items() <= killed.items(), "what was done is not done again"

    code, out, err = fresh.run(COMMAND, environment(tmp_path / "ended"))
    assert code == 0, err
    assert killed.items() <= done(store).items()
    assert len(done(store)) == SEARCHES
    assert found(out) == found(expected)
    store.close()
