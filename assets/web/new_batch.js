/**
 * Asking for a batch: which problems, what the reader finds in them, and how many at a time. The
 * way of searching is that of the form on the left, which Python reads when the batch starts.
 */

import { el } from "./dom.js";
import { block, count, line } from "./text.js";

const FIELDS = ["content", "answer", "options", "tolerance", "id"];
const READ = ["source", ...FIELDS, "split", "limit"];

export class NewBatch {
  /**
   * @param {{dataset: Function}} server
   * @param {(entered: object) => void} start
   */
  constructor(server, start) {
    Object.assign(this, { server, start });
    this.found = null; // what was read, and of which fields
    this.reading = 0;
    this.fields = {};
    this.element = el("form", { class: "lab-new-batch", autocomplete: "off", on: {
      submit: (event) => { event.preventDefault(); this.press(); },
      change: (event) => READ.includes(event.target.name) && this.read(),
      input: () => this.draw(),
    } });
    this.report = el("div", { class: "lab-report", "aria-live": "polite" });
    this.message = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.bundled = el("div", { class: "lab-bundled" });
    this.button = el("button", { type: "submit", class: "lab-primary", text: "Start" });
    this.note = el("span", { class: "lab-muted" });
    this.element.append(...this.sections());
    this.draw();
  }

  sections() {
    return [
      el("section", {},
        el("h3", { text: "Problems" }),
        this.field("source", "File or folder on this machine, or bundled problems", { placeholder: "/data/problems.jsonl" }),
        this.bundled,
        el("div", { class: "lab-fields-row" }, this.field("limit", "Problems at most", { placeholder: "all", numeric: true })),
        el("details", {}, el("summary", { text: "Fields and split" }),
          el("p", { class: "lab-muted", text: "Usual names (question, choices, answer, solution \u2026) are found by themselves. Several fields are joined by commas: Body,Question." }),
          el("div", { class: "lab-fields-row" },
            this.field("content", "Question in", { placeholder: "found by name" }),
            this.field("answer", "Right answer in", { placeholder: "found by name" }),
            this.field("options", "Options in", { placeholder: "found by name" }),
            this.field("tolerance", "Right within", { placeholder: "a field, or 5 %" }),
            this.field("id", "Id in", { placeholder: "found by name" }),
            this.field("split", "Split", { placeholder: "the only one" }))),
        this.report),
      el("section", {},
        el("h3", { text: "Searches" }),
        el("p", { class: "lab-muted", text: "Method, parameters, sampling and seed are those of the form beside the tree, as they are when you start." }),
        el("div", { class: "lab-fields-row" },
          this.field("iterations", "Iterations each", { value: "20", placeholder: "no limit", numeric: true }),
          this.field("tokens", "Policy tokens each", { placeholder: "no limit", numeric: true }),
          this.field("parallel", "At a time", { value: "16", numeric: true }),
          this.field("name", "Name", { placeholder: "optional" })),
        this.fresh()),
      el("div", { class: "lab-new-end" }, this.message, el("div", { class: "lab-new-buttons" }, this.button, this.note)),
    ];
  }

  field(name, label, { placeholder = "", value = "", numeric = false } = {}) {
    const input = el("input", { type: "text", name, value, placeholder, spellcheck: "false", inputmode: numeric ? "numeric" : null });
    this.fields[name] = input;
    return el("label", { class: `lab-input is-${name}` }, el("span", { text: label }), input);
  }

  fresh() {
    this.fields.fresh = el("input", { type: "checkbox", name: "fresh" });
    return el("label", { class: "lab-check" }, this.fields.fresh,
      el("span", { text: "Begin anew even if this work was begun before" }));
  }

  /** The names of bundled problems, a press each. */
  offer(names) {
    this.bundled.replaceChildren(...names.map((name) => el("button", {
      type: "button", class: "lab-pill", text: name, on: { click: () => { this.fields.source.value = name; this.read(); } },
    })));
  }

