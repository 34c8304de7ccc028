/**
 * Keeps a store up to date by short polls: a lost or repeated answer is harmless, closing the tab
 * loses nothing. Polls fast while a search runs, slowly otherwise, and ends with its element.
 */

const DELAY = { busy: 120, idle: 1000, hidden: 4000, lost: 1500 };

export class Poller {
  /**
   * @param {Store} store
   * @param {(query: {session: string, since: number}) => Promise<object>} fetchDelta
   * @param {() => boolean} alive false once the page's element is gone
   */
  constructor(store, fetchDelta, alive) {
    this.store = store;
    this.fetchDelta = fetchDelta;
    this.alive = alive;
    this.timer = null;
    this.asking = false;
    store.addEventListener("opened", () => this.wake());
    document.addEventListener("visibilitychange", () => this.wake());
  }

  /** Ask now rather than at the next tick: something was pressed. */
  wake() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 0);
  }

  async ask() {
    if (!this.alive()) return;
    if (this.asking || !this.store.session) return;
    this.asking = true;
    const session = this.store.session;
    let delay = null;
    try {
      const delta = await this.fetchDelta({ session, since: this.store.cursor });
      if (delta.error) this.store.lost(delta.error);
      else this.store.apply(delta);
    } catch {
      this.store.lost("The lab does not answer. Is it still running? Trying again.");
      delay = DELAY.lost;
    } finally {
      this.asking = false;
    }
    if (session !== this.store.session) delay = 0;
    delay ??= document.hidden ? DELAY.hidden : this.store.busy ? DELAY.busy : DELAY.idle;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), delay);
  }
}
