/**
 * The sheet of evaluations: methods compared at equal budgets. Three screens: all of them, a new one,
 * and one of them, with a tab for each question that it answers.
 */

import { el, icon } from "./dom.js";
import { KnownEvaluations } from "./evaluate_known.js";
import { EvaluationList } from "./evaluate_list.js";
import { NewEvaluation } from "./evaluate_new.js";
import { EvaluationView } from "./evaluate_view.js";
import { nameOf } from "./evaluate_words.js";
import { Sheet } from "./sheet.js";

export class Evaluate extends Sheet {
  /**
   * Events: "progress" (detail: a word on the evaluation under way, "" for none).
   *
   * @param {object} server
   * @param {() => boolean} alive false once the page's element is gone
   * @param {{open: (session: string) => void, batch: (id: string) => void}} show
   */
  constructor(server, alive, show) {
    const back = el("button", { type: "button", class: "lab-tool", title: "All evaluations", "aria-label": "All evaluations", on: { click: () => this.go("") } }, icon("left"));
    const add = el("button", { type: "button", class: "lab-button", "aria-label": "New evaluation", data: { place: "new" }, on: { click: () => this.go("new") } }, icon("plus"), el("span", { text: "New evaluation" }));
    super("evaluate", "Evaluate", [back], [add]);
    const known = new KnownEvaluations(server, alive);
    Object.assign(this, { known, back, add });
    const go = (place) => this.go(place);
    this.screens = {
      list: new EvaluationList(known, server, go),
      new: new NewEvaluation(server, (id) => { known.wake(); go(id); }),
      one: new EvaluationView(known, server, { ...show, go }),
    };
    known.addEventListener("changed", () => this.draw());
    known.wake();
  }

  /** "list", "new" or "one"; null while closed. */
  get screen() {
    return this.place === null ? null : { "": "list", new: "new" }[this.place] ?? "one";
  }

  /** @param {string} place "" for all, "new", or an evaluation and perhaps "/" and a tab */
  go(place) {
    const before = this.screen;
    super.go(place);
    const { screen } = this;
    const [id, tab = ""] = place.split("/");
    this.body.replaceChildren(this.screens[screen].element);
    if (before !== screen) this.body.scrollTop = 0;
    this.known.look(true, screen === "one" ? id : "");
    this.screens[screen].show?.(id, tab);
    this.draw();
    if (before !== screen) this.title.focus({ preventScroll: true });
  }

  close() {
    this.known.look(false);
    super.close();
  }

  draw() {
    const { active, one } = this.known;
    this.dispatchEvent(new CustomEvent("progress", { detail: active ? `${Math.floor((100 * active.done) / Math.max(1, active.searches))} %` : "" }));
    const { screen } = this;
    if (screen === null) return;
    const name = one ? nameOf(one) : "Evaluation";
    this.title.textContent = { list: "Evaluations", new: "New evaluation" }[screen] ?? name;
    this.back.hidden = screen === "list";
    this.add.hidden = screen === "new";
    this.screens[screen].draw?.();
  }
}
