/** The adapters as a tree for each model: whose child each is, what made it, which are in use. */

import { el } from "./dom.js";
import { Message, actButton, askingButton, call } from "./rounds_acts.js";
import { roleOf } from "./rounds_words.js";
import { block, count, line, when } from "./text.js";

const SESSIONS = 12; // sessions of the data that are named

export class Lineage {
  /**
   * @param {{adapters: Function, adapter: Function, adapter_use: Function, adapter_delete: Function}} server
   * @param {(place: string) => void} go to another place of the sheet
   */
  constructor(server, go) {
    Object.assign(this, { server, go });
    this.chosen = null;
    this.message = new Message();
    this.done = new Message("hint");
    this.trees = el("div", { class: "lab-lineage-trees" }, el("p", { class: "lab-muted", text: "Loading \u2026" }));
    this.detail = el("aside", { class: "lab-lineage-detail", "aria-label": "Adapter" });
    this.element = el("div", { class: "lab-lineage" }, el("div", {}, this.message.element, this.done.element, this.trees), this.detail);
  }

  async show() {
    const answer = await call(this.server.adapters, {});
    if (answer.error) {
      this.message.say(answer.error);
      return;
    }
    this.done.say("");
    Object.assign(this, { rows: answer.adapters, bases: answer.bases });
    this.drawTrees();
    if (this.rows.some((row) => row.id === this.chosen)) this.choose(this.chosen);
    else this.detail.replaceChildren(el("p", { class: "lab-muted", text: this.rows.length ? "Choose an adapter to see what it was made of." : "" }));
  }

  drawTrees() {
    const focus = document.activeElement?.closest?.(".lab-lineage-node")?.dataset.adapter;
    const trees = [];
    for (const role of ["policy", "prm"]) {
      const own = this.bases[role].base;
      const others = [...new Set(this.rows.filter((row) => row.role === role && row.base !== own).map((row) => row.base))];
      trees.push(...[own, ...others].map((base) => this.tree(role, base, base === own)));
    }
    this.trees.replaceChildren(...trees);
    if (focus) this.trees.querySelector(`[data-adapter="${CSS.escape(focus)}"] button`)?.focus();
  }

  /** One model: itself, and under each adapter those that were trained on from it. */
  tree(role, base, own) {
    const rows = this.rows.filter((row) => row.role === role && row.base === base);
    const ids = new Set(rows.map((row) => row.id));
    const bare = own && !this.bases[role].active;
    // An only child stands below its parent, so that many rounds in a row do not walk off the page.
    const walk = (parent) => {
      const own = rows.filter((row) => (ids.has(row.parent) ? row.parent : null) === parent);
      if (own.length !== 1) return children(own.map((row) => el("li", {}, this.node(row), ...walk(row.id))));
      return [el("div", { class: "lab-lineage-next" }, this.node(own[0])), ...walk(own[0].id)];
    };
    const back = own && !bare ? actButton("Back to the bare model", "\u2026", () => this.use("base", role)) : null;
    return el("section", { class: "lab-lineage-tree", data: { role } },
      el("h3", {}, el("span", { text: roleOf(role) }), own ? null : el("small", { text: "of another model than the one in use" })),
      el("div", { class: `lab-lineage-node is-base${bare ? " is-used" : ""}`, data: { adapter: "base" } },
        el("span", { class: "lab-lineage-name" }, el("b", { text: line(base, 80) }), el("small", { text: "the bare model" })), bare ? inUse() : null, back, own ? this.useHere(role, "base") : null),
      ...rows.length ? walk(null) : [el("p", { class: "lab-muted lab-lineage-none", text: "No adapter yet: a round makes them." })]);
  }

  node(row) {
    const { bases } = this;
    const fits = bases[row.role].base === row.base;
    return el("div", { class: `lab-lineage-node${row.active ? " is-used" : ""}${row.id === this.chosen ? " is-chosen" : ""}`, data: { adapter: row.id } },
      el("button", { type: "button", class: "lab-lineage-name", on: { click: () => this.choose(row.id) } },
        el("b", { text: line(row.title || "adapter", 60) }), el("code", { text: row.id }),
        el("small", { text: row.evaluation ? line(row.evaluation, 120) : "not evaluated yet" })),
      row.active ? inUse() : fits ? actButton("Use for new searches", "\u2026", () => this.use(row.id, row.role)) : null);
  }

