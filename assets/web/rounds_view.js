/** One round: its phases while it runs, and what it came to. */

import { chart } from "./charts.js";
import { el } from "./dom.js";
import { Message, actButton, askingButton, call } from "./rounds_acts.js";
import { Verdict } from "./rounds_verdict.js";
import { shareOf, stateOf } from "./rounds_words.js";
import { count, duration, line, roughly, when } from "./text.js";

const TRAININGS = [["prm", "Loss of the PRM"], ["policy", "Loss of the policy"]];
const SETTINGS = [
  ["pool", "pool"], ["pool_limit", "problems at most"], ["heldout", "held out"], ["heldout_limit", "held-out problems at most"], ["heldout_skip", "held-out problems left"],
  ["guided_limit", "held-out problems searched"], ["iterations", "iterations"], ["tokens", "tokens a search"], ["updates", "updates"], ["seed", "seed"], ["activate", "use new adapters"], ["parallel", "searches at a time"],
];

export class RoundView {
  /**
   * @param {KnownRounds} known
   * @param {object} server
   * @param {{open: Function, batch: Function, go: Function}} does
   */
  constructor(known, server, does) {
    Object.assign(this, { known, server, does });
    this.state = el("p", { class: "lab-round-setting" });
    this.acts = el("div", { class: "lab-acts" });
    this.series = el("nav", { class: "lab-series", "aria-label": "Rounds in this row" });
    this.message = new Message();
    this.verdict = new Verdict(server, does);
    this.phases = el("ol", { class: "lab-phases" });
    this.rows = new Map();
    this.losses = TRAININGS.map(([name, text]) => {
      const plot = el("div", { class: "lab-curve is-loss", role: "img", "aria-label": text });
      return { name, plot, figure: el("figure", { hidden: true }, el("figcaption", {}, el("b", { text }), el("small", { text: "per update" })), plot) };
    });
    this.work = el("div", { class: "lab-round-work" }, this.phases, el("div", { class: "lab-losses" }, ...this.losses.map(({ figure }) => figure)));
    this.settings = el("details", { class: "lab-round-settings" }, el("summary", { text: "Settings" }), el("dl"));
    this.element = el("div", { class: "lab-round" }, el("div", { class: "lab-round-top" }, el("div", {}, this.state, this.series), this.acts),
      this.message.element, this.verdict.element, this.work, this.settings);
  }

  show(id) {
    if (id === this.id) return;
    Object.assign(this, { id, told: "", print: "" });
    this.verdict.clear();
  }

  draw() {
    const { round, known } = this.known;
    this.drawMessage();
    const here = round?.id === this.id;
    for (const part of [this.acts, this.work, this.settings]) part.hidden = !here;
    this.verdict.element.hidden = !here || !round.verdict;
    if (!here) {
      this.state.replaceChildren(el("span", { class: "lab-muted", text: known && this.known.find(this.id) === null ? "There is no such round here." : "Loading \u2026" }));
      this.series.replaceChildren();
      return;
    }
    this.drawState(round);
    this.drawActs(round);
    this.drawPhases(round);
    this.drawLosses(round);
    this.drawSettings(round);
    if (round.verdict) this.verdict.draw(round);
  }

  drawMessage() {
    const { round, connection } = this.known;
    const own = round?.id === this.id && round.status === "failed" ? round.message : "";
    this.message.say(this.told || connection || own);
  }

  drawState(round) {
    const { setting } = round;
    const facts = [`begun ${when(round.created)}`, `${line(setting.pool, 60)}`, `seed ${setting.seed}`, round.active && round.left !== null ? `${roughly(round.left)} left` : ""];
    const text = round.status === "loading" && round.message ? line(round.message, 120) : stateOf(round);
    this.state.replaceChildren(el("span", { class: `lab-state is-${round.status}`, text }), el("span", { class: "lab-muted", text: facts.filter(Boolean).join("  \u00b7  ") }));
    const row = this.known.list.filter((one) => one.series === round.series).reverse();
    const print = JSON.stringify(row.map((one) => [one.id, one.number, one.status, one.id === round.id]));
    this.series.hidden = round.rounds < 2;
    if (print === this.seriesPrint) return;
    this.seriesPrint = print;
    this.series.replaceChildren(...row.map((one) => el("button", { type: "button", class: "lab-pill", "aria-pressed": String(one.id === round.id), text: `Round ${one.number}${one.active ? ", running" : ""}`, on: { click: () => this.does.go(one.id) } })));
  }

  /** A question stays while a person thinks, whatever the round does meanwhile. */
  drawActs(round) {
    if (this.actsOf !== round.id) this.makeActs(round.id);
    const ended = round.status === "done" || round.status === "cancelled";
    this.cancel.hidden = ended;
    this.remove.hidden = round.active;
    const print = JSON.stringify([round.id, round.status, round.active]);
    if (print === this.print) return;
    this.print = print;
    const acts = [];
    if (round.active) acts.push(round.status === "pausing" ? el("button", { type: "button", class: "lab-button", text: "Pausing \u2026", disabled: true }) : actButton("Pause", "Pausing \u2026", () => this.ask("round_pause")));
    else if (!ended) acts.push(actButton("Go on", "Going on \u2026", () => this.ask("round_resume"), "lab-primary"));
    this.turn.replaceChildren(...acts);
  }

