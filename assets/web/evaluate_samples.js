/** What k independent samples are worth: pass@k and majority@k of the same samples. */

import { chart } from "./charts.js";
import { el } from "./dom.js";
import { count, percent } from "./text.js";

const LINES = [["pass_at_k", "pass@k: one of them is right", "--lab-series-3", "circle"], ["majority_at_k", "majority@k: the most frequent answer is right", "--lab-series-2", "square"]];

export class Samples {
  constructor() {
    this.plot = el("div", { class: "lab-evaluation-plot", role: "img", "aria-label": "Chance of a right answer by number of samples" });
    this.figure = el("figure", { class: "lab-evaluation-figure" }, el("figcaption", {}, el("b", { text: "What k samples are worth" }), el("small", { text: "%" })), this.plot);
    this.table = el("table", { class: "lab-scores" });
    this.words = el("p", { class: "lab-muted" });
    this.element = el("div", { class: "lab-evaluation-samples" }, this.words, this.figure, this.table);
  }

  draw(one, report) {
    const found = report?.samples ?? [];
    this.figure.hidden = this.table.hidden = !found.length;
    this.words.textContent = found.length
      ? "Both are means over the ways to take k of the samples that a problem got within the largest budget, so they are without bias. The gap between the lines is what a perfect verifier could still win."
      : report ? "No method that reads independent samples was asked for, or some problem has none yet." : "";
    if (!found.length) return;
    const ks = found.map(({ k }) => k);
    chart(this.plot, LINES.map(([name, title, colour, symbol]) => ({
      type: "scatter", mode: "lines+markers", name: title, x: ks, y: found.map((row) => 100 * row[name]), line: { color: colour, width: 2 }, marker: { color: colour, symbol, size: 9 }, hovertemplate: "k = %{x}: %{y:.1f} %<extra></extra>",
    })), { xaxis: { type: "log", tickvals: ks, ticktext: ks.map(String), title: { text: "samples k", font: { size: 12 } } }, yaxis: { ticksuffix: " %", rangemode: "tozero" }, showlegend: true });
    this.table.replaceChildren(el("thead", {}, el("tr", {}, ...["k", "pass@k", "majority@k", "problems"].map((text) => el("th", { text })))),
      el("tbody", {}, ...found.map((row) => el("tr", {}, el("th", { scope: "row", text: count(row.k) }), ...LINES.map(([name]) => el("td", { data: { head: name.replaceAll("_at_", "@") } }, el("b", { text: percent(row[name]) }))), el("td", { data: { head: "problems" }, text: count(row.problems) })))));
  }
}