  entered() {
    const value = (name) => this.fields[name].value;
    return {
      source: value("source"), split: value("split"), limit: value("limit"),
      fields: Object.fromEntries(FIELDS.map((name) => [name, value(name)])),
      iterations: value("iterations"), tokens: value("tokens"), parallel: value("parallel"), name: value("name"),
      fresh: this.fields.fresh.checked,
    };
  }

  /** What the report must have been read with to be about what is entered now. */
  print() {
    return JSON.stringify(READ.map((name) => this.fields[name].value.trim()));
  }

  async read() {
    if (!this.fields.source.value.trim()) return;
    const serial = ++this.reading;
    const print = this.print();
    this.busy = "Reading \u2026";
    this.say("");
    this.draw();
    const answer = await this.server.dataset({ entered: this.entered() }).catch(() => ({ error: "The lab does not answer. Is it still running?" }));
    if (serial !== this.reading) return;
    this.busy = "";
    this.found = answer.error ? null : { ...answer, print };
    this.say(answer.error ?? "");
    this.draw();
  }

  async press() {
    if (this.busy) return;
    if (!this.current) await this.read();
    else {
      this.busy = "Starting \u2026";
      this.say("");
      this.draw();
      this.start(this.entered());
    }
  }

  /** The report is about what is entered now. */
  get current() {
    return this.found?.print === this.print();
  }

  /** How starting went: the error in words, "" if it did. */
  started(error) {
    this.busy = "";
    this.say(error);
    this.draw();
  }

  say(text) {
    this.message.textContent = text ? block(text, 1200) : "";
    this.message.hidden = !text;
  }

  draw() {
    const named = this.fields.source.value.trim() !== "";
    this.button.textContent = this.busy || (this.current ? `Start ${count(this.found.problems)} ${this.found.problems === 1 ? "search" : "searches"}` : "Look at the problems");
    this.button.disabled = Boolean(this.busy) || !named;
    this.note.textContent = named ? "" : "Name a file, or press one of the bundled sets.";
    for (const pill of this.bundled.children) pill.setAttribute("aria-pressed", pill.textContent === this.fields.source.value);
    this.drawReport();
  }

  drawReport() {
    const found = this.current ? this.found : null;
    if (this.drawn === found) return;
    this.drawn = found;
    this.report.hidden = !found;
    if (found) this.report.replaceChildren(...reportOf(found));
  }
}

function reportOf(found) {
  const fields = Object.entries(found.fields).map(([name, field]) => `${name === "content" ? "question" : name} from \u201c${line(field, 40)}\u201d`);
  return [
    el("p", {}, el("b", { text: `${count(found.problems)} problem${found.problems === 1 ? "" : "s"}` }),
      el("span", { class: "lab-muted", text: `  ${[found.split && `split ${line(found.split, 40)}`, ...fields].filter(Boolean).join(", ")}` })),
    found.ungraded ? el("p", { text: `${count(found.ungraded)} of them have no right answer to be compared with.` }) : null,
    leftOut("is no problem", "are no problems", found.rejected),
    leftOut("repeats another", "repeat others", found.repeated),
    found.hint ? el("p", { class: "lab-message is-hint", text: block(found.hint, 600) }) : null,
    el("ul", { class: "lab-examples" }, ...found.examples.map((one) => el("li", {},
      el("span", { class: "lab-muted", text: line(one.place, 40) }), el("span", { text: line(one.content, 200) }),
      el("b", { text: one.answer === null ? "\u2013" : line(one.answer, 40) })))),
  ].filter(Boolean);
}

/** Rows that are not searched, by their place and with the reason. */
function leftOut(one, many, rows) {
  if (!rows.count) return null;
  const rest = rows.count - rows.rows.length;
  return el("details", { class: "lab-left-out", open: rows.count <= 5 },
    el("summary", { text: `${count(rows.count)} row${rows.count === 1 ? ` ${one} and is` : `s ${many} and are`} left out` }),
    el("ul", {}, ...rows.rows.map((row) => el("li", {}, el("b", { text: line(row.place, 60) }), el("span", { text: line(row.reason, 300) }))),
      rest > 0 ? el("li", { class: "lab-muted", text: `and ${count(rest)} more` }) : null));
}
