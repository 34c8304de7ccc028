/** What models would need of the memory of their device, as a bar and in words. */

import { el } from "./dom.js";
import { count, line } from "./text.js";

const WORDS = {
  "fits": ["right", "They fit."],
  "tight": ["warn", "They fit, with little room."],
  "does not fit": ["wrong", "They do not fit."],
  "unknown": ["warn", "The system does not tell how much is free."],
};

export class NeededMemory {
  constructor() {
    this.element = el("div", { class: "lab-memory", role: "status" });
  }

  waiting() {
    this.element.classList.add("is-waiting");
    if (!this.element.childElementCount) this.element.append(el("p", { class: "lab-muted", text: "Looking what they need\u2026" }));
  }

  /**
   * @param {object} fit as `lab.fit.Fit` says it, or {error}
   * @param {boolean} [wrong] whether an error says that there are no such models
   */
  draw(fit, wrong = false) {
    this.element.classList.remove("is-waiting");
    if (fit.error) {
      this.element.replaceChildren(el("p", { class: `lab-message is-${wrong ? "error" : "warn"}`, text: line(fit.error, 500) }));
      return;
    }
    const [kind, words] = WORDS[fit.verdict] ?? ["warn", fit.verdict];
    const kept = Math.min(fit.kv_tokens * fit.kv_token, Math.max(0, fit.left));
    const parts = [
      ["weights", fit.weights, fit.shared ? "Weights; both models share one base" : "Weights of both models"],
      ["work", Math.max(0, fit.needed - fit.weights), "What a batch, or loading, takes beside them"],
      ["rows", kept, `Kept K/V rows: ${count(fit.kv_tokens)} tokens`],
    ];
    const whole = Math.max(fit.free, fit.needed) || 1;
    const bar = el("div", { class: "lab-memory-bar", role: "img", "aria-label": `${size(fit.needed)} of ${size(fit.free)} free` },
      ...parts.map(([name, bytes, title]) => el("i", { class: `is-${name}`, title: `${title}: ${size(bytes)}`, style: { width: `${Math.max(bytes ? 0.6 : 0, (100 * bytes) / whole)}%` } })));
    const legend = el("div", { class: "lab-memory-legend" }, ...parts.map(([name, bytes, title]) => el("span", { title }, el("i", { class: `is-${name}` }), `${name} ${size(bytes)}`)));
    this.element.replaceChildren(
      el("p", {}, el("b", { class: `is-${kind}`, text: words }), ` ${size(fit.needed)} of ${size(fit.free)} free on ${line(fit.device, 20)}; room for ${count(fit.kv_tokens)} kept tokens.`),
      bar, legend,
      el("p", { class: "lab-muted", text: [one("policy", fit.policy), one("PRM", fit.prm)].join("; ") }),
      ...fit.advice.map((text) => el("p", { class: "lab-muted", text: line(text, 300) })));
  }
}

const one = (name, { parameters, quantised, dtype, weights }) => `${name}: ${count(parameters)} parameters, ${line(quantised, 20)}, ${line(dtype, 20)}, ${size(weights)}`;

/** Bytes as a person reads them. */
export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
