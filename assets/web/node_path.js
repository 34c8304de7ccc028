/**
 * The path to a node, as a game is looked over: V after every step, what the PRM said of it, and the
 * step where V falls most.
 */

import { chart } from "./charts.js";
import { colour } from "./colour.js";
import { el } from "./dom.js";
import { write } from "./math.js";
import { block, line, number } from "./text.js";

const FALL = 0.05; // of the range: less is no fall

export class PathPanel {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.plot = el("div", { class: "lab-node-chart is-path" });
    this.title = el("h3", {});
    this.said = el("p", { class: "lab-path-said" });
    this.list = el("ol", { class: "lab-path" });
    this.empty = el("p", { class: "lab-empty", text: "The path to the node that you click, or the best one, appears here." });
    this.element = el("div", { class: "lab-path-panel" },
      el("section", { class: "lab-section" }, this.title, this.empty, this.plot, this.said, this.list));
    store.addEventListener("changed", () => this.draw());
    store.addEventListener("selected", () => this.draw());
  }

  /** It has come into view. */
  shown() {
    this.draw();
  }

  draw() {
    if (!this.element.isConnected || this.element.hidden) return;
    const { store } = this;
    const chosen = store.selected !== null && store.selected !== 0;
    const ids = (chosen ? store.pathTo(store.selected) : store.tree?.best_path ?? []).filter((id) => store.nodes.has(id));
    const nodes = ids.map((id) => store.nodes.get(id));
    const steps = nodes.slice(1);
    this.title.textContent = chosen ? `Path to node ${store.selected}` : "Best path";
    this.empty.hidden = steps.length > 0;
    this.plot.hidden = this.said.hidden = this.list.hidden = !steps.length;
    if (!steps.length) return;
    const fall = this.fall(nodes, (node) => node.value);
    const doubt = fall ? null : this.fall(nodes, (node) => node.prm ?? node.value);
    this.said.replaceChildren(...(fall
      ? [el("span", { text: "V falls most at step " }), el("b", { text: String(fall.step) }), el("span", { text: `: ${number(fall.before)} \u2192 ${number(fall.after)}` })]
      : [el("span", { class: "lab-muted", text: `V falls nowhere on this path${doubt ? `; the PRM's value falls most at step ${doubt.step}: ${number(doubt.before)} \u2192 ${number(doubt.after)}` : ""}.` })]));
    this.graph(steps, fall);
    this.list.replaceChildren(...steps.map((node, k) => this.row(node, k + 1, nodes[k], fall)));
  }

  /** The step where a value falls most. */
  fall(nodes, of) {
    const { low, high } = this.store.range;
    let worst = null;
    // The root holds no step, and its V is but the mean of all below.
    for (let k = 2; k < nodes.length; k++) {
      const [before, after] = [of(nodes[k - 1]), of(nodes[k])];
      const drop = before - after;
      if (drop > FALL * (high - low) && drop > (worst?.drop ?? 0)) worst = { step: k, drop, before, after, id: nodes[k].id };
    }
    return worst;
  }

  graph(steps, fall) {
    const { range } = this.store;
    const x = steps.map((_, k) => k + 1);
    const hover = steps.map((node) => line(node.step, 70));
    const room = (range.high - range.low) * 0.05;
    const traces = [
      { x, y: steps.map((node) => node.value), text: hover, customdata: steps.map((node) => node.id), type: "scatter", mode: "lines+markers", fill: "tozeroy", fillcolor: "--lab-accent-soft",
        line: { color: "--lab-accent", width: 2 }, marker: { opacity: 1, size: steps.map((node) => (node.id === this.store.selected ? 12 : 9)), color: steps.map((node) => colour(node.value, range)), line: { width: 1.5, color: "--lab-ink-2" } },
        hovertemplate: "step %{x}: V %{y:.3f}<br>%{text}<extra></extra>" },
      { x, y: steps.map((node) => node.prm), type: "scatter", mode: "lines", line: { color: "--lab-ink-3", width: 1.5, dash: "dot" }, hovertemplate: "PRM %{y:.3f}<extra></extra>" },
    ];
    if (fall) traces.push({ x: [fall.step], y: [fall.after], type: "scatter", mode: "markers", hoverinfo: "skip", marker: { symbol: "circle-open", size: 20, color: "--lab-wrong", line: { width: 2.5, color: "--lab-wrong" } } });
    chart(this.plot, traces, {
      margin: { l: 4, r: 10, t: 10, b: 4 }, hovermode: "closest",
      xaxis: { title: { text: "step", font: { size: 11 } }, dtick: x.length > 12 ? undefined : 1, range: [0.6, x.length + 0.4], tickfont: { size: 11 }, tickformat: "d" },
      yaxis: { range: [range.low - room, range.high + room], nticks: 4, tickfont: { size: 11 } },
    }, (point) => point.customdata !== undefined && this.store.select(point.customdata));
  }

  row(node, step, before, fall) {
    const moved = node.value - before.value;
    const change = step === 1 || Math.abs(moved) < 0.005 ? "" : `${node.value < before.value ? "" : "+"}${number(moved)}`;
    return el("li", { class: fall?.id === node.id ? "is-fall" : "" },
      el("button", { type: "button", class: node.id === this.store.selected ? "is-self" : "", title: `Node ${node.id}: V ${number(node.value, 3)}, PRM ${number(node.prm, 3)}`, on: { click: () => this.store.select(node.id) } },
        el("i", { class: "lab-swatch", style: { background: colour(node.value, this.store.range) } }),
        write(el("span", { class: "lab-path-step" }), block(node.step, 1500)),
        el("span", { class: "lab-path-value", title: "V after this step; small: how much more or less than before it" }, el("span", { text: number(node.value) }), el("small", { text: change }))));
  }
}
