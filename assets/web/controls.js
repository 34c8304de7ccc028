/**
 * The form's side of the page: shows the server's replies to presses where the person looks, and
 * puts what the script draws into the places that the form keeps for it. The form is Gradio's.
 */

import { block } from "./text.js";

export class Controls {
  /**
   * @param {Store} store
   * @param {(session: string | null) => void} opened another session is to be shown
   * @param {ParametersNow} parametersNow
   */
  constructor(store, opened, parametersNow) {
    Object.assign(this, { store, opened, parametersNow });
    this.refused = null; // how often the form had been touched when it was refused
    const left = (on) => ({ key = "Tab", target }) => key === "Tab" && target.closest?.("#lab-form .block")?.classList.toggle("is-left", on);
    // Gradio leaves an open list of choices where Tab leaves its field, and Tab would go to the list.
    document.addEventListener("keydown", left(true), { capture: true });
    document.addEventListener("focusin", left(false));
  }

  /** A reply of the server to a press: {session, error, hint, differs}. */
  receive(reply) {
    if (!reply) return;
    const { touches } = this.parametersNow;
    // A comparison that was asked for before a press does not take back what the press was told.
    if (reply.error || "session" in reply || touches !== this.refused) {
      this.refused = reply.error ? touches : null;
      this.say("error", reply.error ?? "");
      markWrong(reply.error ?? "");
    }
    if ("hint" in reply) this.say("hint", reply.hint ?? "");
    if (reply.session !== undefined) this.opened(reply.session);
    if ("differs" in reply) this.parametersNow.show(reply.differs);
  }

  say(slot, text) {
    for (const element of document.querySelectorAll(`[data-lab-slot="${slot}"]`)) {
      element.textContent = text ? block(text, 1200) : "";
      element.hidden = !text;
    }
  }

  /** Put elements into a place of the form, which may be there only later. */
  put(place, ...elements) {
    const found = document.querySelector(`[data-lab-place="${place}"]`);
    if (found) found.replaceChildren(...elements);
    else requestAnimationFrame(() => this.put(place, ...elements));
  }
}

/** Mark the fields of the parameters that an error names, until they are changed. */
function markWrong(error) {
  for (const input of document.querySelectorAll("#lab-form .lab-field :is(input, select)")) {
    const name = (input.getAttribute("aria-label") ?? "").replace(/ \(.*\)$/, "").replaceAll(" ", "_");
    const wrong = name !== "" && ` ${error}`.includes(` ${name} cannot be `);
    if (!wrong) {
      input.removeAttribute("aria-invalid");
      continue;
    }
    input.setAttribute("aria-invalid", "true");
    input.addEventListener("input", () => input.removeAttribute("aria-invalid"), { once: true });
  }
}
