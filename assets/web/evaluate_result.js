/** Accuracy against what it costs, a line a method, and the scores at one budget. */

import { chart } from "./charts.js";
import { el } from "./dom.js";
import { choice, markOf, styleOf } from "./evaluate_styles.js";
import { bytes, nothingYet, points, scaleOf, verdictOf } from "./evaluate_words.js";
import { between, count, line, number, percent } from "./text.js";

const AXES = [["policy_tokens", "Policy tokens"], ["prm_tokens", "PRM tokens"], ["seconds", "Seconds"]];
const HEADS = ["method", "right", "", "to the baseline", "", "policy tokens", "PRM tokens", "seconds", "process memory", "no answer"];

export class Result {
  constructor({ view }) {
    Object.assign(this, { view, axis: "policy_tokens", hidden: new Set(), over: null });
    this.headline = el("p", { class: "lab-evaluation-headline" });
    this.axes = el("div");
    this.legend = el("div", { class: "lab-series", role: "group", "aria-label": "Methods in the chart" });
    this.plot = el("div", { class: "lab-evaluation-plot", role: "img", "aria-label": "Accuracy against cost" });
    this.n = el("small");
    this.figure = el("figure", { class: "lab-evaluation-figure" }, el("figcaption", {}, el("b", { text: "Right answers" }), this.n, el("span", { class: "lab-spring" }), this.axes), this.legend, this.plot);
    this.table = el("tbody");
    this.scores = el("table", { class: "lab-scores" }, el("thead", {}, el("tr", {}, ...HEADS.map((text) => el("th", { text })))), this.table);
    this.notes = el("ul", { class: "lab-evaluation-notes" });
    this.none = el("div");
    this.room = el("div", { class: "lab-scores-room", role: "region", "aria-label": "Scores", tabindex: "0" }, this.scores);
    this.element = el("div", { class: "lab-evaluation-result" }, this.none, this.headline, this.figure, this.room, this.notes);
  }

  clear() {
    this.hidden.clear();
    this.print = "";
  }

  draw(one, report) {
    const there = Boolean(report?.scores.length);
    for (const part of [this.headline, this.figure, this.room, this.notes]) part.hidden = !there;
    this.none.replaceChildren(...(there || !report ? [] : [nothingYet(one)]));
    if (!there) return;
    Object.assign(this, { one, report });
    const print = JSON.stringify([report, this.view.budget, this.axis, [...this.hidden]]);
    if (print === this.print) return;
    this.print = print;
    const at = one.budgets.indexOf(this.view.budget);
    this.headline.textContent = report.headline[at] ?? report.headline.at(-1) ?? "";
    this.n.textContent = `%, with 95 % intervals, ${count(report.problems)} ${report.problems === 1 ? "problem" : "problems"}`;
    this.axes.replaceChildren(choice("against", AXES, this.axis, (axis) => { this.axis = axis; this.draw(this.one, this.report); this.axes.querySelector("[aria-pressed=true]").focus(); }));
    this.drawLegend(one, report);
    this.drawPlot();
    this.drawScores(report);
    this.notes.replaceChildren(...report.notes.map((text) => el("li", { text: line(text, 600) })),
      el("li", { text: "Seconds are those of a search among many at a time: they compare methods, not machines." }));
  }

  drawLegend(one, report) {
    const methods = one.methods.filter((name) => report.scores.some((score) => score.method === name));
    const focused = [...this.legend.children].indexOf(document.activeElement);
    this.legend.replaceChildren(...methods.map((name) => {
      const { title } = report.scores.find((score) => score.method === name);
      const toggle = () => { this.hidden.has(name) ? this.hidden.delete(name) : this.hidden.add(name); this.draw(this.one, this.report); };
      return el("button", { type: "button", class: "lab-series-key", title: "Show or hide its line", "aria-pressed": String(!this.hidden.has(name)), on: { click: toggle, pointerenter: () => this.raise(name), pointerleave: () => this.raise(null) } }, markOf(name), el("span", { text: line(title, 50) }));
    }));
    if (focused >= 0) this.legend.children[focused]?.focus();
  }

