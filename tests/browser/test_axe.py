"""axe-core finds no serious problem in the main states, light and dark, wide and narrow."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.models import Models
from lab.workbench import Workbench
from tests.browser.conftest import wait_nodes
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, finish

OpenTab = Callable[..., Any]
AXE = (Path(__file__).parent / "data" / "axe.min.js").read_text("utf-8")

# What is serious, in words that say where.
RUN = """async (within) => {
  const { violations } = await axe.run(within ?? document, {
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
    finish(made, made.create("What?", "1", seed=9), iterations=4)
    session = made.create("What?", "1", seed=8)
    finish(made, session, iterations=12)
    made.steering.tag(session, None, ["to check"])
    made.note(session, 2, "noted")
    yield made
    made.close()


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


# What is looked at in one theme and width only: how to come there, what to wait for, where to look.
SHEET = ".lab-sheet:not([hidden])"
PLACES = {
    "compare two searches": ("study", "compare/{other}", ".lab-compare-row", SHEET),
    "what if": ("study", "what-if", ".lab-what-if-field", SHEET),
    "human and PRM": ("study", "human", ".lab-insight-next :text('Tried')", SHEET),
    "round lens": ("study", "lens", ".lab-lens-top", SHEET),
    "evaluate": ("evaluate", "", ".lab-sheet[data-sheet=evaluate] h3", SHEET),
    "new evaluation": ("evaluate", "new", ".lab-new-evaluation .lab-method", SHEET),
    "new batch": ("datasets", "new", ".lab-new-batch .lab-pill", SHEET),
    "new round": ("rounds", "new", ".lab-new-round .lab-recipe input", SHEET),
}
# A plan that is being made anew is dimmed for that long.
SETTLED = """() => [...document.querySelectorAll(".lab-plan")].every(
  (plan) => plan.childElementCount && getComputedStyle(plan).opacity === "1"
    || !plan.checkVisibility())"""
TABS = {
    "compare": ".lab-compare-figures",
    "history": ".lab-doing",
    "path": ".lab-path-panel .js-plotly-plot",
    "answers": ".lab-vote",
}


def test_nothing_serious_is_wrong_further_in(tab: OpenTab, bench: Workbench, address: str) -> None:
    session, other = (one.id for one in bench.sessions()[:2])
    page = tab(address, session)
    wait_nodes(page, len(bench.export(session)["nodes"]))
    page.evaluate(AXE)
    found = {}

    def look(state: str, within: str) -> None:
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        if problems := page.evaluate(RUN, within):
            found[state] = problems

    page.evaluate("window.lab.store.select(1)")
    page.keyboard.press("d")
    page.evaluate("window.lab.store.select(2)")
    for name, there in TABS.items():
        page.click(f"[data-tab={name}][aria-controls]")
        page.wait_for_selector(f"{there}:visible")
        look(f"tab {name}", ".lab-inspector")
    page.wait_for_function("window.lab.timeline.frames.length > 40")
    page.evaluate("window.lab.timeline.go(20)")
    page.wait_for_selector(".lab-view.is-past")
    look("the past", "body")
    for state, (sheet, place, there, within) in PLACES.items():
        page.evaluate(
            "([sheet, place]) => window.lab[sheet].go(place)",
            [sheet, place.format(other=other)],
        )
        page.wait_for_selector(f"{there}:visible")
        page.wait_for_function(SETTLED)
        look(state, within)
    assert not found, found


def test_an_empty_page_has_nothing_serious_wrong(tab: OpenTab, address: str) -> None:
    page = tab(address)
    page.wait_for_selector(".lab-card >> nth=2")
    page.evaluate(AXE)
    assert page.evaluate(RUN) == []
