/** Verdicts that are only supposed: a chip each, how many rows they change, and keeping them. */

import { el, icon } from "./dom.js";
import { block, count } from "./text.js";

const ANSWERS = { true: "answer right", false: "answer wrong", null: "answer as the oracle says" };

export class Supposed {
  /**
   * @param {Store} store
   * @param {object} server
   * @param {RewardState} state
   */
  constructor(store, server, state) {
    Object.assign(this, { store, server, state, serial: 0 });
    this.chips = el("ul", { class: "lab-supposed-chips", "aria-label": "Supposed verdicts" });
    this.effect = el("b", { class: "lab-supposed-effect", "aria-live": "polite" });
    this.reason = el("input", { type: "text", class: "lab-reason", placeholder: "Reason, if you like", "aria-label": "Reason for the marks" });
    this.keep = el("button", { type: "button", class: "lab-primary", text: "Keep these verdicts", on: { click: () => this.press() } });
    this.drop = el("button", { type: "button", class: "lab-button", text: "Drop", title: "Suppose nothing", on: { click: () => state.drop() } });
    this.error = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.element = el("section", { class: "lab-supposed", "aria-label": "Suppose", hidden: true },
      el("div", { class: "lab-supposed-what" }, el("span", { class: "lab-supposed-name", text: "Supposed" }), this.chips),
      el("div", { class: "lab-supposed-then" }, this.effect, this.reason, this.keep, this.drop), this.error);
  }

  async draw() {
    const { state, store } = this;
    const { supposed } = state;
    const serial = ++this.serial;
    this.element.hidden = !supposed.length;
    if (!supposed.length) {
      this.say("");
      return;
    }
    this.reason.hidden = !supposed.some((one) => one.mark);
    this.chips.replaceChildren(...supposed.map((one) => this.chip(one)));
    const answer = await this.server.reward_preview({ session: store.session, method: state.method, supposed }).catch(() => null);
    if (serial !== this.serial || !answer) return;
    this.say(answer.error ?? "");
    this.effect.textContent = answer.error ? "" : answer.count === 0 ? "no row changes" : answer.count === 1 ? "1 row changes" : `${count(answer.count)} rows change`;
  }

  chip(one) {
    const text = "mark" in one ? (one.mark ? `step ${one.mark}` : "step not marked") : ANSWERS[one.correct];
    return el("li", { class: "lab-supposed-chip" },
      el("button", { type: "button", class: "lab-link", title: "Select this node", on: { click: () => this.store.select(one.node) } }, el("span", { text: `node ${one.node}: ${text}` })),
      el("button", { type: "button", class: "lab-supposed-remove", title: "Do not suppose this", "aria-label": `Do not suppose: node ${one.node}: ${text}`, on: { click: () => this.state.forget(one) } }, icon("cross")));
  }

  async press() {
    const { state, store } = this;
    const { session } = store;
    this.keep.disabled = true;
    const answer = await this.server.keep_verdicts({ session, supposed: state.supposed, reason: this.reason.value }).catch(() => ({ error: "Not kept: the lab does not answer." }));
    this.keep.disabled = false;
    if (session !== store.session) return;
    this.say(answer.error ?? "");
    if (answer.error) return;
    this.reason.value = "";
    // The next delta says so too; until then nothing must look as if it were taken back.
    for (const one of state.supposed) Object.assign(store.nodes.get(one.node) ?? {}, "mark" in one ? { mark: one.mark } : { regraded: one.correct });
    state.drop();
  }

  say(error) {
    this.error.hidden = !error;
    this.error.textContent = error ? block(error, 800) : "";
  }
}
