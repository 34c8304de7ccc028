"""The sheet of datasets and the list of sessions, driven by a scripted workbench: start, stop, go
on, large batches, thousands of sessions, refusals.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.tasks.datasets import Rejected
from tests.browser.conftest import Serve, wait_nodes
from tests.browser.fake_workbench import PROBLEMS, FakeWorkbench

OpenTab = Callable[..., Any]
LARGE = 1319


@pytest.fixture
def bench(tmp_path: Path) -> FakeWorkbench:
    """A workbench of this test's own."""
    return FakeWorkbench(tmp_path, pace=0.1)


@pytest.fixture
def address(bench: FakeWorkbench, serve: Serve) -> str:
    return serve(bench)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> FakeWorkbench:
    """Five thousand sessions, most of them of one large batch."""
    made = FakeWorkbench(tmp_path_factory.mktemp("crowded"), pace=0.0)
    for k in range(5000 - LARGE):
        made.create(f"How many apples has person {k}?", str(k), name="rare pearl" if k == 9 else "")
    questions = [f"Frank has {k} stamps and gives half away. How many?" for k in range(LARGE)]
    made.fails = {500}
    key = made.solve(made.offer("large", questions), seed=1)
    made.wait(key)
    return made


@pytest.fixture(scope="module")
def crowded_address(serve: Serve, crowded: FakeWorkbench) -> str:
    return serve(crowded)


def enter(page: Any, name: str, text: str) -> None:
    page.fill(f".lab-new-batch [name={name}]", text)
    page.locator(f".lab-new-batch [name={name}]").blur()


def new_batch(page: Any, source: str) -> None:
    """The form of a new batch, with what was found in a dataset."""
    page.click(".lab-sheet-button[data-sheet=datasets]")
    page.click("[data-sheet=datasets] .lab-sheet-head .lab-button")
    enter(page, "source", source)


def test_a_batch_from_the_file_to_the_accuracy(
    tab: OpenTab, bench: FakeWorkbench, address: str
) -> None:
    bench.offer(
        "/data/sums.jsonl",
        [f"What is {k} plus {k}?" for k in range(40)],
        rejected=[Rejected("line 7", "not JSON")],
        repeated=[Rejected("line 9", "asks what line 1 asks")],
    )
    page = tab(address)
    page.fill("[aria-label='branch (b)']", "5")
    page.keyboard.press("Tab")
    new_batch(page, "/data/sums.jsonl")
    report = page.locator(".lab-report")
    report.wait_for()
    for words in ("40 problems", "question", "line 7", "not JSON", "line 9", "What is 0 plus 0?"):
        assert words in report.inner_text()
    enter(page, "limit", "30")
    page.wait_for_selector(".lab-primary:has-text('Start 30 searches')")
    enter(page, "name", "sums")
    enter(page, "iterations", "7")
    page.click(".lab-new-batch .lab-primary")
    page.wait_for_selector(".lab-batch-figures")
    (made,) = bench.held.values()
    assert made.state.setting["params"]["branch"] == 5
    assert made.state.setting["limits"] == {"iterations": 7, "tokens": None}
    page.wait_for_selector(".lab-rows .lab-row")
    page.click(".lab-batch-top .lab-button:has-text('Stop')")
    page.wait_for_selector(".lab-batch-top .lab-button:has-text('Go on')")
    stopped = made.state.done
    assert 0 < stopped < 30
    page.click(".lab-batch-top .lab-button")
    page.wait_for_selector(".lab-batch-setting .lab-state:text-is('finished')")
    assert len(bench.held) == 1
    figures = page.locator(".lab-batch-figures").inner_text()
    accuracy = made.state.accuracy
    assert accuracy is not None
    assert "30 of 30" in figures
    assert f"{100 * accuracy.estimate:.1f} %" in figures
    assert f"{100 * accuracy.low:.1f} to {100 * accuracy.high:.1f} %" in figures
    page.wait_for_function("document.querySelectorAll('.lab-rows .lab-row.is-wrong').length > 2")


