"""Outcomes of searches as read from their logs; each log is read once."""

from collections.abc import Sequence

import msgspec

from engine import events as ev
from engine.evaluation.budgets import Outcome, failure, readings
from engine.evaluation.contenders import Contender
from sessions.batches import BatchProblem
from sessions.store import Store


class Read(msgspec.Struct, frozen=True):
    """A search: its problem, and its outcomes: method -> one at each budget."""

    question: str
    gold: str | None
    session: str
    outcomes: dict[str, list[Outcome]]


class Readings:
    """Reads the searches of batches; what ended does not change, so it is kept.

    Args:
        store: where the logs are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[str, tuple[str, ...], tuple[int, ...]], Read] = {}

    def batch(
        self, batch: str, methods: Sequence[Contender], budgets: tuple[int, ...]
    ) -> dict[str, Read]:
        """The searches of a batch that have ended, by the label of their problem.

        Args:
            batch: id.
            methods: ways of reading each of them.
            budgets: policy tokens, rising.

        Raises:
            StoreError: a log cannot be read.
        """
        found = {}
        for problem in self._store.batches.problems(batch):
            if problem.session is not None and problem.status in ("done", "failed"):
                found[problem.label] = self._read(problem, problem.session, methods, budgets)
        return found

    def _read(
        self,
        problem: BatchProblem,
        session: str,
        methods: Sequence[Contender],
        budgets: tuple[int, ...],
    ) -> Read:
        names = tuple(method.name for method in methods)
        place = session, names, budgets
        known = self._known.get(place)
        if known is not None and problem.status == "done":
            return known
        log = self._store.events(session)
        if problem.status == "failed":
            failed = [failure(budget, problem.tokens) for budget in budgets]
            # A failed search is tried again when the batch goes on: it is not kept.
            return _told(log, session, dict.fromkeys(names, failed))
        outcomes = dict(zip(names, readings(log, methods, budgets), strict=True))
        self._known[place] = _told(log, session, outcomes)
        return self._known[place]


def _told(log: Sequence[ev.Event], session: str, outcomes: dict[str, list[Outcome]]) -> Read:
    first = log[0]
    assert isinstance(first, ev.SearchCreated)
    return Read(first.question, first.gold, session, outcomes)
