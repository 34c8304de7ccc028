"""The sheet of rounds, driven by a scripted workbench: asking, progress, verdict, lineage."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Serve
from tests.browser.fake_workbench import PROBLEMS, FakeWorkbench
from tests.browser.hostile import HOST, PAYLOADS

OpenTab = Callable[..., Any]
SHEET = ".lab-sheet[data-sheet=rounds]"
MEMORY = "Memory is <b>out</b>: 3.0 GB are needed and 2.1 GB are free. Take fewer at a time."


@pytest.fixture
def bench(tmp_path: Path) -> FakeWorkbench:
    """A workbench of this test's own."""
    return FakeWorkbench(tmp_path, pace=0.05)


@pytest.fixture
def address(bench: FakeWorkbench, serve: Serve) -> str:
    return serve(bench)


def learn(bench: FakeWorkbench, **settings: Any) -> str:
    """Rounds to their end; the id of the first."""
    series = bench.rounds.start(bench.rounds.settings(settings))
    bench.rounds.wait(series)
    return series


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> FakeWorkbench:
    """Three rounds in a row, and one that made things worse."""
    made = FakeWorkbench(tmp_path_factory.mktemp("learnt"), pace=0.0)
    made.create(PROBLEMS[0].content, PROBLEMS[0].answer)
    made.create(PROBLEMS[1].content, PROBLEMS[1].answer)
    learn(made, rounds=3)
    made.rounds.worse = True
    learn(made, recipe="rest_em")
    return made


@pytest.fixture(scope="module")
def learnt_address(learnt: FakeWorkbench, serve: Serve) -> str:
    return serve(learnt)


def show(tab: OpenTab, address: str, place: str = "", theme: str = "light") -> Any:
    page = tab(address, theme=theme)
    page.evaluate("(place) => window.lab.rounds.go(place)", place)
    return page


def test_a_round_from_one_press_to_the_verdict(
    tab: OpenTab, bench: FakeWorkbench, address: str
) -> None:
    bench.create(PROBLEMS[0].content, PROBLEMS[0].answer)
    bench.rounds.pace = 1.0
    page = tab(address)
    page.click(".lab-sheet-button[data-sheet=rounds]")
    page.click(".lab-sheet-empty .lab-primary")
    plan = page.locator(".lab-plan-steps")
    plan.wait_for()
    for words in ("200 problems of the pool", "MCTS*", "the policy and the PRM", "600 problems"):
        assert words in plan.inner_text()
    page.fill("[name=heldout_limit]", "many")
    page.wait_for_selector(".lab-new-round .lab-message:has-text(\"cannot be 'many'\")")
    assert page.locator(".lab-new-round .lab-primary").is_disabled()
    page.fill("[name=heldout_limit]", "")
    page.click(".lab-recipe:has-text('ReST-EM')")
    page.wait_for_selector(".lab-plan-steps dd:text-matches('^the policy, by LoRA')")
    page.click("text=More settings")
    page.fill("[name=seed]", "7")
    page.click(".lab-new-round .lab-primary:not(:disabled):has-text('Start round')")

    page.wait_for_selector(".lab-phase.is-running[data-phase=search]:has-text(' of 8')")
    page.wait_for_selector(".lab-sheet-button .lab-badge:visible:has-text('%')")
    (held,) = bench.rounds.held.values()
    asked = held.state.setting
    assert (asked["recipe"], asked["seed"], asked["heldout_limit"]) == ("rest_em", 7, None)
    place = page.url
    page.close()
    bench.rounds.pace = 0.0

    again = tab(address)
    again.wait_for_selector(".lab-models b")
    again.goto(place, wait_until="commit")
    again.wait_for_selector(".lab-losses svg path.js-line")
    again.wait_for_selector(".lab-headline .lab-sentence")
    verdict = held.state.verdict
    assert verdict is not None
    assert verdict.greedy is not None
    assert again.inner_text(".lab-headline .lab-sentence") == verdict.greedy.sentence
    told = again.inner_text(".lab-round-verdict")
    for words in ("27.0 %", "85.7 %", "360\nfixed", "8\nbroken", "0.171", "0.947", "97.9 %"):
        assert words in told
    again.wait_for_selector(".lab-made-row:has-text('in use for new searches')")
    again.wait_for_function("document.querySelector('[data-sheet=rounds] .lab-badge').hidden")
    again.locator(".lab-changed[data-kind=fixed] .lab-answer").first.click()
    again.wait_for_function("(id) => window.lab.store.session === id", arg="fake-1")
    assert again.locator(SHEET).is_hidden()


