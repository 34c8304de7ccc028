"""Fulfils the requests of one search or of many at once.

The driver lets every active search run to its next request, answers all requests of a kind in one
batch across the searches, and goes round again (`tick`). Searches of a higher priority go first; an
error ends the run or the act that it belongs to and no other. It frames iterations, counts costs,
keeps limits and asks the archive before a model. A search can be paused after an iteration, held in
the midst of one, or stopped at the next model call; an unfinished iteration is then dropped, and
its replies wait in the archive. What a person has it do happens between two iterations.
"""

import time
from collections.abc import Callable, Sequence

import msgspec

from engine import events as ev
from engine.models.base import Policy, ProcessRewardModel
from engine.sandbox.runner import never
from engine.search.acts import Act
from engine.search.archive import Archive
from engine.search.fulfil import Answer, Charge, Fulfiller, Needed
from engine.search.requests import Execute, Propose, Request, Summarise
from engine.search.runs import Failure, Grader, Limits, OnEvents, Run, Search, create

__all__ = ["Driver", "Failure", "Grader", "Limits", "OnEvents", "Search", "create"]

# A search may go on for many iterations without proposals; the others must not wait that long.
_MOST_HELD = 8


def _cost(run: Run, address: str, charge: Charge) -> ev.Cost:
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


