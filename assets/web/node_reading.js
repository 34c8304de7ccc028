/**
 * What the models read at a node: their texts to the token, the reply as the policy wrote it, and the
 * proposals beside it that were refused. Asked for only when it is opened.
 */

import { el } from "./dom.js";
import { count, line, visible } from "./text.js";

const WHO = { policy: "The policy wrote the step after", prm: "The process reward model read" };
const LONGEST = 20000;

export class NodeReading {
  /**
   * @param {Store} store
   * @param {(query: {session: string, node: number}) => Promise<object>} ask
   */
  constructor(store, ask) {
    Object.assign(this, { store, ask });
    this.body = el("div", { class: "lab-reading-body" });
    this.element = el("details", { class: "lab-section lab-reading", on: { toggle: () => this.find() } },
      el("summary", { title: "The texts that the models were given, to the token, and the raw reply", text: "What the model read" }), this.body);
  }

  show(node) {
    this.element.hidden = node.parent === null;
    const key = `${this.store.session} ${node.id} ${node.expansions}`;
    if (this.key === key) return;
    Object.assign(this, { key, node, known: "" });
    this.body.replaceChildren();
    this.find();
  }

  async find() {
    const { key, node } = this;
    if (!this.element.open || !node || node.parent === null || this.known === key) return;
    const found = await this.ask({ session: this.store.session, node: node.id }).catch(() => null);
    if (key !== this.key) return;
    this.known = found && !found.missing ? key : ""; // the models may be loaded when it is opened again
    this.draw(found);
  }

  draw(found) {
    if (!found || found.error) {
      this.body.replaceChildren(el("p", { text: line(found?.error ?? "The lab does not answer.", 600) }));
      return;
    }
    const parts = found.texts.map((one) => this.text(`${WHO[one.who]}: ${count(one.tokens.length)} tokens`, one.text, one.tokens));
    if (found.missing) parts.push(el("p", { text: line(found.missing, 300) }));
    if (found.raw !== null) parts.push(this.text("The reply as it was written", found.raw));
    if (found.refused.length) {
      parts.push(el("h4", { text: `Refused beside it: ${count(found.refused.length)}` }), el("ul", { class: "lab-refused" },
        ...found.refused.map((one) => el("li", {}, el("b", { text: line(one.reason, 200) }), el("code", { text: visible(one.raw.slice(0, 2000)) || "(nothing)" })))));
    }
    this.body.replaceChildren(...parts);
  }

  text(title, text, tokens = null) {
    return el("div", {},
      el("h4", { text: title }),
      el("pre", { tabindex: "0", "aria-label": title, text: visible(text.slice(-LONGEST)) }),
      tokens ? el("details", {}, el("summary", { text: "Token ids" }), el("code", { text: tokens.join(" ") })) : null);
  }
}