def test_a_round_is_paused_goes_on_and_is_ended(
    tab: OpenTab, bench: FakeWorkbench, address: str
) -> None:
    bench.rounds.fails = {"policy": MEMORY}
    bench.rounds.pace = 1.0
    series = bench.rounds.start(bench.rounds.settings({}))
    held = bench.rounds.held[series]
    page = show(tab, address, series)
    page.click(".lab-acts >> text=Pause")
    page.wait_for_selector(".lab-acts >> text=Go on")
    assert held.state.status == "idle"
    bench.rounds.pace = 0.0
    page.click(".lab-acts >> text=Go on")
    message = page.locator(".lab-round > .lab-message")
    message.wait_for()
    assert message.inner_text() == MEMORY
    assert page.locator(".lab-phase.is-done").count() == 3

    bench.rounds.pace = 1.0
    page.click(".lab-acts >> text=Go on")
    page.wait_for_selector(".lab-acts >> text=Pause")
    page.click(".lab-acts >> text=Cancel")
    page.click(".lab-acts >> text=No")
    assert held.state.status == "running"
    page.click(".lab-acts >> text=Cancel")
    page.wait_for_timeout(1500)  # the question stays while the round gets on
    page.click(".lab-asking .is-grave:has-text('End it')")
    page.wait_for_selector(".lab-state.is-cancelled")
    assert held.state.status == "cancelled"
    page.click(".lab-acts >> text=Delete")
    page.click(".lab-asking .is-grave")
    page.wait_for_selector(".lab-sheet-empty")
    assert not bench.rounds.held


def test_rounds_in_a_row_their_curve_and_two_compared(
    tab: OpenTab, learnt: FakeWorkbench, learnt_address: str
) -> None:
    page = show(tab, learnt_address)
    page.wait_for_selector(".lab-round-group h3:has-text('3 rounds in a row')")
    lines = page.locator(".lab-round-open").all_inner_texts()
    assert len(lines) == 4
    assert "27.0 % → 12.0 %" in lines[0]
    assert "67.0 % → 87.0 %" in lines[1]
    assert all("significant" in line for line in lines)
    page.wait_for_selector(".lab-curves svg .errorbars")
    points = page.locator(".lab-curves figure:first-child .trace.scatter .point")
    assert points.count() >= 2 * 4  # before, and after each of three rounds; twice
    (plotly,) = {url for url in page.lab_requests if "plotly" in url}
    assert "immutable" in page.request.get(plotly).headers["cache-control"]
    drawn = "getComputedStyle(document.querySelector('.lab-curves .xtick text')).fill"
    light = page.evaluate(drawn)
    page.click(".lab-theme")
    page.wait_for_function(f"(light) => {drawn} !== light", arg=light)
    page.locator(".lab-round-check input").nth(0).check()
    page.locator(".lab-round-check input").nth(3).check()
    page.wait_for_selector(".lab-compared:has-text('-2.0 points')")
    for words in ("25\nfixed", "37\nbroken", "not significant"):
        assert words in page.inner_text(".lab-compared")
    page.locator(".lab-round-open").nth(0).click()
    page.wait_for_selector(".lab-headline.is-wrong")
    assert page.url.endswith("rounds=00000004")


