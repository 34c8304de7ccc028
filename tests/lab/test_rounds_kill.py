"""kill -9 in every phase of a round: it goes on, and nothing is searched or trained twice."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.round_results import PHASES
from sessions.store import Store
from tests.lab.benches import LONG
from tests.lab.classroom import UPDATES, Teacher, bench, settings, updates

PROGRAM = [sys.executable, "-m", "tests.lab.classroom"]


def kill_in(home: Path, store: Store, phase: str, after: float) -> None:
    """Run the round in a process, and kill it when a phase has gone on for some seconds."""
    before = list(PHASES)[: list(PHASES).index(phase)]
    process = subprocess.Popen([*PROGRAM, str(home)])
    deadline = time.monotonic() + LONG
    while process.poll() is None and time.monotonic() < deadline:
        rows = store.rounds.rows()
        if rows and all(rows[0].result(name) is not None for name in before):
            time.sleep(after)
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() in (-signal.SIGKILL, 0)


@pytest.mark.timeout(300)
def test_a_killed_round_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    home = tmp_path / "killed"
    home.mkdir()
    store, rng = Store(home), random.Random(3)
    for phase in ("search", "prm", "policy", "greedy", "guided"):
        kill_in(home, store, phase, rng.uniform(0.02, 0.15))
    assert subprocess.run([*PROGRAM, str(home)], check=False).returncode == 0
    (row,) = store.rounds.rows()
    assert row.status == "done"
    for role in ("prm", "policy"):
        made = updates(home, row.id, role)  # type: ignore[arg-type]
        # An update that was not on disk when the process died is done again, none before it.
        assert sorted(set(made)) == list(range(UPDATES))
        assert made == sorted(made)
        assert len(made) <= UPDATES + 5
    asked = {
        problem.session
        for batch in store.batches.rows()
        for problem in store.batches.problems(batch.id)
    }
    assert {one.id for one in store.sessions()} == asked, "no problem was begun twice"
    store.close()

    killed = bench(home, Teacher())
    whole = bench(tmp_path / "whole", Teacher())
    expected = whole.rounds.wait(whole.rounds.start(settings(tmp_path / "whole")), LONG).verdict
    found = killed.rounds.state(row.id).verdict
    assert found is not None
    assert expected is not None
    assert (found.greedy, found.guided_tokens) == (expected.greedy, expected.guided_tokens)
    for role, one in found.adapters.items():
        other = expected.adapters[role]
        assert one is not None
        assert other is not None
        data = [
            next(row.meta["data"]["rows"] for row in lab.adapters.rows() if row.id == adapter)
            for lab, adapter in ((killed, one), (whole, other))
        ]
        assert data[0] == data[1]
    killed.close()
    whole.close()
