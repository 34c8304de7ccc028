/**
 * Draws a tree on a canvas: edges, the best path, nodes, labels. Only what is seen is drawn; where
 * rows are closer than pixels, what shares a pixel is drawn once, and the nodes that matter most
 * stand on top. Keeps nothing but the theme's colours and bitmaps.
 */

import { Labels } from "./labels.js";
import { Marks, touched } from "./marks.js";
import { mark } from "./store.js";

const MARGIN = 40;
const DENSE = 2.6; // row height in pixels below which rows share pixels
const BIN = 2; // pixels, the height of what then stands for several nodes
const SALIENT = 90; // nodes that a dense tree shows in full
// Edges run straight to here, as a share of the column, and only then part: labels sit on that run.
const TRUNK = 0.55;
// Edges by visits, as a share of the most: width in pixels and strength of the ink.
const EDGES = [
  { upTo: 0.03, width: 1, alpha: 0.3 }, { upTo: 0.18, width: 1.4, alpha: 0.4 }, { upTo: 0.36, width: 2.1, alpha: 0.46 },
  { upTo: 0.6, width: 3, alpha: 0.52 }, { upTo: Infinity, width: 4.2, alpha: 0.58 },
];

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
    this.marks = new Marks();
    this.labels = new Labels(context, world);
    this.regions = []; // what can be pressed besides nodes: {id, x, y, width, height}
  }

  /** Colours of the page, and of the quantity that nodes show. */
  recolour(theme) {
    this.theme = theme;
    this.palette = this.colouring.colours(theme);
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
    context.lineCap = context.lineJoin = "round";
    this.regions = [];
    this.path([...this.store.bestPath], this.theme.best, 8);
    if (this.dense) this.drawBinned();
    else this.drawEdges();
    this.drawPaths(focus);
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

  drawEdges() {
    const { layout, viewport, context, store } = this;
    const [top, bottom] = viewport.rows(0);
    const curved = viewport.row >= 7;
    const batches = EDGES.map(() => new Path2D());
    const hidden = new Path2D();
    for (const level of layout.levels) {
      if (!level[0].parent || !this.edgesInView(level)) continue;
      for (const place of layout.crossing(level, top, bottom)) {
        const share = Math.sqrt(Math.max(0, place.node.visits - 1) / store.mostVisits);
        const batch = place.node.hidden ? hidden : batches[EDGES.findIndex((edge) => share <= edge.upTo)];
        this.edge(batch, place, curved);
      }
    }
    context.strokeStyle = this.theme.soft;
    batches.forEach((batch, k) => {
      context.globalAlpha = EDGES[k].alpha;
      context.lineWidth = curved ? EDGES[k].width : EDGES[k].width * 0.7;
      context.stroke(batch);
    });
    context.globalAlpha = 0.3;
    context.lineWidth = 1;
    context.setLineDash([3, 4]);
    context.stroke(hidden);
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  edgesInView(level) {
    if (this.layout.moving) return true;
    const { x, column, width } = this.viewport;
    return x + level[0].column * column > 0 && x + level[0].parent.column * column < width;
  }

  edge(batch, place, curved) {
    const [x1, y1] = this.viewport.screen(place.parent);
    const [x2, y2] = this.viewport.screen(place);
    batch.moveTo(x1, y1);
    const part = x1 + (x2 - x1) * TRUNK;
    if (curved) {
      const bend = (part + x2) / 2;
      batch.lineTo(part, y1);
      batch.bezierCurveTo(bend, y1, bend, y2, x2, y2);
    } else {
      batch.lineTo(part, y1);
      batch.lineTo(x2, y2);
    }
  }

  /** A dense tree: a strip for each column, coloured by the most visited node of each pixel. */
  drawBinned() {
    const { layout, viewport, context } = this;
    const [top, bottom] = viewport.rows(MARGIN);
    const edges = new Path2D();
    const strips = new Map();
    const half = Math.max(1, Math.min(5, Math.round(viewport.column * 0.09)));
    for (const level of layout.levels) {
      if (level[0].parent) this.binEdges(edges, layout.crossing(level, top, bottom));
      let bin = null;
      let best = null;
      for (const place of layout.between(level, top, bottom)) {
        const at = Math.floor((viewport.y + place.row * viewport.row) / BIN);
        if (at !== bin) {
          if (best) this.strip(strips, best, bin, half);
          [bin, best] = [at, place];
        } else if (place.node.visits > best.node.visits) best = place;
      }
      if (best) this.strip(strips, best, bin, half);
    }
    context.lineWidth = 0.8;
    context.globalAlpha = 0.22;
    context.strokeStyle = this.theme.soft;
    context.stroke(edges);
    context.globalAlpha = 1;
    for (const [index, path] of strips) {
      context.fillStyle = this.palette[index].css;
      context.fill(path);
    }
  }

  strip(strips, place, bin, half) {
    const index = this.colouring.index(place.node);
    let path = strips.get(index);
    if (!path) strips.set(index, (path = new Path2D()));
    // On whole pixels: there are thousands, and none has soft edges to draw.
    path.rect(Math.round(this.viewport.x + place.column * this.viewport.column) - half, bin * BIN, 2 * half, BIN);
  }

  /** Edges between the same pixels once: neighbours in order share them. */
  binEdges(edges, places) {
    let last = null;
    for (const place of places) {
      const [x1, y1] = this.viewport.screen(place.parent);
      const [x2, y2] = this.viewport.screen(place);
      const key = Math.round(y1 / BIN) * 65536 + Math.round(y2 / BIN);
      if (key === last) continue;
      last = key;
      edges.moveTo(x1 + (x2 - x1) * TRUNK, y1);
      edges.lineTo(x2, y2);
      if (place.parent.children[0] !== place) continue;
      edges.moveTo(x1, y1);
      edges.lineTo(x1 + (x2 - x1) * TRUNK, y1);
    }
  }

  drawPaths({ selected }) {
    const { store, theme } = this;
    this.path([...store.searchPath], theme.ink, 1.6, [1, 5]);
    if (selected !== null) this.path(store.pathTo(selected), theme.accent, 2);
  }

  /** Stroke the edges along a path of nodes. */
  path(ids, style, width, dash = []) {
    const { context, layout } = this;
    const batch = new Path2D();
    for (const id of ids) {
      const place = layout.places.get(id);
      if (place?.parent) this.edge(batch, place, this.viewport.row >= 7);
    }
    context.setLineDash(dash);
    context.lineWidth = width;
    context.strokeStyle = style;
    context.stroke(batch);
    context.setLineDash([]);
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
