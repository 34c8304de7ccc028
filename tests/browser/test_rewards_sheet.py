"""Rewards, verdicts and exports on the page, over a real store with a scripted model."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.exports.rows import RowSettings
from lab.export import Selection
from lab.models import Models
from lab.workbench import Workbench
from tests.browser.conftest import Serve, wait_nodes
from tests.browser.hostile import HOST, PAYLOADS
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, finish

OpenTab = Callable[..., Any]
TEXTS = [text for text in PAYLOADS if len(text) < 200]


class Hostile(World):
    """A world whose steps and answers are payloads."""

    def _propose(self, request: Any) -> Any:
        made = super()._propose(request)
        if made.step is None:
            return made
        text = TEXTS[(sum(map(ord, made.step)) + 7 * len(request.steps)) % len(TEXTS)]
        end = "Answer: " if made.step.startswith("Answer") else ""
        step = f"{end}{text}\n"
        return type(made)(step, step, "", made.tokens, made.logprobs, made.usage)


def opened(home: Path, world: World) -> Workbench:
    return Workbench(home, SETTINGS, lambda *_: Models(world, world, []))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    made = opened(tmp_path_factory.mktemp("rewards"), World(words=4))
    yield made
    made.close()


@pytest.fixture
def session(bench: Workbench) -> str:
    """A finished search with right and wrong answers."""
    made = bench.create("What?", gold="1", seed=8)
    finish(bench, made, iterations=25)
    return made


def leaf(bench: Workbench, session: str, right: bool) -> int:
    rows = bench.verdicts.rewards(session).rewards.rows
    return next(one for row in rows for one in (row.right if right else row.wrong))


def show(page: Any, bench: Workbench, session: str, node: int | None = None) -> None:
    wait_nodes(page, len(bench.export(session)["nodes"]))
    if node is not None:
        page.evaluate("(id) => window.lab.store.select(id)", node)


def open_sheet(page: Any) -> None:
    page.click(".lab-sheet-button[data-sheet=rewards]")
    page.wait_for_selector(".lab-rewards .lab-rows .lab-reward-row")


def save(page: Any, press: str) -> Path:
    """The file that a press downloads."""
    with page.expect_download() as download:
        page.click(press)
    return Path(download.value.path())


def test_a_verdict_beside_the_node(tab: OpenTab, bench: Workbench, address: str) -> None:
    session = bench.create("What?", gold="1", seed=8)
    finish(bench, session, iterations=25)
    node = leaf(bench, session, right=True)
    before = bench.verdicts.rewards(session).rewards.by_node()
    changed = len(bench.verdicts.rewards(session, marks={node: "wrong"}).changes)
    page = tab(address, session)
    show(page, bench, session, node)
    section = page.locator(".lab-reward")
    page.wait_for_selector(f".lab-reward .lab-formula span:text-is('{before[node].why.worked}')")
    assert f"{before[node].value:.3f}" in section.inner_text()
    wrong = section.get_by_role("group", name="This step is").get_by_role("button", name="Wrong")
    wrong.hover()
    page.wait_for_selector(f".lab-effect:has-text('{changed} rows would change')")
    assert bench.node(session, node)["mark"] == ""
    page.fill(".lab-reward .lab-reason", PAYLOADS[1])
    wrong.click()
    page.wait_for_selector(f".lab-effect:has-text('{changed} rows changed')")
    assert wrong.get_attribute("aria-pressed") == "true"
    kept = bench.node(session, node)
    assert (kept["mark"], kept["mark_reason"]) == ("wrong", PAYLOADS[1])
    page.wait_for_selector(".lab-reward .lab-chip:text-is('by a person')")
    wrong.click()
    page.wait_for_selector(".lab-verdict.is-wrong[data-kind=mark][aria-pressed=false]")
    page.click(".lab-reward .lab-verdict.is-false")
    page.wait_for_selector(".lab-verdict.is-false[aria-pressed=true]")
    assert bench.node(session, node)["mark"] == ""
    assert bench.node(session, node)["regraded"] is False


def test_a_refused_verdict_is_told_in_its_place(
    tab: OpenTab, bench: Workbench, address: str, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("The disk is <b>full</b>.")

    monkeypatch.setattr(bench.verdicts, "mark", refuse)
    page = tab(address, session)
    show(page, bench, session, 1)
    page.click(".lab-reward .lab-verdict.is-unclear")
    page.wait_for_selector(".lab-verdicts .lab-message:text-is('The disk is <b>full</b>.')")
    assert page.get_attribute(".lab-reward .lab-verdict.is-unclear", "aria-pressed") == "false"


def test_flip_a_leaf_see_what_changes_and_keep_it(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session, right=False)
    rewards = bench.verdicts.rewards(session).rewards
    supposed = bench.verdicts.rewards(session, flips={node: True})
    page = tab(address, session)
    show(page, bench, session)
    open_sheet(page)
    assert page.inner_text(".lab-rewards .lab-kind[data-kind=all] small") == str(len(rewards.rows))
    page.click("[data-sort=value]")
    page.wait_for_selector("[data-sort=value][data-down=true]")
    best = max(row.value for row in rewards.rows)
    page.wait_for_selector(f".lab-reward-row[data-index='0']:has-text('{best:.3f}')")
    page.click(".lab-kind[data-kind=wrong]")
    page.evaluate("(id) => window.lab.store.select(id)", node)
    page.wait_for_selector(f".lab-rewards-beside h3:text-is('Node {node}')")
    worked = rewards.by_node()[node].why.worked
    assert worked in page.locator(".lab-rewards-beside").inner_text()

    log = bench.export(session)["log"]
    page.click(".lab-flip")
    page.wait_for_selector(f".lab-supposed-effect:text-is('{len(supposed.changes)} rows change')")
    assert f"node {node}: answer right" in page.inner_text(".lab-supposed-chips")
    page.click(".lab-kind[data-kind=changed]")
    row = page.locator(".lab-reward-row.is-self")
    after = supposed.rewards.by_node()[node].value
    page.wait_for_selector(f".lab-reward-row.is-changed.is-self:has-text('{after:.3f}')")
    assert f"{rewards.by_node()[node].value:.3f}" in row.inner_text()
    assert bench.export(session)["log"] == log
    page.click(".lab-supposed-remove")
    page.wait_for_selector(".lab-supposed", state="hidden")

    page.click(".lab-kind[data-kind=all]")
    page.click(".lab-flip")
    page.click(".lab-rewards-beside .lab-verdict.is-unclear")
    page.fill(".lab-supposed .lab-reason", "I looked")
    page.click(".lab-supposed .lab-primary")
    page.wait_for_selector(".lab-supposed", state="hidden")
    kept = bench.node(session, node)
    assert (kept["regraded"], kept["mark"], kept["mark_reason"]) == (True, "unclear", "I looked")
    page.click(".lab-kind[data-kind=marked]")
    page.wait_for_selector(".lab-reward-row .lab-chip.is-unclear")
    page.click(".lab-kind[data-method=soft]")
    page.wait_for_function("new URLSearchParams(location.search).has('rewards')")
    soft = bench.verdicts.rewards(session, "soft").rewards
    page.wait_for_selector(f".lab-kind[data-kind=all]:has-text('{len(soft.rows)}')")
    page.keyboard.press("Escape")
    page.wait_for_selector(f".lab-node h2:text-is('Node {node}')")


def test_nothing_to_say_is_said(tab: OpenTab, bench: Workbench, address: str) -> None:
    session = bench.create("What?", gold="nobody finds this", seed=8)
    finish(bench, session, iterations=8)
    bench.verdicts.mark(session, 1, "right")
    found = bench.verdicts.rewards(session).rewards
    page = tab(address, f"{session}&rewards=")
    page.wait_for_selector(f".lab-rewards-empty:text-is('{found.empty}')")
    page.click(".lab-unused summary")
    told = page.locator(".lab-unused").get_by_text(found.unused[0].reason, exact=True)
    told.wait_for()
    # Rows that come again leave it as it is: where one reads, and what has the focus.
    page.focus(".lab-unused li button")
    with page.expect_response(lambda response: "component_server" in response.url):
        page.evaluate("window.lab.rewards.table.rows.refresh()")
    page.wait_for_function("document.activeElement.matches('.lab-unused li button')")
    assert told.is_visible()


def test_export_rewards_in_one_press(
    tab: OpenTab, bench: Workbench, address: str, session: str, tmp_path: Path
) -> None:
    page = tab(address, session)
    show(page, bench, session)
    got = save(page, ".lab-toolbar [aria-label='Export rewards']")
    same = tmp_path / "same.jsonl"
    report = bench.exports.save_rows(Selection(sessions=[session]), "values", same)
    assert got.read_bytes() == same.read_bytes()
    note = page.locator(".lab-toolbar .lab-export-note")
    assert f"{report.counts.rows} rows" in note.inner_text()
    (left_out,) = report.counts.rejected.items()
    assert f"{left_out[1]}\nleft out: {left_out[0]}" in note.inner_text()
    name = note.locator(".lab-export-link").inner_text()
    assert (bench.exports.folder / name).read_bytes() == same.read_bytes()


def test_other_exports_are_counted_then_written(
    tab: OpenTab, bench: Workbench, address: str, session: str, tmp_path: Path
) -> None:
    chosen = Selection(sessions=[session])
    page = tab(address, session)
    show(page, bench, session)
    open_sheet(page)
    page.click(".lab-sheet-head .lab-button:has-text('Other exports')")
    page.click(".lab-pill[data-value=pairs]")
    page.click(".lab-pill[data-value=soft]")
    page.click(".lab-pill[data-value=datasets]")
    page.fill(".lab-export-panel [name=margin]", "lots")
    page.wait_for_selector(".lab-report:has-text(\"cannot be 'lots'\")")
    page.fill(".lab-export-panel [name=margin]", "0.3")
    settings = RowSettings(method="soft", margin=0.3)
    counts = bench.exports.count_rows(chosen, "pairs", settings).counts
    button = ".lab-export-end .lab-primary"
    page.wait_for_selector(f"{button}:text-is('Save {counts.rows} rows')")
    with zipfile.ZipFile(save(page, button)) as archive:
        assert any(name.endswith("dataset_info.json") for name in archive.namelist())
    page.fill(".lab-export-panel [name=name]", "../outside")
    page.click(button)
    page.wait_for_selector(".lab-export-outcome:has-text(\"cannot be called '../outside'\")")
    assert not (bench.home / "outside").exists()
    page.fill(".lab-export-panel [name=name]", "my tree")
    page.click(".lab-pill[data-value=json]")
    page.wait_for_selector(f"{button}:text-is('Save 1 tree')")
    assert json.loads(save(page, button).read_text())["session"] == session
    page.click(button)
    page.wait_for_selector(".lab-export-outcome:has-text('my tree.json is there already')")
    page.click(".lab-pill[data-value=filter]")
    page.select_option(".lab-export-panel [name=answered]", "none")
    page.click(".lab-pill[data-value=traces]")
    page.wait_for_selector(".lab-report:has-text('None of the')")
    assert page.locator(button).is_disabled()


def test_only_files_of_the_folder_come_as_downloads(
    tab: OpenTab, bench: Workbench, address: str
) -> None:
    bench.exports.folder.mkdir(exist_ok=True)
    (bench.exports.folder / "a b.html").write_text("<script>window.pwned=1</script>")
    (bench.exports.folder / ".hidden.part").write_text("half")
    (bench.exports.folder / "link").symlink_to("/etc/passwd")
    page = tab(address)
    root = f"{address.rstrip('/')}/lab-exports"
    answer = page.request.get(f"{root}/a%20b.html")
    assert answer.ok
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"].startswith("application/octet-stream")
    for name in (
        "..%2flab.db",
        "%2fetc%2fpasswd",
        ".hidden.part",
        "link",
        "",
        "no",
        "a%20b.html/x",
        "%00",
    ):
        assert page.request.get(f"{root}/{name}").status == 404, name


def test_hostile_text_stays_text(tab: OpenTab, serve: Serve, tmp_path: Path) -> None:
    bench = opened(tmp_path, Hostile(words=9))
    session = bench.create("\n".join(TEXTS), gold=TEXTS[1], seed=3)
    finish(bench, session, iterations=20)
    answered = [n for n in bench.export(session)["nodes"] if n["answer"] is not None]
    bench.verdicts.grade_leaf(session, answered[0]["id"], True)
    bench.verdicts.mark(session, 1, "unclear", PAYLOADS[0])
    page = tab(serve(bench), session)
    show(page, bench, session, 1)
    page.wait_for_function("document.querySelector('.lab-reason').value.includes('<script>')")
    open_sheet(page)
    for node in answered[5::-1]:
        page.evaluate("(id) => window.lab.store.select(id)", node["id"])
        page.wait_for_selector(f".lab-rewards-beside h3:text-is('Node {node['id']}')")
    page.click(".lab-flip")
    page.wait_for_selector(".lab-supposed-chip")
    save(page, ".lab-sheet-head [aria-label='Export rewards']")
    assert page.evaluate("window.pwned") is None
    assert not [url for url in page.lab_requests if HOST in url]
    inside = ".lab-view :is(script, img, iframe, style, link, form:not([class^=lab-]))"
    assert page.locator(inside).count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
    bench.close()
