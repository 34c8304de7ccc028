/** Mouse, pen and fingers on the tree: hover, select, pan, zoom, pinch, fold. */

export class Pointer {
  /** @param {TreeView} view */
  constructor(view) {
    this.view = view;
    this.down = new Map(); // pointers that are down, where they were last
    this.travelled = 0;
    const { canvas } = view;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event, true));
    canvas.addEventListener("pointercancel", (event) => this.release(event, false));
    canvas.addEventListener("pointerleave", () => view.setHovered(null));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("dblclick", (event) => this.twice(event));
  }

  local(event) {
    const box = this.view.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  press(event) {
    if (event.button !== 0) return;
    this.view.canvas.focus({ preventScroll: true });
    this.view.canvas.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, this.local(event));
    if (this.down.size === 1) this.travelled = 0;
  }

  move(event) {
    const before = this.down.get(event.pointerId);
    if (!before) return this.hover(event);
    const now = this.local(event);
    this.travelled += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
    const others = [...this.down].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    if (this.travelled > 4) this.drag(before, now, others[0]);
    this.down.set(event.pointerId, now);
    return undefined;
  }

  /** One pointer pans; with a second one at rest, what they hold between them is stretched. */
  drag(before, now, other) {
    const { view } = this;
    view.free();
    view.setHovered(null);
    view.canvas.classList.add("is-panning");
    if (other) {
      const apart = (at) => Math.max(20, Math.hypot(at[0] - other[0], at[1] - other[1]));
      view.viewport.zoom(apart(now) / apart(before), ...other);
    } else {
      view.viewport.pan(now[0] - before[0], now[1] - before[1]);
    }
    view.redraw();
  }

  release(event, meant) {
    if (!this.down.delete(event.pointerId)) return;
    if (this.down.size) return;
    this.view.canvas.classList.remove("is-panning");
    if (meant && this.travelled <= 4) this.click(...this.local(event), event.shiftKey);
  }

  click(x, y, shift = false) {
    const { view } = this;
    const region = this.region(x, y);
    if (region) {
      view.folds.toggle(region.id);
      return;
    }
    const id = view.nearest(x, y);
    if (shift && id !== null) view.element.dispatchEvent(new CustomEvent("picked", { detail: id }));
    else view.store.select(id);
  }

  /** What can be pressed at a point besides nodes. */
  region(x, y) {
    const { painter, overlay } = this.view;
    return [...overlay.regions, ...painter.regions].find((one) => x >= one.x && y >= one.y && x <= one.x + one.width && y <= one.y + one.height);
  }

  ghost(x, y) {
    return this.view.overlay.rolled?.steps.find((step) => Math.hypot(step.x - x, step.y - y) < step.r + 5);
  }

  hover(event) {
    if (event.buttons || event.pointerType === "touch") return;
    const { view } = this;
    const [x, y] = this.local(event);
    const ghost = this.ghost(x, y);
    if (ghost) {
      view.setHovered(null);
      view.tip.showGhost(ghost);
      this.onGhost = true;
      return;
    }
    if (this.onGhost) view.tip.show(view.hovered);
    this.onGhost = false;
    view.setHovered(this.region(x, y)?.id ?? view.nearest(x, y));
  }

  /** A double click folds or unfolds a node; beside nodes it shows the whole tree. */
  twice(event) {
    const { view } = this;
    const at = this.local(event);
    if (this.region(...at)) return;
    const id = view.nearest(...at);
    if (id === null) view.setMode("fit");
    else view.folds.toggle(id);
  }

  wheel(event) {
    event.preventDefault();
    const { view } = this;
    view.free();
    view.setHovered(null);
    const notch = (event.deltaY || event.deltaX) * (event.deltaMode === 1 ? 16 : 1);
    if (event.shiftKey) view.viewport.pan(0, -notch);
    else view.viewport.zoom(Math.exp(-notch * 0.0016), ...this.local(event));
    view.redraw();
  }
}
