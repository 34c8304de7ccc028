/**
 * What colours, shapes, badges and lines of the tree mean: the scale of what is coloured by, always
 * in sight, and everything else on a sheet that opens.
 */

import { gradient, indexOf, STEPS } from "./colour.js";
import { MODES } from "./colour_by.js";
import { el, icon } from "./dom.js";
import { FLAGS, drawMark } from "./marks.js";

const F = FLAGS;
const SHAPES = [
  ["open", 0, "unfinished"], ["right", 0, "finished, right"], ["wrong", 0, "finished, wrong"],
  ["finished", 0, "finished, no oracle answer"], ["dead", 0, "dead end"], ["root", 0, "the question"],
];
const HANDS = [
  ["open", F.overruled, "value overruled"], ["open", F.overruled | F.locked, "overruled and locked"],
  ["open", F.person, "step written by a person"], ["open", F.rollout, "kept from a roll-out"],
  ["open", F.struck | F.faded, "pruned"], ["open", F.faded, "below a pruned node"],
  ["open", F.markRight, "step marked right"], ["open", F.markWrong, "marked wrong"], ["open", F.markUnclear, "marked unclear"],
  ["finished", F.regraded, "answer judged by a person"], ["open", F.note, "has a note"], ["open", F.tags, "has tags"],
];
const LINES = [
  ["best", "path to the best answer"], ["search", "what was selected last"], ["chosen", "path to the selected node"],
  ["visits", "wider: more visits"], ["ghost", "steps of a roll-out"],
];
const OTHERS = "input, textarea, dialog, .lab-sheet, .lab-tour, [role=menu]"; // have an Escape of their own

export class Legend {
  /** @param {TreeView} view */
  constructor(view) {
    this.view = view;
    this.choice = el("select", { class: "lab-colour-by", "aria-label": "Colour by", title: "What the colour of a node says", on: { change: () => view.colouring.choose(this.choice.value) } },
      ...Object.entries(MODES).map(([name, mode]) => el("option", { value: name, text: mode.name })));
    this.low = el("span", {});
    this.high = el("span", {});
    this.needle = el("b", { class: "lab-scale-needle", hidden: true });
    this.ramp = el("i", { class: "lab-scale-ramp" }, this.needle);
    this.swatches = el("span", { class: "lab-scale-kinds" });
    this.more = el("button", { type: "button", class: "lab-tool", title: "What the marks mean (K)", "aria-label": "What the marks mean", "aria-expanded": "false", on: { click: () => this.toggle() } }, icon("legend"));
    this.element = el("div", { class: "lab-legend" },
      el("label", { class: "lab-scale" }, el("span", { class: "lab-scale-name", text: "colour" }), this.choice),
      el("div", { class: "lab-scale" }, this.low, this.ramp, this.high, this.swatches), this.more);
    this.sheet = el("section", { class: "lab-legend-sheet", hidden: true, "aria-label": "Legend" },
      this.part("What became of it", SHAPES), this.part("What was done to it", HANDS),
      el("div", {}, el("h3", { text: "Lines" }), ...LINES.map(([kind, name]) => el("p", { class: "lab-line" }, el("i", { class: `is-${kind}` }), el("span", { text: name })))),
      el("p", { class: "lab-muted", text: "A larger node has more visits. Where rows are closer than pixels, a strip shows the most visited node of each pixel." }));
    view.element.addEventListener("mode", () => this.draw());
    view.element.addEventListener("hovered", () => this.point());
    view.store.addEventListener("selected", () => this.point());
    view.store.addEventListener("changed", () => this.draw());
  }

  part(title, rows) {
    return el("div", {}, el("h3", { text: title }), ...rows.map(([kind, flags, name]) =>
      el("p", {}, el("canvas", { class: "lab-mark", width: "56", height: "56", data: { kind, flags } }), el("span", { text: name }))));
  }

  toggle() {
    const open = this.sheet.hidden;
    this.sheet.hidden = !open;
    this.more.setAttribute("aria-expanded", String(open));
    this.closing?.abort();
    if (!open) return;
    this.paint();
    this.listen();
  }

  /** While it is open, Escape closes it before anything else of the tree, and so does a press outside. */
  listen() {
    this.closing = new AbortController();
    const options = { capture: true, signal: this.closing.signal };
    document.addEventListener("pointerdown", ({ target }) => {
      if (![this.sheet, this.element].some((part) => part.contains(target))) this.toggle();
    }, options);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.target.closest?.(OTHERS)) return;
      event.preventDefault();
      event.stopPropagation();
      if (this.sheet.contains(document.activeElement)) this.more.focus();
      this.toggle();
    }, options);
  }

  draw() {
    const { colouring } = this.view;
    const { mode, range } = colouring;
    this.choice.value = colouring.name;
    this.choice.title = mode.title;
    for (const part of [this.low, this.high, this.ramp]) part.hidden = !mode.of;
    this.swatches.hidden = Boolean(mode.of);
    if (mode.of) {
      this.low.textContent = mode.say(range.low);
      this.high.textContent = mode.say(range.high);
      this.ramp.style.background = gradient(mode.map);
    } else if (this.view.painter.theme) {
      this.drawKinds();
    }
    this.point();
    if (!this.sheet.hidden) this.paint();
  }

  drawKinds() {
    const print = `${this.view.colouring.name} ${this.view.painter.theme.ground}`;
    if (print === this.print) return;
    this.print = print;
    const kinds = SHAPES.slice(0, 5).map(([kind, , name], index) => {
      const canvas = el("canvas", { class: "lab-mark", width: "56", height: "56" });
      this.mark(canvas, kind, 0, this.view.painter.palette[index]);
      return el("span", { class: "lab-scale-kind" }, canvas, el("span", { text: name.replace("finished, ", "").replace("no oracle answer", "finished") }));
    });
    this.swatches.replaceChildren(...kinds);
  }

  /** Show on the scale where the hovered or selected node stands. */
  point() {
    const { colouring, store, hovered } = this.view;
    const node = store.nodes.get(hovered ?? store.selected);
    const value = node && colouring.mode.of ? colouring.mode.of(node) : null;
    this.needle.hidden = value === null || value === undefined;
    if (!this.needle.hidden) this.needle.style.left = `${(100 * indexOf(value, colouring.range)) / STEPS}%`;
  }

  /** Draw the marks in the theme's colours, and what became of a node in those that say so. */
  paint() {
    const { theme, palette } = this.view.painter;
    if (!theme) return;
    const kinds = this.view.colouring.mode.of ? [] : SHAPES.map(([kind]) => kind);
    for (const canvas of this.sheet.querySelectorAll("canvas")) {
      const { kind, flags } = canvas.dataset;
      const plain = { css: theme.faint, dark: false };
      this.mark(canvas, kind, Number(flags), (flags === "0" && palette[kinds.indexOf(kind)]) || plain);
    }
  }

  mark(canvas, kind, flags, fill) {
    const context = canvas.getContext("2d");
    context.setTransform(2, 0, 0, 2, 0, 0);
    context.clearRect(0, 0, 28, 28);
    drawMark(context, { kind, flags, fill }, 14, 14, 6.6, this.view.painter.theme);
  }
}
