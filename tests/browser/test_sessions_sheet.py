"""The list of sessions, links to nodes, what a reload brings back, the first visit."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.tasks.problems import LONGEST_QUESTION
from lab.models import Models
from lab.workbench import Workbench
from tests.browser.conftest import Serve, wait_nodes
from tests.browser.hostile import HOST, PAYLOADS, naughty_strings
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, finish

OpenTab = Callable[..., Any]
SHEET = "[data-sheet=sessions].lab-sheet"
QUESTION = "#lab-question textarea"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    world = World(words=4)
    home = tmp_path_factory.mktemp("sessions")
    made = Workbench(home, SETTINGS, lambda *_: Models(world, world, []))
    yield made
    made.close()


@pytest.fixture(scope="module")
def sessions(bench: Workbench) -> dict[str, str]:
    """A right and a wrong one, one without an oracle answer, one that was never searched."""
    made = {}
    for kind in ("right", "wrong", "ungraded", "none"):
        question, algorithm = f"What is {kind}?", "beam" if kind == "wrong" else "mcts_star"
        probe = bench.create(question, None, algorithm, seed=8)
        finish(bench, probe, iterations=25)
        golds = {"right": bench.show(probe).answer, "wrong": "none of these", "ungraded": None}
        bench.delete(probe)
        made[kind] = bench.create(question, golds.get(kind), algorithm, seed=8)
        if kind != "none":
            finish(bench, made[kind], iterations=25)
    return made


def lines(page: Any) -> list[str]:
    return [text.strip() for text in page.locator(".lab-entry-words b").all_inner_texts()]


def until(page: Any, *names: str) -> None:
    page.wait_for_function(
        "(names) => JSON.stringify([...document.querySelectorAll('.lab-entry-words b')]"
        ".map((one) => one.textContent)) === JSON.stringify(names)",
        arg=list(names),
    )


def test_sessions_are_found_and_kept_in_order(
    tab: OpenTab, bench: Workbench, address: str, sessions: dict[str, str]
) -> None:
    page = tab(address, sessions["wrong"])
    page.click(".lab-sheet-button[data-sheet=sessions]")
    names = ["What is none?", "What is ungraded?", "What is wrong?", "What is right?"]
    until(page, *names)
    for kind in ("right", "ungraded", "none"):
        page.click(f"[data-outcome={kind}]")
        until(page, f"What is {kind}?")
        assert page.locator(f"[data-outcome={kind}] small").inner_text() == "1"
    page.click("[data-outcome='']")
    page.select_option("select[aria-label=Algorithm]", "beam")
    until(page, "What is wrong?")
    page.select_option("select[aria-label=Algorithm]", "")
    page.fill(f"{SHEET} .lab-search", "IS RIGHT")
    until(page, "What is right?")
    # The picture of its tree has colours.
    page.wait_for_function(
        "(() => { const c = document.querySelector('.lab-miniature');"
        " return c.width > 0 && c.getContext('2d').getImageData(0, 0, c.width, c.height)"
        ".data.some((byte) => byte > 0); })()"
    )
    entry = page.locator(".lab-entry")
    entry.hover()
    entry.locator("[title=Tags]").click()
    page.keyboard.type("to check,  good, to check")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lab-tag:text-is('good')")
    assert bench.sessions()[-1].tags == ["to check", "good"]
    entry.locator("[title=Rename]").click()
    page.keyboard.type("x" * 201)
    page.keyboard.press("Enter")
    page.wait_for_selector(".lab-entry .lab-message:has-text('it can have 200')")
    page.fill(".lab-entry-ask input", "a <b>name</b>")
    page.keyboard.press("Enter")
    until(page, "a <b>name</b>")
    page.fill(f"{SHEET} .lab-search", "nothing like it")
    page.wait_for_selector(f"{SHEET} .lab-empty:has-text('No session matches.')")
    page.fill(f"{SHEET} .lab-search", "")
    page.select_option("select[aria-label=Tag]", "good")
    until(page, "a <b>name</b>")
    page.select_option("select[aria-label=Tag]", "")
    until(page, *names[:3], "a <b>name</b>")


def test_chosen_sessions_are_exported_together(
    tab: OpenTab, bench: Workbench, address: str, sessions: dict[str, str]
) -> None:
    page = tab(address)
    page.click(".lab-sheet-button[data-sheet=sessions]")
    for kind in ("right", "wrong"):
        entry = page.locator(f".lab-entry[data-session='{sessions[kind]}']")
        entry.hover()
        entry.locator("[data-act=choose]").click()
    page.click("[data-outcome=none]")  # what is chosen stays so
    until(page, "What is none?")
    page.click(f"{SHEET} button:has-text('Export 2 chosen')")
    page.wait_for_selector(".lab-export-panel [aria-pressed=true]:text-is('the 2 chosen')")
    page.click(".lab-export-panel [data-value=jsonl]:text-is('jsonl')")
    with page.expect_download() as saved:
        page.click(".lab-export-panel .lab-primary:has-text('Save 2 trees')")
    rows = Path(saved.value.path()).read_text("ascii").splitlines()
    found = {json.loads(row)["result"]["session"] for row in rows}
    assert found == {sessions["right"], sessions["wrong"]}


def test_a_copy_is_deleted_brought_back_and_deleted_for_good(
    tab: OpenTab, bench: Workbench, address: str, sessions: dict[str, str]
) -> None:
    page = tab(address)
    page.click(".lab-sheet-button[data-sheet=sessions]")
    page.wait_for_selector(f".lab-entry[data-session='{sessions['wrong']}']")
    assert not page.locator(".lab-entry.is-here").count()
    page.evaluate("(id) => window.lab.store.open(id)", sessions["wrong"])  # as a slow link does
    entry = page.locator(f".lab-entry.is-here[data-session='{sessions['wrong']}']")
    entry.hover()
    entry.locator("[title=Duplicate]").click()
    page.wait_for_selector(".lab-entry-words b:has-text('Copy of What is wrong?')")
    copy = bench.sessions()[0].id
    kept = bench.export(copy)["nodes"]
    assert kept == bench.export(sessions["wrong"])["nodes"]
    entry = page.locator(f".lab-entry[data-session='{copy}']")
    entry.hover()
    entry.locator("[title=Delete]").click()
    page.wait_for_selector(".lab-toast:has-text('Deleted')")
    assert copy not in [one.id for one in bench.sessions()]
    page.click(".lab-toast-button")
    entry.wait_for()
    assert bench.export(copy)["nodes"] == kept
    entry.hover()
    entry.locator("[title=Delete]").click()
    entry.wait_for(state="detached")
    page.click(f"{SHEET} .lab-sheet-head .lab-button:has-text('Deleted')")
    page.wait_for_selector(f".lab-entry[data-session='{copy}']")
    page.click("text=Delete all for good")
    page.click("text=Really delete all of them")
    page.wait_for_selector(f"{SHEET} .lab-empty")
    assert not bench.collection.away()
    assert sessions["wrong"] in [one.id for one in bench.sessions()]


def test_the_open_session_is_deleted_and_brought_back_beneath_the_sheet(
    tab: OpenTab, bench: Workbench, address: str, sessions: dict[str, str]
) -> None:
    session = sessions["ungraded"]
    page = tab(address, session)
    wait_nodes(page, len(bench.export(session)["nodes"]))
    page.click(".lab-sheet-button[data-sheet=sessions]")
    entry = page.locator(f".lab-entry[data-session='{session}']")
    entry.hover()
    entry.locator("[title=Delete]").click()
    page.wait_for_function("window.lab.store.session === null")
    assert page.is_visible(SHEET)
    undo = page.locator(".lab-toast-button")
    assert undo.inner_text() == "Undo"
    undo.click()
    page.wait_for_selector(f".lab-entry.is-here[data-session='{session}']")
    wait_nodes(page, len(bench.export(session)["nodes"]))
    assert page.is_visible(SHEET)


def test_what_can_be_done_with_a_session_covers_nothing_of_it(
    tab: OpenTab, bench: Workbench, address: str, sessions: dict[str, str]
) -> None:
    bench.rename(sessions["right"], "A long name of a session " * 8)
    page = tab(address)
    for width in (1440, 820, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{address}?sessions=")
        entry = page.locator(f".lab-entry[data-session='{sessions['right']}']")
        entry.wait_for()
        acts = entry.locator(".lab-entry-acts")
        assert acts.evaluate("(e) => getComputedStyle(e).opacity") == "1"  # nobody points at it
        for part in (".lab-entry-words b", ".lab-entry-answer"):
            box, other = acts.bounding_box(), entry.locator(part).bounding_box()
            assert box
            assert other
            beside = other["x"] + other["width"] <= box["x"]
            assert beside or other["y"] + other["height"] <= box["y"]
    entry.locator("[title=Delete]").click()
    page.wait_for_selector(".lab-toast:visible")
    undo = page.locator(".lab-toast-button").bounding_box()
    assert undo
    assert undo["height"] < 32  # a word in one line
    page.click(".lab-toast-button")
    entry.wait_for()
    bench.rename(sessions["right"], "")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_stands_in_an_empty_field_is_not_taken_for_content(
    tab: OpenTab, address: str, sessions: dict[str, str], theme: str
) -> None:
    page = tab(address, sessions["right"], theme)
    page.wait_for_function("window.lab.store.tree")
    fields = page.locator(".lab-view [placeholder]").evaluate_all(
        """(fields) => fields.map((one) => [one, getComputedStyle(one),
        getComputedStyle(one, '::placeholder')].map((it, k) => k ? it.color : it.placeholder))"""
    )
    assert len(fields) > 3
    muted = {"light": "rgb(99, 106, 119)", "dark": "rgb(139, 147, 161)"}[theme]  # 4.5 : 1 or more
    for name, ink, placeholder in fields:
        assert ink != muted, name
        assert placeholder == muted, name


def test_a_name_is_shown_wherever_its_session_is(
    tab: OpenTab, bench: Workbench, address: str, sessions: dict[str, str]
) -> None:
    session = sessions["ungraded"]
    page = tab(address, session)
    title = page.locator(".lab-session-title")
    page.wait_for_selector(".lab-session-title:text-is('What is ungraded?')")
    page.click(".lab-sheet-button[data-sheet=sessions]")
    entry = page.locator(f".lab-entry[data-session='{session}']")
    entry.hover()
    entry.locator("[title=Rename]").click()
    page.keyboard.type("The <b>one</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lab-session-title:text-is('The <b>one</b>')")
    assert title.get_attribute("title") == "What is ungraded?"
    assert page.title() == "The <b>one</b> · lab"
    page.click(".lab-session")
    row = page.locator(".lab-menu-row.is-here")
    assert row.locator(".lab-menu-question").inner_text() == "The <b>one</b>"
    assert "What is ungraded?" in row.inner_text()
    bench.rename(session, "")  # elsewhere, another page for example
    page.wait_for_selector(".lab-session-title:text-is('What is ungraded?')")
    assert page.title() == "What is ungraded? · lab"


def test_a_file_comes_back_as_the_session_it_was(
    tab: OpenTab, bench: Workbench, address: str, sessions: dict[str, str], tmp_path: Path
) -> None:
    page = tab(address)
    page.click(".lab-sheet-button[data-sheet=sessions]")
    session = sessions["ungraded"]
    entry = page.locator(f".lab-entry[data-session='{session}']")
    entry.hover()
    with page.expect_download() as download:
        entry.locator("[title^=Export]").click()
    file = tmp_path / "session.json"
    download.value.save_as(file)
    nodes = bench.export(session)["nodes"]
    bench.delete(session)
    page.set_input_files(f"{SHEET} input[type=file]", file)
    page.wait_for_selector(".lab-import:has-text('1 session imported')")
    assert bench.export(session)["nodes"] == nodes
    assert json.loads(file.read_text())["nodes"] == nodes
    again = file.rename(tmp_path / "again.json")
    page.set_input_files(f"{SHEET} input[type=file]", again)
    page.wait_for_selector(".lab-import:has-text('1 session was here already')")
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"nothing": 1}\n')
    page.set_input_files(f"{SHEET} input[type=file]", bad)
    page.wait_for_selector(".lab-import .lab-message:text-matches('^bad.jsonl')")
    assert [one.name for one in (bench.home / "imports").iterdir()] == []


def test_a_link_opens_a_node_and_a_reload_loses_nothing(
    tab: OpenTab, bench: Workbench, address: str, sessions: dict[str, str]
) -> None:
    session = sessions["right"]
    page = tab(address, f"{session}&node=3")
    page.wait_for_function("window.lab.store.selected === 3")
    assert "node=3" in page.url
    page.evaluate("window.lab.store.select(2)")
    page.wait_for_function("location.search.includes('node=2')")
    page.click("[aria-label^='Zoom in'], [title^='Zoom in']")
    page.fill(QUESTION, "What if?\nAnd then?")
    page.click(".lab-sheet-button[data-sheet=sessions]")
    page.wait_for_selector(".lab-entry")
    row = page.evaluate("window.lab.view.viewport.row")
    page.reload(wait_until="commit")
    page.wait_for_function("window.lab?.store.selected === 2")
    page.wait_for_selector(".lab-entry")
    page.wait_for_function(f"document.querySelector('{QUESTION}').value.startsWith('What if?')")
    assert page.evaluate("window.lab.view.viewport.row") == pytest.approx(row)
    # A second tab changes the session; this one shows it.
    other = tab(address, session)
    wait_nodes(other, len(bench.export(session)["nodes"]))
    bench.note(session, 1, "seen in both")
    for one in (page, other):
        one.wait_for_function("window.lab.store.nodes.get(1)?.note")


def test_an_empty_page_invites(tab: OpenTab, bench: Workbench, address: str) -> None:
    page = tab(address)
    before = len(bench.sessions())
    page.wait_for_selector(".lab-card >> nth=2")
    page.click(".lab-card >> nth=0")
    page.wait_for_function("window.lab.store.session && window.lab.store.nodes.size > 1")
    assert len(bench.sessions()) == before + 1
    bench.wait(bench.sessions()[0].id, 60)
    page.click(".lab-help button")
    page.click(".lab-help-item >> nth=0")
    card = page.locator(".lab-tour-card")
    seen = set()
    for _ in range(12):
        if not card.is_visible():
            break
        seen.add(card.locator("h2").inner_text())
        page.keyboard.press("Enter")
    assert {"Ask", "Search", "The tree", "At a glance"} <= seen
    assert not card.is_visible()
    page.click(".lab-help button")
    page.keyboard.press("Enter")
    card.wait_for()
    page.keyboard.press("Escape")
    card.wait_for(state="hidden")


def test_names_tags_and_questions_are_only_text(tab: OpenTab, serve: Serve, tmp_path: Path) -> None:
    """Payloads, and the Big List of Naughty Strings, as whatever a list of sessions shows."""
    world = World(words=4)
    with closing(Workbench(tmp_path, SETTINGS, lambda *_: Models(world, world, []))) as bench:
        texts = [text for text in (*PAYLOADS, *naughty_strings()) if storable(text)]
        for k, text in enumerate(texts):
            made = bench.create(text, text, name=text[:200] if k % 2 else "")
            tags = [part.strip() for part in (text[:60], text[-60:]) if part.strip()]
            bench.steering.tag(made, None, tags)
        page = tab(serve(bench))
        page.click(".lab-sheet-button[data-sheet=sessions]")
        page.wait_for_selector(".lab-more:visible")
        while page.locator(".lab-more").is_visible():
            shown = page.locator(".lab-entry").count()
            page.click(".lab-more")
            page.wait_for_function(
                "(n) => document.querySelectorAll('.lab-entry').length > n", arg=shown
            )
        assert page.locator(".lab-entry").count() == len(texts)
        body = page.locator("[data-sheet=sessions] .lab-sheet-body")
        assert body.evaluate("(e) => e.scrollWidth <= e.clientWidth")
        assert page.evaluate("document.documentElement.scrollWidth") <= 1440
        # A payload in a field for names and tags is kept exactly as it was written.
        plain = PAYLOADS[1]
        entry = page.locator(".lab-entry").first
        entry.hover()
        entry.locator("[title=Tags]").click()
        page.fill(".lab-entry-ask input", f"{plain}, ${{1+1}}")
        page.keyboard.press("Enter")
        page.wait_for_selector(".lab-tag:text-is('${1+1}')")
        assert bench.sessions()[0].tags == [plain, "${1+1}"]
        page.select_option("select[aria-label=Tag]", plain)
        page.click(".lab-entry-open >> nth=0")
        page.wait_for_function("window.lab.store.session !== null")
        assert page.evaluate("window.pwned") is None
        assert not [url for url in page.lab_requests if HOST in url]
        inside = ".lab-view :is(script, img, iframe, style, link, form[action], a)"
        assert page.locator(inside).count() == 0


def storable(text: str) -> bool:
    """Whether a question can be this text: not too long, and not blank."""
    return len(text) <= LONGEST_QUESTION and bool(text.strip())
