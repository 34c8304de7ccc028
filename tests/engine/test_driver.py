"""One search or many, interrupted or not: the same seed gives the same tree."""

from collections.abc import Sequence
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from engine import events as ev
from engine.errors import EventError, ModelError
from engine.models.base import PrefixRequest, Valuation
from engine.search import acts
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search
from engine.tree import Tree
from tests.engine.steered import Player
from tests.engine.test_tree import PARAMS
from tests.engine.worlds import World, grade, new_search, run
from tests.engine.worlds import state as whole_state


def state(search: Search) -> dict[str, object]:
    """Everything that a tree holds, of its iterations' costs what lasts."""
    lasting = [
        (cost.policy_generated, cost.policy_unique, cost.prm_unique) for cost in search.tree.costs
    ]
    return {**whole_state(search), "costs": lasting}


@settings(max_examples=25, deadline=None)
@given(PARAMS, st.integers(0, 10_000), st.integers(2, 6))
def test_the_batch_does_not_change_a_tree(
    params: dict[str, object], seed: int, others: int
) -> None:
    alone = new_search("q0", seed=seed, **params)
    run(alone, Limits(iterations=8))
    together = [new_search(f"q{i}", seed=seed, **params) for i in range(others)]
    world = World()
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)
    driver.run(together[::-1], Limits(iterations=8), lambda _, events: None)
    assert state(together[0]) == state(alone)
    assert max(size for _, size in world.calls) > 1


@settings(max_examples=40, deadline=None)
@given(PARAMS, st.integers(0, 10_000), st.lists(st.integers(1, 12), max_size=8))
def test_interruptions_do_not_change_a_tree(
    params: dict[str, object], seed: int, ticks: list[int]
) -> None:
    """Stop at any model call, forget everything but what was kept, go on: nothing differs, not
    even the costs, and nothing is generated twice.
    """
    whole = new_search(seed=seed, **params)
    run(whole, Limits(iterations=10))
    archive, world = MemoryArchive(), World()
    kept = list(new_search(seed=seed, **params).log)
    for count in ticks:
        driver = Driver(world, world, archive, clock=lambda: 0.0)
        search = Search(kept, grade)
        left = 10 - search.tree.iteration
        # What a killed process leaves behind: the events that were kept, no conclusion.
        driver.start(
            search, Limits(iterations=left), lambda _, events, log=kept: log.extend(events)
        )
        for _ in range(count):
            if driver.active:
                driver.tick()
        driver.abandon(search)
        while len(kept) > 1 and not isinstance(kept[-1], ev.IterationFinished):
            kept.pop()
    last = Search(kept, grade)
    driver = Driver(world, world, archive, clock=lambda: 0.0)
    driver.run([last], Limits(iterations=10 - last.tree.iteration), lambda _, events: None)
    mine, theirs = state(last), state(whole)
    for name in ("applied", "note"):
        mine.pop(name), theirs.pop(name)
    mine.pop("phase"), theirs.pop("phase")
    assert mine == theirs


def finish(driver: Driver) -> None:
    while driver.active:
        driver.tick()


def test_stop_drops_the_unfinished_iteration_and_concludes() -> None:
    search, world = new_search(), World()
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)
    kept = []
    driver.start(search, Limits(), lambda _, events: kept.append(events))
    while search.tree.iteration < 3:
        driver.tick()
    driver.stop(search)
    finish(driver)
    assert search.tree.iteration == 2
    assert [type(event).__name__ for event in kept[-1]][-1] == "Concluded"
    assert state(Search(search.log, grade)) == state(search)


def test_pause_finishes_the_iteration() -> None:
    search, world = new_search(), World()
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)
    driver.start(search, Limits(), lambda _, events: None)
    driver.tick()
    driver.pause(search)
    finish(driver)
    assert search.tree.iteration == 1
    assert search.tree.chosen is not None


@pytest.mark.parametrize("algorithm", ["mcts_star", "sampling", "beam"])
@pytest.mark.parametrize("tokens", [0, 1, 25, 60, 150, 400])
def test_a_token_limit_is_never_passed(algorithm: str, tokens: int) -> None:
    search = new_search(algorithm=algorithm)
    run(search, Limits(tokens=tokens))
    assert search.tree.cost.policy_generated <= tokens
    assert search.tree.chosen is not None


