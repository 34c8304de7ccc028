/** What the search is doing, what it chose and why, what answer is winning and what it has cost. */

import { el, icon } from "./dom.js";
import { phase } from "./status_phase.js";
import { prunedAnswers } from "./store.js";
import { brief, count, duration, ending, line, number, roughly } from "./text.js";

const STATES = {
  idle: "ready", queued: "queued", loading: "loading models", running: "running", pausing: "pausing", failed: "failed",
};
const STOPS = {
  gate: "an answer met the gate",
  exhausted: "nothing left to expand",
  idle: "only known ways walked again",
  complete: "complete",
  unusable: "nothing usable came",
  unfinished: "no solution came to its end",
  right: "the answer is right",
  iterations: "iterations done",
  tokens: "tokens spent",
  seconds: "time is up",
};

// How the final answer is chosen: what stands beside it, and why it is the one.
const CHOICES = {
  vote: {
    beside: (tree, nodes, share) => (share === null ? "" : `${Math.round(100 * share)} % of votes`),
    title: "The winning answer by value-weighted vote over finished nodes; click for all answers",
  },
  best: {
    beside: (tree, nodes) => (nodes.has(tree.best) ? `V ${number(nodes.get(tree.best).value)}` : ""),
    title: "The answer of the node with the best value V, as the parameter final choice says; click for all answers",
  },
};

export class Status {
  /**
   * @param {Store} store
   * @param {Batches} batches
   * @param {(batch: string) => void} openBatch
   */
  constructor(store, batches, openBatch) {
    Object.assign(this, { store, batches, openBatch });
    this.element = el("div", { class: "lab-status", role: "status" });
    this.banner = el("div", { class: "lab-banner", role: "alert", hidden: true });
    store.addEventListener("changed", () => this.draw());
    batches.addEventListener("changed", () => this.draw());
  }

  draw() {
    const { tree, run, connection } = this.store;
    const message = connection || (run.status === "failed" ? run.message : "");
    this.banner.hidden = !message;
    this.banner.textContent = message ? line(message, 600) : "";
    this.element.hidden = !tree;
    if (!tree) return;
    const cells = [this.progress(tree, run), this.reason(tree), this.cost(tree), this.answer(tree), this.batch()].filter(Boolean);
    const places = () => [...this.element.querySelectorAll("button, [tabindex]")];
    const focused = places().indexOf(document.activeElement);
    this.element.replaceChildren(...cells);
    // Redrawing must not take the place from somebody who walks with keys.
    if (focused >= 0) places()[focused]?.focus({ preventScroll: true });
    this.element.dispatchEvent(new CustomEvent("drawn"));
  }

  progress(tree, run) {
    const idle = run.status === "idle";
    const held = idle && tree.held;
    const over = idle && !held && tree.stop in STOPS;
    const state = over ? "finished" : held ? "held" : STATES[run.status] ?? run.status;
    const phase = tree.phase === "concluded" ? "answer chosen" : tree.acted ? "" : tree.phase || ""; // acts have phases, too
    const share = !idle && run.target ? Math.min(1, run.done / run.target) : 0;
    const steps = !idle && run.target ? `${run.done} of ${run.target}` : "";
    const word = run.status === "loading" && run.message ? line(run.message, 60) : steps || (held ? phase : STOPS[tree.stop]) || phase;
    return el("div", { class: "lab-status-cell is-progress" },
      el("span", { class: `lab-state is-${held ? "pausing" : run.status}`, text: state, title: held ? "Held in the midst of an iteration: Step, Phase and Run go on there" : null }),
      el("span", { class: "lab-status-main" }, el("b", { text: `iteration ${count(tree.iteration)}` }),
        el("span", { class: "lab-muted", text: word })),
      tree.refused?.words ? el("small", { class: "lab-muted", text: `refused: ${line(tree.refused.words, 60)}`, title: `Replies of the policy that gave no step: ${tree.refused.words}` }) : null,
      el("i", { class: "lab-progress", style: { width: `${share * 100}%` } }));
  }

  /** The batch that runs beside this search, or waits for it. */
  batch() {
    const { active } = this.batches;
    if (!active) return null;
    const searching = this.store.busy && this.store.batch !== active.id;
    const more = searching ? "waiting for this search" : active.status === "loading" ? "loading models" : active.left !== null ? `${roughly(active.left)} left` : active.status;
    return el("button", {
      type: "button", class: "lab-status-batch", title: "A search that you step goes first; the batch goes on after it. Click to look at it.",
      on: { click: () => this.openBatch(active.id) }, text: `batch ${count(active.done)} of ${count(active.problems)}, ${more}`,
    });
  }

  reason(tree) {
    const told = tree.held || (tree.phase === "backed up" && !tree.acted);
    const now = told && !this.store.busy ? phase(tree, this.store) : null;
    if (now) {
      return el("button", { class: "lab-status-cell is-reason is-phase", type: "button", title: "The phase that the search is in; click for the node", on: { click: () => this.store.select(now.node) } },
        el("small", { text: now.name }),
        el("span", { class: "lab-status-main" }, el("code", { text: now.what }), el("span", { class: "lab-muted", text: now.numbers })));
    }
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
    return el("dl", { class: "lab-status-cell is-cost", tabindex: "0", "aria-label": "What the search has cost", data: { tip: "cost" } },
      pair("nodes", brief(tree.nodes)), pair("policy tok", brief(cost.policy_generated ?? 0)), pair("PRM tok", brief(cost.prm_unique)), pair("time", duration(cost.seconds)));
  }

  answer(tree) {
    const found = tree.answer !== null && tree.answer !== undefined;
    const kind = !found ? "none" : tree.correct === true ? "right" : tree.correct === false ? "wrong" : "open";
    const total = (tree.answers ?? []).reduce((sum, answer) => sum + answer.weight, 0);
    const won = (tree.answers ?? []).find((answer) => (answer.spellings ?? [answer.answer]).includes(tree.answer));
    const choice = CHOICES[this.store.settings?.params?.final_choice] ?? CHOICES.vote;
    const pruned = found ? 0 : prunedAnswers(this.store.nodes);
    const beside = found ? choice.beside(tree, this.store.nodes, won && total > 0 ? won.weight / total : null)
      : pruned ? `${count(pruned)} ${pruned === 1 ? "is" : "are"} pruned` : "";
    const level = tree.tie ? `level with ${line(tree.tie.answers.slice(1).join(", "), 40)}` : "";
    const verdict = { right: "right", wrong: "wrong", open: "no oracle answer", none: "" }[kind];
    return el("button", {
      class: `lab-status-cell is-answer is-${kind}`, type: "button",
      title: tree.tie ? `${line(tree.tie.words, 400)}. ${choice.title}` : choice.title,
      on: { click: () => this.store.select(null) },
    },
      el("small", { text: "answer" }),
      el("span", { class: "lab-status-main" },
        el("b", { text: found ? line(tree.answer, 28) : pruned ? "none left" : "none yet" }),
        kind === "right" ? icon("check") : kind === "wrong" ? icon("cross") : null,
        el("span", { class: "lab-muted", text: [verdict, beside, level].filter(Boolean).join(", ") })));
  }
}

function pair(name, value) {
  return el("div", {}, el("dt", { text: name }), el("dd", { text: value }));
}
