/** Presses of the sheet of rounds: asking Python, and asking a person first. */

import { el } from "./dom.js";
import { block } from "./text.js";

/** Ask Python; an answer that does not come, or is none, is an error in words. */
export async function call(ask, query) {
  const answer = await ask(query).catch(() => null);
  return answer && typeof answer === "object" ? answer : { error: "The lab does not answer. Is it still running?" };
}

/** A place for errors in words. */
export class Message {
  constructor(kind = "error") {
    this.element = el("p", { class: `lab-message is-${kind}`, role: "alert", hidden: true });
  }

  say(text) {
    this.element.hidden = !text;
    this.element.textContent = text ? block(text, 1600) : "";
  }
}

/**
 * A button that does something; while it does, it says so and cannot be pressed again.
 *
 * @param {string} text
 * @param {string} busy what it says meanwhile
 * @param {() => Promise<unknown>} act
 */
export function actButton(text, busy, act, kind = "lab-button") {
  const button = el("button", { type: "button", class: kind, text });
  button.addEventListener("click", async () => {
    button.disabled = true;
    button.textContent = busy;
    try {
      await act();
    } finally {
      button.disabled = false;
      button.textContent = text;
    }
  });
  return button;
}

/** A button that asks first; Escape and the second answer bring it back. */
export function askingButton(text, question, yes, act) {
  const box = el("span", { class: "lab-asking" });
  const rest = () => {
    box.replaceChildren(first);
    box.classList.remove("is-asking");
  };
  const first = el("button", { type: "button", class: "lab-button", text, on: { click: () => {
    box.classList.add("is-asking");
    const no = el("button", { type: "button", class: "lab-button", text: "No", on: { click: () => { rest(); first.focus(); } } });
    const does = actButton(yes, "\u2026", async () => { await act(); rest(); }, "lab-button is-grave");
    box.replaceChildren(el("span", { text: question }), does, no);
    does.focus();
  } } });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.classList.contains("is-asking")) return;
    event.preventDefault();
    event.stopPropagation();
    rest();
    first.focus();
  });
  rest();
  return box;
}
