"""kill -9 at any moment: what was shown is on disk, and the search goes on as if never killed."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab.workbench import Workbench
from sessions.store import Store
from tests.comparing import lasting
from tests.sessions.searcher import SETTINGS, load

ITERATIONS = 120
KILLS = 20
QUESTION = {"question": "What?", "gold": "1", "seed": 3, "params": {"max_expansions": 3}}


class Launcher:
    """The process that starts searches; see `tests.sessions.searcher`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.sessions.searcher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def start(self, session: str) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{self.home} {session} {ITERATIONS}\n")
        kind, pid = self.line()
        while kind != "pid":  # the search may be faster than the word of its start
            self.early.append(pid)
            kind, pid = self.line()
        return pid

    def line(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        kind, number = self.process.stdout.readline().split()
        return kind, int(number)

    def run(self, session: str, rng: random.Random | None) -> tuple[int, int]:
        """Run a session; with `rng`, kill it at a random moment. Last iteration shown, status."""
        self.early: list[int] = []
        pid = self.start(session)
        shown = max(self.early, default=0)
        kill_after = rng.randint(0, 8) if rng else None
        seen = len(self.early)
        while True:
            if rng and kill_after is not None and seen >= kill_after:
                time.sleep(rng.uniform(0, 0.02))
                with suppress(ProcessLookupError):  # it came to its end before the shot
                    os.kill(pid, signal.SIGKILL)
                kill_after = None
            kind, number = self.line()
            if kind == "ended":
                return shown, number
            shown, seen = number, seen + 1

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()


def tree(home: Path, session: str) -> dict[str, Any]:
    """All of a session but its id, its age and the work that was done for it."""
    bench = Workbench(home, SETTINGS, load)
    found = bench.export(session)
    bench.close()
    return {"result": lasting(found["result"]), "nodes": found["nodes"]}


@pytest.mark.timeout(600)  # many processes, some seconds each on a busy machine
@pytest.mark.skipif(not hasattr(os, "fork"), reason="killing processes needs fork")
def test_killed_searches_lose_nothing_and_end_with_the_same_tree(
    launcher: Launcher, tmp_path: Path
) -> None:
    whole = create(tmp_path)
    assert launcher.run(whole, None)[1] == 0
    rng, kills = random.Random(20), 0
    while kills < 15:  # how many fall into one search is a matter of luck
        killed = create(tmp_path)
        kills += search_under_fire(launcher, tmp_path, killed, rng)
        assert tree(tmp_path, killed) == tree(tmp_path, whole)


def create(home: Path) -> str:
    """A new session with the one question of these tests."""
    bench = Workbench(home, SETTINGS, load)
    session = bench.create(**QUESTION)  # type: ignore[arg-type]
    bench.close()
    return session


def search_under_fire(launcher: Launcher, home: Path, killed: str, rng: random.Random) -> int:
    """Search to the end with processes that are killed at random moments; the number of kills."""
    store = Store(home)
    kills = iterations = 0
    status = None
    while status != 0:
        shown, status = launcher.run(killed, rng if kills < KILLS else None)
        kills += status == -signal.SIGKILL
        assert status in (0, -signal.SIGKILL)
        before, iterations = iterations, store.session(killed).digest.iterations
        assert iterations >= max(shown, before)
        assert store.leases.holders() == {}
        with store._reads.reading() as db:
            assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    store.close()
    return kills
