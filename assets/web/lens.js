/**
 * The round lens: one tree as it stands, valued by the models of every round. The tree takes the
 * colours of one column; a table tells how values and log-probabilities drift.
 */

import { STEPS, colour, indexOf, table } from "./colour.js";
import { plus } from "./compare_colour.js";
import { el } from "./dom.js";
import { Store } from "./store.js";
import { count, line, number } from "./text.js";
import { TreeView } from "./tree_view.js";

const PAUSE = 400; // milliseconds between two looks
const MOST = 200; // rows of the table
const UNTAUGHT = "No round has taught these models yet, so there is nothing to compare. Start one on the sheet Rounds.";
const UNIT = { low: 0, high: 1 };
const SHAPE = { bins: 20, width: 132, height: 40 };

/** Colour of nodes by one column, in place of a tree's usual colours. Event: "changed". */
class ColumnColour extends EventTarget {
  constructor() {
    super();
    this.serial = 0;
    this.use([], UNIT, 2);
  }

  get mode() {
    return { name: "lens", note: (node) => number(this.numbers[node.id] ?? null, this.decimals) };
  }

  get name() {
    return `lens ${this.serial}`;
  }

  refresh() {}

  use(numbers, range, decimals) {
    Object.assign(this, { numbers, range, decimals, serial: this.serial + 1 });
    this.dispatchEvent(new CustomEvent("changed"));
  }

  index(node) {
    const value = this.numbers[node.id];
    return value === null || value === undefined ? STEPS + 1 : indexOf(value, this.range);
  }

  colours(theme) {
    return [...table(this.range === UNIT ? "viridis" : "plasma"), { css: theme.ground, dark: theme.dark }];
  }
}

export class Lens {
  /**
   * @param {Store} store
   * @param {{lens_taught: Function, lens_look: Function, lens_state: Function, lens_cancel: Function, delta: Function}} server
   */
  constructor(store, server) {
    Object.assign(this, { main: store, server });
    this.store = new Store();
    this.colouring = new ColumnColour();
    this.view = new TreeView(this.store, {}, this.colouring);
    this.view.setGhosts(false);
    this.which = "prms";
    this.column = 0;
    this.begin = el("button", { type: "button", class: "lab-primary", text: "Value this tree by every round", on: { click: () => this.look() } });
    this.stop = el("button", { type: "button", class: "lab-button", text: "Stop", hidden: true, on: { click: () => this.server.lens_cancel({ id: this.lens }) } });
    this.bar = el("i", {});
    this.progress = el("div", { class: "lab-what-if-bar", hidden: true }, this.bar);
    this.message = el("p", { class: "lab-lens-message", "aria-live": "polite" });
    this.columns = el("div", { class: "lab-lens-columns" });
    this.table = el("div", { class: "lab-lens-table" });
    this.content = el("div", { class: "lab-lens-content", hidden: true }, el("div", { class: "lab-lens-left" }, this.columns, el("div", { class: "lab-lens-tree" }, this.view.element)), this.table);
    this.element = el("div", { class: "lab-lens" }, el("div", { class: "lab-lens-top" }, el("div", { class: "lab-lens-words" },
      el("p", { text: "The tree stays as it is; the policy and the process reward model of every round read it again. So one sees what training has changed, node by node." }), this.message, this.progress), this.begin, this.stop), this.content);
    this.store.addEventListener("selected", () => this.mark());
    store.addEventListener("opened", () => this.forget());
    document.addEventListener("lab-theme", () => this.view.readTheme());
  }

  forget() {
    this.lens = null;
    this.state = null;
    this.content.hidden = true;
    this.say("");
    this.begin.hidden = false;
  }

  async show() {
    if (this.lens) {
      this.follow(this.lens);
      return;
    }
    const { taught } = await this.server.lens_taught({}).catch(() => ({}));
    if (this.lens) return;
    this.begin.hidden = taught === false;
    this.say(taught === false ? UNTAUGHT : "");
  }

  say(text, wrong = false) {
    this.message.textContent = text ? line(text, 600) : "";
    this.message.classList.toggle("is-error", wrong);
  }

  async look() {
    const { session } = this.main;
    this.begin.disabled = true;
    const [answer, delta] = await Promise.all([this.server.lens_look({ session }), this.server.delta({ session, since: -1 })]).catch(() => [{ error: "The lab does not answer." }, {}]);
    this.begin.disabled = false;
    const error = answer.error ?? delta.error;
    if (error) {
      this.say(error, true);
      return;
    }
    if (this.store.session !== session) this.store.open(session);
    this.store.cursor = -1;
    this.store.apply({ ...delta, reset: true });
    this.follow(answer.id);
  }

