/**
 * The page's keys: what each does, in one list that the overview of keys shows and one listener
 * reads. Modules register theirs; a key is never taken from somebody who writes in a field.
 *
 * A key is written as a browser names it, with modifiers before it: "ArrowLeft", "f", "Shift+Space",
 * "Ctrl+z" (Command on a Mac as well), "?". Letters are small; Shift is named only for letters and
 * named keys, because it makes signs like "?" on some keyboards and not on others.
 */

/** @type {{key: string, what: string, run: Function, group: string, tree: boolean}[]} */
export const keys = [];

/**
 * Give a key something to do.
 *
 * @param {string | string[]} key or several that do the same
 * @param {string} what it does, in words for the overview; "" leaves it out there
 * @param {(event: KeyboardEvent) => unknown} run returns false if it does not apply now: the key
 *   then does what it would do without the lab
 * @param {{group?: string, tree?: boolean}} [where] `group` is a heading of the overview; with
 *   `tree` the key counts only while the tree has the focus
 */
export function register(key, what, run, { group = "Search", tree = false } = {}) {
  const names = [key].flat();
  for (const name of names) {
    const old = keys.findIndex((one) => one.key === name);
    if (old >= 0) keys.splice(old, 1);
    keys.push({ key: name, what: name === names[0] ? what : "", run, group, tree });
  }
}

/** The name of a pressed key, as `register` takes it. */
export function nameOf(event) {
  const plain = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shifted = event.shiftKey && (plain.length > 1 || /^[a-z]$/.test(plain));
  return [
    event.ctrlKey || event.metaKey ? "Ctrl+" : "", event.altKey ? "Alt+" : "", shifted ? "Shift+" : "", plain,
  ].join("");
}

const FIELDS = "input, textarea, select, [contenteditable='true'], [role=textbox]";
const BESIDE = ".lab-inspector";
const PRESSED = "button, a[href], summary, [role=button], [role=tab], [role=option], [role=menuitem]";

/**
 * Listen to the keys of the page.
 *
 * @param {() => boolean} alive false once the page's element is gone: the listener then goes too
 * @param {() => boolean} covered whether something lies over the tree that has keys of its own
 * @param {(element: Element) => boolean} isTree whether an element is the tree
 * @param {() => void} leave from a field beside the tree back to it
 */
export function listen(alive, covered, isTree, leave) {
  const heard = (event) => {
    if (!alive()) {
      document.removeEventListener("keydown", heard);
      return;
    }
    const { target } = event;
    if (event.defaultPrevented || event.isComposing || covered()) return;
    if (event.key === "Escape" && target.closest?.(BESIDE)) return leave();
    if (target.closest?.(FIELDS) || target.closest?.("dialog")) return;
    const name = nameOf(event);
    if ((name === "Space" || name === "Enter") && target.closest?.(PRESSED)) return;
    const found = keys.find((one) => one.key === name);
    if (!found || (found.tree && !isTree(target))) return;
    if (found.run(event) !== false) event.preventDefault();
  };
  document.addEventListener("keydown", heard);
}
