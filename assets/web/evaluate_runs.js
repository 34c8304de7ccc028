/** The runs of searches that an evaluation is made of. */

import { el } from "./dom.js";
import { markOf } from "./evaluate_styles.js";
import { bytes, listed, progressBar } from "./evaluate_words.js";
import { brief, count, duration, line } from "./text.js";

export class Runs {
  constructor({ does }) {
    this.does = does;
    this.rows = new Map();
    this.list = el("ol", { class: "lab-runs" });
    this.element = el("div", { class: "lab-difficulty" }, el("p", { class: "lab-muted", text: "What shares its searches is one run: independent samples are drawn once for all methods that read them. Memory is the most that the whole process took while it searched." }), this.list);
  }

  clear() {
    this.rows.clear();
    this.list.replaceChildren();
  }

  draw(one) {
    for (const run of one.runs) {
      if (!this.rows.has(run.name)) {
        const item = el("li", { class: "lab-run", data: { run: run.name } });
        this.rows.set(run.name, { item, print: "" });
        this.list.append(item);
      }
      const row = this.rows.get(run.name);
      const print = JSON.stringify(run);
      if (print === row.print) continue;
      row.print = print;
      row.item.replaceChildren(...this.line(run));
    }
  }

  line(run) {
    const method = run.name.startsWith("samples") ? "majority" : run.name.split(" ")[0];
    const memory = [run.memory.resident ? bytes(run.memory.resident) : "", run.memory.cuda ? `GPU ${bytes(run.memory.cuda)}` : ""].filter(Boolean).join(", ");
    const facts = [run.done ? `${brief(run.tokens)} tokens` : "", run.seconds ? duration(run.seconds) : "", memory];
    return [
      el("span", { class: "lab-run-name" }, markOf(method), el("b", { text: line(run.title, 50) }), el("small", { text: `seed ${run.seed}, ${listed(run.budgets)} tokens` })),
      progressBar(run.done, run.total, run.title), el("span", { class: "lab-run-count" }, el("span", { text: `${count(run.done)} of ${count(run.total)}` }), run.failed ? el("small", { class: "is-wrong", text: `${count(run.failed)} failed, count as wrong` }) : null),
      el("small", { class: "lab-run-facts", text: facts.filter(Boolean).join("  \u00b7  ") }),
      run.batch ? el("button", { type: "button", class: "lab-round-link", text: "see searches", on: { click: () => this.does.batch(run.batch) } }) : el("span"),
    ];
  }
}
