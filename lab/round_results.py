"""What is asked of a round, and what is said about one: plain structs, ready for JSON."""

from typing import Any, Literal

import msgspec

from engine.errors import LabError
from engine.training.verdict import Calibration, Comparison, Steps, Suspect
from sessions.adapters import Role

RoundStatus = Literal["idle", "loading", "running", "pausing", "failed", "done", "cancelled"]
PhaseStatus = Literal["waiting", "running", "done", "skipped"]

PHASES: dict[str, str] = {
    "search": "Search the pool",
    "examples": "Build examples",
    "prm": "Train the PRM",
    "policy": "Train the policy",
    "greedy": "Answer held-out problems",
    "guided": "Search held-out problems",
    "record": "Compare and record",
}
"""The phases of a round in order, with their titles."""

BUNDLED_HELDOUT = "heldout"
MEASURED = 500
"""So many of the bundled held-out problems were used for other measurements: rounds leave them."""


class RoundError(LabError):
    """A round cannot go on."""


class RoundSettings(msgspec.Struct, frozen=True):
    """What is asked of a round, or of several in a row.

    Attributes:
        recipe: name, see `engine.training.recipes`.
        rounds: how many in a row; each begins with what the one before it made.
        pool: dataset that is searched and learnt from. pool_limit: only its first problems.
        heldout: dataset that is evaluated on; a problem of the pool may not be in it.
        heldout_skip: leave so many at its beginning; None means those of the bundled ones that
            other measurements used, else 0.
        heldout_limit: only so many after these.
        guided_limit: of these, problems that are searched to compare process reward models.
        iterations: of every search of the pool, None for the recipe's own.
        tokens: policy tokens that every search of the pool may sample, None for no such limit. With
            it the recipe's own iterations and samples end no search: recipes can be compared at
            equal budgets.
        updates: most updates of each training, None for the recipe's own.
        seed: of searches and training; the k-th of several rounds searches with seed + k - 1.
        activate: let new sessions use the new adapters, unless they are worse.
        parallel: searches at a time; changes no result.
    """

    recipe: str = "rest_mcts"
    rounds: int = 1
    pool: str = "pool"
    pool_limit: int | None = 200
    heldout: str = BUNDLED_HELDOUT
    heldout_skip: int | None = None
    heldout_limit: int | None = 600
    guided_limit: int = 150
    iterations: int | None = None
    tokens: int | None = None
    updates: int | None = None
    seed: int = 0
    activate: bool = True
    parallel: int = 32

    @property
    def skipped(self) -> int:
        """Held-out problems that are left at the beginning."""
        if self.heldout_skip is not None:
            return self.heldout_skip
        return MEASURED if self.heldout == BUNDLED_HELDOUT else 0


class Plan(msgspec.Struct, frozen=True):
    """What a round will do.

    Attributes:
        recipe, title, source: of the recipe.
        rounds: in a row.
        policy, prm: the models that it begins with, adapters included.
        learns: which of them learn.
        pool, heldout, guided: how many problems are searched, answered, and searched to compare.
        search: algorithm and its limit, in words.
        seconds: expected of one round, from the last like it here, else roughly from searches like
            its own; None if there were none: it is known once the first problems are searched.
        memory: what the models need and what is free, in words; "" if that is not known.
        goes_on: the unfinished round that it goes on with, None for a new one.
        done: phases of that which are done.
    """

    recipe: str
    title: str
    source: str
    rounds: int
    policy: str
    prm: str
    learns: list[Role]
    pool: int
    heldout: int
    guided: int
    search: str
    seconds: float | None
    memory: str
    goes_on: str | None
    done: list[str]


class Changed(msgspec.Struct, frozen=True):
    """A held-out problem whose answer became right or wrong, with the sessions to look at."""

    problem: str
    fixed: bool
    gold: str | None
    before: str | None
    after: str | None
    session_before: str | None
    session_after: str | None


class Verdict(msgspec.Struct, frozen=True):
    """Did it help?

    Attributes:
        greedy: held-out problems answered greedily, old against new policy.
        changed: examples of fixed and broken ones.
        guided: held-out problems searched with the old policy, old against new process reward
            model; `guided_tokens` is what each search could generate.
        calibration: of the process reward model on the finished solutions of these searches.
        steps: of the solutions that the policy learnt from.
        suspects: problems of the pool whose oracle answer is to be doubted.
        warnings: in words.
        adapters: what the round made.
        activated: whether new sessions use each of them.
        next: what a following round begins with.
        pool_tokens: sampled by the policy in the searches of the pool, `pool_searches` of them;
            None for rounds of older versions.
    """

    greedy: Comparison | None
    changed: list[Changed]
    guided: Comparison | None
    guided_tokens: int | None
    calibration: Calibration | None
    steps: Steps | None
    suspects: list[Suspect]
    warnings: list[str]
    adapters: dict[Role, str | None]
    activated: dict[Role, bool]
    next: dict[Role, str | None]
    pool_tokens: int | None = None
    pool_searches: int | None = None


class PhaseState(msgspec.Struct, frozen=True):
    """A phase: how far it is (searches, updates, ...), and the time worked on it.

    `left`: estimated seconds to its end, None where nothing can be said.
    """

    name: str
    title: str
    status: PhaseStatus
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    left: float | None = None
    note: str = ""


class RoundState(msgspec.Struct, frozen=True):
    """A round, and how far it is.

    Attributes:
        id: 8 hex digits. series, number, rounds: where it is in its row.
        recipe: name.
        setting: what was asked for.
        start: adapters that it began with.
        status: what goes on in this process; idle is on disk and waits for somebody to go on.
        phase: the present one, "" if none is.
        phases: all of them.
        curves: (update, loss) of each training.
        message: the error in words, or how far loading is.
        left: estimated seconds to the end of the round, None where nothing can be said.
        verdict: at its end.
        created: Unix time.
    """

    id: str
    series: str
    number: int
    rounds: int
    recipe: str
    setting: dict[str, Any]
    start: dict[Role, str | None]
    status: RoundStatus
    phase: str
    phases: list[PhaseState]
    curves: dict[str, list[tuple[int, float]]]
    message: str
    left: float | None
    verdict: Verdict | None
    created: float

    @property
    def active(self) -> bool:
        """Whether this process works on it."""
        return self.status in ("loading", "running", "pausing")