  /** One line before the others. */
  raise(name) {
    if (name === this.over) return;
    this.over = name;
    this.drawPlot();
  }

  drawPlot() {
    const { report, axis, over } = this;
    const names = [...new Set(report.scores.map((score) => score.method))].filter((name) => !this.hidden.has(name));
    const traces = names.map((name) => {
      const scores = report.scores.filter((score) => score.method === name);
      const { colour, mark, dash } = styleOf(name);
      const base = name === report.baseline;
      const many = (make) => scores.map((score) => 100 * make(score.accuracy));
      return {
        type: "scatter", mode: "lines+markers", name: scores[0].title, x: scores.map((score) => score[axis]), y: many((one) => one.estimate), opacity: over && over !== name ? 0.16 : 1,
        line: { color: colour, width: base || over === name ? 3 : 1.8, dash }, marker: { color: colour, symbol: mark, size: base ? 12 : 9 },
        customdata: scores.map((score) => [count(score.budget), between(score.accuracy)]), hovertemplate: "<b>%{y:.1f} %</b> (%{customdata[1]})<br>%{fullData.name}, %{customdata[0]} tokens<extra></extra>",
        error_y: { type: "data", symmetric: false, array: many((one) => one.high - one.estimate), arrayminus: many((one) => one.estimate - one.low), color: colour, thickness: 1, width: 3 },
      };
    });
    // The baseline lies over the others.
    traces.sort((a, b) => a.line.width - b.line.width);
    const title = { policy_tokens: "policy tokens of a problem", prm_tokens: "tokens that the PRM read for a problem", seconds: "seconds of a problem" }[axis];
    chart(this.plot, traces, { xaxis: { title: { text: title, font: { size: 12 } }, rangemode: "tozero" }, yaxis: { ticksuffix: " %", nticks: 7 }, hovermode: "closest" });
  }

  drawScores(report) {
    const scores = report.scores.filter((score) => score.budget === this.view.budget);
    scores.sort((a, b) => a.oracle - b.oracle || b.accuracy.estimate - a.accuracy.estimate);
    const cell = (head, ...content) => el("td", { data: { head } }, ...content);
    this.table.replaceChildren(...scores.map((score) => {
      const base = score.method === report.baseline;
      const gap = score.difference;
      return el("tr", { class: base ? "is-baseline" : "", data: { method: score.method }, title: line(score.sentence, 300), on: { pointerenter: () => this.raise(score.method), pointerleave: () => this.raise(null) } },
        el("th", { scope: "row" }, markOf(score.method), el("span", { text: line(score.title, 60) }), base ? el("span", { class: "lab-chip is-used", text: "baseline" }) : null, score.oracle ? el("span", { class: "lab-chip is-warning", text: "asks the oracle" }) : null),
        cell("right", el("b", { text: percent(score.accuracy.estimate) }), el("small", { text: between(score.accuracy) })),
        el("td", { class: "lab-scores-scale" }, scaleOf(score.accuracy, styleOf(score.method).colour)),
        cell("to the baseline", ...(gap ? [el("b", { text: points(gap.estimate) }), el("small", { text: `${points(gap.low)} to ${points(gap.high)}` })] : [])),
        el("td", {}, gap ? verdictOf(gap) : null),
        cell("policy tokens", el("span", { text: count(score.policy_tokens) })), cell("PRM tokens", el("span", { text: count(score.prm_tokens) })), cell("seconds", el("span", { text: number(score.seconds, 2) })),
        cell("process memory", el("span", { text: bytes(score.process_memory) }), score.gpu_memory ? el("small", { text: `GPU ${bytes(score.gpu_memory)}` }) : null),
        cell("no answer", el("span", { text: count(score.unanswered) }), score.failed ? el("small", { class: "is-wrong", text: `${count(score.failed)} failed` }) : null));
    }));
  }
}
