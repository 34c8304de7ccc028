/**
 * The same tree as a table: for screen readers, for sorting, for reading steps in full. Rows that
 * are not seen are not in the document. It shares selection and folds with the tree.
 */

import { colour } from "./colour.js";
import { el } from "./dom.js";
import { mark, MARKS } from "./store.js";
import { brief, line, number } from "./text.js";
import { kinds } from "./tree_tip.js";

const BEYOND = 6; // rows drawn above and below what is seen
const ROW = 30; // pixels, as in tree_table.css
const WIDEST = 14; // characters of an answer, at most, as wide as its column is
const SIGNS = { right: "\u2713", wrong: "\u2717", finished: "\u25a0", dead: "\u25b7", open: "" };

/** `of` is what a column sorts by; unknown ones come last. `up`: the first press sorts upwards. */
const COLUMNS = [
  { name: "step", title: "Step; press to go back to the order of the tree", of: null },
  { name: "V", title: "Value V", of: (node) => node.value, say: (node) => number(node.value, 3) },
  { name: "n", title: "Visits", of: (node) => node.visits, say: (node) => brief(node.visits) },
  { name: "PRM", title: "What the process reward model said", of: (node) => node.prm, say: (node) => number(node.prm, 3) },
  { name: "log p", title: "Log-probability of the step under the policy", of: (node) => node.logprob ?? null, say: (node) => number(node.logprob ?? null, 2) },
  { name: "depth", title: "Steps from the question", of: (node) => node.depth, say: (node) => String(node.depth), up: true },
  { name: "it.", title: "Iteration in which it was made", of: (node) => node.iteration ?? null, say: (node) => String(node.iteration ?? "\u2013"), up: true },
  { name: "verdict", title: "What became of it", of: (node) => ["right", "wrong", "finished", "dead", "open"].indexOf(mark(node)), say: (node) => verdict(node), up: true },
  { name: "answer", title: "Final answer", of: (node) => node.answer, say: (node) => line(node.answer ?? "", 60), up: true },
];

function verdict(node) {
  const kind = mark(node);
  return kind === "dead" ? "dead end" : kind === "open" ? (node.verdict === "continue" ? "continue" : "") : kind;
}

/** What was done to a node, in as few words as tell it apart; all of it is in the title. */
function handled(node) {
  return [
    (node.overruled ?? null) === null ? "" : node.locked ? "locked" : "overruled",
    node.pruned || node.hidden ? "pruned" : "", { person: "written", rollout: "roll-out" }[node.made_by] ?? "",
    node.mark, (node.regraded ?? null) === null ? "" : "judging", node.note ? "note" : "", node.tags?.length ? "tags" : "",
  ].filter(Boolean);
}

