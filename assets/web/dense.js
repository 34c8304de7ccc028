/**
 * A tree whose rows are closer than pixels: hairlines for edges, and a strip for each column. What
 * shares a pixel is drawn once, in the colour of the most visited node.
 *
 * What it needs of the nodes is kept as arrays of numbers until they change: thousands of objects
 * that the processor has no longer at hand take longer to look up than to draw.
 */

import { TRUNK } from "./edges.js";

const BIN = 2; // pixels, the height of what stands for several nodes
const HAIR = { width: 0.8, alpha: 0.22 };

export class Dense {
  /** @param {object} world as of the painter */
  constructor(context, world) {
    Object.assign(this, { context }, world);
    this.print = null;
    this.numbers = null;
  }

  /** Colours have changed. */
  recolour() {
    this.print = null;
  }

  draw(theme, palette, ratio) {
    this.gather();
    this.drawEdges(theme.soft, ratio);
    this.drawStrips(palette);
  }

  /** The numbers anew, if nodes have changed or move. */
  gather() {
    const { layout, store, colouring } = this;
    const print = layout.moving ? null : `${store.stamp} ${layout.version}`;
    if (print !== null && print === this.print) return;
    this.print = print;
    const size = layout.places.size;
    const array = () => new Float64Array(size);
    const numbers = { ends: [], columns: array(), rows: array(), upColumns: array(), upRows: array(), visits: array(), colours: new Uint8Array(size) };
    let k = 0;
    for (const level of layout.levels) {
      for (const { column, row, parent, node } of level) {
        numbers.columns[k] = column;
        numbers.rows[k] = row;
        numbers.upColumns[k] = parent ? parent.column : NaN;
        numbers.upRows[k] = parent ? parent.row : NaN;
        numbers.visits[k] = node.visits;
        numbers.colours[k] = colouring.index(node);
        k++;
      }
      numbers.ends.push(k);
    }
    this.numbers = numbers;
  }

  /** Edges between the same pixels once: neighbours in order share them. */
  drawEdges(ink, ratio) {
    const { context } = this;
    const { x, y, column, row, height } = this.viewport;
    const { ends, columns, rows, upColumns, upRows } = this.numbers;
    const edges = new Path2D();
    for (let level = 1, k = ends[0]; level < ends.length; level++) {
      let last = null;
      for (let up = null; k < ends[level]; up = upRows[k++]) {
        const y1 = y + upRows[k] * row;
        const y2 = y + rows[k] * row;
        if ((y1 < 0 && y2 < 0) || (y1 > height && y2 > height)) continue;
        const key = Math.round(y1 / BIN) * 65536 + Math.round(y2 / BIN);
        if (key === last) continue;
        last = key;
        const x1 = x + upColumns[k] * column;
        const x2 = x + columns[k] * column;
        const part = x1 + (x2 - x1) * TRUNK;
        edges.moveTo(part, y1);
        edges.lineTo(x2, y2);
        if (upRows[k] === up) continue;
        edges.moveTo(x1, y1);
        edges.lineTo(part, y1);
      }
    }
    // Lines up to one pixel of the screen are drawn many times faster than others: where it has more, as much ink.
    const width = Math.min(HAIR.width, 1 / ratio);
    context.lineWidth = width;
    context.globalAlpha = HAIR.alpha * (HAIR.width / width);
    context.strokeStyle = ink;
    context.stroke(edges);
    context.globalAlpha = 1;
  }

  drawStrips(palette) {
    const { context } = this;
    const { x, y, column, row, height } = this.viewport;
    const { ends, columns, rows, visits, colours } = this.numbers;
    const half = Math.max(1, Math.min(5, Math.round(column * 0.09)));
    const strips = palette.map(() => []); // by colour: left and top of each piece
    // On whole pixels: there are thousands, and none has soft edges to draw.
    const add = (k, bin) => strips[colours[k]].push(Math.round(x + columns[k] * column) - half, bin * BIN);
    for (let level = 0, k = 0; level < ends.length; level++) {
      let [bin, best] = [null, null];
      for (; k < ends[level]; k++) {
        const at = Math.floor((y + rows[k] * row) / BIN);
        if (at < -1 || at * BIN > height) continue;
        if (at !== bin) {
          if (best !== null) add(best, bin);
          [bin, best] = [at, k];
        } else if (visits[k] > visits[best]) best = k;
      }
      if (best !== null) add(best, bin);
    }
    strips.forEach((pieces, index) => {
      if (!pieces.length) return;
      context.beginPath();
      for (let k = 0; k < pieces.length; k += 2) context.rect(pieces[k], pieces[k + 1], 2 * half, BIN);
      context.fillStyle = palette[index].css;
      context.fill();
    });
  }
}
