/** All keys of the page in one overview, over everything else. */

import { el, icon } from "./dom.js";
import { keys } from "./keys.js";

const SIGNS = {
  ArrowLeft: "\u2190", ArrowRight: "\u2192", ArrowUp: "\u2191", ArrowDown: "\u2193", Escape: "Esc", Space: "Space", "-": "\u2212",
};
const GROUPS = ["Search", "Steering", "Tree", "View", "Time"];

export class KeysHelp {
  constructor() {
    this.list = el("div", { class: "lab-keys-list" });
    const close = el("button", { type: "button", class: "lab-tool", title: "Close (Esc)", "aria-label": "Close", on: { click: () => this.element.close() } }, icon("cross"));
    this.element = el("dialog", {
      class: "lab-keys", "aria-label": "Keys", on: { click: (event) => event.target === this.element && this.element.close() },
    }, el("div", { class: "lab-keys-body" }, el("header", {}, el("h2", { text: "Keys" }), close), this.list));
  }

  toggle() {
    if (this.element.open) {
      this.element.close();
      return;
    }
    const names = [...new Set([...GROUPS, ...keys.map((one) => one.group)])];
    this.list.replaceChildren(...names.map((name) => this.group(name)).filter(Boolean));
    this.element.showModal();
  }

  group(name) {
    const known = keys.filter((one) => one.group === name && one.what);
    if (!known.length) return null;
    return el("section", {}, el("h3", { text: name }),
      el("dl", {}, ...known.flatMap((one) => [el("dt", {}, ...written(one.key)), el("dd", { text: one.what })])));
  }
}

/** A key as it is printed on a keyboard. */
function written(key) {
  const parts = key === "+" ? ["+"] : key.split("+");
  return parts.map((part) => el("kbd", { text: SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part) }));
}
