/**
 * What lies over the tree and changes without it: what is hovered, selected and found, and the
 * present phase of the search with its numbers.
 */

import { ghosts } from "./ghosts.js";
import { mark } from "./store.js";
import { radius } from "./paint.js";
import { number } from "./text.js";

const PULSE = 1100; // milliseconds
const MOST_FOUND = 1500; // rings; more tell nothing

export class Overlay {
  /**
   * @param {CanvasRenderingContext2D} context
   * @param {object} world as of the painter, with `found` (a Find) as well
   */
  constructor(context, world) {
    Object.assign(this, { context, world }, world);
    this.theme = null;
    this.regions = [];
    this.phase = null;
    this.since = 0;
  }

  /** `focus`: {selected, hovered, focused, ghosts}. True while something of it moves. */
  draw(focus, ratio, now) {
    const { context, viewport } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, viewport.width, viewport.height);
    context.lineCap = context.lineJoin = "round";
    this.regions = [];
    this.pills = [];
    this.drawFound();
    this.rolled = focus.ghosts ? ghosts(this.world) : null;
    if (this.rolled) this.drawGhosts(this.rolled);
    const moving = this.drawPhase(now);
    this.drawFocus(focus);
    return moving;
  }

  at(id) {
    const place = this.layout.places.get(id);
    if (!place) return null;
    const [x, y] = this.viewport.screen(place);
    if (x < -60 || y < -60 || x > this.viewport.width + 60 || y > this.viewport.height + 60) return null;
    return { x, y, r: radius(place.node, this.store, this.viewport), node: place.node };
  }

  ring(x, y, r, style, width) {
    this.context.beginPath();
    this.context.arc(x, y, r, 0, 7);
    this.context.lineWidth = width;
    this.context.strokeStyle = style;
    this.context.stroke();
  }

  drawFocus({ selected, hovered, focused }) {
    for (const [id, style, gap] of [[hovered, this.theme.soft, 3], [selected, this.theme.accent, 4]]) {
      const at = this.at(id);
      if (!at) continue;
      this.ring(at.x, at.y, at.r + gap, style, id === selected && focused ? 2.8 : 1.7);
    }
    for (const id of new Set([hovered, selected])) this.drawChevron(id);
  }

  /** A handle before a node that has something below: press it to fold that. */
  drawChevron(id) {
    const at = this.at(id);
    if (!at || !this.store.children.get(id)?.length || this.folds.folded.has(id)) return;
    const [x, y] = [at.x - at.r - 13, at.y];
    const { context, theme } = this;
    context.beginPath();
    context.arc(x, y, 6.5, 0, 7);
    context.fillStyle = theme.raised;
    context.fill();
    context.lineWidth = 1;
    context.strokeStyle = theme.soft;
    context.stroke();
    context.beginPath();
    context.moveTo(x - 3, y);
    context.lineTo(x + 3, y);
    context.lineWidth = 1.6;
    context.stroke();
    this.regions.push({ id, x: x - 9, y: y - 9, width: 18, height: 18 });
  }

  drawFound() {
    const { found } = this;
    if (!found.matches.length) return;
    const current = found.current;
    for (const id of found.matches.slice(0, MOST_FOUND)) {
      const at = this.at(id);
      if (at) this.ring(at.x, at.y, at.r + 2.5, this.theme.found, id === current ? 3.4 : 1.8);
    }
  }

  drawGhosts({ node, steps, from }) {
    const { context, theme } = this;
    let [x, y] = [from.x + (this.at(node)?.r ?? 0) + 5, from.y];
    for (const step of steps) {
      context.beginPath();
      context.moveTo(x, y);
      context.bezierCurveTo((x + step.x) / 2, y, (x + step.x) / 2, step.y, step.x, step.y);
      // Ground around them: where they lie over rows of the tree, both can be read.
      context.strokeStyle = theme.ground;
      context.lineWidth = 6;
      context.stroke();
      context.strokeStyle = theme.soft;
      context.lineWidth = 1.4;
      context.setLineDash([4, 4]);
      context.stroke();
      context.beginPath();
      context.arc(step.x, step.y, step.r + 3, 0, 7);
      context.fillStyle = theme.ground;
      context.fill();
      context.beginPath();
      context.arc(step.x, step.y, step.r, 0, 7);
      context.globalAlpha = 0.45;
      context.fillStyle = step.fill ?? theme.ground;
      context.fill();
      context.globalAlpha = 1;
      context.setLineDash([2.4, 2.6]);
      context.stroke();
      context.setLineDash([]);
      [x, y] = [step.x + step.r + 5, step.y];
      if (step.value !== null) this.pill(step.x, step.y, step.r, number(step.value), "quiet");
    }
  }

  /** A small plate with a number over a point, or under it; none where both are taken. */
  pill(x, y, r, words, tone = "plain") {
    const { context, theme } = this;
    context.font = `600 10.5px ${theme.sans}`;
    const width = Math.ceil(context.measureText(words).width) + 12;
    const left = Math.max(3, Math.min(x - width / 2, this.viewport.width - width - 3));
    const top = [y - r - 22, y + r + 6].find((at) => this.pills.every((other) =>
      at > other.top + 18 || at + 18 < other.top || left > other.left + other.width + 2 || left + width + 2 < other.left));
    if (top === undefined) return;
    this.pills.push({ left, top, width });
    context.beginPath();
    context.roundRect(left, top, width, 16, 8);
    context.fillStyle = tone === "strong" ? theme.ink : theme.raised;
    context.fill();
    context.lineWidth = 1;
    context.strokeStyle = tone === "strong" ? theme.ink : theme.faint;
    context.stroke();
    context.textBaseline = "middle";
    context.fillStyle = tone === "strong" ? theme.ground : tone === "quiet" ? theme.soft : theme.ink;
    context.fillText(words, left + 6, top + 8.5);
  }

  /** What the last phase did, with its numbers, while the search stands still and nobody has acted on it since. */
  drawPhase(now) {
    const { tree, run } = this.store;
    if (!tree || tree.acted || run.status === "running") return false;
    const print = `${this.store.life} ${tree.iteration} ${tree.phase}`;
    if (print !== this.phase) [this.phase, this.since] = [print, now];
    const share = Math.min(1, (now - this.since) / PULSE);
    const show = {
      selected: () => this.showSelected(tree),
      expanded: () => this.showNew(tree, () => "new"),
      evaluated: () => this.showNew(tree, (node) => `V ${number(node.value)}`),
      "rolled out": () => this.showMoves([tree.rollout?.node]),
      "backed up": () => this.showMoves([...this.store.searchPath]),
    }[tree.phase];
    if (!show) return false;
    const marked = show() ?? [];
    if (share === 1 || matchMedia("(prefers-reduced-motion: reduce)").matches) return false;
    this.context.globalAlpha = 1 - share;
    for (const id of marked) {
      const at = this.at(id);
      if (at) this.ring(at.x, at.y, at.r + 3 + 16 * share, this.theme.accent, 2.4);
    }
    this.context.globalAlpha = 1;
    return marked.length > 0;
  }

  /** The path that was chosen: at each step the winner's score, and those it won against. */
  showSelected(tree) {
    for (const pick of tree.picks ?? []) {
      const won = pick.scores.find((score) => score.node === pick.chosen);
      const at = this.at(pick.chosen);
      if (won && at) this.pill(at.x, at.y, at.r, `${number(won.value)} + ${number(won.exploration)} = ${number(won.total)}`, "strong");
    }
    for (const pick of tree.picks ?? []) {
      for (const score of pick.scores.slice(0, 12)) {
        const at = score.node === pick.chosen ? null : this.at(score.node);
        if (at && this.viewport.row > 14) this.pill(at.x, at.y, at.r, number(score.total), "quiet");
      }
    }
    const last = [...this.store.searchPath].pop();
    const at = this.at(last);
    if (at) this.ring(at.x, at.y, at.r + 4, this.theme.ink, 2.2);
    return [last];
  }

  /** The children that this iteration made. */
  showNew(tree, say) {
    const above = [...this.store.searchPath].pop();
    const made = (this.store.children.get(above) ?? []).filter((id) => this.store.nodes.get(id).iteration === tree.iteration);
    for (const id of made) {
      const at = this.at(id);
      if (!at) continue;
      this.context.setLineDash([3, 3]);
      this.ring(at.x, at.y, at.r + 4, this.theme.accent, 1.8);
      this.context.setLineDash([]);
      if (mark(at.node) !== "dead") this.pill(at.x, at.y, at.r, say(at.node));
    }
    return made;
  }

  /** V before and after, of nodes whose V has moved. */
  showMoves(ids) {
    const moved = ids.filter((id) => {
      const move = this.store.moves.get(id);
      return move && Math.abs(move.after.value - move.before.value) >= 5e-4;
    });
    for (const id of moved.reverse()) {
      const at = this.at(id);
      const { before, after } = this.store.moves.get(id);
      const arrow = after.value > before.value ? "\u2191" : "\u2193";
      if (at) this.pill(at.x, at.y, at.r, `${number(before.value)} \u2192 ${number(after.value)} ${arrow}`, "plain");
    }
    return moved;
  }
}
