/**
 * The steps of the last roll-out, which are not nodes: where they would stand and how they look.
 * They take no room in the layout, so that no node moves past another when they come and go, and
 * stand where it leaves some.
 */

import { colour } from "./colour.js";
import { radius } from "./paint.js";

const GAP = 15; // pixels between a step and the nodes above and below it, at least
const [TOP, BOTTOM] = [70, 50]; // pixels that the tools over the tree take
const UNDER = 28; // pixels below the last child, whose label stays to be read
const FAR = 80; // pixels that steps may stand away from where they belong, at most

/**
 * @param {object} world as of the painter
 * @returns {{node: number, from: {x: number, y: number}, steps: object[]} | null} null if there is
 *   no roll-out, or its node is not shown, or its steps have become nodes
 */
export function ghosts({ store, layout, viewport, folds }) {
  const rollout = store.tree?.rollout;
  const place = rollout && layout.places.get(rollout.node);
  if (!place || !rollout.steps.length || folds.folded.has(rollout.node) || kept(store, rollout)) return null;
  const [x, y] = viewport.screen(place);
  const start = radius(place.node, store, viewport);
  const down = room(place, rollout.steps.length, layout, viewport) - y;
  const r = Math.max(3.2, Math.min(start, viewport.row * 0.3, 8));
  const steps = rollout.steps.map((step, k) => ({
    ...step, x: x + (k + 1) * viewport.column, y: y + down, r,
    fill: step.value === null ? null : colour(step.value, store.range),
  }));
  return { node: rollout.node, from: { x, y }, steps };
}

/**
 * The height nearest to a node at which the columns right of it are empty: over nodes nobody could
 * tell which is which. In a crowded tree there may be none: then below its children.
 */
function room(place, steps, layout, viewport) {
  const gap = Math.max(GAP, viewport.row * 0.6);
  const row = (y) => (y - viewport.y) / viewport.row;
  const columns = layout.levels.slice(place.depth + 1, place.depth + 1 + steps);
  const near = (y) => (one) => Math.abs(viewport.y + one.goal.row * viewport.row - y) < gap;
  const free = (y) => y > TOP && y < viewport.height - BOTTOM && columns.every((level) => !layout.between(level, row(y - gap), row(y + gap)).some(near(y)));
  const last = place.children[place.children.length - 1];
  const wanted = last ? viewport.screen(last)[1] + Math.max(UNDER, viewport.row * 0.8) : viewport.screen(place)[1];
  for (let off = 0; off <= FAR; off += GAP / 3) {
    const found = [wanted + off, wanted - off].find(free);
    if (found !== undefined) return found;
  }
  return wanted;
}

/**
 * Whether the tree has all these steps below a node, each below the one before it.
 *
 * @param {Store} store
 * @param {{node: number, steps: {text: string}[]}} rollout
 */
export function kept(store, { node, steps }) {
  let here = node;
  for (const step of steps) {
    here = store.childrenOf(here).find((id) => store.nodes.get(id).step === step.text);
    if (here === undefined) return false;
  }
  return true;
}
