"""The live tree, driven by a scripted workbench: growth, clicks, keys, size, two tabs, failures."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import wait_nodes
from tests.browser.fake_workbench import PROBLEMS, FakeWorkbench

OpenTab = Callable[..., Any]


@pytest.fixture
def session(fake: FakeWorkbench) -> str:
    """A small finished-looking tree."""
    made = fake.create(PROBLEMS[0].content, "25", seed=3)
    fake.grow(made, 30)
    return made


def click_node(page: Any, node: int) -> None:
    """Click where the canvas shows a node."""
    page.wait_for_function("!window.lab.view.viewport.motion && !window.lab.view.frame")
    place = page.evaluate("(id) => window.lab.position(id)", node)
    page.mouse.click(place["x"], place["y"])
    page.wait_for_function("(id) => window.lab.store.selected === id", arg=node)


def test_the_first_search_is_one_press_away(tab: OpenTab, fake_address: str) -> None:
    page = tab(fake_address)
    assert page.locator(".lab-invitation").is_visible()
    page.click("#lab-step")
    wait_nodes(page, 4)
    values = page.evaluate("[...window.lab.store.nodes.values()].slice(1).map((n) => n.value)")
    assert all(0 <= value <= 1 for value in values)
    assert page.locator(".lab-invitation").is_hidden()
    assert "session=" in page.url


def test_a_press_answers_at_once(tab: OpenTab, fake_address: str) -> None:
    page = tab(fake_address)
    page.click("#lab-step")
    wait_nodes(page, 4)
    with page.expect_response(re.compile("/gradio_api/(run|call|queue)")) as answer:
        page.click("#lab-step")
    assert answer.value.ok
    timing = answer.value.request.timing
    # The server's part; generous, because the machine that runs the tests may be busy.
    assert timing["responseStart"] - timing["requestStart"] < 1000


@pytest.mark.parametrize("button", ["pause", "stop"])
def test_run_interrupt_and_go_on(tab: OpenTab, fake_address: str, button: str) -> None:
    page = tab(fake_address)
    page.fill("#lab-iterations input", "900")
    page.click("#lab-run")
    page.wait_for_selector(f"#lab-{button}:not([disabled])")
    wait_nodes(page, 7)
    page.click(f"#lab-{button}")
    page.wait_for_selector(f"#lab-{button}[disabled]")
    paused = page.evaluate("window.lab.store.tree.iteration")
    assert 2 <= paused < 900
    page.click("#lab-step")
    page.wait_for_function("(n) => window.lab.store.tree.iteration === n + 1", arg=paused)


def test_a_click_shows_the_numbers(
    tab: OpenTab, fake: FakeWorkbench, fake_address: str, session: str
) -> None:
    page = tab(fake_address, session)
    wait_nodes(page, 30)
    node = fake.node(session, 5)
    click_node(page, 5)
    page.wait_for_selector("h2:text-is('Node 5')")
    inspector = page.locator(".lab-node")
    assert node["step"].strip() in inspector.locator(".lab-step").inner_text()
    assert f"{node['value']:.3f}" in inspector.locator(".lab-figures").inner_text()
    assert inspector.locator(".lab-bar").count() == len(node["selection"]["scores"])
    own = next(score for score in node["selection"]["scores"] if score["self"])
    assert (
        inspector.locator(".lab-bar.is-self .lab-bar-total").inner_text() == f"{own['total']:.3f}"
    )
    formula = inspector.locator(".lab-formula")
    assert f"{own['total']:.3f}" in formula.inner_text()
    assert "exploration" in inspector.locator(".lab-bar.is-self").get_attribute("title")


def test_keys_walk_the_tree(
    tab: OpenTab, fake: FakeWorkbench, fake_address: str, session: str
) -> None:
    page = tab(fake_address, session)
    wait_nodes(page, 30)
    page.focus(".lab-canvas")
    selected = "window.lab.store.selected"
    for key, expected in (("Home", 0), ("ArrowRight", None), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        if expected is not None:
            assert page.evaluate(selected) == expected
    page.keyboard.press("ArrowRight")
    first = page.evaluate(selected)
    assert first in fake.runs[session].children[0]
    page.keyboard.press("ArrowDown" if first == fake.runs[session].children[0][0] else "ArrowUp")
    assert page.evaluate(selected) in fake.runs[session].children[0]
    assert page.evaluate(selected) != first
    page.keyboard.press("Escape")
    assert page.evaluate(selected) is None


def test_growth_keeps_what_the_reader_looks_at(
    tab: OpenTab, fake: FakeWorkbench, fake_address: str, session: str
) -> None:
    page = tab(fake_address, session)
    wait_nodes(page, 30)
    click_node(page, 3)
    page.mouse.move(720, 450)
    page.mouse.wheel(0, -200)
    before = page.evaluate("window.lab.position(3)")
    fake.grow(session, 90)
    wait_nodes(page, 90)
    page.wait_for_function("!window.lab.view.viewport.motion")
    after = page.evaluate("window.lab.position(3)")
    assert after["x"] == pytest.approx(before["x"], abs=2)
    assert after["y"] == pytest.approx(before["y"], abs=2)
    assert page.evaluate("window.lab.store.selected") == 3


def test_a_thousand_nodes_stay_fluid(tab: OpenTab, fake: FakeWorkbench, fake_address: str) -> None:
    session = fake.create(PROBLEMS[0].content, "25", seed=5)
    fake.grow(session, 1000)
    page = tab(fake_address, session)
    wait_nodes(page, 1000)
    milliseconds = page.evaluate(
        """() => {
          const times = [];
          for (let k = 0; k < 15; k++) {
            const start = performance.now();
            window.lab.view.drawNow();
            times.push(performance.now() - start);
          }
          return times.sort((a, b) => a - b)[7];
        }"""
    )
    print(f"median redraw of 1,000 nodes: {milliseconds:.1f} ms")
    assert milliseconds < 60  # of a software canvas on a busy core
    click_node(page, 0)
    places = page.evaluate("[...window.lab.view.layout.places.keys()].length")
    assert places == len(fake.runs[session].nodes)


def test_two_tabs_see_one_run(tab: OpenTab, fake_address: str) -> None:
    one = tab(fake_address)
    one.fill("#lab-iterations input", "5")
    one.click("#lab-run")
    wait_nodes(one, 4)
    two = tab(fake_address, one.evaluate("window.lab.store.session"))
    for page in (one, two):
        page.wait_for_function("window.lab.store.tree?.iteration === 5 && !window.lab.store.busy")
    ids = "[...window.lab.store.nodes.values()].map((n) => [n.id, n.value, n.visits])"
    assert one.evaluate(ids) == two.evaluate(ids)
    two.click("#lab-step")
    one.wait_for_function("window.lab.store.tree.iteration === 6")


def test_a_reload_and_the_list_reopen_a_session(
    tab: OpenTab, fake: FakeWorkbench, fake_address: str, session: str
) -> None:
    page = tab(fake_address)
    page.click(".lab-session")
    page.locator(".lab-menu-row").first.click()
    wait_nodes(page, 30)
    assert page.url.endswith(f"session={session}")
    page.reload(wait_until="commit")
    wait_nodes(page, 30)
    assert page.input_value("#lab-question textarea") == PROBLEMS[0].content
    page.wait_for_function(
        "document.querySelector('#lab-gold input, #lab-gold textarea').value === '25'"
    )
    page.click(".lab-session")
    page.click(".lab-menu-new")
    page.wait_for_selector(".lab-invitation:visible")
    assert "session=" not in page.url


def test_errors_appear_beside_the_buttons(tab: OpenTab, fake_address: str) -> None:
    page = tab(fake_address)
    page.fill("[aria-label='branch (b)']", "99")
    page.keyboard.press("Tab")
    page.click("#lab-step")
    message = page.locator("[data-lab-slot=error]")
    message.wait_for(state="visible")
    assert "between 1 and 64, not 99" in message.inner_text()
    page.fill("[aria-label='branch (b)']", "2")
    page.keyboard.press("Tab")
    page.click("#lab-step")
    wait_nodes(page, 3)
    message.wait_for(state="hidden")


def test_a_failed_run_says_why(
    tab: OpenTab, fake: FakeWorkbench, fake_address: str, session: str
) -> None:
    run = fake.runs[session]
    run.status, run.message = "failed", "The policy ran out of memory <b>here</b>."
    page = tab(fake_address, session)
    banner = page.locator(".lab-banner")
    banner.wait_for(state="visible")
    assert banner.inner_text() == run.message
    assert page.locator(".lab-state.is-failed").is_visible()


def test_an_unknown_session_is_told(tab: OpenTab, fake_address: str) -> None:
    page = tab(fake_address, "nothing-<b>here</b>")
    page.locator("[data-lab-slot=error]:visible").wait_for()
    assert page.locator(".lab-invitation").is_visible()


def test_an_edited_question_starts_a_new_session(tab: OpenTab, fake_address: str) -> None:
    page = tab(fake_address)
    page.click("#lab-step")
    wait_nodes(page, 4)
    first = page.evaluate("window.lab.store.session")
    page.fill("#lab-question textarea", "What lies beyond?")
    page.keyboard.press("Tab")
    hint = page.locator("[data-lab-slot=hint]")
    hint.wait_for(state="visible")
    page.click("#lab-step")
    page.wait_for_function("(old) => window.lab.store.session !== old", arg=first)
    wait_nodes(page, 4)
    page.go_back()
    page.wait_for_function("(old) => window.lab.store.session === old", arg=first)


def test_light_and_dark_are_remembered(tab: OpenTab, fake_address: str) -> None:
    page = tab(fake_address, theme="dark")
    ground = "getComputedStyle(document.querySelector('.lab-centre')).backgroundColor"
    dark = page.evaluate(ground)
    page.click("[aria-label='Light or dark']")
    assert page.evaluate(ground) != dark
    assert page.evaluate("localStorage.getItem('lab-theme')") == "light"


def test_polling_ends_with_the_view(tab: OpenTab, fake_address: str, session: str) -> None:
    page = tab(fake_address, session)
    wait_nodes(page, 30)
    page.evaluate("document.querySelector('.lab-mount').remove()")
    time.sleep(1.2)  # the poll under way may still end
    asked = len(page.lab_requests)
    time.sleep(2.4)
    assert len(page.lab_requests) == asked


@pytest.mark.parametrize("width", [1440, 800, 390])
def test_nothing_is_wider_than_the_window(
    tab: OpenTab, fake_address: str, session: str, width: int
) -> None:
    page = tab(fake_address, session)
    page.set_viewport_size({"width": width, "height": 900})
    wait_nodes(page, 30)
    page.evaluate("window.lab.store.select(4)")
    page.wait_for_selector(".lab-node:visible h2")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('.lab-tree').clientHeight") > 250


def test_the_form_is_walked_with_tab(tab: OpenTab, fake_address: str) -> None:
    page = tab(fake_address)
    lists = page.locator("#lab-form [role=listbox]:visible")
    page.get_by_label("Sample problem").focus()
    lists.wait_for()
    for field in ("#lab-question textarea", "#lab-gold :is(input, textarea)"):
        page.keyboard.press("Tab")
        page.wait_for_selector(f"{field}:focus")
        assert lists.count() == 0
    page.keyboard.press("Tab")
    lists.wait_for()
    page.wait_for_selector("#lab-form [role=option].active[aria-label='MCTS*']:visible")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#lab-form [role=option].active:not([aria-label='MCTS*']):visible")
    page.keyboard.press("Enter")
    lists.wait_for(state="hidden")
    assert page.input_value("input[aria-label='Algorithm']") != "MCTS*"


def test_an_edited_sample_loses_its_oracle_answer(tab: OpenTab, fake_address: str) -> None:
    page = tab(fake_address)
    answer = page.locator("#lab-gold textarea, #lab-gold input")
    assert answer.input_value() == PROBLEMS[0].answer
    page.locator("#lab-question textarea").press_sequentially(" Or not?")
    page.wait_for_function(
        "document.querySelector('#lab-gold textarea, #lab-gold input').value === ''"
    )
    answer.fill("7")
    page.locator("#lab-question textarea").press_sequentially(" Yes.")
    assert answer.input_value() == "7"
    page = tab(fake_address)
    answer = page.locator("#lab-gold textarea, #lab-gold input")
    assert answer.input_value() == PROBLEMS[0].answer
    page.click("#lab-question textarea")
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("Pasted, and another?")
    page.wait_for_function(
        "document.querySelector('#lab-gold textarea, #lab-gold input').value === ''"
    )
    assert page.get_by_label("Sample problem").input_value() == ""
