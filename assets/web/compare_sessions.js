/** Two searches of one question: both trees, linked node by node, and lists of what differs. */

import { DifferenceColour, plus } from "./compare_colour.js";
import { el } from "./dom.js";
import { Store } from "./store.js";
import { count, ending, line, number, when } from "./text.js";
import { TreeView } from "./tree_view.js";

const MOST = 60; // lines of a list
const STEP = 60; // characters of a step; where there is room for fewer its beginning is cut
const MEASURES = [["values", "V", 3], ["visits", "visits n", 0], ["rewards", "reward", 3]];

export class CompareSessions {
  /**
   * @param {Store} store
   * @param {{delta: Function, comparable: Function, compare_sessions: Function}} server
   * @param {{open: (session: string) => void, go: (place: string) => void, method: () => string}} does
   */
  constructor(store, server, does) {
    Object.assign(this, { store, server, does });
    this.measure = "values";
    this.serial = 0;
    this.choice = el("select", { class: "lab-select", "aria-label": "Compare with", on: { change: () => does.go(`compare/${this.choice.value}`) } });
    this.measures = el("div", { class: "lab-kinds", role: "group", "aria-label": "Coloured by" });
    this.message = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.sides = ["one", "other"].map((name) => new Side(name, this));
    this.lists = el("div", { class: "lab-compare-lists" });
    this.summary = el("p", { class: "lab-compare-summary" });
    this.content = el("div", { class: "lab-compare-content", hidden: true }, this.summary, el("div", { class: "lab-compare-trees" }, ...this.sides.map((side) => side.element)), this.lists);
    this.empty = el("div", { class: "lab-sheet-empty", hidden: true }, el("h3", { text: "No other search of this question" }),
      el("p", { text: "Fork this one from the timeline, replay it on the tab What if, or search the question again with other parameters or another seed: then they stand side by side here." }));
    this.element = el("div", { class: "lab-compare" }, el("div", { class: "lab-compare-top" }, el("label", { class: "lab-compare-choice" }, el("span", { text: "This search beside" }), this.choice), this.measures), this.message, this.content, this.empty);
    document.addEventListener("lab-theme", () => this.sides.forEach((side) => side.view.readTheme()));
  }

  async show(other) {
    const { session } = this.store;
    const serial = ++this.serial;
    const answer = await this.server.comparable({ session }).catch(() => ({ error: "The lab does not answer." }));
    if (serial !== this.serial) return;
    const sessions = answer.sessions ?? [];
    const chosen = other || sessions[0]?.id;
    this.fail(answer.error);
    this.empty.hidden = Boolean(answer.error) || sessions.length > 0 || Boolean(other);
    this.choice.replaceChildren(...sessions.map((one) => el("option", { value: one.id, text: label(one) })));
    if (!chosen) {
      this.content.hidden = true;
      return;
    }
    this.choice.value = chosen;
    await this.compare(session, chosen, serial);
  }

  async compare(session, other, serial) {
    const asked = [this.server.compare_sessions({ session, other, method: this.does.method() }), ...[session, other].map((id) => this.server.delta({ session: id, since: -1 }))];
    const answers = await Promise.all(asked).catch(() => [{ error: "The lab does not answer." }]);
    if (serial !== this.serial) return;
    const error = answers.find((one) => one.error)?.error;
    this.fail(error);
    this.content.hidden = Boolean(error);
    if (error) return;
    const [found, ...deltas] = answers;
    this.found = found;
    this.sides.forEach((side, k) => side.take(deltas[k], found, k));
    this.draw();
  }

  fail(error) {
    this.message.hidden = !error;
    this.message.textContent = error ? line(error, 600) : "";
  }

