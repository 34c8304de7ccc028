"""What the policy wrote in vain in whole batches of searches."""

from engine.refused import of_event, total
from lab.results import Refused
from sessions.store import Store


def of_batches(store: Store, *batches: str) -> Refused:
    """The refusals of all searches of batches that were begun.

    Raises:
        StoreError: a log cannot be read.
    """
    sessions = [
        problem.session
        for batch in dict.fromkeys(batches)
        for problem in store.batches.problems(batch)
        if problem.session is not None
    ]
    return Refused.of(total(total(map(of_event, store.events(session))) for session in sessions))
