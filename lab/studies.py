"""Ways to look into finished and unfinished searches: in time, side by side, what if."""

from collections.abc import Callable

from engine.value_history import ValuePoint, value_history
from lab.adapters import Adapters
from lab.compare import Comparisons
from lab.insight import Insights
from lab.lens import Lenses
from lab.live import LiveSession
from lab.node_reading import NodeReading, Reading
from lab.node_tokens import NodeTokens, StepTokens
from lab.timeline import Timelines
from lab.what_if import WhatIfs
from lab.worker import Grading, Worker
from sessions.store import Store


class Studies:
    """The studies of a home.

    Attributes:
        timelines: what each event of a session changed.
        comparisons: two sessions side by side.
        insights: the process reward model against a person, and what to judge next.
        lenses: a tree valued by the models of every round.
        what_ifs: replays with something changed.

    Args:
        store: of the sessions.
        worker: has the models.
        adapters: of the models.
        current: gives a session with everything that is on disk of it.
        grading: compares answers.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        adapters: Adapters,
        current: Callable[[str], LiveSession],
        grading: Grading,
    ) -> None:
        self._current = current
        self._tokens = NodeTokens(store.archive, current, worker.opened)
        self._reading = NodeReading(self._tokens, current, worker.opened_both)
        self.timelines = Timelines(current)
        self.comparisons = Comparisons(current)
        self.insights = Insights(store, current)
        self.lenses = Lenses(store, worker, adapters, current)
        self.what_ifs = WhatIfs(store, worker, adapters, current, grading)

    def tokens(self, session: str, node: int) -> StepTokens:
        """The tokens of a node's step with their log-probabilities; see `NodeTokens.tokens`."""
        return self._tokens.tokens(session, node)

    def reading(self, session: str, node: int) -> Reading:
        """What the models read at a node; see `NodeReading.reading`."""
        return self._reading.reading(session, node)

    def values(self, session: str, node: int) -> list[ValuePoint]:
        """V of a node from its first value on.

        Raises:
            EventError: there is no such node.
            StoreError: the session does not exist or cannot be read.
        """
        return value_history(list(self._current(session).view.log), node)
