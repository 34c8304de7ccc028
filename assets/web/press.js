/**
 * No press is lost. A browser sends no click where what was pressed is drawn anew before it is
 * released (measured in Chromium: none at all, not even to what encloses it), and a tree that grows
 * draws much anew. Such a press goes to what now stands in the place and looks the same.
 */

const CONTROLS = "button, summary, a[href], label, input, [role=tab], [role=option], [role=row], [role=button], [role=menuitem]";

const look = (control) => [control.localName, control.getAttribute("aria-label"), control.textContent].join("\n");

/** @param {() => boolean} alive false once the page's element is gone: the listeners then go too */
export function keepPresses(alive) {
  const gone = new AbortController();
  let pressed = null;
  const down = ({ button, target }) => {
    if (!alive()) gone.abort();
    const control = button === 0 ? target.closest?.(CONTROLS) : null;
    pressed = control ? { target, control, look: look(control) } : null;
  };
  const up = ({ button, target }) => {
    if (button !== 0 || !pressed) return;
    const { target: before, control, look: same } = pressed;
    pressed = null;
    const now = target.closest?.(CONTROLS);
    if (before.isConnected || !now || (now !== control && look(now) !== same)) return;
    now.focus({ preventScroll: true });
    now.click();
  };
  document.addEventListener("mousedown", down, { capture: true, signal: gone.signal });
  document.addEventListener("mouseup", up, { capture: true, signal: gone.signal });
}
