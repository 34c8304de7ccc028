/**
 * How a node looks: its shape says what became of it, badges say what a person or the search did to
 * it. Looks are drawn once each and kept as bitmaps, because a tree has thousands of nodes and few
 * looks. The legend draws with the same hand.
 */

import { mark } from "./store.js";

const KINDS = ["open", "right", "wrong", "finished", "dead", "root"];
const BADGED = 4.6; // least radius at which badges can be told apart
const DOT = 4; // pixels of the screen across, up to which a plain node has neither shape nor outline
const KEPT = 1500; // bitmaps

/** What a node may carry besides its shape, as bits. */
export const FLAGS = {
  faded: 1, struck: 2, overruled: 4, locked: 8, person: 16, rollout: 32, note: 64, tags: 128,
  markRight: 256, markWrong: 512, markUnclear: 1024, regraded: 2048,
};

const MARKED = { right: FLAGS.markRight, wrong: FLAGS.markWrong, unclear: FLAGS.markUnclear };

/** The flags of a node. */
export function flagsOf(node) {
  let flags = 0;
  if (node.hidden) flags |= FLAGS.faded;
  if (node.pruned) flags |= FLAGS.struck | FLAGS.faded;
  if (node.overruled !== null && node.overruled !== undefined) flags |= FLAGS.overruled;
  if (node.locked) flags |= FLAGS.locked;
  if (node.made_by === "person") flags |= FLAGS.person;
  else if (node.made_by === "rollout") flags |= FLAGS.rollout;
  if (node.note) flags |= FLAGS.note;
  if (node.tags?.length) flags |= FLAGS.tags;
  if (node.mark) flags |= MARKED[node.mark] ?? 0;
  if (node.regraded !== null && node.regraded !== undefined) flags |= FLAGS.regraded;
  return flags;
}

/** Whether a person has had a hand in a node: such nodes are seen at every scale. */
export function touched(node) {
  return (flagsOf(node) & ~FLAGS.faded) !== 0;
}

/** Bitmaps of nodes for one theme and one density of pixels. */
export class Marks {
  constructor() {
    this.bitmaps = new Map();
    this.theme = null;
    this.ratio = 1;
    this.colours = [];
  }

  /** Draw with these from now on. `colours`: {css, dark} by index. */
  use(theme, ratio, colours) {
    if (theme === this.theme && ratio === this.ratio && colours === this.colours) return;
    Object.assign(this, { theme, ratio, colours });
    this.bitmaps.clear();
  }

  /** Draw a node of radius `r`, its colour given by index. */
  draw(context, node, x, y, r, index) {
    const kind = node.parent === null ? 5 : KINDS.indexOf(mark(node));
    const size = Math.max(1, Math.round(r * 2));
    const flags = flagsOf(node);
    if (kind === 0 && !flags && size * this.ratio <= DOT && this.colours[index].css !== this.theme.ground) return this.dot(context, x, y, size, this.colours[index]);
    const key = ((index * 64 + Math.min(size, 63)) * 8 + kind) * 8192 + flags;
    let bitmap = this.bitmaps.get(key);
    if (!bitmap) {
      if (this.bitmaps.size >= KEPT) this.bitmaps.clear();
      this.bitmaps.set(key, (bitmap = this.bitmap(KINDS[kind], flags, size / 2, this.colours[index])));
    }
    const { ratio } = this;
    // On whole pixels, or the bitmap would blur.
    const left = Math.round((x - bitmap.half) * ratio) / ratio;
    const top = Math.round((y - bitmap.half) * ratio) / ratio;
    context.drawImage(bitmap.image, left, top, 2 * bitmap.half, 2 * bitmap.half);
    return undefined;
  }

  /** A square as large as the disc: with its soft edges it looks the same, and takes a third of the time. */
  dot(context, x, y, size, { css }) {
    const { ratio } = this;
    const side = (size * Math.sqrt(Math.PI)) / 2;
    context.fillStyle = css;
    context.fillRect(Math.round(x * ratio) / ratio - side / 2, Math.round(y * ratio) / ratio - side / 2, side, side);
  }

  bitmap(kind, flags, r, fill) {
    const half = Math.ceil(r * 1.35 + (flags ? 9 : 3));
    const image = document.createElement("canvas");
    image.width = image.height = Math.ceil(2 * half * this.ratio);
    const context = image.getContext("2d");
    context.scale(this.ratio, this.ratio);
    drawMark(context, { kind, flags, fill }, half, half, r, this.theme);
    return { image, half };
  }
}

