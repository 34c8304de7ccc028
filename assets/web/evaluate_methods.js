/** The methods to compare: those there are, a line each, and some of them at other parameters. */

import { el } from "./dom.js";
import { markOf } from "./evaluate_styles.js";
import { Message, actButton, call } from "./rounds_acts.js";
import { line } from "./text.js";

const KINDS = { samples: "reads shared samples", anytime: "one run, cut for smaller budgets", width: "a run for each budget" };

export class MethodsField {
  /**
   * @param {{evaluation_method: Function}} server
   * @param {(method: object) => void} added called with each new line
   */
  constructor(server, added) {
    Object.assign(this, { server, added, boxes: new Map() });
    this.list = el("div", { class: "lab-methods", role: "group", "aria-label": "Methods" });
    this.message = new Message();
    this.message.element.id = "lab-variant-error";
    this.field = el("input", { type: "text", name: "variant", placeholder: "beam:branch=2", spellcheck: "false", "aria-describedby": this.message.element.id, on: {
      input: () => this.say(""),
      keydown: (event) => event.key === "Enter" && this.take(),
    } });
    this.element = el("div", { class: "lab-methods-field" }, this.list,
      el("div", { class: "lab-evaluate-fields" },
        el("label", { class: "lab-evaluate-field" }, el("span", { text: "One at other parameters: its name, and what is other after colons" }), this.field),
        actButton("Add", "Adding \u2026", () => this.take())),
      this.message.element);
  }

  /** Names of the methods that are ticked. */
  get chosen() {
    return [...this.boxes].filter(([, box]) => box.checked).map(([name]) => name);
  }

  /** A line, which is a choice. */
  add(one, checked) {
    const box = el("input", { type: "checkbox", name: "method", value: one.name, checked });
    this.boxes.set(one.name, box);
    this.list.append(el("label", { class: "lab-method", data: { method: one.name } }, box, markOf(one.name), el("b", { text: line(one.title, 120) }),
      el("span", {}, el("span", { text: line(one.summary, 120) }), one.oracle ? el("span", { class: "lab-chip is-warning", text: "asks the oracle" }) : null), el("small", { text: KINDS[one.kind] ?? "" })));
    this.added(one);
  }

  /** Add what is in the field, one or several with commas between; false if Python refuses it. */
  async take() {
    for (const name of this.field.value.split(",").map((part) => part.trim()).filter(Boolean)) {
      const known = this.boxes.get(name);
      const answer = known ? {} : await call(this.server.evaluation_method, { name });
      this.say(answer.error ?? "");
      if (answer.error) return false;
      if (!known) this.add(answer, true);
      else if (!known.checked) known.click();
    }
    this.field.value = "";
    return true;
  }

  say(error) {
    this.message.say(error);
    this.field.setAttribute("aria-invalid", String(Boolean(error)));
  }
}
