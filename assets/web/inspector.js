/**
 * Everything known of the selected node, and why selection did or did not take it. Details come
 * from the server once per change; the note field is never replaced while someone writes in it.
 */

import { colour } from "./colour.js";
import { el, icon } from "./dom.js";
import { MARKS, mark } from "./store.js";
import { block, count, ending, line, number } from "./text.js";

export class Inspector {
  /**
   * @param {Store} store
   * @param {{node: Function, note: Function}} ask server calls
   * @param {RewardSection} reward of the node, and a person's verdict on it
   */
  constructor(store, ask, reward) {
    this.store = store;
    this.ask = ask;
    this.reward = reward;
    this.detail = null;
    this.serial = 0;
    this.body = el("div", { class: "lab-inspector-body" });
    this.note = new NoteField(store, ask.note);
    this.more = el("div", { class: "lab-inspector-body" });
    this.element = el("div", { class: "lab-node" }, this.body, reward.element, this.more, this.note.element);
    store.addEventListener("selected", () => this.refresh());
    store.addEventListener("changed", ({ detail }) => detail.nodes && this.refresh());
  }

  async refresh() {
    const { session, selected } = this.store;
    const serial = ++this.serial;
    this.element.hidden = selected === null;
    if (selected === null) {
      this.reward.show(null);
      return;
    }
    const detail = await this.ask.node({ session, node: selected }).catch(() => null);
    // A later click or update has asked again: only the newest answer counts.
    if (serial !== this.serial || session !== this.store.session) return;
    if (!detail || detail.error) {
      this.body.replaceChildren(el("p", { class: "lab-empty", text: detail?.error ?? "The lab does not answer." }));
      this.more.replaceChildren();
      this.reward.show(null);
      return;
    }
    this.detail = detail;
    this.draw();
  }

  draw() {
    const node = this.detail;
    const shown = (...parts) => parts.filter(Boolean);
    this.body.replaceChildren(...shown(this.header(node), this.stepBox(node), this.figures(node)));
    this.reward.show(node);
    this.more.replaceChildren(...shown(this.selection(node), this.verdict(node), this.path(node), this.origin(node)));
    this.note.show(node.id, node.note);
  }

  header(node) {
    const kind = mark(node);
    return el(
      "header", { class: "lab-node-head" },
      el("h2", { text: node.parent === null ? "Root" : `Node ${node.id}` }),
      el("span", { class: "lab-muted", text: `depth ${node.depth}`, title: "Number of steps from the question to here" }),
      el("span", { class: `lab-chip is-${kind}`, text: kind === "open" ? "unfinished" : kind === "dead" ? "dead end" : kind,
        title: MARKS[kind] }),
      node.best_path ? el("span", { class: "lab-chip is-best", text: "best path", title: "On the path to the node with the best answer" }) : null,
    );
  }

  stepBox(node) {
    if (node.parent === null) {
      return el("div", { class: "lab-step is-question", text: block(this.store.tree?.question ?? "") });
    }
    const copy = el("button", {
      class: "lab-copy", type: "button", title: "Copy the whole prefix", "aria-label": "Copy the whole prefix",
      on: { click: () => navigator.clipboard?.writeText(node.steps.join("")) },
    }, icon("copy"));
    return el("div", { class: "lab-step" }, el("span", { text: block(node.step) }), copy);
  }

  figures(node) {
    const range = this.store.range;
    return el(
      "dl", { class: "lab-figures" },
      figure("V", number(node.value, 3), "Value V: the PRM's value, moved by roll-outs and visit-weighted backups of the nodes below",
        el("i", { class: "lab-swatch", style: { background: colour(node.value, range) } })),
      figure("visits n", count(node.visits), "n: how often backups passed through this node"),
      figure("PRM", number(node.prm, 3), "What the process reward model said of this prefix, before roll-outs and backups"),
      figure("expanded", `${count(node.expansions)}×`, "How many times children were asked for here and came"),
    );
  }

  selection(node) {
    const selection = node.selection;
    if (!selection?.scores?.length) return null;
    const most = Math.max(...selection.scores.map((score) => score.total), 1e-9);
    const self = selection.scores.find((score) => score.self);
    return section(
      "Selection score",
      "Selection takes the child with the greatest V + c·√(2 ln N / n); a child without visits gets V + bonus. Present values.",
      this.formula(selection, self),
      el("div", { class: "lab-bars" }, ...this.rivals(selection.scores).map((score) => this.bar(score, most))),
      el("p", { class: "lab-key" },
        el("i", { class: "lab-key-value", style: { background: colour(0.62 * this.store.range.high, this.store.range) } }), el("span", { text: "V" }),
        el("i", { class: "lab-key-exploration" }), el("span", { text: "exploration" })),
    );
  }

  /** The best scores, and in any case the node's own. */
  rivals(scores) {
    const ranked = [...scores].sort((a, b) => b.total - a.total);
    return ranked.filter((score, place) => place < 7 || score.self);
  }

  formula(selection, self) {
    if (!self) return null;
    const { c, bonus, parent_visits: visits } = selection;
    const [symbols, terms] = self.visits
      ? ["V + c·√(2 ln N / n)", `${number(c, 2)}·√(2 ln ${visits} / ${self.visits})`]
      : ["V + bonus", number(bonus, 2)];
    const numbers = `= ${number(self.value, 3)} + ${terms} = ${number(self.total, 3)}`;
    const how = self.visits
      ? `V + c·√(2 ln N / n), with c = ${c}, the parent's visits N = ${visits}, this node's visits n = ${self.visits}`
      : `V + bonus: this node has no visits, so its exploration term is the fixed bonus ${bonus}`;
    return el("p", { class: "lab-formula", title: how }, el("span", { text: symbols }), el("span", { text: numbers }));
  }

