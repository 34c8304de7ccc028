"""axe-core finds no serious problem in the main states, light and dark, wide and narrow."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.models import Models
from lab.workbench import Workbench
from tests.browser.conftest import Serve, wait_nodes
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, finish

OpenTab = Callable[..., Any]
AXE = (Path(__file__).parent / "data" / "axe.min.js").read_text("utf-8")

# What is serious, in words that say where.
RUN = """async () => {
  const { violations } = await axe.run(document, {
    resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
  });
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical").flatMap(
    ({ id, nodes }) => nodes.slice(0, 4).map(
      (one) => `${id}: ${one.target} ${one.failureSummary.slice(0, 240)}`));
}"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    world = World(words=4)
    made = Workbench(
        tmp_path_factory.mktemp("axe"), SETTINGS, lambda *_: Models(world, world, ["A notice."])
    )
    session = made.create("What?", "1", seed=8)
    finish(made, session, iterations=12)
    made.steering.tag(session, None, ["to check"])
    made.note(session, 2, "noted")
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(serve: Serve, bench: Workbench) -> str:
    return serve(bench)


def visit(page: Any, state: str) -> None:
    """Bring the page into a state; sheets are opened by their buttons."""
    if state == "node":
        page.keyboard.press("Escape")
        page.evaluate("window.lab.store.select(2)")
        page.wait_for_selector(".lab-inspector :text('noted')", state="attached")
    elif state == "menu":
        page.click(".lab-session")
        page.wait_for_selector(".lab-menu-row")
    elif state == "tour":
        page.keyboard.press("Escape")
        page.click(".lab-help button")
        page.click(".lab-help-item >> nth=0")
        page.wait_for_selector(".lab-tour-card:visible")
    elif state != "tree":
        page.click(f"[data-sheet={state}]:is(button)")
        page.wait_for_selector(f".lab-sheet[data-sheet={state}]:visible")
        page.wait_for_timeout(250)


STATES = ("tree", "node", "menu", "sessions", "models", "datasets", "rewards", "rounds", "tour")


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 1024), ("light", 390)])
def test_nothing_serious_is_wrong(
    tab: OpenTab, bench: Workbench, address: str, theme: str, width: int
) -> None:
    session = bench.sessions()[0].id
    page = tab(address, session, theme)
    page.set_viewport_size({"width": width, "height": 844})
    wait_nodes(page, len(bench.export(session)["nodes"]))
    page.evaluate(AXE)
    found = {}
    for state in STATES:
        visit(page, state)
        if problems := page.evaluate(RUN):
            found[state] = problems
    assert not found, found


def test_an_empty_page_has_nothing_serious_wrong(tab: OpenTab, address: str) -> None:
    page = tab(address)
    page.wait_for_selector(".lab-card >> nth=2")
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
