/** The look of each method: the same colour and mark in every chart, table and list. */

import { el } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";

// Colour 1 to 8, mark, and how its line is drawn. Methods of one kind share a colour.
const STYLES = {
  cot: [8, "circle", "solid"], majority: [2, "square", "solid"],
  best_of_n: [3, "diamond", "solid"], best_of_n_last: [3, "triangle-up", "dot"], best_of_n_product: [3, "triangle-down", "dot"], best_of_n_mean: [3, "pentagon", "dot"],
  vote: [6, "hexagon", "solid"], vote_last: [6, "cross", "dot"],
  beam: [4, "triangle-up", "solid"], lookahead: [4, "triangle-down", "dot"], dvts: [4, "pentagon", "dot"], rebase: [7, "cross", "solid"],
  tot_bfs: [5, "x", "solid"], tot_dfs: [5, "square", "dot"], puct: [1, "diamond", "dot"], mcts_star: [1, "star", "solid"],
  uct_oracle: [8, "star", "dash"], rstar_math: [1, "hexagon", "dash"],
};

const MARKS = {
  circle: "M8 3a5 5 0 1 0 .01 0z", square: "M3.5 3.5h9v9h-9z", diamond: "M8 2l6 6l-6 6l-6-6z",
  "triangle-up": "M8 2.5l6 10.5H2z", "triangle-down": "M8 13.5L2 3h12z", pentagon: "M8 2l6 4.4l-2.3 7H4.3L2 6.4z", hexagon: "M8 2l5.2 3v6L8 14l-5.2-3V5z",
  cross: "M6 2.5h4V6h3.5v4H10v3.5H6V10H2.5V6H6z", x: "M4.5 2L8 5.5L11.5 2L14 4.5L10.5 8L14 11.5L11.5 14L8 10.5L4.5 14L2 11.5L5.5 8L2 4.5z",
  star: "M8 1.2l2 4.7l5.1.4l-3.9 3.3l1.2 5L8 11.9l-4.4 2.7l1.2-5L.9 6.3L6 5.9z",
};

/** @returns {{colour: string, mark: string, dash: string}} */
export function styleOf(method) {
  // Other parameters of a method, as in beam:branch=8, look like it, but for the line.
  const [known, ...changes] = String(method).split(":");
  const [number, mark, own] = STYLES[known] ?? [8, "circle", "dot"];
  const dash = changes.length ? "longdash" : own;
  return { colour: `--lab-series-${number}`, mark, dash };
}

/** A method's mark in its colour. */
export function markOf(method) {
  const { colour, mark } = styleOf(method);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "lab-series-mark");
  svg.setAttribute("aria-hidden", "true");
  svg.style.setProperty("color", `var(${colour})`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", MARKS[mark]);
  svg.append(path);
  return svg;
}

/** What stands for a verdict: a sign and its name, so that colour is not all. */
export const KINDS = {
  right: ["\u2713", "right"], wrong: ["\u00d7", "wrong"], none: ["\u2013", "no answer"], failed: ["!", "ended by an error, counts as wrong"],
};

/** A row of buttons of which one is pressed. */
export function choice(label, options, present, choose) {
  return el("div", { class: "lab-one-of", role: "group", "aria-label": label }, el("small", { text: label }),
    ...options.map(([value, text]) => el("button", { type: "button", class: "lab-pill", "aria-pressed": String(value === present), data: { value }, text, on: { click: () => choose(value) } })));
}
