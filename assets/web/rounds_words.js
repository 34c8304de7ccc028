/** Rounds in words: names, states, intervals, and small diagrams of before and after. */

import { el } from "./dom.js";
import { between, count, line, number, percent } from "./text.js";

const SHORT = { search: "search", examples: "examples", prm: "PRM", policy: "policy", greedy: "answers", guided: "held-out search", record: "record" };
const ROLES = { policy: "policy", prm: "PRM" };

export function nameOf(round) {
  return `${line(round.title, 60)}${round.rounds > 1 ? `, round ${round.number} of ${round.rounds}` : ""}`;
}

export function roleOf(role) {
  return ROLES[role] ?? line(role, 20);
}

/** What a round is doing, in a word or two. */
export function stateOf(round) {
  if (round.status === "loading") return "loading models";
  if (round.status === "idle") return round.done ? "paused" : "not begun";
  return { done: "finished", failed: "stopped by an error" }[round.status] ?? round.status;
}

/** The share of the present phase, null where nothing can be counted. */
export function shareOf(phase) {
  return phase?.total ? Math.min(1, phase.done / phase.total) : null;
}

/** A few words for the top line. */
export function progressOf(round) {
  if (!round.phase) return round.status === "loading" ? "loading" : "begins";
  const share = shareOf(round.phase);
  const name = SHORT[round.phase.name] ?? line(round.phase.title, 20);
  return share === null ? name : `${name} ${Math.floor(100 * share)} %`;
}

/** A change of shares in points: +58.7. */
export function points(share) {
  return `${share > 0 ? "+" : ""}${number(100 * share, 1)}`;
}

/** The sign of a change with an interval: better, worse, or neither. */
export function tendency(comparison) {
  if (!comparison.significant) return "open";
  return comparison.difference.estimate > 0 ? "right" : "wrong";
}

export function significance(comparison) {
  return el("span", { class: `lab-chip is-${tendency(comparison)}`, text: comparison.significant ? "significant" : "not significant" });
}

/** Two accuracies with their intervals on one scale from 0 to 100 %. */
export function intervals(comparison, names = ["before", "after"]) {
  const bar = (name, one, kind) => el("div", { class: `lab-interval is-${kind}` },
    el("span", { text: name }),
    el("span", { class: "lab-interval-scale", "aria-hidden": "true" },
      el("i", { class: "lab-interval-fill", style: { width: `${100 * one.estimate}%` } }),
      el("i", { class: "lab-interval-range", style: { left: `${100 * one.low}%`, width: `${100 * (one.high - one.low)}%` } })),
    el("b", { text: percent(one.estimate) }), el("small", { text: between(one) }));
  return el("div", { class: "lab-intervals" }, bar(names[0], comparison.before, "before"), bar(names[1], comparison.after, "after"));
}

/** The same problems before and after, as parts of one bar, with a legend that counts. */
export function flow(comparison) {
  const parts = [["same_right", "right both times"], ["fixed", "fixed"], ["broken", "broken"], ["same_wrong", "wrong both times"]];
  const all = Math.max(1, comparison.n);
  return el("div", { class: "lab-flow" },
    el("div", { class: "lab-flow-bar", "aria-hidden": "true" }, ...parts.map(([kind]) =>
      comparison[kind] ? el("i", { class: `is-${kind}`, style: { width: `${(100 * comparison[kind]) / all}%` } }) : null)),
    el("ul", {}, ...parts.map(([kind, text]) => el("li", {}, el("i", { class: `is-${kind}` }), el("b", { text: count(comparison[kind]) }), el("span", { text })))));
}
