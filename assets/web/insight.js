import { el } from "./dom.js";

export class Insight {
  constructor() {
    this.element = el("div", {});
  }

  show() {}
}
