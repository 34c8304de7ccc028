/**
 * The sheet of rewards: what the open tree says of each of its steps and why, what other verdicts
 * would make of it, and the export.
 */

import { el, icon } from "./dom.js";
import { ExportButton } from "./export_button.js";
import { ExportPanel } from "./export_panel.js";
import { write } from "./math.js";
import { RewardSection } from "./rewards_section.js";
import { RewardState } from "./rewards_state.js";
import { Supposed } from "./rewards_supposed.js";
import { RewardsTable } from "./rewards_table.js";
import { why } from "./rewards_why.js";
import { Sheet } from "./sheet.js";
import { block, count, line } from "./text.js";
import { VerdictButtons } from "./verdict_buttons.js";

const PAUSE = 1200; // milliseconds between two looks while a search runs

export class Rewards extends Sheet {
  /**
   * @param {Store} store
   * @param {object} server
   */
  constructor(store, server) {
    const state = new RewardState(store, server);
    const back = el("button", { type: "button", class: "lab-tool", title: "All rows", "aria-label": "All rows", hidden: true, on: { click: () => this.go("") } }, icon("left"));
    const more = () => this.go("export");
    const quick = new ExportButton(store, server, state, more);
    super("rewards", "Rewards", [back], [quick.element]);
    Object.assign(this, { store, server, state, back, quick });
    this.shortcut = new ExportButton(store, server, state, more, true);
    this.section = new RewardSection(store, server, state, () => this.go(""));
    this.panel = new ExportPanel(store, server, state);
    this.table = new RewardsTable(store, server, state);
    this.supposed = new Supposed(store, server, state);
    this.methods = el("div", { class: "lab-kinds", role: "group", "aria-label": "Method" });
    this.summary = el("p", { class: "lab-muted lab-method-summary" });
    this.unused = el("details", { class: "lab-unused", hidden: true });
    this.beside = el("aside", { class: "lab-rewards-beside", "aria-label": "Why" });
    this.buttons = new VerdictButtons({ press: (verdict) => this.suppose(verdict) });
    this.content = el("div", { class: "lab-rewards" },
      el("div", { class: "lab-rewards-top" }, el("span", { class: "lab-method-name", text: "By" }), this.methods, this.summary), this.supposed.element,
      el("div", { class: "lab-rewards-main" }, el("div", { class: "lab-rewards-left" }, this.table.element, this.unused), this.beside));
    this.none = el("div", { class: "lab-sheet-empty" },
      el("h3", { text: "No tree is open" }),
      el("p", { text: "Rewards are what a tree's finished solutions say of each of its steps. Search a problem, or open a session from the list beside the title." }));
    this.listen();
  }

  listen() {
    this.table.element.addEventListener("told", ({ detail }) => this.drawUnused(detail.unused));
    this.state.addEventListener("changed", () => this.place !== null && this.look());
    this.store.addEventListener("opened", () => this.place !== null && this.go(this.place));
    this.store.addEventListener("selected", () => this.place === "" && this.explain());
    this.store.addEventListener("changed", ({ detail }) => this.place === "" && detail.nodes && this.follow());
  }

  /** @param {string} place "" for the rows, or "export" */
  go(place) {
    const known = place === "export" ? "export" : "";
    super.go(known);
    this.back.hidden = known !== "export";
    this.quick.element.hidden = known === "export";
    this.title.textContent = known === "export" ? "Export" : "Rewards";
    const open = this.store.session !== null;
    this.body.replaceChildren(known === "export" ? this.panel.element : open ? this.content : this.none);
    if (known === "export") {
      this.panel.open();
      this.back.focus({ preventScroll: true });
    } else if (open) {
      this.look(true);
      this.table.rows.element.focus({ preventScroll: true });
    }
  }

  /** The exports of some sessions. @param {string[]} sessions ids */
  exportSome(sessions) {
    this.panel.take(sessions);
    this.go("export");
  }

  /** Everything anew, by the method and with the supposed verdicts of now. */
  look(reset = false) {
    if (this.place !== "" || this.store.session === null) return;
    const print = JSON.stringify([this.store.session, this.state.method]);
    this.drawMethods();
    this.supposed.draw();
    if (reset || print !== this.print) this.table.reset();
    else this.table.rows.refresh();
    this.print = print;
    this.explain();
  }

  /** The tree has grown. */
  follow() {
    clearTimeout(this.timer);
    const wait = (this.looked ?? 0) + PAUSE - performance.now();
    if (wait > 0) {
      this.timer = setTimeout(() => this.place === "" && this.follow(), wait);
      return;
    }
    this.looked = performance.now();
    this.table.rows.refresh();
    this.supposed.draw();
    this.explain();
  }

