/**
 * Everything that can be exported: which sessions, as what, with which settings. What would be
 * written is counted before it is.
 */

import { el } from "./dom.js";
import { download, outcome, outlook } from "./export_words.js";
import { count, fileName, line } from "./text.js";

const CONTAINERS = { jsonl: "JSON lines", parquet: "Parquet", datasets: "datasets folder" };
const SCORES = { reward: "reward", value: "value V", q: "share of right solutions", correct: "any right solution" };
const ANSWERED = [["", "any"], ["right", "right"], ["wrong", "wrong"], ["ungraded", "not graded"], ["none", "none"]];
const PAIRS = new Set(["pairs", "trl-dpo"]);
const WAIT = 220; // milliseconds after the last change before it is counted

export class ExportPanel {
  /**
   * @param {Store} store
   * @param {object} server
   * @param {RewardState} state
   */
  constructor(store, server, state) {
    Object.assign(this, { store, server, state, options: null, session: null, busy: false, some: [] });
    this.chosen = { what: "filter", form: "values", rows: true, container: "jsonl", method: "paper", by: "reward" };
    this.fields = {};
    this.groups = {};
    this.report = el("div", { class: "lab-report", "aria-live": "polite" });
    this.done = el("div", { class: "lab-export-outcome", hidden: true });
    this.save = el("button", { type: "button", class: "lab-primary", text: "Save and download", on: { click: () => this.press() } });
    this.folder = el("span", { class: "lab-muted" });
    this.element = el("div", { class: "lab-export-panel", on: { input: () => this.changed(), keydown: (event) => event.key === "Enter" && event.target.matches("input[type=text]") && this.press() } });
    this.element.append(this.which(), this.form(), this.rest(),
      el("section", { class: "lab-export-end" }, this.report, el("div", { class: "lab-new-buttons" }, this.save, this.folder), this.done));
  }

  which() {
    this.filter = el("div", { class: "lab-fields-row" }, this.select("dataset", "Dataset"), this.select("answered", "Answer"), this.select("algorithm", "Method of search"),
      this.field("since", "Made from", { type: "date" }), this.field("until", "Made before", { type: "date" }));
    return el("section", {}, el("h3", { text: "Which trees" }), this.choice("what", "Which trees"), this.filter);
  }

  form() {
    this.summary = el("p", { class: "lab-muted lab-export-summary" });
    return el("section", {}, el("h3", { text: "What of them" }),
      el("div", { class: "lab-export-forms" }, el("span", { text: "training rows" }), this.choice("rows-form", "Training rows"), el("span", { text: "the tree itself" }), this.choice("tree-form", "The tree itself")),
      this.summary);
  }

  rest() {
    this.pairs = el("div", { class: "lab-fields-row" }, this.select("by", "A step is better by"), this.field("margin", "By at least", { placeholder: "0" }), this.field("most_pairs", "Pairs after the same steps", { placeholder: "4" }));
    this.trl = el("div", { class: "lab-fields-row" }, this.field("prompt", "Prompt", { value: "{question}\\n" }));
    this.chat = this.check("chat", "As messages of user and assistant");
    this.rowSettings = el("section", {}, el("h3", { text: "How" }),
      el("div", { class: "lab-export-forms" }, el("span", { text: "rewards by" }), this.choice("method", "Method"), el("span", { text: "written as" }), this.choice("container", "Written as")),
      el("div", { class: "lab-fields-row" }, this.field("min_value", "Value at least", { placeholder: "any" })),
      this.pairs, this.trl,
      el("div", { class: "lab-export-checks" }, this.check("correct", "Right solutions only"), this.check("bare", "Without the columns session, node and touched"), this.chat));
    return el("div", { class: "lab-export-rest" }, this.rowSettings,
      el("section", {}, el("div", { class: "lab-fields-row" }, this.field("name", "File name, without ending", { placeholder: "made of what is in it" }))));
  }

  field(name, label, { type = "text", placeholder = "", value = "" } = {}) {
    this.fields[name] = el("input", { type, name, value, placeholder, spellcheck: "false", autocomplete: "off" });
    return el("label", { class: `lab-input is-${name}` }, el("span", { text: label }), this.fields[name]);
  }

  select(name, label) {
    this.fields[name] = el("select", { name });
    return el("label", { class: `lab-input is-${name}` }, el("span", { text: label }), this.fields[name]);
  }

  check(name, label) {
    this.fields[name] = el("input", { type: "checkbox", name });
    return el("label", { class: "lab-check" }, this.fields[name], el("span", { text: label }));
  }

  choice(name, label) {
    this.groups[name] = el("div", { class: "lab-pills", role: "group", "aria-label": label });
    return this.groups[name];
  }

  /** These sessions, until others are chosen. @param {string[]} sessions ids */
  take(sessions) {
    this.some = sessions;
    this.chosen.what = "some";
  }

  /** Shown: learn what there is, and count. */
  async open() {
    const { session } = this.store;
    this.done.hidden = true;
    this.chosen.method = this.state.method;
    if (session !== this.session && this.chosen.what !== "some") this.chosen.what = session === null ? "filter" : "tree";
    this.session = session;
    const options = await this.server.export_options({ session }).catch(() => ({ error: "The lab does not answer." }));
    if (options.error) {
      this.report.replaceChildren(...outcome(options));
      return;
    }
    this.options = options;
    if (this.chosen.what === "batch" && !options.batch) this.chosen.what = "tree";
    this.offer("dataset", [["", "any"], ...options.datasets.map((name) => [name, line(fileName(name), 60)])]);
    this.offer("algorithm", [["", "any"], ...options.algorithms.map((name) => [name, name.replaceAll("_", " ")])]);
    this.offer("answered", ANSWERED);
    this.offer("by", options.scores.map((name) => [name, SCORES[name] ?? name]));
    this.folder.textContent = `into ${line(options.folder, 200)}`;
    this.draw();
    this.count();
  }

