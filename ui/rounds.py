"""The sheet of rounds: what the script asks of them."""

from typing import Any

from ui.interface import Workbench


class RoundsDoor:
    """Rounds and adapters for the view.

    Args:
        workbench: what is shown.
    """

    FUNCTIONS: tuple[str, ...] = ()

    def __init__(self, workbench: Workbench) -> None:
        self._workbench: Any = workbench
