/** One evaluation: how far it is, and what it has found, a tab for each question. */

import { el, icon } from "./dom.js";
import { Difficulty } from "./evaluate_difficulty.js";
import { Grid } from "./evaluate_grid.js";
import { Result } from "./evaluate_result.js";
import { Runs } from "./evaluate_runs.js";
import { Samples } from "./evaluate_samples.js";
import { choice } from "./evaluate_styles.js";
import { Verifiers } from "./evaluate_verifiers.js";
import { listed, progressBar, stateOf } from "./evaluate_words.js";
import { download } from "./export_words.js";
import { Message, actButton, askingButton, call } from "./rounds_acts.js";
import { count, fileName, line, roughly, when } from "./text.js";

const TABS = [["", "Result"], ["problems", "Problems"], ["difficulty", "Difficulty"], ["samples", "Samples"], ["verifiers", "Verifiers"], ["runs", "Runs"]];
const FILES = [["csv", "Every answer (CSV)"], ["json", "Everything (JSON)"], ["md", "The table (Markdown)"], ["png", "The curves (PNG)"], ["svg", "The curves (SVG)"]];

export class EvaluationView {
  /**
   * @param {KnownEvaluations} known
   * @param {object} server
   * @param {{open: Function, batch: Function, go: Function}} does
   */
  constructor(known, server, does) {
    Object.assign(this, { known, server, does, budget: null });
    this.state = el("p", { class: "lab-round-setting" });
    this.acts = el("div", { class: "lab-acts" });
    this.progress = el("div", { class: "lab-evaluation-progress" });
    this.message = new Message();
    this.saved = el("p", { class: "lab-evaluation-saved", role: "status", hidden: true });
    this.bar = el("div", { class: "lab-evaluation-tabs", role: "tablist", "aria-label": "Evaluation" });
    this.tabs = TABS.map(([name, text]) => el("button", { type: "button", role: "tab", text, data: { tab: name }, on: { click: () => this.choose(name), keydown: (event) => this.walk(event) } }));
    this.bar.append(...this.tabs);
    this.budgets = el("div", { class: "lab-evaluation-budgets" });
    const context = { known, server, does, view: this };
    this.screens = { "": new Result(context), problems: new Grid(context), difficulty: new Difficulty(context), samples: new Samples(context), verifiers: new Verifiers(context), runs: new Runs(context) };
    this.panel = el("div", { class: "lab-evaluation-panel", role: "tabpanel" });
    this.element = el("div", { class: "lab-evaluation" }, el("div", { class: "lab-round-top" }, el("div", {}, this.state), this.acts), this.saved,
      this.message.element, this.progress, el("div", { class: "lab-evaluation-bar" }, this.bar, this.budgets), this.panel);
  }

  show(id, tab) {
    if (id !== this.id) {
      Object.assign(this, { id, budget: null, told: "", print: "" });
      this.saved.hidden = true;
      for (const screen of Object.values(this.screens)) screen.clear?.();
    }
    this.tab = tab in this.screens ? tab : "";
    for (const button of this.tabs) {
      const here = button.dataset.tab === this.tab;
      button.setAttribute("aria-selected", String(here));
      button.tabIndex = here ? 0 : -1;
    }
    if (this.panel.firstChild !== this.screens[this.tab].element) this.panel.replaceChildren(this.screens[this.tab].element);
  }

  choose(tab) {
    this.does.go(tab ? `${this.id}/${tab}` : this.id);
  }

  walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = (this.tabs.indexOf(event.currentTarget) + step + this.tabs.length) % this.tabs.length;
    this.choose(this.tabs[at].dataset.tab);
    this.tabs[at].focus();
  }

  draw() {
    const { one, report, known, connection, wrong } = this.known;
    const here = one?.id === this.id;
    this.message.say(this.told || connection || wrong || (here && one.status === "failed" ? one.message : ""));
    for (const part of [this.acts, this.progress, this.bar, this.panel]) part.hidden = !here;
    if (!here) {
      this.budgets.replaceChildren();
      this.state.replaceChildren(el("span", { class: "lab-muted", text: known && this.known.find(this.id) === null ? "There is no such evaluation here." : "Loading \u2026" }));
      return;
    }
    this.drawState(one, report);
    this.drawActs(one);
    this.drawBudgets(one);
    this.screens[this.tab].draw(one, report);
  }

  drawState(one, report) {
    const facts = [`begun ${when(one.created)}`, line(fileName(one.dataset), 40), `${count(one.problems)} problems`, `${listed(one.budgets)} tokens`, `${one.seeds.length > 1 ? "seeds" : "seed"} ${one.seeds.join(", ")}`, line(one.models.map(fileName).join(" and "), 60)];
    this.state.replaceChildren(el("span", { class: `lab-state is-${one.status}`, text: stateOf(one) }), el("span", { class: "lab-muted", text: facts.join("  \u00b7  ") }));
    const present = one.runs.find((run) => run.done < run.total);
    this.progress.hidden = one.status === "done" && report !== null;
    const words = one.status === "done" ? "Reading the searches \u2026" : [`${count(one.done)} of ${count(one.searches)} searches`, present ? `${line(present.title, 40)}, ${listed(present.budgets)} tokens: ${count(present.done)} of ${count(present.total)}` : "", one.active && one.left !== null ? `${roughly(one.left)} left` : ""].filter(Boolean).join("  \u00b7  ");
    this.progress.replaceChildren(progressBar(one.done, one.searches, words), el("small", { text: words }));
  }

  /** Kept while they mean the same, so that a question stays while a person thinks. */
  drawActs(one) {
    const print = JSON.stringify([one.id, one.status, one.active]);
    if (print === this.print) return;
    this.print = print;
    const ask = async (name) => {
      const answer = await call(this.server[name], { evaluation: one.id });
      this.told = answer.error ?? "";
      await this.known.ask();
      this.draw();
      return answer;
    };
    const acts = [this.files(one)];
    if (one.status === "stopping") acts.unshift(el("button", { type: "button", class: "lab-button", text: "Stopping \u2026", disabled: true }));
    else if (one.active) acts.unshift(actButton("Stop", "Stopping \u2026", () => ask("evaluation_stop")));
    else if (one.status !== "done") acts.unshift(actButton("Go on", "Going on \u2026", () => ask("evaluation_go_on"), "lab-primary"));
    if (!one.active) {
      acts.push(askingButton("Delete", "Forget this evaluation? The sessions of its searches stay.", "Delete", async () => {
        const answer = await ask("evaluation_delete");
        if (!answer.error) this.does.go("");
      }));
    }
    this.acts.replaceChildren(...acts);
  }

  files(one) {
    const save = async (kind) => {
      menu.open = false;
      menu.querySelector("summary").focus();
      const answer = await call(this.server.evaluation_save, { evaluation: one.id, kind });
      this.told = answer.error ?? "";
      this.saved.hidden = Boolean(answer.error);
      if (!answer.error) this.saved.replaceChildren(el("span", { text: "Saved into the exports: " }), el("a", { class: "lab-export-link", href: answer.address, download: "", text: line(answer.name, 100) }));
      download(answer);
      this.draw();
    };
    const menu = el("details", { class: "lab-files", on: { focusout: (event) => menu.contains(event.relatedTarget) || (menu.open = false), keydown: (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      event.preventDefault();
      event.stopPropagation();
      menu.open = false;
      menu.querySelector("summary").focus();
    } } },
    el("summary", { class: "lab-button" }, icon("download"), el("span", { text: "Export" })),
    el("div", {}, ...FILES.map(([kind, text]) => el("button", { type: "button", text, data: { kind }, on: { click: () => save(kind) } }))));
    return menu;
  }

  drawBudgets(one) {
    if (!one.budgets.includes(this.budget)) this.budget = one.budgets.at(-1);
    const shown = ["", "problems", "difficulty"].includes(this.tab);
    const print = JSON.stringify([shown, one.budgets, this.budget]);
    if (print === this.budgetsPrint) return;
    this.budgetsPrint = print;
    const focused = this.budgets.contains(document.activeElement);
    this.budgets.replaceChildren(...(shown ? [choice("Policy tokens", one.budgets.map((budget) => [budget, count(budget)]), this.budget, (budget) => { this.budget = budget; this.draw(); })] : []));
    if (focused) this.budgets.querySelector("[aria-pressed=true]")?.focus();
  }
}
