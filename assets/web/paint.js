/**
 * Draws a tree on a canvas: edges, paths, nodes, labels. Reads the store, the layout's places and
 * the viewport; keeps nothing but the theme's colours.
 */

import { colour, inkOn } from "./colour.js";
import { mark } from "./store.js";
import { ending, number } from "./text.js";

const LABEL_HEIGHT = 15;
const VALUE_HEIGHT = 27;
const LINE_HEIGHT = 13;
const ABOVE = 50; // row height from which on a label may stand over its node
const TWO_LINES = 46; // row height from which on a label may have two lines above its value
const MARGIN = 40;
const CHARACTER = 7.2; // width of one at 12 pixels
const READABLE = 6; // a text cut shorter than this says nothing
// Edges run straight to here, as a share of the column, and only then part: labels sit on that run.
const TRUNK = 0.55;

/** The theme's colours and fonts, read from the style sheet. */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name).trim();
  return {
    ground: read("--lab-ground"),
    ink: read("--lab-ink"),
    soft: read("--lab-ink-2"),
    faint: read("--lab-edge"),
    outline: read("--lab-outline"),
    best: read("--lab-best"),
    accent: read("--lab-accent"),
    right: read("--lab-right"),
    wrong: read("--lab-wrong"),
    mono: read("--lab-mono"),
    sans: read("--lab-sans"),
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
  /** @param {CanvasRenderingContext2D} context */
  constructor(context, store, layout, viewport) {
    Object.assign(this, { context, store, layout, viewport });
    this.theme = null;
  }

  /** The whole picture. `focus`: {selected, hovered, labels, focused}. */
  draw(focus, ratio) {
    const { context, viewport } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, viewport.width, viewport.height);
    context.lineCap = "round";
    context.lineJoin = "round";
    this.drawEdges(focus);
    const shown = this.shownNodes();
    if (focus.labels) this.drawLabels(shown, focus);
    for (const item of shown) this.drawNode(item);
    this.drawFocus(focus);
  }

  /** Nodes within the view with their place on the screen, small ones first. */
  shownNodes() {
    const { width, height } = this.viewport;
    const shown = [];
    for (const [id, place] of this.layout.places) {
      const [x, y] = this.viewport.screen(place);
      if (x < -MARGIN || y < -MARGIN || x > width + MARGIN || y > height + MARGIN) continue;
      const node = this.store.nodes.get(id);
      shown.push({ node, x, y, r: radius(node, this.store, this.viewport) });
    }
    return shown.sort((a, b) => a.r - b.r || a.node.id - b.node.id);
  }

  drawEdges(focus) {
    const { store, theme } = this;
    this.stroke(this.band(store.bestPath), theme.best, 8);
    const crowded = this.viewport.row < 8;
    const thin = [];
    const thick = [];
    for (const node of store.nodes.values()) {
      if (node.parent === null) continue;
      (node.visits > 1 ? thick : thin).push(node.id);
    }
    this.stroke(thin, theme.faint, crowded ? 0.7 : 1.1);
    this.stroke(thick, theme.faint, crowded ? 1.2 : 2);
    this.stroke(this.band(store.searchPath), theme.ink, 1.6, [1, 5]);
    if (focus.selected !== null) {
      this.stroke(this.band(store.pathTo(focus.selected)), theme.accent, 2);
    }
  }

  band(path) {
    return [...path].filter((id) => id !== 0);
  }

  /** Stroke the edges that lead to these nodes, in one go. */
  stroke(ids, style, width, dash = []) {
    const { context, layout, viewport, store } = this;
    context.beginPath();
    for (const id of ids) {
      const place = layout.places.get(id);
      const above = layout.places.get(store.nodes.get(id)?.parent);
      if (!place || !above) continue;
      const [x1, y1] = viewport.screen(above);
      const [x2, y2] = viewport.screen(place);
      if (Math.max(y1, y2) < 0 || Math.min(y1, y2) > viewport.height) continue;
      const part = x1 + (x2 - x1) * TRUNK;
      const bend = (part + x2) / 2;
      context.moveTo(x1, y1);
      context.lineTo(part, y1);
      context.bezierCurveTo(bend, y1, bend, y2, x2, y2);
    }
    context.setLineDash(dash);
    context.lineWidth = width;
    context.strokeStyle = style;
    context.stroke();
    context.setLineDash([]);
  }

  drawNode({ node, x, y, r }) {
    const { context, theme, store } = this;
    const kind = mark(node);
    shape(context, node.parent === null ? "root" : kind, x, y, r);
    context.fillStyle = node.visits || node.prm !== null ? colour(node.value, store.range) : theme.ground;
    context.fill();
    if (r > 2.4) {
      context.lineWidth = kind === "open" ? 1 : 1.4;
      context.strokeStyle = kind === "right" ? theme.right : kind === "wrong" ? theme.wrong : theme.outline;
      context.stroke();
    }
    if (r >= 6 && (kind === "right" || kind === "wrong")) this.drawGlyph(kind, node, x, y, r);
    if (node.note) {
      context.beginPath();
      context.arc(x + r * 0.9, y - r * 0.9, 2.6, 0, 7);
      context.fillStyle = theme.accent;
      context.fill();
    }
  }

  drawGlyph(kind, node, x, y, r) {
    const { context, store } = this;
    const s = r * 0.38;
    context.beginPath();
    if (kind === "right") {
      context.moveTo(x - s, y + s * 0.1);
      context.lineTo(x - s * 0.25, y + s * 0.8);
      context.lineTo(x + s, y - s * 0.8);
    } else {
      context.moveTo(x - s * 0.8, y - s * 0.8);
      context.lineTo(x + s * 0.8, y + s * 0.8);
      context.moveTo(x + s * 0.8, y - s * 0.8);
      context.lineTo(x - s * 0.8, y + s * 0.8);
    }
    context.lineWidth = Math.max(1.4, r * 0.2);
    context.strokeStyle = inkOn(node.value, store.range);
    context.stroke();
  }

  drawFocus({ selected, hovered, focused }) {
    for (const [id, style, gap] of [
      [hovered, this.theme.soft, 3],
      [selected, this.theme.accent, 4],
    ]) {
      const place = this.layout.places.get(id);
      if (!place) continue;
      const [x, y] = this.viewport.screen(place);
      const r = radius(this.store.nodes.get(id), this.store, this.viewport);
      this.context.beginPath();
      this.context.arc(x, y, r + gap, 0, 7);
      this.context.lineWidth = id === selected && focused ? 2.6 : 1.6;
      this.context.strokeStyle = style;
      this.context.stroke();
    }
  }

  /** Step texts where there is room, the most telling nodes first; none overlaps another. */
  drawLabels(shown, focus) {
    const { context, theme, store } = this;
    const detailed = this.viewport.row >= 30;
    const taken = new Map();
    const above = [];
    const weight = (node) =>
      (node.id === focus.selected || node.id === focus.hovered ? 1e9 : 0) +
      (store.bestPath.has(node.id) ? 1e8 : 0) + (store.searchPath.has(node.id) ? 1e7 : 0) +
      node.visits * 100 + node.value;
    const crowded = this.viewport.row < 6;
    for (const item of [...shown].sort((a, b) => weight(b.node) - weight(a.node))) {
      const { node, x, y, r } = item;
      if (node.parent === null || (crowded && weight(node) < 1e9)) continue;
      const lines = this.lines(node.step, this.labelRoom(node, x, r));
      const more = (lines.length - 1) * LINE_HEIGHT;
      if (!lines.length) {
        if (this.viewport.row >= ABOVE) this.labelAbove(item, above, focus);
        continue;
      }
      if (!this.claim(taken, node.depth, y - more / 2, (detailed ? VALUE_HEIGHT : LABEL_HEIGHT) + more)) continue;
      const best = store.bestPath.has(node.id);
      const strong = this.strong(node, focus);
      const inner = store.children.get(node.id)?.length > 0;
      const left = x + r + 6;
      context.textBaseline = "middle";
      context.font = `${strong ? 600 : 450} 12px ${theme.mono}`;
      const plated = inner && !detailed;
      if (plated) this.plate(left, y, lines[0], best);
      lines.forEach((text, k) => this.text(text, left, detailed ? y - 9 - more + k * LINE_HEIGHT : y, strong ? theme.ink : theme.soft, !plated));
      if (!detailed) continue;
      context.font = `450 10.5px ${theme.sans}`;
      this.text(`${number(node.value)}   n ${node.visits}`, left, y + 10, theme.soft);
    }
  }

  strong(node, focus) {
    return this.store.bestPath.has(node.id) || node.id === focus.selected;
  }

  /** In a deep tree: over the node, two columns wide, at one of two heights where nothing else is. */
  labelAbove({ node, x, y, r }, above, focus) {
    const fits = Math.floor((2 * this.viewport.column - 10) / CHARACTER);
    const text = ending(node.step, fits);
    if (fits < READABLE || text.length > fits) return;
    const width = text.length * CHARACTER;
    const left = Math.max(4, Math.min(x - width / 2, this.viewport.width - width - 4));
    const free = (at) => above.every((other) =>
      Math.abs(other.at - at) >= LINE_HEIGHT || other.left > left + width + CHARACTER || other.left + other.width + CHARACTER < left);
    const first = node.depth % 2;
    const at = [first, 1 - first].map((tier) => y - r - 10 - tier * LINE_HEIGHT).find(free);
    if (at === undefined) return;
    above.push({ at, left, width });
    const strong = this.strong(node, focus);
    this.context.textBaseline = "middle";
    this.context.font = `${strong ? 600 : 450} 12px ${this.theme.mono}`;
    this.text(text, left, at, strong ? this.theme.ink : this.theme.soft);
  }

  /** Ground under a label that lies on its own edges; the best path shows through. */
  plate(x, y, text, best) {
    const { context, theme } = this;
    context.beginPath();
    context.roundRect(x - 3, y - 8, text.length * CHARACTER + 6, 16, 4);
    context.fillStyle = theme.ground;
    context.fill();
    if (!best) return;
    context.fillStyle = theme.best;
    context.fill();
  }

  /** Up to the next column; in the last one, to the edge of the view. */
  labelRoom(node, x, r) {
    const last = this.layout.places.get(node.id).goal.column >= this.layout.extent.columns;
    const right = last ? this.viewport.width - 4 : x + this.viewport.column - 8;
    return Math.min(right - x - r - 8, this.viewport.column * 1.4);
  }

  claim(taken, depth, y, height) {
    if (!taken.has(depth)) taken.set(depth, new Set());
    const rows = taken.get(depth);
    const first = Math.floor((y - height / 2) / 4);
    const last = Math.floor((y + height / 2 - 1) / 4);
    for (let row = first; row <= last; row++) if (rows.has(row)) return false;
    for (let row = first; row <= last; row++) rows.add(row);
    return true;
  }

  /** The end of a step in as many lines as there is room for, none if nothing readable fits. */
  lines(step, room) {
    // A monospaced face: its width need not be measured for every label of every frame.
    const fits = Math.max(Math.floor(room / CHARACTER), 1);
    const one = ending(step, fits);
    const cut = one.startsWith("\u2026");
    if (cut && this.viewport.row >= TWO_LINES) {
      const two = broken(ending(step, 2 * fits), fits);
      if (two) return two;
    }
    return one.length > fits || (cut && fits < READABLE) ? [] : [one];
  }

  text(text, x, y, style, halo = true) {
    const { context, theme } = this;
    context.lineWidth = 4;
    context.strokeStyle = theme.ground;
    if (halo) context.strokeText(text, x, y);
    context.fillStyle = style;
    context.fillText(text, x, y);
  }
}

