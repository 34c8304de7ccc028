"""How fast the tree on the page is: `python -m tests.browser.bench [NODES ...]`.

For each size, in milliseconds, the least and the median of several: drawing the whole scene anew
after it was moved by a pixel, with all pixels done on both canvases (one of each is read back,
which waits for the rest); the same while nodes move to new places; drawing only what lies over it,
as when the pointer moves; taking over a delta of one iteration, layout included; and from a click
on a node to its details on the page. The line "empty canvases" is what clearing and reading back
take with nothing drawn: every redraw has it within, and nothing is taken off for it.

The least is what the page needs when nothing else runs. On a quiet machine with two cores and no
GPU the budgets are 2 and 50 ms for a redraw and a click at 1,000 nodes, 10 and 100 ms at 10,000.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.conftest import WAIT, wait_nodes
from tests.browser.fake_workbench import PROBLEMS, FakeWorkbench
from tests.browser.screenshots import chromium
from ui.page import launch

SIZES = (1000, 10_000)
ROUNDS = 15
BUDGETS = {1000: (2, 50), 10_000: (10, 100)}

# Reading a pixel back waits until all that was drawn is on the canvas.
TIMED = """async ({ rounds, act, zoom }) => {
  const { view } = window.lab;
  const canvases = [view.scene, view.canvas];
  const clear = (canvas) => canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  const acts = {
    scene: (k) => { view.viewport.pan(k % 2 ? 1 : -1, k % 2 ? 1 : -1); view.drawNow(); },
    moving: () => { view.layout.started = performance.now() - 100; view.drawNow(); },
    empty: () => canvases.forEach(clear),
    overlay: () => { view.hovered = 1 + (view.hovered ?? 0); view.drawNow(false); },
  };
  view.setMode("fit");
  if (zoom > 1) { view.free(); view.viewport.motion = null; view.viewport.zoom(zoom, 200, 400); }
  view.viewport.motion = null;
  const times = [];
  for (let k = 0; k < rounds + 3; k++) {
    await new Promise(requestAnimationFrame);
    const start = performance.now();
    acts[act](k);
    for (const canvas of canvases) canvas.getContext("2d").getImageData(0, 0, 1, 1);
    if (k >= 3) times.push(performance.now() - start);
    cancelAnimationFrame(view.frame); // what it would draw next would find all at hand
    view.frame = null;
  }
  view.hovered = null;
  view.layout.advance(Infinity);
  view.drawNow();
  return times;
}"""

CLICKED = """(node) => new Promise((done) => {
  const { view, store } = window.lab;
  store.select(null);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const wanted = `Node ${node}`;
    const start = performance.now();
    const look = () => {
      const shown = document.querySelector(".lab-node:not([hidden]) h2")?.textContent === wanted;
      if (shown) requestAnimationFrame(() => done(performance.now() - start));
      else setTimeout(look, 1);
    };
    const { x, y } = view.position(node);
    const options = { clientX: x, clientY: y, bubbles: true, pointerId: 1, button: 0 };
    view.canvas.setPointerCapture = () => {};
    view.canvas.dispatchEvent(new PointerEvent("pointerdown", options));
    view.canvas.dispatchEvent(new PointerEvent("pointerup", options));
    look();
  }));
})"""

GROWN = """() => {
  const { store } = window.lab;
  const leaf = (node) => !store.children.get(node.id) && node.depth > 2;
  const parent = [...store.nodes.values()].findLast(leaf);
  const visited = (id) => ({ ...store.nodes.get(id), visits: store.nodes.get(id).visits + 1 });
  const times = [];
  for (let k = 0; k < 15; k++) {
    const made = { id: store.order.length, parent: parent.id, depth: parent.depth + 1 };
    const nodes = [...store.pathTo(parent.id).map(visited), { ...parent, ...made, visits: 0 }];
    const { session, cursor, tree, run } = store;
    const start = performance.now();
    store.apply({ session, cursor, reset: false, nodes, tree, run });
    times.push(performance.now() - start);
  }
  return times;
}"""


def told(times: list[float]) -> str:
    """The least and the median."""
    return f"{min(times):6.1f} {statistics.median(times):6.1f}"


def measure(page: Any, nodes: int) -> dict[str, list[float]]:
    """All figures of one page with a tree of so many nodes."""
    asked = {"rounds": ROUNDS, "zoom": 1}
    found = {
        "redraw, the whole tree": page.evaluate(TIMED, {**asked, "act": "scene"}),
        "redraw, nodes moving": page.evaluate(TIMED, {**asked, "act": "moving"}),
        "redraw, zoomed in": page.evaluate(TIMED, {**asked, "act": "scene", "zoom": 12}),
        "empty canvases": page.evaluate(TIMED, {**asked, "act": "empty"}),
        "pointer moves": page.evaluate(TIMED, {**asked, "act": "overlay"}),
    }
    page.evaluate("window.lab.view.setMode('fit')")
    page.wait_for_function("!window.lab.view.viewport.motion && !window.lab.view.frame")
    # Nodes that nothing hides: what is hit where several share a pixel is another question.
    chosen = page.evaluate(
        """(n) => window.lab.store.order.filter((id) => {
          const at = window.lab.view.position(id);
          const box = window.lab.view.canvas.getBoundingClientRect();
          return id && window.lab.view.nearest(at.x - box.left, at.y - box.top) === id;
        }).slice(0, n)""",
        ROUNDS,
    )
    found["click to details"] = [page.evaluate(CLICKED, node) for node in chosen]
    found["a delta, layout included"] = page.evaluate(GROWN)
    return found


def main(sizes: list[int]) -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory() as home, chromium() as browser:
        workbench = FakeWorkbench(Path(home))
        served, address = launch(workbench, open_browser=False, block=False)
        for nodes in sizes:
            session = workbench.create(PROBLEMS[0].content, PROBLEMS[0].answer, seed=5)
            workbench.grow(session, nodes)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(WAIT)
            page.goto(f"{address}?session={session}", wait_until="commit")
            wait_nodes(page, nodes)
            page.wait_for_timeout(1500)
            redraw, click = BUDGETS.get(nodes, (None, None))
            print(f"{nodes:,} nodes (budget: redraw {redraw} ms, click {click} ms)")
            for name, times in measure(page, nodes).items():
                print(f"  {name:26} {told(times)} ms")
            page.close()
        served.close()


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or list(SIZES))
