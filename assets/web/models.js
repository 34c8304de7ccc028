/**
 * The sheet of models: which are in use and whether they are loaded; others can be chosen, with the
 * memory that they would need told before.
 */

import { el, icon } from "./dom.js";
import { NeededMemory } from "./models_memory.js";
import { Sheet } from "./sheet.js";
import { line } from "./text.js";

const LOST = "The lab does not answer. Is it still running?";
const HUB = /^[\w.-]+\/[\w.-]+$/;
const DELAY = { loading: 400, idle: 3000 };
const CHOICES = {
  quant: ["Weights", [["nf4", "4 bits (nf4)"], ["int8", "8 bits (GPU only)"], ["none", "whole"]]],
  device: ["Device", [["auto", "auto"], ["cpu", "cpu"], ["cuda", "cuda"]]],
  dtype: ["Precision of the rest", [["auto", "auto"], ["bf16", "bf16"], ["fp16", "fp16"], ["fp32", "fp32"]]],
};
const BUNDLED = { policy: "bundled", prm: "bundled", quant: "nf4", device: "auto", dtype: "auto", kv_budget: "auto", step_format: "auto" };
const STATES = { no: "not loaded", loading: "loading", yes: "loaded", failed: "not loaded" };

export class ModelsSheet extends Sheet {
  /**
   * @param {object} server
   * @param {() => boolean} alive
   * @param {{lineage: () => void, changed: (others: boolean) => void}} does
   *   "changed": the models were loaded, let go or, "others", changed for others
   */
  constructor(server, alive, does) {
    super("models", "Models");
    Object.assign(this, { server, alive, does, serial: 0 });
    this.error = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.present = el("section", { class: "lab-models-now", "aria-label": "Models in use" });
    this.memory = new NeededMemory();
    this.fields = { policy: this.model("Policy", "policy"), prm: this.model("Process reward model (PRM)", "prm"), ...this.choices(), kv_budget: this.budget(), step_format: this.format() };
    this.use = el("button", { type: "submit", class: "lab-primary", text: "Use these models" });
    this.known = el("datalist", { id: "lab-known-models" });
    this.recent = el("div", { class: "lab-recent" });
    const form = el("form", { class: "lab-models-form", "aria-label": "Choose models", on: { submit: (event) => this.choose(event), input: () => (this.use.disabled = false), change: () => this.predict() } },
      el("h3", { text: "Choose" }),
      el("p", { class: "lab-muted", text: "bundled, a folder on the machine where the lab runs, or a hub id such as owner/name. A hub id is fetched from the network only when you use it." }),
      el("div", { class: "lab-models-fields" }, ...Object.values(this.fields).map((field) => field.label)), this.known,
      el("datalist", { id: "lab-step-formats" }, ...["auto", "natural", "numbered", "code", "reference"].map((value) => el("option", { value }))),
      this.memory.element, this.error, el("div", { class: "lab-models-end" }, this.use), this.recent);
    this.body.append(this.present, form);
  }

  model(text, name) {
    return labelled(text, el("input", { name, class: "lab-search", list: "lab-known-models", spellcheck: "false", autocomplete: "off" }), "is-wide");
  }

  choices() {
    return Object.fromEntries(Object.entries(CHOICES).map(([name, [text, options]]) => [
      name, labelled(text, el("select", { name, class: "lab-choice" }, ...options.map(([value, word]) => el("option", { value, text: word })))),
    ]));
  }

  budget() {
    return labelled("Kept K/V rows", el("input", { name: "kv_budget", class: "lab-search", placeholder: "auto, unlimited, 0, 2GB", spellcheck: "false" }));
  }

  format() {
    return labelled("Step format", el("input", { name: "step_format", class: "lab-search", list: "lab-step-formats", placeholder: "auto, natural, numbered, code, a file", spellcheck: "false", autocomplete: "off", title: "How the policy is prompted and its words become steps; auto looks at its files" }));
  }

  go(place) {
    super.go(place);
    this.filled = false;
    this.say("");
    this.look();
    this.title.focus({ preventScroll: true });
  }

  close() {
    clearTimeout(this.timer);
    super.close();
  }

  say(error) {
    this.error.hidden = !error;
    this.error.textContent = error ? line(error, 600) : "";
  }

