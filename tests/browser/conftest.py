"""One browser for all browser tests, and pages served from this process."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.cli_page import free_port
from lab.models import Models
from lab.workbench import Workbench
from tests.browser import ensure_chromium
from tests.browser.fake_workbench import FakeWorkbench
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, finish

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run --no-proxy-server"
).split()
WAIT = 60_000  # milliseconds; generous, because a slow machine is no failure

Serve = Callable[[Any], str]

# What stands on the plates that lie over the tree.
PLATES = """() => {
  const { overlay } = window.lab.view;
  const words = [];
  const pill = overlay.pill;
  overlay.pill = (x, y, r, text) => words.push(text);
  window.lab.view.drawNow();
  overlay.pill = pill;
  return words;
}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            # The first test pays for importing Gradio, starting a browser and loading models.
            item.add_marker(pytest.mark.timeout(480))


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium, started once."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("playwright is not installed (pip install playwright)")
    if ensure_chromium.find() is None:
        reason = ensure_chromium.install()
        if reason:
            pytest.skip(f"no Chromium for the browser tests: {reason}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=ensure_chromium.find(), args=FLAGS, timeout=2 * WAIT
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """Serves the page of a workbench and gives its address; closes all pages at the end."""
    from ui.page import launch

    pages = []

    def start(workbench: Any) -> str:
        # Of the system: two test processes that seek one take the same.
        port = free_port("127.0.0.1", 0)
        page, address = launch(workbench, port=port, open_browser=False, block=False)
        pages.append(page)
        return address

    yield start
    for page in pages:
        page.close()


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> FakeWorkbench:
    """A scripted workbench: slow enough to be paused, fast enough to wait for."""
    return FakeWorkbench(tmp_path_factory.mktemp("fake"), pace=0.1)


@pytest.fixture(scope="session")
def fake_address(fake: FakeWorkbench, serve: Serve) -> str:
    return serve(fake)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """A real workbench with a scripted model, where a module has none of its own."""
    world = World(words=6)
    made = Workbench(
        tmp_path_factory.mktemp("bench"), SETTINGS, lambda *_: Models(world, world, [])
    )
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(serve: Serve, bench: Workbench) -> str:
    return serve(bench)


@pytest.fixture
def session(bench: Workbench) -> str:
    """A search of six iterations."""
    made = bench.create("What?", gold="1", seed=8)
    finish(bench, made, iterations=6)
    return made


@pytest.fixture(scope="session")
def context(browser: "Browser") -> "Iterator[BrowserContext]":
    """One profile for all tests: Gradio's scripts are read and compiled once."""
    opened = browser.new_context(viewport={"width": 1440, "height": 900})
    opened.set_default_timeout(WAIT)
    yield opened
    opened.close()


@pytest.fixture
def tab(context: "BrowserContext") -> "Iterator[Callable[..., Page]]":
    """Opens pages; closes them and fails the test if one of them had a script error."""
    pages: list[Page] = []
    errors: list[str] = []
    requests: list[str] = []

    def open_tab(address: str, session: str = "", theme: str = "light") -> "Page":
        page = context.new_page()
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        query = f"?__theme={theme}" + (f"&session={session}" if session else "")
        page.goto(address + query, wait_until="commit")
        page.wait_for_function("window.lab && document.querySelector('#lab-step')")
        page.lab_requests = requests  # type: ignore[attr-defined]
        return page

    yield open_tab
    for page in pages:
        page.close()
    assert not errors, f"the page's script failed: {errors}"


def select(page: Any, node: int) -> None:
    """Select a node and wait for its details."""
    page.evaluate("(id) => window.lab.store.select(id)", node)
    page.wait_for_selector(f".lab-node h2:text-is('Node {node}')")


def wait_nodes(page: Any, count: int) -> None:
    """Until the page knows so many nodes."""
    page.wait_for_function("(n) => window.lab?.store.nodes.size >= n", arg=count)
