/** The edges of a tree: by visits, and along paths. */

// Edges run straight to here, as a share of the column, and only then part: labels sit on that run.
export const TRUNK = 0.55;
const CURVED = 7; // row height in pixels from which on edges bend
const THICKEST = 8; // pixels
// By visits, as a share of the most: width in pixels and strength of the ink.
const STYLES = [
  { upTo: 0.03, width: 1, alpha: 0.3 }, { upTo: 0.18, width: 1.4, alpha: 0.4 }, { upTo: 0.36, width: 2.1, alpha: 0.46 },
  { upTo: 0.6, width: 3, alpha: 0.52 }, { upTo: Infinity, width: 4.2, alpha: 0.58 },
];

export class Edges {
  /** @param {object} world as of the painter */
  constructor(context, world) {
    Object.assign(this, { context }, world);
  }

  get curved() {
    return this.viewport.row >= CURVED;
  }

  /** All that are seen. */
  draw(theme) {
    const { layout, viewport, context, store, curved } = this;
    const [top, bottom] = viewport.rows(0);
    const batches = STYLES.map(() => new Path2D());
    const hidden = new Path2D();
    for (const level of layout.levels) {
      if (!level[0].parent || !this.inView(level)) continue;
      for (const place of layout.crossing(level, top, bottom)) {
        const share = Math.sqrt(Math.max(0, place.node.visits - 1) / store.mostVisits);
        this.add(place.node.hidden ? hidden : batches[style(share)], place, curved);
      }
    }
    context.strokeStyle = theme.soft;
    batches.forEach((batch, k) => {
      context.globalAlpha = STYLES[k].alpha;
      context.lineWidth = curved ? STYLES[k].width : STYLES[k].width * 0.7;
      context.stroke(batch);
    });
    context.globalAlpha = 0.3;
    context.lineWidth = 1;
    context.setLineDash([3, 4]);
    context.stroke(hidden);
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  inView(level) {
    if (this.layout.moving) return true;
    const { x, column, width } = this.viewport;
    return x + level[0].column * column > 0 && x + level[0].parent.column * column < width;
  }

  /** Those along a path of nodes. */
  path(ids, ink, width, dash = []) {
    const { context, layout, curved } = this;
    const batch = new Path2D();
    for (const id of ids) {
      const place = layout.places.get(id);
      if (place?.parent && this.crosses(place)) this.add(batch, place, curved);
    }
    context.setLineDash(dash);
    context.lineWidth = width;
    context.strokeStyle = ink;
    context.stroke(batch);
    context.setLineDash([]);
  }

  /** Whether any of an edge may be seen. Zoomed in, edges are long, and their dashes cost by their length. */
  crosses({ parent, column, row }) {
    const { viewport } = this;
    const [left, right] = [viewport.x + parent.column * viewport.column, viewport.x + column * viewport.column];
    const [top, bottom] = [viewport.y + Math.min(parent.row, row) * viewport.row, viewport.y + Math.max(parent.row, row) * viewport.row];
    return right > -THICKEST && left < viewport.width + THICKEST && bottom > -THICKEST && top < viewport.height + THICKEST;
  }

  add(batch, place, curved) {
    const { x, y, column, row } = this.viewport;
    const x1 = x + place.parent.column * column;
    const y1 = y + place.parent.row * row;
    const x2 = x + place.column * column;
    const y2 = y + place.row * row;
    const part = x1 + (x2 - x1) * TRUNK;
    batch.moveTo(x1, y1);
    batch.lineTo(part, y1);
    if (curved) batch.bezierCurveTo((part + x2) / 2, y1, (part + x2) / 2, y2, x2, y2);
    else batch.lineTo(x2, y2);
  }
}

function style(share) {
  let k = 0;
  while (share > STYLES[k].upTo) k++;
  return k;
}