  /** Ask how things are, again and again while somebody looks. */
  async look() {
    clearTimeout(this.timer);
    if (this.place === null || !this.alive()) return;
    const answer = await this.server.models({}).catch(() => ({ error: LOST }));
    this.take(answer);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), answer.loaded === "loading" ? DELAY.loading : DELAY.idle);
  }

  take(answer) {
    if (answer.error) {
      this.say(answer.error);
      return;
    }
    const others = JSON.stringify(this.state?.settings) !== JSON.stringify(answer.settings);
    if (others || this.state?.loaded !== answer.loaded) this.does.changed(Boolean(this.state) && others);
    this.state = answer;
    this.draw();
    if (this.filled) return;
    this.filled = true;
    this.fill(answer.settings);
  }

  fill(settings) {
    for (const [name, { field }] of Object.entries(this.fields)) {
      if (field.tagName === "SELECT" && ![...field.options].some((one) => one.value === settings[name])) field.append(el("option", { value: settings[name], text: line(settings[name], 30) }));
      field.value = settings[name];
    }
    this.predict();
  }

  get entered() {
    return Object.fromEntries(Object.entries(this.fields).map(([name, { field }]) => [name, field.value]));
  }

  async predict() {
    const serial = ++this.serial;
    this.memory.waiting();
    const answer = await this.server.models_fit({ entered: this.entered }).catch(() => ({ error: LOST }));
    if (serial !== this.serial) return;
    // A hub id is fetched when it is used; of what should be here already, an error is the last word.
    const { policy, prm } = this.entered;
    const wrong = Boolean(answer.error) && answer.error !== LOST && ![policy, prm].some((model) => HUB.test(model));
    this.memory.draw(answer, wrong);
    this.use.disabled = wrong;
  }

  async choose(event) {
    event.preventDefault();
    await this.act(this.use, "models_use", { entered: this.entered });
  }

  async act(button, name, query = {}) {
    button.disabled = true;
    const answer = await this.server[name](query).catch(() => ({ error: LOST }));
    button.disabled = false;
    this.say(answer.error ?? "");
    if (!answer.error) this.take(answer);
    this.look();
  }

  /** The way back to those in use before, where the ones in use cannot be loaded. */
  goBack(before) {
    const back = ({ target }) => {
      this.filled = false;
      this.act(target, "models_use", { entered: before });
    };
    return el("p", { class: "lab-models-back" }, el("span", { text: "The models before are kept." }),
      el("button", { type: "button", class: "lab-button", text: `Go back to ${named(before)}`, on: { click: back } }));
  }

  draw() {
    const { settings, loaded, message, notices, before, recent, adapters, step_format } = this.state;
    const print = JSON.stringify(this.state);
    if (print === this.print) return;
    this.print = print;
    const share = Number(/(\d+) %$/.exec(message)?.[1] ?? 0) / 100;
    const button = loaded === "yes"
      ? el("button", { type: "button", class: "lab-button", text: "Unload", title: "Free their memory; the next search loads them again", on: { click: ({ target }) => this.act(target, "models_unload") } })
      : el("button", { type: "button", class: "lab-button", text: "Load", disabled: loaded === "loading", on: { click: ({ target }) => this.act(target, "models_load") } });
    this.present.replaceChildren(...[
      el("div", { class: "lab-models-line" }, el("h3", { text: "In use" }), el("span", { class: `lab-loaded is-${loaded}`, text: STATES[loaded] }), el("div", { class: "lab-spring" }), button),
      loaded === "loading" ? el("div", { class: "lab-models-progress" }, el("progress", { max: 1, value: share || null, "aria-label": line(message, 100) }), el("span", { text: `${line(message, 120)}` })) : null,
      el("dl", { class: "lab-models-facts" },
        ...fact("policy", settings.policy, adapters.policy), ...fact("PRM", settings.prm, adapters.prm),
        ...fact("weights", settings.quant), ...fact("device", settings.device), ...fact("precision", settings.dtype), ...fact("step format", step_format)),
      message && loaded === "failed" ? el("p", { class: "lab-message is-error", role: "alert", text: line(message, 600) }) : null,
      before && loaded === "failed" ? this.goBack(before) : null,
      ...notices.map((text) => el("p", { class: "lab-muted", text: line(text, 400) })),
      el("button", { type: "button", class: "lab-link", on: { click: this.does.lineage } }, el("span", { text: "Adapters that rounds have made" }), icon("right")),
    ].filter(Boolean));
    const models = new Set(["bundled", ...recent.flatMap((one) => [one.policy, one.prm])]);
    this.known.replaceChildren(...[...models].map((value) => el("option", { value })));
    const plain = [settings, ...recent].some(bundled) ? [] : [BUNDLED];
    const former = [...recent, ...plain];
    this.recent.replaceChildren(...(former.length ? [el("h3", { text: "Chosen before" }), ...former.map((one) => this.former(one))] : []));
  }

  former(settings) {
    return el("button", { type: "button", class: "lab-recent-line", on: { click: () => this.fill(settings) } },
      el("b", { text: named(settings) }), el("small", { text: [settings.quant, settings.device, settings.dtype].map((one) => line(one, 20)).join("  \u00b7  ") }));
  }
}

const bundled = ({ policy, prm }) => policy === "bundled" && prm === "bundled";

function named({ policy, prm }) {
  return [policy, prm === policy ? "" : prm].filter(Boolean).map((one) => line(one, 60)).join(" + ");
}

function labelled(text, field, kind = "") {
  return { field, label: el("label", { class: `lab-labelled ${kind}` }, el("span", { text }), field) };
}

function fact(name, value, adapter = null) {
  return [el("dt", { text: name }), el("dd", {}, el("span", { text: line(value, 120) }), adapter ? el("small", { text: `with adapter ${line(adapter, 20)} for new sessions` }) : null)];
}
