"""Stepping and steering a search on the page, over a real store with a scripted model."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from lab.models import Models
from lab.workbench import Workbench
from tests.browser.conftest import Serve, select, wait_nodes
from tests.browser.hostile import PAYLOADS
from tests.engine.worlds import World
from tests.lab.benches import SETTINGS, Gate, finish

OpenTab = Callable[..., Any]


def shown(tab: OpenTab, address: str, bench: Workbench, session: str, node: int | None) -> Any:
    page = tab(address, session)
    wait_nodes(page, len(bench.export(session)["nodes"]))
    if node is not None:
        select(page, node)
    return page


def leaf(bench: Workbench, session: str) -> dict[str, Any]:
    """A visited node that steps can follow."""
    nodes = bench.export(session)["nodes"]
    return next(n for n in nodes[::-1] if n["parent"] and n["visits"] and n["verdict"] != "end")


def test_phase_by_phase_with_words(tab: OpenTab, bench: Workbench, address: str) -> None:
    session = bench.create("What?", gold="1", seed=8)
    finish(bench, session, iterations=1)
    page = shown(tab, address, bench, session, None)
    page.focus(".lab-canvas")
    cell = ".lab-status-cell.is-phase"
    stands = "JSON.stringify([window.lab.store.tree.iteration, window.lab.store.tree.phase])"
    told = {}
    while "backed up" not in told:
        before = page.evaluate(stands)
        page.keyboard.press("Shift+Space")
        page.wait_for_function(f"(old) => !window.lab.store.busy && {stands} !== old", arg=before)
        name = page.inner_text(f"{cell} small")
        told[name] = page.inner_text(cell)
        if name == "evaluated":
            page.wait_for_selector(".lab-state:text-is('held')")
            assert len(bench.steering.history(session)) == 2  # nothing is in the log yet
    assert list(told)[:3] == ["selected", "expanded", "evaluated"]
    assert "below node" in told["expanded"]
    assert "children valued" in told["evaluated"]
    assert "root V" in told["backed up"]
    page.keyboard.press("Space")
    page.wait_for_function("window.lab.store.tree.iteration === 3 && !window.lab.store.busy")
    page.fill("#lab-iterations input", "2")
    page.keyboard.press("p")  # what is typed into a field is no command
    page.select_option("[aria-label='How far to run']", "right")
    page.click("#lab-run")
    page.wait_for_selector(".lab-status-cell.is-answer.is-right")
    page.reload(wait_until="commit")
    page.wait_for_function("document.querySelector('[aria-label=\"How far to run\"]')")
    assert page.input_value("[aria-label='How far to run']") == "right"
    page.select_option("[aria-label='How far to run']", "iterations")
    assert page.input_value("#lab-iterations input") == "2"


def test_an_expansion_that_adds_nothing_says_why(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)["id"]
    page = shown(tab, address, bench, session, None)
    said = page.evaluate(
        """(node) => {
          const { store } = window.lab;
          Object.assign(store.tree, { held: true, phase: "expanded", iteration: 99, path: [node] });
          store.emit("changed", { structure: false, nodes: 0 });
          return document.querySelector(".lab-status-cell.is-phase").innerText;
        }""",
        node,
    )
    assert "no new step" in said
    assert f"below node {node} is there already, or could not be used" in said


def test_pause_holds_before_the_next_call_of_a_model(
    tab: OpenTab, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> None:
    gate = Gate()
    bench = Workbench(tmp_path_factory.mktemp("gate"), SETTINGS, lambda *_: Models(gate, gate, []))
    session = bench.create("What?", gold="1", seed=8)
    page = shown(tab, serve(bench), bench, session, None)
    page.select_option("[aria-label='How far to run']", "iterations")
    page.click("#lab-run")
    assert gate.asked.acquire(timeout=60)
    page.click("#lab-pause:not([disabled])")
    page.wait_for_selector("#lab-pause[disabled]")
    gate.let_all_through()
    page.wait_for_selector(".lab-state:text-is('held')")
    assert page.evaluate("window.lab.store.tree.phase") == "expanded"
    page.click("#lab-step")
    page.wait_for_function("!window.lab.store.tree.held && window.lab.store.tree.iteration === 1")
    bench.close()


def test_other_parameters_in_mid_search(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    page = shown(tab, address, bench, session, None)
    field = "[aria-label='exploration constant (c)']:visible"
    page.fill(field, "0.9")
    page.wait_for_selector(".lab-differs-text:has-text('exploration constant 0.1 \u2192 0.9')")
    page.click("#lab-step")
    page.wait_for_function("window.lab.store.tree.iteration === 7 && !window.lab.store.busy")
    assert bench.settings(session).params["exploration_constant"] == 0.9
    page.wait_for_selector(".lab-differs", state="hidden")
    page.click("[data-tab=history]")
    page.wait_for_selector(".lab-doing small:text-is('exploration constant 0.1 to 0.9')")
    page.fill(field, "0.5")
    page.click(".lab-differs button:text-is('New search')")
    page.click("#lab-step")
    page.wait_for_function("(old) => window.lab.store.session !== old", arg=session)
    assert bench.settings(session).params["exploration_constant"] == 0.9
    new = page.evaluate("window.lab.store.session")
    assert bench.settings(new).params["exploration_constant"] == 0.5
    page.fill("#lab-question textarea", "Why?")
    page.wait_for_selector(".lab-differs-text:has-text('start a new search: the question')")


def test_overrule_with_what_follows(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)
    would = bench.steering.consequences(session, node["id"], 1.0)
    page = shown(tab, address, bench, session, node["id"])
    page.hover(".lab-steer-end.is-right")
    above = next(one for one in would.values if one.node == node["parent"])
    page.wait_for_selector(f".lab-moved:has-text('{above.after:.3f}')")
    path = " \u203a ".join(map(str, would.path_after))
    assert path in page.inner_text(".lab-would")
    assert bench.node(session, node["id"])["overruled"] is None
    page.mouse.move(720, 300)
    page.focus(".lab-canvas")
    page.keyboard.press("o")
    page.keyboard.type("1")
    page.wait_for_selector(".lab-steer-keep:has-text('Overrule with 1.00')")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lab-steer-said:has-text('You set V to 1.00')")
    kept = bench.node(session, node["id"])
    assert (kept["value"], kept["locked"]) == (1.0, True)
    assert bench.node(session, node["parent"])["value"] == above.after
    page.uncheck(".lab-steer-lock input")
    page.wait_for_function(
        "(id) => window.lab.store.nodes.get(id).locked === false", arg=node["id"]
    )
    page.wait_for_selector(f"[data-walk=undo][title*='V of node {node['id']} unlocked at 1.00']")
    page.click(".lab-steer-said .lab-link")
    page.wait_for_selector(".lab-steer-said", state="hidden")
    assert bench.node(session, node["parent"])["value"] == pytest.approx(above.before)
    page.fill(".lab-steer-number", "0.25")
    page.keyboard.press("Escape")
    page.wait_for_selector(".lab-steer-keep", state="hidden")
    assert bench.node(session, node["id"])["overruled"] is None


def test_prune_undo_redo_and_history(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)["id"]
    page = shown(tab, address, bench, session, node)
    page.focus(".lab-canvas")
    page.keyboard.press("x")
    page.wait_for_selector(".lab-chip.is-pruned")
    assert page.is_disabled(".lab-steer-act:has-text('Write')")
    page.wait_for_selector(f"[data-walk=undo][title*='node {node} pruned']")
    page.keyboard.press("Control+z")
    page.wait_for_selector(".lab-chip.is-pruned", state="detached")
    page.wait_for_selector("[data-walk=redo]:not([disabled])")
    page.focus(".lab-canvas")
    page.keyboard.press("Control+Shift+z")
    page.wait_for_selector(".lab-chip.is-pruned")
    page.click("[data-tab=history]")
    page.wait_for_selector(f".lab-doing.is-now:has-text('node {node} pruned')")
    run = page.locator(".lab-doing:has-text('iterations 1')")
    run.locator("[title='Go to one of these iterations']").click()
    run.locator("input[type=range]").fill("2")
    bench.note(session, node, "the list is drawn again")
    page.wait_for_selector(".lab-doing:has-text('note on node')")
    assert run.locator("input[type=range]").input_value() == "2"
    run.get_by_role("button", name="Go there").click()
    page.wait_for_function("window.lab.store.tree.iteration === 3")
    page.wait_for_selector(f".lab-doing.is-undone:has-text('node {node} pruned')")
    page.click(f".lab-doing:has-text('node {node} pruned') .lab-doing-go")
    page.wait_for_function("(id) => window.lab.store.nodes.get(id)?.pruned", arg=node)
    page.click(".lab-doing:has-text('search begun') [title='Fork a new search from here']")
    page.wait_for_function("(old) => window.lab.store.session !== old", arg=session)
    page.wait_for_function("window.lab.store.tree?.iteration === 0")
    assert page.evaluate("window.lab.store.tree.question") == "What?"


def test_answers_that_are_all_pruned_are_told(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    finish(bench, session, iterations=15)
    page = shown(tab, address, bench, session, None)
    ends = [one for one in bench.export(session)["nodes"] if one["answer"] is not None]
    for one in bench.export(session)["nodes"]:
        if one["parent"] == 0:
            bench.steering.prune(session, one["id"])
    told = f"No answer is left: {len(ends)} finished solutions are pruned."
    page.wait_for_selector(f".lab-votes .lab-empty:text-is('{told}')")
    shown_answer = page.inner_text(".lab-status-cell.is-answer")
    assert "none left" in shown_answer
    assert f"{len(ends)} are pruned" in shown_answer


def test_what_the_models_do_for_a_person(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)["id"]
    page = shown(tab, address, bench, session, node)
    page.focus(".lab-canvas")
    page.keyboard.press("w")
    step = PAYLOADS[0].strip()
    page.fill("[aria-label=Step]", step)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".lab-chip:text-is('written by a person')")
    written = bench.node(session, page.evaluate("window.lab.store.selected"))
    assert (written["parent"], written["step"], written["made_by"]) == (node, f"{step}\n", "person")
    assert 0 <= written["prm"] <= 1

    page.evaluate("(id) => window.lab.store.select(id)", node)
    page.wait_for_selector(f".lab-node h2:text-is('Node {node}')")
    page.click(".lab-steer-act:has-text('Write')")
    page.fill("[aria-label=Step]", step)
    page.click("button:text-is('Add step')")
    page.wait_for_selector(".lab-steer .lab-message:has-text('has this step already')")
    assert page.input_value("[aria-label=Step]") == step
    page.click(".lab-steer-act:has-text('Children')")
    page.fill("[aria-label=Children]", "99")
    page.click(".lab-steer-form button:text-is('Ask')")
    page.wait_for_selector(".lab-steer .lab-message:has-text('it takes 1 to 64')")
    page.fill("[aria-label=Children]", "12")
    page.fill("[aria-label='Temperature T']", "1.5")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lab-steer-progress:has-text('came')")
    came, lost = re.findall(r"\d+", page.inner_text(".lab-steer-progress"))
    assert int(came) + int(lost) == 12, "those that did not come are told, too"
    assert "steps that are there already" in page.inner_text(".lab-steer-progress")
    asked = [n for n in bench.export(session)["nodes"] if n["parent"] == node][-1]["id"]
    assert bench.node(session, asked)["origin"]["temperature"] == 1.5

    page.evaluate(
        "Object.defineProperty(window.lab.store, 'busy', { get: () => true, configurable: true })"
    )
    page.focus(".lab-canvas")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    page.wait_for_selector(".lab-rolled:visible")
    # Nothing is on its way any more once it is shown, whatever else the models do.
    page.wait_for_selector(".lab-steer-progress", state="hidden")
    page.evaluate("delete window.lab.store.busy")
    page.click(".lab-rolled button:text-is('Keep as nodes')")
    page.wait_for_selector(".lab-rolled button:text-is('Kept as nodes')")
    steps = bench.node(session, node)["rolled_out"]["steps"]
    kept = [n["step"] for n in bench.export(session)["nodes"]]
    assert all(step["text"] in kept for step in steps)

    page.fill(".lab-tag-input", PAYLOADS[1][:50])
    page.keyboard.press("Enter")
    page.wait_for_selector(".lab-tag")
    assert bench.node(session, node)["tags"] == [PAYLOADS[1][:50].strip()]


def test_what_is_begun_is_lost_neither_elsewhere_nor_by_reloading(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node, other = leaf(bench, session)["id"], 1
    page = shown(tab, address, bench, session, node)
    field = "[aria-label=Step]"

    def go(where: int) -> None:
        page.evaluate("(id) => window.lab.store.select(id)", where)
        page.wait_for_selector(f".lab-node h2:text-is('Node {where}')")

    page.click(".lab-steer-act:has-text('Write')")
    page.fill(field, "so far so good")
    go(other)
    assert page.input_value(field) == ""
    assert "\u2026" not in page.inner_text(".lab-steer-act:has-text('Write')")
    page.click(".lab-steer-act:has-text('Write')")
    page.fill(field, "something else")
    go(node)
    assert page.input_value(field) == "so far so good"
    page.fill("[aria-label=Note]", "a note that nobody leaves")
    page.wait_for_selector(".lab-note :text('saved')")
    assert bench.node(session, node)["note"] == "a note that nobody leaves"
    page.fill("[aria-label=Note]", "the very last words")
    page.reload(wait_until="commit")
    page.wait_for_function("window.lab?.store.nodes.size > 1")
    go(node)
    page.wait_for_selector(".lab-steer-act:has-text('Write \u2026')")
    page.wait_for_function(
        "document.querySelector('[aria-label=Note]').value === 'the very last words'"
    )
    page.wait_for_function(
        "Object.keys(sessionStorage).every((key) => !key.includes('draft note'))"
    )
    assert bench.node(session, node)["note"] == "the very last words"
    page.click(".lab-steer-act:has-text('Write')")
    assert page.input_value(field) == "so far so good"
    page.click("button:text-is('Add step')")
    page.wait_for_selector(".lab-chip:text-is('written by a person')")
    go(node)
    assert page.input_value(field) == ""
    # Another session has other drafts, though its nodes have the same numbers.
    twin = bench.create("What?", gold="1", seed=8)
    finish(bench, twin, iterations=2)
    page.evaluate("(id) => window.lab.store.open(id)", twin)
    page.wait_for_function("window.lab.store.nodes.size > 1")
    go(other)
    assert page.input_value(field) == ""


def test_a_dead_end_is_no_end_for_a_person(
    tab: OpenTab, serve: Serve, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(words=6)
    bench = Workbench(
        tmp_path_factory.mktemp("dead"), SETTINGS, lambda *_: Models(world, world, [])
    )
    session = bench.create("What?", gold="1", seed=8)
    finish(bench, session, iterations=3)
    world.empty = 1.0
    finish(bench, session, iterations=40)
    world.empty = 0.0
    nodes = bench.export(session)["nodes"]
    ends = [node for node in nodes if node["verdict"] == "end"]
    dead = next(node["id"] for node in ends if node["verdict_source"] == "dead_end")
    done = next(node["id"] for node in ends if node["verdict_source"] != "dead_end")
    page = shown(tab, serve(bench), bench, session, done)
    page.wait_for_selector(".lab-steer-why:text-is('Finished: no step follows it.')")
    assert page.is_disabled(".lab-steer-act:has-text('Write')")
    page.evaluate("(id) => window.lab.store.select(id)", dead)
    page.wait_for_selector(".lab-steer-why:has-text('Dead end: the policy wrote no step here.')")
    assert page.is_disabled(".lab-steer-act:has-text('Roll out')")
    page.click(".lab-steer-act:has-text('Children')")
    page.click(".lab-steer-form button:text-is('Ask')")
    page.wait_for_selector(".lab-steer-progress:has-text('came')")
    page.wait_for_selector(".lab-node-head .lab-chip:text-is('unfinished')")
    assert page.is_hidden(".lab-steer-why")
    before = bench.show(session).iterations
    finish(bench, session, iterations=5)
    assert bench.show(session).iterations == before + 5
    bench.close()


def test_path_values_and_estimate(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    finish(bench, session, iterations=15)
    nodes = {node["id"]: node for node in bench.export(session)["nodes"]}
    row = next(
        row
        for row in bench.verdicts.rewards(session, "soft").rewards.rows
        if row.wrong and row.node
    )
    page = shown(tab, address, bench, session, row.node)
    page.wait_for_selector(f".lab-figures:has-text('{row.value:.3f}')")
    total = len(row.right) + len(row.wrong)
    page.wait_for_selector(f".lab-estimate:has-text('{len(row.right)} of {total} finished')")
    # It is theirs alone: a person's V is no part of it.
    share, prm = len(row.right) / total, nodes[row.node]["prm"]
    bench.steering.overrule(session, row.node, 0.123)
    page.wait_for_selector(".lab-steer-said:has-text('You set V to 0.12')")
    page.wait_for_selector(f".lab-figures dd:has(.is-mc):has-text('{share:.3f}')")
    gap = abs(prm - share)
    said = "as the PRM says" if gap < 0.05 else f"{gap:.3f} {'more' if prm > share else 'less'}"
    page.wait_for_selector(f".lab-estimate:has-text('{said}')")
    bench.steering.overrule(session, row.node, None)
    page.wait_for_selector(".lab-steer-said", state="hidden")
    points = bench.studies.values(session, row.node)
    page.wait_for_selector(f".lab-node-said:has-text('{points[-1].value:.3f}')")

    deep = max(nodes.values(), key=lambda node: node["depth"])
    path, here = [], deep
    while here["parent"] is not None:
        path.insert(0, here)
        here = nodes[here["parent"]]
    falls = [one["value"] - two["value"] for one, two in pairwise(path)]
    page.evaluate("(id) => window.lab.store.select(id)", deep["id"])
    page.click("[data-tab=path]")
    page.wait_for_selector(f".lab-path-panel h3:text-is('Path to node {deep['id']}')")
    if max(falls) > 0.05:
        worst = falls.index(max(falls)) + 2
        assert page.inner_text(".lab-path-said b") == str(worst)
    page.wait_for_selector(".lab-path-panel .js-plotly-plot")
    page.click(f".lab-path-panel .lab-path button[title^='Node {path[0]['id']}:']")
    page.wait_for_selector(f".lab-path-panel h3:text-is('Path to node {path[0]['id']}')")


def test_fields_beside_a_node_can_be_read(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    node = leaf(bench, session)["id"]
    page = tab(address, session, "dark")
    page.wait_for_function("(id) => window.lab.store.nodes.has(id)", arg=node)
    page.evaluate("(id) => window.lab.store.select(id)", node)
    page.wait_for_selector(".lab-tag-input")
    ground = "(field) => getComputedStyle(field).backgroundColor"
    fields = [
        page.locator(name).evaluate(ground) for name in (".lab-tag-input", ".lab-note textarea")
    ]
    assert fields[0] == fields[1] != "rgb(255, 255, 255)"
    number = page.locator(".lab-steer-number")
    number.fill("0.875")
    assert number.evaluate("(field) => field.scrollWidth <= field.clientWidth")
    page.keyboard.press("Escape")


def test_what_a_press_was_told_stays_until_the_form_changes(
    tab: OpenTab, bench: Workbench, address: str, session: str
) -> None:
    page = shown(tab, address, bench, session, None)
    field = page.locator("[aria-label='exploration constant (c)']:visible")
    field.fill("-3")
    page.click("#lab-step")
    told = page.locator("[data-lab-slot=error]:has-text('cannot be -3')")
    told.wait_for()
    page.wait_for_selector(".lab-differs-text:has-text('\u2192 -3')")  # the form is compared later
    assert told.is_visible()
    assert field.get_attribute("aria-invalid") == "true"
    edge = "(field) => getComputedStyle(field).borderColor"
    assert field.evaluate(edge) != page.locator("[aria-label='branch (b)']").evaluate(edge)
    field.fill("0.2")
    told.wait_for(state="hidden")
    assert field.get_attribute("aria-invalid") is None
