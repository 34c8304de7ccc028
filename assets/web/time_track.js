/**
 * The line of the timeline: iterations as ticks, a person's acts as marks, the value and verdict of
 * the winning answer as an area, and where one is. It knows frames and pixels, nothing else.
 */

import { el } from "./dom.js";

const BY_A_PERSON = new Set(["noted", "marked", "regraded", "overruled", "pruned", "added", "parameters_changed", "models_chosen", "tagged"]);
const SIDE = 7; // pixels left and right of the line
const TICKS = 4; // pixels between ticks that can still be told apart

export class TimeTrack {
  /**
   * @param {Frames} frames
   * @param {{go: (place: number) => void, key: (event: KeyboardEvent) => void}} on
   */
  constructor(frames, on) {
    Object.assign(this, { frames, on });
    this.seen = 0;
    this.first = null;
    this.acts = [];
    this.answers = [];
    this.states = []; // {place, value, correct, found}
    this.canvas = el("canvas", { class: "lab-time-canvas" });
    this.thumb = el("i", { class: "lab-time-thumb" });
    this.element = el("div", {
      class: "lab-time-track", role: "slider", tabindex: "0", "aria-label": "Time: arrow keys step by event, Page Up and Down by iteration", "aria-valuemin": "1", "aria-valuemax": "1", "aria-valuenow": "1",
      title: "Drag to see the tree as it was. Ticks: iterations. Triangles: what a person did. Area: V of the winning answer, green and full where it is right.",
      on: { pointerdown: (event) => this.press(event), keydown: (event) => this.on.key(event) },
    }, this.canvas, this.thumb);
    new ResizeObserver(() => this.draw()).observe(this.element);
    document.addEventListener("lab-theme", () => this.draw());
  }

  /** @param {number | null} place null: now. @param {string} words what is there */
  show(place, words) {
    const { frames, element } = this;
    if (this.take()) this.draw();
    const at = place ?? frames.length - 1;
    this.thumb.style.transform = `translateX(${this.x(at)}px)`;
    this.thumb.classList.toggle("is-now", place === null);
    element.setAttribute("aria-valuemax", String(frames.length));
    element.setAttribute("aria-valuenow", String(at + 1));
    element.setAttribute("aria-valuetext", `event ${at + 1}, ${words}`);
  }

  /** Look at frames that are new; whether there were any. */
  take() {
    const { list } = this.frames;
    if (this.first !== list[0] || list.length < this.seen) {
      [this.seen, this.acts, this.answers, this.states, this.first] = [0, [], [], [], list[0]];
    }
    const news = list.length > this.seen;
    for (; this.seen < list.length; this.seen++) this.look(list[this.seen], this.seen);
    return news;
  }

  look(frame, place) {
    if (BY_A_PERSON.has(frame.kind)) this.acts.push(place);
    const answered = frame.kind === "answered" ? frame.nodes.find((node) => node.answer !== undefined && node.answer !== null) : null;
    if (answered) this.answers.push({ place, correct: answered.correct ?? null });
    if (!("answer" in frame || "correct" in frame || "value" in frame)) return;
    const before = this.states[this.states.length - 1] ?? { value: 0, correct: null, answer: null };
    const { value = before.value, correct = before.correct, answer = before.answer } = frame;
    this.states.push({ place, value, correct, answer });
  }

  x(place) {
    const wide = this.element.clientWidth - 2 * SIDE;
    return SIDE + (wide * place) / Math.max(1, this.frames.length - 1);
  }

  press(event) {
    if (event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    const seek = ({ clientX }) => {
      const box = this.element.getBoundingClientRect();
      const share = (clientX - box.left - SIDE) / Math.max(1, box.width - 2 * SIDE);
      this.on.go(Math.round(Math.min(1, Math.max(0, share)) * (this.frames.length - 1)));
    };
    const up = () => {
      this.element.removeEventListener("pointermove", seek);
      this.element.removeEventListener("pointerup", up);
      this.element.removeEventListener("pointercancel", up);
    };
    this.element.addEventListener("pointermove", seek);
    this.element.addEventListener("pointerup", up);
    this.element.addEventListener("pointercancel", up);
    seek(event);
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    const resized = this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio);
    if (resized) Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    const context = this.canvas.getContext("2d");
    const style = getComputedStyle(this.element);
    const theme = (name) => style.getPropertyValue(`--lab-${name}`).trim();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.drawAnswer(context, theme, height);
    this.drawTicks(context, theme, height);
    this.drawAnswers(context, theme, height);
    this.drawActs(context, theme);
    if (resized) this.thumb.style.transform = `translateX(${this.x(this.frames.length - 1)}px)`;
  }

  /** V of the winning answer, as an area; full where it is right, hatched where it is wrong. */
  drawAnswer(context, theme, height) {
    const most = Math.max(1, ...this.states.map((state) => state.value));
    const [floor, room] = [height - 9, height - 18];
    const hatched = hatch(context, theme("wrong"));
    this.states.forEach((state, k) => {
      if (state.answer === null) return;
      const [left, right] = [this.x(state.place), this.x(this.states[k + 1]?.place ?? this.frames.length - 1)];
      const tall = Math.max(2, (room * Math.max(0, state.value)) / most);
      context.globalAlpha = state.correct === null ? 0.5 : state.correct ? 0.45 : 0.75;
      context.fillStyle = state.correct === true ? theme("right") : state.correct === false ? hatched : theme("ink-3");
      context.fillRect(left, floor - tall, Math.max(0.6, right - left), tall);
    });
    context.globalAlpha = 1;
  }

  drawTicks(context, theme, height) {
    const { starts, length } = this.frames;
    context.fillStyle = theme("line-2");
    context.fillRect(SIDE, height - 9, this.x(length - 1) - SIDE, 1);
    context.fillStyle = theme("ink-3");
    let last = -Infinity;
    const every = spacing(starts.length, (this.x(length - 1) - SIDE) / TICKS);
    starts.forEach((start, k) => {
      const x = this.x(start);
      if (k % every || x - last < 2) return;
      last = x;
      const tall = (k / every) % 10 === 0 ? 6 : 3;
      context.fillRect(x, height - 8, 1, tall);
    });
  }

  drawAnswers(context, theme, height) {
    for (const { place, correct } of this.answers) {
      const x = this.x(place);
      context.fillStyle = correct === true ? theme("right") : correct === false ? theme("wrong") : theme("ink-3");
      if (correct === true) context.fillRect(x - 0.8, height - 16, 1.6, 7);
      else context.fillRect(x - 0.6, height - 12, 1.2, 3);
    }
  }

  drawActs(context, theme) {
    context.fillStyle = theme("accent");
    for (const place of this.acts) {
      const x = this.x(place);
      context.beginPath();
      context.moveTo(x - 4, 1);
      context.lineTo(x + 4, 1);
      context.lineTo(x, 8);
      context.fill();
    }
  }
}

/** Every how many-th tick to draw so that at most so many are: 1, 2, 5, 10, 20 ... */
function spacing(ticks, most) {
  let every = 1;
  for (const factor of [2, 2.5, 2, 2, 2.5, 2, 2, 2.5, 2]) {
    if (ticks / every <= most) break;
    every *= factor;
  }
  return every;
}

function hatch(context, colour) {
  const tile = document.createElement("canvas");
  Object.assign(tile, { width: 5, height: 5 });
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 1.3;
  pen.beginPath();
  pen.moveTo(-1, 6);
  pen.lineTo(6, -1);
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
