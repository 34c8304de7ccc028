/**
 * What the PRM says of a step against what the finished solutions below it bear out: V, the PRM's
 * value and the Monte-Carlo estimate on one scale.
 */

import { el } from "./dom.js";
import { count, number } from "./text.js";

const PAUSE = 1200;
const ALIKE = 0.05; // a smaller difference is none to speak of

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
    const row = found?.row;
    // Not the row's value: where a person has overruled V, that is theirs.
    const total = (row?.right ?? 0) + (row?.wrong ?? 0);
    this.found = total ? { right: row.right, total, value: row.right / total } : null;
    this.why = found?.reason ?? found?.error ?? "";
    this.draw();
  }

  draw() {
    const { node, found } = this;
    this.element.hidden = node.parent === null;
    this.figure.textContent = number(found?.value, 3);
    this.cell.title = found
      ? `Monte-Carlo estimate: ${count(found.right)} of ${count(found.total)} finished solutions at or below this step ${found.right === 1 ? "is" : "are"} right`
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
    const share = `${count(found.right)} of ${count(found.total)} finished solutions from here ${found.right === 1 ? "is" : "are"} right`;
    if (node.prm === null || node.prm === undefined) return `${share}.`;
    const gap = node.prm - found.value;
    if (Math.abs(gap) < ALIKE) return `${share}, as the PRM says.`;
    return `${share}; the PRM says ${number(Math.abs(gap), 3)} ${gap > 0 ? "more" : "less"}.`;
  }
}
