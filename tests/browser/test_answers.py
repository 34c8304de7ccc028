"""The panel of answers: votes, level ones, spellings, traces."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.models import Models
from lab.workbench import Workbench
from tests.browser.conftest import Serve
from tests.browser.test_steering import shown
from tests.engine.test_votes import Told
from tests.lab.benches import SETTINGS, finish

OpenTab = Callable[..., Any]


def test_all_answers_with_their_votes_and_traces(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    finish(bench, session, iterations=15)
    groups = bench.delta(session, -1)["tree"]["answers"]
    page = shown(tab, address, bench, session, None)
    page.wait_for_selector(".lab-vote >> nth=1")
    titles = page.evaluate(
        """() => ["7", "1/".repeat(500)].map((gold) => {
          window.lab.store.tree.gold = gold;
          window.lab.store.emit("changed", { structure: false, nodes: 0 });
          return document.querySelector(".lab-question + p b").getAttribute("title");
        })"""
    )
    assert titles == [None, "1/" * 500], "an oracle answer that is cut can be read whole"
    total = sum(one["weight"] for one in groups)
    for row, one in zip(page.locator(".lab-vote").all_inner_texts(), groups, strict=True):
        words = row.split()
        assert words[0] == one["answer"]
        assert f"{100 * one['weight'] / total:.1f} %" in row.replace("\n", " ")
        assert words[-1] == ("right" if one["correct"] else "wrong")
    # The trace leads to the finished node of the largest V with that answer.
    last = groups[-1]
    nodes = {node["id"]: node for node in bench.export(session)["nodes"]}
    inner = {node["parent"] for node in nodes.values()}
    best = max(
        (n for n in nodes.values() if n["answer"] == last["answer"] and n["id"] not in inner),
        key=lambda n: n["value"],
    )
    page.click(".lab-vote >> nth=-1")
    page.wait_for_selector(f".lab-trace h3:text-is('Best trace to {last['answer']}')")
    steps = page.locator(".lab-trace .lab-path-step").all_inner_texts()
    assert len(steps) == best["depth"]
    assert steps[-1] == best["step"].strip()
    # However many there are, all are there, and the list is not made again for nothing. All in one
    # go: the page hears of the true answers again at any time.
    found = page.evaluate(
        """() => {
          const { store } = window.lab;
          store.tree = { ...store.tree, answers: Array.from({ length: 500 }, (_, k) => (
            { answer: `a${k}`, count: 1, weight: 1 + 1 / (k + 1), node: 1, correct: null })) };
          store.emit("changed", { structure: false, nodes: 0 });
          const list = document.querySelector(".lab-votes");
          list.scrollTop = 4000;
          const kept = list.lastElementChild;
          store.emit("changed", { structure: false, nodes: 0 });
          const votes = [...list.querySelectorAll(".lab-vote")];
          return {
            count: votes.length,
            last: votes.at(-1).innerText,
            kept: list.lastElementChild === kept,
            top: list.scrollTop,
          };
        }"""
    )
    assert found["last"].startswith("a499")
    assert (found["count"], found["kept"], found["top"]) == (500, True, 4000)


def test_level_answers_are_told_however_they_are_spelled(
    tab: OpenTab, serve: Serve, tmp_path: Path
) -> None:
    world = Told(["81", "91.0", "91", "162/2", "7"])
    bench = Workbench(tmp_path, SETTINGS, lambda *_: Models(world, world))
    session = bench.create("What?", gold="91", algorithm="sampling", params={"samples": 5})
    finish(bench, session)
    page = shown(tab, serve(bench), bench, session, None)
    told = "81 and 91.0 are level at 40.0 %; 81 was taken, the first in the search tree."
    page.wait_for_selector(f".lab-tie:text-is('{told}')")
    rows = page.locator(".lab-vote")
    words = [row.split() for row in rows.all_inner_texts()]
    assert [row[0] for row in words] == ["81", "91.0", "7"]
    assert "Spelled 81, 162/2." in (rows.first.get_attribute("title") or "")
    assert "Spelled" not in (rows.last.get_attribute("title") or "")
    cell = page.locator(".lab-status-cell.is-answer")
    assert "level with 91.0" in cell.inner_text()
    assert told.removesuffix(".") in (cell.get_attribute("title") or "")
    page.click(".lab-vote >> nth=1")
    page.wait_for_selector(".lab-trace h3:text-is('Best trace to 91.0')")
    bench.close()
