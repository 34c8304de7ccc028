/**
 * What this page knows of the batches of the lab. Asks only while somebody looks at them, while one
 * runs, or while a search of this page runs that a batch may have to wait for.
 *
 * Events: "changed".
 */

const DELAY = { looked: 700, running: 2000, resting: 3000, hidden: 6000 };

export class Batches extends EventTarget {
  /**
   * @param {(query: object) => Promise<object>} fetchBatches
   * @param {() => boolean} alive false once the page's element is gone
   */
  constructor(fetchBatches, alive) {
    super();
    Object.assign(this, { fetchBatches, alive });
    this.list = [];
    this.known = false;
    this.connection = "";
    this.looked = false;
    this.searching = false;
    this.timer = null;
    this.serial = 0;
    this.print = "";
    document.addEventListener("visibilitychange", () => this.wake());
  }

  get active() {
    return this.list.find((batch) => batch.active) ?? null;
  }

  find(id) {
    return this.list.find((batch) => batch.id === id) ?? null;
  }

  /** Whether somebody looks at batches now. */
  look(on) {
    this.looked = on;
    this.wake();
  }

  /** Whether a search of this page runs. */
  search(on) {
    if (on === this.searching) return;
    this.searching = on;
    this.wake();
  }

  wake() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 0);
  }

  async ask() {
    if (!this.alive()) return;
    const serial = ++this.serial;
    let connection = "";
    try {
      const answer = await this.fetchBatches({});
      if (serial !== this.serial) return;
      if (answer.error) connection = answer.error;
      else [this.list, this.known] = [answer.batches, true];
    } catch {
      if (serial !== this.serial) return;
      connection = "The lab does not answer. Is it still running? Trying again.";
    }
    this.connection = connection;
    const print = JSON.stringify([this.list, connection]);
    if (print !== this.print) {
      this.print = print;
      this.dispatchEvent(new CustomEvent("changed"));
    }
    clearTimeout(this.timer);
    const delay = this.delay();
    if (delay) this.timer = setTimeout(() => this.ask(), delay);
  }

  delay() {
    const running = this.active || this.searching;
    if (!running && !this.looked && !this.connection) return null;
    if (document.hidden) return running ? DELAY.hidden : null;
    if (this.looked) return this.active ? DELAY.looked : DELAY.resting;
    return DELAY.running;
  }
}
