/**
 * Everything that was done to a search, and going back and forth in it: what the page knows of it
 * (`Doings`), and the list (`HistoryPanel`). Runs of iterations are one line each.
 */

import { el, icon } from "./dom.js";
import { byPerson, doing, more } from "./history_words.js";
import { count, line } from "./text.js";

const WAIT = { idle: 60, busy: 1500 }; // milliseconds until what changed is asked for

/** Events: "changed". */
export class Doings extends EventTarget {
  /**
   * @param {Store} store
   * @param {object} server
   * @param {() => void} wake asks for what has changed in the tree
   */
  constructor(store, server, wake) {
    super();
    Object.assign(this, { store, server, wake });
    this.forget();
    this.timer = null;
    this.serial = 0;
    this.walking = 0; // undos and redos on their way: what comes after them is not known yet
    this.walk = Promise.resolve();
    store.addEventListener("opened", () => this.forget());
    store.addEventListener("changed", () => this.soon());
  }

  forget() {
    this.rows = [];
    this.at = 0;
    this.mark = "";
    this.dispatchEvent(new CustomEvent("changed"));
  }

  soon() {
    const { store } = this;
    const mark = `${store.session} ${store.cursor} ${store.busy}`;
    if (!store.tree || this.timer || mark === this.mark) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.ask(mark);
    }, store.busy ? WAIT.busy : WAIT.idle);
  }

  async ask(mark) {
    const { session } = this.store;
    if (!session) return;
    const serial = ++this.serial;
    const found = await this.server.history({ session }).catch(() => null);
    if (serial !== this.serial || session !== this.store.session) return;
    this.mark = mark;
    if (found && !found.error) {
      this.rows = found.rows;
      this.at = found.at;
      this.dispatchEvent(new CustomEvent("changed"));
    }
    this.soon();
  }

  /** What an undo would take back, in words; "" for nothing. */
  get undoes() {
    const row = this.rows.find((one) => one.standing && one.last === this.at);
    if (!row || row.doing === "created") return "";
    return doing(row.doing === "iteration" ? { ...row, from: row.to } : row);
  }

  /** What a redo would do again, in words; "" for nothing. */
  get redoes() {
    const row = this.rows.findLast((one) => !one.standing && one.before === this.at);
    return row ? doing(row.doing === "iteration" ? { ...row, to: row.from } : row) : "";
  }

  /**
   * Undo, redo, or rewind to a place.
   *
   * @returns {Promise<string>} an error in words, or ""
   */
  async go(how, query = {}) {
    const { session } = this.store;
    if (session === null) return "";
    this.walking++;
    this.dispatchEvent(new CustomEvent("changed"));
    // One after the other, however fast they are pressed.
    const answered = this.walk.then(() => this.server[how]({ session, ...query })).catch(() => ({ error: "The lab does not answer." }));
    this.walk = answered;
    const answer = await answered;
    this.wake();
    await this.ask("");
    this.walking--;
    this.dispatchEvent(new CustomEvent("changed"));
    return answer.error ?? "";
  }
}

export class HistoryPanel {
  /**
   * @param {Doings} doings
   * @param {Store} store
   * @param {(session: string) => void} open another session
   */
  constructor(doings, store, open) {
    Object.assign(this, { doings, store, open });
    this.unfolded = new Map(); // runs of iterations by their first event: which of them is pointed at
    this.list = el("ol", { class: "lab-doings" });
    this.error = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.element = el("div", { class: "lab-history" },
      el("section", { class: "lab-section" },
        el("h3", { text: "History", title: "Everything done to this search, by it and by you. Nothing is ever lost: what was taken back stays here." }),
        this.error, this.list));
    doings.addEventListener("changed", () => this.draw());
    store.addEventListener("opened", () => {
      this.unfolded.clear();
      this.say("");
    });
  }

  draw() {
    const { rows, at } = this.doings;
    // Nothing is made anew that is as it was: a hand may be on it.
    const seen = JSON.stringify([at, rows, [...this.unfolded.keys()]]);
    if (seen === this.seen) return;
    this.seen = seen;
    const focused = document.activeElement?.closest?.(".lab-doing")?.dataset.last;
    this.list.replaceChildren(...rows.map((row) => this.row(row, at)));
    if (!rows.length) this.list.replaceChildren(el("li", { class: "lab-empty", text: "Nothing has been done yet." }));
    if (focused) this.list.querySelector(`[data-last="${focused}"] .lab-doing-go`)?.focus({ preventScroll: true });
    if (this.shownAt !== at) this.list.querySelector(".is-now")?.scrollIntoView({ block: "nearest" });
    this.shownAt = at;
  }

  row(row, at) {
    const now = row.last === at;
    const kind = `${byPerson(row) ? "is-person" : "is-search"}${row.standing ? "" : " is-undone"}${now ? " is-now" : ""}`;
    const many = row.ends.length > 1;
    const below = more(row);
    return el("li", { class: `lab-doing ${kind}`, data: { last: row.last } },
      el("button", { type: "button", class: "lab-doing-go", "aria-current": now ? "step" : null,
        title: now ? "The search stands here" : row.standing ? "Go back to here" : "Taken back: go there again", on: { click: () => !now && this.go(row.last) } },
      el("i", { class: "lab-doing-dot" }),
      el("span", { class: "lab-doing-text" }, el("span", { text: doing(row) }), below ? el("small", { text: below }) : null),
      now ? el("em", { text: "now" }) : row.standing ? null : el("em", { text: "undone" })),
      el("span", { class: "lab-doing-tools" },
        row.node === null ? null : tool("fit", `Show node ${row.node}`, () => this.store.select(row.node)),
        many ? tool("more", "Go to one of these iterations", () => this.unfold(row)) : null,
        tool("children", "Fork a new search from here", () => this.fork(row.last))),
      many && this.unfolded.has(row.first) ? this.between(row) : null);
  }

  /** One of a run of iterations. */
  between(row) {
    const pointed = Math.min(this.unfolded.get(row.first), row.ends.length - 1);
    const words = (index) => `iteration ${count(row.from + index)}`;
    const point = (index) => {
      this.unfolded.set(row.first, index);
      said.textContent = words(index);
    };
    const slider = el("input", { type: "range", min: "0", max: String(row.ends.length - 1), value: String(pointed), "aria-label": "Iteration",
      on: { input: () => point(Number(slider.value)) } });
    const said = el("span", { text: words(pointed) });
    const place = () => row.ends[Number(slider.value)];
    return el("div", { class: "lab-doing-between" }, slider, said,
      el("button", { type: "button", class: "lab-button", text: "Go there", on: { click: () => this.go(place()) } }),
      el("button", { type: "button", class: "lab-button", text: "Fork", on: { click: () => this.fork(place()) } }));
  }

  unfold(row) {
    if (!this.unfolded.delete(row.first)) this.unfolded.set(row.first, row.ends.length - 1);
    this.draw();
  }

  async go(to) {
    this.say(await this.doings.go("rewind", { to }));
  }

  async fork(at) {
    const { session } = this.store;
    const answer = await this.doings.server.fork({ session, at }).catch(() => ({ error: "The lab does not answer." }));
    this.say(answer.error ?? "");
    if (answer.session) this.open(answer.session);
  }

  say(error) {
    this.error.hidden = !error;
    this.error.textContent = line(error, 600);
  }
}

function tool(name, title, press) {
  return el("button", { type: "button", class: "lab-doing-tool", title, "aria-label": title, on: { click: press } }, icon(name));
}
