/**
 * Which part of a tree is shown: folded subtrees, and the subtree in focus. Changes nothing of the
 * search. Event: "changed".
 */

export class Folds extends EventTarget {
  /** @param {Store} store */
  constructor(store) {
    super();
    this.store = store;
    this.clear();
    store.addEventListener("opened", () => this.clear());
  }

  clear() {
    this.folded = new Set();
    this.root = 0;
    this.version = (this.version ?? 0) + 1;
    this.sums = new Map();
    this.summed = null;
  }

  /** Fold what is below a node, or show it again; nothing where there is nothing below. */
  toggle(id) {
    if (!this.store.children.get(id)?.length) return;
    if (!this.folded.delete(id)) this.folded.add(id);
    this.moved();
  }

  /** Show everything. */
  unfold() {
    if (!this.folded.size) return;
    this.folded.clear();
    this.moved();
  }

  /** Show a node's subtree alone; 0 or null: the whole tree. */
  focus(id) {
    this.root = id ?? 0;
    this.folded.delete(this.root);
    this.moved();
  }

  /** Unfold whatever hides a node. */
  reveal(id) {
    const path = this.store.pathTo(id);
    let changed = false;
    if (!path.includes(this.root)) [this.root, changed] = [0, true];
    for (const above of path.slice(0, -1)) changed = this.folded.delete(above) || changed;
    if (changed) this.moved();
  }

  /**
   * Fold all but what was visited most, so that about `rows` rows are left.
   * The best path and the path to the selected node stay open.
   */
  gist(rows) {
    const { nodes, children, bestPath, selected } = this.store;
    const keep = new Set([...bestPath, ...this.store.pathTo(selected).slice(0, -1), this.root]);
    const inner = [...children.keys()].filter((id) => children.get(id).length);
    const weight = (id) => (keep.has(id) ? 1e12 : 0) + nodes.get(id).visits;
    const ranked = inner.sort((a, b) => weight(b) - weight(a) || a - b);
    const open = new Set();
    let shown = 1;
    for (const id of ranked) {
      const reached = id === this.root || open.has(nodes.get(id).parent);
      if (!keep.has(id) && (shown >= rows || !reached)) continue;
      open.add(id);
      shown += children.get(id).length - 1;
    }
    this.folded = new Set(ranked.filter((id) => !open.has(id)));
    this.moved();
  }

  /** Of a folded node: how many nodes are hidden below, and the best V among them. */
  summary(id) {
    const { stamp } = this.store;
    if (this.summed !== stamp) [this.sums, this.summed] = [new Map(), stamp];
    let found = this.sums.get(id);
    if (!found) this.sums.set(id, (found = this.sum(id)));
    return found;
  }

  sum(id) {
    const { nodes, children } = this.store;
    const stack = [...(children.get(id) ?? [])];
    const found = { count: 0, best: -Infinity };
    while (stack.length) {
      const node = nodes.get(stack.pop());
      found.count++;
      if (!node.hidden && node.value > found.best) found.best = node.value;
      const below = children.get(node.id);
      if (below) stack.push(...below);
    }
    return found;
  }

  moved() {
    this.version++;
    this.dispatchEvent(new CustomEvent("changed"));
  }
}
