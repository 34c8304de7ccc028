/**
 * A store that can show its session as it was. What comes in meanwhile waits for the return.
 *
 * Event besides those of a store: "travelled" (to another time, or back).
 */

import { Store } from "./store.js";

export class TimeStore extends Store {
  clear() {
    super.clear();
    this.past = null; // {at, kind, nodes} while another time is shown: the event, and how many nodes there were
    this.present = null;
    this.waiting = [];
  }

  apply(delta) {
    if (this.past === null) return super.apply(delta);
    if (delta.session !== this.session || (!delta.reset && delta.cursor < this.cursor)) return undefined;
    if (delta.reset) this.waiting = [];
    this.waiting.push(delta);
    this.cursor = delta.cursor;
    const before = this.fingerprint();
    [this.run, this.name, this.connection] = [delta.run, delta.name, ""];
    if (before !== this.fingerprint()) this.emit("changed", { structure: false, nodes: 0 });
    return undefined;
  }

  /**
   * Show a tree of another time.
   *
   * @param {Frames} frames folded to that time; its nodes are shown as they are
   * @param {boolean} others whether nodes went since the last call
   */
  travel(frames, others) {
    if (this.session === null || !this.tree) return;
    const first = this.past === null;
    if (first) {
      const { nodes, order, children, moves, tree, mostVisits } = this;
      this.present = { nodes, order, children, moves, tree, mostVisits };
    }
    const { facts, frame } = frames;
    const grown = first || others || this.past.nodes !== frames.order.length;
    if (first || others) this.life++;
    this.past = { at: frame.at, kind: frame.kind, nodes: frames.order.length };
    Object.assign(this, { nodes: frames.nodes, order: frames.order, children: frames.children, moves: frames.moves() });
    this.mostVisits = Math.max(1, this.nodes.get(0)?.visits ?? 1);
    this.show(pastTree(this.present.tree, facts, this.order.length), grown);
  }

  /** Show the present again. */
  comeBack() {
    if (this.past === null) return;
    const { waiting, present } = this;
    Object.assign(this, present);
    this.life++;
    [this.past, this.present, this.waiting] = [null, null, []];
    this.show(this.tree, true);
    for (const delta of waiting) {
      this.cursor = Math.min(this.cursor, delta.cursor);
      super.apply(delta);
    }
  }

  show(tree, structure) {
    this.tree = tree;
    this.bestPath = new Set(tree.best_path ?? []);
    this.searchPath = new Set(tree.path ?? []);
    if (this.selected !== null && !this.nodes.has(this.selected)) this.select(null);
    this.emit("changed", { structure, nodes: this.nodes.size });
    this.emit("travelled");
  }
}

function pastTree(tree, facts, nodes) {
  const { iteration, phase, acted = false, path = [], picks = [], best_path: bestPath = [0], answers = [], answer = null, correct = null, tie = null, cost = {} } = facts;
  return {
    ...tree, iteration, phase, acted, path, picks, answers, answer, correct, tie, cost, nodes, best_path: bestPath,
    best: bestPath[bestPath.length - 1], voted: null, last_cost: null, rollout: null, stop: "",
  };
}
