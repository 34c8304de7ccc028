/** Beside a node that is hovered: its step and its numbers. At the end of a roll-out: keeping it. */

import { el } from "./dom.js";
import { write } from "./math.js";
import { MARKS, mark } from "./store.js";
import { line, number } from "./text.js";

const MOVED = 6; // pixels
const APART = 6; // pixels between where the button may stand
const NODE = 9; // pixels about the middle of a node that the button leaves

export class TreeTip {
  /**
   * @param {TreeView} view
   * @param {{keep_rollout?: Function}} server
   */
  constructor(view, server) {
    Object.assign(this, { view, server });
    this.element = el("div", { class: "lab-tip", role: "tooltip", hidden: true });
    this.at = null; // where on the screen what is explained was
    this.keep = el("button", {
      type: "button", class: "lab-keep", hidden: true, text: "Keep as nodes",
      title: "Make nodes of the steps of this roll-out", on: { click: () => this.keepRollout() },
    });
  }

  /** Explain a node; null: nothing. */
  show(id) {
    const node = this.view.store.nodes.get(id);
    this.element.hidden = !node;
    if (!node) return;
    const place = this.view.layout.places.get(node.id);
    const words = node.parent === null ? "the question" : line(node.step, 320);
    const facts = [
      `V ${number(node.value, 3)}`, `n ${node.visits}`, node.prm === null ? "" : `PRM ${number(node.prm, 3)}`,
      (node.logprob ?? null) === null ? "" : `log p ${number(node.logprob, 1)}`, `node ${node.id}`, ...kinds(node),
    ];
    this.fill(words, facts, this.view.viewport.screen(place));
  }

  /** Explain a step of a roll-out. */
  showGhost(step) {
    this.element.hidden = false;
    const facts = [step.value === null ? "" : `value ${number(step.value, 3)}`, "step of a roll-out, not a node"];
    this.fill(line(step.text, 320), facts, [step.x, step.y]);
  }

  /** Whether what is explained has moved away, or is no longer shown, without the pointer. */
  get left() {
    if (this.element.hidden) return false;
    const { view } = this;
    const place = view.layout.places.get(view.hovered);
    const ghosts = view.overlay.rolled?.steps ?? [];
    const now = view.hovered === null ? ghosts.map((step) => [step.x, step.y]) : place ? [view.viewport.screen(place)] : [];
    return !now.some(([x, y]) => Math.hypot(x - this.at[0], y - this.at[1]) < MOVED);
  }

  fill(words, facts, [x, y]) {
    this.at = [x, y];
    this.element.replaceChildren(
      write(el("div", { class: "lab-tip-step" }), words),
      el("div", { class: "lab-tip-facts" }, ...facts.filter(Boolean).map((fact) => el("span", { text: fact }))),
    );
    const { viewport } = this.view;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const left = Math.max(8, Math.min(x + 14, viewport.width - width - 8));
    const below = y + 22 + height < viewport.height;
    Object.assign(this.element.style, { left: `${left}px`, top: `${below ? y + 18 : y - 18 - height}px` });
  }

  /** Put the button where the roll-out ends: beside it, or under or over it if something is there. */
  place() {
    const { rolled } = this.view.overlay;
    const last = rolled?.steps[rolled.steps.length - 1];
    const { width, height } = this.view.viewport;
    const seen = last && this.server.keep_rollout && last.x > 0 && last.y > 40 && last.y < height - 20 && last.x < width;
    if (this.keep.hidden === Boolean(seen)) this.keep.hidden = !seen; // asked with every frame
    if (!seen) return;
    const { offsetWidth: wide, offsetHeight: high } = this.keep;
    const middle = last.y - high / 2;
    const tops = [0, 1, -1, 2, -2].map((rows) => middle + rows * (high + APART));
    const places = [last.x + last.r + 10, last.x - wide / 2, last.x - wide].flatMap((left) => tops.map((top) => ({ left: Math.max(8, Math.min(left, width - wide - 8)), top, wide, high })));
    const { left, top } = places.find((box) => box.top > 40 && box.top + high < height - 40 && this.free(box)) ?? places[0];
    Object.assign(this.keep.style, { left: `${left}px`, top: `${top}px` });
  }

  /** Whether a box over the tree covers no node, no step of the roll-out and no number. */
  free({ left, top, wide, high }) {
    const { view } = this;
    const covers = (x, y, r) => x > left - r && x < left + wide + r && y > top - r && y < top + high + r;
    const { rolled, pills } = view.overlay;
    if (rolled.steps.some((step) => covers(step.x, step.y, step.r + 4))) return false;
    if (pills.some((pill) => pill.left < left + wide && pill.left + pill.width > left && pill.top < top + high && pill.top + 16 > top)) return false;
    for (let x = left; x <= left + wide; x += high) {
      const place = view.layout.places.get(view.nearest(x, top + high / 2, high));
      if (place && covers(...view.viewport.screen(place), NODE)) return false;
    }
    return true;
  }

  async keepRollout() {
    const { store, overlay } = this.view;
    this.keep.disabled = true;
    const answer = await this.server.keep_rollout({ session: store.session, node: overlay.rolled.node }).catch(() => ({ error: "The lab does not answer." }));
    this.keep.disabled = false;
    this.keep.textContent = answer?.error ? line(answer.error, 120) : "Keep as nodes";
  }
}

/** What is to be said of a node besides its numbers. */
export function kinds(node) {
  const said = [MARKS[mark(node)]];
  if (node.overruled !== null && node.overruled !== undefined) said.push(`overruled${node.locked ? ", locked" : ""}`);
  if (node.pruned) said.push("pruned");
  else if (node.hidden) said.push("below a pruned node");
  if (node.made_by === "person") said.push("written by a person");
  if (node.made_by === "rollout") said.push("kept from a roll-out");
  if (node.mark) said.push(`marked ${node.mark}`);
  if (node.regraded !== null && node.regraded !== undefined) said.push("answer judged by a person");
  if (node.note) said.push("noted");
  if (node.tags?.length) said.push(`tags: ${node.tags.map((tag) => line(tag, 24)).join(", ")}`);
  return said;
}
