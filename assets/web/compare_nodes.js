/**
 * Two nodes of a tree beside each other, and the paths to them: numbers, steps in line, and the
 * words in which they differ. One node is pinned; the other is the selected one.
 */

import { colour } from "./colour.js";
import { differences } from "./compare_words.js";
import { el, icon } from "./dom.js";
import { register } from "./keys.js";
import { write } from "./math.js";
import { MARKS, mark } from "./store.js";
import { block, count, line, number, visible } from "./text.js";

const LONGEST = 4000; // characters of a step that are compared
const FIGURES = [
  ["V", (node) => node.value, (value) => number(value, 3), "Value V now"],
  ["visits n", (node) => node.visits, count, "How often backups passed through"],
  ["PRM", (node) => node.prm, (value) => number(value, 3), "What the process reward model said of the prefix"],
  ["log p", (node) => node.logprob, (value) => number(value, 2), "Log-probability of the last step under the policy"],
  ["depth", (node) => node.depth, count, "Steps from the question"],
];

export class ComparePanel {
  /**
   * @param {TimeStore} store
   * @param {{show: () => void, sessions: () => void}} go shows this panel; opens the comparison of sessions
   */
  constructor(store, go) {
    Object.assign(this, { store, go });
    this.pinned = null;
    this.element = el("div", { class: "lab-compare-panel" });
    store.addEventListener("opened", () => this.pin(null));
    store.addEventListener("selected", () => this.draw());
    store.addEventListener("changed", () => this.draw());
    register("d", "keep this node, to compare the next one with it", () => this.keep(), { group: "Compare" });
  }

  /** Keep a node; the selected one is compared with it. null: none. */
  pin(id) {
    this.pinned = id;
    this.draw();
  }

  keep() {
    if (this.store.selected === null) return false;
    this.pin(this.store.selected);
    this.go.show();
    return true;
  }

  /** Another node was picked beside the selected one. */
  pick(id) {
    const { selected } = this.store;
    if (id === null) return;
    if (this.pinned === null || this.pinned === id) this.pinned = selected ?? 0;
    this.store.select(id);
    this.go.show();
  }

  /** The panel has come to the front. */
  shown() {
    this.draw();
  }

  draw() {
    if (this.element.hidden) return;
    const { store, pinned } = this;
    const [one, other] = [store.nodes.get(pinned), store.nodes.get(store.selected)];
    const parts = one && other && one !== other ? [this.heads(one, other), this.figures(one, other), this.steps(one, other)] : [this.invite(one)];
    this.element.replaceChildren(...parts, this.others());
  }

  invite(one) {
    const rest = one
      ? `Node ${one.id} is kept. Click another node to compare it with.`
      : "Shift and click a second node in the tree, or keep the selected one (D) and select another.";
    return el("section", { class: "lab-section" },
      el("h3", { text: "Two nodes" }), el("p", { class: "lab-empty", text: rest }),
      one || this.store.selected === null ? null : el("button", { type: "button", class: "lab-button", text: `Keep node ${this.store.selected}`, on: { click: () => this.keep() } }),
      this.quick(one));
  }

  /** Nodes that one is likely to want beside the selected one. */
  quick(one) {
    const { store } = this;
    const here = one?.id ?? store.selected;
    const node = store.nodes.get(here);
    if (!node) return null;
    const best = store.tree?.best_path?.at(-1);
    const rival = (store.children.get(node.parent) ?? []).filter((id) => id !== here).sort((a, b) => store.nodes.get(b).value - store.nodes.get(a).value)[0];
    const last = [...store.searchPath].at(-1);
    const choices = [["best answer", best], ["best sibling", rival], ["last selected", last]].filter(([, id]) => id !== undefined && id !== here && store.nodes.has(id));
    if (!choices.length) return null;
    return el("div", { class: "lab-compare-quick" }, el("span", { class: "lab-muted", text: "Compare with" }), ...choices.map(([name, id]) =>
      el("button", { type: "button", class: "lab-link", text: `${name} (${id})`, on: { click: () => { this.pinned = here; store.select(id); this.draw(); } } })));
  }

  heads(one, other) {
    const card = (node, side) => el("div", { class: `lab-compare-head is-${side}` },
      el("b", { text: node.parent === null ? "Root" : `Node ${node.id}` }), el("span", { class: "lab-muted", text: MARKS[mark(node)].split(",")[0] }));
    const swap = el("button", { type: "button", class: "lab-tool", title: "Exchange the two", "aria-label": "Exchange the two", on: { click: () => this.swap() } }, icon("swap"));
    const drop = el("button", { type: "button", class: "lab-tool", title: "Keep no node", "aria-label": "Keep no node", on: { click: () => this.pin(null) } }, icon("cross"));
    return el("header", { class: "lab-compare-heads" }, card(one, "one"), swap, card(other, "other"), drop);
  }

