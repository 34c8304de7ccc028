/** V of a node over the iterations, as a line; marks where a person set it. */

import { chart } from "./charts.js";
import { el } from "./dom.js";
import { number } from "./text.js";

const PAUSE = 1200; // milliseconds between askings while a search runs

export class NodeValues {
  /**
   * @param {Store} store
   * @param {(query: {session: string, node: number}) => Promise<object>} ask
   */
  constructor(store, ask) {
    Object.assign(this, { store, ask });
    this.serial = 0;
    this.asked = 0;
    this.plot = el("div", { class: "lab-node-chart" });
    this.said = el("p", { class: "lab-muted lab-node-said" });
    this.element = el("section", { class: "lab-section", hidden: true },
      el("h3", { text: "Value over time", title: "V of this node after every event that changed it" }), this.plot, this.said);
  }

  show(node) {
    const other = node.id !== this.node?.id || this.session !== this.store.session;
    [this.node, this.session] = [node, this.store.session];
    if (other) this.element.hidden = true;
    clearTimeout(this.timer);
    const wait = other || !this.store.busy ? 0 : Math.max(0, this.asked + PAUSE - performance.now());
    this.timer = setTimeout(() => this.find(), wait);
  }

  async find() {
    this.asked = performance.now();
    const serial = ++this.serial;
    const found = await this.ask({ session: this.session, node: this.node.id }).catch(() => null);
    if (serial !== this.serial) return;
    const points = found?.points ?? [];
    this.element.hidden = points.length === 0;
    if (points.length) this.draw(points);
  }

  draw(points) {
    const [first, last] = [points[0], points.at(-1)];
    const { low, high } = this.store.range;
    this.said.textContent = points.length === 1
      ? `${number(first.value, 3)} from iteration ${first.iteration} on, unchanged.`
      : `${number(first.value, 3)} \u2192 ${number(last.value, 3)} in ${points.length - 1} ${points.length === 2 ? "change" : "changes"}, iteration ${first.iteration} to ${last.iteration}.`;
    this.plot.hidden = points.length === 1;
    if (points.length === 1) return;
    const end = Math.max(this.store.tree?.iteration ?? 0, last.iteration);
    const line = {
      x: [...points.map((point) => point.iteration), end], y: [...points.map((point) => point.value), last.value],
      text: [...points.map((point) => `${point.cause}, n ${point.visits}`), "now"],
      type: "scatter", mode: "lines+markers", line: { shape: "hv", color: "--lab-accent", width: 2 }, marker: { size: [...points.map(() => 5), 0], color: "--lab-accent" },
      hovertemplate: "iteration %{x}: V %{y:.3f}<br>%{text}<extra></extra>",
    };
    const given = points.filter((point) => point.cause === "overruled");
    const person = {
      x: given.map((point) => point.iteration), y: given.map((point) => point.value), type: "scatter", mode: "markers", hoverinfo: "skip",
      marker: { symbol: "diamond", size: 10, color: "--lab-best-ink", line: { width: 1, color: "--lab-raised" } },
    };
    const room = (high - low) * 0.04;
    chart(this.plot, given.length ? [line, person] : [line], {
      margin: { l: 4, r: 8, t: 6, b: 4 },
      // Between few iterations the axis would put fractions, which read like the same number twice.
      xaxis: { title: { text: "iteration", font: { size: 11 } }, nticks: 6, dtick: end - first.iteration < 6 ? 1 : undefined, tickfont: { size: 11 }, tickformat: "d" },
      yaxis: { range: [low - room, high + room], nticks: 4, tickfont: { size: 11 } },
    });
  }
}
