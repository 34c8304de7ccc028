"""A search and its run, as the driver sees them."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from engine import events as ev
from engine.models.base import Sampling
from engine.search.accounting import Ledger
from engine.search.acts import Act
from engine.search.parameters import parse
from engine.search.registry import algorithm, stop_reason
from engine.search.requests import Reply, Request, Script
from engine.tree import Tree

Grader = Callable[[str | None], bool | None]
OnEvents = Callable[["Search", list[ev.Event]], None]

_IDLE = 100
"""A run that only tokens limit ends after so many iterations in a row that took none."""

_PHASES = (ev.Selected, ev.Expanded, ev.Evaluated, ev.RolledOut, ev.BackedUp)


class Limits(msgspec.Struct, frozen=True):
    """How far one run goes; None is no limit.

    iterations: of this run. tokens: policy tokens sampled in this run (if nothing
    else limits it, many iterations in a row that take none end it, too); an iteration that would
    pass the limit is dropped, so it is never exceeded, and answers that it leaves no tokens to read
    are not read. seconds: of wall clock, looked at between
    iterations. phases: then the run is held in the midst of its iteration, and the next run goes on
    there; nothing of that iteration is in the log before it is finished. until_right: the run ends
    as soon as the answer that wins is right. concludes: whether answers are read and one is chosen
    at the end.
    """

    iterations: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    phases: int | None = None
    until_right: bool = False
    concludes: bool = True


class Failure(NamedTuple):
    """An error of a search. It has ended its run without a conclusion, or (`ended` is False) only
    the act that it came from: nothing of that was done, and the run goes on.
    """

    search: "Search"
    error: Exception
    ended: bool = True


class Search:
    """A search as the driver sees it: its log, the tree folded from it, and the script at work.

    Attributes:
        log: events of finished iterations; what is kept on disk.
        tree: the fold of the log, plus what the present iteration has done so far.
        policy_read, prm_read: the tokens that count as unique.
    """

    def __init__(self, log: Iterable[ev.Event], grade: Grader) -> None:
        self.log = list(log)
        self.tree = Tree.fold(self.log)
        self.grade = grade
        self.algorithm = algorithm(self.tree.algorithm)
        self.read_parameters()
        self.policy_read = Ledger(read.policy for read in self.tree.read)
        self.prm_read = Ledger(read.prm for read in self.tree.read)

    @property
    def stopped(self) -> ev.StopReason:
        """Why there is nothing more to do, "" if there is."""
        return stop_reason(self.tree, self.params)

    @property
    def right(self) -> bool:
        """Whether the answer that wins is right."""
        groups = self.algorithm.groups(self.tree, self.params)
        return bool(groups) and groups[0].correct is True

    def read_parameters(self) -> None:
        """Take over the parameters of the tree."""
        params = dict(self.tree.params)
        self.sampling = parse(Sampling, _mapping(params.pop("sampling", {})))
        self.params = parse(self.algorithm.params, params)

    def forget_unfinished(self) -> None:
        """Back to the state after the last event of the log."""
        self.tree = Tree.fold(self.log)
        self.read_parameters()
        self.policy_read.drop()
        self.prm_read.drop()

    def close_read(self) -> ev.Read:
        """What was read since the last time, for the log."""
        return ev.Read(self.policy_read.close(), self.prm_read.close())


def create(
    question: str,
    gold: str | None,
    name: str,
    params: dict[str, object],
    seed: int,
    policy: str,
    prm: str,
    date: str = "",
    step_format: str = "",
) -> ev.SearchCreated:
    """The first event of a log, its parameters validated and written out with their defaults.

    params: those of the algorithm, and the policy's under "sampling". date, step_format: see
    `engine.events.SearchCreated`.

    Raises:
        ParameterError: an unknown algorithm or parameter, or a value out of range.
    """
    values = dict(params)
    sampling = parse(Sampling, _mapping(values.pop("sampling", {})))
    kind = algorithm(name)
    full = parse(kind.params, values).model_dump()
    full["sampling"] = sampling.model_dump()
    about = (kind.version, date, step_format)
    return ev.SearchCreated(question, gold, name, full, seed, policy, prm, *about)


def _mapping(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


class Run:
    """One search under way: what it may still do, and the request it waits for.

    Attributes:
        script: of the present iteration, act or conclusion; None between them.
        next: what the script has yielded already, because the run was held there.
        acts: what a person has asked for meanwhile; done between two iterations.
        acting, concluding: what the script is, neither for an iteration.
        only_acts: nothing but acts is left to do.
        reads: whether the conclusion may read answers; not once that took too many tokens.
        held: in the midst of an iteration; another run goes on there.
    """

    def __init__(
        self, search: Search, limits: Limits, on_events: OnEvents, priority: int, began: float
    ) -> None:
        self.search = search
        self.limits = limits
        self.on_events = on_events
        self.on_held: OnEvents | None = None
        self.priority = priority
        self.began = began
        self.acts: deque[Act] = deque()
        self.acting = self.only_acts = self.concluding = False
        self.pausing = self.holding = self.held = False
        self.script: Script | None = None
        self.next: Request | ev.Event | None = None
        self.request: Request | None = None
        self.reply: Reply = None
        self.phase: type[ev.Event] | None = None  # the kind of the last phase's event
        self.phases = 0
        self.pending: list[ev.Event] = []
        self.cost = ev.Cost()
        self.drawn: set[str] = set()
        self.reason: ev.StopReason = ""
        self.reads = True
        self.iterations = 0
        self.spent = ev.Cost()

    def begin(self, script: Script) -> None:
        """Begin an iteration, an act or the conclusion."""
        self.script, self.pending = script, []
        self.next = self.request = self.reply = self.phase = None
        self.cost, self.drawn = ev.Cost(), set()

    def drop(self) -> None:
        """Forget what is begun and not finished, as if it had never been begun."""
        if self.script is not None:
            self.search.forget_unfinished()
        self.script, self.pending = None, []
        self.next = self.request = self.reply = self.phase = None
        self.acting = self.concluding = self.held = False

    def go_on_from(self, other: "Run") -> None:
        """Take over the iteration in the midst of which another run was held."""
        self.script, self.request, self.reply = other.script, other.request, other.reply
        self.pending, self.cost, self.drawn = other.pending, other.cost, other.drawn
        self.next = other.next

    def over_phase(self, item: Request | ev.Event) -> bool:
        """Count phases; whether this item is beyond the last one that the limits allow."""
        asks = not isinstance(item, ev.Event)
        phase = type(item) if isinstance(item, _PHASES) else None
        over = self.phase is not None and (asks or phase not in (None, self.phase))
        self.phases += over
        if over or phase is not None:
            self.phase = phase
        return over and self.phases_over

    @property
    def phases_over(self) -> bool:
        """Whether there were as many phases as the limits allow."""
        return self.limits.phases is not None and self.phases >= self.limits.phases

    def over_tokens(self) -> bool:
        """Whether more tokens were sampled than the limits allow."""
        limit = self.limits.tokens
        spent = self.spent.policy_generated + self.cost.policy_generated
        return limit is not None and not self.acting and spent > limit

    def limit_reached(self, now: float) -> ev.StopReason:
        """Which limit lets no other iteration begin, "" if none does."""
        limits = self.limits
        if limits.until_right and self.search.right:
            return "right"
        if limits.iterations is not None and self.iterations >= limits.iterations:
            return "iterations"
        if limits.tokens is not None and self.spent.policy_generated >= limits.tokens:
            return "tokens"
        if limits.seconds is not None and now - self.began >= limits.seconds:
            return "seconds"
        if limits.tokens is not None and limits.iterations is None and self._idle():
            return "idle"
        return ""

    def _idle(self) -> bool:
        """Whether the search only walks known ways again, so that no limit of tokens ends it."""
        last = self.search.tree.costs[-_IDLE:]
        return len(last) == _IDLE and not any(cost.policy_generated for cost in last)
