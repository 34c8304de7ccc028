/**
 * What this page knows of the rounds of the lab. Asks only while somebody looks at them or one runs;
 * everything is told only of the one that is looked at.
 *
 * Events: "changed".
 */

import { call } from "./rounds_acts.js";

const DELAY = { looked: 700, running: 2000, resting: 3000, hidden: 6000 };

export class KnownRounds extends EventTarget {
  /**
   * @param {(query: {open: string}) => Promise<object>} fetchRounds
   * @param {() => boolean} alive false once the page's element is gone
   */
  constructor(fetchRounds, alive) {
    super();
    Object.assign(this, { fetchRounds, alive });
    this.list = [];
    this.known = false;
    this.round = null; // everything of the one that is looked at
    this.open = "";
    this.connection = "";
    this.looked = false;
    this.timer = null;
    this.serial = 0;
    this.print = "";
    document.addEventListener("visibilitychange", () => this.wake());
  }

  get active() {
    return this.list.find((round) => round.active) ?? null;
  }

  find(id) {
    return this.list.find((round) => round.id === id) ?? null;
  }

  /** Whether somebody looks at rounds now, and at which one ("" for none). */
  look(on, open = "") {
    this.looked = on;
    if (open !== this.open) [this.open, this.round] = [open, null];
    this.wake();
  }

  wake() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 0);
  }

  async ask() {
    if (!this.alive()) return;
    const serial = ++this.serial;
    const answer = await call(this.fetchRounds, { open: this.open });
    if (serial !== this.serial) return;
    const connection = answer.error ?? "";
    if (!connection) [this.list, this.round, this.known] = [answer.rounds, answer.round, true];
    this.connection = connection;
    const print = JSON.stringify([this.list, this.round, connection, this.known]);
    if (print !== this.print) {
      this.print = print;
      this.dispatchEvent(new CustomEvent("changed"));
    }
    clearTimeout(this.timer);
    const delay = this.delay();
    if (delay) this.timer = setTimeout(() => this.ask(), delay);
  }

  delay() {
    const { active } = this;
    if (!active && !this.looked && !this.connection) return null;
    if (document.hidden) return active ? DELAY.hidden : null;
    if (this.looked) return active ? DELAY.looked : DELAY.resting;
    return DELAY.running;
  }
}
