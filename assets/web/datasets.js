/**
 * The sheet of datasets: over the tree, beside the form. Three screens: all batches, one of them,
 * and asking for a new one.
 */

import { BatchView, bar, nameOf, stateOf } from "./batch_view.js";
import { el, icon } from "./dom.js";
import { NewBatch } from "./new_batch.js";
import { between, count, line, percent, roughly, when } from "./text.js";

export class Datasets extends EventTarget {
  /**
   * Events: "moved" (another screen, or closed).
   *
   * @param {Batches} batches
   * @param {object} server
   * @param {{solve: Function, open: Function}} does `solve(entered)` starts a batch by way of the
   *   form, `open(session, trail)` shows a session
   */
  constructor(batches, server, does) {
    super();
    this.batches = batches;
    this.screen = null; // null while closed, else "list", "new" or "batch"
    this.items = new Map();
    this.view = new BatchView(batches, server, (session, trail) => does.open(session, trail));
    this.form = new NewBatch(server, does.solve);
    this.title = el("h2", { tabindex: "-1" });
    this.back = el("button", { type: "button", class: "lab-tool", title: "All batches", "aria-label": "All batches", on: { click: () => this.show("list") } }, icon("left"));
    this.add = el("button", { type: "button", class: "lab-button", on: { click: () => this.show("new") } }, icon("plus"), el("span", { text: "New batch" }));
    this.list = el("div", { class: "lab-batches" });
    this.body = el("div", { class: "lab-sheet-body" });
    this.element = el("section", { class: "lab-sheet", role: "dialog", "aria-label": "Datasets", hidden: true, on: { keydown: (event) => this.key(event) } },
      el("header", { class: "lab-sheet-head" }, this.back, this.title, el("div", { class: "lab-spring" }), this.add,
        el("button", { type: "button", class: "lab-tool", title: "Back to the tree (Escape)", "aria-label": "Close", on: { click: () => this.close() } }, icon("cross"))),
      this.body);
    batches.addEventListener("changed", () => this.draw());
  }

  get batch() {
    return this.screen === "batch" ? this.view.id : null;
  }

  toggle() {
    if (this.screen) this.close();
    else this.show(this.view.id && !this.batches.active ? "batch" : "list", this.view.id);
  }

  /** @param {"list" | "new" | "batch"} screen */
  show(screen, batch = null) {
    this.screen = screen;
    this.element.hidden = false;
    this.body.replaceChildren({ list: this.list, new: this.form.element, batch: this.view.element }[screen]);
    if (screen === "batch") this.view.show(batch);
    this.batches.look(true);
    this.draw();
    this.focus();
    this.dispatchEvent(new CustomEvent("moved"));
  }

  focus() {
    if (this.screen === "new") this.form.fields.source.focus();
    else if (this.screen === "batch") this.view.rows.element.focus({ preventScroll: true });
    else (this.list.querySelector("button") ?? this.add).focus({ preventScroll: true });
  }

  close() {
    if (!this.screen) return;
    this.screen = null;
    this.element.hidden = true;
    this.batches.look(false);
    this.dispatchEvent(new CustomEvent("moved"));
  }

  key(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.target.type === "search" && event.target.value) {
      event.target.value = "";
      event.target.dispatchEvent(new Event("input", { bubbles: true }));
    } else {
      this.close();
    }
  }

  /** A reply to the start of a batch: {begun, refused}. */
  receive({ begun, refused }) {
    this.form.started(refused ?? "");
    if (begun) {
      this.batches.wake();
      this.show("batch", begun);
    }
  }

  draw() {
    if (!this.screen) return;
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
      if (!item) this.items.set(batch.id, (item = el("button", { type: "button", class: "lab-batch-line", on: { click: () => this.show("batch", batch.id) } })));
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
