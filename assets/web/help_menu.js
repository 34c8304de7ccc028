/** The "?" of the top line: the tour, the keys, and what else helps. */

import { el, icon } from "./dom.js";

export class HelpMenu {
  /** @param {{tour: () => void, keys: () => void}} does */
  constructor(does) {
    const item = (text, more, press) => el("button", { type: "button", role: "menuitem", class: "lab-help-item", on: { click: () => { this.close(); press(); } } }, el("b", { text }), el("small", { text: more }));
    this.items = [
      item("Guided tour", "one minute, on this page", does.tour),
      item("Keys", "everything the keyboard can do", does.keys),
    ];
    this.button = el("button", { type: "button", class: "lab-tool", title: "Help", "aria-label": "Help", "aria-haspopup": "menu", "aria-expanded": "false", on: { click: () => this.toggle() } }, icon("help"));
    this.menu = el("div", { class: "lab-help-menu", role: "menu", "aria-label": "Help", hidden: true }, ...this.items);
    this.element = el("div", { class: "lab-help", on: { keydown: (event) => this.key(event) } }, this.button, this.menu);
    document.addEventListener("pointerdown", (event) => this.element.contains(event.target) || this.close());
  }

  toggle() {
    if (!this.menu.hidden) return this.close();
    this.menu.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    return this.items[0].focus();
  }

  close() {
    this.menu.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
  }

  key(event) {
    if (this.menu.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      this.close();
      this.button.focus();
    } else if (step) {
      const at = this.items.indexOf(document.activeElement) + step + this.items.length;
      this.items[at % this.items.length].focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
