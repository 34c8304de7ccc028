"""A world that can be taught: what adapters change in it is known, and every update is counted.

`python -m tests.lab.classroom HOME` runs the round of `settings(HOME)` in a process that a test may
kill, and ends with status 0 when it is done.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.models.base import Completion, PrefixRequest, ProposalRequest, Usage, Valuation
from engine.training.examples import Example
from engine.training.learner import Learnt, Progress, Tell
from engine.training.recipes import Recipe
from lab.models import Models
from lab.round_results import RoundSettings
from lab.workbench import Workbench
from sessions.adapters import Role
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS
from tests.lab.solving import write

UPDATES = 12


class Pupil(World):
    """A world with an adapter on it: its policy answers `answer`, its PRM values `value`."""

    def __init__(self, name: str, answer: str = "", flat: bool = False) -> None:
        super().__init__(words=3, empty=0.0)
        self.identity = name
        self.answer = answer
        self.flat = flat

    def _propose(self, request: ProposalRequest) -> Completion:
        if not self.answer:
            return super()._propose(request)
        text = f"Answer: {self.answer}\n" if len(request.steps) >= 2 else "step 0\n"
        return Completion(text, text, "", (1, 2), (-0.5, -0.5), Usage(12))

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        if self.flat:
            return [Valuation(0.5, Usage(5)) for _ in requests]
        return super().score(requests)


class Teacher:
    """See `lab.models.Adapting`. An adapter is a folder with a word in it.

    Args:
        answer: what taught policies answer.
        flat: whether taught PRMs value everything alike.
        pause: seconds of an update.
    """

    def __init__(self, answer: str = "1", flat: bool = False, pause: float = 0.0) -> None:
        self.answer = answer
        self.flat = flat
        self.pause = pause
        self.taught: list[tuple[Role, Path | None, int]] = []
        self.error: Exception | None = None
        self.opened: list[str] = []

    def policy(self, adapter: Path) -> Pupil:
        return self._open(f"policy-{adapter.name}", (adapter / "word").read_text())

    def prm(self, adapter: Path) -> Pupil:
        return self._open(f"prm-{adapter.name}", flat=(adapter / "word").read_text() == "flat")

    def _open(self, name: str, answer: str = "", flat: bool = False) -> Pupil:
        self.opened.append(name)
        return Pupil(name, answer, flat)

    def close(self, model: Any) -> None:
        self.opened.remove(model.identity)

    def teach(
        self,
        role: Role,
        start: Path | None,
        examples: Sequence[Example],
        recipe: Recipe,
        folder: Path,
        out: Path,
        seed: int,
        tell: Tell,
    ) -> Learnt:
        if self.error is not None:
            raise self.error
        self.taught.append((role, start, len(examples)))
        folder.mkdir(parents=True, exist_ok=True)
        steps = min(UPDATES, getattr(recipe, role).schedule.most_steps)
        count = folder / "checkpoint"
        done = int(count.read_text()) if count.exists() else 0
        while done < steps:
            with (folder.parent / f"{role}-updates").open("a") as file:
                file.write(f"{done}\n")
            done += 1
            count.write_text(str(done))
            time.sleep(self.pause)
            if not tell(Progress(done, steps, 1.0 / done)) and done < steps:
                return Learnt(False, [], len(examples), done)
        out.mkdir(parents=True)
        word = self.answer if role == "policy" else "flat" if self.flat else "fine"
        (out / "word").write_text(word)
        losses = [(step, 1.0 / step) for step in range(1, steps + 1)]
        return Learnt(True, losses, len(examples), steps)


def updates(home: Path, round_id: str, role: Role) -> list[int]:
    """The updates that were made for a round, in the order in which they were made."""
    return list(map(int, (home / "rounds" / round_id / f"{role}-updates").read_text().split()))


def models(teacher: Any) -> Models:
    world = Pupil("world")
    return Models(world, world, [], teacher)


def settings(home: Path, **changes: Any) -> RoundSettings:
    """A small round; its datasets are written to the home."""
    home.mkdir(parents=True, exist_ok=True)
    small = RoundSettings(
        pool=write(home / "pool.jsonl", 8),
        heldout=write(home / "heldout.jsonl", 12, first=100),
        guided_limit=6,
        iterations=6,
        parallel=4,
    )
    return msgspec.structs.replace(small, **changes)


def bench(home: Path, teacher: Any) -> Workbench:
    return Workbench(home, SETTINGS, lambda *_: models(teacher))


def main() -> None:
    home = Path(sys.argv[1])
    opened = bench(home, Teacher(pause=0.02))
    series = opened.rounds.start(settings(home))
    state = opened.rounds.wait(series)
    opened.close()
    sys.exit(0 if state.status == "done" else 1)


if __name__ == "__main__":
    main()
