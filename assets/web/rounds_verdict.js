/** Did it help? What a finished round came to, in a sentence, figures, and examples to open. */

import { el } from "./dom.js";
import { Message, actButton, call } from "./rounds_acts.js";
import { flow, intervals, roleOf, significance, tendency } from "./rounds_words.js";
import { block, count, line, number, percent } from "./text.js";

export class Verdict {
  /**
   * @param {{adapters: Function, adapter_use: Function}} server
   * @param {{open: (session: string) => void, go: (place: string) => void}} does
   */
  constructor(server, does) {
    Object.assign(this, { server, does });
    this.message = new Message();
    this.adapters = el("div", { class: "lab-made" });
    this.element = el("div", { class: "lab-round-verdict", hidden: true });
    this.clear();
  }

  clear() {
    this.print = "";
    this.element.replaceChildren();
  }

  draw(round) {
    const print = JSON.stringify([round.id, round.verdict]);
    if (print === this.print) return;
    this.print = print;
    const { verdict } = round;
    this.element.replaceChildren(...[
      headline(verdict),
      ...verdict.warnings.map((text) => el("p", { class: "lab-message is-hint lab-warning", text: block(text, 800) })),
      el("div", { class: "lab-cards" }, ...[
        verdict.greedy ? compared("Answers without search", `${count(verdict.greedy.n)} held-out problems, temperature 0`, verdict.greedy) : null,
        verdict.guided ? compared("Searches with the PRM", `MCTS* with the old policy at equal tokens${verdict.guided_tokens ? ` (${count(verdict.guided_tokens)} a problem)` : ""}`, verdict.guided, ["old PRM", "new PRM"]) : null,
        verdict.calibration ? calibration(verdict.calibration) : null,
        learnt(verdict),
        card("Adapters", "what this round made", this.adapters, this.message.element),
      ].filter(Boolean)),
      this.examples("Fixed", "wrong before, right now", verdict.changed.filter((one) => one.fixed), verdict.greedy?.fixed),
      this.examples("Broken", "right before, wrong now", verdict.changed.filter((one) => !one.fixed), verdict.greedy?.broken),
      this.suspects(verdict.suspects),
    ].filter(Boolean));
    this.drawAdapters(verdict);
  }

  async drawAdapters(verdict) {
    const made = Object.entries(verdict.adapters).filter(([, adapter]) => adapter);
    const answer = await call(this.server.adapters, {});
    if (answer.error) this.message.say(answer.error);
    const rows = new Map((answer.adapters ?? []).map((row) => [row.id, row]));
    const lineage = el("button", { type: "button", class: "lab-round-link", text: "See the lineage", on: { click: () => this.does.go("lineage") } });
    const none = el("p", { class: "lab-muted", text: "None: no model was trained." });
    this.adapters.replaceChildren(...(made.length ? [...made.map(([role, adapter]) => this.adapter(role, adapter, rows.get(adapter), verdict)), lineage] : [none]));
  }

  adapter(role, id, row, verdict) {
    const use = actButton("Use", "\u2026", async () => {
      const answer = await call(this.server.adapter_use, { adapter: id });
      this.message.say(answer.error ?? "");
      await this.drawAdapters(verdict);
    });
    const before = row?.parent ?? null;
    const back = actButton("Roll back", "\u2026", async () => {
      const answer = await call(this.server.adapter_use, { adapter: before ?? "base", role });
      this.message.say(answer.error ?? "");
      await this.drawAdapters(verdict);
    });
    back.title = before ? `New searches use adapter ${before} again, which this one was trained on from` : "New searches use the bare model again, which this one was trained on from";
    const state = !row ? "deleted" : row.active ? "in use for new searches" : "not in use";
    return el("p", { class: "lab-made-row", data: { role } }, el("span", {}, el("b", { text: roleOf(role) }), el("code", { text: id }), el("small", { text: state })), row ? (row.active ? back : use) : null);
  }

  examples(title, words, rows, all) {
    if (!rows.length) return null;
    const open = (session, answer, name, kind) => el("td", { data: { head: name } }, session
      ? el("button", { type: "button", class: `lab-answer is-${kind}`, title: `Open the search of ${name}`, text: answer === null ? "no answer" : line(answer, 40), on: { click: () => this.does.open(session) } })
      : el("span", { text: answer === null ? "no answer" : line(answer, 40) }));
    const [was, is] = title === "Fixed" ? ["wrong", "right"] : ["right", "wrong"];
    return el("section", { class: "lab-changed", data: { kind: title.toLowerCase() } },
      el("h3", {}, el("span", { text: title }), el("small", { text: `${words}${all > rows.length ? `; ${count(rows.length)} of ${count(all)}` : ""}` })),
      el("table", {}, el("thead", {}, el("tr", {}, ...["problem", "before", "after", "right answer"].map((text) => el("th", { text })))),
        el("tbody", {}, ...rows.map((row) => el("tr", {}, el("td", { class: "lab-changed-name", text: line(row.problem, 120), title: line(row.problem, 300) }),
          open(row.session_before, row.before, "before", was), open(row.session_after, row.after, "after", is), el("td", { data: { head: "right" }, text: row.gold === null ? "\u2013" : line(row.gold, 40) }))))));
  }

