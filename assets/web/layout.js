/**
 * Where nodes are: a tidy tree, root on the left, one column a step. Positions are in columns and
 * rows; the viewport makes pixels of them. Siblings keep their order of creation and changes are
 * animated from where a node was (a new one: from its parent), so that growth does not jump.
 */

import "./vendor/d3-hierarchy.min.js";

const { hierarchy, tree } = globalThis.d3;
const DURATION = 260;
const ANIMATED_NODES = 3000;
const ROOT_COLUMN = 0.5; // the root has no label and needs less room than a step

const arrange = tree()
  .nodeSize([1, 1])
  .separation((a, b) => (a.parent === b.parent ? 1 : 1.35));

export class Layout {
  constructor() {
    this.places = new Map();
    this.extent = { columns: 0, top: 0, bottom: 0 };
    this.started = null;
  }

  clear() {
    this.places.clear();
    this.extent = { columns: 0, top: 0, bottom: 0 };
    this.started = null;
  }

  /** Compute the places of all nodes of a store anew. */
  update(store, now) {
    if (!store.nodes.has(0)) return this.clear();
    const root = arrange(hierarchy(0, (id) => store.children.get(id)));
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const animated = !still && this.places.size > 0 && store.nodes.size <= ANIMATED_NODES;
    this.advance(now);
    const extent = { columns: 0, top: Infinity, bottom: -Infinity };
    root.each((point) => {
      this.place(point, animated);
      extent.columns = Math.max(extent.columns, column(point.depth));
      extent.top = Math.min(extent.top, point.x);
      extent.bottom = Math.max(extent.bottom, point.x);
    });
    this.extent = extent;
    this.started = animated ? now : null;
  }

  place(point, animated) {
    const goal = { column: column(point.depth), row: point.x };
    let place = this.places.get(point.data);
    if (!place) {
      const parent = animated && point.parent ? this.places.get(point.parent.data) : null;
      const from = parent ? { column: parent.from.column, row: parent.from.row } : goal;
      this.places.set(point.data, (place = { ...from, from }));
    } else {
      place.from = { column: place.column, row: place.row };
    }
    place.goal = goal;
    if (!animated) Object.assign(place, goal);
  }

  /** Move all nodes to where they are at time `now`; true while they still move. */
  advance(now) {
    if (this.started === null) return false;
    const share = Math.min(1, (now - this.started) / DURATION);
    const eased = 1 - (1 - share) ** 3;
    for (const place of this.places.values()) {
      place.column = place.from.column + (place.goal.column - place.from.column) * eased;
      place.row = place.from.row + (place.goal.row - place.from.row) * eased;
    }
    if (share === 1) this.started = null;
    return share < 1;
  }
}

function column(depth) {
  return depth === 0 ? 0 : depth - 1 + ROOT_COLUMN;
}
