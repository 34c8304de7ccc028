/** All evaluations: what was compared, how far it is, what was best; two of them compared. */

import { el } from "./dom.js";
import { markOf } from "./evaluate_styles.js";
import { listed, nameOf, points, progressBar, stateOf, verdictOf } from "./evaluate_words.js";
import { Message, call } from "./rounds_acts.js";
import { between, count, line, percent, roughly, when } from "./text.js";

export class EvaluationList {
  /**
   * @param {KnownEvaluations} known
   * @param {{evaluation_compare: Function}} server
   * @param {(place: string) => void} go
   */
  constructor(known, server, go) {
    Object.assign(this, { known, server, go });
    this.items = new Map();
    this.chosen = [];
    this.message = new Message();
    this.compared = el("div", { class: "lab-compared", hidden: true, "aria-live": "polite" });
    this.list = el("div", { class: "lab-evaluations-list" });
    this.element = el("div", { class: "lab-evaluations" }, this.message.element, this.compared, this.list);
  }

  draw() {
    const { known } = this;
    this.message.say(known.connection);
    for (const one of known.list) this.drawItem(one);
    const print = JSON.stringify([known.list.map((one) => one.id), known.known]);
    if (print === this.print) return;
    this.print = print;
    const present = new Set(known.list.map((one) => one.id));
    this.chosen = this.chosen.filter((id) => present.has(id));
    this.compared.hidden = !this.chosen.length;
    this.list.replaceChildren(...(known.list.length ? known.list.map((one) => this.items.get(one.id).element) : known.known ? [invitation(this.go)] : []));
  }

  /** Lines keep their element, so that neither focus nor hover is lost when a figure moves. */
  drawItem(one) {
    let item = this.items.get(one.id);
    if (!item) {
      const box = el("input", { type: "checkbox", "aria-label": `Compare ${nameOf(one)}`, on: { change: () => this.choose(one.id, box.checked) } });
      const open = el("button", { type: "button", class: "lab-evaluation-open", data: { evaluation: one.id }, on: { click: () => this.go(one.id) } });
      item = { box, open, element: el("div", { class: "lab-round-line" }, el("label", { class: "lab-round-check", title: "Compare with another evaluation" }, box), open) };
      this.items.set(one.id, item);
    }
    const print = JSON.stringify(one);
    if (item.print !== print) item.open.replaceChildren(...lineOf(one));
    item.print = print;
    item.box.checked = this.chosen.includes(one.id);
  }

  async choose(id, on) {
    this.chosen = on ? [...this.chosen, id].slice(-2) : this.chosen.filter((one) => one !== id);
    for (const [other, item] of this.items) item.box.checked = this.chosen.includes(other);
    this.compared.hidden = !this.chosen.length;
    if (this.chosen.length < 2) {
      this.compared.replaceChildren(el("p", { class: "lab-muted", text: "Choose another evaluation to compare the methods, budgets and problems that both have." }));
      return;
    }
    const [one, other] = this.chosen.map((chosen) => this.known.find(chosen)).sort((a, b) => a.created - b.created);
    this.compared.replaceChildren(el("p", { class: "lab-muted", text: "Comparing \u2026" }));
    const answer = await call(this.server.evaluation_compare, { one: one.id, other: other.id });
    if (!this.chosen.includes(one.id) || !this.chosen.includes(other.id)) return;
    this.compared.replaceChildren(...comparedOf(one, other, answer));
  }
}

function lineOf(one) {
  const facts = [`${count(one.problems)} problems`, `${count(one.methods.length)} methods`, `${listed(one.budgets)} tokens`, one.seeds.length > 1 ? `${count(one.seeds.length)} seeds` : ""];
  const progress = one.status === "done" ? null : progressBar(one.done, one.searches, stateOf(one));
  const left = one.active && one.left !== null ? `${roughly(one.left)} left` : one.status === "done" ? "" : `${count(one.done)} of ${count(one.searches)} searches`;
  return [
    el("span", { class: "lab-evaluation-name" }, el("b", { text: nameOf(one) }), el("small", { text: [one.name ? line(one.dataset.split("/").pop(), 40) : "", when(one.created)].filter(Boolean).join(", ") })),
    el("span", { class: "lab-evaluation-state" }, el("small", {}, el("span", { class: `lab-state is-${one.status}`, text: stateOf(one) }), el("span", { text: left })), progress, el("small", { text: facts.filter(Boolean).join("  \u00b7  ") })),
    el("span", { class: "lab-evaluation-best" }, ...one.best.map((best) => el("span", { title: leadOf(best) }, el("small", { text: count(best.budget) }), markOf(best.method), el("span", { text: line(best.title, 40) }), el("b", { text: percent(best.accuracy) }), el("small", { text: best.tied.length ? "tie" : best.close.length ? "n.s." : "" })))),
    one.status === "failed" && one.message ? el("span", { class: "lab-batch-error", text: line(one.message, 240) }) : null,
  ].filter(Boolean);
}

/** Whether the best at a budget is one, in words. */
function leadOf(best) {
  const at = `at ${count(best.budget)} tokens`;
  const names = (titles) => line(titles.join(", "), 300);
  if (best.tied.length) return `A tie ${at}: ${names([best.title, ...best.tied])} are right equally often`;
  return `Right most often ${at}${best.close.length ? `, but not significantly more often than ${names(best.close)}` : ""}`;
}

function comparedOf(one, other, answer) {
  if (answer.error) return [el("p", { class: "lab-message is-error", role: "alert", text: line(answer.error, 400) })];
  const name = (which) => `${nameOf(which)}, ${when(which.created)}`;
  const head = el("p", {}, el("b", { text: name(one) }), el("span", { class: "lab-muted", text: " against the later " }), el("b", { text: name(other) }));
  if (!answer.problems) return [head, el("p", { text: "They have no problem in common that every method of either has finished." })];
  if (!answer.rows.length) return [head, el("p", { text: "They have no method at the same budget in common." })];
  const share = (accuracy) => [el("b", { text: percent(accuracy.estimate) }), el("small", { text: between(accuracy) })];
  return [head, el("p", { class: "lab-muted", text: `${count(answer.problems)} problems that both have; differences are paired by problem.` }),
    el("table", { class: "lab-scores" },
      el("thead", {}, el("tr", {}, ...["method", "tokens", "earlier", "later", "difference", ""].map((text) => el("th", { text })))),
      el("tbody", {}, ...answer.rows.map((row) => el("tr", {},
        el("th", {}, markOf(row.method), el("span", { text: line(row.title, 50) })), el("td", { data: { head: "tokens" }, text: count(row.budget) }),
        el("td", { data: { head: "earlier" } }, ...share(row.one)), el("td", { data: { head: "later" } }, ...share(row.other)),
        el("td", { data: { head: "difference" } }, el("b", { text: points(row.difference.estimate) }), el("small", { text: `${points(row.difference.low)} to ${points(row.difference.high)}` })), el("td", {}, verdictOf(row.difference))))))];
}

function invitation(go) {
  return el("div", { class: "lab-sheet-empty" },
    el("h3", { text: "Does MCTS* earn its tokens?" }),
    el("p", { text: "An evaluation asks the same problems by several methods within the same tokens, and says which differences are real: accuracy by budget, who solved what, and where it gets difficult." }),
    el("p", { class: "lab-muted", text: "It can be stopped at any time and goes on where it was. Every search is a session and can be opened." }),
    el("div", {}, el("button", { type: "button", class: "lab-primary", text: "New evaluation", on: { click: () => go("new") } })));
}
