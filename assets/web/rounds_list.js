/** All rounds, those in a row together: what each came to, the curve over them, two compared. */

import { chart } from "./charts.js";
import { el } from "./dom.js";
import { Message, call } from "./rounds_acts.js";
import { flow, intervals, points, significance, shareOf, stateOf } from "./rounds_words.js";
import { between, count, line, percent, roughly, when } from "./text.js";

const WAYS = 3; // curves that are drawn at most
const COLOURS = ["--lab-accent", "--lab-best-ink", "--lab-ink-3"];

export class RoundList {
  /**
   * @param {KnownRounds} known
   * @param {{round_compare: Function}} server
   * @param {(place: string) => void} go
   */
  constructor(known, server, go) {
    Object.assign(this, { known, server, go });
    this.items = new Map();
    this.chosen = [];
    this.message = new Message();
    this.accuracy = el("div", { class: "lab-curve", role: "img", "aria-label": "Accuracy over rounds" });
    this.brier = el("div", { class: "lab-curve", role: "img", "aria-label": "Brier score over rounds" });
    this.curves = el("div", { class: "lab-curves", hidden: true },
      el("figure", {}, el("figcaption", {}, el("b", { text: "Held-out accuracy over rounds" }), el("small", { text: "%, with 95 % intervals" })), this.accuracy),
      el("figure", {}, el("figcaption", {}, el("b", { text: "Brier score of the PRM" }), el("small", { text: "less is better" })), this.brier));
    this.compared = el("div", { class: "lab-compared", hidden: true, "aria-live": "polite" });
    this.list = el("div", { class: "lab-round-groups" });
    this.element = el("div", { class: "lab-rounds" }, this.message.element, this.curves, this.compared, this.list);
  }

  draw() {
    const { known } = this;
    this.message.say(known.connection);
    const present = new Set(known.list.map((round) => round.id));
    this.chosen = this.chosen.filter((id) => present.has(id));
    this.drawCurves();
    for (const round of known.list) this.drawItem(round);
    const print = JSON.stringify([known.list.map((round) => [round.id, round.series]), known.known]);
    if (print === this.print) return;
    this.print = print;
    const groups = [...grouped(known.list).values()].map((rounds) => this.group(rounds));
    this.list.replaceChildren(...(groups.length || !known.known ? groups : [invitation(this.go)]));
  }

  group(rounds) {
    const lines = rounds.map((round) => this.items.get(round.id).element);
    const [first] = rounds;
    const head = first.rounds > 1 ? el("h3", {}, el("span", { text: `${line(first.title, 60)}, ${count(first.rounds)} rounds in a row` })) : null;
    return el("section", { class: "lab-round-group" }, head, ...lines);
  }

  /** Lines keep their element, so that neither focus nor hover is lost when a figure moves. */
  drawItem(round) {
    let item = this.items.get(round.id);
    if (!item) {
      const box = el("input", { type: "checkbox", "aria-label": "Compare", on: { change: () => this.choose(round.id, box.checked) } });
      const open = el("button", { type: "button", class: "lab-round-open", data: { round: round.id }, on: { click: () => this.go(round.id) } });
      item = { box, open, element: el("div", { class: "lab-round-line" }, el("label", { class: "lab-round-check", title: "Compare with another round" }, box), open) };
      this.items.set(round.id, item);
    }
    const print = JSON.stringify(round);
    if (item.print !== print) item.open.replaceChildren(...lineOf(round));
    item.print = print;
    item.box.checked = this.chosen.includes(round.id);
    item.box.disabled = !round.greedy;
  }

