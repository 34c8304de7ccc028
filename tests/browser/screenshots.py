"""The screenshots in docs/screenshots, from a real search with the bundled models.

Only the tree of 1,000 nodes is a scripted one, and says so in its top line.

    python -m tests.browser.screenshots [FOLDER] [--without-rounds]

The same seeds give the same trees, so that a change of a picture is a change of the page.
"""

import io
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from lab.evaluation_plan import EvaluationSettings
from lab.workbench import Workbench
from tests.browser import ensure_chromium
from tests.browser.conftest import FLAGS, WAIT, wait_nodes
from tests.browser.fake_workbench import PROBLEMS, FakeWorkbench
from ui.page import launch

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SAMPLE = 0
PATIENCE = 900.0  # seconds for one search, for a machine with other things to do


@dataclass(frozen=True)
class Shot:
    """One picture: what of which session, at which size."""

    name: str
    session: str
    width: int = 1440
    height: int = 900
    theme: str = "light"
    select: str = "null"  # JavaScript for the id of the node to select
    datasets: str | None = None  # the screen of the datasets: "new" or a batch
    source: str = ""  # what to search, for the screen of a new batch
    rewards: str | None = None  # the screen of the rewards: "" or "export"
    flip: bool = False  # suppose the contrary of the selected leaf's verdict
    rounds: str | None = None  # the screen of the rounds: "new", "lineage" or a round
    press: str = ""  # what to press there
    sheet: str = ""  # another sheet as the address names it: "study=what-if"
    run: str = ""  # JavaScript, at the end


THEMES = ("light", "dark")
BEST = "[...window.lab.store.bestPath].at(-2)"
WRONG = "[...window.lab.store.nodes.values()].find((node) => node.correct === false).id"


def grow(workbench: Workbench, session: str, nodes: int, iterations: int) -> None:
    """Search on until there are about so many nodes, or nothing is left to do."""
    known = 0
    while known < nodes:
        workbench.run(session, iterations=iterations)
        state = workbench.wait(session, timeout=PATIENCE)
        if state.status == "failed":
            sys.exit(state.message)
        facts = workbench.delta(session, -1)["tree"]
        known = facts["nodes"]
        print(f"{session}: {known} nodes after {facts['iteration']} iterations", flush=True)
        if facts["stop"] in ("exhausted", "complete"):
            break


def solve(workbench: Workbench) -> str:
    """A batch of bundled problems, searched to its end."""
    batch = workbench.solve(workbench.dataset("heldout", limit=80), iterations=10)
    state = workbench.wait_batch(batch, timeout=PATIENCE)
    print(f"batch {batch}: {state.done} of {state.problems} done", flush=True)
    return batch


def evaluate(workbench: Workbench) -> str:
    """A small evaluation at its end."""
    settings = EvaluationSettings(
        "dev",
        limit=60,
        methods=("cot", "majority", "vote_last", "beam", "dvts", "mcts_star"),
        budgets=(300, 600, 1200),
    )
    made = workbench.evaluations.start(settings)
    print(f"evaluation {made}: {workbench.evaluations.wait(made, PATIENCE).status}", flush=True)
    return made


