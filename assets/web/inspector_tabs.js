/** The panels right of the tree, one at a time: tabs that keep to where the person looks. */

import { el } from "./dom.js";

export class InspectorTabs {
  /**
   * @param {Store} store
   * @param {{name: string, title: string, panel: {element: HTMLElement, shown?: Function}}[]} panels
   */
  constructor(store, panels) {
    this.store = store;
    this.panels = panels;
    this.place = "answers";
    this.tabs = panels.map(({ name, title, panel }) => {
      panel.element.id ||= `lab-panel-${name}`;
      panel.element.setAttribute("role", "tabpanel");
      panel.element.setAttribute("aria-label", title);
      return el("button", { type: "button", role: "tab", text: title, "aria-controls": panel.element.id, data: { tab: name }, on: { click: () => this.go(name), keydown: (event) => this.key(event) } });
    });
    this.bar = el("div", { class: "lab-tabs", role: "tablist", "aria-label": "Inspector" }, ...this.tabs);
    this.element = el("div", { class: "lab-inspector-tabs" }, this.bar, ...panels.map(({ panel }) => panel.element));
    store.addEventListener("selected", () => this.follow());
    store.addEventListener("judging", () => this.go("node"));
    this.go(this.place);
  }

  /** A node that is clicked is shown; without one the answers are. */
  follow() {
    const chosen = this.store.selected !== null;
    if (chosen && !["path", "compare"].includes(this.place)) this.go("node");
    else if (!chosen && this.place === "node") this.go("answers");
  }

  go(name) {
    this.place = name;
    for (const [k, { name: one, panel }] of this.panels.entries()) {
      const here = one === name;
      panel.element.hidden = !here;
      this.tabs[k].setAttribute("aria-selected", String(here));
      this.tabs[k].tabIndex = here ? 0 : -1;
      if (here) panel.shown?.();
    }
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const at = (this.tabs.indexOf(event.currentTarget) + step + this.tabs.length) % this.tabs.length;
    this.go(this.panels[at].name);
    this.tabs[at].focus();
  }
}
