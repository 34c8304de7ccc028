"""The tree on the page: folds, focus, colours, phases, roll-outs, marks, finding, map, keys."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.browser.conftest import PLATES, wait_nodes
from tests.browser.fake_workbench import PROBLEMS, FakeWorkbench

SIZE = 61
ROLLOUT = {
    "best": 0.9,
    "value_before": 0.5,
    "value_after": 0.7,
    "steps": [
        {"text": "<img src=x onerror=alert(1)>\n", "value": 0.6, "verdict": "continue"},
        {"text": "4 * 4 = 16\n", "value": 0.9, "verdict": "end"},
    ],
}


@pytest.fixture(scope="module")
def session(fake: FakeWorkbench) -> str:
    made = fake.create(PROBLEMS[0].content, "25", seed=5)
    fake.grow(made, SIZE)
    return made


@pytest.fixture(scope="module")
def opened(context: Any, fake_address: str, session: str) -> Iterator[Any]:
    """One page for the whole module."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{fake_address}?__theme=light&session={session}", wait_until="commit")
    page.wait_for_function("window.lab && document.querySelector('#lab-step')")
    wait_nodes(page, SIZE)
    yield page
    page.close()
    assert not errors


@pytest.fixture
def page(opened: Any, session: str) -> Any:
    """The page as a person finds it: everything shown, nothing selected."""
    opened.evaluate(
        """(session) => {
          const { view, store, table } = window.lab;
          store.open(session);
          table.show(false);
          view.find.clear();
          view.folds.unfold();
          view.focusOn(null);
          store.select(null);
          view.colouring.choose("value");
        }""",
        session,
    )
    wait_nodes(opened, SIZE)
    settled(opened)
    opened.focus(".lab-canvas")
    return opened


def settled(page: Any) -> None:
    page.wait_for_function("!window.lab.view.viewport.motion && !window.lab.view.layout.moving")


def places(page: Any) -> dict[str, list[float]]:
    """Where the nodes are that are shown, by id, in columns and rows."""
    found: dict[str, list[float]] = page.evaluate(
        "Object.fromEntries([...window.lab.view.layout.places]"
        ".map(([id, place]) => [id, [place.goal.column, place.goal.row]]))"
    )
    return found


def inner(fake: FakeWorkbench, session: str) -> int:
    """A node, not the root, with the most below it."""
    return max((1, 2, 3), key=lambda node: len(below(fake, session, node)))


def below(fake: FakeWorkbench, session: str, node: int) -> list[int]:
    children = fake.runs[session].children.get(node, [])
    return [*children, *(one for child in children for one in below(fake, session, child))]


def test_the_layout_is_tidy(page: Any, fake: FakeWorkbench, session: str) -> None:
    found = places(page)
    assert len(found) == SIZE
    columns: dict[float, list[float]] = {}
    for column, row in found.values():
        columns.setdefault(column, []).append(row)
    for rows in columns.values():
        ordered = sorted(rows)
        assert all(b - a > 0.999 for a, b in pairwise(ordered))
    for parent, children in fake.runs[session].children.items():
        middle = (found[str(children[0])][1] + found[str(children[-1])][1]) / 2
        assert found[str(parent)][1] == pytest.approx(middle)


def test_growth_lays_out_as_if_all_were_new(page: Any, fake: FakeWorkbench) -> None:
    grown = fake.create(PROBLEMS[0].content, "25", seed=9)
    fake.grow(grown, 10)
    page.evaluate("(id) => window.lab.store.open(id)", grown)
    for size in (10, 25, 40):
        fake.grow(grown, size)
        wait_nodes(page, size)
    little_by_little = places(page)
    page.evaluate("window.lab.view.folds.moved()")
    anew = places(page)
    assert anew.keys() == little_by_little.keys()
    assert all(anew[node] == pytest.approx(place) for node, place in little_by_little.items())


def test_folding_hides_what_is_below(page: Any, fake: FakeWorkbench, session: str) -> None:
    node = inner(fake, session)
    hidden = below(fake, session, node)
    page.evaluate("(id) => window.lab.store.select(id)", node)
    page.keyboard.press("c")
    settled(page)
    assert set(places(page)) == {str(one) for one in range(SIZE)} - {str(one) for one in hidden}
    chip = page.locator(".lab-folded-chip")
    assert f"{SIZE - len(hidden)} of {SIZE} nodes" in chip.inner_text()
    best = max(fake.runs[session].nodes[one]["value"] for one in hidden)
    said = page.evaluate("(id) => window.lab.view.folds.summary(id)", node)
    assert said == {"count": len(hidden), "best": pytest.approx(best)}
    # The pill beside the node brings it back; so does selecting what is hidden.
    place = page.evaluate(
        "(id) => { const box = window.lab.view.canvas.getBoundingClientRect();"
        " const r = window.lab.view.painter.regions.find((one) => one.id === id);"
        " return [box.left + r.x + r.width / 2, box.top + r.y + r.height / 2]; }",
        node,
    )
    page.mouse.click(*place)
    page.wait_for_function("(n) => window.lab.view.layout.places.size === n", arg=SIZE)
    page.keyboard.press("c")
    page.evaluate("(id) => window.lab.store.select(id)", hidden[-1])
    assert str(hidden[-1]) in places(page)


