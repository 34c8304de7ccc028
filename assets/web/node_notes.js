/** A person's words on a node: a note, kept soon after it is written, and tags. */

import { el, icon } from "./dom.js";
import { draft, keepDraft } from "./drafts.js";
import { line } from "./text.js";

const SILENT = "not saved: the lab does not answer";
const PAUSE = 600; // milliseconds after the last key until a note is saved

export class NoteField {
  constructor(store, save) {
    this.store = store;
    this.save = save;
    this.node = null;
    this.kept = "";
    this.area = el("textarea", { rows: "2", placeholder: "Write a note on this node", "aria-label": "Note", on: { input: () => this.written(), blur: () => this.keep() } });
    this.state = el("span", { class: "lab-muted" });
    this.element = el("section", { class: "lab-section lab-note" }, el("h3", {}, el("span", { text: "Note" }), this.state), this.area);
    addEventListener("pagehide", () => this.keep());
  }

  show(node, text) {
    const { session } = this.store;
    const other = node !== this.node || session !== this.session;
    const writing = document.activeElement === this.area;
    if (!other && (writing || text === this.kept)) return;
    if (other) this.keep();
    [this.node, this.kept, this.session] = [node, text ?? "", session];
    this.area.value = this.kept;
    this.state.textContent = "";
    this.restore();
  }

  /** A page that went may have taken its last words with it: they are saved now. */
  restore() {
    const found = draft("note", this.session, this.node);
    if (!found) return;
    const [before, text] = JSON.parse(found);
    keepDraft("note", this.session, this.node, "");
    if (before !== this.kept || text === before) return; // saved after all, or written anew elsewhere
    this.area.value = text;
    this.written();
  }

  written() {
    clearTimeout(this.timer);
    keepDraft("note", this.session, this.node, JSON.stringify([this.kept, this.area.value]));
    this.timer = setTimeout(() => this.keep(), PAUSE);
  }

  async keep() {
    clearTimeout(this.timer);
    const { node, session, kept: before } = this;
    const text = this.area.value;
    if (node === null || text === before) return;
    this.kept = text;
    const answer = await this.save({ session, node, text }).catch(() => ({ error: SILENT }));
    const here = node === this.node && session === this.session;
    if (here) this.state.textContent = answer?.error ?? "saved";
    if (answer?.error && here && this.kept === text) this.kept = before; // the next blur tries again
    const stays = here && this.area.value !== text;
    if (!answer?.error && !stays) keepDraft("note", session, node, "");
  }
}

export class TagField {
  constructor(store, save) {
    Object.assign(this, { store, save });
    this.tags = [];
    this.list = el("span", { class: "lab-tags" });
    this.input = el("input", { type: "text", class: "lab-tag-input", maxlength: "60", placeholder: "Add a tag", "aria-label": "Add a tag", on: { keydown: (event) => this.key(event), blur: () => this.add() } });
    this.state = el("span", { class: "lab-muted" });
    this.element = el("section", { class: "lab-section" }, el("h3", {}, el("span", { text: "Tags" }), this.state), el("div", { class: "lab-tag-line" }, this.list, this.input));
  }

  show(node) {
    if (node.id !== this.node?.id) {
      this.input.value = "";
      this.state.textContent = "";
    }
    this.node = node;
    this.session = this.store.session;
    this.tags = node.tags ?? [];
    this.list.replaceChildren(...this.tags.map((tag) => el("span", { class: "lab-tag" }, el("span", { text: line(tag, 60) }),
      el("button", { type: "button", title: "Remove this tag", "aria-label": `Remove the tag ${line(tag, 60)}`, on: { click: () => this.keep(this.tags.filter((one) => one !== tag)) } }, icon("cross")))));
  }

  key(event) {
    if (event.key !== "Enter") return;
    event.preventDefault();
    this.add();
  }

  add() {
    const tag = this.input.value.trim();
    this.input.value = "";
    if (tag && !this.tags.includes(tag)) this.keep([...this.tags, tag]);
  }

  async keep(tags) {
    const { node } = this;
    const answer = await this.save({ session: this.session, node: node.id, tags }).catch(() => ({ error: SILENT }));
    if (node.id !== this.node.id) return;
    this.state.textContent = answer.error ?? "";
    if (!answer.error) this.show({ ...this.node, tags });
  }
}
