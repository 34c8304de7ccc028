/** Where it gets difficult: accuracy on problems of a like difficulty, a row a method. */

import { el } from "./dom.js";
import { markOf } from "./evaluate_styles.js";
import { nothingYet } from "./evaluate_words.js";
import { Message, call } from "./rounds_acts.js";
import { between, count, line, number } from "./text.js";

export class Difficulty {
  constructor({ server, view }) {
    Object.assign(this, { server, view });
    this.message = new Message();
    this.words = el("p", { class: "lab-muted" });
    this.table = el("table", { class: "lab-slices" });
    this.none = el("div");
    this.element = el("div", { class: "lab-difficulty" }, this.none, this.message.element, this.words, el("div", { class: "lab-slices-room" }, this.table));
  }

  clear() {
    this.print = "";
    this.table.replaceChildren();
    this.words.textContent = "";
  }

  async draw(one, report) {
    this.none.replaceChildren(...(report && !report.problems ? [nothingYet(one)] : []));
    if (!report?.problems) return;
    const print = JSON.stringify([one.id, this.view.budget, one.done, report.problems]);
    if (print === this.print) return;
    this.print = print;
    const answer = await call(this.server.evaluation_slices, { evaluation: one.id, budget: this.view.budget });
    if (print !== this.print) return;
    this.message.say(answer.error ?? "");
    if (answer.error) return;
    const { by, slices } = answer;
    this.words.textContent = by === "words of the question" ? "By the length of the question in words: the dataset does not say how difficult its problems are." : `By \u201c${line(by, 40)}\u201d of the dataset.`;
    const titles = Object.fromEntries(report.scores.map((score) => [score.method, score.title]));
    const methods = one.methods.filter((name) => slices.some((slice) => slice.accuracy[name]));
    this.table.replaceChildren(
      el("thead", {}, el("tr", {}, el("th", { text: "method" }), ...slices.map((slice) => el("th", { scope: "col" }, el("span", { text: line(slice.label, 40) }), el("small", { text: `n = ${count(slice.n)}` }))))),
      el("tbody", {}, ...methods.map((name) => el("tr", {}, el("th", { scope: "row" }, markOf(name), el("span", { text: line(titles[name], 50) })),
        ...slices.map((slice) => {
          const found = slice.accuracy[name];
          if (!found) return el("td");
          return el("td", { title: `95 % interval: ${between(found)}`, style: { "--lab-share": `${Math.round(30 * found.estimate)}%` } },
            el("b", { text: number(100 * found.estimate, 0) }), el("small", { text: `${number(100 * found.low, 0)} to ${number(100 * found.high, 0)}` }));
        })))));
  }
}