def test_fields_are_mapped_on_the_sheet(
    tab: OpenTab, bench: FakeWorkbench, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.offer("some", ["What is 1 plus 1?"])
    read: list[Any] = []
    found = bench.dataset
    monkeypatch.setattr(
        bench, "dataset", lambda source, fields, *more: read.append(fields) or found(source)
    )
    page = tab(address)
    new_batch(page, "some")
    page.click(".lab-new-batch summary")
    given = {"content": "Body,Question", "options": "A,B", "tolerance": "5 %"}
    for name, field in given.items():
        enter(page, name, field)
    page.wait_for_selector(".lab-primary:has-text('Start 1 search')")
    assert read[-1] == given


def test_refusals_stand_on_the_sheet(tab: OpenTab, bench: FakeWorkbench, address: str) -> None:
    bench.offer("some", ["What is 1 plus 1?"])
    page = tab(address)
    message = page.locator(".lab-new-batch > .lab-new-end .lab-message")
    new_batch(page, "nowhere.jsonl")
    message.wait_for()
    assert "no file or folder 'nowhere.jsonl'" in message.inner_text()
    enter(page, "source", "some")
    page.wait_for_selector(".lab-primary:has-text('Start 1 search')")
    assert message.is_hidden()
    for field, text in (("parallel", "2.5"), ("iterations", "-1"), ("tokens", "many")):
        enter(page, field, text)
        page.click(".lab-new-batch .lab-primary")
        page.wait_for_selector(f".lab-message:has-text(\"cannot be '{text}'\")")
        enter(page, field, "3")
    assert not bench.held
    page.fill("[aria-label='branch (b)']", "2.5")
    page.keyboard.press("Tab")
    page.click(".lab-new-batch .lab-primary")
    page.wait_for_function("document.querySelector('.lab-batch-figures')")
    assert next(iter(bench.held.values())).state.setting["params"]["branch"] == 2.5


def test_going_on_elsewhere_is_refused_in_words(
    tab: OpenTab, bench: FakeWorkbench, address: str
) -> None:
    bench.offer("some", [f"What is {k} plus 1?" for k in range(9)])
    key = bench.solve(bench.dataset("some"), seed=4)
    bench.stop_batch(key)
    bench.wait(key)
    bench.offer("some", ["Something else?"])
    page = tab(address)
    page.click(".lab-sheet-button[data-sheet=datasets]")
    page.click(".lab-batch-line")
    page.click(".lab-batch-top .lab-button")
    page.wait_for_selector(".lab-batch .lab-message:has-text('does not hold the 9 problems')")
    assert len(bench.held) == 1


def test_a_large_batch_is_fluent(
    tab: OpenTab, crowded: FakeWorkbench, crowded_address: str
) -> None:
    page = tab(crowded_address)
    page.click(".lab-sheet-button[data-sheet=datasets]")
    page.click(".lab-batch-line")
    page.wait_for_selector(".lab-rows .lab-row")
    assert page.locator(".lab-rows .lab-row").count() < 80
    page.focus(".lab-rows")
    page.keyboard.press("End")
    page.wait_for_selector(f"#lab-row-{LARGE - 1}:has-text('p{LARGE}')")
    assert page.locator(".lab-rows .lab-row").count() < 80
    milliseconds = page.evaluate(
        """() => {
          const rows = window.lab.datasets.view.rows;
          const start = performance.now();
          for (let k = 0; k < 20; k++) rows.draw();
          return (performance.now() - start) / 20;
        }"""
    )
    print(f"redraw of the rows of {LARGE:,} problems: {milliseconds:.1f} ms")
    assert milliseconds < 60  # on a busy core
    page.click(".lab-kind[data-kind=failed]")
    page.wait_for_selector(".lab-rows .lab-row.is-failed")
    assert page.locator(".lab-rows .lab-row").count() == 1
    assert "fills the context <b>whole</b>" in page.locator(".lab-rows .lab-row").inner_text()
    page.click(".lab-kind[data-kind=wrong]")
    page.wait_for_selector(".lab-rows .lab-row.is-wrong")
    page.fill(".lab-filter .lab-search", "has 600 stamps")
    page.wait_for_function("document.querySelectorAll('.lab-rows .lab-row').length === 1")
    page.focus(".lab-rows")
    page.keyboard.press("Enter")
    wait_nodes(page, 1)
    page.wait_for_function("document.querySelector('.lab-sheet[data-sheet=datasets]').hidden")
    question = "Frank has 600 stamps and gives half away. How many?"
    page.wait_for_function(
        "(text) => document.querySelector('#lab-question textarea').value === text", arg=question
    )


def test_from_one_tree_of_a_batch_to_the_next(tab: OpenTab, crowded_address: str) -> None:
    page = tab(crowded_address)
    page.click(".lab-sheet-button[data-sheet=datasets]")
    page.click(".lab-batch-line")
    page.click("#lab-row-2")
    page.wait_for_selector(".lab-trail-back:has-text('3 of large')")
    page.click("[aria-label='The next problem']")
    page.wait_for_selector(".lab-trail-back:has-text('4 of large')")
    page.wait_for_function("window.lab.store.tree?.question.startsWith('Frank has 3 stamps')")
    page.reload(wait_until="commit")
    page.wait_for_selector(".lab-trail-back:has-text('one of large')")
    page.click(".lab-trail-back")
    page.wait_for_selector(".lab-rows .lab-row")
    assert "datasets=batch-1" in page.url
    page.keyboard.press("Escape")
    assert page.locator("[data-sheet=datasets].lab-sheet").is_hidden()
    page.go_back()
    page.wait_for_selector("[data-sheet=datasets] .lab-rows .lab-row")


def test_thousands_of_sessions_are_searched(tab: OpenTab, crowded_address: str) -> None:
    page = tab(crowded_address)
    page.click(".lab-session")
    page.wait_for_selector(".lab-menu-row")
    assert page.locator(".lab-menu-row").count() == 200
    assert page.locator(".lab-menu-row.is-batch").count() == 1
    assert "more: search to find them" in page.locator(".lab-menu").inner_text()
    for text, lines in (("RARE pearl", 1), ("has 1300 stamps", 1), ("person 77?", 1), ("zzz", 0)):
        page.fill(".lab-menu .lab-search", text)
        page.wait_for_function(
            "(n) => document.querySelectorAll('.lab-menu-row').length === n", arg=lines
        )
    page.fill(".lab-menu .lab-search", "person 88?")
    page.wait_for_selector(".lab-menu-row:has-text('person 88?')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function("window.lab.store.tree?.question.includes('person 88?')")
    page.click(".lab-session")
    page.click(".lab-menu-row.is-batch button")
    page.wait_for_selector(".lab-rows .lab-row")


def test_the_list_explains_a_session(tab: OpenTab, bench: FakeWorkbench, address: str) -> None:
    bench.create("What is 1?", seed=1, params={"branch": 9})
    page = tab(address)
    page.click(".lab-session")
    page.locator(".lab-menu-row", has_text="What is 1?").hover()
    seen = page.locator(".lab-explanation:visible")
    seen.wait_for()
    assert re.search(r"seed\s+1", seen.inner_text())
    assert re.search(r"branch\s+9", seen.inner_text())


def test_a_batch_waits_for_a_stepped_search(
    tab: OpenTab, bench: FakeWorkbench, address: str
) -> None:
    bench.offer("some", [f"What is {k} plus 1?" for k in range(5000)])
    page = tab(address)
    page.click("#lab-step")
    wait_nodes(page, 4)
    key = bench.solve(bench.dataset("some"))
    page.fill("#lab-iterations input", "200")
    page.click("#lab-run")
    page.wait_for_selector(".lab-status-batch:has-text('waiting for this search')")
    assert page.locator("[data-sheet=datasets] .lab-badge").is_visible()
    page.click("#lab-stop")
    page.wait_for_selector(".lab-status-batch:has-text('left')")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 860})
        pill = page.locator(".lab-status-batch").bounding_box()
        for other in (".lab-time", ".lab-tree", ".lab-status-cell.is-answer"):
            box = page.locator(other).bounding_box()
            assert (
                box["y"] + box["height"] <= pill["y"] + 0.5
                or pill["y"] + pill["height"] <= box["y"]
            )
    page.set_viewport_size({"width": 1440, "height": 900})
    page.click(".lab-status-batch")
    page.wait_for_selector(".lab-batch-top .lab-button:has-text('Stop')")
    bench.stop_batch(key)
    page.wait_for_function("!document.querySelector('.lab-status-batch')")


