/**
 * Where a person is on the page, and what a reload brings back: the address says the session, the
 * selected node and the sheet; this tab remembers what part of the tree is seen, and what was being
 * written in the form.
 */

const KEPT = "lab-place";
const PATIENCE = 100; // frames that are waited for the form

export class Place {
  /**
   * @param {Store} store
   * @param {TreeView} view
   * @param {Sheet[]} sheets
   */
  constructor(store, view, sheets) {
    Object.assign(this, { store, view, sheets });
    this.wanted = null; // the node that the address names, until it is there
    this.kept = read();
    store.addEventListener("selected", () => this.selected());
    store.addEventListener("changed", () => this.arrived());
    const keep = () => this.keep();
    addEventListener("pagehide", keep);
    document.addEventListener("visibilitychange", () => document.hidden && keep());
    if (!new URLSearchParams(location.search).get("session")) this.restoreDraft(null);
  }

  /** What the address says: the session, and [sheet, its place] if one is open. */
  visit() {
    const query = new URLSearchParams(location.search);
    const session = query.get("session");
    const node = query.get("node");
    this.wanted = session && /^\d{1,9}$/.test(node ?? "") ? { session, node: Number(node) } : null;
    const sheet = this.sheets.find((one) => query.has(one.name));
    this.arrived();
    return { session, sheet, place: sheet && query.get(sheet.name) };
  }

  /** Put what is shown into the address: a step that the browser can go back. */
  remember() {
    const address = this.address();
    if (address.href !== location.href) history.pushState(null, "", address);
  }

  address() {
    const { session, selected } = this.store;
    const address = new URL(location.href);
    const set = (name, value) => (value === null ? address.searchParams.delete(name) : address.searchParams.set(name, value));
    const coming = this.wanted?.session === session ? this.wanted.node : null;
    set("session", session || null);
    set("node", session ? coming ?? selected : null);
    for (const sheet of this.sheets) set(sheet.name, sheet.place);
    return address;
  }

  /** Going from node to node is no step back; the address only names the last one. */
  selected() {
    const shown = new URLSearchParams(location.search).get("session");
    if (!this.store.session || shown !== this.store.session) return;
    const address = this.address();
    if (address.href !== location.href) history.replaceState(history.state, "", address);
  }

  /** Nodes have come: perhaps the one that the address names, and the view can be as it was. */
  arrived() {
    const { store, wanted, kept } = this;
    if (!store.session || !store.nodes.size) return;
    if (kept?.session === store.session && kept.view) {
      const { mode, labels, ...view } = kept.view;
      kept.view = null;
      if (mode !== "fit") {
        this.view.setMode(mode);
        this.view.move(view, false);
      }
    }
    if (wanted?.session !== store.session || !store.nodes.has(wanted.node)) return;
    this.wanted = null;
    store.select(wanted.node);
  }

  keep() {
    const { store, view } = this;
    const { x, y, column, row } = view.viewport.motion?.view ?? view.viewport;
    const [question, gold] = fields().map((field) => field?.value ?? null);
    const own = store.tree ? question !== store.tree.question || gold !== (store.tree.gold ?? "") : true;
    const kept = { session: store.session, view: { mode: view.mode, x, y, column, row }, draft: own && question !== null ? { question, gold } : null };
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(kept));
    } catch {
      // Private windows and full ones remember nothing.
    }
  }

  /** Once the form shows what the lab knows of a session: what was being written there instead. */
  restoreDraft(session, patience = PATIENCE) {
    const draft = this.kept?.session === session ? this.kept?.draft : null;
    if (!draft) return;
    const [question, gold] = fields();
    if (!question || !gold) {
      if (patience) requestAnimationFrame(() => this.restoreDraft(session, patience - 1));
      return;
    }
    this.kept.draft = null;
    write(question, draft.question);
    // A changed question may take the sample's answer away; what was written comes after that.
    setTimeout(() => write(gold, draft.gold), 400);
  }
}

const fields = () => ["question", "gold"].map((name) => document.querySelector(`#lab-${name} :is(textarea, input)`));

function write(field, text) {
  if (field.value === text) return;
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT));
  } catch {
    return null;
  }
}
