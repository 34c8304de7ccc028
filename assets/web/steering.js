/**
 * Steering beside a node: its value, its branch, its children. Acts that need no model are done when
 * the server answers; errors appear here.
 */

import { el } from "./dom.js";
import { register } from "./keys.js";
import { SteeringActs } from "./steering_acts.js";
import { SteeringRollout } from "./steering_rollout.js";
import { SteeringValue } from "./steering_value.js";
import { consequences } from "./steering_words.js";
import { line } from "./text.js";

export class Steering {
  /**
   * @param {Store} store
   * @param {object} server
   * @param {() => void} wake asks for what has changed
   */
  constructor(store, server, wake) {
    Object.assign(this, { store, server, wake });
    this.node = null;
    this.serial = 0;
    this.value = new SteeringValue(store, { keep: (value, locked) => this.act("overrule", { value, locked }), preview: (value) => this.preview({ value }), look: () => this.look() });
    this.acts = new SteeringActs(store, { prune: (pruned) => this.act("prune", { pruned }), preview: (pruned) => this.preview({ pruned }), look: () => this.look(), ask: (act, query) => this.ask(act, query) });
    this.rollout = new SteeringRollout(store, () => this.act("keep_rollout", {}));
    this.would = el("div", { class: "lab-would", "aria-live": "polite", hidden: true });
    this.error = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.title = el("h3", {}, el("span", { text: "Steer", title: "Every act is kept in the history and can be undone" }));
    this.element = el("section", { class: "lab-section lab-steer" }, this.title, this.value.element, this.acts.element, this.would, this.error, this.rollout.element);
    this.keys();
  }

  keys() {
    const at = (run, root = false) => () => {
      if (this.store.selected === null || !this.element.isConnected || this.element.closest("[hidden]") || (this.node?.parent === null && !root)) return false;
      run();
      return true;
    };
    const open = (name) => at(() => !this.acts.tabs[name].disabled && this.acts.open !== name && this.acts.toggle(name), true);
    const group = { group: "Steering" };
    register("o", "Overrule V of the selected node", at(() => this.value.focus()), group);
    register("x", "Prune the selected branch, or restore it", at(() => this.acts.prune.click()), group);
    register("w", "Write a step below the selected node", open("write"), group);
    register("e", "More children of the selected node", open("expand"), group);
    register("r", "Roll out from the selected node", open("roll_out"), group);
  }

  show(node) {
    const other = node.id !== this.node?.id;
    this.node = node;
    if (other) {
      this.say("");
      this.look();
    }
    this.value.element.hidden = node.parent === null;
    if (node.parent !== null) this.value.show(node);
    this.acts.show(node);
    this.rollout.show(node);
  }

  /** Do something that needs no model. */
  async act(how, query) {
    const { session } = this.store;
    const node = this.node.id;
    const answer = await this.server[how]({ session, node, ...query }).catch(() => ({ error: "Not done: the lab does not answer." }));
    if (session !== this.store.session) return;
    this.wake();
    if (node !== this.node?.id) return;
    this.look();
    this.say(answer.error ?? "");
  }

  /** Ask for something that needs a model; whether it was taken on. */
  async ask(how, query) {
    const { session } = this.store;
    const answer = await this.server[how]({ session, ...query }).catch(() => ({ error: "Not done: the lab does not answer." }));
    this.say(answer.error ?? "");
    this.wake();
    return !answer.error;
  }

  async preview(query) {
    const serial = ++this.serial;
    const { node } = this;
    const found = await this.server.consequences({ session: this.store.session, node: node.id, ...query }).catch(() => null);
    if (serial !== this.serial || node.id !== this.node?.id) return;
    this.say(found?.error ?? "");
    if (!found || found.error) return;
    this.would.hidden = false;
    this.would.replaceChildren(...consequences(found, this.node, this.store));
  }

  /** Nothing is tried any more. */
  look() {
    this.serial++;
    this.would.hidden = true;
  }

  say(error) {
    this.error.hidden = !error;
    this.error.textContent = line(error, 600);
  }
}