  swap() {
    const kept = this.pinned;
    this.pinned = this.store.selected;
    this.store.select(kept);
  }

  figures(one, other) {
    const row = ([name, of, say, title]) => {
      const [a, b] = [of(one), of(other)];
      const known = a !== null && a !== undefined && b !== null && b !== undefined;
      return el("tr", {}, el("th", { text: name, title, scope: "row" }), el("td", { text: say(a) }), el("td", { text: say(b) }), el("td", { class: "lab-compare-gap", text: known ? signed(b - a, say) : "" }));
    };
    const words = [["verdict", (node) => MARKS[mark(node)].split(",")[0]], ["answer", (node) => line(node.answer ?? "\u2013", 60)], ["your mark", (node) => node.mark || "\u2013"]];
    return el("table", { class: "lab-compare-figures" },
      el("thead", {}, el("tr", {}, el("td"), el("th", { text: one.id, scope: "col" }), el("th", { text: other.id, scope: "col" }), el("th", { text: "difference", scope: "col" }))),
      el("tbody", {}, ...FIGURES.map(row), ...words.map(([name, of]) => el("tr", {}, el("th", { text: name, scope: "row" }), el("td", { text: of(one) }), el("td", { text: of(other) }), el("td")))));
  }

  /** Both paths step by step: what they share in one line, then side by side. */
  steps(one, other) {
    const [first, second] = [one, other].map((node) => this.store.pathTo(node.id).slice(1));
    let shared = 0;
    while (shared < first.length && first[shared] === second[shared]) shared++;
    const rows = [];
    for (let k = shared; k < Math.max(first.length, second.length); k++) rows.push(this.pair(k, first[k], second[k]));
    const common = first.slice(0, shared).map((id) => this.step(id));
    return el("section", { class: "lab-section" },
      el("h3", { text: "Steps", title: "Both paths, step by step; words that only one of them has are coloured" }),
      shared ? el("details", { class: "lab-compare-common" }, el("summary", { text: shared === 1 ? "1 step in common" : `${count(shared)} steps in common` }), el("ol", { class: "lab-path" }, ...common)) : null,
      el("div", { class: "lab-compare-steps" }, ...rows));
  }

  pair(k, one, other) {
    const [a, b] = [this.store.nodes.get(one), this.store.nodes.get(other)];
    const parts = differences((a?.step ?? "").slice(0, LONGEST), (b?.step ?? "").slice(0, LONGEST));
    return el("div", { class: "lab-compare-pair" }, el("span", { class: "lab-compare-depth", text: k + 1, title: `step ${k + 1}` }), this.side(a, parts, "one"), this.side(b, parts, "other"));
  }

  side(node, parts, kind) {
    if (!node) return el("div", { class: "lab-compare-side is-empty" });
    const text = parts.filter((part) => part.kind === "same" || part.kind === kind)
      .map((part) => el(part.kind === "same" ? "span" : "mark", { class: part.kind === "same" ? "" : `is-${kind}`, text: visible(part.text) }));
    return el("button", { type: "button", class: `lab-compare-side is-${kind}`, title: `node ${node.id}`, on: { click: () => this.store.select(node.id) } },
      el("span", { class: "lab-compare-text" }, ...text), this.value(node));
  }

  value(node) {
    return el("span", { class: "lab-compare-value" }, el("i", { class: "lab-swatch", style: { background: colour(node.value, this.store.range) } }), el("span", { text: `${number(node.value, 3)}  n ${count(node.visits)}` }));
  }

  step(id) {
    const node = this.store.nodes.get(id);
    return el("li", {}, el("button", { type: "button", on: { click: () => this.store.select(id) } },
      el("i", { class: "lab-swatch", style: { background: colour(node.value, this.store.range) } }),
      write(el("span", { class: "lab-path-step" }), block(node.step, 600)), el("span", { class: "lab-path-value", text: number(node.value) })));
  }

  others() {
    return el("section", { class: "lab-section" }, el("h3", { text: "Two searches" }),
      el("p", { class: "lab-empty", text: "Forks, what-ifs and other searches of this question stand beside this one on a sheet of their own." }),
      el("button", { type: "button", class: "lab-button", text: "Compare with another search", on: { click: () => this.go.sessions() } }));
  }
}

function signed(gap, say) {
  return gap > 0 ? `+${say(gap)}` : say(gap);
}
