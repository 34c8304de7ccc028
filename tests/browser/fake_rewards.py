"""The part of the scripted workbench that rewards and exports ask: a scripted tree has none."""

from pathlib import Path
from typing import Any

from engine.rewards.rows import Rewards
from lab.verdicts import MethodInfo, SessionRewards

EMPTY = "A scripted tree has no rewards."


class FakeVerdicts:
    """No row for any tree; verdicts are refused."""

    def methods(self) -> list[MethodInfo]:
        return [MethodInfo("paper", "Quality value v", "Eq. 1-2 of the paper.")]

    def rewards(self, session: str, method: str = "paper", **_: Any) -> SessionRewards:
        return SessionRewards(Rewards(method, (), EMPTY, ()), ())

    def mark(self, *_: Any) -> None:
        raise ValueError("A scripted tree takes no verdicts.")

    grade_leaf = say = mark


class FakeExports:
    """A folder without files."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "exports"


class FakeRewards:
    """Beside a scripted workbench's trees."""

    home: Path

    @property
    def verdicts(self) -> FakeVerdicts:
        return FakeVerdicts()

    @property
    def exports(self) -> FakeExports:
        return FakeExports(self.home)
