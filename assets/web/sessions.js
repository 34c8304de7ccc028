/**
 * The sheet of sessions: everything that was ever searched, with filters and pictures of the trees;
 * names, tags, copies, files. What is deleted can be had back.
 */

import { el, icon } from "./dom.js";
import { ImportFile } from "./sessions_import.js";
import { Filters } from "./sessions_filter.js";
import { SessionEntry } from "./sessions_entry.js";
import { Miniatures } from "./miniature.js";
import { Sheet } from "./sheet.js";
import { count, line } from "./text.js";

const PAGE = 50;
const SHOWN = 12_000; // milliseconds that "Undo" is offered
export const LOST = "The lab does not answer. Is it still running?";

export class Sessions extends Sheet {
  /**
   * @param {Store} store
   * @param {object} server
   * @param {{open: (session: string | null) => void, beneath: (session: string | null) => void, batch: (id: string) => void, export: (ids: string[]) => void}} show
   *   "beneath": open it and leave the sheet where it is
   */
  constructor(store, server, show) {
    const tool = (text, figure, press) => el("button", { type: "button", class: "lab-button", "aria-label": text, on: { click: press } }, icon(figure), el("span", { text }));
    const back = el("button", { type: "button", class: "lab-tool", title: "All sessions", "aria-label": "All sessions", on: { click: () => this.go("") } }, icon("left"));
    const away = tool("Deleted", "bin", () => this.go("deleted"));
    const add = tool("Import", "upload", () => this.file.choose());
    const empty = tool("Delete all for good", "bin", () => this.empty());
    const some = tool("Export chosen", "download", () => show.export([...this.chosen]));
    super("sessions", "Sessions", [back], [some, empty, away, add]);
    Object.assign(this, { store, server, show, back, away, add, some, emptyButton: empty, serial: 0, lines: [], chosen: new Set() });
    this.pictures = new Miniatures(server);
    this.filters = new Filters(() => this.load());
    this.file = new ImportFile(() => this.load(), show);
    this.message = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.list = el("div", { class: "lab-entries", role: "list", "aria-label": "Sessions" });
    this.more = el("button", { type: "button", class: "lab-button lab-more", hidden: true, on: { click: () => this.load(this.lines.length) } });
    this.undo = el("div", { class: "lab-toast", role: "status", hidden: true });
    this.body.append(this.filters.element, this.file.element, this.message, this.list, this.more);
    this.element.append(this.undo);
    this.element.addEventListener("keydown", (event) => this.walk(event));
    this.file.dropOn(this.element);
    store.addEventListener("opened", () => this.mark());
  }

  /** Tell the open session from the others, whichever came first, the list or the session. */
  mark() {
    for (const one of this.list.querySelectorAll("[data-session]")) one.classList.toggle("is-here", one.dataset.session === this.store.session);
  }

  /** @param {string} place "" for all sessions, "deleted" for what can be had back */
  go(place) {
    super.go(place);
    const deleted = place === "deleted";
    this.title.textContent = deleted ? "Deleted sessions" : "Sessions";
    this.back.hidden = !deleted;
    this.emptyButton.hidden = !deleted;
    this.away.hidden = this.add.hidden = deleted;
    this.filters.element.hidden = deleted;
    this.drawChosen();
    this.file.clear();
    this.armed(false);
    this.lines = [];
    this.list.replaceChildren();
    this.load();
    if (deleted) this.title.focus({ preventScroll: true });
    else this.filters.search.focus({ preventScroll: true });
  }

  say(error) {
    this.message.hidden = !error;
    this.message.textContent = error ? line(error, 400) : "";
  }

  /** Ask the server; its error is said, above the list if nowhere else, and undefined returned. */
  async ask(name, query, say = (error) => this.say(error)) {
    const answer = await this.server[name](query).catch(() => ({ error: LOST }));
    say(answer.error ?? "");
    return answer.error ? undefined : answer;
  }

  async load(offset = 0) {
    if (this.place === null) return;
    const serial = ++this.serial;
    const deleted = this.place === "deleted";
    const answer = deleted
      ? await this.ask("session_away", {})
      : await this.ask("session_list", { wanted: { ...this.filters.wanted, offset, limit: PAGE } });
    if (serial !== this.serial || !answer) return;
    const lines = answer.rows.map((row) => new SessionEntry(row, this, deleted).element);
    this.lines = offset ? [...this.lines, ...lines] : lines;
    if (offset) this.list.append(...lines);
    else this.list.replaceChildren(...lines);
    if (offset) lines[0]?.querySelector("button").focus();
    const total = deleted ? lines.length : answer.total;
    const left = total - this.lines.length;
    this.more.hidden = left <= 0;
    this.more.textContent = `Show ${count(Math.min(left, PAGE))} more of ${count(left)}`;
    if (!deleted) {
      this.filters.draw(answer);
      this.away.disabled = !answer.away;
      this.away.title = answer.away ? `${count(answer.away)} deleted, which can be had back` : "Nothing was deleted";
    } else {
      this.emptyButton.disabled = !total;
    }
    if (!total) this.list.replaceChildren(this.nothing(deleted, answer.everything));
    this.mark();
  }

