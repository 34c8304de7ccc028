/** What filters the list of sessions: text, outcome, method, where from, tag, dates; and its order. */

import { el } from "./dom.js";
import { count, fileName, line } from "./text.js";

const OUTCOMES = [["", "all"], ["right", "right"], ["wrong", "wrong"], ["ungraded", "not graded"], ["none", "no answer"]];
const ORDERS = [["newest", "newest first"], ["oldest", "oldest first"], ["changed", "last changed"], ["nodes", "largest tree"], ["name", "by name"]];
const KEPT = "lab-sessions-order";

export class Filters {
  /** @param {() => void} changed called when the list is to be asked for again */
  constructor(changed) {
    this.changed = changed;
    this.outcome = "";
    this.search = el("input", {
      type: "search", class: "lab-search", placeholder: "Search questions, answers, names, tags", "aria-label": "Search questions, answers, names, tags", spellcheck: "false",
      on: { input: () => { clearTimeout(this.timer); this.timer = setTimeout(changed, 160); } },
    });
    this.pills = OUTCOMES.map(([name, text]) => el("button", { type: "button", class: "lab-pill", data: { outcome: name }, "aria-pressed": String(name === ""), on: { click: () => this.pick(name) } },
      el("span", { text }), el("small", {})));
    this.fields = {
      algorithm: this.choice("Algorithm", [["", "any algorithm"]]),
      source: this.choice("Where from", [["", "own and batches"], ["own", "own only"]]),
      tag: this.choice("Tag", [["", "any tag"]]),
      order: this.choice("Order", ORDERS),
    };
    this.since = this.date("Made from");
    this.until = this.date("Made until");
    this.fields.order.value = localStorage.getItem(KEPT) ?? "newest";
    if (!this.fields.order.value) this.fields.order.value = "newest";
    const dates = el("span", { class: "lab-dates" }, this.since, el("span", { text: "\u2013", "aria-hidden": "true" }), this.until);
    this.element = el("div", { class: "lab-filters" },
      el("div", { class: "lab-filter-line" }, this.search, el("div", { class: "lab-pills", role: "group", "aria-label": "Outcome" }, ...this.pills)),
      el("div", { class: "lab-filter-line" }, this.fields.algorithm, this.fields.source, this.fields.tag, dates, el("div", { class: "lab-spring" }), this.fields.order));
  }

  choice(label, options) {
    return el("select", { class: "lab-choice", "aria-label": label, on: { change: () => { localStorage.setItem(KEPT, this.fields.order.value); this.changed(); } } }, ...options.map(optionOf));
  }

  date(label) {
    return el("input", { type: "date", class: "lab-choice", "aria-label": label, title: label, on: { change: () => this.changed() } });
  }

  pick(name) {
    this.outcome = name;
    for (const pill of this.pills) pill.setAttribute("aria-pressed", String(pill.dataset.outcome === name));
    this.changed();
  }

  /** Show the sessions with one tag. */
  only(tag) {
    this.fields.tag.value = tag;
    this.changed();
  }

  /** As the server takes it; dates are those of this machine. */
  get wanted() {
    const moment = (field, end) => (field.value ? new Date(`${field.value}T${end ? "23:59:59.999" : "00:00"}`).getTime() / 1000 : null);
    const chosen = Object.fromEntries(Object.entries(this.fields).map(([name, field]) => [name, field.value]));
    return { search: this.search.value, outcome: this.outcome, ...chosen, since: moment(this.since, false), until: moment(this.until, true) };
  }

  /** What there is to choose from, and how many of each. */
  draw({ counts, algorithms, tags, batches }) {
    for (const pill of this.pills) pill.lastElementChild.textContent = count(counts[pill.dataset.outcome || "all"]);
    offer(this.fields.algorithm, 1, algorithms.map((name) => [name, line(name.replaceAll("_", " "), 40)]));
    offer(this.fields.tag, 1, tags.map((tag) => [tag, line(tag, 40)]));
    offer(this.fields.source, 2, batches.map(({ id, name }) => [id, `batch ${line(fileName(name), 40)}`]));
    this.fields.tag.hidden = !tags.length;
  }
}

const optionOf = ([value, text]) => el("option", { value, text });

/** Renew the options after the first ones, keeping what is chosen. */
function offer(field, fixed, options) {
  const { value } = field;
  const print = JSON.stringify(options);
  if (field.print === print) return;
  field.print = print;
  field.replaceChildren(...[...field.children].slice(0, fixed), ...options.map(optionOf));
  field.value = value;
  if (field.selectedIndex < 0) field.value = "";
}
