/** What the page's longer explanations say: costs, settings, notices. */

import { el } from "./dom.js";
import { table } from "./tip.js";
import { block, count, duration, line } from "./text.js";

const TOKENS = [
  ["generated", "policy_generated", null],
  ["unique", "policy_unique", "prm_unique"],
  ["forwarded", "policy_forwarded", "prm_forwarded"],
  ["cached", "policy_cached", "prm_cached"],
  ["padded", "policy_padded", "prm_padded"],
];
const WORDS = [
  ["generated", "written by the policy"],
  ["unique", "every token of the tree once: what the search needs"],
  ["forwarded", "went through the model"],
  ["cached", "read again from kept rows instead of being forwarded"],
  ["padded", "places of batches that held nothing"],
];

/** Gives every explanation its words. */
export function explain(tips, { store, batches, server, header, statusLine }) {
  tips.provide("cost", () => (store.tree ? cost(store.tree) : null));
  statusLine.element.addEventListener("drawn", () => tips.refresh("cost"));
  tips.provide("notices", () => el("div", {}, ...header.notices.map((text) => el("p", { text: block(text, 1200) }))));
  tips.provide("session", async (anchor) => {
    const found = await server.settings({ session: anchor.dataset.session }).catch(() => null);
    if (!found) return null;
    return found.error ? el("p", { text: line(found.error, 300) }) : settings(found, found.gold);
  });
  tips.provide("batch", (anchor) => {
    const batch = batches.find(anchor.dataset.batch);
    if (!batch) return null;
    const { sampling = {}, ...params } = batch.setting.params ?? {};
    const more = settings({ ...batch.setting, params, sampling });
    more.prepend(el("p", { text: line(batch.dataset, 300) }));
    return more;
  });
}

function cost(tree) {
  const [all, last] = [tree.cost ?? {}, tree.last_cost];
  const figures = (of, key) => (key && of ? count(of[key] ?? 0) : "");
  const rows = TOKENS.map(([name, policy, prm]) => [
    name, figures(all, policy), figures(all, prm), ...(last ? [figures(last, policy), figures(last, prm)] : []),
  ]);
  rows.push(["time", duration(all.seconds), "", ...(last ? [duration(last.seconds), ""] : [])]);
  const head = ["tokens", "policy", "PRM", ...(last ? ["policy", "PRM"] : [])];
  const body = table(head, rows);
  const over = (text) => el("th", { text, colspan: "2" });
  body.prepend(el("tr", { class: "is-over" }, el("th", {}), over("all iterations"), last ? over("the last one") : null));
  return el("div", {}, body,
    el("dl", { class: "lab-explanation-words" }, ...WORDS.flatMap(([name, text]) => [el("dt", { text: name }), el("dd", { text })])),
    el("p", { class: "lab-muted", text: "Generated and unique count what the search needed, also where a stored reply spared the work; the rest and the time are what was really done." }));
}

function settings({ algorithm, seed, params, sampling }, gold = null) {
  const named = (values) => Object.entries(values).map(([name, value]) => [line(name, 40).replaceAll("_", " "), line(String(value), 40)]);
  return el("div", {},
    table(null, [
      ...(gold === null ? [] : [["oracle answer", line(gold, 60)]]),
      ["algorithm", line(algorithm, 40)], ["seed", line(String(seed), 20)], ...named(params), ...named(sampling),
    ]));
}
