"""Searches a dataset in a process that a test may kill: python -m tests.lab.solver HOME COUNT.

Ends with status 0 when every problem is done.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from engine.models.base import Completion, ProposalRequest
from lab.models import Models
from lab.workbench import Workbench
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS
from tests.lab.solving import dataset

SETTING = {"params": {"max_expansions": 3}, "seed": 2, "iterations": 8, "parallel": 4}


class SlowWorld(World):
    """Long enough in a model call for a process to be killed there now and then."""

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        time.sleep(0.004)
        return super().propose(requests)


def main() -> None:
    world = SlowWorld(words=9)
    bench = Workbench(Path(sys.argv[1]), SETTINGS, lambda *_: Models(world, world))
    batch = bench.solve(dataset(bench, int(sys.argv[2])), **SETTING)  # type: ignore[arg-type]
    complete = bench.wait_batch(batch).complete
    bench.close()
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
