/**
 * Draws a tree on a canvas: edges, the best path, nodes, labels. Only what is seen is drawn; where
 * rows are closer than pixels, the nodes that matter most stand on top of strips.
 */

import { Dense } from "./dense.js";
import { Edges } from "./edges.js";
import { Labels } from "./labels.js";
import { Marks, touched } from "./marks.js";
import { mark } from "./store.js";

const MARGIN = 40;
const DENSE = 2.6; // row height in pixels below which rows share pixels
const DOTS = [2.2, 3.8]; // pixels of ink and of ground along the path of the search
const SALIENT = 90; // nodes that a dense tree shows in full

/** The theme's colours and fonts, read from the style sheet. */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(`--lab-${name}`).trim();
  const names = ["ground", "raised", "ink", "outline", "best", "accent", "right", "wrong", "mono", "sans", "person", "found", "line"];
  const categories = ["open", "right", "wrong", "finished", "dead"].map((kind) => `cat-${kind}`);
  return {
    ...Object.fromEntries([...names, ...categories].map((name) => [name, read(name)])),
    soft: read("ink-2"), faint: read("edge"), warn: read("warn-soft"), pale: read("accent-soft"),
    dark: document.body.classList.contains("dark"),
  };
}

/** Radius in pixels: visits decide, the room between rows limits. */
export function radius(node, store, viewport) {
  const room = Math.min(11, Math.max(2.6, viewport.row * 0.36));
  const share = Math.sqrt(node.visits / store.mostVisits);
  // In a crowded tree the few nodes with most of the visits must still stand out.
  const size = Math.max(room * (0.55 + 0.45 * share), 8.5 * share);
  return mark(node) === "open" ? size : Math.max(size * 1.1, Math.min(6, room * 1.35));
}

export class Painter {
  /**
   * @param {CanvasRenderingContext2D} context
   * @param {{store: Store, layout: Layout, viewport: Viewport, folds: Folds, colouring: ColourBy}} world
   */
  constructor(context, world) {
    Object.assign(this, { context, world }, world);
    this.theme = null;
    this.edges = new Edges(context, world);
    this.strips = new Dense(context, world);
    this.marks = new Marks();
    this.labels = new Labels(context, world);
    this.regions = []; // what can be pressed besides nodes: {id, x, y, width, height}
  }

  /** Colours of the page, and of the quantity that nodes show. */
  recolour(theme) {
    this.theme = theme;
    this.palette = this.colouring.colours(theme);
    this.strips.recolour();
    this.labels.use(theme);
  }

  get dense() {
    return this.viewport.row < DENSE;
  }

  /** The whole picture. `focus`: {selected, labels}. */
  draw(focus, ratio) {
    const { context, viewport } = this;
    this.marks.use(this.theme, ratio, this.palette);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, viewport.width, viewport.height);
    context.lineJoin = "round";
    context.lineCap = "butt"; // round ends take twice the time, and nodes cover them
    this.regions = [];
    this.edges.path(this.store.bestPath, this.theme.best, 8);
    if (this.dense) this.strips.draw(this.theme, this.palette, ratio);
    else this.edges.draw(this.theme);
    this.edges.path(this.store.searchPath, this.theme.ink, 1.6, DOTS);
    this.edges.path(this.store.pathTo(focus.selected), this.theme.accent, 2);
    const shown = this.seen(this.dense ? this.salient() : null);
    this.drawFolded(shown);
    if (focus.labels) this.labels.draw(shown, focus, ratio);
    for (const { place, x, y, r } of shown) this.marks.draw(context, place.node, x, y, r, this.colouring.index(place.node));
  }

  /** Nodes within the view with their place on the screen, those with few visits first. */
  seen(only) {
    const { layout, viewport, store } = this;
    const [top, bottom] = viewport.rows(MARGIN);
    const shown = [];
    const add = (place) => {
      const [x, y] = viewport.screen(place);
      if (x < -MARGIN || x > viewport.width + MARGIN || y < -MARGIN || y > viewport.height + MARGIN) return;
      shown.push({ place, node: place.node, x, y, r: radius(place.node, store, viewport) });
    };
    if (only) only.forEach(add);
    else for (const level of layout.levels) if (level && this.inView(level)) layout.between(level, top, bottom).forEach(add);
    return shown.sort((a, b) => a.r - b.r || a.node.id - b.node.id);
  }

  inView(level) {
    if (this.layout.moving || !level.length) return true;
    const x = this.viewport.x + level[0].column * this.viewport.column;
    return x > -MARGIN && x < this.viewport.width + MARGIN;
  }

  /** The places of a dense tree that are drawn in full: paths, the most visited, a person's. */
  salient() {
    const { store, layout } = this;
    const print = `${store.stamp} ${layout.print}`;
    if (this.chosen?.print !== print) {
      const visits = Float64Array.from(layout.places.values(), (place) => place.node.visits).sort();
      const least = Math.max(2, visits[Math.max(0, visits.length - SALIENT)]);
      const found = [];
      for (const place of layout.places.values()) {
        if (place.node.visits >= least && found.length < 2 * SALIENT) found.push(place);
        else if (touched(place.node)) found.push(place);
      }
      this.chosen = { print, found };
    }
    const paths = [...store.bestPath, ...store.searchPath, ...store.pathTo(store.selected)];
    return new Set([...this.chosen.found, ...paths.map((id) => layout.places.get(id)).filter(Boolean)]);
  }

  /** What stands for folded subtrees: how many nodes, and the best V among them. */
  drawFolded(shown) {
    for (const item of shown) {
      if (!this.folds.folded.has(item.node.id)) continue;
      const region = this.labels.folded(item, this.folds.summary(item.node.id));
      item.reach = region.width + 5;
      this.regions.push({ id: item.node.id, ...region });
    }
  }
}
