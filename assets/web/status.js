/** What the search is doing, what it chose and why, what answer is winning and what it has cost. */

import { el, icon } from "./dom.js";
import { brief, count, duration, ending, line, number } from "./text.js";

const STATES = {
  idle: "ready", queued: "queued", loading: "loading models", running: "running", pausing: "pausing", failed: "failed",
};
const STOPS = {
  gate: "an answer met the gate",
  exhausted: "nothing left to expand",
  complete: "complete",
  iterations: "iterations done",
  tokens: "tokens spent",
  seconds: "time is up",
};

export class Status {
  constructor(store) {
    this.store = store;
    this.element = el("div", { class: "lab-status", role: "status" });
    this.banner = el("div", { class: "lab-banner", role: "alert", hidden: true });
    store.addEventListener("changed", () => this.draw());
  }

  draw() {
    const { tree, run, connection } = this.store;
    const message = connection || (run.status === "failed" ? run.message : "");
    this.banner.hidden = !message;
    this.banner.textContent = message ? line(message, 600) : "";
    this.element.hidden = !tree;
    if (tree) this.element.replaceChildren(this.progress(tree, run), this.reason(tree), this.cost(tree), this.answer(tree));
  }

  progress(tree, run) {
    const idle = run.status === "idle";
    const over = idle && tree.stop in STOPS;
    const state = over ? "finished" : STATES[run.status] ?? run.status;
    const phase = tree.phase === "concluded" ? "answer chosen" : tree.phase || "";
    const share = !idle && run.target ? Math.min(1, run.done / run.target) : 0;
    const steps = !idle && run.target ? `${run.done} of ${run.target}` : "";
    return el("div", { class: "lab-status-cell is-progress" },
      el("span", { class: `lab-state is-${run.status}`, text: state }),
      el("span", { class: "lab-status-main" }, el("b", { text: `iteration ${count(tree.iteration)}` }),
        el("span", { class: "lab-muted", text: steps || STOPS[tree.stop] || phase })),
      el("i", { class: "lab-progress", style: { width: `${share * 100}%` } }));
  }

  reason(tree) {
    const pick = [...(tree.picks ?? [])].pop();
    const last = this.store.nodes.get(pick?.chosen ?? [...(tree.path ?? [])].pop());
    if (!last || last.parent === null) {
      return el("div", { class: "lab-status-cell is-reason" }, el("small", { text: "last selected" }),
        el("span", { class: "lab-muted", text: last ? "the question itself" : "nothing yet" }));
    }
    const own = pick?.scores.find((score) => score.node === pick.chosen);
    const next = pick?.scores.filter((score) => score.node !== pick.chosen).sort((a, b) => b.total - a.total)[0];
    const why = own ? `V ${number(own.value, 3)} + ${number(own.exploration, 3)} = ${number(own.total, 3)}` : `V ${number(last.value)}, n ${last.visits}`;
    const rival = next ? ` > ${number(next.total, 3)}` : "";
    return el("button", {
      class: "lab-status-cell is-reason", type: "button", on: { click: () => this.store.select(last.id) },
      title: "The node that the last iteration selected, with its selection score then, V + exploration, against the best sibling",
    },
      el("small", { text: "last selected" }),
      el("span", { class: "lab-status-main" }, el("code", { text: ending(last.step, 24) }), el("span", { class: "lab-muted", text: why + rival })));
  }

  cost(tree) {
    const cost = tree.cost ?? {};
    const policy = (cost.policy_generated ?? 0);
    const title = `All iterations\n${work(cost)}\n`
      + (tree.last_cost ? `\nThe last iteration\n${work(tree.last_cost)}\n` : "")
      + "\nGenerated and unique count what the search needed, also where a stored reply spared the work; the rest and the time are what was really done.";
    return el("dl", { class: "lab-status-cell is-cost", title },
      pair("nodes", brief(tree.nodes)), pair("policy tok", brief(policy)), pair("PRM tok", brief(cost.prm_unique)), pair("time", duration(cost.seconds)));
  }

  answer(tree) {
    const found = tree.answer !== null && tree.answer !== undefined;
    const kind = !found ? "none" : tree.correct === true ? "right" : tree.correct === false ? "wrong" : "open";
    const total = (tree.answers ?? []).reduce((sum, answer) => sum + answer.weight, 0);
    const won = (tree.answers ?? []).find((answer) => answer.answer === tree.answer);
    const share = won && total > 0 ? `${Math.round((100 * won.weight) / total)} % of votes` : "";
    const verdict = { right: "right", wrong: "wrong", open: "no oracle answer", none: "" }[kind];
    return el("button", {
      class: `lab-status-cell is-answer is-${kind}`, type: "button",
      title: "The winning answer by value-weighted vote over finished nodes; click for all answers",
      on: { click: () => this.store.select(null) },
    },
      el("small", { text: "answer" }),
      el("span", { class: "lab-status-main" },
        el("b", { text: found ? line(tree.answer, 28) : "none yet" }),
        kind === "right" ? icon("check") : kind === "wrong" ? icon("cross") : null,
        el("span", { class: "lab-muted", text: [verdict, share].filter(Boolean).join(", ") })));
  }
}

function pair(name, value) {
  return el("div", {}, el("dt", { text: name }), el("dd", { text: value }));
}

/** The tokens of both models in words: what was needed, and what was done for it. */
function work(cost) {
  const padded = (tokens) => (tokens ? `, ${count(tokens)} padded` : "");
  return `Policy: ${count(cost.policy_generated)} tokens generated; ${count(cost.policy_unique)} unique needed, ${count(cost.policy_forwarded)} forwarded, ${count(cost.policy_cached)} read again from the cache${padded(cost.policy_padded)}.\n`
    + `PRM: ${count(cost.prm_unique)} unique needed, ${count(cost.prm_forwarded)} forwarded, ${count(cost.prm_cached)} read again from the cache${padded(cost.prm_padded)}.`;
}
