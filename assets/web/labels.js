/**
 * Texts on the tree: the ends of steps where there is room, numbers, what is folded. A text is drawn
 * once with the ground around it and kept as a bitmap, because the same ones come in every frame.
 */

import { colour } from "./colour.js";
import { brief, ending, number } from "./text.js";

const LABEL_HEIGHT = 15;
const VALUE_HEIGHT = 27;
const LINE_HEIGHT = 13;
const DETAILED = 30; // row height from which on numbers stand under a label
const ABOVE = 50; // row height from which on a label may stand over its node
const TWO_LINES = 46; // row height from which on a label may have two lines above its value
const CROWDED = 6; // row height below which only paths and the selected node have labels
const CHARACTER = 7.2; // width of one at 12 pixels
const READABLE = 6; // a text cut shorter than this says nothing
const KEY_FITS = 26; // characters of a label that the few nodes one looks for get in any case
const KEPT = 900; // bitmaps

export class Labels {
  /** @param {object} world as of the painter */
  constructor(context, world) {
    Object.assign(this, { context }, world);
    this.bitmaps = new Map();
    this.cuts = new Map();
  }

  use(theme) {
    this.theme = theme;
    this.bitmaps.clear();
  }

  /** Step texts where there is room, the most telling nodes first; none overlaps another. */
  draw(shown, focus, ratio) {
    this.ratio = ratio;
    if (this.life !== this.store.life) [this.cuts, this.life] = [new Map(), this.store.life];
    const { row } = this.viewport;
    const crowded = row < CROWDED;
    const { bestPath, searchPath } = this.store;
    this.keys = new Set([focus.selected, [...bestPath].pop(), [...searchPath].pop()]);
    const named = ({ id, parent }) => parent !== null && (!crowded || bestPath.has(id) || this.keys.has(id));
    const wanted = shown.filter((item) => named(item.node));
    for (const item of wanted) item.weight = this.weight(item.node, focus);
    const taken = new Map();
    const above = [];
    for (const item of wanted.sort((a, b) => b.weight - a.weight)) this.label(item, taken, above);
  }

  weight(node, { selected }) {
    const { bestPath, searchPath } = this.store;
    return (node.id === selected ? 1e9 : 0) + (this.keys.has(node.id) ? 2e7 : 0) + (bestPath.has(node.id) ? 1e8 : 0) + (searchPath.has(node.id) ? 1e7 : 0) +
      node.visits * 100 + node.value;
  }

  label(item, taken, above) {
    const { node, x, y, r } = item;
    const { row } = this.viewport;
    const detailed = row >= DETAILED;
    const reach = item.reach ?? 0;
    const lines = this.lines(node, this.room(item) - reach);
    if (!lines.length) {
      if (row >= ABOVE) this.labelAbove(item, above);
      else if (this.keys.has(node.id)) this.labelKey(item, taken);
      return;
    }
    const more = (lines.length - 1) * LINE_HEIGHT;
    if (!this.claim(taken, node.depth, y - more / 2, (detailed ? VALUE_HEIGHT : LABEL_HEIGHT) + more)) return;
    const strong = item.weight >= 1e8;
    const inner = !reach && this.store.children.get(node.id)?.length > 0;
    const left = x + r + 6 + reach;
    const plated = inner && !detailed;
    if (plated) this.plate(left, y, lines[0], this.store.bestPath.has(node.id));
    const tone = node.hidden ? "faded" : strong ? "strong" : "plain";
    lines.forEach((text, k) => this.text(text, left, detailed ? y - 9 - more + k * LINE_HEIGHT : y, tone, !plated, node.pruned));
    if (detailed) this.text(`${this.colouring.mode.note(node)}   n ${node.visits}`, left, y + 10, "small");
  }

  /** In a deep tree: over the node, two columns wide, at one of two heights where nothing else is. */
  labelAbove({ node, x, y, r, weight }, above) {
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
    this.text(text, left, at, weight >= 1e8 ? "strong" : "plain");
  }

  /** Beside one of the nodes that one looks for, over whatever is there but other labels. */
  labelKey({ node, x, y, r, reach = 0, weight }, taken) {
    const { viewport } = this;
    const text = ending(node.step, KEY_FITS);
    const width = text.length * CHARACTER;
    const right = x + r + 6 + reach;
    const left = right + width < viewport.width - 4 ? right : x - r - 8 - width;
    if (left < 4) return;
    const depth = (at) => node.depth + Math.round((at - x) / viewport.column);
    const depths = Array.from({ length: depth(left + width) - depth(left) + 1 }, (_, k) => depth(left) + k);
    const at = [y, y - LABEL_HEIGHT - 2, y + LABEL_HEIGHT + 2].find((one) => depths.every((level) => this.free(taken, level, one, LABEL_HEIGHT)));
    if (at === undefined) return;
    for (const level of depths) this.claim(taken, level, at, LABEL_HEIGHT);
    this.plate(left, at, text, false);
    this.text(text, left, at, weight >= 1e8 ? "strong" : "plain", false, node.pruned);
  }