  makeActs(id) {
    this.actsOf = id;
    this.turn = el("span", {});
    this.cancel = askingButton("Cancel", "End this round for good? What is done stays until it is deleted.", "End it", () => this.ask("round_cancel"));
    this.remove = askingButton("Delete", "Delete this round and its adapters? The sessions of its searches stay.", "Delete", async () => {
      const answer = await this.ask("round_delete");
      if (!answer.error) this.does.go("");
    });
    this.acts.replaceChildren(this.turn, this.cancel, this.remove);
  }

  async ask(name) {
    const answer = await call(this.server[name], { round: this.actsOf });
    this.told = answer.error ?? "";
    await this.known.ask();
    this.draw();
    return answer;
  }

  drawPhases(round) {
    const names = round.phases.map((phase) => phase.name).join(" ");
    if (this.names !== names) {
      this.names = names;
      this.rows = new Map(round.phases.map((phase) => [phase.name, phaseRow(phase)]));
      this.phases.replaceChildren(...[...this.rows.values()].map(({ element }) => element));
    }
    for (const phase of round.phases) {
      const row = this.rows.get(phase.name);
      drawPhase(row, phase, round);
      this.drawSearches(row, phase, round.batches);
    }
    this.work.classList.toggle("is-over", Boolean(round.verdict));
  }

  /** The batches of a phase that is done, to be opened. */
  drawSearches(row, phase, batches) {
    const found = Object.entries(batches).filter(([name]) => name === "pool" ? phase.name === "search" : name.startsWith(phase.name));
    const print = JSON.stringify(found);
    if (print === row.print) return;
    row.print = print;
    row.searches.replaceChildren(...found.map(([name, batch]) => el("button", {
      type: "button", class: "lab-round-link", text: { pool: "see searches" }[name] ?? `see ${line(name.split(" ").pop(), 20)}`, on: { click: () => this.does.batch(batch) },
    })));
  }

  drawLosses(round) {
    for (const { name, plot, figure } of this.losses) {
      const points = round.curves[name] ?? [];
      figure.hidden = points.length < 2;
      if (figure.hidden) continue;
      chart(plot, [{
        type: "scatter", mode: "lines", x: points.map(([step]) => step), y: points.map(([, loss]) => loss),
        line: { color: name === "policy" ? "--lab-accent" : "--lab-best-ink", width: 1.8 }, hovertemplate: "update %{x}: %{y:.3f}<extra></extra>",
      }], { yaxis: { rangemode: "tozero", nticks: 5 }, xaxis: { nticks: 6 } });
    }
  }

  drawSettings(round) {
    const print = JSON.stringify(round.setting);
    if (print === this.settingsPrint) return;
    this.settingsPrint = print;
    const known = SETTINGS.filter(([name]) => round.setting[name] !== null && round.setting[name] !== undefined);
    this.settings.querySelector("dl").replaceChildren(...[["recipe", "recipe"], ...known].flatMap(([name, label]) => [
      el("dt", { text: label }), el("dd", { text: typeof round.setting[name] === "boolean" ? (round.setting[name] ? "yes" : "no") : line(round.setting[name], 200) }),
    ]));
  }
}

function phaseRow(phase) {
  const fill = el("i");
  const row = { fill, count: el("span", { class: "lab-phase-count" }), time: el("span", { class: "lab-phase-time" }), bar: el("span", { class: "lab-round-bar" }, fill), note: el("small"), searches: el("small", { class: "lab-phase-searches" }) };
  row.element = el("li", { data: { phase: phase.name } },
    el("i", { class: "lab-phase-mark", "aria-hidden": "true" }), el("span", { class: "lab-phase-name" }, el("b", { text: line(phase.title, 60) }), row.note, row.searches), row.bar, row.count, row.time);
  return row;
}

function drawPhase(row, phase, round) {
  const share = phase.status === "done" ? 1 : shareOf(phase) ?? 0;
  const present = phase.status === "running";
  row.element.className = `lab-phase is-${present && !round.active ? "waiting" : phase.status}`;
  row.element.setAttribute("aria-current", String(present));
  row.fill.style.width = `${100 * share}%`;
  row.bar.hidden = phase.status === "skipped";
  row.count.textContent = phase.total ? `${count(phase.done)} of ${count(phase.total)}` : "";
  const words = { before: "with the old model", after: "with the new model" }[phase.note] ?? phase.note;
  row.note.textContent = phase.status === "skipped" ? `left out: ${line(phase.note, 120)}` : present || phase.status === "done" ? line(words, 120) : "";
  const left = present && phase.left !== null ? `${roughly(phase.left)} left` : "";
  row.time.textContent = phase.status === "skipped" || (!phase.seconds && !present) ? "" : [duration(phase.seconds), left].filter(Boolean).join(", ");
}
