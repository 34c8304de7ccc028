/** What an act would do to a search, as elements: values that move, the next selection, the answer. */

import { colour } from "./colour.js";
import { el } from "./dom.js";
import { count, line, number } from "./text.js";

const SHOWN = 4;

/**
 * @param {{values: object[], path_before: number[], path_after: number[], answer_before: string | null, answer_after: string | null, same_answer: boolean}} found
 * @param {{id: number, visits: number}} node that is acted upon
 * @param {{range: object, select: (id: number) => void}} store
 */
export function consequences(found, node, store) {
  return [above(found, node, store), selection(found), answer(found)];
}

function above(found, node, store) {
  const moved = found.values.filter((one) => one.node !== node.id).sort((a, b) => b.node - a.node);
  if (!moved.length) {
    const why = node.visits ? "V of the nodes above stays" : "V of the nodes above stays: no backup has passed here yet";
    return row("Backup", el("span", { text: why }));
  }
  const shown = moved.slice(0, SHOWN).map((one) => el("button", { type: "button", class: "lab-moved", title: `Node ${one.node}`, on: { click: () => store.select(one.node) } },
    el("span", { text: one.node ? `node ${one.node}` : "root" }),
    swatch(one.before, store), el("span", { text: number(one.before, 3) }), el("span", { text: "\u2192" }), swatch(one.after, store), el("b", { text: number(one.after, 3) })));
  const rest = moved.length - shown.length;
  return row("Backup", ...shown, rest > 0 ? el("span", { class: "lab-muted", text: `and ${count(rest)} more` }) : null);
}

function selection({ path_before: before, path_after: after }) {
  if (!before.length && !after.length) return row("Next selection", el("span", { text: "stays as it is: V does not decide it in this search, or nothing is left to select" }));
  const same = String(before) === String(after);
  return row("Next selection", ...(same
    ? [el("span", { text: `stays ${path(after)}` })]
    : [el("span", { class: "lab-muted", text: path(before) }), el("span", { text: "\u2192" }), el("b", { text: path(after) })]));
}

function answer({ answer_before: before, answer_after: after, same_answer: same }) {
  if (same) return row("Winning answer", el("span", { text: after === null ? "still none" : `stays ${line(after, 40)}` }));
  return row("Winning answer", el("span", { class: "lab-muted", text: before === null ? "none" : line(before, 40) }), el("span", { text: "\u2192" }), el("b", { text: after === null ? "none" : line(after, 40) }));
}

function path(ids) {
  if (!ids.length) return "nothing";
  const shown = ids.length > 7 ? [ids[0], "\u2026", ...ids.slice(-4)] : ids;
  return shown.join(" \u203a ");
}

function row(name, ...content) {
  return el("div", { class: "lab-would-row" }, el("span", { class: "lab-would-name", text: name }), el("span", { class: "lab-would-what" }, ...content));
}

function swatch(value, store) {
  return el("i", { class: "lab-swatch", style: { background: colour(value, store.range) } });
}
