/**
 * From one tree of a batch to the next: where the open session stands in the list that it was
 * opened from, and the way back there.
 */

import { nameOf } from "./batch_view.js";
import { el, icon } from "./dom.js";
import { count } from "./text.js";

export class Trail {
  /**
   * @param {HTMLElement} element where it is shown
   * @param {Batches} batches
   * @param {{problems: Function}} server
   * @param {{session: (id: string, trail: object) => void, batch: (id: string) => void}} open
   */
  constructor(element, batches, server, open) {
    Object.assign(this, { element, batches, server, open });
    this.at = null;
    batches.addEventListener("changed", () => this.draw());
  }

  /** @param {{batch: string, kind?: string, search?: string, index?: number} | null} at */
  show(at) {
    this.at = at;
    this.missing = null;
    if (at && !this.batches.known) this.batches.wake();
    this.draw();
  }

  draw() {
    const { at } = this;
    this.element.hidden = !at;
    if (!at) return;
    const batch = this.batches.find(at.batch);
    const placed = at.index !== undefined;
    const kind = placed && at.kind !== "all" ? `${at.kind} ` : "";
    const print = JSON.stringify([at, batch?.name, batch?.dataset, this.missing]);
    if (print === this.print) return;
    this.print = print;
    this.element.replaceChildren(...[
      placed ? this.step(-1, "left", "The problem before this one") : null,
      el("button", { type: "button", class: "lab-trail-back", title: "Back to the problems of this batch", on: { click: () => this.open.batch(at.batch) } },
        el("span", { text: `${placed ? `${kind}${count(at.index + 1)} of ` : "one of "}${batch ? nameOf(batch) : `batch ${at.batch}`}` })),
      placed ? this.step(1, "right", "The next problem") : null,
    ].filter(Boolean));
  }

  step(by, name, title) {
    return el("button", {
      type: "button", class: "lab-tool", title, "aria-label": title, disabled: this.missing === by || this.at.index + by < 0, on: { click: () => this.go(by) },
    }, icon(name));
  }

  async go(by) {
    const { at } = this;
    const { batch, kind, search, index } = at;
    const answer = await this.server.problems({ batch, kind, search, offset: index + by, limit: 1 }).catch(() => ({}));
    if (at !== this.at) return;
    const session = answer.rows?.[0]?.session;
    if (session) this.open.session(session, { ...at, index: index + by });
    else this.missing = by;
    this.draw();
  }
}
