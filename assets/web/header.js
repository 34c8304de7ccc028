/** The top line: the open session and the others, datasets, the models, the theme. */

import { el, icon } from "./dom.js";
import { SessionMenu } from "./menu.js";
import { count, line } from "./text.js";

export class Header {
  /**
   * @param {Store} store
   * @param {Batches} batches
   * @param {object} server
   * @param {{session: Function, batch: Function, datasets: Function}} open
   */
  constructor(store, batches, server, open) {
    Object.assign(this, { store, batches });
    this.menu = new SessionMenu(store, server, open);
    this.badge = el("b", { class: "lab-badge", hidden: true });
    this.datasets = el("button", {
      type: "button", class: "lab-datasets", title: "Datasets: search all problems of a file", "aria-label": "Datasets", "aria-expanded": "false", on: { click: () => open.datasets() },
    }, icon("table"), el("span", { text: "Datasets" }), this.badge);
    this.models = el("div", { class: "lab-models" });
    this.theme = el("button", { type: "button", class: "lab-tool lab-theme", title: "Light or dark", "aria-label": "Light or dark", on: { click: () => toggleTheme() } },
      icon("sun"), icon("moon"));
    this.trail = el("div", { class: "lab-trail", hidden: true });
    this.element = el("header", { class: "lab-header" },
      el("div", { class: "lab-brand" }, el("i", { class: "lab-logo" }, el("b"), el("b"), el("b")), el("span", { text: "lab" })),
      this.menu.element, this.datasets, this.trail, el("div", { class: "lab-spring" }), this.models, this.theme);
    store.addEventListener("changed", () => this.draw());
    batches.addEventListener("changed", () => this.drawBadge());
    this.draw();
  }

  draw() {
    const title = this.store.tree ? line(this.store.tree.question, 90) : "New search";
    this.menu.name(title);
    document.title = this.store.tree ? `${line(title, 40)} · lab` : "lab";
  }

  drawBadge() {
    const { active } = this.batches;
    this.badge.hidden = !active;
    this.badge.textContent = active ? `${count(active.done)} of ${count(active.problems)}` : "";
  }

  /** Which models are in use, and what is to be known about them. */
  showModels(models) {
    this.notices = models.notices;
    const part = (name, value, title) => value ? el("span", { title }, el("small", { text: name }), el("b", { text: line(value, 36) })) : null;
    this.models.replaceChildren(...[
      part("policy", models.policy, "The language model that writes steps"),
      part("PRM", models.prm, "The process reward model that values them"),
      part("weights", models.quant, "Quantisation of both models' weights"),
      part("on", models.device === "auto" ? "" : models.device, "Device"),
      models.notices.length ? el("button", { type: "button", class: "lab-notices", data: { tip: "notices" } },
        el("small", { text: models.notices.length === 1 ? "note" : "notes" }), el("b", { text: count(models.notices.length) })) : null,
    ].filter(Boolean));
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
