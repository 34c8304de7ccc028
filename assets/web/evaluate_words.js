/** Evaluations in words, and small diagrams of accuracies. */

import { el } from "./dom.js";
import { between, count, fileName, line, number } from "./text.js";

export function nameOf(one) {
  return line(one.name || fileName(one.dataset), 80);
}

/** What an evaluation is doing, in a word or two. */
export function stateOf(one) {
  if (one.status === "idle") return one.done ? "stopped" : "not begun";
  return { done: "finished", failed: "stopped by an error" }[one.status] ?? one.status;
}

/** Whole numbers with commas between. */
export function listed(numbers) {
  return numbers.map((value) => count(value)).join(", ");
}

/** A difference of shares in points: +3.2. */
export function points(share) {
  return `${share > 0 ? "+" : ""}${number(100 * share, 1)}`;
}

export function excludesZero(interval) {
  return interval.low > 0 || interval.high < 0;
}

/** Whether a difference is real: better, worse, or neither, in words and as a colour. */
export function verdictOf(difference) {
  const real = excludesZero(difference);
  const kind = !real ? "open" : difference.estimate > 0 ? "right" : "wrong";
  return el("span", { class: `lab-chip is-${kind}`, title: real ? "The 95 % interval does not hold 0" : "The 95 % interval holds 0", text: real ? `significant, ${difference.estimate > 0 ? "better" : "worse"}` : "not significant" });
}

/** An accuracy on a scale from 0 to 100 %, with its interval. */
export function scaleOf(accuracy, colour) {
  return el("span", { class: "lab-interval-scale", title: `95 % interval: ${between(accuracy)}`, "aria-hidden": "true" },
    el("i", { class: "lab-interval-fill", style: { width: `${100 * accuracy.estimate}%`, background: `var(${colour})` } }),
    el("i", { class: "lab-interval-range", style: { left: `${100 * accuracy.low}%`, width: `${100 * (accuracy.high - accuracy.low)}%` } }));
}

export function bytes(value) {
  if (!value) return "\u2013";
  return value < 2 ** 30 ? `${count(value / 2 ** 20)} MiB` : `${number(value / 2 ** 30, 1)} GiB`;
}

export function progressBar(done, total, label) {
  const share = Math.min(1, done / Math.max(1, total));
  return el("span", { class: "lab-round-bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": Math.round(100 * share), "aria-label": label }, el("i", { style: { width: `${100 * share}%` } }));
}

/** What stands in a tab before there is anything to show. */
export function nothingYet(one) {
  return el("p", { class: "lab-empty", text: one.active ? "No problem has been asked by every method shown yet; the curves come with the first one." : "No problem has been asked yet: go on with it." });
}
