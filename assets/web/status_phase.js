/** The phase of an iteration in words, with its numbers. */

import { count, number } from "./text.js";

const PHASES = { selected, expanded, evaluated, "rolled out": rolledOut, "backed up": backedUp };

/**
 * @param {object} tree facts
 * @param {Store} store
 * @returns {{name: string, node: number, what: string, numbers: string} | null} null between phases
 */
export function phase(tree, store) {
  const at = (tree.path ?? []).at(-1);
  const node = store.nodes.get(at);
  const said = PHASES[tree.phase];
  return said && node ? { name: tree.phase, ...said(tree, store, node) } : null;
}

function named(node) {
  return node.id ? `node ${node.id}` : "the root";
}

function fresh(tree, store, node) {
  return store.childrenOf(node.id).map((id) => store.nodes.get(id)).filter((child) => child.iteration === tree.iteration);
}

function selected(tree, store, node) {
  const pick = [...(tree.picks ?? [])].pop();
  const own = pick?.scores.find((score) => score.node === pick.chosen);
  const numbers = own ? `V ${number(own.value)} + ${number(own.exploration)} exploration` : "it has no siblings";
  return { node: node.id, what: named(node), numbers };
}

function expanded(tree, store, node) {
  const children = fresh(tree, store, node).length;
  const open = node.verdict !== "end";
  if (!children) return { node: node.id, what: "no new step", numbers: open ? `what was proposed below ${named(node)} is there already, or could not be used` : `no step follows ${named(node)}` };
  return { node: node.id, what: `${count(children)} new ${children === 1 ? "step" : "steps"}`, numbers: `below ${named(node)}` };
}

function evaluated(tree, store, node) {
  const children = fresh(tree, store, node);
  const valued = children.filter((child) => child.prm !== null);
  const best = valued.reduce((one, other) => (one && one.value >= other.value ? one : other), null);
  return { node: best?.id ?? node.id, what: `${count(valued.length)} of ${count(children.length)} children valued`, numbers: best ? `best node ${best.id}: V ${number(best.value)}` : "" };
}

function rolledOut(tree, store, node) {
  const { rollout } = tree;
  if (!rollout) return { node: node.id, what: named(node), numbers: "" };
  const moved = `V ${number(rollout.value_before)} \u2192 ${number(rollout.value_after)}`;
  return { node: rollout.node, what: `node ${rollout.node}, ${count(rollout.steps.length)} ${rollout.steps.length === 1 ? "step" : "steps"}`, numbers: `best ${number(rollout.best)}: ${moved}` };
}

function backedUp(tree, store, node) {
  const root = store.nodes.get(0);
  const before = store.moves?.get(0)?.before.value;
  const moved = before === undefined ? number(root.value, 3) : `${number(before, 3)} \u2192 ${number(root.value, 3)}`;
  return { node: node.id, what: `${count(tree.path.length)} ${tree.path.length === 1 ? "node" : "nodes"} from ${named(node)} up`, numbers: `root V ${moved}` };
}
