"""The sheet of rewards and a person's verdicts: what the script asks of them."""

from typing import Any

from ui.interface import Workbench


class RewardsDoor:
    """Rewards, verdicts and exports for the view.

    Args:
        workbench: what is shown.
    """

    FUNCTIONS: tuple[str, ...] = ()

    def __init__(self, workbench: Workbench) -> None:
        self._workbench: Any = workbench
