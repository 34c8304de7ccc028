/**
 * A person's verdict on a step and on an answer: buttons whose state is pressed, and below them what
 * a press changes. Text of the tree goes in as text only.
 */

import { el } from "./dom.js";
import { block, count, line, number } from "./text.js";

const STEP = [["right", "Right"], ["wrong", "Wrong"], ["unclear", "Unclear"]];
const ANSWER = [[true, "Right"], [false, "Wrong"], [null, "Oracle"]];
const SHOWN = 2; // changes told beside their number
const WAIT = 140; // milliseconds that a pointer rests on a button before what it would change is asked for

export class VerdictButtons {
  /**
   * @param {object} does
   * @param {(verdict: object) => void} does.press {node, mark} or {node, correct}
   * @param {(verdict: object) => Promise<object>} [does.preview] what it would change
   * @param {(verdict: object) => void} [does.reason] another reason for a mark, {node, mark, reason}
   */
  constructor(does) {
    this.does = does;
    this.node = null;
    this.serial = 0;
    this.marks = STEP.map(([mark, text]) => this.button(text, "mark", mark));
    this.grades = ANSWER.map(([correct, text]) => this.button(text, "correct", correct));
    this.reason = el("input", { type: "text", class: "lab-reason", placeholder: "Reason, if you like", "aria-label": "Reason for the mark", maxlength: "10000",
      on: { change: () => this.keepReason(), keydown: (event) => event.key === "Enter" && this.reason.blur() } });
    this.answer = el("span", { class: "lab-verdict-name" });
    this.step = el("div", { class: "lab-verdict-row", role: "group", "aria-label": "This step is" }, el("span", { class: "lab-verdict-name", text: "This step is" }), el("span", { class: "lab-verdict-choice" }, ...this.marks));
    this.grade = el("div", { class: "lab-verdict-row", role: "group", "aria-label": "Its answer is" }, this.answer, el("span", { class: "lab-verdict-choice" }, ...this.grades));
    this.effect = el("p", { class: "lab-effect", "aria-live": "polite" });
    this.error = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    this.element = el("div", { class: "lab-verdicts" }, this.step, does.reason ? this.reason : null, this.grade, this.effect, this.error);
  }

  button(text, kind, value) {
    const button = el("button", { type: "button", class: `lab-verdict is-${value}`, "aria-pressed": "false", text, data: { kind }, on: {
      click: () => this.press(kind, value),
      pointerenter: (event) => event.pointerType !== "touch" && this.foresee(kind, value, WAIT),
      focus: (event) => event.target.matches(":focus-visible") && this.foresee(kind, value, 0),
      pointerleave: () => this.look(),
      blur: () => this.look(),
    } });
    button.value = JSON.stringify(value);
    return button;
  }

  /**
   * @param {{id: number, parent: number | null, answer: string | null, mark: string, regraded: boolean | null, correct: boolean | null}} node as it stands, or is supposed
   * @param {string} [reason] of its mark
   */
  show(node, reason = "") {
    if (node.id !== this.node?.id) {
      this.told = null;
      this.say("");
      this.tell(null);
      this.reason.value = reason;
    } else if (document.activeElement !== this.reason && reason !== this.kept) {
      this.reason.value = reason;
    }
    this.kept = reason;
    this.node = node;
    const answered = node.answer !== null && node.answer !== undefined;
    this.step.hidden = this.reason.hidden = node.parent === null;
    this.grade.hidden = !answered;
    this.answer.textContent = answered ? `Answer ${line(node.answer, 24)} is` : "";
    for (const button of this.marks) button.setAttribute("aria-pressed", String(JSON.parse(button.value) === node.mark));
    for (const button of this.grades) button.setAttribute("aria-pressed", String(JSON.parse(button.value) === (node.regraded ?? null)));
    const oracle = { true: "right", false: "wrong" }[node.correct];
    this.grades[2].textContent = oracle ? `Oracle: ${oracle}` : "Not judged";
    this.grades[2].title = oracle ? "As the oracle says" : "There is no oracle answer to compare it with";
    this.element.hidden = node.parent === null && !answered;
  }

  /** Bring the buttons of a step, or of its answer, into view, with the focus on the first. */
  offer(answer) {
    const [first] = answer ? this.grades : this.marks;
    this.element.scrollIntoView({ block: "center" });
    first.focus({ preventScroll: true });
  }

  /** What a press would say: the same mark again takes it back. */
  verdict(kind, value) {
    const node = this.node.id;
    if (kind === "correct") return { node, correct: value };
    return { node, mark: value === this.node.mark ? "" : value };
  }

  /** @param {"mark" | "correct"} kind */
  press(kind, value) {
    this.look();
    if (kind === "correct" && value === (this.node.regraded ?? null)) return;
    this.does.press({ ...this.verdict(kind, value), reason: this.reason.value });
  }

  keepReason() {
    if (!this.does.reason || !this.node.mark || this.reason.value === this.kept) return;
    this.does.reason({ node: this.node.id, mark: this.node.mark, reason: this.reason.value });
  }

  /** Ask what a press would change, once the pointer rests. */
  foresee(kind, value, wait) {
    if (!this.does.preview) return;
    const serial = ++this.serial;
    clearTimeout(this.timer);
    if (kind === "correct" && value === (this.node.regraded ?? null)) return;
    this.timer = setTimeout(async () => {
      const answer = await this.does.preview(this.verdict(kind, value)).catch(() => null);
      if (serial === this.serial && answer && !answer.error) this.tell(answer, true);
    }, wait);
  }

  /** No press is looked at any more: show again what the last one changed. */
  look() {
    clearTimeout(this.timer);
    this.serial++;
    this.tell(this.told);
  }

  /** What a press changed, and stays told. */
  done(answer) {
    this.told = answer;
    this.tell(answer);
  }

  tell(answer, would = false) {
    this.effect.classList.toggle("is-preview", would);
    this.effect.replaceChildren(...(answer ? effect(answer, would) : [el("span", { class: "is-hint", text: "Rest on a button to see what it would change." })]));
  }

  say(error) {
    this.error.hidden = !error;
    this.error.textContent = error ? block(error, 800) : "";
  }
}

/** "5 rows change: node 2 0.67 → 0.06, ..." */
function effect(answer, would) {
  const one = answer.count === 1;
  const verb = would ? (one ? "row would change" : "rows would change") : one ? "row changed" : "rows changed";
  if (!answer.count) return [el("span", { text: would ? "No row would change" : "No row changed" })];
  const moved = answer.changes.slice(0, SHOWN).map((change) => `node ${change.node}: ${said(change.before)} \u2192 ${said(change.after)}`);
  return [
    el("b", { text: `${count(answer.count)} ${verb}` }),
    el("span", { text: moved.join("   ") + (answer.count > SHOWN ? "   \u2026" : "") }),
  ];
}

function said(value) {
  return value === null ? "none" : number(value, 2);
}
