/**
 * The whole tree in a corner with the part that is seen; drag in it to go elsewhere. It hides where
 * all of a tree is in view, and folds away.
 */

import { el, icon } from "./dom.js";

const SIZE = { width: 176, height: 116 };
const PAD = 7;
const KEY = "lab-minimap";

export class Minimap {
  /**
   * @param {object} world as of the painter
   * @param {(place: {column: number, row: number}) => void} go puts a place in the middle of the view
   */
  constructor({ store, layout, viewport, colouring }, go) {
    Object.assign(this, { store, layout, viewport, colouring, go });
    this.print = null;
    this.canvas = el("canvas", { class: "lab-minimap-canvas", "aria-hidden": "true" });
    this.frame = el("i", { class: "lab-minimap-frame" });
    this.box = el("div", { class: "lab-minimap-box" }, this.canvas, this.frame);
    this.fold = el("button", { type: "button", class: "lab-minimap-fold", title: "Map of the whole tree", "aria-label": "Map of the whole tree", on: { click: () => this.toggle() } }, icon("map"));
    this.element = el("div", { class: "lab-minimap", hidden: true }, this.box, this.fold);
    this.box.addEventListener("pointerdown", (event) => this.press(event));
    this.open = localStorage.getItem(KEY) !== "closed";
    this.showOpen();
  }

  toggle() {
    this.open = !this.open;
    localStorage.setItem(KEY, this.open ? "open" : "closed");
    this.showOpen();
  }

  showOpen() {
    this.box.hidden = !this.open;
    this.fold.setAttribute("aria-expanded", String(this.open));
  }

  scale() {
    const { extent } = this.layout;
    const rows = Math.max(extent.bottom - extent.top, 1);
    return {
      column: (SIZE.width - 2 * PAD) / Math.max(extent.columns, 1), row: (SIZE.height - 2 * PAD) / rows,
      x: PAD, y: PAD - (extent.top * (SIZE.height - 2 * PAD)) / rows,
    };
  }

  /** Draw what has changed. */
  draw(theme, palette, ratio) {
    const covered = this.covered();
    if (this.element.hidden !== covered) this.element.hidden = covered;
    if (covered || !this.open) return;
    const print = [this.store.stamp, this.layout.print, this.colouring.name, theme.ground, ratio].join(" ");
    if (print !== this.print) {
      this.print = print;
      this.drawTree(theme, palette, ratio);
    }
    this.drawFrame();
  }

  /** Whether there is nothing to see that the view does not show. */
  covered() {
    const { layout, viewport } = this;
    if (layout.places.size < 40) return true;
    const { extent } = layout;
    const left = viewport.x >= -8;
    const right = viewport.x + extent.columns * viewport.column <= viewport.width + 8;
    const [top, bottom] = viewport.rows(8);
    return left && right && top <= extent.top && bottom >= extent.bottom;
  }

  drawTree(theme, palette, ratio) {
    const { canvas, layout } = this;
    [canvas.width, canvas.height] = [SIZE.width * ratio, SIZE.height * ratio];
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const { column, row, x, y } = this.scale();
    const edges = new Path2D();
    const dots = new Map();
    for (const level of layout.levels) {
      let last = null;
      for (const { goal, parent, node } of level) {
        const at = Math.round(y + goal.row * row);
        if (at === last) continue;
        last = at;
        if (parent) {
          edges.moveTo(x + parent.goal.column * column, y + parent.goal.row * row);
          edges.lineTo(x + goal.column * column, at);
        }
        const index = this.colouring.index(node);
        if (!dots.has(index)) dots.set(index, new Path2D());
        dots.get(index).rect(x + goal.column * column - 1.5, at - 0.7, 3, 1.4);
      }
    }
    context.lineWidth = 0.6;
    context.strokeStyle = theme.faint;
    context.stroke(edges);
    for (const [index, path] of dots) {
      context.fillStyle = palette[index].css;
      context.fill(path);
    }
    const best = new Path2D();
    for (const id of this.store.bestPath) {
      const place = layout.places.get(id);
      if (!place?.parent) continue;
      best.moveTo(x + place.parent.goal.column * column, y + place.parent.goal.row * row);
      best.lineTo(x + place.goal.column * column, y + place.goal.row * row);
    }
    context.lineWidth = 2.4;
    context.strokeStyle = theme.best;
    context.stroke(best);
  }

  drawFrame() {
    const { viewport } = this;
    const map = this.scale();
    const across = (pixels) => map.x + ((pixels - viewport.x) / viewport.column) * map.column;
    const down = (pixels) => map.y + ((pixels - viewport.y) / viewport.row) * map.row;
    const within = (value, most) => Math.min(most - 1, Math.max(1, value));
    const [left, right] = [0, viewport.width].map((pixels) => within(across(pixels), SIZE.width));
    const [top, bottom] = [0, viewport.height].map((pixels) => within(down(pixels), SIZE.height));
    Object.assign(this.frame.style, {
      left: `${left}px`, top: `${top}px`, width: `${Math.max(4, right - left)}px`, height: `${Math.max(4, bottom - top)}px`,
    });
  }

  press(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    const move = (next) => {
      const box = this.box.getBoundingClientRect();
      const { column, row, x, y } = this.scale();
      this.go({ column: (next.clientX - box.left - x) / column, row: (next.clientY - box.top - y) / row });
    };
    const up = () => {
      this.box.removeEventListener("pointermove", move);
      this.box.removeEventListener("pointerup", up);
      this.box.removeEventListener("pointercancel", up);
    };
    this.box.setPointerCapture(event.pointerId);
    this.box.addEventListener("pointermove", move);
    this.box.addEventListener("pointerup", up);
    this.box.addEventListener("pointercancel", up);
    move(event);
  }
}
