/** Which verifier is to be trusted: each of them on the same samples. */

import { chart } from "./charts.js";
import { el } from "./dom.js";
import { AskModels } from "./evaluate_ask.js";
import { points, verdictOf } from "./evaluate_words.js";
import { Message, call } from "./rounds_acts.js";
import { between, count, line, percent } from "./text.js";

// Colour 1 to 8 and mark of each verifier; votes are dotted.
const STYLES = { oracle: [8, "star"], "self-consistency": [2, "square"], "prm-last": [3, "triangle-up"], "prm-min": [3, "diamond"], "prm-product": [4, "triangle-down"], "prm-mean": [6, "pentagon"], orm: [1, "cross"], "yes-no": [5, "x"], value: [7, "hexagon"], judge: [1, "circle"], "self-reward": [5, "circle-open"] };
const HEADS = ["verifier", "right", "to self-consistency", "", "pairs in order"];

export class Verifiers {
  constructor({ server }) {
    this.server = server;
    this.message = new Message();
    this.words = el("p", { class: "lab-muted" });
    this.plot = el("div", { class: "lab-evaluation-plot", role: "img", "aria-label": "Right answers chosen, by number of samples" });
    this.figure = el("figure", { class: "lab-evaluation-figure", hidden: true }, el("figcaption", {}, el("b", { text: "Right answers chosen" }), el("small", { text: "from the first k samples" })), this.plot);
    this.table = el("tbody");
    this.scores = el("table", { class: "lab-scores", hidden: true }, el("thead", {}, el("tr", {}, ...HEADS.map((text) => el("th", { text })))), this.table);
    this.asking = new AskModels(server, () => this.read());
    this.element = el("div", { class: "lab-evaluation-result" }, this.message.element, this.words, this.figure, this.scores, this.asking.element);
  }

  clear() {
    this.print = "";
    this.figure.hidden = this.scores.hidden = this.asking.element.hidden = true;
    this.words.textContent = "";
  }

  async draw(one, report) {
    const print = JSON.stringify([one.id, one.runs.filter((run) => run.name.startsWith("samples")).map((run) => run.done)]);
    if (!report || print === this.print) return;
    Object.assign(this, { print, id: one.id });
    if (!this.words.textContent) this.words.textContent = "Reading the samples \u2026";
    await this.read();
  }

  async read() {
    const { print, id } = this;
    if (!print) return;
    const answer = await call(this.server.evaluation_verifiers, { evaluation: id });
    if (print !== this.print) return;
    this.message.say(answer.error ?? "");
    const found = answer.scores ?? [];
    this.figure.hidden = this.scores.hidden = !found.length;
    this.words.textContent = found.length ? "" : answer.error ? "" : "No method that reads independent samples was asked for, or none is drawn yet.";
    if (!found.length) return;
    this.asking.show(id);
    const most = Math.max(...found.map(({ k }) => k));
    const rows = found.filter(({ k }) => k === most);
    this.words.textContent = `Every verifier chooses among the same samples, of ${count(rows[0].problems)} problems, largest k = ${count(most)}. The PRM\u2019s values are those that it gave when they were drawn; other models are asked below. \u201cPairs in order\u201d: how often a right sample scores above a wrong one of the same problem.`;
    this.drawPlot(found);
    rows.sort((a, b) => (b.name === "oracle") - (a.name === "oracle") || b.accuracy.estimate - a.accuracy.estimate);
    const interval = (one) => (one ? [el("b", { text: percent(one.estimate) }), el("small", { text: between(one) })] : []);
    this.table.replaceChildren(...rows.map((row) => el("tr", { data: { verifier: row.name }, title: line(row.sentence, 300) },
      el("th", { scope: "row", text: line(row.title, 60) }), el("td", { data: { head: "right" } }, ...interval(row.accuracy)),
      el("td", { data: { head: "to self-consistency" } }, ...(row.difference ? [el("b", { text: points(row.difference.estimate) }), el("small", { text: `${points(row.difference.low)} to ${points(row.difference.high)}` })] : [])),
      el("td", {}, row.difference ? verdictOf(row.difference) : null), el("td", { data: { head: "pairs in order" } }, ...interval(row.ranking)))));
  }

  drawPlot(found) {
    const names = [...new Set(found.map(({ name }) => name))];
    const ks = [...new Set(found.map(({ k }) => k))];
    chart(this.plot, names.map((name) => {
      const own = found.filter((row) => row.name === name);
      const [number, symbol] = STYLES[name.replace("+sc", "")] ?? [8, "circle"];
      const colour = `--lab-series-${number}`;
      return { type: "scatter", mode: "lines+markers", name: own[0].title, x: own.map(({ k }) => k), y: own.map(({ accuracy }) => 100 * accuracy.estimate), line: { color: colour, width: 1.8, dash: name.endsWith("+sc") ? "dot" : "solid" }, marker: { color: colour, symbol, size: 8 },
        customdata: own.map(({ accuracy }) => between(accuracy)), hovertemplate: "<b>%{y:.1f} %</b> (%{customdata})<br>%{fullData.name}, k = %{x}<extra></extra>" };
    }), { xaxis: { type: "log", tickvals: ks, ticktext: ks.map(String), title: { text: "samples k", font: { size: 12 } } }, yaxis: { ticksuffix: " %" }, showlegend: true });
  }
}
