/** Asking models about the samples of an evaluation: outcome and value models, a judge, the policy. */

import { el } from "./dom.js";
import { Message, call } from "./rounds_acts.js";
import { count, line } from "./text.js";

const POLL = 400; // milliseconds between two looks at how far the asking is
const FIELDS = [["orm", "Outcome reward model"], ["value", "Value model besides the PRM"], ["judge", "Language model as judge"]];

export class AskModels {
  /**
   * @param {object} server
   * @param {() => void} changed called when models have said something new
   */
  constructor(server, changed) {
    Object.assign(this, { server, changed, id: "" });
    this.message = new Message();
    this.far = el("p", { class: "lab-muted", role: "status" });
    this.told = el("ul", { class: "lab-ask-told" });
    this.fields = Object.fromEntries(FIELDS.map(([name]) => [name, el("input", { type: "text", name, placeholder: "none; a folder or hub id", spellcheck: "false", maxlength: "1000" })]));
    this.policy = el("input", { type: "checkbox", name: "policy" });
    this.button = el("button", { type: "submit", class: "lab-button", text: "Ask" });
    this.end = el("button", { type: "button", class: "lab-button", text: "Stop", hidden: true, on: { click: () => call(this.server.evaluation_ask_stop, {}) } });
    this.element = el("details", { class: "lab-ask", hidden: true }, el("summary", { text: "Ask more models" }),
      el("form", { autocomplete: "off", on: { submit: (event) => { event.preventDefault(); this.ask(); } } },
        el("div", { class: "lab-evaluate-fields" }, ...FIELDS.map(([name, text]) => el("label", { class: "lab-evaluate-field" }, el("span", { text }), this.fields[name]))),
        el("label", { class: "lab-check" }, this.policy, el("span", { text: "Ask the policy about its own solutions, and as judge where none is named" })),
        el("div", { class: "lab-acts" }, this.button, this.end, this.far)), this.message.element, this.told);
  }

  show(id) {
    if (id !== this.id) {
      this.id = id;
      this.message.say("");
      this.told.replaceChildren();
    }
    this.element.hidden = false;
    if (!this.timer) this.look();
  }

  async ask() {
    this.button.disabled = true;
    const entered = { ...Object.fromEntries(FIELDS.map(([name]) => [name, this.fields[name].value])), policy: this.policy.checked };
    const answer = await call(this.server.evaluation_ask, { evaluation: this.id, entered });
    this.message.say(answer.error ?? "");
    this.button.disabled = false;
    if (!answer.error) this.look();
  }

  /** How far it is; again while it goes on. */
  async look() {
    clearTimeout(this.timer);
    this.timer = true; // one look at a time
    const answer = await call(this.server.evaluation_asking, {});
    this.timer = null;
    const { active = false, doing = "", done = 0, total = 0, seconds = {} } = answer;
    const { message = "", left_out = [] } = answer.about === this.id ? answer : {}; // it may be about another evaluation
    const said = JSON.stringify([active, seconds]);
    if (answer.error || message) this.message.say(answer.error ?? message);
    this.button.hidden = active;
    this.end.hidden = !active;
    this.far.textContent = active ? `${line(doing, 60)} \u2026${total ? ` ${count(done)} of ${count(total)} samples` : ""}` : "";
    this.told.replaceChildren(...left_out.map((one) => el("li", { class: "lab-muted", data: { verifier: one.name }, text: `${line(one.title, 60)} was not asked: ${line(one.why, 300)}` })));
    if (said !== this.said && this.said !== undefined) this.changed();
    this.said = said;
    if (active && this.element.isConnected) this.timer = setTimeout(() => this.look(), POLL);
  }
}
