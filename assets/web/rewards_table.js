/** The rows of all rewards: of any number, sorted by a press on a column's name, filtered by kind. */

import { el } from "./dom.js";
import { Rows } from "./rows.js";
import { valueOf } from "./rewards_why.js";
import { count, ending, line, number } from "./text.js";

const KINDS = [["all", "All"], ["changed", "Changed"], ["touched", "By a person"], ["right", "Right"], ["wrong", "Wrong"], ["marked", "Marked"], ["leaves", "Answers"]];
const ALWAYS = new Set(["all", "right", "wrong", "leaves"]);
const CHARACTER = 7.3; // pixels of a letter of a step
const INDENT = 5; // pixels a step further from the root
const COLUMNS = [
  ["", "node", "The order of the tree"],
  [null, "step", ""],
  ["value", "value", "The training target, by the method above"],
  ["m", "m", "Steps still missing to a correct answer"],
  ["r", "r", "Step error: 0 right, 1 wrong"],
  ["w", "w", "Weighted reward: what the step adds"],
  ["parent_value", "before", "Value of the step before"],
  ["right", "right", "Finished solutions below that count as right"],
  ["wrong", "wrong", "Finished solutions below that count as wrong"],
  ["mark", "mark", "A person's verdict on this step"],
];

export class RewardsTable {
  /**
   * @param {Store} store
   * @param {object} server
   * @param {RewardState} state
   */
  constructor(store, server, state) {
    Object.assign(this, { store, server, state, kind: "all", sort: "", down: false, told: null });
    this.kinds = el("div", { class: "lab-kinds", role: "group", "aria-label": "Which rows" });
    this.heads = COLUMNS.map(([name, text, help]) => (name === null
      ? el("span", { text })
      : el("button", { type: "button", title: help ? `${help}. Press to sort.` : "", data: { sort: name }, on: { click: () => this.order(name) } }, el("span", { text }))));
    this.rows = new Rows({
      fetch: (offset, limit) => this.fetch(offset, limit),
      draw: (row) => this.row(row),
      open: (row) => store.select(row.node),
      fail: (error) => this.fail(error),
    }, "Rewards: arrow keys walk, Enter shows why");
    this.message = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.empty = el("p", { class: "lab-empty lab-rewards-empty", hidden: true });
    this.element = el("div", { class: "lab-rewards-table" }, this.kinds, this.message,
      el("div", { class: "lab-reward-row is-head" }, ...this.heads), this.rows.element, this.empty);
    store.addEventListener("selected", () => this.rows.draw());
    this.drawHeads();
  }

  /** Another tree, method or filter: from the start. */
  reset() {
    this.drawHeads();
    return this.rows.reset();
  }

  order(name) {
    this.down = this.sort === name ? !this.down : name !== "" && name !== "mark";
    this.sort = name;
    this.reset();
  }

  filter(kind) {
    this.kind = kind;
    this.drawKinds();
    this.reset();
  }

  async fetch(offset, limit) {
    const { session } = this.store;
    if (session === null) return { rows: [], total: 0 };
    const { method, supposed } = this.state;
    const answer = await this.server.rewards({ session, method, supposed, kind: this.kind, sort: this.sort, down: this.down, offset, limit });
    if (answer.error || session !== this.store.session || method !== this.state.method) return answer;
    this.fail("");
    this.told = answer;
    this.drawKinds();
    this.empty.hidden = answer.total > 0;
    this.empty.textContent = answer.empty || "No row of this kind.";
    this.element.dispatchEvent(new CustomEvent("told", { detail: answer }));
    return answer;
  }

  fail(error) {
    this.message.hidden = !error;
    this.message.textContent = error ? line(error, 600) : "";
  }

  drawHeads() {
    for (const head of this.heads) {
      if (head.dataset.sort === undefined) continue;
      const on = head.dataset.sort === this.sort;
      head.setAttribute("aria-pressed", String(on));
      head.dataset.down = String(on && this.down);
    }
  }

  drawKinds() {
    const counts = this.told?.counts ?? {};
    const shown = KINDS.filter(([kind]) => ALWAYS.has(kind) || counts[kind] || kind === this.kind);
    const print = JSON.stringify([shown, counts, this.kind]);
    if (print === this.print) return;
    this.print = print;
    const focused = this.kinds.contains(document.activeElement);
    this.kinds.replaceChildren(...shown.map(([kind, name]) => el("button", {
      type: "button", class: "lab-kind", "aria-pressed": String(kind === this.kind), data: { kind }, on: { click: () => this.filter(kind) },
    }, el("span", { text: name }), el("small", { text: count(counts[kind] ?? 0) }))));
    if (focused) this.kinds.querySelector("[aria-pressed=true]")?.focus();
  }

  /** On a phone a row has two lines, and its step one of them. */
  get wide() {
    return this.heads[1].clientWidth > 0;
  }

  /** How many characters of a step there is room for. */
  room(depth) {
    const width = this.wide ? this.heads[1].clientWidth - INDENT * depth : this.rows.element.clientWidth - 60;
    return Math.max(8, Math.floor(width / CHARACTER));
  }

  row(row) {
    const node = this.store.nodes.get(row.node);
    const before = row.changed ? row.before?.value ?? null : undefined;
    const self = row.node === this.store.selected;
    const depth = Math.min(node?.depth ?? 0, 16);
    const step = node?.parent === null ? "the question" : ending(node?.step, this.room(depth));
    return el("div", { class: `lab-reward-row${self ? " is-self" : ""}${row.changed ? " is-changed" : ""}${row.gone ? " is-gone" : ""}`, title: line(node?.step, 600) },
      el("span", { class: "lab-reward-node", text: String(row.node) }),
      el("span", { class: "lab-reward-step", text: step, style: { "padding-left": this.wide ? `${INDENT * depth}px` : "0" } }),
      row.gone ? el("span", { class: "lab-reward-value" }, el("s", { text: number(row.value, 3) }), el("span", { class: "lab-reward-arrow", text: "\u2192 none" })) : valueOf(row.value, before),
      cell("m", row.m === null ? "" : count(row.m)),
      cell("r", row.r === null ? "" : count(row.r), row.r ? "is-bad" : ""),
      cell("w", row.w === null ? "" : number(row.w, 3)),
      cell("before", row.parent_value === null ? "" : number(row.parent_value, 3)),
      cell("right", count(row.right), row.right ? "is-good" : "is-nil"),
      cell("wrong", count(row.wrong), row.wrong ? "is-bad" : "is-nil"),
      el("span", { class: "lab-reward-mark" },
        row.mark ? el("span", { class: `lab-chip is-${row.mark}`, text: row.mark }) : null,
        row.touched ? el("i", { class: "lab-touched", title: "A person's verdict enters this row", "aria-label": "by a person" }) : null));
  }
}

function cell(name, text, kind = "") {
  return el("span", { class: `lab-reward-number is-${name} ${kind}`, data: { name }, text });
}
