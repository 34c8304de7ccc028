/**
 * The tree on the page: what of it is shown, how it follows the search, and when it is drawn anew.
 * Pointer and keys are in `tree_pointer.js` and `tree_keys.js`.
 */

import { ColourBy } from "./colour_by.js";
import { el } from "./dom.js";
import { Find } from "./find.js";
import { Folds } from "./folds.js";
import { ghosts } from "./ghosts.js";
import { Layout } from "./layout.js";
import { Minimap } from "./minimap.js";
import { Overlay } from "./overlay.js";
import { Painter, readTheme } from "./paint.js";
import { MARKS, mark } from "./store.js";
import { line, number } from "./text.js";
import { Pointer } from "./tree_pointer.js";
import { TreeTip } from "./tree_tip.js";
import { Viewport } from "./viewport.js";

const REACH = 26;
const PADS = { left: 34, right: 14, top: 62, bottom: 58 };
const SMALL = { ...PADS, top: 108, bottom: 84 }; // where the tools take two rows

/** Events of `element`: "mode" (detail: the mode), when what the tools show has changed; "picked" (a node, with Shift). */
export class TreeView {
  /**
   * @param {Store} store
   * @param {{keep_rollout?: Function}} server
   * @param {ColourBy} [colouring] what colours mean, or another of its kind
   */
  constructor(store, server, colouring = new ColourBy(store)) {
    this.store = store;
    this.layout = new Layout();
    this.viewport = new Viewport();
    this.folds = new Folds(store);
    this.colouring = colouring;
    this.find = new Find(store, (id) => store.select(id));
    this.mode = "fit";
    this.labels = true;
    this.ghosts = true;
    this.rolled = { print: "", fresh: false }; // the last roll-out, and whether it has only just come
    this.hovered = null;
    this.frame = null;
    this.stale = true; // the scene is to be drawn anew, not only what lies over it
    const world = { ...this.world, found: this.find };
    this.scene = el("canvas", { class: "lab-scene", "aria-hidden": "true" });
    this.canvas = el("canvas", {
      class: "lab-canvas", tabindex: "0", role: "application", "aria-roledescription": "search tree",
      "aria-label": "Search tree. Arrow keys walk from node to node, question mark shows all keys, the table has the same nodes as rows.",
    });
    this.live = el("div", { class: "lab-sr", "aria-live": "polite" });
    this.tip = new TreeTip(this, server);
    this.minimap = new Minimap(world, (place) => this.centre(place));
    this.element = el("div", { class: "lab-tree" }, this.scene, this.canvas, this.tip.element, this.tip.keep, this.minimap.element, this.live);
    this.painter = new Painter(this.scene.getContext("2d"), world);
    this.overlay = new Overlay(this.canvas.getContext("2d"), world);
    this.pointer = new Pointer(this);
    this.listen();
  }

  get world() {
    const { store, layout, viewport, folds, colouring } = this;
    return { store, layout, viewport, folds, colouring };
  }

