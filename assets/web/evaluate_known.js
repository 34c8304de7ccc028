/**
 * What this page knows of evaluations. Asks only while somebody looks at them or one runs; the report
 * is asked for only of the one that is looked at, and again when more of its searches are done.
 *
 * Events: "changed".
 */

import { call } from "./rounds_acts.js";

const DELAY = { looked: 800, running: 2500, resting: 4000, hidden: 6000 };
const REPORT = 2500; // milliseconds between two reports of one that runs

export class KnownEvaluations extends EventTarget {
  /**
   * @param {{evaluations: Function, evaluation_report: Function}} server
   * @param {() => boolean} alive false once the page's element is gone
   */
  constructor(server, alive) {
    super();
    Object.assign(this, { server, alive });
    Object.assign(this, { list: [], known: false, one: null, open: "", connection: "", looked: false, serial: 0, print: "" });
    this.forget();
    document.addEventListener("visibilitychange", () => this.wake());
  }

  get active() {
    return this.list.find((one) => one.active) ?? null;
  }

  find(id) {
    return this.list.find((one) => one.id === id) ?? null;
  }

  forget() {
    Object.assign(this, { report: null, reported: "", wrong: "", asking: false, last: -Infinity });
  }

  /** Whether somebody looks at evaluations now, and at which one ("" for none). */
  look(on, open = "") {
    this.looked = on;
    if (open !== this.open) {
      Object.assign(this, { open, one: null });
      this.forget();
    }
    this.wake();
  }

  wake() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 0);
  }

  async ask() {
    if (!this.alive()) return;
    const serial = ++this.serial;
    const answer = await call(this.server.evaluations, { open: this.open });
    if (serial !== this.serial) return;
    this.connection = answer.error ?? "";
    if (!answer.error) [this.list, this.one, this.known] = [answer.evaluations, answer.evaluation, true];
    this.tell();
    this.askReport();
    clearTimeout(this.timer);
    const delay = this.delay();
    if (delay) this.timer = setTimeout(() => this.ask(), delay);
  }

  tell() {
    const print = JSON.stringify([this.list, this.one, this.connection, this.known, this.reported, this.wrong, this.asking]);
    if (print === this.print) return;
    this.print = print;
    this.dispatchEvent(new CustomEvent("changed"));
  }

  /** What the one looked at has found so far; the first time Python reads all its logs. */
  async askReport() {
    const { one, open } = this;
    if (!one || this.asking) return;
    const print = JSON.stringify([one.id, one.done, one.status === "done"]);
    if (print === this.reported || (one.active && performance.now() < this.last + REPORT)) return;
    this.asking = true;
    const answer = await call(this.server.evaluation_report, { evaluation: one.id });
    if (open !== this.open) return;
    Object.assign(this, { asking: false, last: performance.now(), wrong: answer.error ?? "" });
    if (!answer.error) this.report = answer;
    this.reported = print;
    this.tell();
  }

  delay() {
    if (document.hidden) return this.active ? DELAY.hidden : null;
    if (this.looked) return this.active ? DELAY.looked : DELAY.resting;
    return this.active ? DELAY.running : null;
  }
}
