/** Importing a file from this browser: chosen or dropped, sent as it is, and what became of it. */

import { el } from "./dom.js";
import { count, line } from "./text.js";

const ADDRESS = "/lab-import";
const NOUNS = { questions: "question", generation: "solution", sessions: "session" };

export class ImportFile {
  /**
   * @param {() => void} done
   * @param {{open: (session: string) => void, batch: (id: string) => void}} show
   */
  constructor(done, show) {
    Object.assign(this, { done, show });
    this.field = el("input", { type: "file", accept: ".json,.jsonl,.csv,.parquet", hidden: true, "aria-label": "File to import", on: { change: () => this.send(this.field.files[0]) } });
    this.note = el("div", { class: "lab-import", role: "status", hidden: true });
    this.element = el("div", {}, this.field, this.note);
  }

  choose() {
    this.field.value = "";
    this.field.click();
  }

  clear() {
    this.note.hidden = true;
  }

  dropOn(element) {
    const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    element.addEventListener("dragover", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      element.classList.add("is-target");
    });
    element.addEventListener("dragleave", (event) => element.contains(event.relatedTarget) || element.classList.remove("is-target"));
    element.addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      element.classList.remove("is-target");
      this.send(event.dataTransfer.files[0]);
    });
  }

  async send(file, skip = false) {
    if (!file) return;
    this.say(el("p", { text: `Reading ${line(file.name, 80)}\u2026` }));
    const query = new URLSearchParams({ name: file.name, ...(skip ? { skip: "1" } : {}) });
    const report = await fetch(`${ADDRESS}?${query}`, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } })
      .then((answer) => (answer.ok ? answer.json() : { error: `The lab refused the file (${answer.status}).` }))
      .catch(() => ({ error: "The file did not reach the lab. Is it still running?" }));
    if (report.error) {
      this.say(el("p", { class: "lab-message is-error", text: line(report.error, 600) }));
      return;
    }
    this.tell(file, report);
    this.done();
  }

  say(...content) {
    this.note.replaceChildren(...content.filter(Boolean));
    this.note.hidden = false;
  }

  tell(file, { kind, batch, first, imported, known, rejected, repeated }) {
    const many = (number) => `${count(number)} ${NOUNS[kind]}${number === 1 ? "" : "s"}`;
    const words = imported || known
      ? [`${many(imported)} imported from ${line(file.name, 80)}`, known ? `${many(known)} ${known === 1 ? "was" : "were"} here already` : "", repeated.count ? `${count(repeated.count)} repeated` : "", rejected.count ? `${count(rejected.count)} rows left out` : ""].filter(Boolean).join(", ")
      : `Nothing was imported: ${count(rejected.count)} rows of ${line(file.name, 80)} cannot be read.`;
    const rows = rejected.count
      ? el("ul", {}, ...rejected.rows.slice(0, 8).map(({ place, reason }) => el("li", {}, el("b", { text: line(place, 40) }), ` ${line(reason, 200)}`)))
      : null;
    const rest = rejected.count && !imported && !known
      ? el("button", { type: "button", class: "lab-button", text: "Import the rest", on: { click: () => this.send(file, true) } })
      : null;
    const goal = batch ? ["Show the batch", () => this.show.batch(batch)] : first && imported + known === 1 ? ["Open it", () => this.show.open(first)] : null;
    const open = goal && el("button", { type: "button", class: "lab-button", text: goal[0], on: { click: goal[1] } });
    this.say(el("p", { text: words.endsWith(".") ? words : `${words}.` }), rows, el("div", { class: "lab-import-end" }, rest, open));
  }
}
