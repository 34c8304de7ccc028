/** Finding text in the steps of a tree: a field, n of m, the next and the one before. */

import { el, icon } from "./dom.js";
import { count } from "./text.js";

export class Find extends EventTarget {
  /**
   * Event: "changed", when other nodes are found; "done", when the field is left with Escape.
   *
   * @param {Store} store
   * @param {(node: number) => void} show brings a node into view and selects it
   */
  constructor(store, show) {
    super();
    Object.assign(this, { store, show });
    this.matches = [];
    this.place = -1;
    this.field = el("input", {
      type: "search", class: "lab-find-field", placeholder: "Find in steps", "aria-label": "Find in steps", autocomplete: "off", spellcheck: "false",
      on: { input: () => this.search(true), keydown: (event) => this.key(event) },
    });
    this.state = el("span", { class: "lab-find-state", role: "status" });
    this.previous = this.button("up", "The one before (Shift+Enter)", -1);
    this.next = this.button("down", "Next (Enter)", 1);
    this.element = el("div", { class: "lab-find", role: "search" }, icon("find"), this.field, this.state, this.previous, this.next);
    store.addEventListener("opened", () => this.clear());
    store.addEventListener("changed", ({ detail }) => detail.structure && this.field.value && this.search(false));
    this.draw();
  }

  button(name, title, by) {
    return el("button", { type: "button", class: "lab-find-button", title, "aria-label": title, on: { click: () => this.step(by) } }, icon(name));
  }

  /** The node that was found last, of those that match; null before the first. */
  get current() {
    return this.matches[this.place] ?? null;
  }

  open() {
    this.field.focus();
    this.field.select();
  }

  clear() {
    this.field.value = "";
    this.search(true);
  }

  /** All nodes whose step, answer or tag has the text; "#12" is node 12. */
  search(anew) {
    const sought = this.field.value.trim().toLowerCase();
    const has = (text) => text !== null && text !== undefined && String(text).toLowerCase().includes(sought);
    const wanted = (node) => sought === `#${node.id}` || has(node.step) || has(node.answer) || (node.tags ?? []).some(has);
    const current = this.current;
    this.matches = sought ? this.store.order.filter((id) => wanted(this.store.nodes.get(id))) : [];
    this.place = anew ? -1 : this.matches.indexOf(current);
    this.draw();
    this.dispatchEvent(new CustomEvent("changed"));
  }

  step(by) {
    const { length } = this.matches;
    if (!length) return;
    this.place = this.place < 0 && by < 0 ? length - 1 : (this.place + by + length) % length;
    this.draw();
    this.show(this.current);
    this.dispatchEvent(new CustomEvent("changed"));
  }

  key(event) {
    if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      this.clear();
      this.dispatchEvent(new CustomEvent("done"));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  draw() {
    const { length } = this.matches;
    const sought = this.field.value.trim() !== "";
    this.state.textContent = !sought ? "" : !length ? "nothing" : this.place < 0 ? count(length) : `${count(this.place + 1)} of ${count(length)}`;
    this.previous.disabled = this.next.disabled = !length;
    this.element.classList.toggle("is-active", sought);
  }
}
