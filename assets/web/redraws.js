/**
 * A tree that grows draws much of the page anew, and that must not take from a person what they
 * hold. A browser sends no click where what was pressed is drawn anew before it is released
 * (measured in Chromium: none at all, not even to what encloses it), and forgets the focus of what
 * is drawn anew. Both go to what now stands in the place and looks the same.
 */

const CONTROLS = "button, summary, a[href], label, input, [role=tab], [role=option], [role=row], [role=button], [role=menuitem]";

const look = (control) => [control.localName, control.getAttribute("aria-label"), control.textContent].join("\n");

const kind = (control) => [control.localName, control.classList[0]].join(".");

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

/**
 * @param {HTMLElement} root what is watched
 * @param {() => HTMLElement} home has the focus where nothing is left that could
 */
export function keepFocus(root, home) {
  let focused = null;
  const heard = ({ type, target }) => (focused = type === "focusin" && root.contains(target) ? target : null);
  for (const type of ["focusin", "pointerdown"]) document.addEventListener(type, heard, { capture: true });
  const all = (nodes) => [...nodes].flatMap((node) => (node.matches?.(CONTROLS) ? [node] : [...(node.querySelectorAll?.(CONTROLS) ?? [])]));
  const again = ({ target, removedNodes }) => {
    if (!target.isConnected || ![...removedNodes].some((node) => node.contains(focused))) return null;
    // The same, or what has its place if its words are others now.
    const found = [look, kind].map((of) => {
      const alike = (nodes) => all(nodes).filter((control) => of(control) === of(focused));
      return alike(target.childNodes)[alike(removedNodes).indexOf(focused)];
    });
    return found.find(Boolean) ?? null;
  };
  new MutationObserver((records) => {
    if (!focused || !root.isConnected) return;
    const gone = !focused.isConnected;
    const hidden = !gone && records.some(({ type, target }) => type === "attributes" && target.contains(focused)) && !focused.checkVisibility();
    if (!hidden && !(gone && document.activeElement === document.body)) return;
    const next = (gone ? records.map(again).find(Boolean) : null) ?? home();
    next.focus({ preventScroll: true });
  }).observe(root, { childList: true, subtree: true, attributeFilter: ["hidden"] });
}
