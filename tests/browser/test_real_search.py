"""From the question to the answer with the bundled models, as a person would do it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.workbench import Workbench
from tests.browser.conftest import Serve, wait_nodes

OpenTab = Callable[..., Any]
SLOW = 120_000  # milliseconds for a search on a busy core


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    bench = Workbench(tmp_path_factory.mktemp("home"))
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def address(serve: Serve, workbench: Workbench) -> str:
    return serve(workbench)


def test_ask_step_run_click_and_reopen(tab: OpenTab, address: str, workbench: Workbench) -> None:
    page = tab(address)
    page.set_default_timeout(SLOW)
    problem = workbench.problems("samples")[0]
    assert page.input_value("#lab-question textarea") == problem.content

    page.click("#lab-step")
    wait_nodes(page, 2)
    page.wait_for_function("!window.lab.store.busy && window.lab.store.tree.iteration === 1")
    session = page.evaluate("window.lab.store.session")
    values = page.evaluate("[...window.lab.store.nodes.values()].slice(1).map((n) => n.prm)")
    assert values
    assert all(0 <= value <= 1 for value in values)

    page.fill("#lab-iterations input", "8")
    page.click("#lab-run")
    page.wait_for_function(
        "!window.lab.store.busy && "
        "(window.lab.store.tree.iteration === 9 || window.lab.store.tree.stop)"
    )
    facts = workbench.delta(session, -1)["tree"]
    shown = page.locator(".lab-status-cell.is-answer")
    assert (facts["answer"] or "none yet") in shown.inner_text()
    if facts["correct"] is not None:
        assert ("right" if facts["correct"] else "wrong") in shown.inner_text()

    page.wait_for_function("!window.lab.view.viewport.motion && !window.lab.view.frame")
    place = page.evaluate("window.lab.position(1)")
    page.mouse.click(place["x"], place["y"])
    page.wait_for_selector("h2:text-is('Node 1')")
    node = workbench.node(session, 1)
    assert node["step"].strip() in page.locator(".lab-step").inner_text()
    assert f"{node['value']:.3f}" in page.locator(".lab-figures").inner_text()
    own = next(score for score in node["selection"]["scores"] if score["self"])
    assert page.locator(".lab-bar.is-self .lab-bar-total").inner_text() == f"{own['total']:.3f}"

    page.reload(wait_until="commit")
    wait_nodes(page, facts["nodes"])
    page.wait_for_function(
        "(text) => document.querySelector('#lab-question textarea')?.value === text",
        arg=problem.content,
    )
    assert not [url for url in page.lab_requests if not url.startswith("http://127.0.0.1")]


def test_a_question_out_of_reach_gets_a_hint(tab: OpenTab, address: str) -> None:
    page = tab(address)
    page.fill("#lab-question textarea", "Prove that there are infinitely many primes.")
    page.keyboard.press("Tab")
    hint = page.locator("[data-lab-slot=hint]")
    hint.wait_for(state="visible")
    assert "bundled model" in hint.inner_text()


def test_a_fraction_is_refused_and_not_rounded(
    tab: OpenTab, address: str, workbench: Workbench
) -> None:
    page = tab(address)
    before = len(workbench.sessions())
    message = page.locator("[data-lab-slot=error]")
    for field, words in (
        ("[aria-label='branch (b)']", "branch cannot be 2.5: it takes a whole number"),
        ("[aria-label='seed']", "seed cannot be 2.5: it takes a whole number"),
    ):
        kept = page.input_value(field)
        page.fill(field, "2.5")
        page.keyboard.press("Tab")
        page.click("#lab-step")
        page.wait_for_selector(f'[data-lab-slot=error]:has-text("{words}")')
        page.fill(field, kept)
        page.keyboard.press("Tab")
    page.fill("#lab-iterations input", "1.5")
    page.click("#lab-run")
    page.wait_for_selector("[data-lab-slot=error]:has-text('whole number of iterations')")
    assert message.is_visible()
    assert len(workbench.sessions()) == before
