/**
 * The buttons below the form: step by iteration or by phase, run as far as one likes, pause, stop,
 * undo and redo. How far to run is remembered by the browser.
 */

import { el, icon } from "./dom.js";
import { register } from "./keys.js";
import { count } from "./text.js";

const REMEMBERED = "lab-run";
const KINDS = {
  iterations: { title: "iterations", amount: 20, help: "Run so many iterations" },
  right: { title: "until right", help: "Run until the answer that wins is right by the oracle answer, or nothing is left" },
  tokens: { title: "tokens", amount: 2000, help: "Run until the policy has sampled so many tokens" },
  seconds: { title: "seconds", amount: 60, help: "Run for so many seconds" },
  end: { title: "to the end", help: "Run until nothing is left to do" },
};

export class RunMenu {
  /**
   * @param {Store} store
   * @param {{pause: Function, stop: Function}} server
   * @param {Doings} doings for undo and redo
   * @param {(pressed: {what: string, amount?: number | null}) => void} press what needs the form
   * @param {(error: string) => void} say
   */
  constructor(store, server, doings, press, say) {
    Object.assign(this, { store, server, doings, press, say });
    this.remembered = read();
    this.step = button("lab-step", "Step", "One iteration of the search (Space)", () => press({ what: "iteration" }), "is-primary");
    this.phase = button("lab-phase", "Phase", "The next phase of an iteration: selected, expanded, evaluated, rolled out, backed up (Shift + Space)", () => press({ what: "phase" }));
    this.pause = button("lab-pause", "Pause", "Hold the search before its next call of a model; Step goes on from there (P)", () => this.end("pause"));
    this.stop = button("lab-stop", "Stop", "End the run; an unfinished iteration is dropped, its replies stay stored", () => this.end("stop"));
    this.run = button("lab-run", "Run", "", () => this.start());
    this.amount = el("input", { type: "number", min: "1", step: "1", "aria-label": "How many", on: { input: () => this.keep(), keydown: (event) => event.key === "Enter" && this.start() } });
    this.kind = el("select", { "aria-label": "How far to run", on: { change: () => this.choose() } },
      ...Object.entries(KINDS).map(([name, kind]) => el("option", { value: name, text: kind.title })));
    this.undo = tool("undo", () => this.walk("undo"));
    this.redo = tool("redo", () => this.walk("redo"));
    this.far = el("span", { id: "lab-iterations" }, this.amount);
    this.element = el("div", { class: "lab-transport" },
      el("div", { class: "lab-buttons" }, this.step, this.phase, this.pause, this.stop),
      el("div", { class: "lab-buttons is-run" }, this.run, el("span", { class: "lab-far" }, this.far, this.kind), el("span", { class: "lab-walk" }, this.undo, this.redo)));
    this.kind.value = this.remembered.kind;
    this.show();
    store.addEventListener("changed", () => this.draw());
    doings.addEventListener("changed", () => this.draw());
    this.keys();
    this.draw();
  }

  keys() {
    register("Space", "Step: one iteration", () => this.step.click());
    register("Shift+Space", "The next phase", () => this.phase.click());
    register("p", "Pause", () => !this.pause.disabled && this.pause.click());
    register("Ctrl+z", "Undo", () => this.walk("undo"), { group: "Steering" });
    register(["Ctrl+Shift+z", "Ctrl+y"], "Redo", () => this.walk("redo"), { group: "Steering" });
  }

  show() {
    const kind = KINDS[this.kind.value];
    this.far.hidden = kind.amount === undefined;
    this.amount.value = this.remembered.amounts[this.kind.value] ?? kind.amount ?? "";
    this.run.title = kind.help;
  }

  choose() {
    this.remembered.kind = this.kind.value;
    this.show();
    this.keep();
  }

  keep() {
    if (this.amount.value) this.remembered.amounts[this.kind.value] = Number(this.amount.value);
    localStorage.setItem(REMEMBERED, JSON.stringify(this.remembered));
  }

  start() {
    const what = this.kind.value;
    this.press({ what, amount: KINDS[what].amount === undefined || this.amount.value === "" ? null : Number(this.amount.value) });
  }

  async end(how) {
    const { session } = this.store;
    const answer = await this.server[how]({ session }).catch(() => ({ error: "The lab does not answer." }));
    this.say(answer.error ?? "");
  }

  async walk(how) {
    if (this.store.busy) return;
    this.say(await this.doings.go(how));
  }

  draw() {
    const { busy, run, tree } = this.store;
    this.pause.disabled = !busy || run.status === "pausing";
    this.stop.disabled = !busy;
    document.documentElement.dataset.labBusy = busy;
    const { undoes, redoes, walking } = this.doings;
    this.tell(this.undo, "Undo", undoes, "Ctrl + Z", busy, walking > 0);
    this.tell(this.redo, "Redo", redoes, "Ctrl + Shift + Z", busy, walking > 0);
    this.step.title = `One iteration of the search (Space)${tree ? `; ${count(tree.iteration)} are done` : ""}`;
  }

  /** While an undo is on its way nobody knows yet what a redo would do: then the lab is asked. */
  tell(button, name, what, key, busy, unknown) {
    button.disabled = busy || (!what && !unknown);
    const title = busy ? `${name}: pause first` : what ? `${name}: ${what} (${key})` : `Nothing to ${name.toLowerCase()}`;
    button.title = title;
    button.setAttribute("aria-label", title);
  }
}

function button(id, text, title, press, kind = "") {
  return el("button", { id, type: "button", class: kind, text, title, on: { click: press } });
}

function tool(name, press) {
  return el("button", { type: "button", class: "lab-walk-button", data: { walk: name }, on: { click: press } }, icon(name));
}

function read() {
  const known = { kind: "iterations", amounts: {} };
  try {
    const found = JSON.parse(localStorage.getItem(REMEMBERED) ?? "{}");
    if (found.kind in KINDS) known.kind = found.kind;
    for (const [kind, amount] of Object.entries(found.amounts ?? {})) {
      if (kind in KINDS && Number.isFinite(amount)) known.amounts[kind] = amount;
    }
  } catch {
    // A damaged memory is no memory.
  }
  return known;
}
