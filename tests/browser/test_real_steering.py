"""Steering with the bundled models: what a person asks of them, and the tokens of a step."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.workbench import Workbench
from tests.browser.conftest import Serve, wait_nodes
from tests.lab.benches import finish

OpenTab = Callable[..., Any]


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    bench = Workbench(tmp_path_factory.mktemp("home"))
    yield bench
    bench.close()


def test_tokens_and_a_step_of_ones_own(tab: OpenTab, serve: Serve, workbench: Workbench) -> None:
    problem = workbench.problems("samples")[0]
    session = workbench.create(problem.content, problem.answer, seed=8)
    finish(workbench, session, iterations=4)
    page = tab(serve(workbench), session)
    wait_nodes(page, 3)
    page.evaluate("window.lab.store.select(1)")
    page.wait_for_selector(".lab-token")
    tokens = workbench.studies.tokens(session, 1).tokens
    assert sum(one.logprob for one in tokens) == pytest.approx(
        workbench.node(session, 1)["logprob"]
    )
    shown = page.locator(".lab-token")
    assert shown.count() == len(tokens)
    said = f"{tokens[0].logprob:.3f}".replace("-0.000", "0.000").replace("-", "\u2212")
    assert shown.first.get_attribute("title") == f"log p {said}, p 100.0 %"
    page.click(".lab-shade")
    page.wait_for_selector(".lab-token", state="detached")

    page.click(".lab-reading > summary")
    page.wait_for_selector(".lab-reading pre")
    texts = page.locator(".lab-reading pre").all_text_contents()
    assert problem.content.split(".")[0] in texts[0], "what the policy wrote the step after"
    assert workbench.node(session, 1)["step"].strip() in texts[1], "what the PRM read"
    assert workbench.node(session, 1)["step"].strip() in texts[2], "the raw reply"
    page.click(".lab-reading > summary")

    page.click(".lab-steer-act:has-text('Write')")
    page.fill("[aria-label=Step]", "2. She buys 18 more: 60 + 18 = 79")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".lab-chip:text-is('written by a person')")
    written = page.evaluate("window.lab.store.selected")
    assert 0 <= workbench.node(session, written)["prm"] <= 1
    page.click(".lab-shade")
    page.wait_for_selector(".lab-step-missing:has-text('A person wrote this step')")