def test_a_subtree_alone_and_back(page: Any, fake: FakeWorkbench, session: str) -> None:
    node = inner(fake, session)
    page.evaluate("(id) => window.lab.store.select(id)", node)
    page.keyboard.press("s")
    assert set(places(page)) == {str(one) for one in [node, *below(fake, session, node)]}
    page.click(".lab-crumbs button:text-is('whole tree')")
    assert len(places(page)) == SIZE
    page.keyboard.press("q")
    assert page.evaluate("window.lab.view.folds.folded.size") > 0


@pytest.mark.parametrize("name", ["visits", "prm", "logprob", "verdict", "iteration"])
def test_colours_say_what_is_chosen(page: Any, name: str) -> None:
    page.select_option(".lab-colour-by", name)
    assert page.evaluate("localStorage.getItem('lab-colour-by')") == name
    indices = page.evaluate(
        "[...window.lab.store.nodes.values()].map((node) => window.lab.view.colouring.index(node))"
    )
    assert len(set(indices)) > 2
    kinds = page.locator(".lab-scale-kinds")
    assert kinds.is_visible() == (name == "verdict")
    assert page.locator(".lab-scale-ramp").is_visible() == (name != "verdict")


def test_a_dense_tree_has_the_colours_of_its_nodes(page: Any, fake: FakeWorkbench) -> None:
    """What is kept of the nodes to draw them fast follows them and the choice of colours."""
    size = 1000
    grown = fake.create(PROBLEMS[0].content, "25", seed=5)
    fake.grow(grown, size)
    page.evaluate("(id) => window.lab.store.open(id)", grown)
    wait_nodes(page, size)
    settled(page)
    told = """() => {
      const { view } = window.lab;
      view.drawNow();
      const { scene, layout, viewport, painter, colouring, ratio } = view;
      const { data, width } = scene.getContext("2d").getImageData(0, 0, scene.width, scene.height);
      const salient = painter.salient();
      const places = [...layout.places.values()].filter((place) => !salient.has(place));
      const right = places.filter((place) => {
        const [x, y] = viewport.screen(place).map((at) => Math.floor(at * ratio));
        const at = 4 * (y * width + x);
        const [red, green, blue] = data.slice(at, at + 3);
        return painter.palette[colouring.index(place.node)].css === `rgb(${red},${green},${blue})`;
      });
      return right.length / places.length;
    }"""
    assert page.evaluate("window.lab.view.painter.dense")
    assert page.evaluate(told) > 0.9
    page.evaluate("window.lab.view.colouring.choose('iteration')")
    assert page.evaluate(told) > 0.9
    page.evaluate("window.lab.view.colouring.choose('value')")
    page.evaluate(
        """() => {
          const { store } = window.lab;
          const turned = (node) => ({ ...node, value: 1 - node.value });
          const nodes = [...store.nodes.values()].map(turned);
          const { session, cursor, tree, run } = store;
          store.apply({ session, cursor: cursor + 1, reset: false, nodes, tree, run });
        }"""
    )
    assert page.evaluate(told) > 0.9


def test_what_was_done_to_a_node_is_seen(page: Any, fake: FakeWorkbench, session: str) -> None:
    """Each state has another look, also for eyes that see no colour."""
    states: list[dict[str, Any]] = [
        {"overruled": 0.9},
        {"overruled": 0.9, "locked": True},
        {"made_by": "person"},
        {"made_by": "rollout"},
        {"pruned": True, "hidden": True},
        {"mark": "right"},
        {"mark": "wrong"},
        {"note": True},
        {"tags": ["look"]},
        {"answer": "25", "correct": True},
        {"answer": "26", "correct": False},
        {"verdict": "end", "verdict_source": "dead_end"},
        {},
    ]
    looks = page.evaluate(
        """(states) => states.map((state) => {
          const { painter } = window.lab.view;
          const plain = { answer: null, correct: null, verdict: "unknown", verdict_source: "" };
          const node = { ...window.lab.store.nodes.get(1), ...plain, ...state };
          const canvas = document.createElement("canvas");
          const context = canvas.getContext("2d");
          context.filter = "grayscale(1)";
          painter.marks.draw(context, node, 40, 40, 9, 30);
          return canvas.toDataURL();
        })""",
        states,
    )
    assert len(set(looks)) == len(states)
    page.keyboard.press("k")
    legend = page.locator(".lab-legend-sheet").inner_text()
    for word in ("overruled and locked", "written by a person", "pruned", "dead end", "roll-out"):
        assert word in legend
    page.keyboard.press("k")


