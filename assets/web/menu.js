/**
 * The short list of sessions under the title: a search field, a line for each session and for each
 * batch, to go from one to another. What else can be done with sessions is on their sheet.
 */

import { el, icon } from "./dom.js";
import { count, fileName, line, percent, when } from "./text.js";

const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const LOST = "The lab does not answer. Is it still running?";

export class SessionMenu {
  /**
   * @param {Store} store
   * @param {{sessions: Function}} server
   * @param {{session: (id: string | null) => void, batch: (id: string) => void, sheet: (name: string) => void}} open
   */
  constructor(store, server, open) {
    Object.assign(this, { store, server, open });
    this.serial = 0;
    this.title = el("span", { class: "lab-session-title" });
    this.button = el("button", {
      type: "button", class: "lab-session", title: "Sessions: everything searched before", "aria-haspopup": "true", "aria-expanded": "false",
      on: { click: () => this.toggle() },
    }, this.title, icon("down"));
    this.field = el("input", {
      type: "search", class: "lab-search", placeholder: "Search questions, answers, names", "aria-label": "Search questions, answers, names", spellcheck: "false",
      on: { input: () => this.searchSoon() },
    });
    this.list = el("div", { class: "lab-menu-list", role: "group", "aria-label": "Sessions and batches" });
    this.menu = el("div", { class: "lab-menu", hidden: true },
      el("div", { class: "lab-menu-top" }, this.field,
        el("button", { type: "button", class: "lab-menu-new lab-button", on: { click: () => this.choose(null) } }, icon("plus"), el("span", { text: "New search" }))),
      this.list,
      el("div", { class: "lab-menu-foot" },
        el("button", { type: "button", class: "lab-link", text: "All sessions: filter, name, tag, delete, export, import", on: { click: () => { this.close(); open.sheet("sessions"); } } })));
    this.element = el("div", { class: "lab-session-box", on: { keydown: (event) => this.key(event) } }, this.button, this.menu);
    document.addEventListener("pointerdown", (event) => this.element.contains(event.target) || this.close());
  }

  /** What the button says: the open session by its name, and its question to whoever points at it. */
  name(title, question) {
    this.title.textContent = title;
    this.title.title = question;
  }

  close() {
    this.menu.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
  }

  toggle() {
    if (!this.menu.hidden) return this.close();
    this.menu.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    this.field.value = "";
    this.field.focus();
    return this.load();
  }

  searchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 160);
  }

  async load() {
    const serial = ++this.serial;
    const answer = await this.server.sessions({ search: this.field.value }).catch(() => ({ error: LOST }));
    if (serial !== this.serial) return; // another letter was typed meanwhile
    if (answer.error) {
      this.list.replaceChildren(el("p", { class: "lab-empty", text: line(answer.error, 300) }));
      return;
    }
    const empty = this.field.value.trim() ? "Nothing found." : "No sessions yet.";
    this.list.replaceChildren(
      ...answer.lines.map((one) => (one.kind === "batch" ? this.batch(one) : this.session(one))),
      ...(answer.lines.length ? [] : [el("p", { class: "lab-empty", text: empty })]),
      ...(answer.left_out ? [el("p", { class: "lab-empty", text: `${count(answer.left_out)} more: search to find them.` })] : []));
    this.list.scrollTop = 0;
  }

  choose(session) {
    this.close();
    this.button.focus();
    this.open.session(session);
  }

  batch(batch) {
    const share = batch.graded ? percent(batch.right / batch.graded) : "\u2013";
    return el("div", { class: "lab-menu-row is-batch" },
      el("button", { type: "button", class: "lab-menu-open", on: { click: () => { this.close(); this.open.batch(batch.id); } } },
        el("span", { class: "lab-menu-question" }, icon("table"), el("span", { text: line(batch.name || fileName(batch.dataset), 100) })),
        el("span", { class: "lab-menu-answer", text: `${share} right` }),
        el("span", { class: "lab-menu-facts", text: [
          `batch, ${count(batch.done)} of ${count(batch.problems)} done`, batch.active ? "running" : "", when(batch.created),
        ].filter(Boolean).join("  \u00b7  ") })));
  }

  session(session) {
    const kind = session.correct === true ? "right" : session.correct === false ? "wrong" : "open";
    const answer = session.answer === null ? "no answer yet" : line(session.answer, 20);
    const facts = [
      session.algorithm, plural(session.iterations, "iteration"), plural(session.nodes, "node"), when(session.created),
      session.batch ? `batch ${line(session.batch, 30)}` : "", session.in_use_by ? `in use by ${line(session.in_use_by, 40)}` : "",
    ].filter(Boolean).join("  \u00b7  ");
    return el("div", { class: `lab-menu-row${session.id === this.store.session ? " is-here" : ""}` },
      el("button", { type: "button", class: "lab-menu-open", data: { tip: "session", side: "right", session: session.id }, on: { click: () => this.choose(session.id) } },
        el("span", { class: "lab-menu-question", text: line(session.name || session.question, 120) }),
        el("span", { class: `lab-menu-answer is-${kind}`, text: answer }),
        session.name ? el("span", { class: "lab-menu-facts", text: line(session.question, 160) }) : null,
        el("span", { class: "lab-menu-facts", text: facts })));
  }

  key(event) {
    if (this.menu.hidden) return;
    if (event.key === "Escape") {
      this.close();
      this.button.focus();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const rows = [...this.list.querySelectorAll(".lab-menu-open")];
    const at = rows.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    event.preventDefault();
    if (at < 0) this.field.focus();
    else rows[Math.min(at, rows.length - 1)]?.focus();
  }
}
