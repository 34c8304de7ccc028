/**
 * What if: the same search with other parameters, values or verdicts. First it is looked how much of
 * it is stored; then it is replayed, and stands beside the one that was.
 */

import { el } from "./dom.js";
import { block, count, line, number } from "./text.js";

const PAUSE = 300; // milliseconds between two looks at a replay under way

export class WhatIf {
  /**
   * @param {Store} store
   * @param {object} server
   * @param {{go: (place: string) => void, supposed: () => object[]}} does
   */
  constructor(store, server, does) {
    Object.assign(this, { store, server, does });
    this.session = null;
    this.fields = el("div", { class: "lab-what-if-fields" });
    this.nodes = el("div", { class: "lab-supposed-chips" });
    this.verdicts = el("p", { class: "lab-muted" });
    this.outcome = el("div", { class: "lab-what-if-outcome", "aria-live": "polite" });
    this.look = el("button", { type: "submit", class: "lab-button", text: "See what is stored" });
    this.form = el("form", { class: "lab-what-if", on: { submit: (event) => this.submit(event), input: () => this.changed() } },
      el("div", { class: "lab-what-if-left" }, el("p", { class: "lab-what-if-lead", text: "Change what you like. The search is replayed from the replies it had, and what you did to it is done again after the same iterations: parameters change when they did, unless you give them here. Only what it never asked before must be generated, and you are told how much that is first." }), this.fields),
      el("aside", { class: "lab-what-if-right" },
        el("h3", { text: "Values of nodes" }), this.nodeForm(), this.nodes,
        el("h3", { text: "Verdicts" }), this.verdicts, el("hr", {}), this.look, this.outcome));
    this.element = this.form;
    store.addEventListener("opened", () => this.forget());
  }

  forget() {
    this.session = null;
    this.values = new Map();
    this.replay = null;
  }

  async show() {
    const { session } = this.store;
    if (session !== this.session) {
      this.forget();
      const answer = await this.server.what_if_form({ session }).catch(() => ({ error: "The lab does not answer." }));
      if (session !== this.store.session) return;
      if (answer.error) {
        this.say(answer.error, true);
        return;
      }
      this.session = session;
      this.known = answer;
      this.drawFields();
      this.outcome.replaceChildren();
    }
    if (this.store.selected !== null) this.node.value = this.store.selected;
    this.drawSupposed();
  }

  // What is supposed.

  drawFields() {
    const { algorithm, params, sampling, iterations: had } = this.known;
    const plain = params.filter((one) => !one.advanced);
    const group = (title, infos, name, open) => el("details", { class: "lab-what-if-group", open }, el("summary", { text: title }), el("div", { class: "lab-what-if-grid" }, ...infos.map((info) => field(info, name))));
    const iterations = { name: "iterations", symbol: "", kind: "int", value: had, minimum: 1, maximum: null, choices: [], help: "How many iterations the replay has. At least 1." };
    this.fields.replaceChildren(
      group(algorithm, [...plain, iterations], "params", true),
      ...(params.length > plain.length ? [group("More parameters", params.filter((one) => one.advanced), "params", false)] : []),
      group("Sampling of the policy", sampling, "sampling", false));
  }