  /** What is folded below a node: a pill to the right of it; where it is. */
  folded({ x, y, r }, { count, best }) {
    const { context, theme, store } = this;
    const room = this.viewport.column - r - 12;
    const known = Number.isFinite(best) ? ` \u00b7 ${number(best)}` : "";
    const words = room >= 84 ? `+${brief(count)}${known}` : room >= 48 ? `+${brief(count)}` : "";
    context.font = `600 10.5px ${theme.sans}`;
    const width = words ? Math.ceil(context.measureText(words).width) + 22 : 17;
    const [left, top, height] = [x + r + 4, y - 8, 16];
    context.beginPath();
    context.roundRect(left, top, width, height, 8);
    context.fillStyle = theme.raised;
    context.fill();
    context.lineWidth = 1;
    context.strokeStyle = theme.faint;
    context.stroke();
    context.beginPath();
    context.moveTo(left + 7, y - 3.2);
    context.lineTo(left + 11, y);
    context.lineTo(left + 7, y + 3.2);
    context.lineWidth = 2.4;
    context.lineCap = "round";
    context.strokeStyle = Number.isFinite(best) ? colour(best, store.range) : theme.soft;
    context.stroke();
    context.textBaseline = "middle";
    context.fillStyle = theme.ink;
    context.fillText(words, left + 15, y + 0.5);
    return { x: left, y: top, width, height };
  }

  /** Ground under a label that lies on its own edges; the best path shows through. */
  plate(x, y, text, best) {
    const { context, theme } = this;
    const width = text.length * CHARACTER + 6;
    context.fillStyle = theme.ground;
    context.fillRect(x - 3, y - 8, width, 16);
    if (!best) return;
    context.beginPath();
    context.roundRect(x - 3, y - 8, width, 16, 4);
    context.fillStyle = theme.best;
    context.fill();
  }

  /** Up to the next column; in the last one, to the edge of the view. */
  room({ place, x, r }) {
    const last = place.goal.column >= this.layout.extent.columns;
    const right = last ? this.viewport.width - 4 : x + this.viewport.column - 8;
    return Math.min(right - x - r - 8, this.viewport.column * 1.4);
  }

  /** Take a height within a column; false where another label has some of it. */
  claim(taken, depth, y, height) {
    if (!this.free(taken, depth, y, height)) return false;
    if (!taken.has(depth)) taken.set(depth, new Set());
    for (const row of covered(y, height)) taken.get(depth).add(row);
    return true;
  }

  free(taken, depth, y, height) {
    const rows = taken.get(depth);
    return !rows || covered(y, height).every((row) => !rows.has(row));
  }

  /** The end of a step in as many lines as there is room for, none if nothing readable fits. */
  lines(node, room) {
    // A monospaced face: its width need not be measured for every label of every frame.
    const fits = Math.max(Math.floor(room / CHARACTER), 1);
    const two = this.viewport.row >= TWO_LINES;
    const key = (node.id * 512 + Math.min(fits, 255)) * 2 + (two ? 1 : 0);
    let found = this.cuts.get(key);
    if (!found) {
      if (this.cuts.size > 20 * KEPT) this.cuts.clear();
      this.cuts.set(key, (found = cut(node.step, Math.min(fits, 255), two)));
    }
    return found;
  }

  /** A text from `x` on, `y` its middle. */
  text(words, x, y, tone, halo = true, struck = false) {
    const bitmap = this.bitmap(words, tone, halo);
    const { context, ratio } = this;
    const left = Math.round((x - 3) * ratio) / ratio;
    const top = Math.round((y - bitmap.height / 2) * ratio) / ratio;
    context.drawImage(bitmap.image, left, top, bitmap.width, bitmap.height);
    if (!struck) return;
    context.fillStyle = this.theme.soft;
    context.fillRect(x, y - 0.5, bitmap.width - 6, 1);
  }

  bitmap(words, tone, halo) {
    const key = `${tone}${halo ? "+" : "-"}${words}`;
    const known = this.bitmaps.get(key);
    if (known?.ratio === this.ratio) return known;
    if (this.bitmaps.size >= KEPT) this.bitmaps.clear();
    const made = this.make(words, tone, halo);
    this.bitmaps.set(key, made);
    return made;
  }

  make(words, tone, halo) {
    const { theme, ratio } = this;
    const font = tone === "small" ? `450 10.5px ${theme.sans}` : `${tone === "strong" ? 600 : 450} 12px ${theme.mono}`;
    const image = document.createElement("canvas");
    const context = image.getContext("2d");
    context.font = font;
    const width = Math.ceil(context.measureText(words).width) + 6;
    const height = 18;
    [image.width, image.height] = [Math.ceil(width * ratio), Math.ceil(height * ratio)];
    context.scale(ratio, ratio);
    context.font = font;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    if (halo) {
      context.lineWidth = 4;
      context.strokeStyle = theme.ground;
      context.strokeText(words, 3, height / 2);
    }
    context.globalAlpha = tone === "faded" ? 0.6 : 1;
    context.fillStyle = tone === "strong" ? theme.ink : theme.soft;
    context.fillText(words, 3, height / 2);
    return { image, width, height, ratio };
  }
}

/** The rows of four pixels that a label covers. */
function covered(y, height) {
  const first = Math.floor((y - height / 2) / 4);
  const last = Math.floor((y + height / 2 - 1) / 4);
  return Array.from({ length: last - first + 1 }, (_, k) => first + k);
}

function cut(step, fits, two) {
  const one = ending(step, fits);
  const shortened = one.startsWith("\u2026");
  if (shortened && two) {
    const both = broken(ending(step, 2 * fits), fits);
    if (both) return both;
  }
  return one.length > fits || (shortened && fits < READABLE) ? [] : [one];
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
