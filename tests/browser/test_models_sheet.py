"""The sheet of models: what they need before loading, loading, letting go, choosing others."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.workbench import Workbench
from tests.browser.conftest import Serve

OpenTab = Callable[..., Any]
STATE = ".lab-loaded"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """With the bundled models."""
    made = Workbench(tmp_path_factory.mktemp("models"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(serve: Serve, bench: Workbench) -> str:
    return serve(bench)


def test_models_are_foretold_loaded_changed_and_let_go(
    tab: OpenTab, bench: Workbench, address: str
) -> None:
    page = tab(address)
    page.click("button[data-sheet=models]")
    page.wait_for_selector(".lab-memory b:has-text('fit')")
    assert "kept tokens" in page.locator(".lab-memory").inner_text()
    assert page.locator(STATE).inner_text() == "not loaded"
    page.click(".lab-models-now button:text-is('Load')")
    page.wait_for_selector(f"{STATE}.is-yes")
    assert bench.choice.state().loaded == "yes"
    page.click(".lab-models-now button:text-is('Unload')")
    page.wait_for_selector(f"{STATE}.is-no")
    page.select_option("select[name=quant]", "none")
    page.wait_for_selector(".lab-memory:not(.is-waiting) :text('none')")
    page.click("text=Use these models")
    page.wait_for_selector(f"{STATE}.is-yes")
    assert bench.models.quant == "none"
    page.wait_for_selector("button[data-sheet=models] :text-is('none')", state="attached")
    # What cannot be used is refused in words, and changes nothing.
    page.fill("input[name=policy]", "/no/such <b>folder</b>")
    page.click("text=Use these models")
    page.wait_for_selector(".lab-models-form > .lab-message:has-text('/no/such <b>folder</b>')")
    assert bench.models.policy == "bundled"
    assert bench.choice.state().loaded == "yes"
    # Choices are remembered in the home: a new page offers them.
    page.reload(wait_until="commit")
    page.click(".lab-recent-line:has-text('none')")
    assert page.input_value("select[name=quant]") == "none"
    page.click("text=Adapters that rounds have made")
    page.wait_for_selector(".lab-sheet[data-sheet=rounds] h2:has-text('Lineage')")


def test_the_top_line_has_room_for_the_models(tab: OpenTab, bench: Workbench, address: str) -> None:
    session = bench.create("How many stamps has Frank after all of this? " * 3)
    page = tab(address, session)
    for width, room in ((1920, "all"), (1440, ""), (1180, ""), (800, "sign"), (390, "sign")):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(
            "([width, room]) => innerWidth === width &&"
            " document.querySelector('.lab-header').dataset.room.includes(room)",
            arg=[width, room],
        )
        for button in ("button[data-sheet=models]", ".lab-theme", "[data-sheet=rounds]"):
            box = page.locator(f".lab-header {button}").bounding_box()
            assert box is not None
            assert box["width"] >= 26
            assert box["x"] + box["width"] <= width
        named = page.locator("button[data-sheet=models] b").first.is_visible()
        assert named == (width > 1100)
    page.set_viewport_size({"width": 1440, "height": 900})
