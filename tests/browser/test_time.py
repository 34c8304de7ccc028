"""Time on the page: the tree as it was at any event, playing it back, forks, going back."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.tree import Tree
from lab.models import Models
from lab.view import node_record
from lab.workbench import Workbench
from tests.browser.conftest import wait_nodes
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, finish

OpenTab = Callable[..., Any]
PARAMS = {"inf": 0.8}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    world = World(words=4)
    made = Workbench(tmp_path_factory.mktemp("time"), SETTINGS, lambda *_: Models(world, world, []))
    yield made
    made.close()


def searched(bench: Workbench, iterations: int = 8) -> str:
    session = bench.create("What?", gold="1", seed=8, params=PARAMS)
    finish(bench, session, iterations=iterations)
    return session


def known(page: Any, bench: Workbench, session: str) -> int:
    """Until the page has all frames; how many."""
    count = bench.studies.timelines.frames(session)["total"]
    page.wait_for_function("(n) => window.lab.timeline.frames.length === n", arg=count)
    return int(count)


SHOWN = """() => [...window.lab.store.nodes.values()].map((node) => ({...node}))"""


def test_the_tree_as_it_was(tab: OpenTab, bench: Workbench, address: str) -> None:
    session = searched(bench)
    bench.steering.overrule(session, 1, 0.9)
    bench.steering.undo(session)
    bench.verdicts.mark(session, 2, "wrong")
    finish(bench, session, iterations=2)
    page = tab(address, session)
    total = known(page, bench, session)
    frames = bench.studies.timelines.frames(session)["frames"]
    log = bench._current(session).view.log
    asked = len(page.lab_requests)
    for place in (total // 2, 3, total - 4, total - 9):
        page.evaluate("(place) => window.lab.timeline.go(place)", place)
        tree = Tree.fold(log[: frames[place]["at"]])
        assert page.evaluate(SHOWN) == [node_record(node) for node in tree.nodes]
    assert len(page.lab_requests) - asked < 4  # the poll goes on; no notch asks
    page.wait_for_selector(".lab-view.is-past .lab-past-when:has-text('As it was')")

    page.click(".lab-past .lab-primary")
    page.wait_for_selector(".lab-past", state="hidden")
    nodes = bench.export(session)["nodes"]
    assert page.evaluate("window.lab.store.nodes.size") == len(nodes)


def test_keys_walk_in_time_and_the_past_cannot_be_changed(
    tab: OpenTab, bench: Workbench, address: str
) -> None:
    session = searched(bench)
    page = tab(address, session)
    total = known(page, bench, session)
    track = page.locator(".lab-time-track")
    track.focus()
    page.keyboard.press("ArrowLeft")
    assert track.get_attribute("aria-valuenow") == str(total - 1)
    page.keyboard.press("Home")
    assert page.evaluate("window.lab.store.nodes.size") == 1
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    assert page.evaluate("window.lab.store.tree.iteration") == 2
    page.evaluate("window.lab.store.select(1)")
    page.wait_for_selector(".lab-node h2:text-is('Node 1')")
    page.click(".lab-reward .lab-verdict.is-wrong[data-kind=mark]")
    page.wait_for_selector(".lab-verdicts .lab-message:has-text('This is the tree as it was')")
    assert bench.node(session, 1)["mark"] == ""
    track.focus()
    page.keyboard.press("End")
    page.wait_for_selector(".lab-past", state="hidden")
    # What happens meanwhile is there on return.
    page.keyboard.press("Home")
    finish(bench, session, iterations=2)
    page.wait_for_function("window.lab.store.waiting.length > 0")
    assert page.evaluate("window.lab.store.nodes.size") == 1
    page.keyboard.press("Escape")
    # What had not come in yet when the return was asked for comes by the next poll.
    wait_nodes(page, len(bench.export(session)["nodes"]))


def test_play_fork_and_go_back(tab: OpenTab, bench: Workbench, address: str) -> None:
    session = searched(bench)
    page = tab(address, session)
    known(page, bench, session)
    page.click("[aria-label='Play the search back']")
    page.wait_for_selector(".lab-view.is-past")
    for _ in range(3):
        page.click(".lab-time-speed")
    page.wait_for_selector(".lab-view:not(.is-past)")  # it ends at the present

    page.evaluate("window.lab.timeline.go(window.lab.timeline.frames.starts[4])")
    page.click(".lab-past .lab-button:has-text('Fork from here')")
    page.wait_for_function("(id) => window.lab.store.session !== id", arg=session)
    page.wait_for_function("window.lab.store.tree?.iteration === 4")
    assert bench.show(session).iterations == 8

    page.go_back()
    page.wait_for_function("(id) => window.lab.store.session === id", arg=session)
    known(page, bench, session)
    page.evaluate("window.lab.timeline.go(window.lab.timeline.frames.starts[4] + 2)")
    page.click(".lab-past .lab-button:has-text('Go back to here')")
    page.wait_for_function(
        "window.lab.store.past === null && window.lab.store.tree.iteration === 4"
    )
    assert bench.show(session).iterations == 4
    bench.steering.undo(session)
    bench.steering.redo(session)
    page.wait_for_function("window.lab.timeline.frames.list.at(-1).iteration === 4")