  draw() {
    const { found } = this;
    this.measures.replaceChildren(el("span", { class: "lab-muted", text: "Coloured by the difference in" }), ...MEASURES.map(([name, text]) => el("button", {
      type: "button", class: "lab-kind", "aria-pressed": String(name === this.measure), data: { measure: name }, text, on: { click: () => { this.measure = name; this.draw(); } },
    })), this.legend());
    const [, , decimals] = MEASURES.find(([name]) => name === this.measure);
    const gaps = this.gaps();
    const most = Math.max(...[...gaps.values()].map(Math.abs), 1e-9);
    this.sides.forEach((side, k) => side.colour(new Map(found.pairs.map((pair) => [k ? pair.other : pair.one, (k ? 1 : -1) * (gaps.get(pair.one) ?? 0)])), most, decimals));
    this.summary.replaceChildren(...this.told());
    this.lists.replaceChildren(this.changes(gaps, decimals), this.rewards(), this.alone("one", found.only_one), this.alone("other", found.only_other));
  }

  /** What differs, in a sentence or two. */
  told() {
    const { pairs, one, other } = this.found;
    const moved = (name) => pairs.filter((pair) => differs(...pair[name])).length;
    const paths = [one, other].map((side, k) => side.best_path.slice(1).map((id) => this.sides[k].store.nodes.get(id)?.step));
    const parts = paths[0].findIndex((step, k) => step !== paths[1][k]);
    const same = parts < 0 && paths[0].length === paths[1].length;
    const answers = this.found.same_answer ? [el("b", { text: "The same answer" })] : [el("b", { text: `Answer ${line(one.answer ?? "none", 40)} \u2192 ${line(other.answer ?? "none", 40)}` })];
    return [...answers, el("span", { text: `. ${same ? "The best path is the same" : `The best paths part at step ${count((parts < 0 ? Math.min(paths[0].length, paths[1].length) : parts) + 1)}`}. Of ${count(pairs.length)} common nodes ${count(moved("visits"))} differ in visits, ${count(moved("values"))} in V and ${count(moved("rewards"))} in their exported reward.` })];
  }

  legend() {
    return el("span", { class: "lab-compare-legend", title: "Colour of a node: what it has less or more than the same node of the other tree. Hollow: the other tree has no such node." },
      el("span", { text: "less" }), el("i", { class: "lab-compare-scale" }), el("span", { text: "more" }), el("i", { class: "lab-compare-hollow" }), el("span", { text: "only here" }));
  }

  /** What the other tree has more, by node of the first. */
  gaps() {
    return new Map(this.found.pairs.map((pair) => {
      const [one, other] = pair[this.measure];
      return [pair.one, (other ?? 0) - (one ?? 0)];
    }));
  }

  changes(gaps, decimals) {
    const moved = this.found.pairs.filter((pair) => differs(...pair[this.measure])).sort((a, b) => Math.abs(gaps.get(b.one)) - Math.abs(gaps.get(a.one)));
    const [, text] = MEASURES.find(([name]) => name === this.measure);
    return list(`Biggest changes in ${text}`, `${count(moved.length)} of ${count(this.found.pairs.length)} common nodes differ`, moved.slice(0, MOST).map((pair) => {
      const [one, other] = pair[this.measure];
      return this.row(pair.one, pair.other, pair.step, `${number(one, decimals)} \u2192 ${number(other, decimals)}`, plus(gaps.get(pair.one), decimals));
    }), moved.length, "Nothing differs.");
  }

  rewards() {
    const differing = this.found.pairs.filter(({ rewards }) => differs(...rewards));
    return list("Exported rewards that differ", `by the method ${this.does.method()}; ${count(this.found.one.rows)} rows here, ${count(this.found.other.rows)} there`,
      differing.slice(0, MOST).map((pair) => this.row(pair.one, pair.other, pair.step, pair.rewards.map((value) => (value === null ? "no row" : number(value, 3))).join(" \u2192 "), "")), differing.length, "The same rows come of both for the common nodes.");
  }

  alone(side, ids) {
    const of = this.sides[side === "one" ? 0 : 1].store;
    const rows = ids.map((id) => of.nodes.get(id)).filter(Boolean).sort((a, b) => b.visits - a.visits || b.value - a.value);
    return list(side === "one" ? "Only in the first" : "Only in the second", "steps that the other search has not got, the most visited first",
      rows.slice(0, MOST).map((node) => this.row(side === "one" ? node.id : null, side === "one" ? null : node.id, node.step, `V ${number(node.value)}`, `n ${count(node.visits)}`)), rows.length, "None.");
  }

