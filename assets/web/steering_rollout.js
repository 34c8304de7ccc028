/** The last roll-out from a node: its steps with their values, to be kept as nodes. */

import { colour } from "./colour.js";
import { el } from "./dom.js";
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

  /** @param {{id: number, rolled_out: {best: number, steps: {text: string, value: number, verdict: string}[]} | null}} node */
  show(node) {
    const found = node.rolled_out;
    this.element.hidden = !found?.steps.length;
    if (this.element.hidden) return;
    const kept = this.kept(node, found.steps);
    this.title.textContent = `Last roll-out: ${found.steps.length} ${found.steps.length === 1 ? "step" : "steps"}, best ${number(found.best)}`;
    this.keep.disabled = kept;
    this.keep.textContent = kept ? "Kept as nodes" : "Keep as nodes";
    this.list.replaceChildren(...found.steps.map((step) => el("li", { class: "lab-rolled-step" },
      el("i", { class: "lab-swatch", style: { background: colour(step.value, this.store.range) } }),
      write(el("span", { class: "lab-path-step" }), block(step.text, 1500)),
      el("span", { class: "lab-path-value", title: "What the PRM said of the solution up to this step", text: number(step.value) }))));
  }

  /** Whether the tree has all these steps below the node. */
  kept(node, steps) {
    let here = node.id;
    for (const step of steps) {
      const next = this.store.childrenOf(here).find((id) => this.store.nodes.get(id).step === step.text);
      if (next === undefined) return false;
      here = next;
    }
    return true;
  }
}
