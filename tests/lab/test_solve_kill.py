"""kill -9 in the middle of a dataset: it goes on to the same trees, and nothing is done twice."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.workbench import Workbench
from sessions.rows import SessionRow
from sessions.store import Store
from tests.lab.benches import LONG
from tests.lab.solver import SETTING
from tests.lab.solving import dataset, done, logs

COUNT = 24
KILLS = 4


def solve_for_a_while(store: Store, more: int) -> int:
    """Run a process until it has finished some more problems, then kill it; its status."""
    enough = len(done(store)) + more
    home = str(store.path.parent)
    process = subprocess.Popen([sys.executable, "-m", "tests.lab.solver", home, str(COUNT)])
    deadline = time.monotonic() + LONG
    while process.poll() is None and len(done(store)) < enough:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    return process.wait()


@pytest.mark.timeout(300)
def test_a_killed_batch_loses_nothing_and_does_nothing_twice(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    home = tmp_path / "killed"
    store = Store(home)
    rng = random.Random(7)
    before: dict[str, SessionRow] = {}
    for _ in range(KILLS):
        assert solve_for_a_while(store, rng.randint(1, 5)) == -signal.SIGKILL
        now = done(store)
        assert before.items() <= now.items(), "what was done stays as it was"
        before = now
    assert 0 < len(before) < COUNT
    assert solve_for_a_while(store, COUNT) == 0

    killed, whole = make(home=home), make(home=tmp_path / "whole")
    (state,) = killed.batches()
    assert state.complete
    assert len(killed.sessions()) == COUNT
    assert not any(info.in_use_by for info in killed.sessions())
    assert before.items() <= done(store).items()
    batch = whole.solve(dataset(whole, COUNT), **SETTING)  # type: ignore[arg-type]
    expected = whole.wait_batch(batch, LONG)
    assert logs(killed, state.id) == logs(whole, batch)
    for name in ("right", "wrong", "ungraded", "tokens"):
        assert getattr(state, name) == getattr(expected, name)
    store.close()
