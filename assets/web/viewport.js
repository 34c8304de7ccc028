/**
 * From columns and rows to pixels. The two axes scale apart: a tree of many rows keeps readable
 * columns, and zooming in spreads nodes instead of inflating them.
 */

const COLUMN = { least: 14, most: 320 };
const ROW = { least: 0.05, most: 90 };
const ROOMY = { column: 212, row: 52 };
const DURATION = 240;

export class Viewport {
  constructor() {
    this.width = 0;
    this.height = 0;
    this.x = 0;
    this.y = 0;
    this.column = 160;
    this.row = 40;
    this.motion = null;
  }

  screen(place) {
    return [this.x + place.column * this.column, this.y + place.row * this.row];
  }

  /** The first and the last row that are seen, and `margin` pixels beyond. */
  rows(margin) {
    return [(-margin - this.y) / this.row, (this.height + margin - this.y) / this.row];
  }

  pan(dx, dy) {
    this.motion = null;
    this.x += dx;
    this.y += dy;
  }

  /** Scale about a point of the screen, within limits an axis at a time. */
  zoom(factor, px, py) {
    this.motion = null;
    const column = clamp(this.column * factor, COLUMN.least, COLUMN.most);
    const row = clamp(this.row * factor, ROW.least, ROW.most);
    this.x = px - (px - this.x) * (column / this.column);
    this.y = py - (py - this.y) * (row / this.row);
    this.column = column;
    this.row = row;
  }

  /** The view that shows a whole layout; `pads` is the room to leave, in pixels. */
  fitted(extent, pads) {
    const wide = this.width - pads.left - pads.right;
    const high = this.height - pads.top - pads.bottom;
    const rows = extent.bottom - extent.top;
    // The last column needs room for its labels like every other: hence columns + 1.
    const column = clamp(wide / (extent.columns + 1), COLUMN.least, ROOMY.column);
    const row = clamp(rows > 0 ? high / rows : ROOMY.row, ROW.least, ROOMY.row);
    return {
      column,
      row,
      x: pads.left + Math.max(0, (wide - column * (extent.columns + 1)) / 2),
      y: pads.top + (high - rows * row) / 2 - extent.top * row,
    };
  }

  /** The present scale with a place in the middle. */
  centred(place) {
    return {
      column: this.column,
      row: this.row,
      x: this.width * 0.55 - place.column * this.column,
      y: this.height / 2 - place.row * this.row,
    };
  }

  moveTo(view, now, animated = true) {
    if (!animated || this.width === 0) {
      this.motion = null;
      Object.assign(this, view);
      return;
    }
    const from = { column: this.column, row: this.row, x: this.x, y: this.y };
    this.motion = { from, view, started: now };
  }

  /** Whether the view is still moving at time `now`. */
  advance(now) {
    if (!this.motion) return false;
    const { from, view, started } = this.motion;
    const share = Math.min(1, (now - started) / DURATION);
    const eased = 1 - (1 - share) ** 3;
    for (const key of Object.keys(from)) this[key] = from[key] + (view[key] - from[key]) * eased;
    if (share === 1) this.motion = null;
    return share < 1;
  }
}

function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}
