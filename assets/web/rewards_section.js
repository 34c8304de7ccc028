/**
 * The selected node's reward in the inspector, with a person's verdict on it. Asks for that one
 * node only, and while a search runs not more often than a reader can follow.
 */

import { el, icon } from "./dom.js";
import { why } from "./rewards_why.js";
import { line } from "./text.js";
import { VerdictButtons } from "./verdict_buttons.js";

const PAUSE = 1500; // milliseconds between two looks while a search runs

export class RewardSection {
  /**
   * @param {Store} store
   * @param {object} server
   * @param {RewardState} state
   * @param {() => void} open the sheet
   */
  constructor(store, server, state, open) {
    Object.assign(this, { store, server, state });
    this.serial = 0;
    this.asked = 0;
    this.detail = null;
    this.wanted = null; // {node, answer} to be judged, once it is shown
    this.method = el("span", { class: "lab-muted" });
    this.why = el("div", { class: "lab-reward-why" });
    this.buttons = new VerdictButtons({
      press: (verdict) => this.press(verdict),
      preview: (verdict) => server.reward_preview({ session: store.session, method: state.method, supposed: [verdict] }),
      reason: (verdict) => this.press(verdict),
    });
    this.element = el("section", { class: "lab-section lab-reward", hidden: true },
      el("h3", {}, el("span", { text: "Reward" }), this.method,
        el("button", { type: "button", class: "lab-link", title: "The rewards of all steps", on: { click: open } }, el("span", { text: "all rows" }), icon("right"))),
      this.why, this.buttons.element);
    state.addEventListener("changed", () => this.refresh(true));
    store.addEventListener("judging", ({ detail }) => {
      this.wanted = detail;
      this.offer();
    });
  }

  /** @param {object | null} detail of the selected node, as the server told it; null for none */
  show(detail) {
    const other = detail?.id !== this.detail?.id || this.session !== this.store.session;
    this.detail = detail;
    this.session = this.store.session;
    this.element.hidden = detail === null;
    if (detail === null) return;
    if (detail.id !== this.wanted?.node) this.wanted = null;
    if (other) this.why.replaceChildren();
    this.buttons.show(detail, detail.mark_reason ?? "");
    this.refresh(other);
    this.offer();
  }

  /** Bring the verdicts on the node that is to be judged to who wants to give one. */
  offer() {
    const { detail, wanted } = this;
    if (detail === null || wanted?.node !== detail.id) return;
    this.wanted = null;
    this.buttons.offer(wanted.answer);
  }

  /** @param {boolean} now do not wait although a search runs */
  async refresh(now = false) {
    const { detail, store } = this;
    if (!detail) return;
    clearTimeout(this.timer);
    const wait = now || !store.busy ? 0 : this.asked + PAUSE - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => this.refresh(), wait);
      return;
    }
    this.asked = performance.now();
    const serial = ++this.serial;
    this.method.textContent = line(this.state.title, 60);
    const answer = await this.server.reward({ session: store.session, node: detail.id, method: this.state.method }).catch(() => ({ error: "The lab does not answer." }));
    if (serial !== this.serial) return;
    this.why.replaceChildren(...(answer.error
      ? [el("p", { class: "lab-empty", text: line(answer.error, 400) })]
      : why(answer, store, { select: (node) => store.select(node) })));
  }

  async press({ node, mark, correct, reason }) {
    const { store, server, state, buttons } = this;
    const { session } = store;
    const given = correct === undefined
      ? server.mark({ session, node, verdict: mark, reason: mark ? reason : "", method: state.method })
      : server.grade_leaf({ session, node, correct, method: state.method });
    const answer = await given.catch(() => ({ error: "Not kept: the lab does not answer." }));
    if (session !== store.session || node !== this.detail?.id) return;
    buttons.say(answer.error ?? "");
    if (answer.error) return;
    this.detail = correct === undefined ? { ...this.detail, mark, mark_reason: mark ? reason.trim() : "" } : { ...this.detail, regraded: correct };
    buttons.show(this.detail, this.detail.mark_reason ?? "");
    buttons.done(answer);
    state.changed();
  }
}
