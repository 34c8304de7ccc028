/** Walking and looking at the tree with keys. The arrows go where they point: the root is on the left. */

import { register } from "./keys.js";

const TREE = { group: "Tree", tree: true };
const LOOK = { group: "View" };

/**
 * @param {TreeView} view
 * @param {{details: () => void, table: () => void, legend: () => void}} show
 */
export function treeKeys(view, show) {
  const walker = new Walker(view);
  const { store, folds } = view;
  register("ArrowLeft", "to the parent", () => walker.parent(), TREE);
  register("ArrowRight", "to the child last looked at, or the best one", () => walker.child(), TREE);
  register("ArrowUp", "up within the column", () => walker.column(-1), TREE);
  register("ArrowDown", "down within the column", () => walker.column(1), TREE);
  register("Home", "to the root", () => store.select(folds.root), TREE);
  register("End", "to the node of the best answer", () => store.select([...store.bestPath].pop() ?? 0), TREE);
  register("Enter", "details of the node", () => show.details(), TREE);
  register("Escape", "deselect; leave the subtree", () => (store.selected !== null ? store.select(null) : folds.root ? view.focusOn(null) : false), TREE);
  register("c", "fold or unfold what is below", () => folds.toggle(store.selected ?? folds.root), LOOK);
  register("q", "fold all but the most visited; unfold all", () => view.gist(), LOOK);
  register("s", "show this subtree alone; all of the tree", () => view.focusOn(folds.root ? null : store.selected), LOOK);
  register(["+", "="], "zoom in", () => view.zoom(1.25), LOOK);
  register("-", "zoom out", () => view.zoom(0.8), LOOK);
  register("f", "fit: keep the whole tree in view", () => view.setMode("fit"), LOOK);
  register("g", "go with the search", () => view.setMode(view.mode === "follow" ? "free" : "follow"), LOOK);
  register("l", "step labels", () => view.setLabels(!view.labels), LOOK);
  register("t", "tree or table", () => show.table(), LOOK);
  register("k", "what the marks mean", () => show.legend(), LOOK);
  register("/", "find in steps", () => view.find.open(), LOOK);
}

class Walker {
  constructor(view) {
    this.view = view;
    this.store = view.store;
    this.trail = new Map(); // node to the child through which it was left last
    this.store.addEventListener("opened", () => this.trail.clear());
    this.store.addEventListener("selected", () => this.remember());
  }

  remember() {
    const path = this.store.pathTo(this.store.selected);
    for (let k = 1; k < path.length; k++) this.trail.set(path[k - 1], path[k]);
  }

  /** The node to walk from; null if that is none, and the first step only selects the root. */
  here() {
    const node = this.store.nodes.get(this.store.selected);
    if (!node) this.store.select(this.view.folds.root);
    return node ?? null;
  }

  parent() {
    const node = this.here();
    if (node && node.id !== this.view.folds.root) this.store.select(node.parent);
  }

  child() {
    const node = this.here();
    const children = node && this.store.children.get(node.id);
    if (!children?.length) return;
    if (this.view.folds.folded.has(node.id)) this.view.folds.toggle(node.id);
    const value = (id) => this.store.nodes.get(id).value;
    const known = this.trail.get(node.id) ?? children.find((id) => this.store.bestPath.has(id));
    this.store.select(known ?? children.reduce((best, id) => (value(id) > value(best) ? id : best)));
  }

  column(sign) {
    const node = this.here();
    const place = node && this.view.layout.places.get(node.id);
    if (!place) return;
    const level = this.view.layout.levels[place.depth];
    const next = level[level.indexOf(place) + sign];
    if (next) this.store.select(next.id);
  }
}
