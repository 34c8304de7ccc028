/** "Export rewards": one press writes the value targets of the open session and downloads them. */

import { el, icon } from "./dom.js";
import { download, outcome } from "./export_words.js";
import { line } from "./text.js";

export class ExportButton {
  /**
   * @param {Store} store
   * @param {{export_save: Function}} server
   * @param {RewardState} state
   * @param {() => void} more shows everything else that can be exported
   * @param {boolean} [small] an icon among the tools over the tree
   */
  constructor(store, server, state, more, small = false) {
    Object.assign(this, { store, server, state, more, busy: false });
    this.button = el("button", { type: "button", class: small ? "lab-tool" : "lab-primary", "aria-label": "Export rewards", on: { click: () => this.press() } },
      icon("download"), small ? null : el("span", { text: "Export rewards" }));
    this.note = el("div", { class: "lab-export-note", role: "status", hidden: true });
    const other = small ? null : el("button", { type: "button", class: "lab-button", text: "Other exports", on: { click: more } });
    this.element = el("span", { class: `lab-export${small ? " is-small" : ""}` }, other, this.button, this.note);
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.close(event));
    document.addEventListener("pointerdown", (event) => !this.element.contains(event.target) && (this.note.hidden = true));
    store.addEventListener("changed", () => this.draw());
    state.addEventListener("changed", () => this.draw());
    store.addEventListener("opened", () => (this.note.hidden = true));
    this.draw();
  }

  draw() {
    this.button.disabled = this.busy || this.store.session === null;
    this.button.title = `Export rewards: value targets of this tree by ${line(this.state.method, 40)}, as JSON lines. What is only supposed is not in them.`;
  }

  close(event) {
    if (this.note.hidden) return;
    event.preventDefault();
    event.stopPropagation();
    this.note.hidden = true;
    this.button.focus();
  }

  async press() {
    const { session } = this.store;
    this.busy = true;
    this.draw();
    const entered = { what: "tree", session, form: "values", rows: true, container: "jsonl", method: this.state.method };
    const answer = await this.server.export_save({ entered }).catch(() => ({ error: "Not exported: the lab does not answer." }));
    this.busy = false;
    this.draw();
    this.note.replaceChildren(...outcome(answer),
      el("button", { type: "button", class: "lab-link", on: { click: () => { this.note.hidden = true; this.more(); } } }, el("span", { text: "Other formats, and more than this tree" }), icon("right")));
    this.note.hidden = false;
    download(answer);
  }
}