/** A node with everything it carries; `look`: {kind, flags, fill: {css, dark}}. */
export function drawMark(context, { kind, flags, fill }, x, y, r, theme) {
  context.lineCap = context.lineJoin = "round";
  if (flags & FLAGS.faded) context.globalAlpha = 0.34;
  if (flags & FLAGS.overruled) {
    shape(context, kind, x, y, r + 3.2);
    stroke(context, theme.person, r < BADGED ? 1.6 : 2.2);
  }
  shape(context, kind, x, y, r);
  context.fillStyle = fill.css;
  context.fill();
  if (flags & FLAGS.rollout) context.setLineDash([2.4, 2.6]);
  if (r > 2.4 || fill.css === theme.ground) stroke(context, outline(kind, flags, theme), kind === "open" && !(flags & (FLAGS.person | FLAGS.rollout)) ? 1 : 1.6);
  context.setLineDash([]);
  if (r >= 6 && (kind === "right" || kind === "wrong")) glyph(context, kind, x, y, r * 0.38, fill.dark ? "#ffffff" : "#10131a", Math.max(1.4, r * 0.2));
  if (r >= BADGED) badges(context, flags, x, y, r, theme);
  else if (flags & ~(FLAGS.faded | FLAGS.struck | FLAGS.overruled)) disc(context, x + r, y - r, 1.9, flags & FLAGS.note ? theme.accent : theme.person);
  context.globalAlpha = 1;
  if (flags & FLAGS.struck) {
    const s = Math.max(r * 1.25, 4);
    context.beginPath();
    context.moveTo(x - s, y + s);
    context.lineTo(x + s, y - s);
    stroke(context, theme.soft, 1.8);
  }
}

function outline(kind, flags, theme) {
  if (flags & FLAGS.person) return theme.person;
  if (flags & FLAGS.rollout) return theme.ink;
  return kind === "right" ? theme.right : kind === "wrong" ? theme.wrong : theme.outline;
}

/** What a person put on a node, each at its own corner. */
function badges(context, flags, x, y, r, theme) {
  const far = r * 0.72 + 2.6;
  if (flags & FLAGS.note) disc(context, x + far, y - far, 2.8, theme.accent);
  if (flags & FLAGS.tags) flag(context, x - far, y - far, theme.accent);
  if (flags & FLAGS.locked) lock(context, x - far, y + far - 1, theme);
  else if (flags & FLAGS.person) person(context, x - far, y + far - 1, theme);
  const judged = flags & FLAGS.markRight ? "right" : flags & FLAGS.markWrong ? "wrong" : flags & FLAGS.markUnclear ? "unclear" : flags & FLAGS.regraded ? "regraded" : null;
  if (!judged) return;
  const [cx, cy] = [x + far, y + far];
  disc(context, cx, cy, 4.4, judged === "right" ? theme.right : judged === "wrong" ? theme.wrong : theme.person);
  if (judged === "right" || judged === "wrong") glyph(context, judged, cx, cy, 2, theme.ground, 1.3);
  else sign(context, judged === "unclear" ? "?" : "!", cx, cy, theme);
}

function disc(context, x, y, r, style) {
  context.beginPath();
  context.arc(x, y, r, 0, 7);
  context.fillStyle = style;
  context.fill();
}

function sign(context, text, x, y, theme) {
  context.font = `700 8px ${theme.sans}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = theme.ground;
  context.fillText(text, x, y + 0.5);
  context.textAlign = "left";
}

function flag(context, x, y, style) {
  context.beginPath();
  context.moveTo(x - 2, y + 4);
  context.lineTo(x - 2, y - 4);
  context.lineTo(x + 4, y - 2);
  context.lineTo(x - 2, y);
  context.fillStyle = style;
  context.fill();
  stroke(context, style, 1.1);
}

function lock(context, x, y, theme) {
  context.beginPath();
  context.arc(x, y - 1.6, 2, Math.PI, 0);
  stroke(context, theme.person, 1.3);
  context.beginPath();
  context.roundRect(x - 3.4, y - 1.6, 6.8, 5.2, 1);
  context.fillStyle = theme.person;
  context.fill();
}

function person(context, x, y, theme) {
  disc(context, x, y - 2.2, 1.9, theme.person);
  context.beginPath();
  context.arc(x, y + 3.4, 3.5, Math.PI, 0);
  context.fillStyle = theme.person;
  context.fill();
}

function glyph(context, kind, x, y, s, style, width) {
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
  stroke(context, style, width);
}

function stroke(context, style, width) {
  context.lineWidth = width;
  context.strokeStyle = style;
  context.stroke();
}

/** The outline of a node. */
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
