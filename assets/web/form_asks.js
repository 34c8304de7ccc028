/**
 * What the script asks of the form's handlers in Python, one at a time and in order: a search that
 * is pressed on before the form shows it is the one that goes on, and of two sessions that are
 * opened the last one stays. Gradio alone drops what is asked while something of its kind is pending.
 */

const PATIENCE = 10_000; // milliseconds until a reply is taken for lost

export class FormAsks {
  /**
   * @param {(event: string, data: object) => void} trigger calls Python
   * @param {(error: string) => void} say what a person is to know of a reply that does not come
   */
  constructor(trigger, say) {
    Object.assign(this, { trigger, say });
    this.queue = [];
    this.pending = null;
    this.asked = 0;
  }

  /**
   * @param {string} event
   * @param {() => object} data called when its turn has come
   */
  ask(event, data) {
    if (event === "open" && this.queue.at(-1)?.event === "open") this.queue.pop();
    this.queue.push({ event, data });
    this.next();
  }

  next() {
    if (this.pending !== null || !this.queue.length) return;
    const { event, data } = this.queue.shift();
    this.pending = ++this.asked;
    this.timer = setTimeout(() => this.lost(), PATIENCE);
    this.trigger(event, { ...data(), asked: this.pending });
  }

  /** Whether a reply is that which is waited for; one that was taken for lost is not. */
  awaits(reply) {
    return reply.asked === this.pending;
  }

  lost() {
    this.say("The lab has not answered for ten seconds. What was pressed may be lost.");
    this.done();
  }

  /** The reply has been shown: the next may be asked. */
  done() {
    clearTimeout(this.timer);
    this.pending = null;
    this.next();
  }
}
