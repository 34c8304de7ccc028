"""What a person meets while steering: presses in the past, fast keys, what stays over the tree."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from engine import events as ev
from lab.workbench import Workbench
from tests.browser.conftest import PLATES, WAIT, select, wait_nodes
from tests.browser.fake_workbench import FakeWorkbench
from tests.lab.benches import LONG

OpenTab = Callable[..., Any]
REFUSED = ".lab-past-refused:has-text('This is the tree as it was')"


def shown(tab: OpenTab, address: str, bench: Workbench, session: str, node: int | None) -> Any:
    page = tab(address, session)
    wait_nodes(page, len(bench.export(session)["nodes"]))
    if node is not None:
        select(page, node)
    page.focus(".lab-canvas")
    return page


def leaf(bench: Workbench, session: str) -> int:
    """A visited node that steps can follow."""
    nodes = bench.export(session)["nodes"]
    found = (n for n in nodes[::-1] if n["parent"] and n["visits"] and n["verdict"] != "end")
    return int(next(found)["id"])


def rewound(bench: Workbench, session: str) -> int:
    return sum(isinstance(event, ev.Rewound) for event in bench._current(session).view.log)


def test_nothing_is_searched_on_in_the_past(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    page = shown(tab, address, bench, session, None)
    page.wait_for_function("window.lab.timeline.frames.length > 9")
    page.evaluate("window.lab.timeline.go(5)")
    for press in ("#lab-step", "#lab-phase", "#lab-run", "Space", "Shift+Space"):
        page.evaluate("window.lab.timeline.go(5)")
        page.wait_for_selector(REFUSED, state="detached")
        if press.startswith("#"):
            page.click(press)
        else:
            page.focus(".lab-canvas")
            page.keyboard.press(press)
        page.wait_for_selector(REFUSED)
        assert page.evaluate("window.lab.store.past !== null")
    assert bench.show(session).iterations == 6
    # The look of the past goes with it, to another session too.
    page.click(".lab-past .lab-button:has-text('Fork from here')")
    page.wait_for_function("(old) => window.lab.store.session !== old", arg=session)
    page.wait_for_selector(".lab-view:not(.is-past)")
    page.wait_for_selector(".lab-past", state="hidden")


def test_a_redo_right_after_an_undo_is_not_lost(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)
    bench.steering.prune(session, node)
    page = shown(tab, address, bench, session, node)
    page.wait_for_selector(f"[data-walk=undo][title*='node {node} pruned']")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Shift+z")
    until = time.monotonic() + LONG
    while rewound(bench, session) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert rewound(bench, session) == 2
    assert bench.node(session, node)["pruned"]
    page.wait_for_selector("[data-walk=redo][disabled]")
    page.evaluate(
        "['undo', 'redo'].forEach((one) => document.querySelector(`[data-walk=${one}]`).click())"
    )
    while rewound(bench, session) < 4 and time.monotonic() < until:
        time.sleep(0.02)
    assert rewound(bench, session) == 4
    assert bench.node(session, node)["pruned"]


def test_a_value_is_typed_and_what_it_would_do_is_said(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)
    page = shown(tab, address, bench, session, node)
    lock = page.locator(".lab-steer-lock")
    assert "To be locked" in lock.inner_text()  # nothing is locked yet
    page.keyboard.press("o")
    page.keyboard.type("0.25")
    page.wait_for_selector(".lab-steer-keep:has-text('Overrule with 0.25')")
    assert lock.inner_text().startswith("Locked: V stays so")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lab-steer-said:has-text('You set V to 0.25')")
    assert bench.node(session, node)["value"] == 0.25


def test_children_asked_for_at_another_temperature_are_told_so(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)
    bench.steering.expand(session, node, 6, 1.25)
    bench.wait(session, timeout=LONG)
    page = shown(tab, address, bench, session, None)
    page.click("[data-tab=history]")
    told = f"more children of node {node} at temperature 1.25"
    page.wait_for_selector(f".lab-doing-text:has-text('{told}')")


def test_a_roll_out_is_shown_with_its_node(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    nodes = bench.export(session)["nodes"]
    open_ = [n for n in nodes if n["parent"] is not None and not n["visits"] and n["prm"]]
    node = min((n for n in open_ if n["verdict"] != "end"), key=lambda n: n["depth"])["id"]
    other = next(n["id"] for n in nodes if n["id"] not in (0, node))
    page = shown(tab, address, bench, session, other)
    bench.steering.roll_out(session, node, 1)
    keep = page.locator(".lab-keep")
    keep.wait_for(state="visible")  # it has just come
    page.evaluate("window.lab.store.select(null)")
    keep.wait_for(state="hidden")
    select(page, node)
    keep.wait_for(state="visible")
    select(page, other)
    keep.wait_for(state="hidden")
    page.reload(wait_until="commit")
    page.wait_for_function("window.lab?.store.tree?.rollout && window.lab.view.lastDraw")
    assert keep.is_hidden()


def test_what_the_iteration_did_is_not_said_of_an_act(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    page = shown(tab, address, bench, session, None)
    bench.steering.rewind(session, bench.steering.history(session)[3].last)
    page.wait_for_function("window.lab.store.tree.iteration === 3")
    page.click("#lab-step")
    page.wait_for_function("window.lab.store.tree.iteration === 4 && !window.lab.store.busy")
    page.wait_for_function(f"({PLATES})().length > 0")  # V has moved
    bench.steering.write(session, 1, "a step of mine")
    bench.wait(session, timeout=LONG)
    page.wait_for_function("[...window.lab.store.nodes.values()].at(-1).prm !== null")
    page.wait_for_function("window.lab.store.tree.acted && !window.lab.store.busy")
    assert page.evaluate(PLATES) == []
    assert "evaluated" not in page.inner_text(".lab-status")
    page.click("#lab-step")
    page.wait_for_function("window.lab.store.tree.iteration === 5 && !window.lab.store.busy")
    assert page.evaluate("window.lab.store.tree.acted") is False


def test_steps_that_were_kept_are_no_ghosts(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)
    page = shown(tab, address, bench, session, node)
    bench.steering.roll_out(session, node, 3)
    bench.wait(session, timeout=LONG)
    first = bench.node(session, node)["rolled_out"]["steps"][0]["text"]
    bench.steering.write(session, node, first.strip())  # a person had the same first step
    bench.wait(session, timeout=LONG)
    keep = page.locator(".lab-keep")
    keep.wait_for(state="visible")
    page.click(".lab-rolled button:text-is('Keep as nodes')")
    page.wait_for_selector(".lab-rolled button:text-is('Kept as nodes')")
    keep.wait_for(state="hidden")
    assert page.evaluate("window.lab.view.overlay.rolled") is None


def test_a_roll_out_stays_in_view_and_uncovered(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    """Where the whole tree is kept in view, and wherever the button to keep it finds room."""
    nodes = bench.export(session)["nodes"]
    deep = max((n for n in nodes if n["verdict"] != "end"), key=lambda n: n["depth"])["id"]
    inner = next(n["id"] for n in nodes if n["parent"] == 0 and n["visits"] > 1)
    page = shown(tab, address, bench, session, None)
    for node in (deep, inner):
        bench.steering.roll_out(session, node, 4)
        bench.wait(session, timeout=LONG)
        select(page, node)
        page.wait_for_function(
            """(id) => window.lab.view.overlay.rolled?.node === id
              && !window.lab.view.viewport.motion && !window.lab.view.frame""",
            arg=node,
        )
        steps = page.evaluate("window.lab.view.overlay.rolled.steps.map((one) => [one.x, one.y])")
        canvas = page.locator(".lab-canvas").bounding_box()
        assert all(10 < x < canvas["width"] - 10 for x, _ in steps)
        box = page.locator(".lab-keep").bounding_box()
        assert box["x"] + box["width"] < canvas["x"] + canvas["width"]
        at = page.evaluate("window.lab.store.order.map((id) => window.lab.position(id))")
        points = [(one["x"], one["y"]) for one in at]
        points += [(canvas["x"] + x, canvas["y"] + y) for x, y in steps]
        for x, y in points:
            assert not (
                box["x"] - 4 < x < box["x"] + box["width"] + 4
                and box["y"] - 4 < y < box["y"] + box["height"] + 4
            )


def test_a_best_value_that_no_step_has_is_the_nodes_own(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)
    bench.steering.overrule(session, node, 1.0)
    bench.steering.roll_out(session, node, 3)
    bench.wait(session, timeout=LONG)
    page = shown(tab, address, bench, session, node)
    page.wait_for_selector(".lab-rolled-head:has-text('best 1.00, the V that the node had itself')")


def test_the_tip_goes_when_its_node_moves_away(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    page = shown(tab, address, bench, session, None)
    page.wait_for_function("!window.lab.view.viewport.motion")
    tip = page.locator(".lab-tip")
    for key in ("+", "f", "s"):
        if key == "s":
            select(page, 1)
        at = page.evaluate("window.lab.position(1)")
        page.mouse.move(at["x"] + 1, at["y"])
        page.mouse.move(at["x"], at["y"])
        tip.wait_for(state="visible")
        page.keyboard.press(key)
        tip.wait_for(state="hidden")
        page.wait_for_function("!window.lab.view.viewport.motion")
        page.mouse.move(at["x"], 2)


def test_iterations_on_an_axis_are_whole(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    points = {
        n["id"]: bench.studies.values(session, n["id"]) for n in bench.export(session)["nodes"]
    }
    node = next(id for id, ones in points.items() if id and len(ones) > 1)
    page = shown(tab, address, bench, session, node)
    page.wait_for_selector(".lab-node-chart .xtick")
    ticks = page.locator(".lab-node-chart .xtick").all_text_contents()
    assert len(ticks) == len(set(ticks))


def test_the_tour_shows_a_node(tab: OpenTab, bench: Workbench, address: str, session: str) -> None:
    page = shown(tab, address, bench, session, None)
    page.click(".lab-help > button")
    page.click(".lab-help-item:has-text('tour')")
    title = page.locator(".lab-tour-card h2")
    while title.inner_text() != "One node":
        page.click(".lab-tour-card .lab-primary")
    page.wait_for_selector(".lab-node .lab-node-head h2:visible")
    best = page.evaluate("[...window.lab.store.bestPath].at(-1)")
    assert page.evaluate("window.lab.store.selected") == best


def test_a_sample_card_says_at_once_that_it_starts(
    tab: OpenTab, fake: FakeWorkbench, fake_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = fake.create

    def slow(*args: Any, **options: Any) -> str:
        time.sleep(0.4)
        return create(*args, **options)

    monkeypatch.setattr(fake, "create", slow)
    page = tab(fake_address)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_selector(".lab-invitation .lab-card")
    assert page.locator(".lab-legend").is_hidden()  # it would lie over the cards
    page.click(".lab-card >> nth=0")
    page.wait_for_selector(".lab-card[aria-busy=true]:disabled:has-text('Starting')")
    page.wait_for_selector(".lab-invitation", state="hidden")
    assert page.locator(".lab-legend").is_visible()


def test_a_wrong_parameter_is_marked(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    page = shown(tab, address, bench, session, None)
    field = page.locator("[aria-label='alpha (\u03b1)']:visible")
    field.fill("7")
    page.click("#lab-step")
    page.wait_for_selector("[data-lab-slot=error]:has-text('alpha cannot be 7')")
    page.wait_for_selector("#lab-form [aria-invalid=true]")
    assert field.get_attribute("aria-invalid") == "true"
    assert page.locator("#lab-form [aria-invalid=true]").count() == 1
    field.fill("0.6")
    page.wait_for_selector("#lab-form [aria-invalid=true]", state="detached")


def test_a_dense_tree_names_what_one_looks_for(
    tab: OpenTab, fake: FakeWorkbench, fake_address: str
) -> None:
    session = fake.create("Many?", None)
    fake.grow(session, 1200)
    page = tab(fake_address, session)
    wait_nodes(page, 1200)
    page.evaluate("window.lab.store.select(700)")
    page.wait_for_function("!window.lab.view.viewport.motion && !window.lab.view.layout.moving")
    words = page.evaluate(
        """() => {
          const { labels } = window.lab.view.painter;
          const words = [];
          const text = labels.text;
          labels.text = (...given) => { words.push(given[0]); return text.apply(labels, given); };
          window.lab.view.drawNow();
          labels.text = text;
          return words;
        }"""
    )
    step = "(id) => window.lab.store.nodes.get(id).step.trim()"
    for node in (700, page.evaluate("[...window.lab.store.bestPath].at(-1)")):
        whole = page.evaluate(step, node)
        assert any(whole.endswith(word.removeprefix("\u2026 ")) for word in words)


def test_narrow_tabs_and_ends_of_steps_of_a_comparison(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    other = bench.steering.fork(session, bench.steering.history(session)[3].last)
    page = tab(address, session)
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("(other) => window.lab.study.go(`compare/${other}`)", other)
    page.wait_for_selector(".lab-compare-row")
    tabs = page.locator(".lab-study-tabs")
    assert tabs.evaluate("(bar) => bar.scrollWidth <= bar.clientWidth")
    step = page.locator(".lab-compare-step").first
    step.evaluate("(cell) => (cell.firstElementChild.textContent = 'x'.repeat(200) + ' = 29')")
    ends = "(cell) => cell.firstElementChild.getBoundingClientRect().right - 1"
    seen = "(cell) => cell.getBoundingClientRect().right"
    assert step.evaluate(ends) <= step.evaluate(seen)  # what is cut is the beginning


def test_a_press_counts_though_what_is_pressed_is_drawn_anew(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    page = shown(tab, address, bench, session, None)
    crumb = page.locator(".lab-crumbs button:text-is('whole tree')")
    node = leaf(bench, session)
    for grows, stays in ((True, False), (False, True)):
        page.evaluate("(id) => window.lab.view.focusOn(id)", node)
        crumb.hover()
        page.mouse.down()
        # The tree grows, as it may at any time; or something else comes under the pointer.
        if grows:
            page.evaluate("window.lab.view.focusOn(window.lab.view.folds.root)")
        else:
            crumb.evaluate("(one) => one.replaceWith(one.nextSibling.cloneNode(true))")
        page.mouse.up()
        assert page.evaluate("window.lab.view.folds.root > 0") == stays


def test_the_focus_stays_though_what_has_it_is_drawn_anew(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    page = shown(tab, address, bench, session, leaf(bench, session))
    page.evaluate("(id) => window.lab.view.focusOn(id)", leaf(bench, session))
    page.click(".lab-tabs button:has-text('Path')")
    for place in (".lab-crumbs button >> nth=1", ".lab-path-panel .lab-path button >> nth=1"):
        page.focus(place)
        old = page.query_selector(place)
        page.evaluate("window.lab.store.emit('changed', { structure: true, nodes: 1 })")
        page.wait_for_function("(old) => !old.isConnected", arg=old)
        assert page.eval_on_selector(place, "(now) => now === document.activeElement")


def test_the_keys_come_back_to_the_tree(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)
    page = shown(tab, address, bench, session, node)
    page.keyboard.press("o")
    page.keyboard.press("Control+a")
    page.keyboard.type("0.7")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lab-steer-said:visible")
    page.wait_for_selector(".lab-canvas:focus")
    page.click(".lab-steer-said button")
    page.wait_for_selector(".lab-steer-said", state="hidden")
    page.wait_for_selector(".lab-canvas:focus")
    page.keyboard.press("w")
    page.keyboard.type("I write this.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f".lab-node h2:not(:text-is('Node {node}'))")
    page.wait_for_selector(".lab-canvas:focus")
    page.keyboard.press("n")
    page.wait_for_selector(".lab-note textarea:focus")
    page.keyboard.press("Escape")
    page.wait_for_selector(".lab-canvas:focus")


def test_the_tree_does_not_jump_when_its_history_comes(
    tab: OpenTab, bench: Workbench, address: str, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, frames = threading.Event(), bench.studies.timelines.frames

    def late(*query: Any) -> Any:
        seen.wait(WAIT / 1000)
        return frames(*query)

    monkeypatch.setattr(bench.studies.timelines, "frames", late)
    page = shown(tab, address, bench, session, None)
    page.wait_for_function("!window.lab.view.viewport.motion")
    size = page.locator(".lab-canvas").bounding_box()
    seen.set()
    page.wait_for_selector(".lab-time-label:has-text('events')")
    assert page.locator(".lab-canvas").bounding_box() == size


def test_an_answer_that_comes_late_does_not_take_the_form(
    tab: OpenTab, bench: Workbench, address: str, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = bench.create("The slow one?", seed=1)
    quick = bench.create("The quick one?", seed=1)
    free, settings = threading.Event(), bench.settings

    def late(one: str) -> Any:
        if one == slow:
            free.wait(4)
        return settings(one)

    monkeypatch.setattr(bench, "settings", late)
    page = shown(tab, address, bench, session, None)
    select(page, leaf(bench, session))
    for question in ("The slow one?", "The quick one?"):
        page.click(".lab-session")
        page.click(f".lab-menu-row:has-text('{question}')")
    page.keyboard.press("x")  # acts on no session that is being left
    page.wait_for_function("(id) => window.lab.store.session === id", arg=quick)
    free.set()
    question = page.locator("#lab-form textarea").first
    page.wait_for_timeout(300)  # both answers are there
    page.wait_for_selector("#lab-step:not(:disabled)")
    assert page.evaluate("window.lab.store.session") == quick
    assert question.input_value() == "The quick one?"
    page.click("#lab-step")
    page.wait_for_function("window.lab.store.nodes.size > 1")
    assert not any(node["pruned"] for node in bench.export(session)["nodes"])
    assert bench.show(slow).iterations == 0
    assert bench.show(quick).iterations == 1


def test_two_presses_begin_one_search(tab: OpenTab, bench: Workbench, address: str) -> None:
    before = len(bench.sessions())
    page = tab(address)
    page.fill("#lab-form textarea >> nth=0", "What begins once?")
    page.evaluate("for (const _ of [1, 2]) document.querySelector('#lab-step').click()")
    page.wait_for_function("window.lab.store.nodes.size > 1")
    page.wait_for_selector("#lab-step:not(:disabled)")
    assert len(bench.sessions()) == before + 1


def test_a_press_that_is_not_answered_is_told(
    tab: OpenTab, bench: Workbench, address: str, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, settings = threading.Event(), bench.settings
    page = shown(tab, address, bench, session, None)
    monkeypatch.setattr(bench, "settings", lambda one: free.wait(WAIT / 1000) and settings(one))
    page.clock.install()
    page.click("#lab-step")
    page.wait_for_timeout(100)
    page.clock.fast_forward(11_000)
    page.wait_for_selector("[data-lab-slot=error]:has-text('has not answered for ten seconds')")
    free.set()
    page.wait_for_function("window.lab.store.tree.iteration === 7")
    page.wait_for_selector("[data-lab-slot=error]", state="hidden")
