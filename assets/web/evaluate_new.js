/** Asking for an evaluation: problems, methods, budgets, and what that makes, said before it begins. */

import { el } from "./dom.js";
import { MethodsField } from "./evaluate_methods.js";
import { Message, call } from "./rounds_acts.js";
import { block, brief, count, line, roughly } from "./text.js";

const WAIT = 300; // milliseconds after a change, before Python is asked what would happen
const READ = ["dataset", "limit"];

export class NewEvaluation {
  /**
   * @param {{evaluation_form: Function, evaluation_method: Function, evaluation_plan: Function, evaluation_start: Function, dataset: Function, about: Function}} server
   * @param {(id: string) => void} started
   */
  constructor(server, started) {
    Object.assign(this, { server, started });
    this.fields = {};
    this.serial = 0;
    this.form = el("div", { class: "lab-new-round-form" }, el("p", { class: "lab-muted", text: "Loading \u2026" }));
    this.plan = el("div", { class: "lab-plan", "aria-live": "polite" });
    this.message = new Message();
    this.button = el("button", { type: "submit", class: "lab-primary", text: "Start evaluation", disabled: true });
    this.element = el("form", { class: "lab-new-round lab-new-evaluation", autocomplete: "off", on: {
      submit: (event) => { event.preventDefault(); this.press(); },
      input: (event) => event.target.name !== "variant" && this.askSoon(READ.includes(event.target.name)),
      keydown: (event) => event.key === "Enter" && event.target.type === "text" && event.preventDefault(),
    } }, this.form,
    el("aside", { class: "lab-new-round-side", "aria-label": "What will happen" }, el("h3", { text: "What will happen" }), this.plan, this.message.element, this.button));
  }

  async show() {
    if (this.usual) {
      this.ask();
      return;
    }
    const [answer, about] = await Promise.all([call(this.server.evaluation_form, {}), call(this.server.about, {})]);
    if (answer.error) {
      this.form.replaceChildren();
      this.message.say(answer.error);
      return;
    }
    this.usual = answer.usual;
    this.form.replaceChildren(...this.sections(answer, about.bundled ?? []));
    this.look();
    this.ask();
  }

  sections({ methods, usual }, bundled) {
    this.report = el("div", { class: "lab-report", "aria-live": "polite", hidden: true });
    this.fields.baseline = el("select", { name: "baseline" });
    this.methods = new MethodsField(this.server, (one) => this.offer(one));
    for (const one of methods) this.methods.add(one, usual.methods.includes(one.name));
    this.fields.baseline.value = usual.baseline;
    this.fields.fresh = el("input", { type: "checkbox", name: "fresh" });
    const field = (name, label, value, placeholder = "") => this.field(name, label, value, placeholder);
    return [
      el("section", {}, el("h3", { text: "Problems" }),
        el("div", { class: "lab-evaluate-fields" }, field("dataset", "File or folder with right answers, or bundled problems", "heldout", "/data/problems.jsonl"), field("limit", "At most", "100", "all"), field("skip", "Leave the first", "", "none")),
        el("div", { class: "lab-bundled" }, ...bundled.map((one) => el("button", { type: "button", class: "lab-pill", text: one, on: { click: () => { this.fields.dataset.value = one; this.look(); this.ask(); } } }))),
        this.report),
      el("section", {}, el("h3", { text: "Methods" }), this.methods.element),
      el("section", {}, el("h3", { text: "Budgets" }),
        el("div", { class: "lab-evaluate-fields" }, field("budgets", "Policy tokens that a problem may take", usual.budgets.join(", ")), field("seeds", "Seeds", usual.seeds.join(", ")),
          el("label", { class: "lab-evaluate-field" }, el("span", { text: "Compared with" }), this.fields.baseline)),
        el("p", { class: "lab-muted", text: "No method overspends: an iteration that would pass a budget does not count." })),
      el("details", {}, el("summary", { text: "More settings" }),
        el("div", { class: "lab-evaluate-fields" }, field("parallel", "Searches at a time", String(usual.parallel)), field("name", "Name", "", "optional")),
        el("label", { class: "lab-check" }, this.fields.fresh, el("span", { text: "Begin anew even if this was begun before" }))),
    ];
  }

  field(name, label, value, placeholder) {
    const input = el("input", { type: "text", name, value, placeholder, spellcheck: "false" });
    this.fields[name] = input;
    return el("label", { class: `lab-evaluate-field is-${name}` }, el("span", { text: label }), input);
  }