/** Event: "shown", when it is shown or hidden. */
export class TreeTable extends EventTarget {
  /**
   * @param {Store} store
   * @param {TreeView} view
   */
  constructor(store, view) {
    super();
    Object.assign(this, { store, view });
    this.shown = false;
    this.sort = null; // {column, down}
    this.rows = [];
    this.frame = null;
    this.heads = COLUMNS.map((column) => this.head(column));
    this.body = el("div", { class: "lab-table-body", role: "rowgroup" });
    this.scroll = el("div", {
      class: "lab-table-scroll", role: "treegrid", tabindex: "0", "aria-label": "Nodes of the search tree", "aria-readonly": "true",
    }, el("div", { class: "lab-table-row is-head", role: "row" }, ...this.heads), this.body);
    this.element = el("div", { class: "lab-table", hidden: true }, this.scroll);
    this.scroll.addEventListener("scroll", () => this.draw());
    this.scroll.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => this.click(event));
    new ResizeObserver(() => this.draw()).observe(this.scroll);
    store.addEventListener("changed", () => this.later());
    store.addEventListener("selected", () => this.selected());
    view.folds.addEventListener("changed", () => this.later());
    view.find.addEventListener("changed", () => this.later());
  }

  head(column) {
    return el("div", { class: "lab-table-cell", role: "columnheader", "aria-sort": "none" },
      el("button", { type: "button", title: column.title, text: column.name, tabindex: "-1", on: { click: () => this.sortBy(column) } }));
  }

  show(on) {
    if (on === this.shown) return;
    this.shown = on;
    this.element.hidden = !on;
    this.view.element.hidden = on;
    if (on) {
      this.order();
      this.selected();
      this.scroll.focus({ preventScroll: true });
    } else {
      this.view.canvas.focus({ preventScroll: true });
    }
    this.dispatchEvent(new CustomEvent("shown"));
  }

  /** Sort by a column; the third press goes back to the order of the tree. */
  sortBy(column) {
    const first = !column.up;
    if (!column.of) this.sort = null;
    else if (this.sort?.column !== column) this.sort = { column, down: first };
    else this.sort = this.sort.down === first ? { column, down: !first } : null;
    COLUMNS.forEach((one, k) => this.heads[k].setAttribute("aria-sort", this.sort?.column !== one ? "none" : this.sort.down ? "descending" : "ascending"));
    this.scroll.scrollTop = 0;
    this.order();
  }

  later() {
    if (this.shown) this.frame ??= requestAnimationFrame(() => this.order());
  }

  /** Which rows there are, in which order. */
  order() {
    if (this.frame !== null) cancelAnimationFrame(this.frame);
    this.frame = null;
    const { store, view } = this;
    const rows = [];
    const stack = [view.folds.root];
    while (stack.length) {
      const node = store.nodes.get(stack.pop());
      if (!node) continue;
      rows.push(node);
      const children = store.children.get(node.id);
      if (children && (this.sort || !view.folds.folded.has(node.id))) for (let k = children.length - 1; k >= 0; k--) stack.push(children[k]);
    }
    if (this.sort) sorted(rows, this.sort);
    this.rows = rows;
    this.index = new Map(rows.map((node, k) => [node.id, k]));
    this.scroll.setAttribute("aria-rowcount", rows.length + 1);
    const widest = rows.reduce((most, node) => Math.max(most, (node.answer ?? "").length), 0);
    this.scroll.style.setProperty("--lab-answer", `${Math.min(widest, WIDEST)}ch`);
    this.draw();
  }

  draw() {
    if (!this.shown) return;
    this.body.style.height = `${this.rows.length * ROW}px`;
    const first = Math.max(0, Math.floor(this.scroll.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.rows.length, Math.ceil((this.scroll.scrollTop + this.scroll.clientHeight) / ROW) + BEYOND);
    const found = new Set(this.view.find.matches);
    this.body.replaceChildren(...this.rows.slice(first, last).map((node, k) => this.row(node, first + k, found)));
    const at = this.index?.get(this.store.selected);
    if (at >= first && at < last) this.scroll.setAttribute("aria-activedescendant", `lab-node-row-${this.store.selected}`);
    else this.scroll.removeAttribute("aria-activedescendant");
  }

  row(node, index, found) {
    const selected = node.id === this.store.selected;
    const children = this.store.children.get(node.id);
    const states = [["is-selected", selected], ["is-best", this.store.bestPath.has(node.id)], ["is-hidden", node.hidden], ["is-pruned", node.pruned], ["is-found", found.has(node.id)]];
    return el("div", {
      class: ["lab-table-row", ...states.filter(([, on]) => on).map(([name]) => name)].join(" "), role: "row", id: `lab-node-row-${node.id}`, data: { node: node.id },
      "aria-level": node.depth + 1, "aria-rowindex": index + 2, "aria-selected": String(selected),
      "aria-expanded": children?.length ? String(!this.view.folds.folded.has(node.id)) : null,
      style: { transform: `translateY(${index * ROW}px)` },
    }, this.step(node, children), ...COLUMNS.slice(1).map((column) => this.cell(node, column)));
  }

  step(node, children) {
    const indent = this.sort ? 0 : Math.min(node.depth - (this.store.nodes.get(this.view.folds.root)?.depth ?? 0), 16);
    const folded = this.view.folds.folded.has(node.id);
    const said = handled(node);
    return el("div", { class: "lab-table-cell is-step", role: "gridcell", style: { "padding-left": `${8 + indent * 14}px` } },
      el("i", { class: `lab-table-fold${folded ? " is-folded" : ""}`, data: children?.length && !this.sort ? { fold: "1" } : {}, "aria-hidden": "true", text: children?.length && !this.sort ? (folded ? "\u25b8" : "\u25be") : "" }),
      el("span", { class: "lab-table-text", text: node.parent === null ? line(this.store.tree?.question ?? "", 200) : line(node.step, 200) }),
      said.length ? el("span", { class: "lab-table-marks", title: kinds(node).slice(1).join(", ") }, ...said.map((word) => el("small", { text: word }))) : null);
  }

  cell(node, column) {
    const text = column.say(node);
    if (column.name === "V") {
      return el("div", { class: "lab-table-cell is-value", role: "gridcell" }, el("i", { class: "lab-swatch", style: { background: colour(node.value, this.store.range) } }), el("span", { text }));
    }
    if (column.name === "verdict") {
      const kind = mark(node);
      return el("div", { class: `lab-table-cell is-${kind}`, role: "gridcell", title: MARKS[kind], text: `${SIGNS[kind]} ${text}`.trim() });
    }
    return el("div", { class: `lab-table-cell${column.name === "answer" ? " is-answer-cell" : ""}`, role: "gridcell", text });
  }

  click(event) {
    const row = event.target.closest("[data-node]");
    if (!row) return;
    const id = Number(row.dataset.node);
    if (event.target.closest("[data-fold]")) this.view.folds.toggle(id);
    else this.store.select(id);
  }

  /** Bring the selected row into view. */
  selected() {
    if (!this.shown) return;
    const at = this.index.get(this.store.selected);
    if (at !== undefined) {
      const top = at * ROW;
      const { scroll } = this;
      const room = scroll.clientHeight - ROW;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      else if (top + ROW > scroll.scrollTop + room) scroll.scrollTop = top + ROW - room;
    }
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.scroll) return;
    const at = this.index.get(this.store.selected) ?? -1;
    const page = Math.max(1, Math.floor(this.scroll.clientHeight / ROW) - 2);
    const goal = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: Infinity }[event.key];
    if (goal !== undefined) this.go(goal);
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") this.across(this.rows[at], event.key === "ArrowRight", at);
    else if (event.key === "Escape") this.store.select(null);
    else return;
    event.preventDefault();
  }

  /** As trees are walked everywhere: unfold, then into it; fold, then to the parent. */
  across(node, right, at) {
    if (!node || this.sort) return;
    const { folds } = this.view;
    const below = this.store.children.get(node.id)?.length;
    const folded = folds.folded.has(node.id);
    if (right && below) folded ? folds.toggle(node.id) : this.go(at + 1);
    else if (!right && below && !folded) folds.toggle(node.id);
    else if (!right && node.id !== folds.root) this.store.select(node.parent);
  }

  go(index) {
    if (this.rows.length) this.store.select(this.rows[Math.max(0, Math.min(index, this.rows.length - 1))].id);
  }
}

function sorted(rows, { column, down }) {
  const sign = down ? -1 : 1;
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  rows.sort((one, other) => {
    const [a, b] = [column.of(one), column.of(other)];
    if (a === null || b === null || a === undefined || b === undefined) return (a ?? null) === (b ?? null) ? one.id - other.id : (a ?? null) === null ? 1 : -1;
    return sign * compare(a, b) || one.id - other.id;
  });
}