  bar(score, most) {
    const share = (part) => `${(100 * Math.max(0, part)) / most}%`;
    const known = this.store.nodes.get(score.node);
    return el(
      "button", {
        class: `lab-bar${score.self ? " is-self" : ""}`, type: "button",
        title: `node ${score.node}: V ${number(score.value, 3)} + exploration ${number(score.exploration, 3)} = ${number(score.total, 3)}, n ${score.visits}\n${line(score.step ?? known?.step, 300)}`,
        on: { click: () => this.store.select(score.node) },
      },
      el("span", { class: "lab-bar-name", text: ending(score.step ?? known?.step, 21) }),
      el("span", { class: "lab-bar-track" },
        el("i", { style: { width: share(score.value), background: colour(score.value, this.store.range) } }),
        el("i", { class: "is-exploration", style: { width: share(score.exploration) } })),
      el("span", { class: "lab-bar-total", text: number(score.total, 3) }),
    );
  }

  verdict(node) {
    const rows = [];
    if (node.answer !== null && node.answer !== undefined) {
      const outcome = node.correct === true ? "right" : node.correct === false ? "wrong" : "no oracle answer";
      rows.push(["answer", line(node.answer, 200), "The final answer read from this node's solution", outcome]);
    }
    if (node.verdict && node.verdict !== "unknown") {
      const how = node.verdict_source ? ` (${node.verdict_source.replaceAll("_", " ")})` : "";
      rows.push(["self-critic", `${node.verdict}${how}`, "The policy's own verdict: is the solution complete?"]);
    }
    if (node.verdict_probability !== null && node.verdict_probability !== undefined) {
      rows.push(["P(end)", number(node.verdict_probability, 3), "Probability of the verdict “end”, read from the policy's logits"]);
    }
    if (node.analysis) rows.push(["analysis", block(node.analysis, 1500), "The textual critic's words, fed to the next expansion"]);
    if (node.summary) rows.push(["summary", block(node.summary, 800), "The summary the answer was read from"]);
    if (node.closed) rows.push(["closed", "by the end gate", "Selection does not go here again: its value met the end gate"]);
    return rows.length ? section("Verdict", "", facts(rows)) : null;
  }

  path(node) {
    const ids = this.store.pathTo(node.id).slice(1);
    if (!ids.length) return null;
    const steps = node.steps.slice(-ids.length);
    return section(
      "Prefix", "All steps from the question to this node, each with its present value V",
      el("ol", { class: "lab-path" }, ...ids.map((id, k) => this.pathRow(id, steps[k], id === node.id))),
    );
  }

  pathRow(id, step, self) {
    const value = this.store.nodes.get(id)?.value ?? 0;
    return el("li", {},
      el("button", { type: "button", class: self ? "is-self" : "", title: `Node ${id}: V ${number(value, 3)}`, on: { click: () => this.store.select(id) } },
        el("i", { class: "lab-swatch", style: { background: colour(value, this.store.range) } }),
        el("span", { class: "lab-path-step", text: block(step, 1500) }),
        el("span", { class: "lab-path-value", text: number(value) })));
  }

  origin(node) {
    if (node.parent === null) return null;
    const origin = node.origin ?? {};
    return section("Origin", "",
      facts([
        ["slot, attempt", `${node.slot}, ${node.attempt}`, "With the seed and the prefix this addresses the random numbers the step was sampled with"],
        ["seed", String(origin.seed ?? "–"), "Seed of the search"],
        ["temperature", number(origin.temperature, 2), "Sampling temperature T of the policy"],
        ["tokens", count(node.tokens), "Length of the step in the policy's tokens"],
        ["log p", number(node.logprob, 2), "Natural logarithm of the step's probability under the policy, summed over its tokens"],
        ["iteration", count(node.iteration), "In which iteration the node was created"],
        ["policy", line(origin.policy, 60), "Model that wrote the step"],
        ["PRM", line(origin.prm, 60), "Process reward model that valued it"],
      ]));
  }
}

/** A person's words on the node, kept when the field is left. */
class NoteField {
  constructor(store, save) {
    this.store = store;
    this.save = save;
    this.node = null;
    this.kept = "";
    this.area = el("textarea", { rows: "2", placeholder: "Write a note on this node", "aria-label": "Note", on: { blur: () => this.keep() } });
    this.state = el("span", { class: "lab-muted" });
    this.element = el("section", { class: "lab-section lab-note" }, el("h3", {}, el("span", { text: "Note" }), this.state), this.area);
  }

  show(node, text) {
    const writing = document.activeElement === this.area;
    if (node === this.node && (writing || text === this.kept)) return;
    if (node !== this.node) this.keep();
    [this.node, this.kept, this.session] = [node, text ?? "", this.store.session];
    this.area.value = this.kept;
    this.state.textContent = "";
  }

  async keep() {
    const text = this.area.value;
    if (this.node === null || text === this.kept) return;
    this.kept = text;
    const node = this.node;
    const answer = await this.save({ session: this.session, node, text }).catch(() => ({ error: "not saved: the lab does not answer" }));
    if (node === this.node) this.state.textContent = answer?.error ?? "saved";
  }
}

function figure(name, value, title, extra = null) {
  return el("div", { title }, el("dt", { text: name }), el("dd", {}, extra, el("span", { text: value })));
}

function section(name, title, ...content) {
  return el("section", { class: "lab-section" }, el("h3", { text: name, title }), ...content);
}

function facts(rows) {
  return el("dl", { class: "lab-facts" }, ...rows.flatMap(([name, value, title, chip]) => [
    el("dt", { text: name, title }),
    el("dd", { title }, el("span", { text: value }), chip ? el("span", { class: `lab-chip is-${chip.split(" ")[0]}`, text: chip }) : null),
  ]));
}
