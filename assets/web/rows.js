/**
 * A list of any length: only the rows that can be seen are in the document, and only pages of them
 * are asked for. Rows are of one height. Keys walk, Enter opens.
 */

import { el } from "./dom.js";

const PAGE = 100;
const BEYOND = 6; // rows drawn above and below what is seen

export class Rows {
  /**
   * @param {object} does
   * @param {(offset: number, limit: number) => Promise<{rows: object[], total: number}>} does.fetch
   * @param {(row: object, index: number) => HTMLElement} does.draw
   * @param {(row: object, index: number) => void} does.open
   * @param {(error: string) => void} does.fail
   * @param {string} label for screen readers
   */
  constructor(does, label) {
    this.does = does;
    this.body = el("div", { class: "lab-rows-body" });
    this.element = el("div", { class: "lab-rows", tabindex: "0", role: "listbox", "aria-label": label }, this.body);
    this.clear();
    this.element.addEventListener("scroll", () => this.draw());
    this.element.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => this.click(event));
    this.body.addEventListener("pointerdown", () => this.hold());
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  clear() {
    this.pages = new Map();
    this.asking = new Map();
    this.total = null;
    this.current = 0;
    this.life = (this.life ?? 0) + 1;
    this.body.replaceChildren();
  }

  /** Show another list from its start. */
  reset() {
    this.clear();
    this.element.scrollTop = 0;
    return this.load(0);
  }

  /** Ask again for what is seen; what is further away when it comes into view. */
  refresh() {
    const [first, last] = this.span();
    for (const page of [...this.pages.keys()]) {
      if (page < Math.floor(first / PAGE) || page > Math.floor(last / PAGE)) this.pages.delete(page);
    }
    for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page++) this.load(page);
  }

  get height() {
    return parseFloat(getComputedStyle(this.element).getPropertyValue("--lab-row")) || 36;
  }

  /** The first and the last row within reach of the view. */
  span() {
    const { height, element } = this;
    const first = Math.max(0, Math.floor(element.scrollTop / height) - BEYOND);
    const last = Math.ceil((element.scrollTop + element.clientHeight) / height) + BEYOND;
    return [first, Math.max(first, Math.min(last, (this.total ?? 1) - 1))];
  }

  row(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  async load(page) {
    if (this.asking.has(page)) return this.asking.get(page);
    const asked = this.fetch(page, this.life);
    this.asking.set(page, asked);
    return asked;
  }

  async fetch(page, life) {
    let answer;
    try {
      answer = await this.does.fetch(page * PAGE, PAGE);
    } catch {
      answer = { error: "The lab does not answer. Trying again." };
    }
    if (life !== this.life) return;
    this.asking.delete(page);
    if (answer.error) {
      this.does.fail(answer.error);
      return;
    }
    this.pages.set(page, answer.rows);
    this.total = answer.total;
    this.draw();
  }

  /** No row is made anew between press and release: the press would be lost. */
  hold() {
    const gone = new AbortController();
    this.held = true;
    const release = () => {
      gone.abort();
      setTimeout(() => { this.held = false; this.draw(); }); // after the click
    };
    for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, release, { signal: gone.signal, capture: true });
  }

  draw() {
    if (this.total === null || this.held || !this.element.isConnected) return;
    const { height } = this;
    this.body.style.height = `${this.total * height}px`;
    const [first, last] = this.span();
    const drawn = [];
    for (let index = first; index <= last && index < this.total; index++) {
      const row = this.row(index);
      if (row) drawn.push(this.item(row, index, height));
      else if (!this.pages.has(Math.floor(index / PAGE))) this.load(Math.floor(index / PAGE));
    }
    this.body.replaceChildren(...drawn);
  }

  item(row, index, height) {
    const item = this.does.draw(row, index);
    item.id = `lab-row-${index}`;
    item.dataset.index = index;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", index === this.current);
    item.style.transform = `translateY(${index * height}px)`;
    return item;
  }

  click(event) {
    const item = event.target.closest("[data-index]");
    if (!item) return;
    this.go(Number(item.dataset.index));
    this.open();
  }

  open() {
    const row = this.row(this.current);
    if (row) this.does.open(row, this.current);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.element) return;
    const jump = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 1);
    const goal = {
      ArrowDown: this.current + 1, ArrowUp: this.current - 1, PageDown: this.current + jump, PageUp: this.current - jump,
      Home: 0, End: Infinity,
    }[event.key];
    if (goal !== undefined) this.go(goal);
    else if (event.key === "Enter") this.open();
    else return;
    event.preventDefault();
  }

  /** Make a row the current one, and bring it into view. */
  go(index) {
    this.current = Math.max(0, Math.min(index, (this.total ?? 1) - 1));
    const { element, height } = this;
    const top = this.current * height;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + height > element.scrollTop + element.clientHeight) element.scrollTop = top + height - element.clientHeight;
    element.setAttribute("aria-activedescendant", `lab-row-${this.current}`);
    this.draw();
  }
}