  async choose(id, on) {
    this.chosen = on ? [...this.chosen, id].slice(-2) : this.chosen.filter((one) => one !== id);
    for (const [other, item] of this.items) item.box.checked = this.chosen.includes(other);
    this.compared.hidden = !this.chosen.length;
    if (this.chosen.length < 2) {
      this.compared.replaceChildren(el("p", { class: "lab-muted", text: "Choose another round to compare the answers of both new policies." }));
      return;
    }
    const [one, other] = this.chosen.map((chosen) => this.known.find(chosen)).sort((a, b) => a.created - b.created);
    const answer = await call(this.server.round_compare, { one: one.id, other: other.id });
    if (!this.chosen.includes(one.id) || !this.chosen.includes(other.id)) return;
    this.compared.replaceChildren(...comparedOf(one, other, answer));
  }

  drawCurves() {
    const ways = waysOf(this.known.list);
    this.curves.hidden = !ways.length;
    if (!ways.length) return;
    const accuracy = ways.flatMap((way, k) => [
      curve(way, "guided", "searches with the PRM", COLOURS[k], "dot"), curve(way, "greedy", "answers without search", COLOURS[k], "solid"),
    ]).filter(Boolean).map((one) => ({ ...one, showlegend: one.line.color === COLOURS[0] })).reverse();
    const brier = ways.map((way, k) => brierOf(way, nameOfWay(way), COLOURS[k])).filter(Boolean);
    chart(this.accuracy, accuracy, { xaxis: roundsAxis(ways), yaxis: { rangemode: "tozero", ticksuffix: " %" }, showlegend: true });
    this.brier.parentElement.hidden = !brier.length;
    if (brier.length) chart(this.brier, brier, { xaxis: roundsAxis(ways), yaxis: { rangemode: "tozero" } });
  }
}

function grouped(rounds) {
  const groups = new Map();
  for (const round of rounds) groups.set(round.series, [...(groups.get(round.series) ?? []), round]);
  return groups;
}

function lineOf(round) {
  const { greedy, guided, phase } = round;
  const told = greedy ?? guided;
  const name = [
    el("b", { text: round.rounds > 1 ? `Round ${round.number} of ${round.rounds}` : line(round.title, 60) }),
    el("small", { text: when(round.created) }),
  ];
  const state = told && round.status === "done"
    ? [el("span", { class: "lab-round-word" }, significance(told), round.warnings ? el("span", { class: "lab-chip is-warning", text: round.warnings === 1 ? "1 warning" : `${round.warnings} warnings` }) : null),
      el("small", { text: greedy ? "held-out problems, answered without search" : "held-out problems, searched with the PRM" })]
    : [progress(round),
      el("small", {}, el("span", { class: `lab-state is-${round.status}`, text: stateOf(round) }),
        el("span", { text: [round.active && phase ? phase.title : "", round.active && round.left !== null ? `${roughly(round.left)} left` : ""].filter(Boolean).join(", ") }))];
  return [
    el("span", { class: "lab-round-name" }, ...name),
    el("span", { class: "lab-round-state" }, ...state),
    el("span", { class: "lab-round-accuracy" }, ...(told ? [el("b", { text: `${percent(told.before.estimate)} \u2192 ${percent(told.after.estimate)}` }), el("small", { text: `after: ${between(told.after)}` })] : [])),
    el("span", { class: "lab-round-points" }, ...(told ? [el("b", { text: `${points(told.difference.estimate)} points` }), el("small", { text: `${points(told.difference.low)} to ${points(told.difference.high)}` })] : [])),
    round.status === "failed" && round.message ? el("span", { class: "lab-batch-error", text: line(round.message, 240) }) : null,
  ].filter(Boolean);
}

/** Phases as parts of a bar: what is done, and how much of the present one. */
function progress(round) {
  const share = (round.done + (shareOf(round.phase) ?? 0)) / Math.max(1, round.phases);
  return el("span", { class: "lab-round-bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": Math.round(100 * share), "aria-label": stateOf(round) },
    el("i", { style: { width: `${Math.min(100, 100 * share)}%` } }));
}

