import { el } from "./dom.js";

export class Lens {
  constructor() {
    this.element = el("div", {});
  }

  show() {}
}
