"""Steps with mathematics: formulas are drawn, everything else stays text, and nothing acts."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import Serve, wait_nodes
from tests.browser.fake_workbench import FakeWorkbench

OpenTab = Callable[..., Any]
FORMULAS = {
    r"So \(x = \frac{1}{2}\) and $y_1^2 = \sqrt{3}$." + "\n": 2,
    "Then\n$$\\sum_{k=1}^n k = \\frac{n(n+1)}{2}$$\nand \\[a \\le b.\\]\n": 2,
    "\\begin{align*} a &= b \\\\ c &= d \\end{align*}\n": 1,
    "The answer is \\boxed{\\frac{3}{4}}.\n": 1,
}
PLAIN = (
    "She pays $3 + $4 = $7, then $5-$2.\n",
    "It costs 5$ and then another 6$ on top.\n",
    "Here $$ and ${window.pwned = 1} and $(touch /tmp/x) stand.\n",
    "An unfinished \\boxed{4 and \\( too.\n",
    "He has $5 more than she has, and 4$ less.\n",
)
TEXTS = [
    *FORMULAS,
    *PLAIN,
    r"$\href{javascript:window.pwned=1}{press}$ $\includegraphics{http://elsewhere.invalid/a.png}$",
    r"$\htmlData{a=b}{c} \rule{9999em}{9999em}$ and \(\def\a{\a\a}\a\) and \(\frac{1}\)",
]


@pytest.fixture(scope="module")
def address(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    bench = FakeWorkbench(tmp_path_factory.mktemp("formulas"), pace=0.0, texts=TEXTS)
    session = bench.create("How much is $\\frac{2}{4}$?", "1", seed=3)
    bench.grow(session, len(TEXTS) + 1)
    return serve(bench), session


def show(page: Any, node: int) -> Any:
    page.evaluate("(id) => window.lab.store.select(id)", node)
    page.wait_for_selector(f".lab-node h2:text-is('Node {node}')")
    return page.locator(".lab-step > span").first


def test_formulas_are_drawn_and_money_is_not(tab: OpenTab, address: tuple[str, str]) -> None:
    page = tab(*address)
    wait_nodes(page, len(TEXTS) + 1)
    for node, count in enumerate(FORMULAS.values(), 1):
        shown = show(page, node)
        shown.locator(".lab-math.is-drawn .katex").nth(count - 1).wait_for()
        assert shown.locator(".katex").count() == count
        assert shown.locator("math").count() == count  # what screen readers read
        path = page.locator(".lab-node .lab-path li:last-child")
        path.locator(".katex").nth(count - 1).wait_for()
    for node, text in enumerate(PLAIN, 1 + len(FORMULAS)):
        shown = show(page, node)
        assert shown.locator(".lab-math").count() == 0, text
        assert shown.text_content() == text.rstrip()
    page.evaluate("window.lab.store.select(0)")
    page.locator(".lab-step.is-question .katex").wait_for()
    page.click(".lab-tabs [data-tab=answers]")
    page.locator(".lab-answers .lab-question .katex").wait_for()


def test_formulas_do_nothing_and_keep_their_place(tab: OpenTab, address: tuple[str, str]) -> None:
    page = tab(*address)
    wait_nodes(page, len(TEXTS) + 1)
    page.evaluate("window.lab.view.setHovered(1)")
    page.wait_for_selector(".lab-tip-step .katex")
    for node in (len(TEXTS) - 1, len(TEXTS)):
        show(page, node)
        page.wait_for_function("window.katex")
        page.wait_for_timeout(100)
        assert page.locator(".lab-node .katex :text('includegraphics')").count() == 0
        assert page.locator(".lab-node :is(a, img, [data-a])").count() == 0
        assert page.evaluate(
            "() => { const a = document.querySelector('.lab-inspector');"
            " return a.scrollWidth <= a.clientWidth; }"
        )
    # What it cannot read stands as it was written.
    assert r"\(\frac{1}\)" in (show(page, len(TEXTS)).text_content() or "")
    assert page.evaluate("window.pwned") is None
    assert not [one for one in page.lab_requests if not one.startswith("http://127.0.0.1")]