def test_nobody_is_asked_for_batches_that_nobody_looks_at(tab: OpenTab, address: str) -> None:
    page = tab(address)
    asked: list[str] = []
    page.on(
        "request",
        lambda request: (
            asked.append(request.url)
            if '"fn_name":"batches"' in (request.post_data or "").replace(" ", "")
            else None
        ),
    )
    page.click(".lab-sheet-button[data-sheet=datasets]")
    page.wait_for_selector(".lab-sheet-empty")
    page.keyboard.press("Escape")
    page.wait_for_timeout(1200)
    before = len(asked)
    assert before
    page.wait_for_timeout(4000)
    assert len(asked) == before


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_the_sheet_fits_the_window(
    tab: OpenTab, crowded_address: str, width: int, theme: str
) -> None:
    page = tab(crowded_address, theme=theme)
    page.set_viewport_size({"width": width, "height": 844})
    for act in (
        lambda: page.click(".lab-sheet-button[data-sheet=datasets]"),
        lambda: page.click(".lab-batch-line"),
        lambda: page.click("[data-sheet=datasets] .lab-sheet-head .lab-button"),
    ):
        act()
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.locator("[data-sheet=datasets] .lab-sheet-body").evaluate(
            "(e) => [e.scrollWidth, e.clientWidth]"
        )
        assert box[0] <= box[1]
    page.click("[data-sheet=datasets] [aria-label='Close']")
    page.click(".lab-session")
    page.wait_for_selector(".lab-menu-row")
    box = page.locator(".lab-menu").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


