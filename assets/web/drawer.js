/**
 * The inspector folds away. In a narrow window it is folded until a node is selected; on a phone it
 * stacks and stays.
 */

import { el, icon } from "./dom.js";
import { register } from "./keys.js";

const KEY = "lab-inspector";
const NARROW = matchMedia("(min-width: 641px) and (max-width: 1180px)");

export class Drawer {
  /**
   * @param {HTMLElement} root of the page: has the class "is-inspector-folded" while it is folded
   * @param {HTMLElement} aside the inspector
   * @param {TreeView} view
   */
  constructor(root, aside, view) {
    Object.assign(this, { root, view });
    aside.id = "lab-inspector";
    this.wide = localStorage.getItem(KEY) !== "folded";
    this.narrow = false;
    this.button = el("button", { type: "button", class: "lab-tool lab-drawer-button", title: "Inspector (I)", "aria-label": "Inspector", "aria-controls": aside.id, on: { click: () => this.toggle() } }, icon("drawer"));
    NARROW.addEventListener("change", () => this.draw());
    view.store.addEventListener("selected", () => this.selected());
    register("i", "fold the inspector away, or show it", () => this.toggle(), { group: "View" });
    this.draw();
  }

  get open() {
    return NARROW.matches ? this.narrow : this.wide;
  }

  toggle(open = !this.open) {
    if (NARROW.matches) {
      this.narrow = open;
    } else {
      this.wide = open;
      localStorage.setItem(KEY, open ? "open" : "folded");
    }
    this.draw();
  }

  /** Who selects a node wants to see what is known of it. */
  selected() {
    if (NARROW.matches && this.view.store.selected !== null && !this.narrow) this.toggle(true);
  }

  draw() {
    this.root.classList.toggle("is-inspector-folded", !this.open);
    this.button.setAttribute("aria-expanded", String(this.open));
  }
}
