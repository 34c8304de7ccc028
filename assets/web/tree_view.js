/**
 * The tree on the page: redraws when something changes, and turns pointer and keys into pan, zoom,
 * hover and selection.
 */

import { Layout } from "./layout.js";
import { Painter, readTheme } from "./paint.js";
import { MARKS, mark } from "./store.js";
import { el } from "./dom.js";
import { line, number } from "./text.js";
import { Viewport } from "./viewport.js";

const REACH = 26;
const PADS = { left: 34, right: 14, top: 62, bottom: 44 };

export class TreeView {
  constructor(store) {
    this.store = store;
    this.layout = new Layout();
    this.viewport = new Viewport();
    this.mode = "fit";
    this.labels = true;
    this.hovered = null;
    this.frame = null;
    this.canvas = el("canvas", {
      class: "lab-canvas",
      tabindex: "0",
      role: "application",
      "aria-label": "Search tree. Arrow keys walk from node to node, F fits, Escape deselects.",
    });
    this.tip = el("div", { class: "lab-tip", role: "tooltip", hidden: true });
    this.live = el("div", { class: "lab-sr", "aria-live": "polite" });
    this.element = el("div", { class: "lab-tree" }, this.canvas, this.tip, this.live);
    this.painter = new Painter(this.canvas.getContext("2d"), store, this.layout, this.viewport);
    this.listen();
  }

