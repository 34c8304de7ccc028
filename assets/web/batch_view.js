/** One batch: how far it is, what it has found, and its problems one by one. */

import { el } from "./dom.js";
import { Rows } from "./rows.js";
import { between, block, brief, count, duration, ending, fileName, line, percent, roughly } from "./text.js";

const KINDS = [["all", "All"], ["right", "Right"], ["wrong", "Wrong"], ["ungraded", "Ungraded"], ["failed", "Failed"], ["running", "Begun"], ["deleted", "Deleted"]];
const ALWAYS = new Set(["all", "right", "wrong", "failed"]);
const REFRESH = 1200; // milliseconds between two looks at the problems of a running batch

/** What a batch is doing, in a word or two. */
export function stateOf(batch) {
  if (batch.status === "loading") return "loading models";
  if (batch.status !== "idle") return batch.status;
  if (batch.complete) return "finished";
  if (batch.failed && batch.done + batch.failed === batch.problems) return "finished with failures";
  return batch.done || batch.failed ? "stopped" : "not begun";
}

export function nameOf(batch) {
  return line(batch.name || fileName(batch.dataset), 80);
}

/** Done searches by their outcome, as parts of a bar. */
export function bar(batch) {
  const part = (kind) => (batch[kind] ? el("i", { class: `is-${kind}`, style: { width: `${(100 * batch[kind]) / batch.problems}%` } }) : null);
  return el("span", {
    class: "lab-batch-bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": batch.problems, "aria-valuenow": batch.done,
    "aria-label": `${batch.done} of ${batch.problems} done`,
  }, part("right"), part("wrong"), part("ungraded"), part("failed"));
}

export class BatchView {
  /**
   * @param {Batches} batches
   * @param {{problems: Function, go_on: Function, stop_batch: Function}} server
   * @param {(session: string, trail: object) => void} open shows a session; the trail says where it stands
   */
  constructor(batches, server, open) {
    Object.assign(this, { batches, server, open });
    this.id = null;
    this.kind = "all";
    this.search = "";
    this.looked = 0;
    this.facts = el("div", { class: "lab-batch-facts" });
    this.message = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.act = el("button", { type: "button", class: "lab-button", on: { click: () => this.press() } });
    this.kinds = el("div", { class: "lab-kinds", role: "group", "aria-label": "Which problems" });
    this.field = el("input", { type: "search", class: "lab-search", placeholder: "Search questions and answers", "aria-label": "Search questions and answers",
      on: { input: () => this.searchSoon() } });
    this.rows = new Rows({
      fetch: (offset, limit) => this.fetch(offset, limit),
      draw: (row) => drawRow(row),
      open: (row, index) => this.choose(row, index),
      fail: (error) => this.say(error),
    }, "Problems of this batch: arrow keys walk, Enter opens the tree");
    this.empty = el("p", { class: "lab-empty" });
    this.element = el("div", { class: "lab-batch" },
      el("div", { class: "lab-batch-top" }, this.facts, this.act), this.message,
      el("div", { class: "lab-filter" }, this.kinds, this.field),
      el("div", { class: "lab-row is-head", "aria-hidden": "true" },
        ...["problem", "question", "answer", "right answer", "", "iterations", "tokens"].map((text) => el("span", { text }))),
      this.rows.element, this.empty);
    batches.addEventListener("changed", () => this.draw());
  }

  get batch() {
    return this.batches.find(this.id);
  }

  /** Show another batch. */
  show(id) {
    if (id !== this.id) {
      Object.assign(this, { id, kind: "all", search: "", pressed: "", told: "", print: "" });
      this.field.value = "";
      this.counts = null;
      this.rows.reset();
    } else {
      this.rows.refresh();
    }
    this.draw();
  }

  filter(kind) {
    this.kind = kind;
    this.drawKinds();
    this.rows.reset();
  }

  searchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.search = this.field.value;
      this.rows.reset();
    }, 180);
  }

  async fetch(offset, limit) {
    const answer = await this.server.problems({ batch: this.id, kind: this.kind, search: this.search, offset, limit });
    if (!answer.error) {
      this.counts = answer.counts;
      this.drawKinds();
      this.empty.hidden = answer.total > 0;
      this.empty.textContent = this.search || this.kind !== "all" ? "No problem of this kind." : "No problem has been begun yet.";
      if (this.told === "lost") this.say("");
    }
    return answer;
  }

  choose(row, index) {
    if (row.session) this.open(row.session, { batch: this.id, kind: this.kind, search: this.search, index });
    else this.say(row.message || "The tree of this problem was deleted.");
  }

  async press() {
    const { batch } = this;
    if (!batch || this.pressed) return;
    this.pressed = batch.active ? "Stopping \u2026" : "Going on \u2026";
    this.say("");
    this.draw();
    const ask = batch.active ? this.server.stop_batch : this.server.go_on;
    const answer = await ask({ batch: batch.id }).catch(() => ({ error: "The lab does not answer. Is it still running?" }));
    if (this.id !== batch.id) return;
    this.pressed = "";
    this.say(answer.error ?? "");
    await this.batches.ask();
    this.draw();
  }

  /** Words of this page; those of the batch itself stand below its figures otherwise. */
  say(text) {
    this.told = text;
    this.drawMessage();
  }

  drawMessage() {
    const { batch } = this;
    const text = this.told || this.batches.connection || (batch && (batch.failed || batch.status === "failed") ? batch.message : "");
    this.message.hidden = !text;
    this.message.textContent = text ? block(text, 1200) : "";
  }

  draw() {
    const { batch } = this;
    if (this.id === null || !this.element.isConnected) return;
    this.drawMessage();
    this.act.hidden = !batch || (batch.complete && !batch.active);
    if (!batch) {
      this.facts.replaceChildren(el("p", { class: "lab-empty", text: this.batches.known ? "There is no such batch here." : "Loading \u2026" }));
      return;
    }
    this.act.textContent = this.pressed || (batch.active ? "Stop" : batch.failed ? "Go on, and try failed ones again" : "Go on");
    this.act.disabled = Boolean(this.pressed) || batch.status === "stopping";
    this.facts.replaceChildren(this.setting(batch), bar(batch), this.figures(batch));
    this.drawKinds();
    this.follow(batch);
  }

  /** Look at the problems again when the batch has got on. */
  follow(batch) {
    const print = JSON.stringify([batch.done, batch.failed, batch.deleted, batch.tokens, batch.status]);
    if (print === this.print) return;
    const now = performance.now();
    const wait = this.looked + REFRESH - now;
    clearTimeout(this.later);
    if (wait > 0 && batch.active) {
      this.later = setTimeout(() => this.batch && this.follow(this.batch), wait);
      return;
    }
    [this.print, this.looked] = [print, now];
    this.rows.refresh();
  }

  setting(batch) {
    const { algorithm, seed, limits = {} } = batch.setting;
    const parts = [
      batch.title || algorithm, `seed ${seed}`, limits.iterations ? `${count(limits.iterations)} iterations` : "",
      limits.tokens ? `${count(limits.tokens)} tokens each` : "", line(batch.dataset, 90),
    ];
    return el("p", { class: "lab-batch-setting" },
      el("span", { class: `lab-state is-${batch.status}`, text: batch.status === "loading" && batch.message ? line(batch.message, 80) : stateOf(batch) }),
      el("span", { class: "lab-muted", tabindex: "0", data: { tip: "batch", batch: batch.id }, text: parts.filter(Boolean).join("  \u00b7  ") }));
  }

  figures(batch) {
    const { accuracy } = batch;
    return el("dl", { class: "lab-batch-figures" },
      figure("done", `${count(batch.done)} of ${count(batch.problems)}`, batch.running ? `${count(batch.running)} under way` : ""),
      figure("right", percent(accuracy?.estimate), accuracy ? `${between(accuracy)} at 95 %` : "nothing graded yet"),
      figure("tokens/s", batch.rate ? count(batch.rate) : "\u2013", `${brief(batch.tokens)} generated`),
      batch.active ? figure("time left", roughly(batch.left), `${duration(batch.seconds)} so far`) : figure("time", duration(batch.seconds)),
      figure("failed", count(batch.failed), batch.ungraded ? `${count(batch.ungraded)} ungraded` : ""));
  }

  /** What the batch itself counts: it is ahead of the list of problems. */
  sure() {
    const { batch } = this;
    if (!batch) return {};
    const { right, wrong, ungraded, failed } = batch;
    return { right, wrong, ungraded, failed };
  }

  drawKinds() {
    const counts = { ...this.counts, ...this.sure() };
    const shown = KINDS.filter(([kind]) => ALWAYS.has(kind) || counts[kind] || kind === this.kind);
    const print = JSON.stringify([shown, counts, this.kind]);
    if (print === this.kindsPrint) return;
    this.kindsPrint = print;
    const focused = this.kinds.contains(document.activeElement);
    this.kinds.replaceChildren(...shown.map(([kind, name]) => el("button", {
      type: "button", class: "lab-kind", "aria-pressed": String(kind === this.kind), data: { kind }, on: { click: () => this.filter(kind) },
    }, el("span", { text: name }), el("small", { text: count(counts[kind] ?? 0) }))));
    if (focused) this.kinds.querySelector("[aria-pressed=true]")?.focus();
  }
}

function figure(name, value, more = "") {
  return el("div", {}, el("dt", { text: name }), el("dd", {}, el("b", { text: value }), more ? el("small", { text: more }) : null));
}

/** What tells a label from its neighbours: its end, from a separator on if it is long. */
function short(label) {
  const text = line(label, 200);
  const tail = text.split(/[-_/:]/).pop();
  return text.length <= 11 ? text : tail.length && tail.length <= 8 ? `\u2026 ${tail}` : ending(text, 11);
}

function drawRow(row) {
  const failed = row.kind === "failed";
  const answer = row.answer === null ? (failed || row.kind === "running" ? "" : "none") : line(row.answer, 60);
  const verdict = { running: "begun", ungraded: "", deleted: "deleted" }[row.kind] ?? row.kind;
  return el("div", { class: `lab-row is-${row.kind}`, title: line(row.message ? `${row.message} \u2014 ${row.question}` : row.question, 600) },
    el("span", { class: "lab-row-label", text: short(row.label), title: line(`${row.label}, ${row.place}`, 200) }),
    el("span", { class: "lab-row-question", text: line((failed && row.message) || row.question, 220) }),
    el("span", { class: `lab-row-answer${row.answer === null ? " is-none" : ""}`, text: answer }),
    el("span", { class: "lab-row-gold", text: row.gold === null ? "\u2013" : line(row.gold, 60) }),
    el("span", { class: `lab-row-kind lab-chip is-${row.kind}`, text: verdict }),
    el("span", { class: "lab-row-number is-iterations", text: count(row.iterations) }),
    el("span", { class: "lab-row-number is-tokens", text: row.kind === "running" ? "\u2013" : count(row.tokens) }));
}