def _needed(run: Run) -> Needed:
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
        self._runs: dict[int, Run] = {}
        self._held = 0  # ticks that proposals have waited for

    @property
    def active(self) -> list[Search]:
        """Searches with something left to do in their present run."""
        return [run.search for run in self._runs.values() if not run.held]

    @property
    def held(self) -> list[Search]:
        """Searches that are held in the midst of an iteration."""
        return [run.search for run in self._runs.values() if run.held]

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

    def _new(self, search: Search, limits: Limits, on_events: OnEvents, priority: int) -> Run:
        return Run(search, limits, on_events, priority, self._clock())

    def pause(self, search: Search) -> None:
        """End the run after the present iteration."""
        if id(search) in self._runs:
            self._runs[id(search)].pausing = True

    def hold(self, search: Search) -> None:
        """Hold the run before it asks a model or runs code again; the next run goes on there. What
        a person has asked for meanwhile, and choosing the answers, are finished first.
        """
        run = self._runs.get(id(search))
        if run is not None:
            run.holding = run.pausing = True
            if isinstance(run.request, Execute) and not (run.acting or run.concluding):
                request, run.request = run.request, None  # it was cut off
                self._hold(run, request)

    def stop(self, search: Search) -> None:
        """End the run now; an unfinished iteration is dropped, or an unfinished act. Acts that have
        not begun are done first.
        """
        run = self._runs.get(id(search))
        if run is not None and not run.concluding:
            run.drop()
            run.pausing, run.holding = True, False

    def abandon(self, search: Search) -> None:
        """End the run without a conclusion, after an error; the unfinished iteration is dropped."""
        if self._runs.pop(id(search), None) is not None:
            search.forget_unfinished()

    def drop_held(self) -> None:
        """Drop the iterations in the midst of which searches are held: they will begin anew."""
        for search in self.held:
            self.abandon(search)

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

    def tick(self, interrupted: Callable[[], bool] = never) -> list[Failure]:
        """Let every search of the highest priority run to its next request, and answer all of
        those in one batch a kind.

        Args:
            interrupted: asked, in several threads, while programs of a model run: those that it
                cuts off run again in the next tick.

        Returns:
            The errors of runs and acts; whoever ticks must look at them. A request that fails in
            the batch is tried alone first, so that it fails no other.
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
        for run, answer in self._answered(waiting, failures, interrupted):
            run.request, run.reply = None, answer.reply
            for address, charge in answer.charges.items():
                run.cost = run.cost + _cost(run, address, charge)
        elapsed = self._clock() - began
        for run in waiting:
            run.cost = run.cost + ev.Cost(seconds=elapsed / len(waiting))
        return failures

    def _in_step(self, waiting: list[Run]) -> list[Run]:
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
        self, waiting: Sequence[Run], failures: list[Failure], interrupted: Callable[[], bool]
    ) -> list[tuple[Run, Answer]]:
        """The runs with their answers; those that fail are added to `failures`, and those whose
        programs were cut off have none.
        """
        try:
            answers = self._fulfiller.fulfil([_needed(run) for run in waiting], interrupted)
        except Exception as error:
            if len(waiting) == 1:
                failures.append(self._fail(waiting[0], error))
                return []
            return [
                pair for run in waiting for pair in self._answered([run], failures, interrupted)
            ]
        pairs = zip(waiting, answers, strict=True)
        return [(run, answer) for run, answer in pairs if answer is not None]

    def _fail(self, run: Run, error: Exception) -> Failure:
        if run.acting:
            run.drop()
            return Failure(run.search, error, ended=False)
        self._runs.pop(id(run.search), None)
        run.search.forget_unfinished()
        return Failure(run.search, error)

    def _advance(self, run: Run) -> None:
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
            self._hold(run, item)
        elif isinstance(item, ev.Event):
            self._happen(run, item)
        elif run.over_tokens():
            self._pass_over(run)
        elif run.reads or not isinstance(item, Summarise):
            run.request = item

    def _holds(self, run: Run, item: Request | ev.Event) -> bool:
        """Whether the run is held before this item."""
        if run.acting or run.concluding:
            return False
        return run.over_phase(item) or (run.holding and not isinstance(item, ev.Event))

    def _hold(self, run: Run, item: Request | ev.Event) -> None:
        if run.acts:  # which the iteration does not know of: it will begin anew after them
            run.drop()
            run.only_acts = True
            return
        run.next, run.held = item, True
        if run.on_held is not None:
            run.on_held(run.search, list(run.pending))

    def _begin(self, run: Run) -> None:
        search = run.search
        if run.acts:
            act, run.acting = run.acts.popleft(), True
            run.begin(act(search.tree))
            return
        if run.only_acts:
            del self._runs[id(search)]
            return
        reason = search.stopped or run.limit_reached(self._clock())
        if reason or run.pausing:
            self._conclude(run, reason)
            return
        run.begin(search.algorithm.iterate(search.tree, search.params))
        self._happen(run, ev.IterationStarted(search.tree.iteration + 1))

    def _finish(self, run: Run) -> None:
        """The script has ended."""
        search = run.search
        if run.over_tokens():
            self._pass_over(run)
            return
        if run.acting or run.concluding:
            ends = run.concluding
            run.script, run.acting, run.concluding = None, False, False
            self._keep(run)
            if ends:
                self._end(run)
            return
        iteration, drawn = search.tree.iteration, sorted(run.drawn)
        stop, read = search.stopped, search.close_read()
        self._happen(run, ev.IterationFinished(iteration, run.cost, stop, drawn, read))
        run.iterations, run.spent, run.script = run.iterations + 1, run.spent + run.cost, None
        run.phases, run.phase = run.phases + (run.phase is not None), None
        self._keep(run)
        if run.phases_over:
            self._end(run)

    def _end(self, run: Run) -> None:
        """Let a run end that has nothing unfinished, but for what a person has asked for."""
        if run.acts:
            run.only_acts = True
        else:
            del self._runs[id(run.search)]

    def _pass_over(self, run: Run) -> None:
        """There are fewer tokens than an iteration would take: drop it, and conclude; or than the
        conclusion would: conclude from what is known.
        """
        run.reads = not run.concluding
        reason = run.reason if run.concluding else "tokens"
        run.drop()
        self._conclude(run, reason)

    def _conclude(self, run: Run, reason: ev.StopReason) -> None:
        if not run.limits.concludes:
            self._end(run)
            return
        search = run.search
        run.reason = reason
        run.begin(search.algorithm.conclude(search.tree, search.params, reason))
        run.concluding = True

    def _keep(self, run: Run) -> None:
        events, run.pending = run.pending, []
        if events:
            run.on_events(run.search, events)
            run.search.log += events

    def _happen(self, run: Run, event: ev.Event) -> None:
        if isinstance(event, ev.Concluded | ev.Acted):
            read = run.search.close_read()
            event = msgspec.structs.replace(
                event, cost=run.cost, drawn=sorted(run.drawn), read=read
            )
        run.search.tree.apply(event)
        if isinstance(event, ev.ParametersChanged):
            run.search.read_parameters()
        run.pending.append(event)
