/** The final answers found so far: how often, with what weight, right or wrong; and the best trace. */

import { colour } from "./colour.js";
import { el } from "./dom.js";
import { line, number } from "./text.js";

export class Answers {
  constructor(store) {
    this.store = store;
    this.element = el("div", { class: "lab-answers" });
    store.addEventListener("changed", () => this.draw());
  }

  /** It has come into view. */
  shown() {
    this.draw();
  }

  draw() {
    const tree = this.store.tree;
    if (this.element.hidden) return;
    if (!tree) {
      this.element.replaceChildren(hint());
      return;
    }
    this.element.replaceChildren(...[this.question(tree), this.votes(tree), this.trace(tree)].filter(Boolean));
  }

  question(tree) {
    return el("section", { class: "lab-section" },
      el("h3", { text: "Problem" }),
      el("p", { class: "lab-question", text: line(tree.question, 1200) }),
      tree.gold === null || tree.gold === undefined ? null : el("p", { class: "lab-muted" },
        el("span", { text: "oracle answer " }), el("b", { text: line(tree.gold, 120) })));
  }

  votes(tree) {
    const answers = [...(tree.answers ?? [])].sort((a, b) => b.weight - a.weight);
    const most = Math.max(...answers.map((answer) => answer.weight), 1e-9);
    const content = answers.length
      ? answers.slice(0, 12).map((answer) => this.vote(answer, most))
      : [el("p", { class: "lab-empty", text: "No path has reached an answer yet." })];
    return el("section", { class: "lab-section" },
      el("h3", { text: "Answers", title: "Distinct final answers; the weight is the sum of the values V of the finished nodes that give it" }),
      ...content);
  }

  vote(answer, most) {
    const kind = answer.correct === true ? "right" : answer.correct === false ? "wrong" : "open";
    return el("button", {
      class: `lab-vote is-${kind}`, type: "button",
      title: `${answer.count} finished node(s), weight ${number(answer.weight, 3)} = sum of their V`,
      on: { click: () => this.store.select(answer.node) },
    },
      el("span", { class: "lab-vote-answer", text: line(answer.answer, 40) }),
      el("span", { class: "lab-vote-track" }, el("i", { style: { width: `${(100 * answer.weight) / most}%` } })),
      el("span", { class: "lab-vote-weight", text: number(answer.weight) }),
      el("span", { class: "lab-vote-count", text: `${answer.count}×` }),
      el("span", { class: `lab-chip is-${kind}`, text: kind === "open" ? "" : kind }));
  }

  trace(tree) {
    const ids = (tree.best_path ?? []).filter((id) => id !== 0 && this.store.nodes.has(id));
    if (!ids.length) return null;
    return el("section", { class: "lab-section" },
      el("h3", { text: "Best path", title: "Steps to the node with the best answer, each with its value V" }),
      el("ol", { class: "lab-path" }, ...ids.map((id) => this.step(this.store.nodes.get(id)))));
  }

  step(node) {
    return el("li", {}, el("button", { type: "button", on: { click: () => this.store.select(node.id) } },
      el("i", { class: "lab-swatch", style: { background: colour(node.value, this.store.range) } }),
      el("span", { class: "lab-path-step", text: line(node.step, 400) }),
      el("span", { class: "lab-path-value", text: number(node.value) })));
  }
}

function hint() {
  return el("section", { class: "lab-section" },
    el("h3", { text: "Answers" }),
    el("p", { class: "lab-empty", text: "Answers and their votes appear here. Click a node of the tree for its value, its selection score and where it comes from." }));
}