  listen() {
    this.store.addEventListener("opened", () => {
      this.layout.clear();
      this.setMode("fit");
    });
    this.store.addEventListener("changed", (event) => this.changed(event.detail));
    this.store.addEventListener("selected", () => this.announce());
    new ResizeObserver(() => this.resize()).observe(this.element);
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.hover(event));
    canvas.addEventListener("pointerleave", () => this.setHovered(null));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("dblclick", () => this.setMode("fit"));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => this.redraw());
    canvas.addEventListener("blur", () => this.redraw());
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    this.ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    const first = this.viewport.width === 0;
    Object.assign(this.viewport, { width, height });
    this.readTheme();
    if (first || this.mode === "fit") this.fit(false);
    this.drawNow();
  }

  /** Take the colours of the page's present theme. */
  readTheme() {
    this.painter.theme = readTheme(this.element);
    this.redraw();
  }

  changed({ structure }) {
    if (structure) {
      const anchor = this.anchor();
      this.layout.update(this.store, performance.now());
      this.keep(anchor);
    }
    this.redraw();
  }

  /** The node that must not move under the reader's eyes while the tree grows. */
  anchor() {
    const id = this.store.selected ?? this.nearest(this.viewport.width / 2, this.viewport.height / 2, Infinity);
    const place = this.layout.places.get(id);
    return place ? { id, at: this.viewport.screen(place.goal ?? place) } : null;
  }

  keep(anchor) {
    if (this.mode === "fit") return this.fitIfNeeded();
    if (this.mode === "follow") return this.follow();
    const place = anchor && this.layout.places.get(anchor.id);
    if (!place) return undefined;
    const [x, y] = this.viewport.screen(place.goal);
    const view = { ...this.viewport, x: this.viewport.x + anchor.at[0] - x, y: this.viewport.y + anchor.at[1] - y };
    return this.move(view);
  }

  move({ x, y, column, row }, animated = true) {
    this.viewport.moveTo({ x, y, column, row }, performance.now(), animated);
    this.redraw();
  }

  setMode(mode) {
    this.mode = mode;
    if (mode === "fit") this.fit();
    if (mode === "follow") this.follow();
    this.element.dispatchEvent(new CustomEvent("mode", { detail: mode }));
  }

  fit(animated = true) {
    this.move(this.viewport.fitted(this.layout.extent, PADS), animated && this.layout.places.size > 1);
  }

  /** Refit only when the tree outgrows the view or has become far too small for it. */
  fitIfNeeded() {
    const goal = this.viewport.fitted(this.layout.extent, PADS);
    const now = this.viewport.motion?.view ?? this.viewport;
    const { top, bottom, columns } = this.layout.extent;
    const high = now.y + top * now.row >= PADS.top - 6 &&
      now.y + bottom * now.row <= this.viewport.height - PADS.bottom + 6;
    const wide = now.x + (columns + 1) * now.column <= this.viewport.width + 6;
    const small = goal.row > now.row * 1.3 || goal.column > now.column * 1.2;
    if (!high || !wide || small) this.move(goal, this.layout.places.size > 1);
  }

  follow() {
    const last = [...this.store.searchPath].pop();
    const place = this.layout.places.get(last);
    if (!place) return;
    this.viewport.row = Math.max(this.viewport.row, 24);
    this.viewport.column = Math.max(this.viewport.column, 130);
    this.move(this.viewport.centred(place.goal));
  }

  /** Zoom from a button: about the middle. */
  zoom(factor) {
    this.free();
    this.viewport.zoom(factor, this.viewport.width / 2, this.viewport.height / 2);
    this.redraw();
  }

  free() {
    if (this.mode !== "free") this.setMode("free");
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    this.frame = null;
    if (!this.painter.theme || !this.viewport.width) return;
    const now = performance.now();
    const moving = [this.layout.advance(now), this.viewport.advance(now)].some(Boolean);
    this.painter.draw(
      {
        selected: this.store.selected,
        hovered: this.hovered,
        labels: this.labels,
        focused: document.activeElement === this.canvas,
      },
      this.ratio,
    );
    this.lastDraw = performance.now() - now;
    if (moving) this.redraw();
  }

  /** The node nearest to a point of the canvas, within reach. */
  nearest(x, y, reach = REACH) {
    let best = null;
    let least = reach * reach;
    for (const [id, place] of this.layout.places) {
      const [px, py] = this.viewport.screen(place);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [id, distance];
    }
    return best;
  }

  /** Where a node is, in coordinates of the window; null if there is none. */
  position(id) {
    const place = this.layout.places.get(id);
    if (!place) return null;
    const [x, y] = this.viewport.screen(place.goal);
    const box = this.canvas.getBoundingClientRect();
    return { x: box.left + x, y: box.top + y };
  }

  press(event) {
    if (event.button !== 0) return;
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    let { clientX: x, clientY: y } = event;
    let travelled = 0;
    const move = (next) => {
      travelled += Math.abs(next.clientX - x) + Math.abs(next.clientY - y);
      if (travelled > 4) {
        this.free();
        this.setHovered(null);
        this.canvas.classList.add("is-panning");
        this.viewport.pan(next.clientX - x, next.clientY - y);
        this.redraw();
      }
      ({ clientX: x, clientY: y } = next);
    };
    const up = (last) => {
      this.canvas.removeEventListener("pointermove", move);
      this.canvas.removeEventListener("pointerup", up);
      this.canvas.removeEventListener("pointercancel", up);
      this.canvas.classList.remove("is-panning");
      if (travelled <= 4 && last.type === "pointerup") this.store.select(this.nearest(...this.local(last)));
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", up);
    this.canvas.addEventListener("pointercancel", up);
  }

  local(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  hover(event) {
    if (event.buttons || event.pointerType === "touch") return;
    this.setHovered(this.nearest(...this.local(event)));
  }

  setHovered(id) {
    if (id === this.hovered) return;
    this.hovered = id;
    this.canvas.style.cursor = id === null ? "" : "pointer";
    this.showTip();
    this.redraw();
  }

  showTip() {
    const node = this.store.nodes.get(this.hovered);
    this.tip.hidden = !node;
    if (!node) return;
    this.tip.replaceChildren(
      el("div", { class: "lab-tip-step", text: node.parent === null ? "the question" : line(node.step, 320) }),
      el("div", {
        class: "lab-tip-facts",
        text: `V ${number(node.value, 3)}   n ${node.visits}   node ${node.id}   ${MARKS[mark(node)]}`,
      }),
    );
    const [x, y] = this.viewport.screen(this.layout.places.get(node.id));
    const width = this.tip.offsetWidth;
    const left = Math.max(8, Math.min(x + 14, this.viewport.width - width - 8));
    const below = y + 22 + this.tip.offsetHeight < this.viewport.height;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${below ? y + 18 : y - 18 - this.tip.offsetHeight}px`;
  }

  wheel(event) {
    event.preventDefault();
    this.free();
    this.setHovered(null);
    const notch = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
    this.viewport.zoom(Math.exp(-notch * 0.0016), ...this.local(event));
    this.redraw();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = {
      ArrowLeft: () => this.walk("parent"),
      ArrowRight: () => this.walk("child"),
      ArrowUp: () => this.walk("up"),
      ArrowDown: () => this.walk("down"),
      Home: () => this.store.select(0),
      End: () => this.store.select([...this.store.bestPath].pop() ?? 0),
      Escape: () => this.store.select(null),
      "+": () => this.zoom(1.25),
      "=": () => this.zoom(1.25),
      "-": () => this.zoom(0.8),
      f: () => this.setMode("fit"),
      l: () => this.setLabels(!this.labels),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  setLabels(on) {
    this.labels = on;
    this.redraw();
    this.element.dispatchEvent(new CustomEvent("mode", { detail: this.mode }));
  }

  walk(direction) {
    const node = this.store.nodes.get(this.store.selected ?? 0);
    if (!node) return;
    if (this.store.selected === null) return this.store.select(0);
    if (direction === "parent") return node.parent === null ? undefined : this.store.select(node.parent);
    if (direction === "child") {
      const children = this.store.children.get(node.id) ?? [];
      if (!children.length) return undefined;
      return this.store.select(children.find((id) => this.store.bestPath.has(id)) ?? this.likeliest(children));
    }
    return this.walkColumn(node, direction === "up" ? -1 : 1);
  }

  likeliest(children) {
    const value = (id) => this.store.nodes.get(id).value;
    return children.reduce((best, id) => (value(id) > value(best) ? id : best));
  }

  walkColumn(node, sign) {
    const here = this.layout.places.get(node.id).goal.row;
    let best = null;
    for (const other of this.store.nodes.values()) {
      if (other.depth !== node.depth) continue;
      const gap = (this.layout.places.get(other.id).goal.row - here) * sign;
      if (gap > 0 && (best === null || gap < best.gap)) best = { id: other.id, gap };
    }
    if (best) this.store.select(best.id);
  }

  /** Tell screen readers what is selected, and bring it into view. */
  announce() {
    const node = this.store.nodes.get(this.store.selected);
    this.live.textContent = node
      ? `Node ${node.id}, ${MARKS[mark(node)]}, value ${number(node.value)}, ${node.visits} visits: ${line(node.step)}`
      : "";
    const place = node && this.layout.places.get(node.id);
    if (place) {
      const [x, y] = this.viewport.screen(place.goal);
      const inside = x > 0 && y > 40 && x < this.viewport.width - 40 && y < this.viewport.height;
      if (!inside) {
        this.free();
        this.move(this.viewport.centred(place.goal));
      }
    }
    this.redraw();
  }
}