def test_adapters_are_used_rolled_back_and_kept_while_needed(
    tab: OpenTab, learnt: FakeWorkbench, learnt_address: str
) -> None:
    used = learnt.adapters.used
    page = show(tab, learnt_address, "lineage")
    policy = page.locator(".lab-lineage-tree[data-role=policy]")
    policy.wait_for()
    assert policy.locator(".lab-lineage-node").count() == 5
    assert policy.locator("ul > li").count() == 0  # the worse one began with the last of the row
    first = policy.locator("[data-adapter=a0000001]")
    first.locator("text=Use for new searches").click()
    policy.locator("[data-adapter=a0000001].is-used").wait_for()
    assert used["policy"] == "a0000001"
    kept = used["prm"]
    policy.locator("text=Back to the bare model").click()
    policy.locator(".is-base.is-used").wait_for()
    assert learnt.adapters.used == {"policy": None, "prm": kept}
    first.locator(".lab-lineage-name").click()
    detail = page.locator(".lab-lineage-detail")
    for words in ("ReST-MCTS*", "the bare model", "120, of 2 sessions", "batch-1"):
        detail.locator(f"text={words}").first.wait_for()
    detail.locator("text=Delete").click()
    detail.locator(".is-grave").click()
    detail.locator(".lab-message:has-text('is needed: others were trained from it')").wait_for()
    assert "a0000001" in learnt.adapters.held
    page.click(".lab-lineage-detail >> text=Its round")
    page.wait_for_selector(".lab-series >> text=Round 3")


def test_texts_of_rounds_are_never_markup(tab: OpenTab, bench: FakeWorkbench, address: str) -> None:
    bench.rounds.pace = 0.0
    bench.rounds.texts = PAYLOADS[:6]
    bench.rounds.fails = {"guided": PAYLOADS[1]}
    series = learn(bench, pool=PAYLOADS[0])
    page = show(tab, address, series)
    page.wait_for_selector(".lab-round > .lab-message:has-text('onerror')")
    page.click(".lab-acts >> text=Go on")
    page.wait_for_selector(".lab-headline")
    told = page.inner_text(".lab-round-verdict")
    for text in PAYLOADS[1:6]:
        assert text[:30] in told
    page.evaluate("window.lab.rounds.go('lineage')")
    page.locator(".lab-lineage-tree[data-role=policy] button.lab-lineage-name").click()
    page.wait_for_selector(f".lab-meta:has-text('{PAYLOADS[0][:20]}')")
    page.evaluate("window.lab.rounds.go('')")
    page.wait_for_selector(".lab-round-open")
    time.sleep(0.2)
    assert page.evaluate("window.pwned") is None
    assert not [url for url in page.lab_requests if url.startswith(HOST)]


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (1024, "light"), (390, "dark")])
def test_the_sheet_fits_the_window(
    tab: OpenTab, learnt_address: str, width: int, theme: str
) -> None:
    page = show(tab, learnt_address, theme=theme)
    page.set_viewport_size({"width": width, "height": 844})
    seen = {
        "": ".lab-round-open",
        "new": ".lab-plan-steps",
        "lineage": ".lab-lineage-node",
        "00000003": ".lab-headline",
    }
    for place, shown in seen.items():
        page.evaluate("(place) => window.lab.rounds.go(place)", place)
        page.wait_for_selector(shown)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide, room = page.locator(f"{SHEET} .lab-sheet-body").evaluate(
            "(e) => [e.scrollWidth, e.clientWidth]"
        )
        assert wide <= room, place


def test_a_plan_says_that_it_is_being_made(
    tab: OpenTab, bench: FakeWorkbench, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, go = bench.rounds.plan, threading.Event()

    def slow(*args: Any) -> Any:
        go.wait(30)
        return plan(*args)

    monkeypatch.setattr(bench.rounds, "plan", slow)
    page = show(tab, address, "new")
    page.wait_for_selector(".lab-recipe input")
    assert "Looking at the problems" in page.locator(".lab-plan").inner_text()
    go.set()
    page.wait_for_selector(".lab-plan-steps")


def test_a_verdict_fills_the_sheet(
    tab: OpenTab, learnt: FakeWorkbench, learnt_address: str
) -> None:
    page = show(tab, learnt_address, learnt.rounds.states()[0].id)
    cards = page.locator(".lab-round-verdict .lab-cards")
    cards.wait_for()
    columns = cards.evaluate("(grid) => getComputedStyle(grid).gridTemplateColumns.split(' ')")
    assert len(columns) == 3
    assert cards.evaluate("(grid) => grid.clientWidth === grid.parentElement.clientWidth")
