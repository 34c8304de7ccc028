/**
 * A guided tour of one minute: a light on one part of the page after the other, and what it is for.
 * It can be left at any time, and is found again in the menu of help.
 */

import { el } from "./dom.js";

const GAP = 12;
const STEPS = [
  ["#lab-form .lab-scroll", "Ask", "The question, and the oracle answer if you know it: it only tells right from wrong and is never shown to the models. Below, the method and its parameters, with the symbols of the paper."],
  ["#lab-transport", "Search", "Step takes one iteration, Phase a part of one, Run many. Pause at any time: you can change parameters, undo, and go on."],
  [".lab-tree", "The tree", "Colour is the value V of a step, size its visits, shape what became of it: a star is right, a diamond wrong. Click a node, or walk with the arrow keys."],
  [".lab-inspector", "One node", "Everything known of the node you chose, and what you can do: overrule its value, prune it, write a step of your own, ask for more.", "node"],
  [".lab-status", "At a glance", "What the search does now, what it chose and why, what it has cost, and which answer is ahead."],
  [".lab-timeline", "Time", "Every event is kept. Drag through them to see the tree as it was, play it back, or fork another search from there."],
  [".lab-sheets", "More than one tree", "All sessions, whole datasets, the rewards that a tree gives, and rounds in which the models learn from them."],
  [".lab-help", "That was it", "This tour and all keys are here whenever you want them."],
];

export class Tour {
  /**
   * @param {{tree: () => Promise<void>, node: () => void}} prepare makes sure that there is a tree
   *   to look at, and that a node of it is shown
   */
  constructor(prepare) {
    this.prepare = prepare;
    this.at = 0;
    this.light = el("div", { class: "lab-tour-light", "aria-hidden": "true" });
    this.title = el("h2", { id: "lab-tour-title", tabindex: "-1" });
    this.text = el("p", { id: "lab-tour-text" });
    this.place = el("small", {});
    this.back = el("button", { type: "button", class: "lab-button", text: "Back", on: { click: () => this.show(this.at - 1) } });
    this.next = el("button", { type: "button", class: "lab-primary", on: { click: () => this.show(this.at + 1) } });
    this.skip = el("button", { type: "button", class: "lab-link", text: "Skip the tour", on: { click: () => this.end() } });
    this.card = el("div", { class: "lab-tour-card", role: "dialog", "aria-modal": "true", "aria-labelledby": "lab-tour-title", "aria-describedby": "lab-tour-text" },
      this.place, this.title, this.text,
      el("div", { class: "lab-tour-end" }, this.skip, el("div", { class: "lab-spring" }), this.back, this.next));
    this.element = el("div", { class: "lab-tour", hidden: true, on: { keydown: (event) => this.key(event) } }, this.light, this.card);
    addEventListener("resize", () => this.element.hidden || this.put());
  }

  async start() {
    this.before = document.activeElement;
    this.steps = STEPS;
    await this.prepare.tree();
    this.element.hidden = false;
    this.show(0);
  }

  end() {
    this.element.hidden = true;
    if (this.before?.isConnected) this.before.focus();
  }

  /** A step of the tour; those whose part of the page is not there are left out. */
  show(at) {
    this.steps = STEPS.filter(([selector]) => seen(selector));
    if (at >= this.steps.length) return this.end();
    this.at = Math.max(0, at);
    const [, title, text, needs] = this.steps[this.at];
    if (needs) this.prepare[needs]();
    this.title.textContent = title;
    this.text.textContent = text;
    this.place.textContent = `${this.at + 1} of ${this.steps.length}`;
    this.back.disabled = this.at === 0;
    this.skip.hidden = this.at + 1 === this.steps.length;
    this.next.textContent = this.skip.hidden ? "Done" : "Next";
    this.put();
    return this.next.focus();
  }

  put() {
    const [selector] = this.steps[this.at];
    const target = seen(selector);
    if (!target) return;
    if (innerWidth <= 640) target.scrollIntoView({ block: "center" });
    const box = target.getBoundingClientRect();
    Object.assign(this.light.style, { left: `${box.left}px`, top: `${box.top}px`, width: `${box.width}px`, height: `${box.height}px` });
    const { offsetWidth: width, offsetHeight: height } = this.card;
    const places = [[box.right + GAP, box.top], [box.left - width - GAP, box.top], [box.left, box.bottom + GAP], [box.left, box.top - height - GAP]];
    const inside = ([x, y]) => x >= GAP && y >= GAP && x + width <= innerWidth - GAP && y + height <= innerHeight - GAP;
    const clamp = (value, most) => Math.max(GAP, Math.min(value, most - GAP));
    const fitting = places.map(([x, y], k) => (k < 2 ? [x, clamp(y, innerHeight - height)] : [clamp(x, innerWidth - width), y])).find(inside);
    const [x, y] = fitting ?? [(innerWidth - width) / 2, clamp(box.top + box.height / 2 > innerHeight / 2 ? GAP : innerHeight, innerHeight - height)];
    Object.assign(this.card.style, { left: `${x}px`, top: `${y}px` });
  }

  key(event) {
    const goal = { Escape: Infinity, ArrowRight: this.at + 1, ArrowLeft: this.at - 1 }[event.key];
    event.stopPropagation();
    if (goal !== undefined) {
      event.preventDefault();
      this.show(goal);
    }
    if (event.key !== "Tab") return;
    const buttons = [...this.card.querySelectorAll("button:not(:disabled, [hidden])")];
    const here = buttons.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1);
    event.preventDefault();
    buttons[(here + buttons.length) % buttons.length].focus();
  }
}

function seen(selector) {
  const found = document.querySelector(selector);
  return found && found.offsetWidth && found.offsetHeight ? found : null;
}