def test_a_time_limit_ends_a_run() -> None:
    search, world = new_search(), World()
    times = iter(range(10_000))
    driver = Driver(world, world, MemoryArchive(), clock=lambda: float(next(times)))
    driver.run([search], Limits(seconds=20), lambda _, events: None)
    (concluded,) = [event for event in search.log if isinstance(event, ev.Concluded)]
    assert concluded.reason == "seconds"
    assert next(times) < 60


class Picky(World):
    """A world that fails wherever the question is "bad"."""

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        if any(request.question == "bad" for request in requests):
            raise RuntimeError("no value for this one")
        return super().score(requests)


def full_disk(search: Search, events: object) -> None:
    raise OSError("disk full")


@pytest.mark.parametrize("when", ["keeping", "asking", "searching"])
def test_an_error_ends_the_search_that_it_belongs_to_and_no_other(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [new_search("good"), new_search("fine")]
    for search in alone:
        run(search, Limits(iterations=6))
    good, bad, fine = new_search("good"), new_search("bad"), new_search("fine")
    world = Picky() if when == "asking" else World()
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)
    for search in (good, bad, fine):
        keep = full_disk if when == "keeping" and search is bad else lambda _, events: None
        driver.start(search, Limits(iterations=6), keep)
    if when == "searching":
        monkeypatch.setattr(bad, "params", None)
    failures = []
    while driver.active:
        failures += driver.tick()
    assert [failed.search for failed in failures] == [bad]
    expected = {"keeping": OSError, "asking": RuntimeError, "searching": AttributeError}
    assert isinstance(failures[0].error, expected[when])
    assert bad.tree.iteration == 0
    assert [state(good), state(fine)] == [state(search) for search in alone]


def test_an_error_of_all_ends_all() -> None:
    world = Picky()
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)
    searches = [new_search("bad", seed=seed) for seed in range(3)]
    for search in searches:
        driver.start(search, Limits(iterations=6), lambda _, events: None)
    failures = []
    while driver.active:
        failures += driver.tick()
    assert {id(failed.search) for failed in failures} == {id(search) for search in searches}
    with pytest.raises(RuntimeError, match="no value"):
        driver.run([new_search("bad")], Limits(iterations=6), lambda _, events: None)


def test_what_wants_to_end_the_program_is_not_taken_for_an_error_of_a_search() -> None:
    class Leaving(World):
        def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
            raise KeyboardInterrupt

    driver = Driver(Leaving(), Leaving(), MemoryArchive(), clock=lambda: 0.0)
    driver.start(new_search(), Limits(iterations=1), lambda _, events: None)
    with pytest.raises(KeyboardInterrupt):
        finish(driver)


def test_searches_of_a_higher_priority_go_first_and_change_no_tree() -> None:
    alone = [new_search("q0"), new_search("q1"), new_search("urgent")]
    for search in alone:
        run(search, Limits(iterations=5))
    patient, urgent = [new_search("q0"), new_search("q1")], new_search("urgent")
    world = World()
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)
    for search in patient:
        driver.start(search, Limits(iterations=5), lambda _, events: None, priority=-1)
    for _ in range(4):
        driver.tick()
    before = deepcopy([state(search) for search in patient])
    driver.start(urgent, Limits(iterations=5), lambda _, events: None)
    while urgent in driver.active:
        driver.tick()
    assert [state(search) for search in patient] == before
    finish(driver)
    assert [state(search) for search in [*patient, urgent]] == [state(search) for search in alone]


def test_a_reply_is_paid_for_once() -> None:
    """Roll-outs and later expansions share proposals: they cost once, and are asked once."""
    search, world = new_search(roll_branch=3), World()
    run(search, Limits(iterations=12), world)
    asked = sum(size for kind, size in world.calls if kind == "propose")
    archive = MemoryArchive()
    again = new_search(roll_branch=3)
    run(again, Limits(iterations=12), world, archive)
    before = len(world.calls)
    replay = new_search(roll_branch=3)
    run(replay, Limits(iterations=12), world, archive)
    assert len(world.calls) == before, "a replay generates nothing"
    assert state(replay) == state(search)
    assert replay.tree.cost.policy_forwarded == replay.tree.cost.prm_forwarded == 0
    assert search.tree.cost.policy_forwarded > 0
    assert len(search.tree.drawn) >= asked


