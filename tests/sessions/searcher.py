"""Runs searches in processes that a test may kill.

One launcher imports everything once and forks a process for each line on its standard input:
HOME SESSION ITERATIONS. It prints "pid N" and "ended STATUS"; the process prints "shown N" when the
published view shows iteration N.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from engine.models.base import Completion, ProposalRequest
from engine.models.progress import Progress
from lab.models import Models
from lab.results import ModelSettings
from lab.workbench import Workbench
from tests.engine.worlds import World

SETTINGS = ModelSettings(policy="world", prm="world")


class SlowWorld(World):
    """Long enough in a model call for a process to be killed there now and then."""

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        time.sleep(0.002)
        return super().propose(requests)


def load(settings: ModelSettings, progress: Progress) -> Models:
    world = SlowWorld(words=9)
    return Models(world, world)


def search(home: Path, session: str, iterations: int) -> None:
    """Run a session up to a number of iterations in all, saying what is shown."""
    bench = Workbench(home, SETTINGS, load)
    shown = bench.show(session).iterations
    if iterations > shown:
        bench.run(session, iterations=iterations - shown)
    while True:
        state = bench.wait(session, timeout=0.001)
        now = bench.delta(session, -1)["tree"]["iteration"]
        if now != shown:
            shown = now
            os.write(1, f"shown {shown}\n".encode())
        if not state.active:
            bench.close()
            os._exit(1 if state.message else 0)


def main() -> None:
    for line in sys.stdin:
        home, session, iterations = line.split()
        child = os.fork()
        if child == 0:
            try:
                search(Path(home), session, int(iterations))
            finally:
                os._exit(2)
        os.write(1, f"pid {child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
