/** Asking for a round: the recipe, the problems, and what will happen, said before it begins. */

import { el } from "./dom.js";
import { Message, call } from "./rounds_acts.js";
import { roleOf } from "./rounds_words.js";
import { block, count, line, roughly } from "./text.js";

const WAIT = 250; // milliseconds after a change, before Python is asked what would happen
const MORE = [
  ["guided_limit", "Held-out problems to search", "as well, with the old and the new PRM"],
  ["heldout_skip", "Held-out problems to leave", "at the beginning"],
  ["iterations", "Iterations a search", "the recipe\u2019s"],
  ["tokens", "Policy tokens a search", "no limit"],
  ["updates", "Updates of each training", "the recipe\u2019s"],
  ["seed", "Seed", ""],
  ["parallel", "Searches at a time", ""],
];

export class NewRound {
  /**
   * @param {{round_form: Function, round_plan: Function, round_start: Function}} server
   * @param {(id: string) => void} started
   */
  constructor(server, started) {
    Object.assign(this, { server, started });
    this.fields = {};
    this.recipe = "";
    this.serial = 0;
    this.form = el("div", { class: "lab-new-round-form" }, el("p", { class: "lab-muted", text: "Loading \u2026" }));
    this.plan = el("div", { class: "lab-plan", "aria-live": "polite" }, looking());
    this.message = new Message();
    this.button = el("button", { type: "submit", class: "lab-primary", text: "Start round", disabled: true });
    this.element = el("form", { class: "lab-new-round", autocomplete: "off", on: {
      submit: (event) => { event.preventDefault(); this.press(); },
      input: () => this.askSoon(),
      keydown: (event) => event.key === "Enter" && event.target.type === "text" && event.preventDefault(),
    } }, this.form,
    el("aside", { class: "lab-new-round-side", "aria-label": "What will happen" }, el("h3", { text: "What will happen" }), this.plan, this.message.element, this.button));
  }

  async show() {
    if (this.usual) {
      this.ask();
      return;
    }
    const answer = await call(this.server.round_form, {});
    if (answer.error) {
      this.form.replaceChildren();
      this.plan.replaceChildren();
      this.message.say(answer.error);
      return;
    }
    this.usual = answer.usual;
    this.form.replaceChildren(...this.sections(answer));
    this.ask();
  }

  sections({ recipes, usual, bundled }) {
    this.fields.fresh = el("input", { type: "checkbox", name: "fresh" });
    this.fields.activate = el("input", { type: "checkbox", name: "activate", checked: usual.activate });
    const check = (input, text) => el("label", { class: "lab-check" }, input, el("span", { text }));
    const pills = (name) => el("div", { class: "lab-bundled" }, ...bundled.map((one) => el("button", {
      type: "button", class: "lab-pill", text: one, data: { of: name }, on: { click: () => { this.fields[name].value = one; this.ask(); } },
    })));
    return [
      el("section", {}, el("h3", { text: "Recipe" }), this.table(recipes, usual.recipe)),
      el("section", {}, el("h3", { text: "Problems" }),
        el("div", { class: "lab-problem-rows" },
          el("div", {}, el("div", { class: "lab-fields-row" }, this.field("pool", "Pool to learn from"), this.field("pool_limit", "At most", "all")), pills("pool")),
          el("div", {}, el("div", { class: "lab-fields-row" }, this.field("heldout", "Held-out problems"), this.field("heldout_limit", "At most", "all")), pills("heldout")))),
      el("section", {}, el("h3", { text: "How often" }),
        el("div", { class: "lab-fields-row" }, this.field("rounds", "Rounds in a row")),
        el("p", { class: "lab-muted", text: "Each begins with what the one before it made, unless that was worse." })),
      el("details", {}, el("summary", { text: "More settings" }),
        el("div", { class: "lab-fields-row" }, ...MORE.map(([name, label, usually]) => this.field(name, label, usually))),
        check(this.fields.activate, "Use the new adapters for new searches, unless they are worse"),
        check(this.fields.fresh, "Begin a new round even if one like it is not at its end")),
    ];
  }

  /** The recipes as a table that reads like the papers' comparison; a row is a choice. */
  table(recipes, usual) {
    this.recipe = usual;
    const part = (found) => (found ? [el("span", { text: line(found.learns, 90) }), el("small", { text: line(found.loss, 60) })] : [el("span", { class: "lab-stays", text: "stays as it is" })]);
    const head = ["Recipe", "Searches the pool with", "The policy learns", "The PRM learns"];
    const row = (recipe) => {
      const box = el("input", { type: "radio", name: "recipe", value: recipe.name, checked: recipe.name === usual, on: { change: () => { this.recipe = recipe.name; } } });
      return el("label", { class: "lab-recipe", title: block(recipe.source, 400) }, box,
        el("span", {}, el("b", { text: line(recipe.title, 60) }), el("small", { text: line(recipe.source.split(":")[0], 40) })),
        el("span", { data: { head: head[1] } }, el("span", { text: line(recipe.search, 60) })),
        el("span", { data: { head: head[2] } }, ...part(recipe.policy)),
        el("span", { data: { head: head[3] } }, ...part(recipe.prm)));
    };
    return el("div", { class: "lab-recipes", role: "radiogroup", "aria-label": "Recipe" },
      el("div", { class: "lab-recipe is-head", "aria-hidden": "true" }, el("span"), ...head.map((text) => el("span", { text }))),
      ...recipes.map(row));
  }

