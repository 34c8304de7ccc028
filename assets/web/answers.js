/** The final answers found so far: how often, with what share of the votes, right or wrong; and the
 * best trace to the one that is picked, or to the best of all.
 */

import { colour } from "./colour.js";
import { el } from "./dom.js";
import { write } from "./math.js";
import { prunedAnswers } from "./store.js";
import { block, count, line, number, percent } from "./text.js";

const LONGEST = 4000; // characters of a tooltip
const SPELLINGS = 5; // of an answer, in a tooltip

export class Answers {
  constructor(store) {
    this.store = store;
    this.picked = null; // an answer
    this.list = el("div", { class: "lab-votes", role: "group", "aria-label": "Answers", on: { click: ({ target }) => this.pick(target.closest(".lab-vote")) } });
    this.number = el("span", { class: "lab-muted" });
    this.tie = el("p", { class: "lab-muted lab-tie", hidden: true });
    this.votes = el("section", { class: "lab-section" },
      el("h3", { title: "Distinct final answers, however they are spelled; a vote weighs the value V of the finished node that gives it" }, el("span", { text: "Answers" }), this.number), this.tie, this.list);
    this.element = el("div", { class: "lab-answers" });
    store.addEventListener("opened", () => this.forget());
    store.addEventListener("changed", () => this.draw());
  }

  forget() {
    this.picked = this.print = null;
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
    this.drawVotes(tree.answers ?? []);
    this.tie.hidden = !tree.tie;
    this.tie.textContent = tree.tie ? `${line(tree.tie.words, 400)}.` : "";
    const parts = [this.question(tree), this.votes, this.trace(tree)].filter(Boolean);
    // The list stays where it is, so that it stays scrolled to where it was.
    if (this.votes.parentElement !== this.element) this.element.replaceChildren(...parts);
    else {
      for (const old of [...this.element.children]) if (old !== this.votes) old.remove();
      this.votes.before(parts[0]);
      this.votes.after(...parts.slice(2));
    }
  }

  question(tree) {
    return el("section", { class: "lab-section" },
      el("h3", { text: "Problem" }),
      write(el("p", { class: "lab-question" }), line(tree.question, 1200)),
      tree.gold === null || tree.gold === undefined ? null : el("p", { class: "lab-muted" },
        el("span", { text: "oracle answer " }), el("b", { text: line(tree.gold, 120), title: whole(tree.gold, 120) })));
  }

  /** All of them, made anew only where they differ from those that are shown. */
  drawVotes(found) {
    const pruned = found.length ? 0 : prunedAnswers(this.store.nodes);
    const print = JSON.stringify([found, pruned]);
    if (print === this.print) return;
    this.print = print;
    const answers = found; // heaviest first
    if (!answers.some((one) => one.answer === this.picked)) this.picked = null;
    this.answers = answers;
    const total = answers.reduce((sum, one) => sum + one.weight, 0);
    const most = Math.max(...answers.map((one) => one.weight), 1e-9);
    this.number.textContent = answers.length > 1 ? count(answers.length) : "";
    this.list.replaceChildren(...(answers.length
      ? answers.map((answer, place) => this.vote(answer, place, total, most))
      : [el("p", { class: "lab-empty", text: pruned ? `No answer is left: ${count(pruned)} finished ${pruned === 1 ? "solution is" : "solutions are"} pruned.` : "No path has reached an answer yet." })]));
  }

  vote(answer, place, total, most) {
    const kind = answer.correct === true ? "right" : answer.correct === false ? "wrong" : "open";
    const share = percent(total > 0 ? answer.weight / total : null);
    const ways = answer.spellings ?? [];
    const more = ways.length > SPELLINGS ? ` and in ${count(ways.length - SPELLINGS)} other ways` : "";
    const spelled = ways.length > 1 ? ` Spelled ${ways.slice(0, SPELLINGS).map((one) => line(one, 40)).join(", ")}${more}.` : "";
    return el("button", {
      class: `lab-vote is-${kind}`, type: "button", data: { place }, "aria-pressed": String(answer.answer === this.picked),
      title: `${count(answer.count)} finished ${answer.count === 1 ? "node" : "nodes"}, weight ${number(answer.weight, 3)} = sum of their V, ${share} of all votes.${spelled} Press for the best trace to it.`,
    },
      el("span", { class: "lab-vote-answer", text: line(answer.answer, 40) }),
      el("span", { class: "lab-vote-track" }, el("i", { style: { width: `${Math.max(0, (100 * answer.weight) / most)}%` } })),
      el("span", { class: "lab-vote-weight", text: share }),
      el("span", { class: "lab-vote-count", text: `${count(answer.count)}\u00d7` }),
      el("span", { class: `lab-chip is-${kind}`, text: kind === "open" ? "" : kind }));
  }

  pick(button) {
    if (!button) return;
    const { answer } = this.answers[Number(button.dataset.place)];
    this.picked = answer === this.picked ? null : answer;
    for (const one of this.list.children) one.setAttribute("aria-pressed", String(this.picked !== null && one === button));
    this.draw();
  }

  /** The way to the finished node of the largest V that gives an answer. */
  way({ best }) {
    const path = [];
    for (let here = this.store.nodes.get(best); here && here.parent !== null; here = this.store.nodes.get(here.parent)) path.unshift(here.id);
    return path;
  }

  trace(tree) {
    const picked = this.picked === null ? null : this.answers.find((one) => one.answer === this.picked);
    const ids = (picked ? this.way(picked) : tree.best_path ?? []).filter((id) => id !== 0 && this.store.nodes.has(id));
    if (!ids.length) return null;
    const title = picked
      ? el("h3", { text: `Best trace to ${line(picked.answer, 40)}`, title: "Steps to the finished node of the largest V that gives this answer" })
      : el("h3", { text: "Best path", title: "Steps to the node with the best answer, each with its value V" });
    return el("section", { class: "lab-section lab-trace" }, title, el("ol", { class: "lab-path" }, ...ids.map((id) => this.step(this.store.nodes.get(id)))));
  }

  step(node) {
    return el("li", {}, el("button", { type: "button", on: { click: () => this.store.select(node.id) } },
      el("i", { class: "lab-swatch", style: { background: colour(node.value, this.store.range) } }),
      write(el("span", { class: "lab-path-step" }), line(node.step, 400)),
      el("span", { class: "lab-path-value", text: number(node.value) })));
  }
}

/** A text for a tooltip where a line of `limit` characters does not hold it; else null. */
function whole(text, limit) {
  return line(text, limit) === line(text, LONGEST) ? null : block(text, LONGEST);
}

function hint() {
  return el("section", { class: "lab-section" },
    el("h3", { text: "Answers" }),
    el("p", { class: "lab-empty", text: "Answers and their votes appear here. Click a node of the tree for its value, its selection score and where it comes from." }));
}