  nothing(deleted, everything) {
    if (deleted) return el("p", { class: "lab-empty", text: "Nothing is deleted." });
    if (everything) return el("p", { class: "lab-empty", text: "No session matches. Take a filter away." });
    return el("div", { class: "lab-sheet-empty" }, el("h3", { text: "No sessions yet" }),
      el("p", { text: "Every search is a session: its tree, everything that happened to it, and what you did. Step one on the left, or drop a file of exported sessions here." }));
  }

  /** Arrow keys go from line to line. */
  walk(event) {
    if (!["ArrowDown", "ArrowUp"].includes(event.key) || event.target.matches("select, input[type=date]")) return;
    const opens = [...this.list.querySelectorAll(".lab-entry-open")];
    const here = event.target.closest(".lab-entry")?.querySelector(".lab-entry-open");
    const at = here ? opens.indexOf(here) : -1;
    if (event.target.closest(".lab-entry") && !here) return; // a name is being written there
    const goal = at + (event.key === "ArrowDown" ? 1 : -1);
    event.preventDefault();
    if (goal < 0) this.filters.search.focus();
    else opens[Math.min(goal, opens.length - 1)]?.focus();
  }

  /** What is chosen stays so while one looks for others. */
  drawChosen() {
    this.some.hidden = !this.chosen.size || this.place === "deleted";
    this.some.lastElementChild.textContent = `Export ${count(this.chosen.size)} chosen`;
  }

  async remove(row, element) {
    if (!(await this.ask("put_away", { session: row.id }))) return;
    this.chosen.delete(row.id);
    this.drawChosen();
    const next = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    (next?.querySelector("button") ?? this.filters.search).focus();
    const open = row.id === this.store.session;
    if (open) this.show.beneath(null);
    this.offer(`Deleted \u201c${line(row.name || row.question, 60)}\u201d.`, async () => {
      if (!(await this.ask("bring_back", { session: row.id }))) return;
      if (open && this.store.session === null) this.show.beneath(row.id);
      await this.load();
      this.list.querySelector(`[data-session="${CSS.escape(row.id)}"] .lab-entry-open`)?.focus();
    });
    this.load();
  }

  async restore(row) {
    if (await this.ask("bring_back", { session: row.id })) this.load();
  }

  async duplicate(row) {
    const answer = await this.ask("duplicate", { session: row.id });
    if (!answer) return;
    await this.load();
    this.list.querySelector(`[data-session="${CSS.escape(answer.session)}"] .lab-entry-open`)?.focus();
    this.offer("Copied; the copy goes its own way from here.");
  }

  async download(row) {
    const entered = { what: "tree", session: row.id, form: "json", rows: false };
    const answer = await this.ask("export_save", { entered });
    if (answer?.address) el("a", { href: answer.address, download: answer.name }).click();
  }

  async copyLink(row) {
    const address = new URL(location.pathname, location.href);
    address.searchParams.set("session", row.id);
    try {
      await navigator.clipboard.writeText(address.href);
      this.offer("The link is copied.");
    } catch {
      this.offer(address.href);
    }
  }

  /** Deleting for good asks by its own button: it takes a second press. */
  async empty() {
    if (!this.sure) {
      this.armed(true);
      return;
    }
    this.armed(false);
    if (await this.ask("empty_away", {})) this.load();
  }

  armed(sure) {
    this.sure = sure;
    this.emptyButton.classList.toggle("is-sure", sure);
    const words = sure ? "Really delete all of them for good" : "Delete all for good";
    this.emptyButton.lastElementChild.textContent = words;
    this.emptyButton.setAttribute("aria-label", words);
  }

  /** Words at the foot of the sheet for a while, and a way back if there is one. */
  offer(text, back = null) {
    clearTimeout(this.fading);
    const hide = () => (this.undo.hidden = true);
    const button = back && el("button", { type: "button", class: "lab-toast-button", text: "Undo", on: { click: () => { hide(); back(); } } });
    this.undo.replaceChildren(el("span", { text }), button ?? "");
    this.undo.hidden = false;
    this.fading = setTimeout(hide, SHOWN);
  }
}
