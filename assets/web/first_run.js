/** An empty page invites: three sample problems, one press each, and a tour. */

import { el, icon } from "./dom.js";
import { block, line } from "./text.js";

const LEVELS = ["a short one", "a longer one", "a long one"];

/**
 * @param {Store} store
 * @param {{samples: Function, begin: Function}} server
 * @param {{open: (session: string) => void, tour: () => void}} does
 */
export function invitation(store, server, does) {
  const error = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
  const cards = el("div", { class: "lab-cards" });
  const say = (text) => {
    error.textContent = line(text, 400);
    error.hidden = !text;
  };
  const begin = async (problem, card) => {
    const word = card.querySelector("b > span");
    const buttons = [...cards.children];
    const wait = (on) => {
      word.textContent = on ? "Starting \u2026" : "Search it";
      for (const one of buttons) one.disabled = on;
      card.setAttribute("aria-busy", String(on));
    };
    say("");
    wait(true);
    const answer = await server.begin({ problem }).catch(() => ({ error: "The lab does not answer. Is it still running?" }));
    if (answer.session) does.open(answer.session);
    else wait(false);
    say(answer.error ?? "");
  };
  const box = el("div", { class: "lab-invitation" },
    el("i", { class: "lab-logo" }, el("b"), el("b"), el("b")),
    el("h2", { text: "Watch a search think" }),
    el("p", { text: "The policy writes next steps, the process reward model values them, and the tree grows here. Take a sample problem:" }),
    cards, error,
    el("p", { class: "lab-muted" }, "Or ask a question of your own in the form and press Step. ",
      el("button", { type: "button", class: "lab-link", on: { click: does.tour } }, el("span", { text: "Take a one-minute tour" }), icon("right"))));
  const fill = async () => {
    if (box.hidden || cards.childElementCount) return;
    const answer = await server.samples({}).catch(() => null);
    if (!answer?.problems || cards.childElementCount) return;
    cards.append(...answer.problems.map((one, k) => el("button", { type: "button", class: "lab-card", on: { click: ({ currentTarget }) => begin(one.id, currentTarget) } },
      el("small", { text: LEVELS[k] ?? "" }), el("span", { text: block(one.content, 260) }), el("b", {}, icon("play"), el("span", { text: "Search it" })))));
  };
  const draw = () => {
    box.hidden = store.nodes.size > 0 || store.session !== null;
    fill();
  };
  store.addEventListener("changed", draw);
  store.addEventListener("opened", draw);
  draw();
  return box;
}
