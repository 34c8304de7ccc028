"""Text of models and people is shown exactly and never acts: not as markup, script or template."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.tasks.datasets import Rejected
from tests.browser.conftest import Serve, wait_nodes
from tests.browser.fake_workbench import FakeWorkbench
from tests.browser.hostile import HOST, PAYLOADS, naughty_strings

OpenTab = Callable[..., Any]
TEXTS = [*PAYLOADS, *naughty_strings()]
QUESTION = "\n".join(PAYLOADS[:-1])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> FakeWorkbench:
    """A workbench whose every text is a payload."""
    return FakeWorkbench(tmp_path_factory.mktemp("hostile"), pace=0.0, texts=TEXTS)


@pytest.fixture(scope="module")
def session(hostile: FakeWorkbench) -> str:
    made = hostile.create(QUESTION, PAYLOADS[1], seed=1)
    hostile.grow(made, len(TEXTS) + 1)
    for node, text in enumerate(TEXTS, 1):
        hostile.runs[made].nodes[node]["note"] = text
        hostile.runs[made].nodes[node]["answer"] = text
    return made


@pytest.fixture(scope="module")
def address(serve: Serve, hostile: FakeWorkbench) -> str:
    return serve(hostile)


@pytest.fixture
def page(tab: OpenTab, address: str, session: str) -> Iterator[Any]:
    opened = tab(address, session)
    yield opened
    assert opened.evaluate("window.pwned") is None
    assert not [url for url in opened.lab_requests if not url.startswith("http://127.0.0.1")]
    assert not [url for url in opened.lab_requests if HOST in url]
    inside = ".lab-view :is(script, img, iframe, style, link, form:not([class^=lab-]), svg script)"
    assert opened.locator(inside).count() == 0
    assert opened.evaluate("document.documentElement.scrollWidth") <= 1440


# Walks over nodes as a person would and reports what the page shows of each.
WALK = """async (last) => {
  const shown = [];
  for (let id = 1; id <= last; id++) {
    window.lab.view.setHovered(id);
    window.lab.store.select(id);
    const title = `Node ${id}`;
    for (let k = 0; k < 600; k++) {
      if (document.querySelector(".lab-node h2")?.textContent === title) break;
      await new Promise((done) => setTimeout(done, 10));
    }
    const aside = document.querySelector(".lab-inspector");
    // A formula that was drawn has its source as title.
    const step = document.querySelector(".lab-step span").cloneNode(true);
    step.querySelectorAll(".lab-math").forEach((math) => math.replaceWith(math.title));
    shown.push([
      step.textContent.slice(0, 6000),
      document.querySelector(".lab-note textarea").value.slice(0, 6000),
      aside.scrollWidth <= aside.clientWidth,
    ]);
  }
  return shown;
}"""


def test_steps_notes_and_answers_are_only_text(page: Any) -> None:
    wait_nodes(page, len(TEXTS) + 1)
    shown = page.evaluate(WALK, len(PAYLOADS))
    for text, (step, note, fits) in zip(PAYLOADS, shown, strict=True):
        assert fits, text[:80]
        if text.isascii() and text.isprintable():
            assert step == text.rstrip()[:6000]
        assert note.split("\n")[0] == text.replace("\r", "\n").split("\n")[0][:6000]


def test_the_whole_list_on_the_canvas(page: Any) -> None:
    wait_nodes(page, len(TEXTS) + 1)
    page.evaluate(
        """() => {
          for (const id of window.lab.store.nodes.keys()) window.lab.view.setHovered(id);
          for (let k = 0; k < 12; k++) window.lab.view.zoom(1.6);
          window.lab.view.drawNow();
        }"""
    )
    assert page.locator(".lab-answers").is_visible()


def test_hidden_characters_become_visible(page: Any) -> None:
    wait_nodes(page, len(TEXTS) + 1)
    bidi = next(k for k, text in enumerate(TEXTS, 1) if "\u202e" in text)
    page.evaluate("(id) => window.lab.store.select(id)", bidi)
    page.wait_for_selector(f"h2:text-is('Node {bidi}')")
    shown = page.locator(".lab-step span").first.text_content()
    assert "\u202e" not in shown
    assert "U+202E" in shown
    ansi = next(k for k, text in enumerate(TEXTS, 1) if "\x1b" in text)
    page.evaluate("(id) => window.lab.store.select(id)", ansi)
    page.wait_for_selector(f"h2:text-is('Node {ansi}')")
    assert "\u241b[31m" in page.locator(".lab-step span").first.text_content()


def test_a_note_is_kept_exactly(page: Any, hostile: FakeWorkbench, session: str) -> None:
    wait_nodes(page, len(TEXTS) + 1)
    page.evaluate("window.lab.store.select(2)")
    page.wait_for_selector("h2:text-is('Node 2')")
    text = "<b>${1+1}</b> {{value}} \u202e ünïcode 🏳️‍🌈"
    page.fill(".lab-note textarea", text)
    with page.expect_response(lambda response: "component_server" in response.url):
        page.locator(".lab-note textarea").blur()
    page.wait_for_selector(".lab-note h3:has-text('saved')")
    assert hostile.runs[session].nodes[2]["note"] == text


def test_a_hostile_question_fills_the_form_and_the_list(page: Any, session: str) -> None:
    page.wait_for_function("document.querySelector('#lab-question textarea').value.length > 1000")
    page.click(".lab-session")
    page.wait_for_selector(".lab-menu-row")
    assert page.locator(".lab-menu-row *:not(span, button, div)").count() == 0


SHORT = [text for text in PAYLOADS if len(text) < 200 and "\n" not in text]


def test_datasets_are_only_text(page: Any, hostile: FakeWorkbench) -> None:
    """Names, paths, fields, places, reasons, questions, answers and messages of a dataset."""
    source = PAYLOADS[1]
    rows = [Rejected(text, text[:5000]) for text in TEXTS]
    hostile.fails = {0, 1, 2}
    hostile.offer(
        source,
        TEXTS,
        split=PAYLOADS[0],
        fields={"content": PAYLOADS[3], "answer": PAYLOADS[4], "id": PAYLOADS[5]},
        rejected=rows,
        repeated=rows,
    )
    page.click(".lab-sheet-button[data-sheet=datasets]")
    page.click("[data-sheet=datasets] .lab-sheet-head .lab-button")
    page.fill("[name=source]", source)
    page.locator("[name=source]").blur()
    report = page.locator(".lab-report")
    report.wait_for()
    for text in (PAYLOADS[3], PAYLOADS[4], PAYLOADS[0]):
        assert text in report.text_content()
    page.locator(".lab-left-out summary").first.click()
    page.fill("[name=name]", PAYLOADS[2])
    page.click(".lab-new-batch .lab-primary")
    page.wait_for_selector(".lab-batch-setting .lab-state:text-matches('finished')")
    assert page.locator("[data-sheet=datasets] .lab-sheet-head h2").inner_text() == PAYLOADS[2]
    assert "<b>so</b>" in page.locator(".lab-batch .lab-message").inner_text()
    page.focus(".lab-batch-setting [tabindex]")
    for _ in range(len(TEXTS) // 20):
        page.focus(".lab-rows")
        page.keyboard.press("PageDown")
    page.click("[aria-label='All batches']")
    assert page.locator(".lab-batch-name b").inner_text() == PAYLOADS[2]
    page.keyboard.press("Escape")
    page.click(".lab-session")
    for text in SHORT:
        page.fill(".lab-menu .lab-search", text)
    page.wait_for_selector(".lab-menu-row")
    page.locator(".lab-menu-row").first.hover()
    page.wait_for_selector(".lab-explanation:visible")


def test_notices_are_only_text(
    tab: OpenTab, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = FakeWorkbench(tmp_path)
    monkeypatch.setattr(bench, "notices", lambda: SHORT)
    page = tab(serve(bench))
    page.hover(".lab-notices")
    shown = page.locator(".lab-explanation:visible")
    shown.wait_for()
    assert PAYLOADS[1] in shown.inner_text()
    assert page.evaluate("window.pwned") is None
    assert not [url for url in page.lab_requests if HOST in url]
    assert page.locator(".lab-explanation :is(script, img, iframe, style, a)").count() == 0


def test_a_script_is_never_in_a_message(page: Any, hostile: FakeWorkbench) -> None:
    page.click(".lab-sheet-button[data-sheet=datasets]")
    page.click("[data-sheet=datasets] .lab-sheet-head .lab-button")
    for text in SHORT[:20]:
        if text in hostile.datasets:
            continue
        page.fill("[name=source]", text)
        page.locator("[name=source]").blur()
        page.wait_for_selector(".lab-new-end .lab-message:visible")
    assert page.locator(".lab-new-end .lab-message *").count() == 0
