"""The sheet of models: what they need before loading, loading, letting go, choosing others."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from lab.results import ModelSettings
from lab.workbench import Workbench
from tests.lab.benches import finish

OpenTab = Callable[..., Any]
STATE = ".lab-loaded"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """With the bundled models."""
    made = Workbench(tmp_path_factory.mktemp("models"))
    yield made
    made.close()


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
    page.fill("input[name=policy]", "/no/such")
    page.keyboard.press("Tab")
    page.wait_for_selector(".lab-memory .lab-message.is-error:has-text('/no/such')")
    page.wait_for_selector("button:text-is('Use these models'):disabled")
    # A hub id is another matter: it is fetched when it is used.
    page.fill("input[name=policy]", "nobody/nothing")
    page.keyboard.press("Tab")
    page.wait_for_selector(".lab-memory .lab-message.is-warn:has-text('nobody/nothing')")
    assert page.is_enabled("button:text-is('Use these models')")
    # Choices are remembered in the home: a new page offers them.
    page.reload(wait_until="commit")
    page.click(".lab-recent-line:has-text('none')")
    assert page.input_value("select[name=quant]") == "none"
    page.click("text=Adapters that rounds have made")
    page.wait_for_selector(".lab-sheet[data-sheet=rounds] h2:has-text('Lineage')")


def test_a_folder_is_chosen_and_one_without_a_model_is_told_in_words(
    tab: OpenTab, bench: Workbench, address: str, tmp_path: Path
) -> None:
    folder = str(Path(str(files("assets"))) / "models" / "tiny-policy")
    page = tab(address)
    page.click("button[data-sheet=models]")
    page.wait_for_selector(".lab-memory b:has-text('fit')")
    page.fill("input[name=policy]", str(tmp_path))
    page.click("text=Use these models")
    page.wait_for_selector(f".lab-models-form > .lab-message:has-text('{tmp_path}')")
    assert bench.models.policy == "bundled"
    page.fill("input[name=policy]", folder)
    page.click("text=Use these models")
    page.wait_for_selector(f"{STATE}.is-yes")
    page.wait_for_selector(f".lab-models-facts dd:has-text('{folder}')")
    assert page.is_hidden(".lab-models-form > .lab-message")
    assert (bench.models.policy, bench.models.prm) == (folder, "bundled")
    # A search is made with it, and says so.
    session = bench.create("How many stamps has Frank?")
    finish(bench, session, iterations=1)
    assert bench.sessions()[0].policy.startswith(folder)
    # It is remembered beside what was chosen before, and offered while one types.
    page.wait_for_selector(f".lab-recent-line:has-text('{folder}')")
    assert page.locator(f"#lab-known-models option[value='{folder}']").count() == 1
    page.fill("input[name=policy]", "bundled")
    page.click("text=Use these models")
    page.wait_for_selector(f".lab-models-facts dd:has-text('{folder}')", state="detached")
    page.click(f".lab-recent-line:has-text('{folder}')")
    assert page.input_value("input[name=policy]") == folder
    assert bench.models.policy == "bundled"  # filled in, and not used before it is said
    # What the form was told of the models in use goes with them.
    page = tab(address, session)
    page.wait_for_function("window.lab.store.tree")
    page.click("#lab-step")
    told = "[data-lab-slot=error]:has-text('this lab runs')"
    page.wait_for_selector(told)
    page.click("button[data-sheet=models]")
    page.click(f".lab-recent-line:has-text('{folder}')")
    page.click("text=Use these models")
    page.wait_for_selector(told, state="detached")


def test_models_that_cannot_be_fetched_leave_a_way_back(
    tab: OpenTab, bench: Workbench, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **options: object) -> str:
        raise LocalEntryNotFoundError("Got: ConnectError: [Errno -2] Name or service not known")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    bench.choice.use(ModelSettings())
    page = tab(address)
    page.click("button[data-sheet=models]")
    page.wait_for_selector(".lab-memory b:has-text('fit')")
    page.fill("input[name=policy]", "nobody/nothing")
    page.keyboard.press("Tab")
    page.wait_for_selector(".lab-memory .is-warn:has-text('hf download nobody/nothing')")
    page.click("text=Use these models")
    error = page.locator(".lab-models-now .is-error")
    error.wait_for()
    assert "the hub cannot be reached" in error.inner_text()
    assert "ConnectError" not in error.inner_text()
    named = page.locator(".lab-recent-line b").all_inner_texts()
    assert named[:2] == ["nobody/nothing + bundled", "bundled"]
    page.click("button:text-is('Go back to bundled')")
    page.wait_for_selector(f"{STATE}.is-yes")
    assert bench.models == ModelSettings()
    assert page.input_value("input[name=policy]") == "bundled"
    assert page.locator(".lab-models-back").count() == 0


def test_the_top_line_has_room_for_the_models(tab: OpenTab, bench: Workbench, address: str) -> None:
    session = bench.create("How many stamps has Frank after all of this? " * 3)
    page = tab(address, session)
    page.wait_for_selector("button[data-sheet=models] b", state="attached")
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
