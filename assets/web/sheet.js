/**
 * A sheet over the tree, beside the form: a title, tools, a body, and what of it is shown (its
 * place), which the address of the page holds. One sheet is open at a time.
 */

import { el, icon } from "./dom.js";

export class Sheet extends EventTarget {
  /**
   * Events: "moved" (another place, or closed).
   *
   * @param {string} name of the sheet in the address
   * @param {string} title what it is called
   * @param {HTMLElement[]} [before] tools left of the title
   * @param {HTMLElement[]} [after] tools right of it
   */
  constructor(name, title, before = [], after = []) {
    super();
    this.name = name;
    this.place = null; // null while closed
    this.title = el("h2", { tabindex: "-1", text: title });
    this.body = el("div", { class: "lab-sheet-body" });
    this.element = el("section", { class: "lab-sheet", role: "dialog", "aria-label": title, hidden: true, data: { sheet: name }, on: { keydown: (event) => this.key(event) } },
      el("header", { class: "lab-sheet-head" }, ...before, this.title, el("div", { class: "lab-spring" }), ...after,
        el("button", { type: "button", class: "lab-tool", title: "Back to the tree (Escape)", "aria-label": "Close", on: { click: () => this.close() } }, icon("cross"))),
      this.body);
  }

  /** Open it there. Sheets say more of what they show by their own `go`. */
  go(place) {
    this.place = place;
    this.element.hidden = false;
    this.dispatchEvent(new CustomEvent("moved"));
  }

  close() {
    if (this.place === null) return;
    this.place = null;
    this.element.hidden = true;
    this.dispatchEvent(new CustomEvent("moved"));
  }

  toggle() {
    if (this.place === null) this.go("");
    else this.close();
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
}
