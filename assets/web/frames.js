/**
 * A tree at any event of its log: what each event changed, folded forwards and backwards in the
 * browser, so that moving in time asks nobody.
 */

const NOTHING = { nodes: [], facts: {} };

export class Frames {
  constructor() {
    this.clear();
  }

  clear() {
    /** @type {{at: number, kind: string, iteration: number, phase: string, nodes: object[]}[]} */
    this.list = [];
    this.undo = []; // what each frame that was folded once had changed: {nodes, facts}
    this.starts = []; // the first frame of each iteration
    this.place = -1; // the last frame folded in
    this.nodes = new Map();
    this.order = [];
    this.children = new Map();
    this.facts = {};
  }

  get length() {
    return this.list.length;
  }

  /** The frame that was folded in last. */
  get frame() {
    return this.list[this.place];
  }

  /** The place in the log of the last event that is known, 0 for none. */
  get last() {
    return this.list[this.list.length - 1]?.at ?? 0;
  }

  /** Frames that follow the last one. */
  add(frames) {
    for (const frame of frames) {
      if (frame.kind === "iteration_started") this.starts.push(this.list.length);
      this.list.push(frame);
    }
  }

  /**
   * Fold to a frame.
   *
   * @returns {boolean} whether nodes were taken away: then they are others than before
   */
  go(place) {
    const goal = Math.max(-1, Math.min(place, this.list.length - 1));
    const before = this.order.length;
    while (this.place > goal) this.back();
    const fewer = this.order.length < before;
    while (this.place < goal) this.forward();
    return fewer;
  }

  forward() {
    const place = ++this.place;
    const frame = this.list[place];
    const undo = (this.undo[place] ??= { nodes: frame.nodes.map((changes) => this.before(changes)), facts: this.factsBefore(frame) });
    for (const changes of frame.nodes) {
      const known = this.nodes.get(changes.id);
      if (known) Object.assign(known, changes);
      else this.grow({ ...changes });
    }
    for (const name of Object.keys(undo.facts)) this.facts[name] = frame[name];
  }

  back() {
    const { nodes, facts } = this.undo[this.place--] ?? NOTHING;
    for (let k = nodes.length - 1; k >= 0; k--) {
      const { id, fields } = nodes[k];
      if (fields) Object.assign(this.nodes.get(id), fields);
      else this.shrink(id);
    }
    Object.assign(this.facts, facts);
  }

  grow(node) {
    this.nodes.set(node.id, node);
    this.order.push(node.id);
    if (node.parent === null) return;
    const siblings = this.children.get(node.parent);
    if (siblings) siblings.push(node.id);
    else this.children.set(node.parent, [node.id]);
  }

  /** Nodes go in the contrary order of their coming. */
  shrink(id) {
    const { parent } = this.nodes.get(id);
    this.nodes.delete(id);
    this.order.pop();
    if (parent === null) return;
    const siblings = this.children.get(parent);
    siblings.pop();
    if (!siblings.length) this.children.delete(parent);
  }

  before(changes) {
    const known = this.nodes.get(changes.id);
    if (!known) return { id: changes.id, fields: null };
    return { id: changes.id, fields: Object.fromEntries(Object.keys(changes).map((name) => [name, known[name]])) };
  }

  factsBefore(frame) {
    const names = Object.keys(frame).filter((name) => name !== "nodes" && name !== "at");
    return Object.fromEntries(names.map((name) => [name, this.facts[name]]));
  }

  /** V and n before and after the frame that was folded in last, by node, where they differ. */
  moves() {
    const found = new Map();
    for (const { id, fields } of this.undo[this.place]?.nodes ?? []) {
      const node = this.nodes.get(id);
      if (!fields || !node || (!("value" in fields) && !("visits" in fields))) continue;
      const before = { value: fields.value ?? node.value, visits: fields.visits ?? node.visits };
      found.set(id, { before, after: { value: node.value, visits: node.visits } });
    }
    return found;
  }

  /** The frame of an event of the log, or the last one before it. */
  find(at) {
    let [low, high] = [0, this.list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle].at <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
