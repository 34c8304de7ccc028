/** The reward of one node in words and numbers: value, formula with numbers in, leaves, reasons. */

import { colour } from "./colour.js";
import { el } from "./dom.js";
import { mark } from "./store.js";
import { block, count, line, number } from "./text.js";

const UNIT = { low: 0, high: 1 };
const SHOWN_LEAVES = 12;
const HELP = {
  value: "Training target from 0 to 1: how far a good solution has got, or the estimate",
  m: "m: steps still missing to a correct answer",
  r: "r: step error, 0 right or 1 wrong",
  w: "w: weighted reward, what this step adds to the value of the one before",
  parent: "The value of the step before, which the formula starts from",
};

/** A value with its colour; one that changes with the value before. */
export function valueOf(value, before = undefined, decimals = 3) {
  if (value === null || value === undefined) return el("span", { class: "lab-reward-value is-none", text: "none" });
  return el("span", { class: "lab-reward-value" },
    el("i", { class: "lab-swatch", style: { background: colour(value, UNIT) } }),
    before === undefined ? null : el("s", { text: before === null ? "none" : number(before, decimals) }),
    before === undefined ? null : el("span", { class: "lab-reward-arrow", text: "\u2192" }),
    el("b", { text: number(value, decimals) }));
}

/**
 * @param {object} answer of `reward`
 * @param {Store} store
 * @param {{select: (node: number) => void, flip?: (node: number) => void}} does
 * @returns {HTMLElement[]}
 */
export function why(answer, store, does) {
  const { row } = answer;
  const unused = answer.unused ? el("p", { class: "lab-message is-hint", text: block(answer.unused, 600) }) : null;
  if (!row) return [el("p", { class: "lab-empty", text: block(answer.reason, 600) }), unused].filter(Boolean);
  return [
    figures(row, answer),
    row.formula ? el("p", { class: "lab-formula lab-reward-formula", title: row.formula }, el("span", { text: row.worked })) : null,
    el("p", { class: "lab-reward-sentence" }, ...linked(row.sentence, does)),
    row.same_as === null ? null : el("p", { class: "lab-reward-sentence" }, el("span", { text: "The same steps stand at " }), nodeLink(row.same_as, does), el("span", { text: ", with the same numbers." })),
    leaves(row, store, does),
    unused,
  ].filter(Boolean);
}

function figures(row, answer) {
  const before = answer.changed ? answer.before?.value ?? null : undefined;
  const small = (name, value, help) => (value === null ? null : el("span", { title: help }, el("small", { text: name }), el("span", { text: value })));
  return el("div", { class: "lab-reward-figures" },
    el("span", { title: HELP.value }, valueOf(row.value, before)),
    small("m", row.m === null ? null : count(row.m), HELP.m),
    small("r", row.r === null ? null : count(row.r), HELP.r),
    small("w", row.w === null ? null : number(row.w, 3), HELP.w),
    small("before it", row.parent_value === null ? null : number(row.parent_value, 3), HELP.parent),
    row.touched ? el("span", { class: "lab-chip is-best", text: "by a person", title: "A person's verdict enters these numbers" }) : null);
}

/** A sentence of the engine: the nodes that it names can be pressed. */
function linked(sentence, does) {
  return sentence.split(/(\bnode \d+)/).filter(Boolean).map((part) => {
    const named = /^node (\d+)$/.exec(part);
    return named ? nodeLink(Number(named[1]), does) : el("span", { text: part });
  });
}

function nodeLink(node, does) {
  return el("button", { type: "button", class: "lab-link", text: `node ${node}`, on: { click: () => does.select(node) } });
}

function leaves(row, store, does) {
  if (!row.leaves.length) return null;
  const all = row.right + row.wrong;
  const shown = row.leaves.slice(0, SHOWN_LEAVES);
  return el("div", { class: "lab-reward-leaves" },
    el("p", { class: "lab-reward-leaves-head" }, el("span", { text: all === 1 ? "From 1 finished solution" : `From ${count(all)} finished solutions` }),
      el("span", { class: "lab-muted", text: `${count(row.right)} right, ${count(row.wrong)} wrong` })),
    el("ul", {}, ...shown.map((leaf) => leafLine(leaf, row, store, does))),
    all > shown.length ? el("p", { class: "lab-muted", text: `and ${count(all - shown.length)} more` }) : null);
}

function leafLine(leaf, row, store, does) {
  const node = store.nodes.get(leaf.node);
  const answered = node && node.answer !== null && node.answer !== undefined;
  const spoilt = row.false_positives?.includes?.(leaf.node);
  return el("li", {},
    el("button", { type: "button", class: "lab-leaf", title: `Select node ${leaf.node}${spoilt ? ": its answer is correct, but a step is marked wrong" : ""}`, on: { click: () => does.select(leaf.node) } },
      el("span", { class: "lab-leaf-node", text: String(leaf.node) }),
      el("span", { class: "lab-leaf-answer", text: answered ? line(node.answer, 60) : node && mark(node) === "dead" ? "dead end" : "no answer" }),
      el("span", { class: `lab-chip is-${leaf.counts}`, text: spoilt ? "false positive" : leaf.counts })),
    does.flip && answered ? el("button", { type: "button", class: "lab-flip", text: "flip", title: leaf.counts === "right" ? "Suppose that this answer is wrong" : "Suppose that this answer is right",
      "aria-label": `Flip the verdict on node ${leaf.node}`, on: { click: () => does.flip(leaf.node) } }) : null);
}
