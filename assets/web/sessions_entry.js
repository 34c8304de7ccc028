/** A line of the list of sessions: its picture, what it asked and found, and what can be done. */

import { el, icon } from "./dom.js";
import { count, line, when } from "./text.js";

const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
const OUTCOMES = { right: "right", wrong: "wrong", open: "" };

export class SessionEntry {
  /**
   * @param {object} row as `ui/listing.py` tells it
   * @param {Sessions} sheet
   * @param {boolean} deleted whether it can only be had back
   */
  constructor(row, sheet, deleted) {
    Object.assign(this, { row, sheet, deleted });
    this.element = el("div", { class: "lab-entry", role: "listitem", data: { session: row.id } });
    this.show();
  }

  show() {
    const { row, sheet } = this;
    const kind = row.answer === null ? "open" : row.correct === true ? "right" : row.correct === false ? "wrong" : "open";
    const title = line(row.name || row.question, 160);
    const facts = [
      row.algorithm.replaceAll("_", " "), plural(row.iterations, "iteration"), plural(row.nodes, "node"),
      this.deleted ? `deleted ${when(row.deleted)}` : when(row.created), row.batch ? `batch ${line(row.batch, 30)}` : "", row.in_use_by ? `in use by ${line(row.in_use_by, 40)}` : "",
    ].filter(Boolean).join("  \u00b7  ");
    const answer = el("span", { class: `lab-entry-answer is-${kind}` }, el("b", { text: row.answer === null ? "no answer" : line(row.answer, 24) }), el("small", { text: OUTCOMES[kind] }));
    const body = [
      sheet.pictures.picture(row),
      el("span", { class: "lab-entry-words" }, el("b", { text: title }),
        row.name ? el("span", { text: line(row.question, 160) }) : null, el("small", { text: facts })),
      answer,
    ];
    const open = this.deleted
      ? el("div", { class: "lab-entry-open is-still" }, ...body)
      : el("button", { type: "button", class: "lab-entry-open", on: { click: () => sheet.show.open(row.id) } }, ...body);
    const tags = row.tags.length ? el("div", { class: "lab-entry-tags" }, ...row.tags.map((tag) => this.tag(tag))) : null;
    this.element.replaceChildren(...[open, tags, this.acts()].filter(Boolean));
  }

  tag(tag) {
    return el("button", { type: "button", class: "lab-tag", title: `Only sessions tagged ${line(tag, 60)}`, text: line(tag, 40), disabled: this.deleted, on: { click: () => this.sheet.filters.only(tag) } });
  }

  acts() {
    const { row, sheet } = this;
    const act = (figure, text, press) => el("button", { type: "button", class: "lab-tool", title: text, "aria-label": `${text}: ${line(row.name || row.question, 60)}`, on: { click: press } }, icon(figure));
    const offered = this.deleted
      ? [el("button", { type: "button", class: "lab-button", text: "Bring back", on: { click: () => sheet.restore(row) } })]
      : [
        this.choosing(act("check", "Choose for an export", () => this.choose())),
        act("pen", "Rename", () => this.rename()),
        act("tag", "Tags", () => this.retag()),
        act("copy", "Duplicate", () => sheet.duplicate(row)),
        act("link", "Copy a link", () => sheet.copyLink(row)),
        act("download", "Export as a file that can be imported again", () => sheet.download(row)),
        act("bin", "Delete", () => sheet.remove(row, this.element)),
      ];
    return el("div", { class: "lab-entry-acts" }, ...offered);
  }

  choosing(button) {
    const chosen = this.sheet.chosen.has(this.row.id);
    this.element.classList.toggle("is-chosen", chosen);
    button.setAttribute("aria-pressed", String(chosen));
    button.dataset.act = "choose";
    return button;
  }

  choose() {
    const { chosen } = this.sheet;
    if (!chosen.delete(this.row.id)) chosen.add(this.row.id);
    this.choosing(this.element.querySelector("[data-act=choose]"));
    this.sheet.drawChosen();
  }

  rename() {
    this.ask("Name of the session", this.row.name, "empty: its question", async (name, say) => {
      const answer = await this.sheet.ask("rename", { session: this.row.id, name }, say);
      if (answer) this.row.name = name.trim();
      return answer;
    });
  }

  retag() {
    this.ask("Tags, with commas between", this.row.tags.join(", "), "to check, good example", async (text, say) => {
      const tags = [...new Set(text.split(",").map((tag) => tag.trim()).filter(Boolean))];
      const answer = await this.sheet.ask("retag", { session: this.row.id, tags }, say);
      if (answer) this.row.tags = tags;
      return answer;
    });
  }

  /** A field in the place of the tools; Enter saves, Escape leaves everything as it was. What is wrong is said there. */
  ask(label, value, placeholder, save) {
    const error = el("p", { class: "lab-message is-error", role: "alert", hidden: true });
    const say = (text) => {
      error.hidden = !text;
      error.textContent = line(text, 400);
    };
    const field = el("input", { class: "lab-search", "aria-label": label, placeholder });
    field.value = value;
    const done = async () => {
      if (!(await save(field.value, say))) return field.focus();
      return this.back();
    };
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      if (event.key === "Enter") done();
      else this.back();
    });
    const box = el("div", { class: "lab-entry-ask" }, el("label", {}, el("span", { text: label }), field),
      el("button", { type: "button", class: "lab-primary", text: "Save", on: { click: done } }),
      el("button", { type: "button", class: "lab-button", text: "Cancel", on: { click: () => this.back() } }), error);
    this.element.querySelector(".lab-entry-acts").replaceWith(box);
    this.element.classList.add("is-asking");
    field.select();
  }

  back() {
    this.element.classList.remove("is-asking");
    this.show();
    this.element.querySelector("button").focus();
  }
}
