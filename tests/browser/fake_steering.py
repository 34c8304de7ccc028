"""The part of the scripted workbench that steering asks: its trees only step, run and stop."""

from typing import Any

from engine.history import Item


class FakeSteering:
    """No history, no acts: a scripted tree cannot be steered."""

    def __init__(self, bench: Any) -> None:
        self._bench = bench

    def hold(self, session: str) -> None:
        self._bench.pause(session)

    def run_until_right(self, session: str) -> None:
        self._bench.run(session, iterations=50)

    def history(self, session: str) -> list[Item]:
        return []

    def parameters(self, session: str, params: Any = None, sampling: Any = None) -> None:
        info = self._bench.settings(session)
        info.params.update(params or {})
        info.sampling.update(sampling or {})
