/** What was done to a search, in words. */

import { count, line, number } from "./text.js";

const LENGTH = 90;

/** @param {{doing: string, from: number, to: number, node: number | null, value: number | null, text: string}} row */
export function doing(row) {
  const of = row.node === null ? "the session" : row.node === 0 ? "the root" : `node ${row.node}`;
  const text = line(row.text, LENGTH);
  switch (row.doing) {
    case "created": return "search begun";
    case "iteration": return row.from === row.to ? `iteration ${count(row.from)}` : `iterations ${count(row.from)}\u2013${count(row.to)}`;
    case "concluded": return "answer chosen";
    case "overruled": return ["locked", "unlocked"].includes(text) ? `V of ${of} ${text} at ${number(row.value)}` : `V of ${of} set to ${number(row.value)}${text ? `, ${text}` : ""}`;
    case "restored": return `V of ${of} taken back`;
    case "pruned": return `${of} pruned`;
    case "brought_back": return `${of} restored`;
    case "wrote": return `step written below ${of}`;
    case "asked": return `more children of ${of}${row.value === null ? "" : ` at temperature ${number(row.value)}`}`;
    case "rolled_out": return `rolled out from ${of}`;
    case "kept": return `roll-out of ${of} kept`;
    case "marked": return text ? `${of} marked ${text}` : `mark of ${of} taken back`;
    case "graded": return `answer of ${of}: ${text || "as the oracle says"}`;
    case "noted": return text ? `note on ${of}` : `note on ${of} removed`;
    case "tagged": return text ? `tags of ${of}` : `tags of ${of} removed`;
    case "parameters": return "parameters changed";
    case "models": return "models chosen";
    default: return line(row.doing, 40);
  }
}

/** What stands below: a step, a note, what changed. */
export function more(row) {
  return ["wrote", "noted", "tagged", "parameters", "models"].includes(row.doing) ? line(row.text, 2 * LENGTH) : "";
}

/** Whether a person did it. */
export function byPerson(row) {
  return !["created", "iteration", "concluded"].includes(row.doing);
}