  listen() {
    const { store } = this;
    store.addEventListener("opened", () => {
      this.rolled = { print: null, fresh: false };
      this.layout.clear();
      this.setMode("fit");
    });
    store.addEventListener("changed", (event) => this.changed(event.detail));
    store.addEventListener("selected", () => {
      this.rolled.fresh = false;
      this.announce();
      this.fitGhosts();
    });
    this.folds.addEventListener("changed", () => this.folded());
    this.colouring.addEventListener("changed", () => this.recolour());
    this.find.addEventListener("changed", () => this.redraw(false));
    this.find.addEventListener("done", () => this.canvas.focus());
    new ResizeObserver(() => this.resize()).observe(this.element);
    for (const type of ["focus", "blur"]) this.canvas.addEventListener(type, () => this.redraw(false));
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    this.ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.scene, this.canvas]) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
    }
    const first = this.viewport.width === 0;
    Object.assign(this.viewport, { width, height });
    this.readTheme();
    if (first || this.mode === "fit") this.fit(false);
    else this.bringIn(this.store.selected);
    this.drawNow();
  }

  /** Take the colours of the page's present theme. */
  readTheme() {
    this.overlay.theme = readTheme(this.element);
    this.recolour();
  }

  recolour() {
    this.colouring.refresh();
    this.painter.recolour(this.overlay.theme);
    this.redraw();
    this.tell();
  }

  changed({ structure }) {
    if (structure) this.relayout();
    this.watchRollout();
    this.colouring.refresh();
    this.redraw();
  }

  /** A roll-out that comes is shown, until another node is looked at or acted upon. One that was there before is not news. */
  watchRollout() {
    const { tree, past } = this.store;
    if (!tree || past) return;
    const print = tree.rollout ? `${tree.rollout.node} ${tree.rollout.steps.map((step) => step.text).join("\n")}` : "";
    if (print === this.rolled.print) {
      if (tree.acted !== this.rolled.acted) this.rolled.fresh = false; // something else was done since
      return;
    }
    this.rolled = { print, fresh: print !== "" && this.rolled.print !== null, acted: tree.acted };
    this.fitGhosts();
  }

  /** Whether the steps of the last roll-out are shown: while its node is looked at, or when it has just come. */
  get ghostly() {
    return this.ghosts && (this.rolled.fresh || this.store.tree?.rollout?.node === this.store.selected);
  }

  /** What is to be fitted: the tree, and the steps of the roll-out that is shown. */
  get extent() {
    const { extent } = this.layout;
    const rolled = this.ghostly && ghosts(this.world);
    if (!rolled) return extent;
    const { column } = this.layout.places.get(rolled.node).goal;
    return { ...extent, columns: Math.max(extent.columns, column + rolled.steps.length) };
  }

  /** Where the whole tree is kept in view, so are the steps of a roll-out that comes. */
  fitGhosts() {
    if (this.mode === "fit" && this.extent !== this.layout.extent) this.fitIfNeeded();
  }

  relayout() {
    const anchor = this.anchor();
    this.layout.update(this.store, this.folds, performance.now());
    this.keep(anchor);
  }

  folded() {
    this.relayout();
    this.redraw();
    this.tell();
  }

  /** The node that must not move under the reader's eyes while the tree changes. */
  anchor() {
    const { width, height } = this.viewport;
    const id = this.layout.places.has(this.store.selected) ? this.store.selected : this.nearest(width / 2, height / 2, Infinity);
    const place = this.layout.places.get(id);
    return place ? { id, at: this.viewport.screen(place.goal) } : null;
  }

  keep(anchor) {
    if (this.mode === "fit") return this.fitIfNeeded();
    if (this.mode === "follow") return this.follow();
    const place = anchor && this.layout.places.get(anchor.id);
    if (!place) return this.fitIfNeeded();
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
    this.tell();
  }

  /** Tell the tools that what they show has changed. */
  tell() {
    this.element.dispatchEvent(new CustomEvent("mode", { detail: this.mode }));
  }

  get pads() {
    return this.viewport.width < 590 ? SMALL : PADS;
  }

  fit(animated = true) {
    this.move(this.viewport.fitted(this.extent, this.pads), animated && this.layout.places.size > 1);
  }

  /** Refit only when the tree outgrows the view or has become far too small for it. */
  fitIfNeeded() {
    const { pads, extent } = this;
    const goal = this.viewport.fitted(extent, pads);
    const now = this.viewport.motion?.view ?? this.viewport;
    const { top, bottom, columns } = extent;
    const high = now.y + top * now.row >= pads.top - 6 &&
      now.y + bottom * now.row <= this.viewport.height - pads.bottom + 6;
    const wide = now.x + (columns + 1) * now.column <= this.viewport.width + 6;
    const small = goal.row > now.row * 1.3 || goal.column > now.column * 1.2;
    if (!high || !wide || small) this.move(goal, this.layout.places.size > 1);
  }

  follow() {
    const last = [...this.store.searchPath].pop();
    if (last !== undefined && !this.layout.places.has(last) && this.store.nodes.has(last)) this.folds.reveal(last);
    const place = this.layout.places.get(last);
    if (!place) return;
    this.viewport.row = Math.max(this.viewport.row, 24);
    this.viewport.column = Math.max(this.viewport.column, 130);
    this.move(this.viewport.centred(place.goal));
  }

  /** Put a place in the middle. */
  centre(place) {
    this.free();
    this.move(this.viewport.centred(place), false);
  }

  /** Zoom from a button: about the selected node if it is seen, else about the middle. */
  zoom(factor) {
    this.free();
    const place = this.layout.places.get(this.store.selected);
    const [x, y] = place ? this.viewport.screen(place) : [-1, -1];
    const seen = x > 0 && y > 0 && x < this.viewport.width && y < this.viewport.height;
    this.viewport.zoom(factor, seen ? x : this.viewport.width / 2, seen ? y : this.viewport.height / 2);
    this.redraw();
  }

  free() {
    if (this.mode !== "free") this.setMode("free");
  }

  /** Draw with the next frame; without `scene` only what lies over the tree. */
  redraw(scene = true) {
    this.stale ||= scene;
    this.frame ??= requestAnimationFrame(() => this.drawNow(this.stale));
  }

  drawNow(scene = true) {
    if (this.frame !== null) cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.painter.theme || !this.viewport.width) return;
    const now = performance.now();
    const moving = [this.layout.advance(now), this.viewport.advance(now)].some(Boolean);
    const { selected } = this.store;
    if (scene || moving) {
      this.painter.draw({ selected, labels: this.labels }, this.ratio);
      this.minimap.draw(this.painter.theme, this.painter.palette, this.ratio);
      this.stale = false;
    }
    const focus = { selected, hovered: this.hovered, ghosts: this.ghostly, focused: document.activeElement === this.canvas };
    const pulsing = this.overlay.draw(focus, this.ratio, now);
    this.tip.place();
    if (this.tip.left) this.leave();
    this.lastDraw = performance.now() - now;
    if (moving) this.redraw();
    else if (pulsing) this.redraw(false);
  }

  /** The node nearest to a point of the canvas, within reach. */
  nearest(x, y, reach = REACH) {
    const { layout, viewport } = this;
    let best = null;
    let least = reach * reach;
    const row = (pixels) => (pixels - viewport.y) / viewport.row;
    for (const level of layout.levels) {
      const gap = viewport.x + level[0].column * viewport.column - x;
      if (!layout.moving && gap * gap >= least) continue;
      const near = Number.isFinite(reach) ? layout.between(level, row(y - reach), row(y + reach)) : level;
      for (const place of near) {
        const [px, py] = viewport.screen(place);
        const distance = (px - x) ** 2 + (py - y) ** 2;
        if (distance < least) [best, least] = [place.id, distance];
      }
    }
    return best;
  }

  /** Where a node is, in coordinates of the window; null if it is not shown. */
  position(id) {
    const place = this.layout.places.get(id);
    if (!place) return null;
    const [x, y] = this.viewport.screen(place.goal);
    const box = this.canvas.getBoundingClientRect();
    return { x: box.left + x, y: box.top + y };
  }

  setHovered(id) {
    if (id === this.hovered) return;
    this.hovered = id;
    this.canvas.style.cursor = id === null ? "" : "pointer";
    this.tip.show(id);
    this.redraw(false);
    this.element.dispatchEvent(new CustomEvent("hovered", { detail: id }));
  }

  /** Nothing is hovered any more, though the pointer has not moved. */
  leave() {
    this.tip.show(null);
    this.setHovered(null);
  }

  setLabels(on) {
    this.labels = on;
    this.redraw();
    this.tell();
  }

  setGhosts(on) {
    this.ghosts = on;
    this.redraw(false);
    this.tell();
  }

  /** Fold all but the most visited subtrees, as many as there is room for; or unfold all. */
  gist() {
    if (this.folds.folded.size) this.folds.unfold();
    else this.folds.gist(Math.max(16, Math.floor((this.viewport.height - PADS.top - PADS.bottom) / 20)));
    this.setMode("fit");
  }

  /** Show one subtree alone, and all of it; null: the whole tree. */
  focusOn(id) {
    this.folds.focus(id);
    this.setMode("fit");
  }

  /** Tell screen readers what is selected, and bring it into view. */
  announce() {
    const node = this.store.nodes.get(this.store.selected);
    this.live.textContent = node
      ? `Node ${node.id}, ${MARKS[mark(node)]}, value ${number(node.value)}, ${node.visits} visits: ${line(node.step)}`
      : "";
    if (node && !this.layout.places.has(node.id)) this.folds.reveal(node.id);
    if (node) this.bringIn(node.id);
    this.redraw();
  }

  bringIn(id) {
    const place = this.layout.places.get(id);
    if (!place) return;
    const goal = this.viewport.motion?.view ?? this.viewport;
    const [x, y] = [goal.x + place.goal.column * goal.column, goal.y + place.goal.row * goal.row];
    const inside = x > 0 && y > 40 && x < this.viewport.width - 40 && y < this.viewport.height;
    if (inside) return;
    this.free();
    this.move(this.viewport.centred(place.goal));
  }
}
