/**
 * What the PRM says of a step against what the finished solutions below it bear out: V, the PRM's
 * value and the Monte-Carlo estimate on one scale.
 */

import { el } from "./dom.js";
import { count, number } from "./text.js";

const PAUSE = 1200;

export class NodeEstimate {
  /**
   * @param {Store} store
   * @param {(query: object) => Promise<object>} ask the reward of a node by a method
   */
  constructor(store, ask) {
    Object.assign(this, { store, ask });
    this.serial = 0;
    this.asked = 0;
    this.figure = el("span", { text: "\u2013" });
    this.cell = el("div", {}, el("dt", { text: "MC" }), el("dd", {}, el("i", { class: "is-mc" }), this.figure));
    this.scale = el("div", { class: "lab-estimate-scale", "aria-hidden": "true" });
    this.said = el("p", { class: "lab-muted" });
    this.element = el("div", { class: "lab-estimate" }, this.scale, this.said);
  }

  show(node) {
    const other = node.id !== this.node?.id || this.session !== this.store.session;
    [this.node, this.session] = [node, this.store.session];
    if (other) this.found = null;
    this.draw();
    clearTimeout(this.timer);
    const wait = other || !this.store.busy ? 0 : Math.max(0, this.asked + PAUSE - performance.now());
    if (node.parent !== null) this.timer = setTimeout(() => this.find(), wait);
  }

  async find() {
    this.asked = performance.now();
    const serial = ++this.serial;
    const found = await this.ask({ session: this.session, node: this.node.id, method: "soft" }).catch(() => null);
    if (serial !== this.serial) return;
    this.found = found?.row ?? null;
    this.why = found?.reason ?? found?.error ?? "";
    this.draw();
  }

  draw() {
    const { node, found } = this;
    this.element.hidden = node.parent === null;
    this.figure.textContent = number(found?.value, 3);
    this.cell.title = found
      ? `Monte-Carlo estimate: ${count(found.right)} of ${count(found.right + found.wrong)} finished solutions at or below this step are right`
      : `Monte-Carlo estimate: the share of right ones among the finished solutions below. ${this.why ?? ""}`;
    const { low, high } = this.store.range;
    const place = (value) => `${(100 * (value - low)) / (high - low)}%`;
    const marks = [["V", node.value, "is-v"], ["PRM", node.prm, "is-prm"], ["MC", found?.value, "is-mc"]]
      .filter(([, value]) => value !== null && value !== undefined);
    this.scale.replaceChildren(...marks.map(([name, value, kind]) => el("i", { class: kind, style: { left: place(value) }, title: `${name} ${number(value, 3)}` })));
    this.said.textContent = this.sentence();
  }

  sentence() {
    const { node, found } = this;
    if (!found) return "";
    const total = found.right + found.wrong;
    const share = `${count(found.right)} of ${count(total)} finished solutions from here ${found.right === 1 ? "is" : "are"} right`;
    if (node.prm === null || node.prm === undefined) return `${share}.`;
    const gap = node.prm - found.value;
    if (Math.abs(gap) < 0.1) return `${share}, as the PRM says.`;
    return `${share}; the PRM says ${number(Math.abs(gap))} ${gap > 0 ? "more" : "less"}.`;
  }
}
