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

/** @param {HTMLElement} root what is watched */
export function keepFocus(root) {
  let focused = null;
  root.addEventListener("focusin", ({ target }) => (focused = target.closest(CONTROLS)));
  const all = (nodes) => [...nodes].flatMap((node) => (node.matches?.(CONTROLS) ? [node] : [...(node.querySelectorAll?.(CONTROLS) ?? [])]));
  new MutationObserver((records) => {
    if (!focused || focused.isConnected || document.activeElement !== document.body) return;
    for (const { target, removedNodes } of records) {
      if (!target.isConnected || ![...removedNodes].some((node) => node.contains(focused))) continue;
      // The same, or what has its place if its words are others now.
      const found = [look, kind].map((of) => {
        const alike = (nodes) => all(nodes).filter((control) => of(control) === of(focused));
        return alike(target.childNodes)[alike(removedNodes).indexOf(focused)];
      });
      found.find(Boolean)?.focus({ preventScroll: true });
    }
  }).observe(root, { childList: true, subtree: true });
}