  nodeForm() {
    this.node = el("input", { type: "number", class: "lab-input", min: "1", step: "1", "aria-label": "Node", placeholder: "node" });
    this.value = el("input", { type: "number", class: "lab-input", step: "any", "aria-label": "Value", placeholder: "V" });
    const add = el("button", { type: "button", class: "lab-button", text: "Suppose", on: { click: () => this.addValue() } });
    for (const one of [this.node, this.value]) one.addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), this.addValue()));
    return el("div", { class: "lab-what-if-node" }, el("span", { text: "node" }), this.node, el("span", { text: "has V" }), this.value, add);
  }

  addValue() {
    const [node, value] = [Number(this.node.value), Number(this.value.value)];
    const { low, high } = this.store.range;
    if (!this.store.nodes.has(node) || node === 0 || this.node.value === "") return this.say(`There is no step with the number ${line(this.node.value || "\u2026", 20)} here.`, true);
    if (this.value.value === "" || !(value >= low && value <= high)) return this.say(`V is a number from ${low} to ${high}.`, true);
    this.values.set(node, value);
    this.value.value = "";
    this.changed();
    this.drawSupposed();
    return undefined;
  }

  drawSupposed() {
    this.nodes.replaceChildren(...[...this.values].map(([node, value]) => el("span", { class: "lab-supposed-chip" },
      el("span", { text: `node ${node}: V ${number(value, 3)} (now ${number(this.store.nodes.get(node)?.value, 3)})` }),
      el("button", { type: "button", class: "lab-supposed-remove", "aria-label": `Do not suppose a value of node ${node}`, text: "\u00d7", on: { click: () => { this.values.delete(node); this.changed(); this.drawSupposed(); } } }))));
    const verdicts = this.does.supposed();
    this.verdicts.textContent = verdicts.length
      ? verdicts.map((one) => ("mark" in one ? `step ${one.node} ${one.mark || "unmarked"}` : `answer ${one.node} ${one.correct ? "right" : "wrong"}`)).join(", ")
      : "None. Suppose verdicts on the sheet Rewards: they come into the replay, and into what it exports.";
  }

  /** Only what differs from the search. */
  supposition() {
    const found = { params: {}, sampling: {}, values: Object.fromEntries(this.values), flips: {}, marks: {} };
    for (const input of this.fields.querySelectorAll("[data-name]")) {
      const { name, group, kind, first } = input.dataset;
      const entered = kind === "bool" ? String(input.checked) : input.value;
      if (entered === first || entered === "") continue;
      const value = kind === "bool" ? input.checked : kind === "choice" ? entered : Number(entered);
      if (name === "iterations") found.iterations = value;
      else found[group][name] = value;
    }
    for (const one of this.does.supposed()) {
      if ("mark" in one) found.marks[one.node] = one.mark;
      else if (one.correct !== null) found.flips[one.node] = one.correct;
    }
    return found;
  }

  changed() {
    for (const input of this.fields.querySelectorAll("[data-name]")) {
      const entered = input.type === "checkbox" ? String(input.checked) : input.value;
      input.closest(".lab-what-if-field").classList.toggle("is-changed", entered !== input.dataset.first);
    }
    this.replay = null;
    this.outcome.replaceChildren();
  }

  // The replay.

  async submit(event) {
    event.preventDefault();
    this.say("Looking \u2026");
    const answer = await this.ask(() => this.server.what_if_look({ session: this.session, supposed: this.supposition() }));
    if (answer) this.follow(answer.id);
  }

  async ask(act) {
    const answer = await act().catch(() => ({ error: "The lab does not answer." }));
    if (answer.error) this.say(answer.error, true);
    return answer.error ? null : answer;
  }

  async follow(id) {
    this.replay = id;
    while (this.replay === id && this.element.isConnected) {
      const state = await this.ask(() => this.server.what_if_state({ id }));
      if (!state || this.replay !== id) return;
      this.told(state);
      if (!["looking", "generating"].includes(state.status)) return;
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  }

  told(state) {
    const { status, iterations, wanted, missing, likely } = state;
    if (status === "looking") return this.say("Looking what is stored \u2026");
    if (status === "generating") return this.say("Generating what is missing, and replaying \u2026");
    if (status === "failed") return this.say(state.message, true);
    const left = state.left_out.length ? [el("p", { class: "lab-muted", text: `Left out, because it has no place in the replay: ${block(state.left_out.join("; "), 600)}.` })] : [];
    if (status === "done") {
      this.outcome.replaceChildren(el("p", { text: `All ${count(iterations)} iterations are replayed; ${this.generated ? "what was missing was generated" : "nothing had to be generated"}. It is a session of its own.` }), ...left,
        el("button", { type: "button", class: "lab-primary", text: "Compare", on: { click: () => this.does.go(`compare/${state.made}`) } }));
      this.generated = false;
      if (!left.length) this.does.go(`compare/${state.made}`);
      return undefined;
    }
    this.outcome.replaceChildren(
      el("p", {}, el("b", { text: `${count(iterations)} of ${count(wanted)}` }), el("span", { text: " iterations come from stored replies." })),
      el("div", { class: "lab-what-if-bar" }, el("i", { style: { width: `${(100 * iterations) / (wanted || 1)}%` } })),
      el("p", { text: missing ? `Then at least ${count(missing)} ${missing === 1 ? "reply is" : "replies are"} missing, and likely about ${count(likely)} in all: what follows depends on them.` : "The rest was not done." }), ...left,
      el("button", { type: "button", class: "lab-primary", text: `Generate about ${count(likely)} and replay`, on: { click: () => this.generate(state.id) } }));
    return undefined;
  }

  async generate(id) {
    this.generated = true;
    if (await this.ask(() => this.server.what_if_generate({ id }))) this.follow(id);
  }

  say(text, wrong = false) {
    this.outcome.replaceChildren(el("p", { class: wrong ? "lab-message is-error" : "lab-muted", role: wrong ? "alert" : null, text: line(text, 600) }));
  }
}

function field(info, group) {
  const first = String(info.value);
  const data = { name: info.name, group, kind: info.kind, first };
  const label = info.name.replaceAll("_", " ") + (info.symbol && info.symbol !== info.name ? ` (${info.symbol})` : "");
  let input;
  if (info.kind === "choice") {
    input = el("select", { class: "lab-select", data }, ...info.choices.map((one) => el("option", { value: one, text: one })));
    input.value = first;
  } else if (info.kind === "bool") {
    input = el("input", { type: "checkbox", data });
    input.checked = Boolean(info.value);
  } else {
    input = el("input", { type: "number", class: "lab-input", step: info.kind === "int" ? "1" : "any", value: first, data });
  }
  // The help is no part of the field's name: it is said after it.
  const id = `lab-what-if-${group}-${info.name}`;
  Object.assign(input, { id });
  input.setAttribute("aria-describedby", `${id}-help`);
  return el("div", { class: "lab-what-if-field" }, el("label", { for: id, text: label }), input, el("small", { id: `${id}-help`, text: info.help }));
}