def test_searches_fall_into_step_so_that_proposals_share_calls() -> None:
    def calls(together: bool) -> int:
        world = World()
        searches = [new_search(f"q{i}", seed=i) for i in range(8)]
        for batch in [searches] if together else [[search] for search in searches]:
            driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)
            driver.run(batch, Limits(iterations=8), lambda _, events: None)
        return sum(kind == "propose" for kind, _ in world.calls)

    assert calls(together=True) * 3 < calls(together=False)


def lasting(log: Sequence[ev.Event]) -> list[ev.Event]:
    """A log without what tells how the work was done."""
    found = []
    for event in log:
        if isinstance(event, ev.IterationFinished | ev.Concluded | ev.Acted):
            cost = event.cost
            kept = ev.Cost(
                policy_generated=cost.policy_generated,
                policy_unique=cost.policy_unique,
                prm_unique=cost.prm_unique,
            )
            event = structs.replace(event, cost=kept)
        found.append(event)
    return found


@settings(max_examples=25, deadline=None)
@given(PARAMS, st.integers(0, 10_000), st.lists(st.integers(1, 7), max_size=12))
def test_phase_by_phase_makes_the_log_of_whole_iterations(
    params: dict[str, object], seed: int, phases: list[int]
) -> None:
    player = Player(new_search(seed=seed, **params))
    shown: list[list[ev.Event]] = []
    for count in phases:
        player.driver.start(
            player.search,
            Limits(phases=count),
            lambda _, events: None,
            on_held=lambda _, events: shown.append(events),
        )
        player.finish()
        if player.driver.held:
            assert not isinstance(shown[-1][-1], ev.IterationFinished)
            assert player.log[-1] != shown[-1][-1]
            again = Tree.fold([*player.log, *shown[-1]])
            assert vars(again) == vars(player.search.tree), "what is shown is the tree so far"
    player.run(iterations=player.tree().iteration + 4)
    whole = new_search(seed=seed, **params)
    run(whole, Limits(iterations=player.tree().iteration))
    ours, theirs = (
        [one for one in log if not isinstance(one, ev.Answered | ev.Concluded)]
        for log in (lasting(player.log), lasting(whole.log))
    )
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, ev.IterationFinished):
            assert isinstance(other, ev.IterationFinished)
            # Reading an answer for a conclusion goes before that of a later iteration.
            assert (one.iteration, one.stop) == (other.iteration, other.stop)
        else:
            assert one == other


def test_one_phase_at_a_time_ends_with_the_iteration() -> None:
    player = Player()
    shown: list[str] = []
    for _ in range(5):
        player.driver.start(
            player.search,
            Limits(phases=1),
            lambda _, events: shown.append("kept"),
            on_held=lambda search, _: shown.append(search.tree.phase),
        )
        player.finish()
    assert shown == ["selected", "expanded", "evaluated", "rolled out", "kept"]
    assert isinstance(player.log[-1], ev.IterationFinished)
    assert not player.driver.held


@pytest.mark.parametrize("end", ["stopped", "killed", "dropped", "acted", "refused", "run on"])
@pytest.mark.parametrize("phases", [1, 3])
def test_a_held_search_goes_on_as_if_it_had_not_been_held(end: str, phases: int) -> None:
    held, plain = Player(), Player()
    for player in (held, plain):
        player.run(iterations=2)
    held.run(phases=phases)
    assert held.driver.held == [held.search]
    assert held.tree().iteration == 2, "nothing of it is kept"
    if end == "stopped":
        held.driver.stop(held.search)
        held.finish()
    elif end == "killed":
        held.restart()
    elif end == "dropped":
        held.driver.drop_held()
    elif end == "acted":
        for player in (held, plain):
            player.act(acts.overrule(1, 0.75))
    elif end == "refused":
        with pytest.raises(EventError):
            held.act(acts.overrule(0, 0.75))
    calls = len(held.world.calls)
    for player in (held, plain):
        player.run(iterations=3)
    assert grown(held) == grown(plain)
    assert held.tree().iteration == 5
    if end == "run on":
        assert lasting(held.log) == lasting(plain.log)
        assert len(held.world.calls) - calls < len(plain.world.calls)


