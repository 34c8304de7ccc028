/**
 * V of a node in a person's hands: a slider, a number, the top and the bottom of the range, a lock,
 * and what would follow before it is kept.
 */

import { colour, gradient } from "./colour.js";
import { el, icon } from "./dom.js";
import { number } from "./text.js";

const WAIT = 140; // milliseconds before what would follow is asked for

export class SteeringValue {
  /**
   * @param {Store} store
   * @param {object} does
   * @param {(value: number | null, locked: boolean) => void} does.keep
   * @param {(value: number | null) => void} does.preview what would follow; `look` takes it back
   * @param {() => void} does.look
   */
  constructor(store, does) {
    Object.assign(this, { store, does });
    this.node = null;
    this.value = null; // a value that is tried, null while none is
    this.slider = el("input", { type: "range", class: "lab-steer-slider", step: "0.01", "aria-label": "Value V", on: { input: () => this.attempt(Number(this.slider.value)), keydown: (event) => this.key(event) } });
    this.slider.style.setProperty("--lab-track", gradient());
    this.number = el("input", { type: "number", class: "lab-steer-number", step: "0.01", "aria-label": "Value V as a number", on: { input: () => this.number.value !== "" && this.attempt(Number(this.number.value)), keydown: (event) => this.key(event) } });
    this.wrong = this.end("Wrong", "is-wrong", () => this.store.range.low);
    this.right = this.end("Right", "is-right", () => this.store.range.high);
    this.lock = el("input", { type: "checkbox", checked: true, on: { change: () => this.relock() } });
    this.lockText = el("span", {});
    this.keep = el("button", { type: "button", class: "lab-button lab-primary", on: { click: () => this.press(this.value) } });
    this.drop = el("button", { type: "button", class: "lab-button", text: "Cancel", on: { click: () => this.cancel() } });
    this.back = el("button", { type: "button", class: "lab-link", text: "take back", title: "V as the search found it", on: {
      click: () => does.keep(null, true), pointerenter: (event) => event.pointerType !== "touch" && this.foresee(null), pointerleave: () => does.look(),
      focus: (event) => event.target.matches(":focus-visible") && this.foresee(null), blur: () => does.look() } });
    this.buttons = el("div", { class: "lab-steer-keep" }, this.keep, this.drop);
    this.saidText = el("span", {});
    this.said = el("p", { class: "lab-steer-said" }, this.saidText, this.back);
    this.element = el("div", { class: "lab-steer-value" },
      el("div", { class: "lab-steer-line" }, this.wrong, this.slider, this.right, this.number),
      this.said,
      el("label", { class: "lab-steer-lock" }, this.lock, icon("lock"), this.lockText),
      this.buttons);
  }

  end(text, kind, value) {
    const button = el("button", { type: "button", class: `lab-steer-end ${kind}`, on: {
      click: () => this.press(value()),
      pointerenter: (event) => event.pointerType !== "touch" && this.value === null && this.foresee(value()),
      focus: (event) => event.target.matches(":focus-visible") && this.value === null && this.foresee(value()),
      pointerleave: () => this.value === null && this.does.look(),
      blur: () => this.value === null && this.does.look(),
    } }, el("span", { text }), el("small", {}));
    return button;
  }

  /** @param {{id: number, value: number, overruled: number | null, locked: boolean}} node as it stands */
  show(node) {
    const other = node.id !== this.node?.id;
    const { low, high } = this.store.range;
    if (other || node.overruled !== this.node?.overruled) this.lock.checked = node.overruled === null || node.overruled === undefined ? true : node.locked;
    this.node = node;
    if (other) this.value = null;
    for (const input of [this.slider, this.number]) [input.min, input.max, input.step] = [low, high, (high - low) / 100];
    this.wrong.lastElementChild.textContent = number(low, low % 1 ? 2 : 0);
    this.right.lastElementChild.textContent = number(high, high % 1 ? 2 : 0);
    this.wrong.title = "V to the bottom of its range, as of a wrong step: the search turns away. For the rewards, mark the step below.";
    this.right.title = "V to the top of its range, as of a right step: the search comes here. For the rewards, mark the step below.";
    this.draw();
  }

  draw() {
    const { node, value } = this;
    const given = node.overruled !== null && node.overruled !== undefined;
    const shown = value ?? node.value;
    if (document.activeElement !== this.slider || value === null) this.slider.value = shown;
    if (document.activeElement !== this.number) this.number.value = String(Math.round(shown * 1000) / 1000);
    this.slider.style.setProperty("--lab-thumb", colour(shown, this.store.range));
    this.keep.hidden = this.drop.hidden = value === null;
    this.keep.textContent = value === null ? "" : `Overrule with ${number(value)}`;
    this.back.hidden = !given || value !== null;
    this.buttons.hidden = this.keep.hidden;
    this.said.hidden = !given;
    this.saidText.textContent = given ? `You set V to ${number(node.overruled)}${node.value === node.overruled ? "" : `; a backup has made it ${number(node.value)} since`}.` : "";
    const open = given || value !== null ? ["Locked: V stays so, whatever is found below", "Not locked: the next backup through here goes over it"]
      : ["To be locked when overruled: V then stays so", "Not to be locked: the next backup goes over what you set"];
    this.lockText.textContent = open[this.lock.checked ? 0 : 1];
  }

  attempt(value) {
    const { low, high } = this.store.range;
    if (!Number.isFinite(value)) return;
    this.value = Math.min(high, Math.max(low, value));
    this.draw();
    this.foresee(this.value);
  }

  foresee(value) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.does.preview(value), WAIT);
  }

  key(event) {
    if (event.key === "Enter" && this.value !== null) {
      this.press(this.value);
      this.element.dispatchEvent(new CustomEvent("leave", { bubbles: true })); // the arrows walk the tree again
    } else if (event.key === "Escape" && this.value !== null) this.cancel();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  press(value) {
    clearTimeout(this.timer);
    this.value = null;
    this.does.keep(value, this.lock.checked);
  }

  cancel() {
    clearTimeout(this.timer);
    this.value = null;
    this.draw();
    this.does.look();
  }

  relock() {
    this.draw();
    const { overruled } = this.node;
    if (this.value === null && overruled !== null && overruled !== undefined) this.does.keep(overruled, this.lock.checked);
  }

  /** What is typed then overrules. */
  focus() {
    this.number.focus();
    this.number.select();
  }
}