def shots(workbench: Workbench) -> Iterator[Shot]:
    """All pictures, the search taken on between them."""
    yield Shot("start", "")
    problem = workbench.problems("samples")[SAMPLE]
    session = workbench.create(problem.content, problem.answer)
    grow(workbench, session, 8, 1)
    yield Shot("early", session, select="1")
    grow(workbench, session, 18, 5)
    for theme in THEMES:
        yield Shot(f"workbench-{theme}", session, 1440, 900, theme, BEST)
        yield Shot(f"workbench-narrow-{theme}", session, 800, 1000, theme, BEST)
    yield Shot("answers", session)
    yield Shot("phone", session, 390, 844, "light", BEST)
    for theme in THEMES:
        yield Shot(f"rewards-{theme}", session, theme=theme, select=BEST, rewards="")
    yield Shot("rewards-suppose", session, select=WRONG, rewards="", flip=True)
    yield Shot("export", session, rewards="export")
    yield Shot("history", session, press="[data-tab=history]")
    back = "window.lab.timeline.go(window.lab.timeline.frames.starts[9])"
    yield Shot("past", session, select=BEST, run=back)
    yield Shot("what-if", session, sheet="study=what-if")
    other = workbench.create(problem.content, problem.answer, seed=1)
    grow(workbench, other, 18, 5)
    yield Shot("compare", session, sheet=f"study=compare/{other}")
    yield Shot("sessions", session, sheet="sessions=")
    yield Shot("models", session, theme="dark", sheet="models=")
    batch = solve(workbench)
    for theme in THEMES:
        yield Shot(f"batch-{theme}", session, 1440, 900, theme, datasets=batch)
    yield Shot("batch-phone", session, 390, 844, datasets=batch)
    yield Shot("batch-new", session, datasets="new", source="samples")
    evaluation = evaluate(workbench)
    for theme in THEMES:
        yield Shot(f"evaluate-{theme}", session, theme=theme, sheet=f"evaluate={evaluation}")
    yield Shot("evaluate-problems", session, sheet=f"evaluate={evaluation}/problems")
    yield Shot("rounds-new", session, rounds="new")
    if "--without-rounds" in sys.argv:
        return
    settings = workbench.rounds.settings({"rounds": 2})
    first = workbench.rounds.start(settings)
    wait_phase(workbench, first, "policy")
    yield Shot("round-running", session, rounds=first)
    workbench.rounds.wait(first, PATIENCE)
    for theme in THEMES:
        yield Shot(f"round-verdict-{theme}", session, theme=theme, rounds=first)
    yield Shot("rounds", session, rounds="")
    yield Shot("lineage", session, rounds="lineage", press="button.lab-lineage-name")


def wait_phase(workbench: Workbench, round_id: str, phase: str) -> None:
    """Until a round is in the midst of a training."""
    deadline = time.monotonic() + PATIENCE
    while len(workbench.rounds.state(round_id).curves.get(phase, ())) < 2:
        if time.monotonic() > deadline or not workbench.rounds.state(round_id).active:
            sys.exit(f"round {round_id} came to no {phase}")
        time.sleep(0.2)


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    path = ensure_chromium.find()
    if path is None:
        sys.exit(f"no Chromium: {ensure_chromium.why_not() or 'apt install chromium'}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=2 * WAIT)
        yield browser
        browser.close()


def take(browser: Any, address: str, shot: Shot) -> Image.Image:
    """One picture."""
    page = browser.new_page(viewport={"width": shot.width, "height": shot.height})
    page.set_default_timeout(2 * WAIT)
    query = f"?__theme={shot.theme}" + (f"&session={shot.session}" if shot.session else "")
    query += "" if shot.datasets is None else f"&datasets={shot.datasets}"
    query += "" if shot.rewards is None else f"&rewards={shot.rewards}"
    query += "" if shot.rounds is None else f"&rounds={shot.rounds}"
    query += f"&{shot.sheet}" if shot.sheet else ""
    page.goto(address + query, wait_until="commit")
    page.wait_for_function("window.lab && document.querySelector('#lab-step')")
    if shot.session:
        wait_nodes(page, 2)
        page.evaluate(f"window.lab.store.select({shot.select})")
    if shot.source:
        page.click(f".lab-pill:text-is('{shot.source}')")
        page.wait_for_selector(".lab-report:visible")
    if shot.press:
        page.locator(shot.press).first.click()
    if shot.flip:
        page.click(".lab-flip")
    if shot.run:
        page.wait_for_timeout(1500)
        page.evaluate(shot.run)
    page.wait_for_timeout(3000 if shot.sheet else 1500)
    picture = Image.open(io.BytesIO(page.screenshot()))
    page.close()
    return picture.convert("RGB")


def take_all(browser: Any, workbench: Any, wanted: Iterable[Shot], folder: Path) -> None:
    """Pictures of one workbench's page, kept as files."""
    page, address = launch(workbench, open_browser=False, block=False)
    for shot in wanted:
        file = folder / f"{shot.name}.png"
        take(browser, address, shot).save(file, optimize=True)
        print(f"{file} ({file.stat().st_size // 1024} kB)", flush=True)
    page.close()


def main(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, chromium() as browser:
        scripted = FakeWorkbench(Path(home))
        large = scripted.create(PROBLEMS[0].content, PROBLEMS[0].answer, seed=5)
        scripted.grow(large, 1000)
        take_all(browser, scripted, [Shot(f"thousand-{t}", large, theme=t) for t in THEMES], folder)
        workbench = Workbench(Path(home))
        take_all(browser, workbench, shots(workbench), folder)
        workbench.close()


if __name__ == "__main__":
    named = [one for one in sys.argv[1:] if not one.startswith("--")]
    main(Path(named[0]) if named else FOLDER)
