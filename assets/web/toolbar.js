/** Around the tree: tree or table, what the view does, finding, what is hidden, and the legend. */

import { el, icon } from "./dom.js";
import { Legend } from "./legend.js";
import { count, ending } from "./text.js";

export class Toolbar {
  /**
   * @param {Store} store
   * @param {TreeView} view
   * @param {TreeTable} table
   * @param {() => void} help shows the keys
   */
  constructor(store, view, table, help) {
    Object.assign(this, { store, view, table });
    this.fit = this.button("fit", "Fit: keep the whole tree in view (F)", () => view.setMode(view.mode === "fit" ? "free" : "fit"));
    this.follow = this.button("follow", "Go with the search: keep the selected path in the middle (G)", () =>
      view.setMode(view.mode === "follow" ? "free" : "follow"));
    this.labels = this.button("labels", "Step labels (L)", () => view.setLabels(!view.labels));
    this.ghosts = this.button("ghost", "Steps of roll-outs", () => view.setGhosts(!view.ghosts));
    this.gist = this.button("fold", "", () => view.gist());
    this.subtree = this.button("subtree", "", () => view.focusOn(view.folds.root ? null : store.selected));
    this.tabs = { tree: this.tab("Tree"), table: this.tab("Table") };
    this.legend = new Legend(view);
    this.element = el("div", { class: "lab-toolbar" },
      el("div", { class: "lab-tools", role: "toolbar", "aria-label": "View" },
        el("div", { class: "lab-ways", role: "group", "aria-label": "How nodes are shown" }, this.tabs.tree, this.tabs.table),
        this.fit, this.follow, this.labels, this.ghosts, this.gist, this.subtree,
        this.button("minus", "Zoom out (\u2212)", () => view.zoom(0.8)),
        this.button("plus", "Zoom in (+)", () => view.zoom(1.25)),
        this.button("keys", "All keys (?)", help)),
      view.find.element);
    this.lines = el("div", { class: "lab-lines" },
      ...[["best", "best path"], ["search", "last selection"], ["chosen", "to the selected node"]].map(([kind, name]) =>
        el("span", {}, el("i", { class: `is-${kind}` }), el("span", { text: name }))));
    this.crumbs = el("nav", { class: "lab-crumbs", "aria-label": "Subtree", hidden: true });
    this.chip = el("button", { type: "button", class: "lab-folded-chip", hidden: true, on: { click: () => view.gist() } });
    view.element.append(this.crumbs, el("div", { class: "lab-foot" }, this.lines, this.chip, this.legend.element), this.legend.sheet);
    view.element.addEventListener("mode", () => this.draw());
    table.addEventListener("shown", () => this.draw());
    store.addEventListener("changed", () => this.draw());
    store.addEventListener("selected", () => this.draw());
    this.draw();
  }

  button(name, title, act) {
    return el("button", { type: "button", class: "lab-tool", title, "aria-label": title, on: { click: act } }, icon(name));
  }

  tab(name) {
    return el("button", { type: "button", class: "lab-way", text: name, on: { click: () => this.table.show(name === "Table") } });
  }

  draw() {
    const { view, store, table } = this;
    const press = (button, on) => button.setAttribute("aria-pressed", String(Boolean(on)));
    press(this.fit, view.mode === "fit");
    press(this.follow, view.mode === "follow");
    press(this.labels, view.labels);
    press(this.ghosts, view.ghosts);
    press(this.tabs.tree, !table.shown);
    press(this.tabs.table, table.shown);
    const { folded, root } = view.folds;
    this.name(this.gist, folded.size ? "Unfold everything (Q)" : "Fold all but the most visited (Q)");
    press(this.gist, folded.size);
    this.name(this.subtree, root ? "Back to the whole tree (S)" : "Show the selected subtree alone (S)");
    press(this.subtree, root);
    this.subtree.disabled = !root && !store.children.get(store.selected)?.length;
    this.lines.hidden = store.nodes.size < 2;
    this.drawChip();
    this.drawCrumbs();
  }

  name(button, title) {
    button.title = title;
    button.setAttribute("aria-label", title);
  }

  /** How much of the tree is hidden; in a tree too dense to read, the way out. */
  drawChip() {
    const { view, store } = this;
    const { folded } = view.folds;
    const dense = view.painter.dense && store.nodes.size > 400;
    this.chip.hidden = !folded.size && !dense;
    if (this.chip.hidden) return;
    this.chip.textContent = folded.size
      ? `${count(view.layout.places.size)} of ${count(store.nodes.size)} nodes shown: unfold all`
      : `${count(store.nodes.size)} nodes: fold the less visited`;
  }

  /** The way from the question to the subtree in focus. */
  drawCrumbs() {
    const { view, store } = this;
    const { root } = view.folds;
    this.crumbs.hidden = !root;
    if (!root) return;
    const path = store.pathTo(root);
    this.crumbs.replaceChildren(...path.map((id) => el("button", {
      type: "button", title: id ? `Show the subtree of node ${id}` : "Show the whole tree", "aria-current": id === root ? "true" : null,
      on: { click: () => view.focusOn(id) }, text: id ? ending(store.nodes.get(id).step, 18) : "whole tree",
    })));
  }

  /** Redraw the marks in the theme's colours. */
  paintMarks() {
    this.legend.paint();
    this.legend.draw();
  }
}
