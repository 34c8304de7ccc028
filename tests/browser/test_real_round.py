"""A small round with the bundled models, from one press to the verdict and back to the base."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.workbench import Workbench
from tests.browser.conftest import Serve

OpenTab = Callable[..., Any]
SLOW = 240_000  # milliseconds, on a busy core
SMALL = {
    "pool_limit": "12",
    "heldout_limit": "20",
    "guided_limit": "3",
    "iterations": "5",
    "updates": "4",
    "parallel": "12",
}


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    bench = Workbench(tmp_path / "home")
    yield bench
    bench.close()


def test_a_round_survives_its_tab_and_is_rolled_back(
    tab: OpenTab, serve: Serve, workbench: Workbench
) -> None:
    address = serve(workbench)
    page = tab(address)
    page.set_default_timeout(SLOW)
    page.click(".lab-sheet-button[data-sheet=rounds]")
    page.click(".lab-sheet-empty .lab-primary")
    page.wait_for_selector(".lab-plan-steps")
    page.click("summary:has-text('More settings')")
    for name, number in SMALL.items():
        page.fill(f".lab-new-round [name={name}]", number)
    page.wait_for_selector(".lab-plan-steps:has-text('12 problems of the pool')")
    page.wait_for_selector(".lab-plan-steps:has-text('are free')")
    page.click(".lab-new-round .lab-primary:not(:disabled)")
    page.wait_for_selector(".lab-phase.is-done[data-phase=search]")
    place = page.url
    page.close()

    page = tab(address)
    page.set_default_timeout(SLOW)
    page.wait_for_selector(".lab-models b")
    page.goto(place, wait_until="commit")
    page.wait_for_selector(".lab-headline")
    (state,) = workbench.rounds.states()
    verdict = state.verdict
    assert state.status == "done"
    assert verdict is not None
    assert verdict.greedy is not None
    assert page.inner_text(".lab-headline .lab-sentence") == verdict.greedy.sentence
    assert page.locator(".lab-phase.is-done").count() == len(state.phases)
    page.wait_for_selector(".lab-losses svg path.js-line")
    for role, adapter in verdict.adapters.items():
        row = page.locator(f".lab-made-row[data-role={role}]:has-text('{adapter}')")
        row.wait_for()
        if not verdict.activated[role]:  # a round this small may do harm
            row.locator("text=Use").click()
        row.locator("text=in use for new searches").wait_for()
    policy = verdict.adapters["policy"]
    assert workbench.adapters.active("policy") == policy

    page.click("text=See the lineage")
    page.click(f".lab-lineage-node[data-adapter='{policy}'] .lab-lineage-name")
    page.wait_for_selector(".lab-meta:has-text('the bare model')")
    page.click(".lab-lineage-tree[data-role=policy] >> text=Back to the bare model")
    page.wait_for_selector(".lab-lineage-tree[data-role=policy] .is-base.is-used")
    assert workbench.adapters.active("policy") is None

    bare = workbench.create("How many are there?")
    page.goto(f"{address}?session={bare}&rounds=lineage", wait_until="commit")
    page.click(f".lab-lineage-node[data-adapter='{policy}'] .lab-lineage-name")
    page.click(".lab-lineage-detail >> text=Use in this session")
    page.wait_for_selector(f".lab-message:has-text('goes on with adapter {policy}')")
    assert workbench.node(bare, 0)["origin"]["policy"] == f"bundled + adapter {policy}"
    assert workbench.adapters.active("policy") is None
    assert workbench.adapters.active("prm") == verdict.adapters["prm"]
