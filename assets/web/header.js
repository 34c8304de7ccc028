/** The top line: the open session and the others, the sheets, the models, the theme. */

import { el, icon } from "./dom.js";
import { HelpMenu } from "./help_menu.js";
import { SessionMenu } from "./menu.js";
import { count, line } from "./text.js";

const ROOMS = ["all", "names", "close", "sign"]; // what is shown of the models, the most first; "close": their names, the title beside the brand
const READABLE = 220; // pixels of a title that the models must not take

const SHEETS = [
  ["sessions", "Sessions", "Sessions: everything searched before", "list"],
  ["datasets", "Datasets", "Datasets: search all problems of a file", "table"],
  ["rewards", "Rewards", "Rewards: what this tree says of each of its steps", "scales"],
  ["study", "Study", "Study: beside another search, with something changed, by what a person said, by the models of every round", "study"],
  ["evaluate", "Evaluate", "Evaluate: methods compared at equal budgets", "curves"],
  ["rounds", "Rounds", "Rounds: learn from searches, and see whether it helped", "rounds"],
];

export class Header {
  /**
   * @param {Store} store
   * @param {Batches} batches
   * @param {object} server
   * @param {{session: Function, batch: Function, sheet: (name: string) => void}} open
   */
  constructor(store, batches, server, open) {
    Object.assign(this, { store, batches });
    this.menu = new SessionMenu(store, server, open);
    this.badges = {};
    this.sheets = Object.fromEntries(SHEETS.map(([name, text, title, figure]) => [name, this.button(name, text, title, figure, open.sheet)]));
    this.models = el("button", { type: "button", class: "lab-models", data: { sheet: "models" }, title: "Models: those in use, others, what they need", "aria-expanded": "false", on: { click: () => open.sheet("models") } }, icon("chip"), el("span", { class: "lab-sr", text: "Models" }));
    this.noted = el("div", { class: "lab-models lab-noted" });
    this.theme = el("button", { type: "button", class: "lab-tool lab-theme", title: "Light or dark", "aria-label": "Light or dark", on: { click: () => toggleTheme() } },
      icon("sun"), icon("moon"));
    this.trail = el("div", { class: "lab-trail", hidden: true });
    this.element = el("header", { class: "lab-header" },
      el("div", { class: "lab-brand" }, el("i", { class: "lab-logo" }, el("b"), el("b"), el("b")), el("span", { text: "lab" })),
      this.menu.element, el("nav", { class: "lab-sheets", "aria-label": "Sheets" }, ...Object.values(this.sheets)), this.trail, el("div", { class: "lab-spring" }), this.models, this.noted, this.theme);
    this.sheets.models = this.models;
    new ResizeObserver(() => this.fit()).observe(this.element);
    store.addEventListener("changed", () => this.draw());
    batches.addEventListener("changed", () => this.drawBatch());
    this.draw();
  }

  /** Put the menu of help into the line. @param {{tour: Function, keys: Function}} does */
  help(does) {
    this.theme.before(new HelpMenu(does).element);
  }

  draw() {
    const { name, tree } = this.store;
    const title = tree ? line(name || tree.question, 90) : "New search";
    const question = line(tree?.question, 300);
    if (title !== this.title || question !== this.question) {
      Object.assign(this, { title, question });
      this.menu.name(title, question);
      this.fit();
    }
    document.title = this.store.tree ? `${line(title, 40)} · lab` : "lab";
  }

  /** Show as much of the models as leaves the title readable and everything in the line. */
  fit() {
    const { element } = this;
    const title = element.querySelector(".lab-session-title");
    if (!element.isConnected || !title) return;
    for (const room of ROOMS) {
      element.dataset.room = room;
      const wanted = Math.min(title.scrollWidth, READABLE);
      if (element.scrollWidth <= element.clientWidth && title.clientWidth >= wanted) return;
    }
  }

  button(name, text, title, figure, open) {
    this.badges[name] = el("b", { class: "lab-badge", hidden: true });
    return el("button", {
      type: "button", class: "lab-sheet-button", data: { sheet: name }, title, "aria-label": text, "aria-expanded": "false", on: { click: () => open(name) },
    }, icon(figure), el("span", { text }), this.badges[name]);
  }

  /** Which sheet is open: its name or null. */
  showSheet(open) {
    for (const [name, button] of Object.entries(this.sheets)) button.setAttribute("aria-expanded", String(name === open));
  }

  /** A word on what goes on behind a sheet; "" for nothing. */
  showBadge(name, text) {
    this.badges[name].hidden = !text;
    this.badges[name].textContent = text;
  }

  drawBatch() {
    const { active } = this.batches;
    this.showBadge("datasets", active ? `${count(active.done)} of ${count(active.problems)}` : "");
  }

  /** Which models are in use, and what is to be known about them. */
  showModels(models) {
    this.notices = models.notices;
    this.models.title = `Models: ${[models.policy && `policy ${line(models.policy, 60)}`, models.prm && `PRM ${line(models.prm, 60)}`].filter(Boolean).join(", ")}. Others, and what they need`;
    const part = (name, value, title) => value ? el("span", { title }, el("small", { text: name }), el("b", { text: line(value, 36) })) : null;
    this.models.replaceChildren(...[
      icon("chip"),
      el("span", { class: "lab-sr", text: "Models: " }),
      part("policy", models.policy, "The language model that writes steps"),
      part("PRM", models.prm, "The process reward model that values them"),
      part("weights", models.quant, "Quantisation of both models' weights"),
      part("on", models.device === "auto" ? "" : models.device, "Device"),
    ].filter(Boolean));
    this.noted.replaceChildren(...[
      models.notices.length ? el("button", { type: "button", class: "lab-notices", data: { tip: "notices" } },
        el("small", { text: models.notices.length === 1 ? "note" : "notes" }), el("b", { text: count(models.notices.length) })) : null,
    ].filter(Boolean));
    this.fit();
  }
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