def test_the_legend_goes_as_everything_that_opens(page: Any) -> None:
    sheet = page.locator(".lab-legend-sheet")
    page.evaluate("window.lab.store.select(1)")
    page.focus(".lab-canvas")
    page.keyboard.press("k")
    sheet.wait_for(state="visible")
    sheet.locator("h3").first.click()
    assert sheet.is_visible()
    page.keyboard.press("Escape")
    sheet.wait_for(state="hidden", timeout=5000)
    assert page.evaluate("window.lab.store.selected") == 1
    page.focus(".lab-canvas")
    page.keyboard.press("Escape")  # the next one is the tree's again
    assert page.evaluate("window.lab.store.selected") is None
    page.click("[aria-label='What the marks mean']")
    sheet.wait_for(state="visible")
    page.locator(".lab-status").click(position={"x": 3, "y": 3})
    sheet.wait_for(state="hidden", timeout=5000)


def test_verdicts_are_said_beside_their_marks(page: Any) -> None:
    page.evaluate("window.lab.view.colouring.choose('verdict')")
    kinds = page.locator(".lab-scale-kind")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 860})
        shown = [kind.bounding_box() for kind in kinds.all()]
        assert kinds.locator("span").first.is_visible()
        assert "right" in kinds.all_inner_texts()[1]
        assert all(box["x"] > 0 and box["x"] + box["width"] < width for box in shown)
    page.set_viewport_size({"width": 1440, "height": 900})


def test_a_phase_shows_its_numbers(page: Any, fake: FakeWorkbench, session: str) -> None:
    before = fake.runs[session].nodes[0]["value"]
    fake.grow(session, SIZE + 1)
    wait_nodes(page, SIZE + 1)
    after = fake.runs[session].nodes[0]["value"]
    assert any(f"{before:.2f} \u2192 {after:.2f}" in words for words in page.evaluate(PLATES))
    for phase, expected in (("selected", " = "), ("expanded", "new"), ("evaluated", "V 0.")):
        fake.hold(session, phase)
        page.wait_for_function("(p) => window.lab.store.tree.phase === p", arg=phase)
        assert any(expected in words for words in page.evaluate(PLATES))


def test_a_roll_out_is_shown_beside_the_tree(page: Any, fake: FakeWorkbench, session: str) -> None:
    leaf = next(n["id"] for n in fake.runs[session].nodes[::-1] if n["verdict"] != "end")
    fake.hold(session, "rolled out", {"node": leaf, **ROLLOUT})
    page.wait_for_function("window.lab.store.tree.phase === 'rolled out'")
    page.wait_for_function("window.lab.view.overlay.rolled?.steps.length === 2")
    settled(page)
    step = page.evaluate("window.lab.view.overlay.rolled.steps[0]")
    box = page.locator(".lab-canvas").bounding_box()
    page.mouse.move(box["x"] + step["x"], box["y"] + step["y"])
    tip = page.locator(".lab-tip")
    tip.wait_for(state="visible")
    assert ROLLOUT["steps"][0]["text"].strip() in tip.inner_text()  # type: ignore[index]
    assert tip.locator("img").count() == 0
    page.click("[aria-label='Steps of roll-outs']")
    page.wait_for_function("window.lab.view.overlay.rolled === null")
    page.click("[aria-label='Steps of roll-outs']")
    fake.hold(session, "backed up")


def test_steps_of_a_roll_out_stand_on_no_node(page: Any, fake: FakeWorkbench, session: str) -> None:
    node = inner(fake, session)
    page.evaluate("(id) => window.lab.store.select(id)", node)
    fake.hold(session, "rolled out", {"node": node, **ROLLOUT})
    page.wait_for_function(
        "(id) => window.lab.view.overlay.rolled?.node === id && !window.lab.view.viewport.motion",
        arg=node,
    )
    nearest = """() => {
      const { overlay, layout, viewport } = window.lab.view;
      const places = [...layout.places.values()].map((place) => viewport.screen(place));
      return Math.min(...overlay.rolled.steps.flatMap((step) =>
        places.map(([x, y]) => Math.hypot(step.x - x, step.y - y))));
    }"""
    assert page.evaluate(nearest) > 14
    fake.hold(session, "backed up")