def grown(player: Player) -> list[object]:
    return [(node.step, node.value, node.visits) for node in player.tree().nodes]


def test_holding_a_run_leaves_it_before_the_next_call() -> None:
    player, plain = Player(), Player()
    plain.run(iterations=3)
    player.driver.start(player.search, Limits(iterations=3), lambda _, events: None)
    for _ in range(5):
        player.driver.tick()
    asked = len(player.world.calls)
    player.driver.hold(player.search)
    player.finish()
    assert player.driver.held
    assert len(player.world.calls) == asked
    player.run(iterations=3 - player.tree().iteration)
    assert grown(player) == grown(plain)


@pytest.mark.parametrize("ticks", [1, 2, 4, 9])
@pytest.mark.parametrize("limits", [Limits(iterations=3), Limits(phases=2)])
def test_an_act_in_a_run_is_done_between_two_iterations(ticks: int, limits: Limits) -> None:
    player = Player()
    player.run(iterations=1)
    kept: list[list[ev.Event]] = []

    def keep(search: Search, events: list[ev.Event]) -> None:
        kept.append(events)

    player.driver.start(player.search, limits, keep)
    for _ in range(ticks):
        player.driver.tick()
    for act in (acts.overrule(1, 0.9), acts.write_step(0, "mine"), acts.roll_out(0, 1)):
        player.driver.act(player.search, act, keep)
    player.finish()
    kinds = [type(events[0]).__name__ for events in kept]
    assert [
        kind for kind in kinds if kind not in ("IterationStarted", "Answered", "Concluded")
    ] == [
        "Overruled",
        "Added",
        "RolledOut",
    ]
    tree = player.tree()
    assert tree.node(1).overruled == 0.9
    assert "mine\n" in [node.step for node in tree.nodes]
    assert vars(player.search.tree) == vars(tree)


def test_what_was_asked_for_is_done_though_the_run_is_stopped() -> None:
    for stops in (1, 2):
        player = Player()
        player.run(iterations=1)
        player.driver.start(player.search, Limits(), lambda _, events: None)
        player.driver.tick()
        player.driver.act(player.search, acts.write_step(0, "mine"), lambda _, events: None)
        player.driver.act(player.search, acts.prune(1), lambda _, events: None)
        for _ in range(stops):
            player.driver.stop(player.search)
            player.driver.tick()
        player.finish()
        tree = player.tree()
        assert (tree.iteration, tree.node(1).pruned) == (1, True)
        # A second stop ends what the first one let begin.
        assert ("mine\n" in [node.step for node in tree.nodes]) == (stops == 1)


class Refusing(World):
    """A world whose PRM does not value what a person writes."""

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        if any("mine\n" in request.steps for request in requests):
            raise ModelError("No value for this step.")
        return super().score(requests)


def test_an_act_that_fails_ends_neither_its_run_nor_another() -> None:
    alone = [new_search("good"), new_search("other")]
    for search in alone:
        run(search, Limits(iterations=6))
    world = Refusing()
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)
    searches = [new_search("good"), new_search("other")]
    for search in searches:
        driver.start(search, Limits(iterations=6), lambda _, events: None)
    driver.tick()
    for act in (acts.write_step(0, "mine"), acts.overrule(999, 1.0)):
        driver.act(searches[0], act, lambda _, events: None)
    failures = []
    while driver.active:
        failures += driver.tick()
    assert [(failed.search, failed.ended) for failed in failures] == [(searches[0], False)] * 2
    assert [str(failed.error)[:22] for failed in failures] == [
        "No value for this step",
        "There is no node 999: ",
    ]
    assert [state(search) for search in searches] == [state(search) for search in alone]


def test_a_run_ends_as_soon_as_its_answer_is_right() -> None:
    player = Player(new_search(seed=1))
    player.driver.start(player.search, Limits(until_right=True), lambda _, events: None)
    player.finish()
    (concluded,) = [event for event in player.log if isinstance(event, ev.Concluded)]
    assert concluded.reason == "right"
    assert player.tree().node(concluded.chosen).correct
