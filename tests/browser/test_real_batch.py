"""A dataset with the bundled models, from the file to the accuracy, as a person would do it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.workbench import Workbench
from tests.browser.conftest import Serve, wait_nodes

OpenTab = Callable[..., Any]
SLOW = 240_000  # milliseconds for a batch on a busy core
PROBLEMS = 12


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    bench = Workbench(tmp_path / "home")
    yield bench
    bench.close()


@pytest.fixture
def file(tmp_path: Path, workbench: Workbench) -> Path:
    """Problems under other names of fields, one of them twice, and a line that is none."""
    lines = [
        json.dumps({"text": one.content, "right": one.answer})
        for one in workbench.problems("heldout", limit=PROBLEMS)
    ]
    lines[3:3] = [lines[0], "{not json"]
    made = tmp_path / "some problems.jsonl"
    made.write_text("\n".join(lines) + "\n")
    return made


def test_search_a_file_stop_go_on_and_open_a_tree(
    tab: OpenTab, serve: Serve, workbench: Workbench, file: Path
) -> None:
    page = tab(serve(workbench))
    page.set_default_timeout(SLOW)
    page.fill("[aria-label='seed']", "3")
    page.keyboard.press("Tab")
    page.click(".lab-sheet-button[data-sheet=datasets]")
    page.click("[data-sheet=datasets] .lab-sheet-head .lab-button")
    page.fill("[name=source]", str(file))
    page.locator("[name=source]").blur()
    page.wait_for_selector(".lab-new-end .lab-message:has-text(\"'text', 'right'\")")
    page.click("summary:has-text('Fields and split')")
    for name, field in (("content", "text"), ("answer", "right")):
        page.fill(f"[name={name}]", field)
        page.locator(f"[name={name}]").blur()
    page.wait_for_selector(f".lab-primary:has-text('Start {PROBLEMS} searches')")
    report = page.locator(".lab-report").inner_text()
    for words in ("line 4", "asks what line 1 asks", "line 5", "not JSON", "from “text”"):
        assert words in report
    page.fill("[name=iterations]", "5")
    page.fill("[name=parallel]", "3")
    page.click(".lab-new-batch .lab-primary")

    page.wait_for_selector(".lab-rows .lab-row:is(.is-right, .is-wrong)")
    page.click(".lab-batch-top .lab-button:has-text('Stop')")
    page.wait_for_selector(".lab-batch-top .lab-button:has-text('Go on')")
    (stopped,) = workbench.batches()
    assert 0 < stopped.done < PROBLEMS
    assert stopped.setting["seed"] == 3

    page.click(".lab-batch-top .lab-button")
    page.wait_for_selector(".lab-batch-setting .lab-state:text-is('finished')")
    (state,) = workbench.batches()
    accuracy = state.accuracy
    assert accuracy is not None
    figures = page.locator(".lab-batch-figures").inner_text()
    assert f"{PROBLEMS} of {PROBLEMS}" in figures
    assert f"{100 * accuracy.estimate:.1f} %" in figures
    assert f"{100 * accuracy.low:.1f} to {100 * accuracy.high:.1f} %" in figures
    for kind, number in (("right", state.right), ("wrong", state.wrong)):
        page.wait_for_selector(f".lab-kind[data-kind={kind}] small:text-is('{number}')")

    right = next(one for one in workbench.batch_problems(state.id) if one.correct)
    page.click(".lab-kind[data-kind=right]")
    page.wait_for_function("document.querySelectorAll('.lab-rows .lab-row.is-wrong').length === 0")
    page.locator(".lab-rows .lab-row").first.click()
    page.wait_for_function("(id) => window.lab.store.session === id", arg=right.session)
    wait_nodes(page, 2)
    assert right.answer is not None
    page.wait_for_selector(f".lab-status-cell.is-answer:has-text('{right.answer}')")
    assert page.locator("[data-sheet=datasets].lab-sheet").is_hidden()
    page.click(".lab-session")
    page.wait_for_selector(".lab-menu-row.is-batch")
    assert page.locator(".lab-menu-row").count() == 1


def test_a_bundled_set_after_a_restart(tab: OpenTab, serve: Serve, tmp_path: Path) -> None:
    first = Workbench(tmp_path / "home")
    batch = first.solve(first.dataset("samples", limit=12), iterations=3, parallel=2)
    while not first.batch(batch).done:
        first.wait_batch(batch, timeout=0.05)
    first.stop_batch(batch)
    stopped = first.wait_batch(batch)
    first.close()
    assert stopped.done < 12
    bench = Workbench(tmp_path / "home")
    try:
        page = tab(serve(bench))
        page.set_default_timeout(SLOW)
        page.click(".lab-sheet-button[data-sheet=datasets]")
        page.click(".lab-batch-line:has-text('samples')")
        page.click(".lab-batch-top .lab-button:has-text('Go on')")
        page.wait_for_selector(".lab-batch-setting .lab-state:text-is('finished')")
        assert bench.batch(batch).done == 12
        assert len(bench.batches()) == 1
    finally:
        bench.close()
