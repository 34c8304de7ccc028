/**
 * Trees in small: a picture of each session's tree, drawn from a few numbers that the server sends
 * once. Only pictures that are looked at are asked for, many at a time.
 */

import { table, STEPS } from "./colour.js";
import { el } from "./dom.js";

const WAIT = 60; // milliseconds in which pictures that come into view are asked for together
const MOST = 48; // pictures of one question
const PAD = 5;

export class Miniatures {
  /** @param {{miniatures: Function}} server */
  constructor(server) {
    this.server = server;
    this.known = new Map(); // session and nodes -> tree
    this.waiting = new Map(); // session -> canvas
    this.seen = new IntersectionObserver((entries) => entries.forEach((one) => one.isIntersecting && this.ask(one.target)), { rootMargin: "200px" });
    document.addEventListener("lab-theme", () => document.querySelectorAll("canvas.lab-miniature").forEach((one) => this.paint(one)));
  }

  /** A picture of a session's tree; drawn when it comes into view. */
  picture(session, size = { width: 92, height: 52 }) {
    const canvas = el("canvas", { class: "lab-miniature", "aria-hidden": "true", data: { key: `${session.id} ${session.nodes} ${session.iterations}`, session: session.id } });
    Object.assign(canvas.style, { width: `${size.width}px`, height: `${size.height}px` });
    canvas.size = size;
    if (this.known.has(canvas.dataset.key)) this.paint(canvas);
    else this.seen.observe(canvas);
    return canvas;
  }

  ask(canvas) {
    this.seen.unobserve(canvas);
    this.waiting.set(canvas.dataset.session, canvas);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), WAIT);
  }

  async fetch() {
    const asked = [...this.waiting].slice(0, MOST);
    for (const [session] of asked) this.waiting.delete(session);
    if (this.waiting.size) this.timer = setTimeout(() => this.fetch(), 0);
    const answer = await this.server.miniatures({ sessions: asked.map(([session]) => session) }).catch(() => null);
    for (const [session, canvas] of asked) {
      if (answer?.trees) this.known.set(canvas.dataset.key, answer.trees[session] ?? null);
      this.paint(canvas);
    }
  }

  paint(canvas) {
    const tree = this.known.get(canvas.dataset.key);
    if (tree) draw(canvas, tree, canvas.size);
  }
}

/** Columns are depths, rows are leaves: the same way round as the tree itself. */
function draw(canvas, { depths, values, kinds, best }, { width, height }) {
  const scale = devicePixelRatio || 1;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const ink = getComputedStyle(document.body);
  const [edge, bestInk, wrong] = ["--lab-edge", "--lab-best", "--lab-wrong"].map((name) => ink.getPropertyValue(name));
  const { parents, rows, leaves } = arranged(depths);
  const deepest = Math.max(1, ...depths);
  const x = (k) => PAD + (depths[k] / deepest) * (width - 2 * PAD);
  const y = (k) => (leaves < 2 ? height / 2 : PAD + (rows[k] / (leaves - 1)) * (height - 2 * PAD));
  const onBest = new Set(best);
  const link = (k) => {
    const [from, to] = [parents[k], k];
    context.moveTo(x(from), y(from));
    const middle = (x(from) + x(to)) / 2;
    context.bezierCurveTo(middle, y(from), middle, y(to), x(to), y(to));
  };
  const strokes = [[edge, 0.8, () => true], [bestInk, 3, (k) => onBest.has(k)]];
  for (const [style, thick, which] of strokes) {
    context.strokeStyle = style;
    context.lineWidth = thick;
    context.beginPath();
    for (let k = 1; k < depths.length; k++) if (which(k)) link(k);
    context.stroke();
  }
  const colours = table("viridis");
  const radius = depths.length > 120 ? 1.2 : depths.length > 40 ? 1.7 : 2.2;
  for (let k = 0; k < depths.length; k++) {
    context.fillStyle = colours[Math.round((values[k] / 100) * STEPS)].css;
    context.beginPath();
    const own = kinds[k] === "r" ? radius + 1 : radius;
    context.arc(x(k), y(k), own, 0, 2 * Math.PI);
    context.fill();
    if (kinds[k] !== "w") continue;
    context.strokeStyle = wrong;
    context.lineWidth = 1;
    context.stroke();
  }
}

/** Where nodes in depth-first order are: leaves one below the other, parents amid their children. */
function arranged(depths) {
  const [parents, rows, path] = [[], [], []];
  const spans = depths.map(() => null);
  let leaves = 0;
  depths.forEach((depth, k) => {
    path[depth] = k;
    parents[k] = depth ? path[depth - 1] : null;
  });
  for (let k = 0; k < depths.length; k++) if (!(depths[k + 1] > depths[k])) spans[k] = [leaves, leaves++];
  for (let k = depths.length - 1; k >= 0; k--) {
    rows[k] = (spans[k][0] + spans[k][1]) / 2;
    const parent = parents[k];
    if (parent === null) continue;
    spans[parent] = spans[parent] ? [Math.min(spans[parent][0], rows[k]), Math.max(spans[parent][1], rows[k])] : [rows[k], rows[k]];
  }
  return { parents, rows, leaves };
}