  offer(name, options) {
    const kept = this.fields[name].value;
    this.fields[name].replaceChildren(...options.map(([value, text]) => el("option", { value, text })));
    this.fields[name].value = options.some(([value]) => value === kept) ? kept : options[0][0];
  }

  choose(change) {
    Object.assign(this.chosen, change);
    this.draw();
    this.changed();
  }

  pills(group, options, current, choose) {
    const focused = this.groups[group].contains(document.activeElement);
    this.groups[group].replaceChildren(...options.map(([value, text, title]) => el("button", {
      type: "button", class: "lab-pill", text, title, "aria-pressed": String(value === current), data: { value }, on: { click: () => choose(value) },
    })));
    if (focused) this.groups[group].querySelector("[aria-pressed=true]")?.focus();
  }

  draw() {
    const { options, chosen } = this;
    if (!options) return;
    const trees = [
      this.store.session === null ? null : ["tree", "this tree"],
      options.batch ? ["batch", "its batch"] : null,
      this.some.length ? ["some", this.some.length === 1 ? "the one chosen" : `the ${count(this.some.length)} chosen`, "Those chosen on the sheet of sessions"] : null,
      ["filter", "all that match"],
    ].filter(Boolean);
    this.pills("what", trees, chosen.what, (what) => this.choose({ what }));
    this.filter.hidden = chosen.what !== "filter";
    const forms = (list) => list.map((one) => [one.name, one.name, one.summary]);
    this.pills("rows-form", forms(options.formats), chosen.rows ? chosen.form : null, (form) => this.choose({ form, rows: true }));
    const documents = options.documents.filter((one) => chosen.what === "tree" || one.name === "jsonl");
    this.pills("tree-form", forms(documents), chosen.rows ? null : chosen.form, (form) => this.choose({ form, rows: false }));
    if (!chosen.rows && !documents.some((one) => one.name === chosen.form)) chosen.form = "jsonl";
    const format = (chosen.rows ? options.formats : options.documents).find((one) => one.name === chosen.form);
    this.summary.textContent = format?.summary ?? "";
    this.rowSettings.hidden = !chosen.rows;
    this.pills("method", this.state.methods.map((one) => [one.name, one.name, `${one.title}. ${one.summary}`]), chosen.method, (method) => this.choose({ method }));
    this.pills("container", options.containers.map((name) => [name, CONTAINERS[name] ?? name]), chosen.container, (container) => this.choose({ container }));
    this.pairs.hidden = !PAIRS.has(chosen.form);
    this.trl.hidden = !chosen.form.startsWith("trl-");
    this.chat.hidden = !format?.chat;
  }

  entered() {
    const { chosen, fields, options, store } = this;
    const value = (name) => fields[name].value;
    const row = chosen.rows;
    return {
      what: chosen.what, session: store.session, sessions: this.some, batch: options?.batch ?? null, form: chosen.form, rows: row, container: chosen.container, method: chosen.method,
      dataset: value("dataset"), answered: value("answered"), algorithm: value("algorithm"), since: value("since"), until: value("until"),
      min_value: value("min_value"), correct: fields.correct.checked, bare: fields.bare.checked, name: value("name"),
      ...(this.pairs.hidden ? {} : { by: value("by"), margin: value("margin"), most_pairs: value("most_pairs") }),
      ...(this.trl.hidden ? {} : { prompt: fields.prompt.value }),
      ...(this.chat.hidden ? {} : { chat: fields.chat.checked }),
    };
  }

  changed() {
    this.done.hidden = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.count(), WAIT);
  }

  /** Count what would be written; one count at a time, and the newest is shown. */
  async count() {
    if (this.counting) {
      this.again = true;
      return;
    }
    this.counting = true;
    this.report.classList.add("is-busy");
    const answer = await this.server.export_preview({ entered: this.entered() }).catch(() => ({ error: "The lab does not answer." }));
    this.counting = false;
    if (this.again) {
      this.again = false;
      this.count();
      return;
    }
    this.report.classList.remove("is-busy");
    this.report.replaceChildren(...(answer.error ? outcome(answer) : outlook(answer)));
    const amount = answer.counts ? answer.counts.rows : answer.sessions;
    this.save.disabled = Boolean(answer.error) || !amount || this.busy;
    this.save.textContent = !amount ? "Save and download" : answer.counts ? `Save ${count(amount)} row${amount === 1 ? "" : "s"}` : `Save ${count(amount)} tree${amount === 1 ? "" : "s"}`;
  }

  async press() {
    if (this.busy || this.save.disabled) return;
    this.busy = this.save.disabled = true;
    this.save.textContent = "Writing \u2026";
    const answer = await this.server.export_save({ entered: this.entered() }).catch(() => ({ error: "Not exported: the lab does not answer." }));
    this.busy = false;
    await this.count();
    this.done.replaceChildren(...outcome(answer));
    this.done.hidden = false;
    this.done.scrollIntoView({ block: "nearest" });
    download(answer);
  }
}
