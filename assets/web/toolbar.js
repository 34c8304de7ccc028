/** Above the tree: what the view does, and what colours and shapes mean. */

import { gradient } from "./colour.js";
import { el, icon } from "./dom.js";
import { shape } from "./paint.js";
import { number } from "./text.js";

const KINDS = [
  ["open", "unfinished"], ["right", "right"], ["wrong", "wrong"], ["finished", "finished"], ["dead", "dead end"],
];

export class Toolbar {
  constructor(store, view) {
    this.store = store;
    this.view = view;
    this.fit = this.button("fit", "Fit: keep the whole tree in view (F)", () => view.setMode(view.mode === "fit" ? "free" : "fit"));
    this.follow = this.button("follow", "Follow the search: keep the selected path in the middle", () =>
      view.setMode(view.mode === "follow" ? "free" : "follow"));
    this.labels = this.button("labels", "Step labels (L)", () => view.setLabels(!view.labels));
    this.low = el("span", {});
    this.high = el("span", {});
    this.marks = el("div", { class: "lab-marks" }, ...KINDS.map(([kind, name]) => this.mark(kind, name)));
    this.element = el("div", { class: "lab-toolbar" },
      el("div", { class: "lab-tools", role: "toolbar", "aria-label": "View" },
        this.fit, this.follow, this.labels,
        this.button("minus", "Zoom out (\u2212)", () => view.zoom(0.8)),
        this.button("plus", "Zoom in (+)", () => view.zoom(1.25))),
      el("div", { class: "lab-legend" }, this.marks,
        el("div", { class: "lab-scale", title: "Colour: value V of a node. Size: visits n." },
          el("span", { class: "lab-scale-name", text: "value V" }), this.low, el("i", { style: { background: gradient() } }), this.high)));
    this.lines = el("div", { class: "lab-lines" },
      ...[["best", "best path"], ["search", "last selection"], ["chosen", "to the clicked node"]].map(([kind, name]) =>
        el("span", {}, el("i", { class: `is-${kind}` }), el("span", { text: name }))));
    view.element.append(this.lines);
    view.element.addEventListener("mode", () => this.draw());
    store.addEventListener("changed", () => this.draw());
    this.draw();
  }

  button(name, title, act) {
    return el("button", { type: "button", class: "lab-tool", title, "aria-label": title, on: { click: act } }, icon(name));
  }

  mark(kind, name) {
    const canvas = el("canvas", { class: "lab-mark", width: "32", height: "32", data: { kind } });
    return el("span", {}, canvas, el("span", { text: name }));
  }

  draw() {
    this.fit.setAttribute("aria-pressed", this.view.mode === "fit");
    this.follow.setAttribute("aria-pressed", this.view.mode === "follow");
    this.labels.setAttribute("aria-pressed", this.view.labels);
    this.lines.hidden = this.store.nodes.size < 2;
    this.low.textContent = number(this.store.range.low, 0);
    this.high.textContent = number(this.store.range.high, 0);
  }

  /** Redraw the marks in the theme's colours. */
  paintMarks(theme) {
    for (const canvas of this.marks.querySelectorAll("canvas")) {
      const context = canvas.getContext("2d");
      const kind = canvas.dataset.kind;
      context.clearRect(0, 0, 32, 32);
      shape(context, kind, 16, 16, 9);
      context.fillStyle = theme.faint;
      context.fill();
      context.lineWidth = 2.6;
      context.strokeStyle = kind === "right" ? theme.right : kind === "wrong" ? theme.wrong : theme.soft;
      context.stroke();
    }
  }
}
