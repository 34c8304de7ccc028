"""What is told of an evaluation while it goes on, and what one would do."""

from typing import Literal

import msgspec

from lab.evaluation_plan import EvaluationSettings


class RunState(msgspec.Struct, frozen=True):
    """A run of searches, and how far it is.

    Attributes:
        name, title: of it.
        seed, budgets: that it is run with, and to which it is cut.
        batch: of its searches, None where it has not begun.
        done: searches that have ended, failed ones too; of total.
        failed: of them, ended by an error: they count as wrong.
        tokens: sampled by the policy.
        seconds: worked on it.
        memory: the most bytes: `resident` of the process, `cuda` of its devices; empty where
            nobody has looked.
    """

    name: str
    title: str
    seed: int
    budgets: tuple[int, ...]
    batch: str | None
    done: int
    total: int
    failed: int = 0
    tokens: int = 0
    seconds: float = 0.0
    memory: dict[str, int] = {}


class Best(msgspec.Struct, frozen=True):
    """The method that was right most often at a budget, asking no oracle.

    Attributes:
        budget, method, title, accuracy: of it; the first of them where several are.
        tied: titles of others that were right equally often.
        close: of those that were right less often, but not significantly (paired by problem).
    """

    budget: int
    method: str
    title: str
    accuracy: float
    tied: list[str] = []
    close: list[str] = []


class EvaluationState(msgspec.Struct, frozen=True):
    """An evaluation, and how far it is.

    Attributes:
        id, name: see the store.
        setting: what was asked for.
        models: policy, PRM.
        problems: how many.
        status: what goes on in this process; idle is not at its end, and waits for somebody.
        runs: of searches, in order.
        best: at each budget, when somebody last worked on it.
        message: the error in words.
        left: estimated seconds to its end, None where nothing can be said.
        created: Unix time.
    """

    id: str
    name: str
    setting: EvaluationSettings
    models: tuple[str, str]
    problems: int
    status: Literal["idle", "running", "stopping", "failed", "done"]
    runs: list[RunState]
    best: list[Best]
    message: str
    left: float | None
    created: float

    @property
    def active(self) -> bool:
        """Whether this process works on it."""
        return self.status in ("running", "stopping")


class EvaluationPlan(msgspec.Struct, frozen=True):
    """What an evaluation would do.

    Attributes:
        problems: of the dataset.
        runs: of searches, their titles.
        searches: in all.
        tokens: that the policy may sample at most.
        seconds: about, for that many by the pace of earlier batches with these models; None
            without any.
        shared: how many methods read the same samples.
        goes_on: the evaluation that this would go on with, None for a new one.
        done: searches of it that are done.
    """

    problems: int
    runs: list[str]
    searches: int
    tokens: int
    seconds: float | None
    shared: int
    goes_on: str | None
    done: int
