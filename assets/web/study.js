/**
 * The sheet on which a search is studied: beside another one, with something changed, by what a
 * person said of it, and by the models of every round. A tab each; the address holds which.
 */

import { CompareSessions } from "./compare_sessions.js";
import { el } from "./dom.js";
import { Insight } from "./insight.js";
import { Lens } from "./lens.js";
import { Sheet } from "./sheet.js";
import { WhatIf } from "./what_if.js";

const TABS = [
  ["compare", "Compare", "Two searches of the same question side by side"],
  ["what-if", "What if", "The same search with something changed, from stored replies"],
  ["human", "Human and PRM", "How well the process reward model agrees with what a person said, and what to judge next"],
  ["lens", "Round lens", "One tree, valued by the models of every round"],
];

export class Study extends Sheet {
  /**
   * @param {TimeStore} store
   * @param {object} server
   * @param {{open: (session: string) => void, method: () => string}} does
   */
  constructor(store, server, does) {
    const bar = el("div", { class: "lab-tabs lab-study-tabs", role: "tablist", "aria-label": "Study" });
    super("study", "Study", [], []);
    this.title.after(bar);
    Object.assign(this, { store, bar });
    const go = (place) => this.go(place);
    this.screens = {
      compare: new CompareSessions(store, server, { ...does, go }),
      "what-if": new WhatIf(store, server, { ...does, go }),
      human: new Insight(store, server, { ...does, judge: (node, answer) => this.judge(node, answer) }),
      lens: new Lens(store, server, does),
    };
    this.tabs = TABS.map(([name, text, title]) => el("button", { type: "button", role: "tab", title, text, data: { tab: name }, on: { click: () => this.go(name), keydown: (event) => this.walk(event) } }));
    bar.append(...this.tabs);
    this.none = el("div", { class: "lab-sheet-empty" }, el("h3", { text: "No tree is open" }), el("p", { text: "Search a problem, or open a session from the list beside the title: then it can be studied here." }));
    let before = null;
    store.addEventListener("opened", () => {
      // The address may name a sheet before its session is there.
      if (this.place !== null) this.go(before === null ? this.place : this.tabOf(this.place));
      before = store.session;
    });
  }

  tabOf(place) {
    const name = place.split("/")[0];
    return name in this.screens ? name : "compare";
  }

  /** @param {string} place name of a tab, and what of it is shown after a slash */
  go(place) {
    super.go(place);
    const name = this.tabOf(place);
    for (const tab of this.tabs) {
      const here = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
    }
    const screen = this.screens[name];
    const open = this.store.session !== null;
    this.body.replaceChildren(open ? screen.element : this.none);
    this.body.scrollTop = 0;
    if (open) screen.show(place.slice(name.length + 1));
  }

  /** Show a node in the tree, and what it is judged with: its step, or its answer. */
  judge(node, answer) {
    this.store.select(node);
    this.close();
    this.store.emit("judging", { node, answer });
  }

  walk(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = (this.tabs.indexOf(event.currentTarget) + step + this.tabs.length) % this.tabs.length;
    this.go(this.tabs[at].dataset.tab);
    this.tabs[at].focus();
  }
}