  /** The open session goes on with an adapter, whatever new ones use. */
  useHere(role, adapter) {
    const button = actButton("Use in this session", "\u2026", async () => {
      const session = new URLSearchParams(location.search).get("session");
      const answer = session ? await call(this.server.adapter_use_here, { session, role, adapter }) : { error: "No session is open: open one from the list above, then press again." };
      this.message.say(answer.error ?? "");
      this.done.say(answer.error ? "" : `The open session goes on with ${adapter === "base" ? `the bare ${roleOf(role)}` : `adapter ${adapter} of the ${roleOf(role)}`}.`);
    });
    button.title = "The session that is open beside the form";
    return button;
  }

  async use(adapter, role) {
    const answer = await call(this.server.adapter_use, { adapter, role });
    this.message.say(answer.error ?? "");
    await this.show();
  }

  async choose(id) {
    this.chosen = id;
    for (const node of this.trees.querySelectorAll("[data-adapter]")) node.classList.toggle("is-chosen", node.dataset.adapter === id);
    const answer = await call(this.server.adapter, { adapter: id });
    if (this.chosen !== id) return;
    this.detail.replaceChildren(...(answer.error ? [el("p", { class: "lab-message is-error", text: line(answer.error, 400) })] : this.told(answer.meta)));
  }

  told(meta) {
    const row = this.rows.find((one) => one.id === meta.id);
    const message = new Message();
    const recipe = meta.recipe ?? {};
    const data = meta.data ?? {};
    const sessions = Object.entries(data.sessions ?? {});
    const evaluation = meta.evaluation ?? {};
    const training = meta.training ?? {};
    const fits = this.bases[meta.role]?.base === meta.base;
    const facts = [
      ["model", `${roleOf(meta.role)} ${line(meta.base, 80)}`], ["trained on from", meta.parent ?? "the bare model"], ["seed", meta.seed], ["made", meta.created ?? (row ? when(row.created) : "")],
      ["evaluation, answers", evaluation.greedy?.sentence], ["evaluation, searches", evaluation.guided?.sentence],
      ["pool", data.pool], ["digest of its problems", data.problems], ["batch", data.batch], ["rows learnt from", data.rows === undefined ? null : `${count(data.rows)}, of ${count(sessions.length)} sessions`],
      ["rows in", data.file], ["updates", training.steps ?? training.updates],
    ].filter(([, value]) => value !== null && value !== undefined && value !== "");
    return [
      el("h3", {}, el("span", { text: line(recipe.title || recipe.name || "Adapter", 60) }), el("code", { text: line(meta.id, 20) })),
      el("div", { class: "lab-acts" }, fits ? this.useHere(meta.role, meta.id) : null,
        el("button", { type: "button", class: "lab-button", text: "Its round", on: { click: () => this.go(String(meta.round)) } }),
        askingButton("Delete", "Delete this adapter for good?", "Delete", async () => {
          const answer = await call(this.server.adapter_delete, { adapter: meta.id });
          if (answer.error) message.say(answer.error);
          else await this.show();
        })),
      message.element,
      el("dl", { class: "lab-meta" }, ...facts.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: line(value, 300) })])),
      el("details", {}, el("summary", { text: `Sessions (${count(sessions.length)})` }), el("ul", { class: "lab-meta-sessions" },
        ...sessions.slice(0, SESSIONS).map(([name, rows]) => el("li", {}, el("code", { text: line(name, 40) }), el("span", { text: `${count(rows)} ${rows === 1 ? "row" : "rows"}` }))),
        sessions.length > SESSIONS ? el("li", { class: "lab-muted", text: `and ${count(sessions.length - SESSIONS)} more` }) : null)),
      folded("Recipe", recipe), folded("Settings", meta.settings), folded("Library versions", meta.versions),
    ].filter(Boolean);
  }
}

function inUse() {
  return el("span", { class: "lab-chip is-used", text: "in use" });
}

function children(items) {
  return items.length ? [el("ul", {}, ...items)] : [];
}

function folded(title, value) {
  if (!value) return null;
  return el("details", {}, el("summary", { text: title }), el("pre", { text: block(JSON.stringify(value, null, 2), 6000) }));
}
