/**
 * Where nodes are: a tidy tree, root on the left, one column a step. Positions are in columns and
 * rows; the viewport makes pixels of them. Siblings keep their order of creation and changes are
 * animated from where a node was (a new one: from its parent), so that growth does not jump.
 *
 * Every place keeps the outline of what is below it, relative to itself (Reingold and Tilford). A
 * new node changes the outlines of its ancestors alone: growth costs a path, not the tree.
 */

const DURATION = 260;
const ANIMATED_NODES = 3000;
const ROOT_COLUMN = 0.5; // the root has no label and needs less room than a step
const COUSINS = 1.35; // rows between neighbours of different parents; siblings are one apart

/** A node that is shown, and where. */
class Place {
  constructor(node, parent) {
    this.node = node;
    this.id = node.id;
    this.parent = parent;
    this.depth = parent ? parent.depth + 1 : 0;
    this.children = [];
    this.offset = 0; // rows below its parent
    this.top = [0]; // the least row of each level below, relative to this one
    this.bottom = [0];
    this.goal = { column: column(this.depth), row: 0 };
    this.from = this.goal;
    this.column = this.goal.column;
    this.row = 0;
    if (parent) parent.children.push(this);
  }

  /** Put the children as close as their outlines allow, the middle of them beside this node. */
  arrange() {
    if (!this.children.length) return;
    const top = [];
    const bottom = [];
    for (const child of this.children) {
      const common = Math.min(bottom.length, child.top.length);
      let at = 0;
      for (let k = 0; k < common; k++) at = Math.max(at, bottom[k] - child.top[k] + (k ? COUSINS : 1));
      child.offset = at;
      for (let k = 0; k < child.top.length; k++) {
        if (k >= top.length) top[k] = at + child.top[k];
        bottom[k] = at + child.bottom[k];
      }
    }
    const middle = this.children[this.children.length - 1].offset / 2;
    for (const child of this.children) child.offset -= middle;
    this.top = [0, ...top.map((row) => row - middle)];
    this.bottom = [0, ...bottom.map((row) => row - middle)];
  }
}

export class Layout {
  constructor() {
    this.clear();
  }

  clear() {
    /** @type {Map<number, Place>} by node, parents before children */
    this.places = new Map();
    /** @type {Place[][]} by depth, from top to bottom */
    this.levels = [];
    this.extent = { columns: 0, top: 0, bottom: 0 };
    this.started = null;
    this.taken = 0; // how many nodes of the store have been looked at
    this.print = null;
    this.version = (this.version ?? 0) + 1; // another one whenever nodes may stand elsewhere
  }

  get moving() {
    return this.started !== null;
  }

  /**
   * Take over what is new.
   *
   * @param {Store} store
   * @param {Folds} folds which subtrees are shown
   * @param {number} now milliseconds
   */
  update(store, folds, now) {
    const root = store.nodes.has(folds.root) ? folds.root : 0;
    if (!store.nodes.has(root)) return this.clear();
    this.version++;
    const before = this.places;
    const print = `${store.life} ${root} ${folds.version}`;
    const anew = print !== this.print;
    this.advance(now);
    if (anew) Object.assign(this, { places: new Map(), taken: 0, print });
    this.arrange(this.take(store, folds, root));
    const animated = before.size > 0 && this.places.size <= ANIMATED_NODES && !still();
    this.settle(this.places.get(root), anew ? before : null, animated);
    this.started = animated ? now : null;
  }

  /** Places for the nodes not looked at yet, if they are shown; the places to arrange again. */
  take(store, folds, root) {
    const touched = new Set();
    for (; this.taken < store.order.length; this.taken++) {
      const id = store.order[this.taken];
      const node = store.nodes.get(id);
      const parent = id === root ? null : this.places.get(node.parent);
      if (id !== root && (!parent || folds.folded.has(node.parent))) continue;
      const place = new Place(node, parent);
      place.fresh = true;
      this.places.set(id, place);
      for (let above = parent; above && !touched.has(above); above = above.parent) touched.add(above);
    }
    return touched;
  }

  /** Children were made after their parents: from the last on, every outline is ready when needed. */
  arrange(touched) {
    for (const place of [...touched].sort((a, b) => b.id - a.id)) place.arrange();
  }

  /** Goals in rows, and the levels in order. `before` has earlier places, if all are new. */
  settle(root, before, animated) {
    this.levels = [];
    const stack = [root];
    while (stack.length) {
      const place = stack.pop();
      const row = place.parent ? place.parent.goal.row + place.offset : 0;
      this.begin(place, row, before, animated);
      (this.levels[place.depth] ??= []).push(place);
      for (let k = place.children.length - 1; k >= 0; k--) stack.push(place.children[k]);
    }
    this.extent = {
      columns: column(this.levels.length - 1), top: Math.min(...root.top), bottom: Math.max(...root.bottom),
    };
  }

  begin(place, row, before, animated) {
    const goal = place.goal;
    goal.row = row;
    if (!animated) {
      Object.assign(place, goal);
      place.fresh = false;
      return;
    }
    if (place.fresh) {
      const old = before?.get(place.id) ?? place.parent ?? goal;
      Object.assign(place, { column: old.column, row: old.row, fresh: false });
    }
    place.from = { column: place.column, row: place.row };
  }

  /** Move all nodes to where they are at time `now`; true while they still move. */
  advance(now) {
    if (this.started === null) return false;
    const share = Math.min(1, Math.max(0, (now - this.started) / DURATION));
    const eased = 1 - (1 - share) ** 3;
    for (const place of this.places.values()) {
      place.column = place.from.column + (place.goal.column - place.from.column) * eased;
      place.row = place.from.row + (place.goal.row - place.from.row) * eased;
    }
    if (share === 1) this.started = null;
    return share < 1;
  }

  /** Places of a level between two rows; all of it while nodes move. */
  between(level, top, bottom) {
    if (this.moving) return level;
    return level.slice(first(level, (place) => place.row >= top), first(level, (place) => place.row > bottom));
  }

  /** Places of a level whose edge from their parent is seen between two rows. */
  crossing(level, top, bottom) {
    if (this.moving) return level;
    // From place to place both ends of the edges only go down: those in question lie together.
    return level.slice(
      first(level, (place) => Math.max(place.row, place.parent.row) >= top),
      first(level, (place) => Math.min(place.row, place.parent.row) > bottom),
    );
  }
}

/** The index of the first place for which a condition holds that holds from there on. */
function first(level, holds) {
  let low = 0;
  let high = level.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(level[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function column(depth) {
  return depth === 0 ? 0 : depth - 1 + ROOT_COLUMN;
}
