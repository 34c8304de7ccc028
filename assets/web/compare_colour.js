/** Colour of nodes by how two trees differ: one scale from less over equal to more. */

import { STEPS } from "./colour.js";
import { number } from "./text.js";

const ENDS = { less: [33, 102, 172], more: [217, 95, 2] };
const MIDDLE = { light: [232, 232, 228], dark: [66, 72, 84] };
const ALONE = STEPS + 1;

/** In place of a tree's usual colours, see `colour_by.js`. Event: "changed". */
export class DifferenceColour extends EventTarget {
  constructor() {
    super();
    this.name = "difference";
    this.gaps = new Map(); // node to what it has more than its like in the other tree
    this.most = 1;
    this.decimals = 3;
  }

  get mode() {
    return { name: "difference", note: (node) => (this.gaps.has(node.id) ? plus(this.gaps.get(node.id), this.decimals) : "only here") };
  }

  refresh() {}

  use(gaps, most, decimals) {
    Object.assign(this, { gaps, most, decimals });
    this.name = `difference ${(DifferenceColour.serial = (DifferenceColour.serial ?? 0) + 1)}`;
    this.dispatchEvent(new CustomEvent("changed"));
  }

  index(node) {
    const gap = this.gaps.get(node.id);
    if (gap === undefined) return ALONE;
    return Math.round((Math.max(-1, Math.min(1, gap / (this.most || 1))) / 2 + 0.5) * STEPS);
  }

  colours(theme) {
    const middle = MIDDLE[theme.dark ? "dark" : "light"];
    const scale = Array.from({ length: STEPS + 1 }, (_, k) => {
      const share = (2 * k) / STEPS - 1;
      const end = share < 0 ? ENDS.less : ENDS.more;
      const rgb = middle.map((from, c) => Math.round(from + (end[c] - from) * Math.abs(share) ** 0.7));
      return { css: `rgb(${rgb.join(",")})`, dark: 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] < 130 };
    });
    return [...scale, { css: theme.ground, dark: theme.dark }];
  }
}

/** A number with its sign. */
export function plus(value, decimals = 3) {
  return value > 0 ? `+${number(value, decimals)}` : number(value, decimals);
}
