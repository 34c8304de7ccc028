/** Problems by methods: who solved what. A press opens the tree. */

import { el } from "./dom.js";
import { KINDS, choice, markOf } from "./evaluate_styles.js";
import { nothingYet } from "./evaluate_words.js";
import { Message, call } from "./rounds_acts.js";
import { Rows } from "./rows.js";
import { count, line, number } from "./text.js";

const ORDERS = [["hard", "hardest first"], ["easy", "easiest first"], ["dataset", "as in the dataset"]];

export class Grid {
  constructor({ server, does, view }) {
    Object.assign(this, { server, does, view, order: "hard", column: 0, methods: [] });
    this.message = new Message();
    this.orders = el("div");
    this.hint = el("p", { class: "lab-muted" });
    this.head = el("div", { class: "lab-grid-row is-head", "aria-hidden": "true" });
    this.rows = new Rows({
      fetch: (offset, limit) => this.fetch(offset, limit), draw: (row, index) => this.row(row, index),
      open: (row) => this.open(row, this.methods[this.column]), fail: (error) => this.message.say(error),
    }, "Problems by methods: arrow keys walk, Enter opens the tree of the marked method");
    this.rows.element.addEventListener("keydown", (event) => this.key(event));
    // Before the list's own handler: a press on a mark means that method.
    this.rows.element.addEventListener("click", (event) => {
      const cell = event.target.closest("[data-column]");
      if (cell) this.column = Number(cell.dataset.column);
    }, { capture: true });
    this.none = el("div");
    this.legend = el("p", { class: "lab-grid-legend" }, ...Object.entries(KINDS).map(([kind, [sign, name]]) => el("span", {}, el("i", { class: `lab-grid-cell is-${kind}`, text: sign }), el("span", { text: name }))));
    this.element = el("div", { class: "lab-grid" }, this.none, el("div", { class: "lab-grid-top" }, this.orders, this.legend), this.message.element, this.head, this.rows.element, this.hint);
  }

  clear() {
    this.print = "";
    this.column = 0;
    this.rows.clear();
  }

  draw(one, report) {
    this.none.replaceChildren(...(report && !report.problems ? [nothingYet(one)] : []));
    if (!report?.problems) return;
    const methods = one.methods.filter((name) => report.scores.some((score) => score.method === name && score.budget === this.view.budget));
    const place = JSON.stringify([one.id, this.view.budget, this.order, methods]);
    const print = JSON.stringify([place, report.problems, one.done]);
    if (print === this.print) {
      this.rows.draw();
      return;
    }
    const same = place === this.place;
    Object.assign(this, { print, place, one, methods });
    this.element.style.setProperty("--lab-methods", methods.length);
    this.orders.replaceChildren(choice("Order", ORDERS, this.order, (order) => { this.order = order; this.draw(one, report); this.orders.querySelector("[aria-pressed=true]").focus(); }));
    const title = (name) => report.scores.find((score) => score.method === name).title;
    this.head.replaceChildren(el("span", { text: "problem" }), el("span", { class: "lab-grid-gold", text: "right answer" }),
      ...methods.map((name) => el("span", { class: "lab-grid-method", title: line(title(name), 60) }, el("span", { text: line(title(name), 22) }), markOf(name))), el("span", { class: "lab-grid-solved", text: "solved by" }));
    this.titles = methods.map(title);
    this.hint.textContent = `${count(report.problems)} problems. Difficulty is how many methods solved a problem${one.seeds.length > 1 ? "; marks of several seeds show how often" : ""}.`;
    if (same) this.rows.refresh();
    else this.rows.reset();
  }

  fetch(offset, limit) {
    return call(this.server.evaluation_grid, { evaluation: this.one.id, budget: this.view.budget, order: this.order, offset, limit });
  }

  row(row, index) {
    const here = index === this.rows.current;
    const cells = this.methods.map((name, column) => {
      const found = row.cells[name] ?? [];
      const right = found.filter((cell) => cell.kind === "right").length;
      const kind = found.length > 1 ? (right === found.length ? "right" : right ? "some" : found[0].kind) : found[0]?.kind ?? "none";
      const told = found.map((cell) => `${cell.answer === null ? KINDS[cell.kind][1] : `${line(cell.answer, 40)}, ${KINDS[cell.kind][1]}`}, ${count(cell.tokens)} tokens${cell.tie ? ` (${line(cell.tie, 200)})` : ""}`).join("; ");
      const words = found.map((cell) => KINDS[cell.kind][1]).join(" and ") || KINDS.none[1];
      return el("i", { class: `lab-grid-cell is-${kind}${here && column === this.column ? " is-here" : ""}`, role: "img", "aria-label": `${this.titles[column]} ${words}`, data: { column }, title: `${this.titles[column]}: ${told}`, text: kind === "some" ? `${right}/${found.length}` : KINDS[kind][0] });
    });
    return el("div", { class: "lab-grid-row", title: line(row.question, 600) },
      el("span", { class: "lab-grid-question", text: line(row.question, 220) }), el("span", { class: "lab-grid-gold", text: row.gold === null ? "\u2013" : line(row.gold, 30) }), ...cells,
      el("span", { class: "lab-grid-solved", text: `${number(100 * row.solved, 0)} %` }));
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.column = Math.max(0, Math.min(this.methods.length - 1, this.column + step));
    this.rows.draw();
  }

  open(row, method) {
    const session = (row.cells[method] ?? []).find((cell) => cell.session)?.session;
    if (session) this.does.open(session);
    else this.message.say("There is no tree of this search.");
  }
}
