/** What an export would write or has written, in words; and the way of its file to the browser. */

import { el } from "./dom.js";
import { block, count, line } from "./text.js";

const ADDRESS = "/lab-exports/";

/** Give the browser the file of an export, if there is one. */
export function download(answer) {
  if (!answer.address?.startsWith(ADDRESS)) return;
  const link = el("a", { href: answer.address, download: "" });
  document.body.append(link);
  link.click();
  link.remove();
}

/** What became of an export. */
export function outcome(answer) {
  if (answer.error) return [el("p", { class: "lab-message is-error", role: "alert", text: block(answer.error, 800) })];
  const parts = answer.name ? [
    el("p", { class: "lab-export-done" }, el("b", { text: answer.counts ? rows(answer.counts.rows) : trees(answer.sessions) }), el("span", { text: `${bytes(answer.size)} in` }),
      el("a", { class: "lab-export-link", href: answer.address, download: "", text: line(answer.folder ? `${answer.name} (as zip)` : answer.name, 120) })),
    el("p", { class: "lab-export-path", text: line(answer.path, 400) }),
  ] : [el("p", { class: "lab-message is-hint", text: "There is nothing to write." })];
  return answer.counts ? [...parts, ...told(answer.counts, answer.sessions)] : parts;
}

/** What an export would write. */
export function outlook(answer) {
  if (!answer.counts) return [el("p", {}, el("b", { text: trees(answer.sessions) }))];
  return [el("p", {}, el("b", { text: rows(answer.counts.rows) }),
    el("span", { class: "lab-muted", text: `  from ${count(answer.counts.sessions)} of ${count(answer.sessions)} session${answer.sessions === 1 ? "" : "s"}` })),
  ...told(answer.counts, answer.sessions)];
}

function rows(number) {
  return number === 1 ? "1 row" : `${count(number)} rows`;
}

function trees(number) {
  return number === 1 ? "1 tree" : `${count(number)} trees`;
}

/** What is counted besides rows: by a person, repeated, contradicting, left out and why. */
function told(counts, sessions) {
  const lines = [
    counts.touched ? [counts.touched, "decided by a person's verdict"] : null,
    counts.duplicates ? [counts.duplicates, counts.duplicates === 1 ? "duplicate removed" : "duplicates removed"] : null,
    counts.contradictions ? [counts.contradictions, "tell something else than an earlier row of the same text; both are kept"] : null,
    ...Object.entries(counts.rejected).map(([reason, number]) => [number, `left out: ${line(reason, 200)}`]),
  ].filter(Boolean);
  const skipped = counts.skipped_count && sessions > 1 ? el("details", { class: "lab-export-skipped" },
    el("summary", { text: counts.skipped_count === 1 ? "1 session gave no row" : `${count(counts.skipped_count)} sessions gave no row` }),
    el("ul", {}, ...counts.skipped.map((one) => el("li", {}, el("b", { text: line(one.session, 20) }), el("span", { text: line(one.reason, 300) }))))) : null;
  const only = counts.skipped_count && sessions === 1 ? el("p", { text: line(counts.skipped[0].reason, 300) }) : null;
  return [
    lines.length ? el("ul", { class: "lab-export-counts" }, ...lines.map(([number, text]) => el("li", {}, el("b", { text: count(number) }), el("span", { text })))) : null,
    only, skipped,
  ].filter(Boolean);
}

function bytes(size) {
  if (size < 1000) return `${count(size)} B`;
  return size < 1e6 ? `${(size / 1e3).toFixed(1)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}
