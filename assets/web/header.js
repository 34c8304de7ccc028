/** The top line: which session is open and how to reach the others, the models, the theme. */

import { el, icon } from "./dom.js";
import { count, line } from "./text.js";

export class Header {
  /**
   * @param {Store} store
   * @param {{sessions: Function}} ask server calls
   * @param {(session: string) => void} open
   */
  constructor(store, ask, open) {
    Object.assign(this, { store, ask, open });
    this.title = el("span", { class: "lab-session-title" });
    this.button = el("button", {
      type: "button", class: "lab-session", title: "Sessions: everything searched before", "aria-haspopup": "true", "aria-expanded": "false",
      on: { click: () => this.toggle() },
    }, this.title, icon("down"));
    this.menu = el("div", { class: "lab-menu", hidden: true });
    this.models = el("div", { class: "lab-models" });
    this.theme = el("button", { type: "button", class: "lab-tool", title: "Light or dark", "aria-label": "Light or dark", on: { click: () => toggleTheme() } },
      icon("sun"), icon("moon"));
    this.element = el("header", { class: "lab-header" },
      el("div", { class: "lab-brand" }, el("i", { class: "lab-logo" }, el("b"), el("b"), el("b")), el("span", { text: "lab" })),
      el("div", { class: "lab-session-box" }, this.button, this.menu), el("div", { class: "lab-spring" }), this.models, this.theme);
    store.addEventListener("changed", () => this.draw());
    document.addEventListener("pointerdown", (event) => {
      if (!this.menu.parentElement.contains(event.target)) this.close();
    });
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
    this.draw();
  }

  draw() {
    const title = this.store.tree ? line(this.store.tree.question, 90) : "New search";
    this.title.textContent = title;
    document.title = this.store.tree ? `${line(title, 40)} · lab` : "lab";
  }

  /** Which models are in use, and what is to be known about them. */
  showModels(models) {
    const part = (name, value, title) => value ? el("span", { title }, el("small", { text: name }), el("b", { text: line(value, 36) })) : null;
    this.models.replaceChildren(...[
      part("policy", models.policy, "The language model that writes steps"),
      part("PRM", models.prm, "The process reward model that values them"),
      part("weights", models.quant, "Quantisation of both models' weights"),
      part("on", models.device === "auto" ? "" : models.device, "Device"),
      part("note", models.notices.length ? `${models.notices.length}` : "", models.notices.join("\n")),
    ].filter(Boolean));
  }

  close() {
    this.menu.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
  }

  async toggle() {
    if (!this.menu.hidden) return this.close();
    this.menu.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    const answer = await this.ask.sessions({}).catch(() => ({ error: "The lab does not answer." }));
    this.menu.replaceChildren(
      el("button", { type: "button", class: "lab-menu-new", on: { click: () => this.choose(null) } }, icon("plus"), el("span", { text: "New search" })),
      ...(answer.error ? [el("p", { class: "lab-empty", text: answer.error })] : answer.sessions.map((session) => this.row(session))),
    );
    this.menu.querySelector("button")?.focus();
    return undefined;
  }

  choose(session) {
    this.close();
    this.open(session);
  }

  row(session) {
    const kind = session.correct === true ? "right" : session.correct === false ? "wrong" : "open";
    const answer = session.answer === null || session.answer === undefined ? "no answer yet" : line(session.answer, 20);
    const facts = [session.algorithm, `${count(session.iterations)} iterations`, `${count(session.nodes)} nodes`, when(session.created),
      session.in_use_by ? `in use by ${line(session.in_use_by, 40)}` : ""]
      .filter(Boolean).join("  ·  ");
    return el("button", {
      type: "button", class: `lab-menu-row${session.id === this.store.session ? " is-here" : ""}`, on: { click: () => this.choose(session.id) },
    },
      el("span", { class: "lab-menu-question", text: line(session.name || session.question, 120) }),
      el("span", { class: `lab-menu-answer is-${kind}`, text: answer }),
      el("span", { class: "lab-menu-facts", text: facts }));
  }
}

/** A Unix time as a short local date. */
function when(seconds) {
  return new Date(seconds * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** Change between light and dark, and remember it. */
export function toggleTheme() {
  setTheme(document.body.classList.contains("dark") ? "light" : "dark");
}

export function setTheme(theme) {
  document.body.classList.toggle("dark", theme === "dark");
  document.documentElement.style.colorScheme = theme;
  localStorage.setItem("lab-theme", theme);
  document.dispatchEvent(new CustomEvent("lab-theme"));
}

/** The remembered theme, else the system's. */
export function initialTheme() {
  const asked = new URLSearchParams(location.search).get("__theme");
  if (asked === "light" || asked === "dark") return asked;
  return localStorage.getItem("lab-theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}
