/** The last roll-out from a node: its steps with their values, to be kept as nodes. */

import { colour } from "./colour.js";
import { el } from "./dom.js";
import { kept } from "./ghosts.js";
import { write } from "./math.js";
import { block, number } from "./text.js";

export class SteeringRollout {
  /**
   * @param {Store} store
   * @param {() => void} keep
   */
  constructor(store, keep) {
    this.store = store;
    this.keep = el("button", { type: "button", class: "lab-button", text: "Keep as nodes", title: "Make nodes of these steps, with the values they got", on: { click: keep } });
    this.list = el("ol", { class: "lab-path" });
    this.title = el("span", {});
    this.element = el("div", { class: "lab-rolled", hidden: true }, el("div", { class: "lab-rolled-head" }, this.title, this.keep), this.list);
  }

  /** @param {{id: number, rolled_out: {best: number, value_before: number, steps: {text: string, value: number, verdict: string}[]} | null}} node */
  show(node) {
    const found = node.rolled_out;
    this.element.hidden = !found?.steps.length;
    if (this.element.hidden) return;
    const known = kept(this.store, { node: node.id, steps: found.steps });
    this.title.textContent = `Last roll-out: ${found.steps.length} ${found.steps.length === 1 ? "step" : "steps"}, ${best(found)}`;
    this.keep.disabled = known;
    this.keep.textContent = known ? "Kept as nodes" : "Keep as nodes";
    this.list.replaceChildren(...found.steps.map((step) => el("li", { class: "lab-rolled-step" },
      el("i", { class: "lab-swatch", style: { background: colour(step.value, this.store.range) } }),
      write(el("span", { class: "lab-path-step" }), block(step.text, 1500)),
      el("span", { class: "lab-path-value", title: "What the PRM said of the solution up to this step", text: number(step.value) }))));
  }
}

/** The best value, and whose it is where no step has it: a roll-out begins with the V of its node. */
function best({ best: value, value_before: own, steps }) {
  const reached = steps.some((step) => step.value === value);
  return `best ${number(value)}${!reached && value === own ? ", the V that the node had itself: no step is above it" : ""}`;
}
