/**
 * A node's step, its tokens shaded by how unlikely the policy found them: what it hesitated over
 * stands out. The tokens come after the text, and only where the policy is loaded.
 */

import { el, icon } from "./dom.js";
import { hasFormulas, write } from "./math.js";
import { block, count, line, number, percent, visible } from "./text.js";

const SURE = Math.log(0.95); // likelier tokens are not shaded
const DOUBT = Math.log(0.01); // shaded fully from here on
const REMEMBERED = "lab-token-shades";
const LONGEST = 6000;

export class NodeTokens {
  /**
   * @param {Store} store
   * @param {(query: {session: string, node: number}) => Promise<object>} ask
   */
  constructor(store, ask) {
    Object.assign(this, { store, ask });
    this.known = null; // {key, tokens, missing}
    this.wanted = localStorage.getItem(REMEMBERED) !== "off";
    this.text = el("span", {});
    this.shade = el("button", { type: "button", class: "lab-shade", "aria-pressed": String(this.wanted), text: "log p", title: "Shade the tokens by their log-probability: the darker, the less likely", on: { click: () => this.toggle() } });
    this.copy = el("button", { class: "lab-copy", type: "button", title: "Copy the whole prefix", "aria-label": "Copy the whole prefix", on: { click: () => this.copyPrefix() } }, icon("copy"));
    this.tools = el("span", { class: "lab-step-tools" }, this.shade, this.copy);
    this.formulas = el("div", { class: "lab-step-formulas", hidden: true });
    this.box = el("div", { class: "lab-step" }, this.text, this.tools, this.formulas);
    this.missing = el("p", { class: "lab-step-missing", hidden: true });
    this.thought = el("details", { class: "lab-thought", hidden: true }, el("summary"), el("pre", { tabindex: "0", "aria-label": "Thought" }));
    this.element = el("div", {}, this.thought, this.box, this.missing);
  }

  show(node) {
    this.node = node;
    const root = node.parent === null;
    this.box.classList.toggle("is-question", root);
    this.shade.hidden = root;
    this.copy.hidden = root;
    this.thought.hidden = !node.thought;
    const [summary, words] = this.thought.children;
    summary.textContent = node.thought ? `Thought, ${count(node.thought.split(/\s+/).length)} words` : "";
    words.textContent = visible(node.thought ?? "");
    const key = `${this.store.session} ${node.id} ${node.step}`;
    if (this.key !== key) {
      this.key = key;
      this.known = null;
      this.draw();
      if (!root) this.find(key);
    } else if (this.known?.missing && !this.store.busy && this.asked !== this.store.cursor) {
      this.find(key); // the models may have been loaded meanwhile
    }
  }

  async find(key) {
    if (!this.wanted) return;
    this.asked = this.store.cursor;
    const found = await this.ask({ session: this.store.session, node: this.node.id }).catch(() => null);
    if (key !== this.key) return;
    this.known = { tokens: found?.tokens ?? [], missing: found?.missing ?? "" };
    this.draw();
  }

  draw() {
    const { node, known, wanted } = this;
    const tokens = wanted ? afterThought(known?.tokens ?? [], node.thought ?? "") : [];
    const shown = tokens.length && tokens.reduce((sum, token) => sum + token.text.length, 0) <= LONGEST;
    const text = block(node.parent === null ? this.store.tree?.question ?? "" : node.step);
    if (shown) this.text.replaceChildren(...tokens.map(token));
    else write(this.text, text);
    this.formulas.hidden = !shown || !hasFormulas(text); // tokens are told apart only as they were written
    if (!this.formulas.hidden) write(this.formulas, text);
    const missing = wanted && !shown ? known?.missing ?? "" : "";
    this.missing.hidden = !missing;
    this.missing.textContent = missing ? `No log-probabilities of tokens: ${line(missing, 200)}` : "";
  }

  toggle() {
    this.wanted = !this.wanted;
    localStorage.setItem(REMEMBERED, this.wanted ? "on" : "off");
    this.shade.setAttribute("aria-pressed", String(this.wanted));
    this.draw();
    if (this.wanted && !this.known?.tokens.length) this.find(this.key);
  }

  async copyPrefix() {
    await navigator.clipboard?.writeText(this.node.steps.join(""));
    this.copy.replaceChildren(icon("check"));
    setTimeout(() => this.copy.replaceChildren(icon("copy")), 1200);
  }
}

/** The tokens of a step without those of the thought before it, which is shown apart. */
function afterThought(tokens, thought) {
  let place = 0;
  return tokens.filter(({ text }) => (place += text.length) > thought.length);
}

function token({ text, logprob }) {
  const doubt = Math.min(1, Math.max(0, (logprob - SURE) / (DOUBT - SURE)));
  const said = text === "\n" ? "\u21b5" : visible(text.replaceAll("\n", "\u21b5"));
  return el("span", {
    class: doubt ? "lab-token is-doubtful" : "lab-token",
    style: doubt ? { "--lab-doubt": `${Math.round(14 + 66 * doubt)}%` } : null,
    title: `log p ${number(logprob, 3)}, p ${percent(Math.exp(logprob))}`,
    text: said,
  });
}