  field(name, label, placeholder = "") {
    const text = name === "pool" || name === "heldout";
    const usual = this.usual[name];
    const input = el("input", { type: "text", name, value: usual === null || usual === undefined ? "" : String(usual), placeholder, spellcheck: "false", inputmode: text ? null : "numeric" });
    this.fields[name] = input;
    return el("label", { class: `lab-input is-${name}${text ? "" : " is-number"}` }, el("span", { text: label }), input);
  }

  entered() {
    const { fresh, ...fields } = this.fields;
    const values = Object.entries(fields).map(([name, input]) => [name, input.type === "checkbox" ? input.checked : input.value]);
    return { entered: { recipe: this.recipe, ...Object.fromEntries(values) }, fresh: fresh.checked };
  }

  askSoon() {
    clearTimeout(this.timer);
    this.button.disabled = true;
    this.timer = setTimeout(() => this.ask(), WAIT);
  }

  /** What would happen with what is entered now; only then it can be started. */
  async ask() {
    clearTimeout(this.timer);
    for (const pill of this.form.querySelectorAll(".lab-pill")) pill.setAttribute("aria-pressed", String(pill.textContent === this.fields[pill.dataset.of].value));
    const serial = ++this.serial;
    this.button.disabled = true;
    this.plan.classList.add("is-old");
    if (!this.plan.childElementCount) this.plan.append(looking());
    const entered = this.entered();
    const answer = await call(this.server.round_plan, entered);
    if (serial !== this.serial) return;
    this.plan.classList.remove("is-old");
    this.message.say(answer.error ?? "");
    this.plan.replaceChildren(...(answer.error ? [] : planOf(answer)));
    this.button.disabled = Boolean(answer.error);
    this.button.textContent = answer.goes_on ? "Go on with the round" : answer.rounds > 1 ? `Start ${count(answer.rounds)} rounds` : "Start round";
  }

  async press() {
    if (this.button.disabled) return;
    const text = this.button.textContent;
    this.button.disabled = true;
    this.button.textContent = "Starting \u2026";
    const answer = await call(this.server.round_start, this.entered());
    this.button.disabled = false;
    this.button.textContent = text;
    this.message.say(answer.error ?? "");
    if (!answer.error) this.started(answer.round);
  }
}

function looking() {
  return el("p", { class: "lab-muted", text: "Looking at the problems \u2026" });
}

/** The plan in sentences. */
function planOf(plan) {
  const problems = (n) => `${count(n)} ${n === 1 ? "problem" : "problems"}`;
  const learns = plan.learns.map((role) => `the ${roleOf(role)}`).join(" and ");
  const steps = [
    ["Search", `${problems(plan.pool)} of the pool with ${line(plan.search, 80)}.`],
    ["Learn", learns ? `${learns}, by LoRA on the base in memory.` : "nothing: this recipe trains no model."],
    plan.heldout ? ["Measure", `${problems(plan.heldout)} that were held out, answered without search before and after.`] : null,
    plan.guided ? ["Compare", `${problems(plan.guided)} of them searched with the old and the new PRM, at equal tokens.`] : null,
    ["Begin with", [`policy ${line(plan.policy, 80)}`, `PRM ${line(plan.prm, 80)}`].join("; ")],
    ["Time", `${plan.seconds === null ? "known once the first problems are searched" : `about ${roughly(plan.seconds)}`}${plan.rounds > 1 ? " a round" : ""}.${plan.rounds > 1 ? ` ${count(plan.rounds)} rounds in a row.` : ""}`],
    plan.memory ? ["Memory", `${line(plan.memory, 400)}.`] : null,
  ].filter(Boolean);
  const goes = plan.goes_on ? el("p", { class: "lab-message is-hint", text: `Goes on with the unfinished round ${line(plan.goes_on, 20)}${plan.done.length ? `: ${count(plan.done.length)} of its phases are done and will not be done again.` : "."}` }) : null;
  return [goes, el("dl", { class: "lab-plan-steps" }, ...steps.flatMap(([name, text]) => [el("dt", { text: name }), el("dd", { text })]))].filter(Boolean);
}
