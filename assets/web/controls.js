/**
 * The form's side of the page: shows the server's replies to presses where the person looks, and
 * lets each button be pressed only when it does something. The form itself is Gradio's.
 */

import { block } from "./text.js";

export class Controls {
  constructor(store, opened) {
    this.store = store;
    this.opened = opened;
    this.saved = null;
    store.addEventListener("changed", () => this.draw());
  }

  /** A reply of the server to a press: {session, error, hint, note}. */
  receive(reply) {
    if (!reply) return;
    this.say("error", reply.error ?? "");
    if ("hint" in reply) this.say("hint", reply.hint ?? "");
    if (reply.session !== undefined) this.opened(reply.session);
    this.draw();
  }

  say(slot, text) {
    for (const element of document.querySelectorAll(`[data-lab-slot="${slot}"]`)) {
      element.textContent = text ? block(text, 1200) : "";
      element.hidden = !text;
    }
  }

  draw() {
    const busy = this.store.busy;
    this.enable("lab-pause", busy && this.store.run.status !== "pausing");
    this.enable("lab-stop", busy);
    document.documentElement.dataset.labBusy = busy;
  }

  enable(id, on) {
    const button = document.getElementById(id);
    if (button && button.disabled === on) button.disabled = !on;
  }
}
