"""One search or many, interrupted or not: the same seed gives the same tree."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search
from tests.engine.test_tree import PARAMS
from tests.engine.worlds import World, grade, new_search, run, state


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
        kept = [event for event in kept if type(event).__name__ != "Concluded"]
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


def test_an_error_while_keeping_leaves_the_other_searches_alone() -> None:
    good, bad = new_search("good"), new_search("bad")
    world = World()
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)

    def full_disk(search: Search, events: object) -> None:
        raise OSError("disk full")

    driver.start(good, Limits(iterations=3), lambda _, events: None)
    driver.start(bad, Limits(iterations=3), full_disk)
    with pytest.raises(OSError, match="disk full"):
        finish(driver)
    driver.abandon(bad)
    finish(driver)
    assert good.tree.iteration == 3
    assert bad.tree.iteration == 0


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
    assert len(search.tree.drawn) >= asked