function comparedOf(one, other, answer) {
  if (answer.error) return [el("p", { class: "lab-message is-error", role: "alert", text: line(answer.error, 400) })];
  const name = (round) => `${line(round.title, 40)}${round.rounds > 1 ? ` ${round.number}` : ""}, ${when(round.created)}`;
  const found = answer.comparison;
  const head = el("p", { class: "lab-muted", text: `${name(one)}, against the later ${name(other)}` });
  if (!found) return [head, el("p", { text: "There is no held-out problem that both have answered." })];
  return [head, el("p", { class: "lab-sentence" }, el("b", { text: found.sentence })), el("div", { class: "lab-compared-figures" }, intervals(found, ["earlier", "later"]), flow(found))];
}

/** Rounds that follow each other, measured on the same problems: from the first to each last one. */
export function waysOf(rounds) {
  const finished = rounds.filter((round) => round.greedy || round.guided);
  const maker = new Map(finished.flatMap((round) => Object.values(round.adapters).filter(Boolean).map((adapter) => [adapter, round])));
  const before = (round) => {
    const found = finished.find((one) => one.series === round.series && one.number === round.number - 1) ?? maker.get(round.start.policy) ?? maker.get(round.start.prm);
    return found && found !== round && JSON.stringify(found.measured) === JSON.stringify(round.measured) ? found : null;
  };
  const followed = new Set(finished.map(before).filter(Boolean));
  const ways = finished.filter((round) => !followed.has(round)).map((last) => {
    const way = [last];
    for (let round = before(last); round && !way.includes(round); round = before(round)) way.unshift(round);
    return way;
  });
  return ways.filter((way) => way.length > 1).slice(0, WAYS);
}

function nameOfWay(way) {
  return [...new Set(way.map((round) => line(round.title, 30)))].join(", ");
}

function roundsAxis(ways) {
  const most = Math.max(...ways.map((way) => way.length));
  const values = Array.from({ length: most + 1 }, (_, k) => k);
  return { tickvals: values, ticktext: values.map((k) => (k ? `${k}` : "before")), tickangle: 0, range: [-0.3, most + 0.2] };
}

/** Shares of right answers before the first round and after each. */
function curve(way, kind, name, colour, dash) {
  const told = way.map((round, k) => ({ k: k + 1, one: round[kind]?.after })).filter(({ one }) => one);
  if (!told.length) return null;
  const first = way[0][kind]?.before;
  const all = first ? [{ k: 0, one: first }, ...told] : told;
  const values = (make) => all.map(({ one }) => 100 * make(one));
  return {
    type: "scatter", mode: "lines+markers", name, x: all.map(({ k }) => k), y: values((one) => one.estimate),
    line: { color: colour, width: 2, dash }, marker: { color: colour, size: 7 }, hovertemplate: "%{y:.1f} %<extra></extra>",
    error_y: { type: "data", symmetric: false, array: values((one) => one.high - one.estimate), arrayminus: values((one) => one.estimate - one.low), color: colour, thickness: 1.2, width: 4 },
  };
}

function brierOf(way, name, colour) {
  const told = way.map((round, k) => ({ k: k + 1, brier: round.brier })).filter(({ brier }) => brier);
  if (!told.length) return null;
  return {
    type: "scatter", mode: "lines+markers", name, x: [told[0].k - 1, ...told.map(({ k }) => k)], y: [told[0].brier[0], ...told.map(({ brier }) => brier[1])],
    line: { color: colour, width: 2 }, marker: { color: colour, size: 7 }, hovertemplate: "%{y:.3f}<extra></extra>",
  };
}

function invitation(go) {
  return el("div", { class: "lab-sheet-empty" },
    el("h3", { text: "Learn from searches" }),
    el("p", { text: "A round searches a pool of problems, infers how good each step was, trains the process reward model and the policy on it, and answers held-out problems before and after: did it help?" }),
    el("p", { class: "lab-muted", text: "It can be paused at any time and goes on where it was. The old models stay: every adapter is kept, and one press goes back." }),
    el("div", {}, el("button", { type: "button", class: "lab-primary", text: "New round", on: { click: () => go("new") } })));
}
