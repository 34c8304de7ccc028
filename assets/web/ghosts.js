/**
 * The steps of the last roll-out, which are not nodes: where they would stand and how they look.
 * They take no room in the layout, so that the tree does not jump when they come and go.
 */

import { colour } from "./colour.js";
import { radius } from "./paint.js";

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
  // Below the children, if there are any: over them nobody could tell which is which.
  const last = place.children[place.children.length - 1];
  const down = last ? viewport.screen(last)[1] - y + Math.max(14, viewport.row * 0.6) : 0;
  const r = Math.max(3.2, Math.min(start, viewport.row * 0.3, 8));
  const steps = rollout.steps.map((step, k) => ({
    ...step, x: x + (k + 1) * viewport.column, y: y + down, r,
    fill: step.value === null ? null : colour(step.value, store.range),
  }));
  return { node: rollout.node, from: { x, y }, steps };
}

function kept(store, { node, steps }) {
  return (store.children.get(node) ?? []).some((id) => {
    const child = store.nodes.get(id);
    return child.made_by === "rollout" && child.step === steps[0].text;
  });
}