  drawMethods() {
    const { methods, method } = this.state;
    this.summary.textContent = methods.find((one) => one.name === method)?.summary ?? "";
    const print = JSON.stringify([methods, method]);
    if (print === this.drawn) return;
    this.drawn = print;
    const focused = this.methods.contains(document.activeElement);
    this.methods.replaceChildren(...methods.map((one) => el("button", {
      type: "button", class: "lab-kind", title: `${one.title}. ${one.summary}`, "aria-pressed": String(one.name === method), data: { method: one.name }, on: { click: () => this.state.use(one.name) },
    }, el("span", { text: one.name }))));
    if (focused) this.methods.querySelector("[aria-pressed=true]")?.focus();
  }

  drawUnused(unused) {
    const print = JSON.stringify(unused);
    if (print === this.unusedDrawn) return; // a list that is open keeps where one reads and what has the focus
    this.unusedDrawn = print;
    this.unused.hidden = !unused.length;
    this.unused.replaceChildren(
      el("summary", { text: unused.length === 1 ? "1 verdict changes no row" : `${count(unused.length)} verdicts change no row` }),
      el("ul", {}, ...unused.slice(0, 50).map((one) => el("li", {},
        el("button", { type: "button", class: "lab-link", text: `node ${one.node}`, on: { click: () => this.store.select(one.node) } }), el("span", { text: block(one.reason, 400) })))));
  }

  /** Why the selected node has its reward. */
  async explain() {
    const { store, server, state } = this;
    const { session, selected } = store;
    const serial = (this.serial = (this.serial ?? 0) + 1);
    if (selected === null) {
      this.beside.replaceChildren(el("p", { class: "lab-empty", text: "Choose a row: why it has its numbers stands here, and what changes if a step or an answer were judged otherwise." }));
      return;
    }
    const answer = await server.reward({ session, node: selected, method: state.method, supposed: state.supposed }).catch(() => ({ error: "The lab does not answer." }));
    if (serial !== this.serial || session !== store.session) return;
    const node = store.nodes.get(selected);
    if (!node) return;
    const parts = answer.error ? [el("p", { class: "lab-message is-error", text: line(answer.error, 600) })]
      : why(answer, store, { select: (id) => store.select(id), flip: (id) => this.flip(id) });
    this.buttons.show(this.asSupposed(node));
    const focused = this.beside.contains(document.activeElement) && this.buttons.element.contains(document.activeElement) ? document.activeElement : null;
    this.beside.replaceChildren(
      el("header", { class: "lab-beside-head" }, el("h3", { text: node.parent === null ? "Root" : `Node ${node.id}` }),
        el("button", { type: "button", class: "lab-link", title: "Close this sheet and show the node in the tree", on: { click: () => this.close() } }, el("span", { text: "show in the tree" }), icon("right"))),
      write(el("p", { class: "lab-beside-step" }), node.parent === null ? line(store.tree?.question, 600) : block(node.step, 1200)),
      ...parts,
      el("h4", { class: "lab-beside-suppose", text: "Suppose", hidden: this.buttons.element.hidden }), this.buttons.element);
    focused?.focus();
  }

  /** A node with the verdicts that are supposed of it. */
  asSupposed(node) {
    const [step, answer] = [this.state.find(node.id, "mark"), this.state.find(node.id, "correct")];
    return { ...node, mark: step ? step.mark : node.mark ?? "", regraded: answer ? answer.correct : node.regraded ?? null };
  }

  /** Suppose a verdict; one that already stands is no supposition. */
  suppose({ node, mark, correct }) {
    const kept = this.store.nodes.get(node);
    const same = correct === undefined ? mark === (kept.mark ?? "") : correct === (kept.regraded ?? null);
    const known = this.state.find(node, correct === undefined ? "mark" : "correct");
    if (!same) this.state.suppose(correct === undefined ? { node, mark } : { node, correct });
    else if (known) this.state.forget(known);
  }

  /** Suppose the contrary of how an answer is judged now. */
  flip(leaf) {
    const kept = this.store.nodes.get(leaf);
    const { regraded, correct } = this.asSupposed(kept);
    const wanted = (regraded ?? correct) !== true;
    const back = (kept.regraded ?? null) === null && wanted === kept.correct;
    this.suppose({ node: leaf, correct: back ? null : wanted });
  }
}
