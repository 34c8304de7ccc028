/**
 * The sheet of datasets: over the tree, beside the form. Three screens: all batches, one of them,
 * and asking for a new one.
 */

import { BatchView, bar, nameOf, stateOf } from "./batch_view.js";
import { el, icon } from "./dom.js";
import { NewBatch } from "./new_batch.js";
import { Sheet } from "./sheet.js";
import { between, count, line, percent, roughly, when } from "./text.js";

export class Datasets extends Sheet {
  /**
   * @param {Batches} batches
   * @param {object} server
   * @param {{solve: Function, open: Function}} does `solve(entered)` starts a batch by way of the
   *   form, `open(session, trail)` shows a session
   */
  constructor(batches, server, does) {
    const back = el("button", { type: "button", class: "lab-tool", title: "All batches", "aria-label": "All batches", on: { click: () => this.go("") } }, icon("left"));
    const add = el("button", { type: "button", class: "lab-button", on: { click: () => this.go("new") } }, icon("plus"), el("span", { text: "New batch" }));
    super("datasets", "Datasets", [back], [add]);
    Object.assign(this, { batches, back, add });
    this.items = new Map();
    this.view = new BatchView(batches, server, (session, trail) => does.open(session, trail));
    this.form = new NewBatch(server, does.solve);
    this.list = el("div", { class: "lab-batches" });
    batches.addEventListener("changed", () => this.draw());
  }

  /** "list", "new" or "batch"; null while closed. */
  get screen() {
    return this.place === null ? null : { "": "list", new: "new" }[this.place] ?? "batch";
  }

  toggle() {
    if (this.place !== null) this.close();
    else this.go(this.batches.active ? "" : this.view.id ?? "");
  }

  /** @param {string} place "" for all batches, "new", or a batch */
  go(place) {
    super.go(place);
    const { screen } = this;
    this.body.replaceChildren({ list: this.list, new: this.form.element, batch: this.view.element }[screen]);
    if (screen === "batch") this.view.show(place);
    this.batches.look(true);
    this.draw();
    this.focus();
  }

  focus() {
    if (this.screen === "new") this.form.fields.source.focus();
    else if (this.screen === "batch") this.view.rows.element.focus({ preventScroll: true });
    else (this.list.querySelector("button") ?? this.add).focus({ preventScroll: true });
  }

  close() {
    this.batches.look(false);
    super.close();
  }

  /** A reply to the start of a batch: {begun, refused}. */
  receive({ begun, refused }) {
    this.form.started(refused ?? "");
    if (begun) {
      this.batches.wake();
      this.go(begun);
    }
  }

  draw() {
    if (this.place === null) return;
    const batch = this.screen === "batch" ? this.view.batch : null;
    this.title.textContent = this.screen === "new" ? "New batch" : batch ? nameOf(batch) : "Datasets";
    this.back.hidden = this.screen === "list";
    this.add.hidden = this.screen === "new";
    if (this.screen === "list") this.drawList();
  }

  /** Lines keep their element, so that neither focus nor hover is lost when a figure moves. */
  drawList() {
    const { list, connection, known } = this.batches;
    const lines = list.map((batch) => {
      let item = this.items.get(batch.id);
      if (!item) this.items.set(batch.id, (item = el("button", { type: "button", class: "lab-batch-line", on: { click: () => this.go(batch.id) } })));
      const print = JSON.stringify(batch);
      if (item.print !== print) item.replaceChildren(...lineOf(batch));
      item.print = print;
      return item;
    });
    const note = connection ? el("p", { class: "lab-message is-error", text: line(connection, 400) }) : known && !lines.length ? invitation() : null;
    const wanted = [note, ...lines].filter(Boolean);
    const same = wanted.length === this.list.children.length && wanted.every((item, k) => item === this.list.children[k]);
    if (!same) this.list.replaceChildren(...wanted);
  }
}

function lineOf(batch) {
  const accuracy = batch.accuracy;
  const more = [
    batch.active ? `${count(batch.rate)} tokens/s` : "",
    batch.active && batch.left !== null ? `${roughly(batch.left)} left` : "",
    batch.failed ? `${count(batch.failed)} failed` : "",
  ].filter(Boolean).join(", ");
  return [
    el("span", { class: "lab-batch-name" }, el("b", { text: nameOf(batch) }),
      el("small", { text: [line(batch.title || batch.setting.algorithm, 40), `seed ${batch.setting.seed}`, when(batch.created)].join("  \u00b7  ") })),
    el("span", { class: "lab-batch-progress" }, bar(batch),
      el("small", {}, el("span", { class: `lab-state is-${batch.status}`, text: stateOf(batch) }), el("span", { text: more }))),
    el("span", { class: "lab-batch-count" }, el("b", { text: count(batch.done) }), el("small", { text: `of ${count(batch.problems)}` })),
    el("span", { class: "lab-batch-right" }, el("b", { text: percent(accuracy?.estimate) }), el("small", { text: accuracy ? between(accuracy) : "nothing graded" })),
    batch.status === "failed" && batch.message ? el("span", { class: "lab-batch-error", text: line(batch.message, 240) }) : null,
  ].filter(Boolean);
}

function invitation() {
  return el("div", { class: "lab-sheet-empty" },
    el("h3", { text: "Search a whole dataset" }),
    el("p", { text: "A batch searches every problem of a file, many at a time, and says how many answers are right. Each problem keeps its tree, to be opened here." }),
    el("p", { class: "lab-muted", text: "Searches that you step on the page go first; a batch can be stopped and goes on where it was." }));
}
