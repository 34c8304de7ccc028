"""Rewards with the bundled models: a search, verdicts on it, and the file that comes of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lab.cli import app
from lab.workbench import Workbench
from tests.browser.conftest import Serve, wait_nodes

OpenTab = Callable[..., Any]
LONG = 120.0


@pytest.fixture(scope="module")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    bench = Workbench(tmp_path_factory.mktemp("home"))
    yield bench
    bench.close()


def searched(bench: Workbench) -> str:
    """A search that found right and wrong answers."""
    for problem in bench.problems("samples")[7:]:
        session = bench.create(problem.content, problem.answer)
        bench.run(session, iterations=12)
        bench.wait(session, timeout=LONG)
        leaves = bench.verdicts.rewards(session).rewards.rows[:1]
        if leaves and leaves[0].wrong:
            return session
    pytest.fail("no sample problem gave right and wrong answers")


def test_mark_flip_and_export(
    tab: OpenTab, serve: Serve, workbench: Workbench, tmp_path: Path
) -> None:
    session = searched(workbench)
    page = tab(serve(workbench), session)
    wait_nodes(page, len(workbench.export(session)["nodes"]))
    wrong = workbench.verdicts.rewards(session).rewards.rows[0].wrong[0]
    step = workbench.node(session, wrong)["parent"]
    changes = workbench.verdicts.rewards(session, marks={step: "wrong"}).changes
    page.evaluate("(id) => window.lab.store.select(id)", step)
    page.click(".lab-reward .lab-verdict.is-wrong[data-kind=mark]")
    page.wait_for_selector(f".lab-effect:has-text('{len(changes) or 'No'} row')")

    page.click(".lab-reward .lab-link:has-text('all rows')")
    page.evaluate("(id) => window.lab.store.select(id)", wrong)
    page.click(".lab-rewards-beside .lab-verdict.is-true")
    page.wait_for_selector(".lab-supposed-effect:not(:empty)")
    page.click(".lab-supposed .lab-primary")
    page.wait_for_selector(".lab-supposed", state="hidden")
    assert workbench.node(session, wrong)["regraded"] is True

    with page.expect_download() as download:
        page.click(".lab-sheet-head [aria-label='Export rewards']")
    out = tmp_path / "out.jsonl"
    arguments = ["export", "values", str(out), "--session", session, "--home", str(workbench.home)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert Path(download.value.path()).read_bytes() == out.read_bytes()
    assert '"touched": true' in out.read_text()