def test_costs_are_explained(tab: OpenTab, bench: FakeWorkbench, address: str) -> None:
    session = bench.create(PROBLEMS[0].content, "25", seed=3)
    bench.grow(session, 30)
    page = tab(address, session)
    wait_nodes(page, 30)
    page.hover(".is-cost")
    shown = page.locator(".lab-explanation:visible")
    shown.wait_for()
    tokens = bench.runs[session].tokens
    for words in ("generated", "unique", "forwarded", "cached", "padded", f"{tokens:,}"):
        assert words in shown.inner_text()
    bench.grow(session, 60)
    page.wait_for_function(
        "(text) => document.querySelector('.lab-explanation').textContent.includes(text)",
        arg=f"{bench.runs[session].tokens:,}",
    )
    page.mouse.move(5, 300)
    shown.wait_for(state="hidden")


def test_the_best_node_wins_no_votes(tab: OpenTab, bench: FakeWorkbench, address: str) -> None:
    for choice, word in (("vote", "of votes"), ("best", "V 0.")):
        session = bench.create(PROBLEMS[0].content, "25", params={"final_choice": choice}, seed=3)
        bench.grow(session, 60)
        page = tab(address, session)
        wait_nodes(page, 60)
        page.wait_for_selector(f".is-answer:has-text('{word}')")


def test_files_are_at_addresses_of_their_content(tab: OpenTab, address: str) -> None:
    page = tab(address)
    files = [url for url in page.lab_requests if url.endswith((".js", ".css")) and "lab-web" in url]
    assert len(files) > 20
    assert all(re.search(r"/lab-web/[0-9a-f]{12}/", url) for url in files)
    answer = page.request.get(files[0])
    assert "immutable" in answer.headers["cache-control"]
    place = str(Path(__file__).resolve().parents[2])
    assert place not in page.content()
    assert not [url for url in page.lab_requests if place in url]


def test_an_error_of_any_press_is_shown(
    tab: OpenTab, bench: FakeWorkbench, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = bench.create(PROBLEMS[0].content)

    def broken(*_: Any) -> None:
        raise OSError("The disk is <b>gone</b>.")

    page = tab(address)
    message = page.locator("[data-lab-slot=error]")
    monkeypatch.setattr(bench, "hint", broken)
    page.fill("#lab-question textarea", "What else?")
    page.keyboard.press("Tab")
    message.wait_for(state="visible")
    assert message.inner_text() == "The disk is <b>gone</b>."
    monkeypatch.setattr(bench, "settings", broken)
    page = tab(address, session)
    page.locator("[data-lab-slot=error]:visible").wait_for()