  /** A method can be the baseline; one at other parameters is asked about at once. */
  offer(one) {
    this.fields.baseline.append(el("option", { value: one.name, text: line(one.title, 80) }));
    if (this.methods.element.isConnected) this.ask();
  }

  entered() {
    const { fresh, ...fields } = this.fields;
    return { ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])), methods: this.methods.chosen };
  }

  askSoon(again) {
    clearTimeout(this.timer);
    this.button.disabled = true;
    this.timer = setTimeout(() => { this.ask(); if (again) this.look(); }, WAIT);
  }

  /** What a reader finds in the dataset. */
  async look() {
    const { dataset, limit } = this.fields;
    const source = dataset.value.trim();
    const answer = source ? await call(this.server.dataset, { entered: { source, limit: limit.value } }) : { error: "" };
    if (source !== dataset.value.trim()) return;
    this.report.hidden = Boolean(answer.error) || !source;
    if (this.report.hidden) return;
    this.report.replaceChildren(
      el("p", {}, el("b", { text: `${count(answer.problems)} ${answer.problems === 1 ? "problem" : "problems"}` }), el("span", { class: "lab-muted", text: [answer.ungraded ? `  ${count(answer.ungraded)} without a right answer: these cannot be evaluated` : "", answer.rejected.count ? `  ${count(answer.rejected.count)} rows left out` : ""].join("") })),
      ...(answer.hint ? [el("p", { class: "lab-message is-hint", text: block(answer.hint, 600) })] : []),
      el("ul", { class: "lab-examples" }, ...answer.examples.map((one) => el("li", {}, el("span", { class: "lab-muted", text: line(one.place, 40) }), el("span", { text: line(one.content, 200) }), el("b", { text: one.answer === null ? "\u2013" : line(one.answer, 40) })))));
  }

  /** What would happen with what is entered now; only then it can be started. */
  async ask() {
    clearTimeout(this.timer);
    for (const pill of this.form.querySelectorAll(".lab-bundled .lab-pill")) pill.setAttribute("aria-pressed", String(pill.textContent === this.fields.dataset.value));
    const serial = ++this.serial;
    this.button.disabled = true;
    this.plan.classList.add("is-old");
    const answer = await call(this.server.evaluation_plan, { entered: this.entered() });
    if (serial !== this.serial) return;
    this.plan.classList.remove("is-old");
    this.message.say(answer.error ?? "");
    this.plan.replaceChildren(...(answer.error ? [] : planOf(answer, this.fields.fresh.checked)));
    this.button.disabled = Boolean(answer.error);
    this.button.textContent = answer.goes_on && !this.fields.fresh.checked ? (answer.done >= answer.searches ? "Show the evaluation" : "Go on with the evaluation") : answer.error ? "Start evaluation" : `Start ${count(answer.searches)} searches`;
  }

  async press() {
    if (this.button.disabled || !(await this.methods.take())) return; // what was typed and not added
    const text = this.button.textContent;
    this.button.disabled = true;
    this.button.textContent = "Starting \u2026";
    const answer = await call(this.server.evaluation_start, { entered: this.entered(), fresh: this.fields.fresh.checked });
    this.button.disabled = false;
    this.button.textContent = text;
    this.message.say(answer.error ?? "");
    if (!answer.error) this.started(answer.evaluation);
  }
}

/** The plan in sentences. */
function planOf(plan, fresh) {
  const steps = [
    ["Ask", `${count(plan.problems)} ${plan.problems === 1 ? "problem" : "problems"} in ${count(plan.runs.length)} runs: ${count(plan.searches)} searches.`],
    plan.shared > 1 ? ["Share", `${count(plan.shared)} methods read the same samples of one run.`] : null,
    ["Spend", `at most ${brief(plan.tokens)} policy tokens.`],
    ["Time", plan.seconds === null ? "known once something was searched with these models." : `about ${roughly(plan.seconds)}, by the pace of earlier batches, if every token is spent.`],
  ].filter(Boolean);
  const goes = plan.goes_on && !fresh ? el("p", { class: "lab-message is-hint", text: `This was begun before (${line(plan.goes_on, 20)}): ${count(plan.done)} of its searches are done and will not be done again.` }) : null;
  return [goes, el("dl", { class: "lab-plan-steps" }, ...steps.flatMap(([name, text]) => [el("dt", { text: name }), el("dd", { text })]))].filter(Boolean);
}
