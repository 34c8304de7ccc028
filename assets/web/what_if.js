import { el } from "./dom.js";

export class WhatIf {
  constructor() {
    this.element = el("div", {});
  }

  show() {}
}
