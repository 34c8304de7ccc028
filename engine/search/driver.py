"""Fulfils the requests of one search or of many at once.

The driver lets every active search run to its next request, answers all requests of a kind in one
batch across the searches, and goes round again (`tick`). Searches of a higher priority go first; an
error ends the search that it belongs to and no other. It frames iterations, counts costs, keeps
limits and asks the archive before a model. A search can be paused after an iteration or stopped at
the next model call; an unfinished iteration is then dropped, and its replies wait in the archive.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from engine import events as ev
from engine.models.base import Policy, ProcessRewardModel, Sampling
from engine.search.accounting import Ledger
from engine.search.acts import Act
from engine.search.archive import Archive
from engine.search.fulfil import Answer, Charge, Fulfiller, Needed
from engine.search.parameters import parse
from engine.search.registry import algorithm
from engine.search.requests import Propose, Reply, Request, Script
from engine.tree import Tree

Grader = Callable[[str | None], bool | None]
OnEvents = Callable[["Search", list[ev.Event]], None]

_PHASES = (ev.Selected, ev.Expanded, ev.Evaluated, ev.RolledOut, ev.BackedUp)

# A search may go on for many iterations without proposals; the others must not wait that long.
_MOST_HELD = 8


class Limits(msgspec.Struct, frozen=True):
    """How far one run goes; None is no limit.

    iterations: of this run. tokens: policy tokens sampled in this run; an iteration that would
    pass the limit is dropped, so it is never exceeded. seconds: of wall clock, looked at between
    iterations. phases: then the run is held in the midst of its iteration, and the next run goes on
    there; nothing of that iteration is in the log before it is finished. until_right: the run ends
    as soon as the answer that wins is right.
    """

    iterations: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    phases: int | None = None
    until_right: bool = False


class Failure(NamedTuple):
    """A run that an error of its own has ended, without a conclusion."""

    search: "Search"
    error: Exception


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
        return self.algorithm.stopped(self.tree, self.params)

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
) -> ev.SearchCreated:
    """The first event of a log, its parameters validated and written out with their defaults.

    params: those of the algorithm, and the policy's under "sampling".

    Raises:
        ParameterError: an unknown algorithm or parameter, or a value out of range.
    """
    values = dict(params)
    sampling = parse(Sampling, _mapping(values.pop("sampling", {})))
    full = parse(algorithm(name).params, values).model_dump()
    full["sampling"] = sampling.model_dump()
    return ev.SearchCreated(question, gold, name, full, seed, policy, prm)


def _mapping(value: object) -> dict[str, object]:
    return dict(value) if isinstance(value, dict) else {}


class _Run:
    """One search under way: what it may still do, and the request it waits for."""

    def __init__(
        self, search: Search, limits: Limits, on_events: OnEvents, priority: int, began: float
    ) -> None:
        self.search = search
        self.on_held: OnEvents | None = None
        self.acts: deque[Act] = deque()
        self.acting = self.only_acts = False
        self.next: Request | ev.Event | None = None  # that the script has yielded already
        self.phase: type[ev.Event] | None = None  # the kind of the last phase's event
        self.phases = 0
        self.held = False
        self.priority = priority
        self.began = began
        self.limits = limits
        self.on_events = on_events
        self.script: Script | None = None
        self.request: Request | None = None
        self.reply: Reply = None
        self.pending: list[ev.Event] = []
        self.cost = ev.Cost()
        self.drawn: set[str] = set()
        self.iterations = 0
        self.spent = ev.Cost()
        self.pausing = self.holding = False
        self.concluding = False

    def go_on_from(self, other: "_Run") -> None:
        """Take over the iteration in the midst of which another run was held."""
        self.script, self.request, self.reply = other.script, other.request, other.reply
        self.pending, self.cost, self.drawn = other.pending, other.cost, other.drawn
        self.next = other.next


def _cost(run: _Run, address: str, charge: Charge) -> ev.Cost:
    """What a part of a reply adds to its iteration; its search pays for it once."""
    usage, search = charge.usage, run.search
    generated = unique = 0
    if address not in search.tree.drawn and address not in run.drawn:
        run.drawn.add(address)
        generated = charge.generated
        unique = (search.prm_read if charge.prm else search.policy_read).add(charge.text())
    if charge.prm:
        return ev.Cost(
            prm_forwarded=usage.forwarded,
            prm_cached=usage.cached,
            prm_padded=usage.padded,
            prm_unique=unique,
        )
    return ev.Cost(
        policy_forwarded=usage.forwarded,
        policy_cached=usage.cached,
        policy_padded=usage.padded,
        policy_unique=unique,
        policy_generated=generated,
    )


def _needed(run: _Run) -> Needed:
    assert run.request is not None
    search = run.search
    return Needed(run.request, search.tree, search.sampling, search.grade)


class Driver:
    """Drives searches with one policy and one PRM. Use from one thread."""

    def __init__(
        self,
        policy: Policy,
        prm: ProcessRewardModel,
        archive: Archive,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._fulfiller = Fulfiller(policy, prm, archive)
        self._clock = clock
        self._runs: dict[int, _Run] = {}
        self._held = 0  # ticks that proposals have waited for

    @property
    def active(self) -> list[Search]:
        """Searches with something left to do in their present run."""
        return [run.search for run in self._runs.values() if not run.held]

    def start(
        self,
        search: Search,
        limits: Limits,
        on_events: OnEvents,
        priority: int = 0,
        on_held: OnEvents | None = None,
    ) -> None:
        """Begin a run, or go on with one that is held.

        Args:
            search: the search.
            limits: of this run.
            on_events: gets the events of each finished iteration, and of the conclusion at the end
                of the run, before anything else is done with the search: it keeps them on disk. It
                may raise; the run then ends there.
            priority: as long as there are runs of a higher one, this one waits.
            on_held: gets the events of the unfinished iteration where the run is held.
        """
        run, before = self._new(search, limits, on_events, priority), self._runs.get(id(search))
        run.on_held = on_held
        if before is not None and before.held:
            run.go_on_from(before)
        self._runs[id(search)] = run

    def act(self, search: Search, act: Act, on_events: OnEvents, priority: int = 0) -> None:
        """Do something between two iterations: of the present run, or by itself if there is none.

        An iteration in the midst of which the search is held begins anew after it.
        """
        run = self._runs.get(id(search))
        if run is None or run.held:
            self.abandon(search)
            run = self._new(search, Limits(), on_events, priority)
            run.only_acts = True
            self._runs[id(search)] = run
        run.acts.append(act)

    def _new(self, search: Search, limits: Limits, on_events: OnEvents, priority: int) -> _Run:
        return _Run(search, limits, on_events, priority, self._clock())

    def pause(self, search: Search) -> None:
        """End the run after the present iteration."""
        if id(search) in self._runs:
            self._runs[id(search)].pausing = True

    def hold(self, search: Search) -> None:
        """Hold the run before it asks a model again; the next run goes on there. What a person
        has asked for meanwhile, and choosing the answers, are finished first.
        """
        if id(search) in self._runs:
            self._runs[id(search)].holding = True
            self.pause(search)

    def stop(self, search: Search) -> None:
        """End the run now; an unfinished iteration is dropped."""
        run = self._runs.get(id(search))
        if run is not None and not run.concluding:
            self._conclude(run, "")

    def abandon(self, search: Search) -> None:
        """End the run without a conclusion, after an error; the unfinished iteration is dropped."""
        if self._runs.pop(id(search), None) is not None:
            search.forget_unfinished()

    def run(self, searches: Sequence[Search], limits: Limits, on_events: OnEvents) -> None:
        """Run searches until all have reached a limit or their end.

        Raises:
            Exception: the first error of a search; the others are left as they are then.
        """
        for search in searches:
            self.start(search, limits, on_events)
        while self.active:
            for failed in self.tick():
                raise failed.error

    def tick(self) -> list[Failure]:
        """Let every search of the highest priority run to its next request, and answer all of
        those in one batch a kind.

        Returns:
            The runs that an error has ended; whoever ticks must look at them. A request that fails
            in the batch is tried alone first, so that it fails no other.
        """
        began = self._clock()
        running = [run for run in self._runs.values() if not run.held]
        top = max((run.priority for run in running), default=0)
        failures: list[Failure] = []
        waiting = []
        for run in [run for run in running if run.priority == top]:
            try:
                while run.request is None and not run.held and id(run.search) in self._runs:
                    self._advance(run)
            except Exception as error:
                failures.append(self._fail(run, error))
            if run.request is not None and not run.held:
                waiting.append(run)
        waiting = self._in_step(waiting)
        for run, answer in self._answered(waiting, failures):
            run.request, run.reply = None, answer.reply
            for address, charge in answer.charges.items():
                run.cost = run.cost + _cost(run, address, charge)
        elapsed = self._clock() - began
        for run in waiting:
            run.cost = run.cost + ev.Cost(seconds=elapsed / len(waiting))
        return failures

    def _in_step(self, waiting: list[_Run]) -> list[_Run]:
        """The runs whose turn it is: proposals wait until all searches want some.

        Sampling takes by far the longest and costs nearly the same for many as for one, so that
        searches which are at different places of their iterations fall into step.
        """
        quick = [run for run in waiting if not isinstance(run.request, Propose)]
        self._held = self._held + 1 if 0 < len(quick) < len(waiting) else 0
        if self._held == 0 or self._held > _MOST_HELD:
            self._held = 0
            return waiting
        return quick

    def _answered(
        self, waiting: Sequence[_Run], failures: list[Failure]
    ) -> list[tuple[_Run, Answer]]:
        """The runs with their answers; those without one are added to `failures`."""
        try:
            answers = self._fulfiller.fulfil([_needed(run) for run in waiting])
        except Exception as error:
            if len(waiting) == 1:
                failures.append(self._fail(waiting[0], error))
                return []
            return [pair for run in waiting for pair in self._answered([run], failures)]
        return list(zip(waiting, answers, strict=True))

    def _fail(self, run: _Run, error: Exception) -> Failure:
        self._runs.pop(id(run.search), None)
        run.search.forget_unfinished()
        return Failure(run.search, error)

    def _advance(self, run: _Run) -> None:
        """Go on to the next request, the end of the iteration or the end of the run."""
        if run.script is None:
            self._begin(run)
            return
        try:
            item = run.script.send(run.reply) if run.next is None else run.next
        except StopIteration:
            self._finish(run)
            return
        run.reply = run.next = None
        if self._holds(run, item):
            return
        if isinstance(item, ev.Concluded):
            read = run.search.close_read()
            paid = {"cost": run.cost, "drawn": sorted(run.drawn), "read": read}
            self._happen(run, msgspec.structs.replace(item, **paid))
        elif isinstance(item, ev.Event):
            self._happen(run, item)
        elif self._over_tokens(run):
            run.search.forget_unfinished()
            self._conclude(run, "tokens")
        else:
            run.request = item

    def _holds(self, run: _Run, item: Request | ev.Event) -> bool:
        """Whether the run is held before this item, because its last phase is over."""
        over = run.phase is not None and not isinstance(item, run.phase)
        run.phases += over
        if over:
            run.phase = None
        if isinstance(item, _PHASES):
            run.phase = type(item)
        enough = over and run.limits.phases is not None and run.phases >= run.limits.phases
        asks = not isinstance(item, ev.Event) and not (run.acting or run.concluding)
        if not enough and not (run.holding and asks):
            return False
        run.next, run.held = item, True
        if run.on_held is not None:
            run.on_held(run.search, list(run.pending))
        return True

    def _begin(self, run: _Run) -> None:
        search = run.search
        if run.acts:
            run.cost, run.drawn, run.pending, run.reply = ev.Cost(), set(), [], None
            run.acting = True
            run.script = run.acts.popleft()(search.tree)
            return
        if run.only_acts:
            del self._runs[id(search)]
            return
        reason = search.stopped or self._limit_reached(run)
        if reason or run.pausing:
            self._conclude(run, reason)
            return
        run.cost, run.drawn, run.pending, run.reply = ev.Cost(), set(), [], None
        self._happen(run, ev.IterationStarted(search.tree.iteration + 1))
        run.script = search.algorithm.iterate(search.tree, search.params)

    def _finish(self, run: _Run) -> None:
        """The script ended: close the iteration, or the run if it was the conclusion."""
        search = run.search
        if run.concluding:
            del self._runs[id(search)]
            self._keep(run)
            return
        if run.acting:
            if run.drawn:
                self._happen(run, ev.Acted(run.cost, sorted(run.drawn), search.close_read()))
            run.script, run.acting = None, False
            self._keep(run)
            return
        if self._over_tokens(run):
            search.forget_unfinished()
            self._conclude(run, "tokens")
            return
        iteration = search.tree.iteration
        read = search.close_read()
        drawn = sorted(run.drawn)
        done = ev.IterationFinished(iteration, run.cost, search.stopped, drawn, read)
        self._happen(run, done)
        run.iterations, run.spent, run.script = run.iterations + 1, run.spent + run.cost, None
        run.phases, run.phase = run.phases + (run.phase is not None), None
        self._keep(run)
        if run.limits.phases is not None and run.phases >= run.limits.phases:
            del self._runs[id(search)]  # held between two iterations: there is nothing to keep

    def _conclude(self, run: _Run, reason: ev.StopReason) -> None:
        search = run.search
        if run.pending:
            search.forget_unfinished()
        run.pending, run.request, run.reply, run.next = [], None, None, None
        run.concluding, run.held = True, False
        run.cost, run.drawn = ev.Cost(), set()
        run.script = search.algorithm.conclude(search.tree, search.params, reason)

    def _keep(self, run: _Run) -> None:
        events, run.pending = run.pending, []
        if events:
            run.on_events(run.search, events)
            run.search.log += events

    def _happen(self, run: _Run, event: ev.Event) -> None:
        run.search.tree.apply(event)
        if isinstance(event, ev.ParametersChanged):
            run.search.read_parameters()
        run.pending.append(event)

    def _over_tokens(self, run: _Run) -> bool:
        limit = run.limits.tokens
        spent = run.spent.policy_generated + run.cost.policy_generated
        free = run.concluding or run.acting
        return limit is not None and not free and spent > limit

    def _limit_reached(self, run: _Run) -> ev.StopReason:
        limits = run.limits
        if limits.until_right and run.search.right:
            return "right"
        if limits.iterations is not None and run.iterations >= limits.iterations:
            return "iterations"
        if limits.tokens is not None and run.spent.policy_generated >= limits.tokens:
            return "tokens"
        if limits.seconds is not None and self._clock() - run.began >= limits.seconds:
            return "seconds"
        return ""
