/**
 * What this page knows of the open session: nodes, tree facts and run state, kept up to date by
 * deltas. Knows nothing of the document or the server; views listen to its events.
 *
 * Events: "opened" (another session), "changed" (detail: {structure}), "selected" (a node),
 * "judging" (detail: {node, answer}: somebody is about to judge the step of a node, or its answer).
 */

const IDLE = { status: "idle", message: "", done: 0, target: null, tokens: 0, seconds: 0 };
const BUSY = new Set(["queued", "loading", "running", "pausing"]);

export class Store extends EventTarget {
  constructor() {
    super();
    this.session = null;
    this.clear();
  }

  clear() {
    this.cursor = -1;
    this.life = (this.life ?? 0) + 1; // another one: nodes are others, though their ids may be the same
    this.nodes = new Map();
    this.order = []; // ids, parents before children
    this.children = new Map();
    this.moves = new Map(); // node to V and n before and after the last iteration, where they differ
    this.tree = null;
    this.name = ""; // of the session, where it was given one
    this.settings = null;
    this.batch = null; // that the session belongs to
    this.run = IDLE;
    this.connection = "";
    this.selected = null;
    this.range = { low: 0, high: 1 };
    this.mostVisits = 1;
    this.bestPath = new Set();
    this.searchPath = new Set();
  }

  /** Show another session (null: none). The same one again changes nothing. */
  open(session) {
    if (session === this.session) return;
    this.session = session;
    this.clear();
    this.emit("opened");
    this.emit("changed", { structure: true });
    this.emit("selected");
  }

  /** Differs whenever nodes do: of another session, another time, or with other values. */
  get stamp() {
    return `${this.life} ${this.cursor} ${this.past?.at ?? ""}`;
  }

  get busy() {
    return BUSY.has(this.run.status);
  }

  /** Take over a delta; one of another session, or a late one, is dropped. */
  apply(delta) {
    if (delta.session !== this.session || (!delta.reset && delta.cursor < this.cursor)) return;
    if (delta.reset) {
      this.nodes.clear();
      this.children.clear();
      [this.order, this.mostVisits] = [[], 1];
      this.life++;
    }
    if (delta.reset || delta.tree?.iteration !== this.tree?.iteration) this.moves.clear();
    let structure = delta.reset;
    for (const node of delta.nodes) structure = this.take(node) || structure;
    const [low, high] = delta.tree?.range ?? [0, 1];
    this.range = { low, high };
    const before = this.fingerprint();
    this.cursor = delta.cursor;
    this.tree = delta.tree;
    this.settings = delta.settings ?? this.settings;
    this.run = delta.run;
    this.name = delta.name;
    this.connection = "";
    this.bestPath = new Set(delta.tree?.best_path ?? []);
    this.searchPath = new Set(delta.tree?.path ?? []);
    if (this.selected !== null && !this.nodes.has(this.selected)) this.select(null);
    if (structure || delta.nodes.length || before !== this.fingerprint()) {
      this.emit("changed", { structure, nodes: delta.nodes.length });
    }
  }

  /** Take over a node; whether it is new. What is known keeps its object, so that views may hold it. */
  take(node) {
    this.mostVisits = Math.max(this.mostVisits, node.visits);
    const known = this.nodes.get(node.id);
    if (known) {
      this.remember(known, node);
      Object.assign(known, node);
      return false;
    }
    this.nodes.set(node.id, node);
    this.order.push(node.id);
    if (node.parent !== null) this.childrenOf(node.parent).push(node.id);
    return true;
  }

  remember(known, node) {
    const valued = known.visits > 0 || known.prm !== null;
    if (!valued || (known.value === node.value && known.visits === node.visits)) return;
    const before = this.moves.get(node.id)?.before ?? { value: known.value, visits: known.visits };
    this.moves.set(node.id, { before, after: { value: node.value, visits: node.visits } });
  }

  fingerprint() {
    return JSON.stringify([this.tree, this.run, this.name, this.connection]);
  }

  /** The server did not answer: shown, and forgotten with the next answer. */
  lost(message) {
    if (this.connection === message) return;
    this.connection = message;
    this.emit("changed", { structure: false, nodes: 0 });
  }

  childrenOf(id) {
    let list = this.children.get(id);
    if (!list) this.children.set(id, (list = []));
    return list;
  }

  select(id) {
    if (id === this.selected) return;
    this.selected = id;
    this.emit("selected");
  }

  /** Ids from the root to a node. */
  pathTo(id) {
    const path = [];
    for (let node = this.nodes.get(id); node; node = this.nodes.get(node.parent)) path.push(node.id);
    return path.reverse();
  }

  emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** How many finished solutions with an answer are pruned: they stand for nothing any more. */
export function prunedAnswers(nodes) {
  let found = 0;
  for (const node of nodes.values()) if (node.hidden && node.verdict === "end" && (node.answer ?? null) !== null) found++;
  return found;
}

/** What a node is at a glance: "right", "wrong", "finished", "dead" or "open". */
export function mark(node) {
  const correct = node.regraded ?? node.correct;
  if (correct === true) return "right";
  if (correct === false && node.answer !== null) return "wrong";
  if (node.answer !== null && node.answer !== undefined) return "finished";
  if (node.verdict_source === "dead_end") return "dead";
  return node.verdict === "end" ? "finished" : "open";
}

export const MARKS = {
  right: "finished, right",
  wrong: "finished, wrong",
  finished: "finished, not compared with an oracle answer",
  dead: "dead end: no step could be proposed here",
  open: "unfinished",
};