  row(one, other, step, text, more) {
    return el("button", { type: "button", class: "lab-compare-row", on: {
      click: () => this.link(one, other, true), pointerenter: () => this.link(one, other), focus: () => this.link(one, other),
    } }, el("span", { class: "lab-compare-step", title: line(step, 400) }, el("bdi", { dir: "ltr", text: ending(step, STEP) || "the question" })), el("span", { class: "lab-compare-number", text }), el("b", { text: more }));
  }

  /** Show the same node in both trees. */
  link(one, other, select = false) {
    [one, other].forEach((id, k) => {
      const { view, store } = this.sides[k];
      if (select) store.select(id);
      else view.setHovered(id);
    });
  }

  /** A node of one side is hovered or selected: so is its like in the other. */
  linked(side, id, select) {
    if (!this.found || this.linking) return;
    const here = side === this.sides[0];
    const pair = this.found.pairs.find((one) => (here ? one.one : one.other) === id);
    this.linking = true;
    const { view, store } = this.sides[here ? 1 : 0];
    const like = pair ? (here ? pair.other : pair.one) : null;
    if (select) store.select(like);
    else view.setHovered(like);
    this.linking = false;
  }
}

/** One of the two trees, with what is known of its search. */
class Side {
  constructor(name, owner) {
    this.store = new Store();
    this.colouring = new DifferenceColour();
    this.view = new TreeView(this.store, {}, this.colouring);
    this.view.setGhosts(false);
    this.head = el("header", { class: "lab-compare-side-head" });
    this.element = el("section", { class: `lab-compare-tree is-${name}`, "aria-label": name === "one" ? "This search" : "The other search" }, this.head, this.view.element);
    this.view.element.addEventListener("hovered", ({ detail }) => owner.linked(this, detail, false));
    this.store.addEventListener("selected", () => owner.linked(this, this.store.selected, true));
    this.owner = owner;
  }

  take(delta, found, k) {
    const side = k ? found.other : found.one;
    if (this.store.session === delta.session) this.store.cursor = -1;
    else this.store.open(delta.session);
    this.store.apply({ ...delta, reset: true });
    const params = Object.entries(side.params).map(([name, value]) => el("span", { class: "lab-compare-param" }, el("small", { text: name.replaceAll("_", " ") }), el("b", { text: line(String(value), 40) })));
    const kind = side.correct === true ? "right" : side.correct === false ? "wrong" : "open";
    this.head.replaceChildren(
      el("div", { class: "lab-compare-facts" }, el("b", { text: k ? "The other" : "This search" }), el("span", { class: `lab-chip is-${kind}`, text: side.answer === null ? "no answer" : line(side.answer, 40) }),
        el("span", { class: "lab-muted", text: `${count(side.iterations)} iterations, ${count(side.nodes)} nodes, ${count(side.rows)} rows` }),
        k ? el("button", { type: "button", class: "lab-link", text: "open", title: "Open this search", on: { click: () => this.owner.does.open(side.session) } }) : null),
      el("div", { class: "lab-compare-params" }, ...(params.length ? params : [el("span", { class: "lab-muted", text: "the same parameters" })])));
  }

  colour(gaps, most, decimals) {
    this.colouring.use(gaps, most, decimals);
    this.view.readTheme();
  }
}

/** Whether two numbers, or a number and none, differ by more than rounding. */
function differs(one, other) {
  return one === null || other === null ? one !== other : Math.abs(one - other) > 1e-9;
}

function list(title, note, rows, total, none) {
  return el("section", { class: "lab-compare-list" }, el("h3", {}, el("span", { text: title }), el("small", { text: note })),
    ...(rows.length ? rows : [el("p", { class: "lab-empty", text: none })]),
    total > rows.length ? el("p", { class: "lab-muted", text: `and ${count(total - rows.length)} more` }) : null);
}

function label(one) {
  const outcome = one.answer === null ? "no answer" : `${line(one.answer, 20)}${one.correct === true ? " (right)" : one.correct === false ? " (wrong)" : ""}`;
  return `${line(one.name || one.id, 80)} \u00b7 ${outcome} \u00b7 ${count(one.iterations)} iterations \u00b7 ${when(one.created)}`;
}