  async follow(id) {
    this.lens = id;
    while (this.lens === id && this.element.isConnected) {
      const state = await this.server.lens_state({ id }).catch(() => ({ error: "The lab does not answer." }));
      if (this.lens !== id) return;
      if (state.error) {
        this.say(state.error, true);
        return;
      }
      this.take(state);
      if (state.status !== "working") return;
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  }

  take(state) {
    const working = state.status === "working";
    const print = JSON.stringify([state.id, state.status, state.done]);
    const comparable = state.prms.length > 1 || state.policies.length > 1;
    this.progress.hidden = this.stop.hidden = !working;
    this.begin.hidden = working;
    this.begin.textContent = "Look again";
    this.bar.style.width = `${(100 * state.done) / (state.total || 1)}%`;
    if (working) this.say(state.done ? `${count(state.done)} of ${count(state.total)} nodes` : "Waiting for the models \u2026");
    else if (state.status === "failed") this.say(state.message, true);
    else if (!comparable) this.say(UNTAUGHT);
    else this.say(state.status === "cancelled" ? "Stopped; what is known is shown." : state.policies.length ? "" : "This policy has no weights that could be asked for log-probabilities.");
    if (print === this.print) return;
    Object.assign(this, { state, print });
    this.content.hidden = !comparable || !state.prms.some((one) => one.numbers.some((value) => value !== null));
    if (!this.content.hidden) this.draw();
  }

  // Drawing.

  draw() {
    const { state } = this;
    const group = (which, title, note) => (state[which].length ? el("section", { class: "lab-lens-group" },
      el("h3", { text: title, title: note }), el("div", { class: "lab-lens-multiples" }, ...state[which].map((column, k) => this.multiple(which, column, k)))) : null);
    this.columns.replaceChildren(...[group("prms", "Value by the PRM of", "How the values of all nodes are spread; press to colour the tree"), group("policies", "log p by the policy of", "Log-probability of a step after the steps before it, summed over its tokens")].filter(Boolean));
    this.paint();
    this.drawTable();
  }

  range(which) {
    if (which === "prms") return UNIT;
    const known = this.state.policies.flatMap((one) => one.numbers).filter((value) => value !== null).sort((a, b) => a - b);
    return { low: known[Math.floor(known.length * 0.02)] ?? -1, high: 0 };
  }

  paint() {
    const column = this.state[this.which][this.column] ?? this.state.prms[0];
    this.colouring.use(column.numbers, this.range(this.which), 2);
    this.view.readTheme();
  }

  /** One of several small charts alike: how the numbers of a column are spread. */
  multiple(which, column, k) {
    const range = this.range(which);
    const known = column.numbers.filter((value) => value !== null);
    const mean = known.reduce((sum, value) => sum + value, 0) / (known.length || 1);
    const bins = new Array(SHAPE.bins).fill(0);
    for (const value of known) bins[Math.max(0, Math.min(SHAPE.bins - 1, Math.floor(((value - range.low) / (range.high - range.low)) * SHAPE.bins)))]++;
    const most = Math.max(...bins, 1);
    const bars = bins.map((n, b) => el("i", { style: { height: `${(SHAPE.height * n) / most}px`, background: which === "prms" ? colour((b + 0.5) / SHAPE.bins, UNIT) : "var(--lab-accent)" } }));
    const chosen = which === this.which && k === this.column;
    return el("button", { type: "button", class: "lab-lens-multiple", "aria-pressed": String(chosen), title: `${count(known.length)} nodes, mean ${number(mean, 3)}. Press to colour the tree by it.`, on: { click: () => { Object.assign(this, { which, column: k }); this.draw(); } } },
      el("span", {}, el("b", { text: column.name }), column.used ? el("span", { class: "lab-chip", text: "made it", title: "The tree was made with this model" }) : null),
      el("span", { class: "lab-lens-bars", "aria-hidden": "true" }, ...bars), el("small", { text: `mean ${number(mean, which === "prms" ? 3 : 2)}` }));
  }

  drawTable() {
    const columns = this.state[this.which];
    const decimals = this.which === "prms" ? 3 : 2;
    const title = el("h3", { text: this.which === "prms" ? "Drift of values" : "Drift of log-probabilities" });
    if (columns.length < 2) {
      this.table.replaceChildren(title, el("p", { class: "lab-muted", text: "Only one model of this kind has read the tree: there is nothing to compare yet." }));
      return;
    }
    const drifts = [...this.store.nodes.values()].filter((node) => node.parent !== null).map((node) => {
      const numbers = columns.map((one) => one.numbers[node.id]);
      const known = numbers.filter((value) => value !== null);
      return { node, numbers, drift: known.length > 1 ? known[known.length - 1] - known[0] : 0, spread: known.length ? Math.max(...known) - Math.min(...known) : 0 };
    }).sort((a, b) => b.spread - a.spread || a.node.id - b.node.id);
    const shown = drifts.slice(0, MOST);
    this.table.replaceChildren(
      title,
      el("table", {}, el("thead", {}, el("tr", {}, el("th", { text: "step", scope: "col" }), ...columns.map((one) => el("th", { text: one.name, scope: "col" })), el("th", { text: "drift", scope: "col", title: "The last round's number less the first one's; sorted by the difference of greatest and least" }))),
        el("tbody", {}, ...shown.map((row) => this.row(row, decimals)))),
      drifts.length > shown.length ? el("p", { class: "lab-muted", text: `The ${count(MOST)} nodes that drift most, of ${count(drifts.length)}.` }) : "");
    this.mark();
  }

  row({ node, numbers, drift }, decimals) {
    const range = this.range(this.which);
    return el("tr", { data: { node: node.id }, on: { click: () => this.store.select(node.id) } },
      el("th", { scope: "row" }, el("button", { type: "button", class: "lab-link", text: line(node.step, 60), title: `node ${node.id}: ${line(node.step, 400)}` })),
      ...numbers.map((value) => el("td", {}, value === null ? null : el("i", { class: "lab-swatch", style: { background: this.which === "prms" ? colour(value, UNIT) : shade(value, range) } }), el("span", { text: number(value, decimals) }))),
      el("td", { class: "lab-lens-drift", text: plus(drift, decimals) }));
  }

  mark() {
    for (const row of this.table.querySelectorAll("tr[data-node]")) row.classList.toggle("is-self", Number(row.dataset.node) === this.store.selected);
  }
}

function shade(value, range) {
  return table("plasma")[indexOf(value, range)].css;
}
