"""A search studied on the page: beside another one, with something changed, by a person's word."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.models.base import Completion, ProposalRequest
from lab.models import Models
from lab.workbench import Workbench
from tests.browser.conftest import Serve, wait_nodes
from tests.browser.hostile import HOST, PAYLOADS
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, finish
from tests.lab.classroom import Teacher, settings
from tests.lab.classroom import bench as classroom

OpenTab = Callable[..., Any]
SHORT = [text for text in PAYLOADS if len(text) < 120]


class Hostile(World):
    """A world whose steps are payloads."""

    def _propose(self, request: ProposalRequest) -> Completion:
        made = super()._propose(request)
        if not made.step or made.step.startswith("Answer"):
            return made
        text = f"{SHORT[sum(map(ord, made.step)) % len(SHORT)]}\n"
        return Completion(text, text, "", made.tokens, made.logprobs, made.usage)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    world = Hostile(words=9)
    made = Workbench(
        tmp_path_factory.mktemp("study"), SETTINGS, lambda *_: Models(world, world, [])
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def session(bench: Workbench) -> str:
    made = bench.create("What?", gold="1", seed=8, params={"inf": 0.8})
    finish(bench, made, iterations=15)
    return made


def test_two_nodes_side_by_side(tab: OpenTab, bench: Workbench, address: str, session: str) -> None:
    page = tab(address, session)
    wait_nodes(page, len(bench.export(session)["nodes"]))
    page.evaluate("window.lab.store.select(1)")
    other = page.evaluate("window.lab.store.nodes.get(2).parent === 0 ? 2 : 4")
    page.wait_for_function("!window.lab.view.layout.moving && !window.lab.view.viewport.motion")
    at = page.evaluate("(id) => window.lab.position(id)", other)
    page.keyboard.down("Shift")
    page.mouse.click(at["x"], at["y"])
    page.keyboard.up("Shift")
    page.wait_for_selector(".lab-compare-figures")
    assert page.locator(".lab-compare-head b").all_inner_texts() == ["Node 1", f"Node {other}"]
    gap = bench.node(session, other)["value"] - bench.node(session, 1)["value"]
    row = page.locator(".lab-compare-figures tbody tr").first.inner_text()
    assert f"{abs(gap):.3f}" in row
    page.click("[aria-label='Exchange the two']")
    page.wait_for_selector(f".lab-compare-head b:text-is('Node {other}')")
    assert page.evaluate("window.lab.store.selected") == 1
    page.click("[aria-label='Keep no node']")
    page.keyboard.press("d")
    page.evaluate("(id) => window.lab.store.select(id)", other)
    page.wait_for_selector(".lab-compare-figures")
    assert page.evaluate("window.pwned") is None


def test_what_if_and_the_two_searches(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    page = tab(address, session)
    page.click(".lab-sheet-button[data-sheet=study]")
    page.wait_for_selector(".lab-compare .lab-sheet-empty:has-text('No other search')")
    page.click(".lab-study-tabs [data-tab=what-if]")
    page.fill(".lab-what-if [data-name=exploration_constant]", "2")
    page.fill(".lab-what-if-node [aria-label=Node]", "1")
    page.fill(".lab-what-if-node [aria-label=Value]", "7")
    page.click(".lab-what-if-node .lab-button")
    page.wait_for_selector(".lab-what-if .lab-message:has-text('from 0 to 1')")
    page.fill(".lab-what-if-node [aria-label=Value]", "0.25")
    page.click(".lab-what-if-node .lab-button")
    page.wait_for_selector(".lab-supposed-chip:has-text('node 1: V 0.250')")
    before = len(bench.sessions())
    page.click(".lab-what-if [type=submit]")
    page.wait_for_selector(".lab-what-if-outcome:has-text('of 15 iterations come from stored')")
    assert len(bench.sessions()) == before  # nothing was made, and nothing generated
    page.click(".lab-what-if-outcome .lab-primary")

    page.wait_for_selector(".lab-compare-content:not([hidden]) .lab-compare-row")
    made = next(one for one in bench.sessions() if "what if" in one.name or ", if " in one.name)
    found = bench.studies.comparisons.sessions(session, made.id)
    sides = page.locator(".lab-compare-params").all_inner_texts()
    assert "0.1" in sides[0]
    assert "2" in sides[1]
    differing = sum(pair.visits[0] != pair.visits[1] for pair in found.pairs)
    summary = page.locator(".lab-compare-summary").inner_text()
    assert f"Of {len(found.pairs)} common nodes {differing} differ in visits" in summary
    # Common nodes are linked.
    page.locator(".lab-compare-list").first.locator(".lab-compare-row").first.click()
    assert page.evaluate("window.lab.study.screens.compare.sides[1].store.selected") is not None
    page.click(".lab-kind[data-measure=visits]")
    page.wait_for_selector(".lab-compare-list h3:has-text('visits n')")
    page.wait_for_function("location.search.includes('study=compare')")
    assert page.evaluate("window.pwned") is None
    assert not [url for url in page.lab_requests if HOST in url]


def test_what_if_by_link_knows_how_long_the_search_was(
    tab: OpenTab, address: str, session: str
) -> None:
    page = tab(address, f"{session}&study=what-if")
    page.wait_for_selector(".lab-what-if [data-name=iterations]")
    assert page.input_value(".lab-what-if [data-name=iterations]") == "15"
    # What a parameter does is there to read, and is said with its field.
    help = page.locator(".lab-what-if-field:has([data-name=branch]) small")
    assert help.is_visible()
    assert help.inner_text() == "Children asked for at an expansion. 1\xa0to\xa064."
    field = page.locator(".lab-what-if").get_by_label("branch (b)", exact=True)
    assert field.get_attribute("aria-describedby") == help.get_attribute("id")


def test_human_and_prm(tab: OpenTab, bench: Workbench, address: str, session: str) -> None:
    last = len(bench.export(session)["nodes"]) - 1
    for node, verdict in ((last, "right"), (last - 1, "wrong")):
        bench.verdicts.mark(session, node, verdict)
    found = bench.studies.insights.calibration(session)
    best = bench.studies.insights.annotate_next(session).best[0]
    page = tab(address, f"{session}&study=human")
    assert found.brier is not None
    page.wait_for_selector(f".lab-insight-figures dd:text-is('{found.brier.estimate:.3f}')")
    page.wait_for_selector(".lab-insight-few")
    page.wait_for_selector(".lab-insight-figure .plotly")
    page.click(f".lab-insight-row:has-text('{best.rows} rows') >> nth=0")
    page.wait_for_selector(".lab-sheet[data-sheet=study]", state="hidden")
    assert page.evaluate("window.lab.store.selected") == best.node
    page.wait_for_function("document.activeElement.matches('.lab-reward .lab-verdict.is-right')")
    button = page.evaluate("document.activeElement.getBoundingClientRect().toJSON()")
    assert 0 < button["top"] < button["bottom"] < page.viewport_size["height"]


def test_the_round_lens_has_nothing_to_compare_before_a_round(
    tab: OpenTab, address: str, session: str
) -> None:
    page = tab(address, f"{session}&study=lens")
    page.wait_for_selector(".lab-lens-message:has-text('there is nothing to compare')")
    assert not page.is_visible(".lab-lens .lab-primary"), "nothing is offered that leads nowhere"
    assert not page.is_visible(".lab-lens-content")
    assert page.locator(".lab-lens-table tr").count() == 0


def test_the_round_lens(tab: OpenTab, serve: Serve, tmp_path: Path) -> None:
    opened = classroom(tmp_path, Teacher(flat=True))
    opened.rounds.wait(opened.rounds.start(settings(tmp_path)))
    session = opened.create("What else?", gold="1", params={"inf": 0.8})
    finish(opened, session, iterations=4)
    page = tab(serve(opened), f"{session}&study=lens")
    page.click(".lab-lens .lab-primary")
    page.wait_for_selector(".lab-lens-multiple:has-text('round 1')")
    page.wait_for_selector(".lab-lens-table tbody tr td:has-text('0.500')")
    page.click(".lab-lens-multiple:has-text('round 1')")
    page.wait_for_selector(".lab-lens-multiple[aria-pressed=true]:has-text('round 1')")
    numbers = page.evaluate("window.lab.study.screens.lens.colouring.numbers")
    assert set(numbers[1:]) == {0.5}
    opened.close()