/** A text in two lines, the last as full as its words allow; null if they do not fit. */
function broken(text, fits) {
  const at = text.indexOf(" ", text.length - fits - 1);
  if (at < 0 || fits < READABLE) return null;
  const [first, last] = [text.slice(0, at), text.slice(at + 1)];
  if (first === "\u2026") return null;
  if (first.length <= fits) return [first, last];
  const rest = first.includes(" ") ? ending(first, fits) : "";
  return rest && rest.length <= fits ? [rest, last] : null;
}

/** The outline of a node mark; also used by the legend. */
export function shape(context, kind, x, y, r) {
  context.beginPath();
  if (kind === "root") {
    context.roundRect(x - r, y - r, 2 * r, 2 * r, r * 0.45);
  } else if (kind === "right") {
    polygon(context, x, y, 10, (k) => (k % 2 ? r * 0.78 : r * 1.3));
  } else if (kind === "wrong") {
    polygon(context, x, y, 4, () => r * 1.2);
  } else if (kind === "finished") {
    context.rect(x - r * 0.88, y - r * 0.88, r * 1.76, r * 1.76);
  } else if (kind === "dead") {
    context.moveTo(x - r * 0.75, y - r);
    context.lineTo(x + r * 0.95, y);
    context.lineTo(x - r * 0.75, y + r);
    context.closePath();
  } else {
    context.arc(x, y, r, 0, 7);
  }
}

function polygon(context, x, y, corners, length) {
  for (let k = 0; k < corners; k++) {
    const angle = (Math.PI * 2 * k) / corners - Math.PI / 2;
    const [px, py] = [x + Math.cos(angle) * length(k), y + Math.sin(angle) * length(k)];
    if (k) context.lineTo(px, py);
    else context.moveTo(px, py);
  }
  context.closePath();
}
