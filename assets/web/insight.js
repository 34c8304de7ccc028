/**
 * Human and PRM: how well the process reward model agrees with what a person said, and the nodes
 * whose verdict would change most of what is exported.
 */

import { chart } from "./charts.js";
import { colour } from "./colour.js";
import { el } from "./dom.js";
import { block, count, line, number } from "./text.js";

const SCOPES = [["session", "This search"], ["dataset", "Its dataset"], ["all", "All searches"]];
const KINDS = { mark: ["mark of a step", "marks of steps"], answer: ["verdict on an answer", "verdicts on answers"], value: ["overruled value", "overruled values"] };
const FORMULA = "Rewards that would change if the verdict were the contrary, times how unsure the PRM is: 1 \u2212 |2v \u2212 1| is 1 where it says v = 0.5 and 0 where it says 0 or 1.";

export class Insight {
  /**
   * @param {Store} store
   * @param {{calibration: Function, annotate_next: Function}} server
   * @param {{judge: (node: number, answer: boolean) => void, method: () => string}} does
   */
  constructor(store, server, does) {
    Object.assign(this, { store, server, does });
    this.scope = "session";
    this.serial = 0;
    this.scopes = el("div", { class: "lab-kinds", role: "group", "aria-label": "Over" });
    this.words = el("div", { class: "lab-insight-words", "aria-live": "polite" });
    this.figure = el("div", { class: "lab-insight-figure", role: "img" });
    this.next = el("div", { class: "lab-insight-next" });
    this.element = el("div", { class: "lab-insight" },
      el("section", { class: "lab-insight-part" }, el("h3", { text: "Does the PRM agree with you?" }), this.scopes, this.words, this.figure),
      el("section", { class: "lab-insight-part" }, el("h3", { text: "Annotate these next", title: FORMULA }), this.next));
  }

  show() {
    this.drawScopes();
    this.measure();
    this.rank();
  }

  drawScopes() {
    this.scopes.replaceChildren(...SCOPES.map(([name, text]) => el("button", {
      type: "button", class: "lab-kind", "aria-pressed": String(name === this.scope), data: { scope: name }, text, on: { click: () => { this.scope = name; this.drawScopes(); this.measure(); } },
    })));
  }

  async measure() {
    const { session } = this.store;
    const serial = ++this.serial;
    const answer = await this.server.calibration({ session, scope: this.scope }).catch(() => ({ error: "The lab does not answer." }));
    if (serial !== this.serial) return;
    if (answer.error) {
      this.words.replaceChildren(el("p", { class: "lab-message is-error", text: line(answer.error, 600) }));
      this.figure.hidden = true;
      return;
    }
    this.words.replaceChildren(...this.told(answer));
    this.figure.hidden = !answer.labels;
    if (answer.labels) this.draw(answer);
  }

  told({ labels, kinds, sessions, others, brier, base, mean, few, prm }) {
    const left = others ? el("p", { class: "lab-muted", text: `${count(others)} more are of nodes that another process reward model valued, and are left out.` }) : null;
    if (!labels) {
      return [el("p", { text: "You have said nothing yet that the PRM could be measured by." }), el("p", { class: "lab-muted", text: "Every mark of a step, verdict on an answer and overruled value is a label. Give some beside the tree: those below first." }), left].filter(Boolean);
    }
    const parts = Object.entries(kinds).filter(([, n]) => n).map(([kind, n]) => `${count(n)} ${KINDS[kind][n === 1 ? 0 : 1]}`);
    const better = brier.high < base ? "better than always saying the mean label" : brier.low > base ? "worse than always saying the mean label" : "not told apart from always saying the mean label";
    return [
      el("dl", { class: "lab-insight-figures" },
        pair("Brier score", `${number(brier.estimate, 3)}`, "Mean squared difference of the PRM\u2019s value and your label: 0 is best, 0.25 is a coin"),
        pair("95 % interval", `${number(brier.low, 3)} to ${number(brier.high, 3)}`, "By the normal approximation; labels of one search are alike, so it is rather too narrow"),
        pair("always the mean", number(base, 3), `The Brier score of always saying the mean label, ${number(mean, 2)}`),
        pair("labels", count(labels), parts.join(", "))),
      el("p", { text: `${parts.join(", ")} in ${sessions === 1 ? "1 search" : `${count(sessions)} searches`}: ${line(prm, 80)} is ${better}.` }),
      few ? el("p", { class: "lab-insight-few", text: `These are few: with fewer than 20 labels the diagram shows little but chance.` }) : null, left,
    ].filter(Boolean);
  }