def test_steps_are_found(page: Any, fake: FakeWorkbench, session: str) -> None:
    sought = fake.runs[session].nodes[8]["step"].strip()[:6]
    matches = [n["id"] for n in fake.runs[session].nodes if sought in n["step"]]
    page.keyboard.press("/")
    page.keyboard.type(sought)
    state = page.locator(".lab-find-state")
    assert state.inner_text() == str(len(matches))
    page.keyboard.press("Enter")
    assert page.evaluate("window.lab.store.selected") == matches[0]
    assert state.inner_text() == f"1 of {len(matches)}"
    page.keyboard.press("Shift+Enter")
    assert page.evaluate("window.lab.store.selected") == matches[-1]
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement === window.lab.view.canvas")
    assert page.evaluate("window.lab.view.find.matches") == []


def test_the_map_shows_where_one_is(page: Any) -> None:
    little = page.locator(".lab-minimap")
    assert little.is_hidden()
    page.mouse.move(700, 400)
    page.mouse.wheel(0, -1200)
    little.wait_for(state="visible")
    box = page.locator(".lab-minimap-box").bounding_box()
    page.mouse.click(box["x"] + 12, box["y"] + box["height"] / 2)
    root = page.evaluate("window.lab.position(0)")
    canvas = page.locator(".lab-canvas").bounding_box()
    assert canvas["x"] < root["x"] < canvas["x"] + canvas["width"]
    page.keyboard.press("f")
    little.wait_for(state="hidden")


def test_all_keys_are_told(page: Any) -> None:
    page.keyboard.press("?")
    told = page.locator("dialog.lab-keys")
    told.wait_for(state="visible")
    for word in ("to the parent", "find in steps", "fold or unfold"):
        assert word in told.inner_text()
    page.keyboard.press("Escape")
    told.wait_for(state="hidden")
    # Keys belong to who writes: nothing happens to the tree.
    page.keyboard.press("/")
    page.keyboard.type("fcsqk")
    assert page.input_value(".lab-find-field") == "fcsqk"
    assert len(places(page)) >= SIZE


def test_the_same_tree_as_a_table(page: Any, fake: FakeWorkbench, session: str) -> None:
    page.keyboard.press("t")
    grid = page.locator("[role=treegrid]")
    grid.wait_for(state="visible")
    nodes = fake.runs[session].nodes
    assert grid.get_attribute("aria-rowcount") == str(len(nodes) + 1)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("window.lab.store.selected") == 1
    row = page.locator("#lab-node-row-1")
    assert row.get_attribute("aria-level") == "2"
    assert row.get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#lab-node-row-1[aria-expanded=false]", timeout=5000)
    page.click("[role=columnheader] button:text-is('V')")
    best = max(nodes, key=lambda node: (node["value"], -node["id"]))["id"]
    first = page.locator(".lab-table-body [role=row]").first
    assert first.get_attribute("data-node") == str(best)
    first.click()
    page.keyboard.press("t")
    assert page.evaluate("window.lab.store.selected") == best
    assert str(best) in places(page)


def test_steps_are_read_in_the_table_whatever_was_done_to_them(page: Any) -> None:
    page.evaluate("window.lab.table.show(true)")
    step = "the sum of all of these numbers is 4 * 4 + 9 = 25"
    done = {"overruled": 0.9, "locked": True, "made_by": "rollout", "mark": "right", "note": True}
    page.evaluate(
        """([step, done]) => {
          const { store, table } = window.lab;
          const node = store.nodes.get(1);
          Object.assign(node, done, { step, tags: ["look"] });
          table.order();
          store.select(1);
        }""",
        [step, done],
    )
    text = page.locator("#lab-node-row-1 .lab-table-text")
    marks = page.locator("#lab-node-row-1 .lab-table-marks")
    assert text.bounding_box()["width"] > 120
    assert marks.locator("small").all_inner_texts()[:2] == ["locked", "roll-out"]
    assert "kept from a roll-out" in marks.get_attribute("title")
    column = page.locator("[role=columnheader]").first.bounding_box()["width"]
    assert column > 2 * page.locator("[role=columnheader]").last.bounding_box()["width"]
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.locator(".lab-table-scroll").bounding_box()["height"] > 200
    page.set_viewport_size({"width": 1440, "height": 900})


def test_the_inspector_folds_away(page: Any) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    drawer = page.locator(".lab-inspector")
    drawer.wait_for(state="hidden")
    page.evaluate("window.lab.store.select(1)")
    drawer.wait_for(state="visible")
    assert page.locator(".lab-tree").bounding_box()["width"] > 380
    page.click(".lab-drawer-button")
    drawer.wait_for(state="hidden")
    page.set_viewport_size({"width": 1440, "height": 900})
    drawer.wait_for(state="visible")
