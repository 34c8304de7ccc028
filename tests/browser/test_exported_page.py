"""An exported page is complete in itself, asks for nothing, and shows hostile text as text."""

from typing import TYPE_CHECKING, Any

import pytest

from engine import events as ev
from engine.exports.page import write_page
from engine.exports.words import legible
from engine.search.driver import create
from engine.tree import Tree
from tests.browser.hostile import PAYLOADS, naughty_strings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TEXTS = [*PAYLOADS, *naughty_strings()]


def hostile_tree() -> Tree:
    """Every text of it is a payload; the first half are children of the root."""
    created = create(PAYLOADS[0], PAYLOADS[1], "mcts_star", {}, 0, PAYLOADS[2], PAYLOADS[3])
    log: list[ev.Event] = [created, ev.IterationStarted(1)]
    children = [ev.NewNode(number, text) for number, text in enumerate(TEXTS, 1)]
    log += [
        ev.Expanded(0, "expanded", children, TEXTS),
        ev.Evaluated([ev.NodeValue(child.id, child.id / len(TEXTS)) for child in children]),
    ]
    for child in children:
        log += [
            ev.Judged(child.id, "end", "text"),
            ev.Answered(child.id, child.step, child.id % 2 == 0, child.step),
            ev.Noted(child.id, child.step),
        ]
    return Tree.fold(log)


@pytest.fixture(scope="module")
def page(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The page of a hostile tree, opened from disk."""
    file = tmp_path_factory.mktemp("exported") / "tree.html"
    write_page(hostile_tree(), file)
    context = browser.new_context(viewport={"width": 1300, "height": 800})
    opened: Any = context.new_page()
    opened.asked, opened.failed = [], []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("pageerror", lambda error: opened.failed.append(str(error)))
    opened.on(
        "console", lambda said: opened.failed.append(said.text) if said.type == "error" else 0
    )
    opened.goto(file.as_uri())
    opened.wait_for_selector("#tree .scatterlayer .points path")
    yield opened
    context.close()


def check_quiet(page: Any) -> None:
    assert page.evaluate("window.pwned") is None
    assert page.failed == []
    assert [url for url in page.asked if not url.startswith(("file:", "blob:", "data:"))] == []


def test_every_node_is_drawn_and_nothing_is_asked_for(page: Any) -> None:
    assert page.locator("#tree .scatterlayer .points path").count() == len(TEXTS) + 1
    check_quiet(page)


def test_steps_and_answers_are_only_text(page: Any) -> None:
    for number, text in enumerate(TEXTS[: len(PAYLOADS)], 1):
        page.evaluate("(id) => show(id)", number)
        shown = page.locator("#steps li").text_content()
        # The page writes the value of a step after it.
        assert shown[:5000] == f"{legible(text).rstrip()}  (V {number / len(TEXTS):.3f})"[:5000]
        assert page.locator("#steps li *, #facts dd *").count() == 0
    assert page.locator("#question").text_content().startswith(PAYLOADS[0])
    check_quiet(page)


# Labels follow the pointer with a delay.
HOVER = """async (id) => {
  Plotly.Fx.hover("tree", [{curveNumber: 2, pointNumber: id}]);
  const layer = document.querySelector("#tree .hoverlayer");
  for (let k = 0; k < 500 && !layer.textContent.includes(`, node ${id}`); k++)
    await new Promise((done) => setTimeout(done, 10));
  return [layer.textContent, layer.querySelectorAll(":not(g, path, rect, text, tspan)").length];
}"""


def test_labels_of_the_plot_are_only_text(page: Any) -> None:
    for number, text in enumerate(PAYLOADS, 1):
        label, foreign = page.evaluate(HOVER, number)
        assert f", node {number}" in label
        assert foreign == 0, text[:80]
        if len(text) < 60 and text.isascii() and text.isprintable():
            assert text in label
    check_quiet(page)


def test_a_click_tells_the_steps_of_a_node(page: Any) -> None:
    page.evaluate("show(0)")
    assert page.locator("#steps li").count() == 0
    page.evaluate(
        "document.getElementById('tree').emit('plotly_click', {points: [{customdata: 1}]})"
    )
    assert page.locator("#steps li").count() == 1
    check_quiet(page)
