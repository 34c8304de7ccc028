/**
 * Everything known of the selected node, and why selection did or did not take it. Details come
 * from the server once per change; the note field is never replaced while someone writes in it.
 */

import { colour } from "./colour.js";
import { el } from "./dom.js";
import { register } from "./keys.js";
import { write } from "./math.js";
import { NodeEstimate } from "./node_estimate.js";
import { NoteField, TagField } from "./node_notes.js";
import { NodeReading } from "./node_reading.js";
import { NodeTokens } from "./node_tokens.js";
import { NodeValues } from "./node_values.js";
import { MARKS, mark } from "./store.js";
import { block, count, ending, line, number } from "./text.js";

const MAKERS = { policy: null, person: "written by a person", rollout: "kept from a roll-out" };

export class Inspector {
  /**
   * @param {Store} store
   * @param {object} ask server calls
   * @param {Steering} steering of the node
   * @param {RewardSection} reward of the node, and a person's verdict on it
   */
  constructor(store, ask, steering, reward) {
    Object.assign(this, { store, ask, steering, reward });
    this.detail = null;
    this.serial = 0;
    this.empty = el("p", { class: "lab-empty lab-section", text: "Click a node of the tree for its value, its selection score and where it comes from." });
    this.head = el("div", { class: "lab-inspector-body" });
    this.tokens = new NodeTokens(store, ask.tokens);
    this.reading = new NodeReading(store, ask.reading);
    this.figures = el("dl", { class: "lab-figures" });
    this.estimate = new NodeEstimate(store, ask.reward);
    this.values = new NodeValues(store, ask.value_history);
    this.why = el("div", { class: "lab-inspector-body" });
    this.more = el("div", { class: "lab-inspector-body" });
    this.note = new NoteField(store, ask.note);
    this.tags = new TagField(store, ask.tag);
    this.all = el("div", { hidden: true }, this.head, this.tokens.element, this.figures, this.estimate.element, steering.element, reward.element,
      this.why, this.values.element, this.more, this.reading.element, this.note.element, this.tags.element);
    this.element = el("div", { class: "lab-node" }, this.empty, this.all);
    store.addEventListener("selected", () => this.refresh());
    store.addEventListener("changed", ({ detail }) => detail.nodes && this.refresh());
    register("n", "Write a note on the selected node", () => {
      if (store.selected === null || this.element.closest("[hidden]")) return false;
      this.note.area.focus();
      return true;
    }, { group: "Steering" });
  }

  async refresh() {
    const { session, selected } = this.store;
    const serial = ++this.serial;
    if (selected === null) {
      this.detail = null;
      this.blank("Click a node of the tree for its value, its selection score and where it comes from.");
      return;
    }
    const detail = await this.ask.node({ session, node: selected }).catch(() => null);
    // A later click or update has asked again: only the newest answer counts.
    if (serial !== this.serial || session !== this.store.session) return;
    if (!detail || detail.error) {
      this.blank(line(detail?.error ?? "The lab does not answer.", 600));
      return;
    }
    this.detail = detail;
    this.draw();
  }

  blank(text) {
    this.empty.textContent = text;
    this.empty.hidden = false;
    this.all.hidden = true;
    this.reward.show(null);
  }

  draw() {
    const node = this.detail;
    const shown = (...parts) => parts.filter(Boolean);
    this.empty.hidden = true;
    this.all.hidden = false;
    this.head.replaceChildren(this.header(node));
    this.tokens.show(node);
    this.figures.replaceChildren(...this.numbers(node));
    this.estimate.show(node);
    this.steering.show(node);
    this.reward.show(node);
    this.why.replaceChildren(...shown(this.selection(node)));
    this.values.show(node);
    this.more.replaceChildren(...shown(this.verdict(node), this.path(node), this.origin(node)));
    this.reading.show(node);
    this.note.show(node.id, node.note);
    this.tags.element.hidden = false;
    this.tags.show(node);
  }

  header(node) {
    const kind = mark(node);
    return el(
      "header", { class: "lab-node-head" },
      el("h2", { text: node.parent === null ? "Root" : `Node ${node.id}` }),
      el("span", { class: "lab-muted", text: `depth ${node.depth}`, title: "Number of steps from the question to here" }),
      el("span", { class: `lab-chip is-${kind}`, text: kind === "open" ? "unfinished" : kind === "dead" ? "dead end" : kind,
        title: MARKS[kind] }),
      MAKERS[node.made_by] ? el("span", { class: "lab-chip", text: MAKERS[node.made_by] }) : null,
      node.overruled === null || node.overruled === undefined ? null : el("span", { class: "lab-chip is-overruled", text: node.locked ? "overruled, locked" : "overruled" }),
      node.hidden ? el("span", { class: "lab-chip is-pruned", text: "pruned" }) : null,
      node.best_path ? el("span", { class: "lab-chip is-best", text: "best path", title: "On the path to the node with the best answer" }) : null,
    );
  }

  numbers(node) {
    const range = this.store.range;
    return [
      figure("V", number(node.value, 3), "Value V: the PRM's value, moved by roll-outs and visit-weighted backups of the nodes below",
        el("i", { class: "lab-swatch", style: { background: colour(node.value, range) } })),
      figure("visits n", count(node.visits), "n: how often backups passed through this node"),
      figure("PRM", number(node.prm, 3), "What the process reward model said of this prefix, before roll-outs and backups", el("i", { class: "is-prm" })),
      this.estimate.cell,
    ];
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
    const steps = (node.shown_steps ?? node.steps).slice(-ids.length);
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
        write(el("span", { class: "lab-path-step" }), block(step, 1500)),
        el("span", { class: "lab-path-value", text: number(value) })));
  }

  origin(node) {
    if (node.parent === null) return null;
    const origin = node.origin ?? {};
    return section("Origin", "",
      facts([
        ["expanded", `${count(node.expansions)}×`, "How many times children were asked for here and came"],
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
