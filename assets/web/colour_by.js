/**
 * What the colour of a node says: value, visits, the process reward model's word, the policy's
 * log-probability, verdict or iteration. The choice is remembered by the browser.
 */

import { STEPS, indexOf, table } from "./colour.js";
import { mark } from "./store.js";
import { count, number } from "./text.js";

const KEY = "lab-colour-by";
const UNKNOWN = STEPS + 1;
const CATEGORIES = ["open", "right", "wrong", "finished", "dead"];

/**
 * `of` a node: a number, or null where it is not known. `range`: {low, high} of these numbers.
 * `say`: how a number is written. `note`: what stands beside the visits under a step.
 */
export const MODES = {
  value: {
    name: "value V", map: "viridis", title: "V of the node: the PRM's value, moved by roll-outs and backups",
    of: (node) => (node.visits || node.prm !== null ? node.value : null), range: (store) => store.range, say: number,
    note: (node) => number(node.value),
  },
  visits: {
    name: "visits n", map: "cividis", title: "How often backups passed through the node, on a logarithmic scale",
    of: (node) => (node.visits ? Math.log(node.visits) : null), range: (store) => ({ low: 0, high: Math.log(Math.max(2, store.mostVisits)) }),
    say: (log) => count(Math.exp(log)), note: (node) => number(node.value),
  },
  prm: {
    name: "PRM value", map: "viridis", title: "What the process reward model said, before roll-outs and backups",
    of: (node) => node.prm, range: (store) => store.range, say: number, note: (node) => `PRM ${number(node.prm)}`,
  },
  logprob: {
    name: "log p", map: "plasma", title: "Log-probability of the step under the policy, summed over its tokens",
    of: (node) => node.logprob ?? null, range: (store) => spread(store, (node) => node.logprob ?? null),
    say: (value) => number(value, 1), note: (node) => `log p ${number(node.logprob ?? null, 1)}`,
  },
  verdict: { name: "verdict", title: "What became of the node", note: (node) => number(node.value) },
  iteration: {
    name: "iteration", map: "magma", title: "In which iteration the node was made",
    of: (node) => node.iteration ?? null, range: (store) => ({ low: 0, high: Math.max(1, store.tree?.iteration ?? 1) }),
    say: count, note: (node) => `it ${count(node.iteration)}`,
  },
};

/** The range of what is known, without the most extreme 2 % at its low end. */
function spread(store, of) {
  const known = Float64Array.from([...store.nodes.values()].map(of).filter((value) => value !== null)).sort();
  if (!known.length) return { low: -1, high: 0 };
  return { low: known[Math.floor(known.length * 0.02)], high: Math.max(known[known.length - 1], known[0] + 1e-6) };
}

/** Event: "changed", when another quantity is chosen. */
export class ColourBy extends EventTarget {
  /** @param {Store} store */
  constructor(store) {
    super();
    this.store = store;
    this.name = remembered();
    this.range = { low: 0, high: 1 };
    this.refresh();
  }

  get mode() {
    return MODES[this.name];
  }

  choose(name) {
    if (!(name in MODES) || name === this.name) return;
    this.name = name;
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // A browser that keeps nothing still colours.
    }
    this.refresh();
    this.dispatchEvent(new CustomEvent("changed"));
  }

  /** The nodes have changed, and with them perhaps the range. */
  refresh() {
    if (this.mode.range) this.range = this.mode.range(this.store);
  }

  /** Which colour a node has: an index into `colours`. */
  index(node) {
    const { mode } = this;
    if (!mode.of) return CATEGORIES.indexOf(mark(node));
    const value = mode.of(node);
    return value === null || value === undefined ? UNKNOWN : indexOf(value, this.range);
  }

  /** All colours in the present theme, {css, dark}, by index. */
  colours(theme) {
    if (!this.mode.of) return CATEGORIES.map((kind) => ({ css: theme[`cat-${kind}`], dark: kind === "dead" || kind === "right" }));
    return [...table(this.mode.map), { css: theme.ground, dark: theme.dark }];
  }
}

function remembered() {
  try {
    const name = localStorage.getItem(KEY);
    return name in MODES ? name : "value";
  } catch {
    return "value";
  }
}