  suspects({ count: all, rows }) {
    if (!all) return null;
    return el("section", { class: "lab-changed", data: { kind: "suspects" } },
      el("h3", {}, el("span", { text: "Right answers to be doubted" }), el("small", { text: `most solutions agree on another one, and the PRM values it highly${all > rows.length ? `; ${count(rows.length)} of ${count(all)}` : ""}` })),
      el("table", {}, el("thead", {}, el("tr", {}, ...["search", "the dataset says", "most solutions say", "share", "value"].map((text) => el("th", { text })))),
        el("tbody", {}, ...rows.map((row) => el("tr", {},
          el("td", {}, el("button", { type: "button", class: "lab-answer", text: line(row.session, 40), on: { click: () => this.does.open(row.session) } })),
          el("td", { data: { head: "dataset" }, text: line(row.oracle, 60) }), el("td", { data: { head: "found" }, text: line(row.found, 60) }), el("td", { data: { head: "share" }, text: percent(row.share) }), el("td", { data: { head: "value" }, text: number(row.value) }))))));
  }
}

/** The sentence that says it all; of searches where the policy did not learn. */
function headline(verdict) {
  const told = verdict.greedy ?? verdict.guided;
  if (!told) return el("div", { class: "lab-headline is-open" }, el("p", { class: "lab-sentence", text: "Nothing was compared: no new model came of this round." }));
  return el("div", { class: `lab-headline is-${tendency(told)}` },
    el("p", { class: "lab-sentence", text: told.sentence }),
    el("p", { class: "lab-muted", text: verdict.greedy ? "Share of held-out problems that the new policy answers right without search, against the old policy." : "Share of held-out problems found right by searches with the new PRM, against the old PRM." }));
}

function card(title, words, ...content) {
  return el("section", { class: "lab-card" }, el("h3", {}, el("span", { text: title }), el("small", { text: words })), ...content);
}

function compared(title, words, found, names) {
  const told = el("p", { class: "lab-card-sentence" }, el("span", { text: found.sentence.split(":")[0] }), significance(found));
  return card(title, words, intervals(found, names), flow(found), told);
}

function calibration(found) {
  const row = (name, words, before, after, less) => {
    const better = before === null || after === null || before === after ? "" : (after < before) === less ? " is-right" : " is-wrong";
    return el("tr", {}, el("th", {}, el("span", { text: name }), el("small", { text: words })), el("td", { text: number(before, 3) }), el("td", { class: `lab-after${better}`, text: number(after, 3) }));
  };
  const { before, after } = found;
  return card("Values of the PRM", `${count(found.solutions)} finished solutions, valued by both`,
    el("table", { class: "lab-quality" }, el("thead", {}, el("tr", {}, ...["", "before", "after"].map((text) => el("th", { text })))),
      el("tbody", {}, row("Brier score", "less is better", before.brier, after.brier, true),
        row("AUC", `right above wrong, ${count(found.problems)} problems`, before.auc, after.auc, false),
        el("tr", {}, el("th", {}, el("span", { text: "Spread" }), el("small", { text: "standard deviation" })), el("td", { text: number(before.spread, 3) }), el("td", { text: number(after.spread, 3) })))));
}

/** What was learnt from: the pool's cost, and how honest the solutions are. */
function learnt(verdict) {
  const { steps, pool_tokens: tokens, pool_searches: searches } = verdict;
  const facts = [];
  if (steps?.checked) {
    facts.push(el("p", { class: "lab-fact" }, el("b", { text: percent(steps.right / steps.checked) }), el("span", { text: "of the traces that the policy learnt from have no wrong step" }),
      el("small", { text: `${count(steps.right)} of ${count(steps.checked)} that could be checked; ${count(steps.solutions)} in all` })));
  } else if (steps) {
    facts.push(el("p", { class: "lab-fact" }, el("b", { text: count(steps.solutions) }), el("span", { text: "traces learnt from; their steps cannot be checked by this task" })));
  }
  if (tokens) {
    facts.push(el("p", { class: "lab-fact" }, el("b", { text: count(tokens) }), el("span", { text: "tokens sampled in the pool" }),
      searches ? el("small", { text: `${count(tokens / searches)} a problem, ${count(searches)} problems` }) : null));
  }
  return facts.length ? card("Learnt from", "the searched pool", ...facts) : null;
}
