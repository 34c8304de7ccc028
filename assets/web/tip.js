/**
 * Explanations of several lines beside what they explain: on hover, and on focus for those who walk
 * with keys. An element names its explanation (`data-tip`), so that redrawing it loses nothing.
 */

import { el } from "./dom.js";

const DELAY = 320;
const GAP = 8;

export class Tips {
  /** @param {HTMLElement} root everything that has explanations is below it, the tip too */
  constructor(root) {
    this.root = root;
    this.makers = new Map();
    this.anchor = null;
    this.timer = null;
    this.serial = 0;
    this.element = el("div", { class: "lab-explanation", role: "tooltip", id: "lab-explanation", hidden: true });
    root.append(this.element);
    root.addEventListener("pointerover", (event) => event.pointerType !== "touch" && this.over(event.target));
    root.addEventListener("pointerleave", () => this.hide());
    root.addEventListener("pointerdown", () => this.hide());
    root.addEventListener("focusin", (event) => event.target.matches(":focus-visible") && this.over(event.target));
    root.addEventListener("focusout", () => this.hide());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.hide());
    document.addEventListener("scroll", () => this.hide(), true);
  }

  /**
   * @param {string} name of the explanation
   * @param {(anchor: HTMLElement) => Node | null | Promise<Node | null>} make
   */
  provide(name, make) {
    this.makers.set(name, make);
  }

  over(target) {
    const anchor = target.closest?.("[data-tip]") ?? null;
    if (anchor === this.anchor) return;
    const same = anchor && this.anchor && !this.anchor.isConnected && anchor.dataset.tip === this.anchor.dataset.tip;
    this.anchor = anchor;
    if (same) return;
    clearTimeout(this.timer);
    if (!anchor) return this.hide();
    const wait = this.element.hidden ? DELAY : 60;
    this.timer = setTimeout(() => this.show(), wait);
    return undefined;
  }

  async show() {
    const { anchor } = this;
    if (!anchor) return;
    const serial = ++this.serial;
    const content = await this.makers.get(anchor.dataset.tip)?.(anchor);
    if (serial !== this.serial || !this.anchor) return;
    if (!content) return this.hide();
    this.element.replaceChildren(content);
    this.element.hidden = false;
    this.anchor.setAttribute("aria-describedby", this.element.id);
    this.place();
  }

  /** What it explains has changed. */
  refresh(name) {
    if (this.element.hidden || this.anchor?.dataset.tip !== name) return;
    if (!this.anchor.isConnected) this.anchor = this.root.querySelector(`[data-tip="${name}"]`);
    this.show();
  }

  place() {
    const box = this.anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.element;
    if (this.anchor.dataset.side === "right" && box.right + GAP + width < innerWidth) {
      const down = Math.max(GAP, Math.min(box.top, innerHeight - height - GAP));
      Object.assign(this.element.style, { left: `${box.right + GAP}px`, top: `${down}px` });
      return;
    }
    const above = box.top - height - GAP;
    const top = box.bottom + GAP + height < innerHeight ? box.bottom + GAP : Math.max(GAP, above);
    const left = Math.min(Math.max(GAP, box.left), innerWidth - width - GAP);
    Object.assign(this.element.style, { left: `${Math.max(GAP, left)}px`, top: `${top}px` });
  }

  hide() {
    clearTimeout(this.timer);
    this.serial++;
    this.anchor?.removeAttribute("aria-describedby");
    this.anchor = null;
    this.element.hidden = true;
  }
}

/** A table of names and values, for explanations. */
export function table(head, rows) {
  const cells = (tag, values) => values.map((value, k) => el(k ? tag : "th", { text: value }));
  return el("table", { class: "lab-explanation-table" },
    head ? el("tr", {}, ...cells("th", head)) : null,
    ...rows.map((row) => el("tr", {}, ...cells("td", row))));
}