  /** The reliability diagram. */
  draw({ bins }) {
    const text = bins.map((bin) => `\u2002n ${bin.count}`);
    this.figure.setAttribute("aria-label", `Reliability: ${bins.map((bin) => `value ${number(bin.value)}, label ${number(bin.label.estimate)}, ${bin.count} labels`).join("; ")}`);
    chart(this.figure, [
      { x: [0, 1], y: [0, 1], mode: "lines", line: { color: "--lab-line-2", dash: "dot", width: 1.5 }, hoverinfo: "skip" },
      {
        x: bins.map((bin) => bin.value), y: bins.map((bin) => bin.label.estimate), text, mode: "lines+markers+text", textposition: "middle right", textfont: { color: "--lab-ink-2", size: 11 },
        error_y: { type: "data", symmetric: false, array: bins.map((bin) => bin.label.high - bin.label.estimate), arrayminus: bins.map((bin) => bin.label.estimate - bin.label.low), color: "--lab-accent", thickness: 1.4, width: 4 },
        marker: { color: "--lab-accent", size: bins.map((bin) => 7 + 3 * Math.sqrt(bin.count)) }, line: { color: "--lab-accent", width: 1.5 },
        hovertemplate: "PRM %{x:.2f}, you %{y:.2f}, %{text}<extra></extra>", cliponaxis: false,
      },
    ], { xaxis: { range: [-0.03, 1.03], title: { text: "what the PRM said" }, showgrid: true }, yaxis: { range: [-0.03, 1.08], title: { text: "what you said" } } });
  }

  async rank() {
    const { session } = this.store;
    const method = this.does.method();
    this.next.replaceChildren(el("p", { class: "lab-muted", text: "Trying verdicts \u2026" }));
    const answer = await this.server.annotate_next({ session, method }).catch(() => ({ error: "The lab does not answer." }));
    if (session !== this.store.session) return;
    if (answer.error) {
      this.next.replaceChildren(el("p", { class: "lab-message is-error", text: line(answer.error, 600) }));
      return;
    }
    const most = answer.best[0]?.score ?? 1;
    const tried = answer.tried < answer.possible
      ? `Tried: ${count(answer.tried)} of ${count(answer.possible)} verdicts, those first that promise most. Method: ${answer.method}.`
      : `Tried: every verdict that can be given. Method: ${answer.method}.`;
    this.next.replaceChildren(
      el("p", { class: "lab-muted", text: FORMULA }),
      answer.best.length ? el("ol", { class: "lab-insight-list" }, ...answer.best.map((one) => this.row(one, most))) : el("p", { class: "lab-empty", text: "No verdict would change what is exported. There may be no finished and judged solution yet, or you have judged them all." }),
      el("p", { class: "lab-muted", text: tried }));
  }

  row(one, most) {
    const node = this.store.nodes.get(one.node);
    const worked = `${count(one.rows)} rows \u00d7 ${number(one.unsure)} unsure = ${number(one.score)}: ${count(one.rows)} rewards change if this counted as \u201c${one.verdict}\u201d; the PRM says ${number(one.value, 3)}.`;
    const answer = one.verdict.startsWith("answer");
    return el("li", {}, el("button", { type: "button", class: "lab-insight-row", title: worked, on: { click: () => this.does.judge(one.node, answer) } },
      el("i", { class: "lab-swatch", style: { background: colour(node?.value ?? 0, this.store.range) } }),
      el("span", { class: "lab-insight-step", text: node ? block(node.step, 160) : `node ${one.node}` }),
      el("span", { class: "lab-insight-what", text: `is it ${answer ? "the right answer" : "a right step"}?` }),
      el("span", { class: "lab-insight-rows", text: `${count(one.rows)} rows, PRM ${number(one.value)}` }),
      el("span", { class: "lab-insight-bar" }, el("i", { style: { width: `${(100 * one.score) / most}%` } }))));
  }
}

function pair(name, value, title) {
  return el("div", { title }, el("dt", { text: name }), el("dd", { text: value }));
}
