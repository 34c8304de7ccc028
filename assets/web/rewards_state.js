/**
 * What is asked of rewards on this page: by which method, and which verdicts are only supposed. The
 * inspector and the sheet share it. Events: "changed".
 */

export class RewardState extends EventTarget {
  /**
   * @param {Store} store
   * @param {{reward_methods: Function}} server
   */
  constructor(store, server) {
    super();
    this.method = "paper";
    this.methods = [];
    this.supposed = []; // {node, mark} and {node, correct}
    store.addEventListener("opened", () => this.drop());
    server.reward_methods({}).then((answer) => {
      this.methods = answer.methods ?? [];
      this.changed();
    }).catch(() => {});
  }

  get title() {
    return this.methods.find((one) => one.name === this.method)?.title ?? this.method;
  }

  use(method) {
    if (method === this.method) return;
    this.method = method;
    this.changed();
  }

  /** The verdict that is supposed of a node's step ("mark") or answer ("correct"), if there is one. */
  find(node, kind) {
    return this.supposed.find((one) => one.node === node && kind in one) ?? null;
  }

  /** Suppose a verdict in place of another one of the same node and kind. */
  suppose(verdict) {
    const kind = "mark" in verdict ? "mark" : "correct";
    this.supposed = [...this.supposed.filter((one) => one.node !== verdict.node || !(kind in one)), verdict];
    this.changed();
  }

  forget(verdict) {
    this.supposed = this.supposed.filter((one) => one !== verdict);
    this.changed();
  }

  drop() {
    if (!this.supposed.length) return;
    this.supposed = [];
    this.changed();
  }

  changed() {
    this.dispatchEvent(new CustomEvent("changed"));
  }
}
