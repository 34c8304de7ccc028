/**
 * Tells where the form asks for something else than the open search: other parameters, which the
 * search can go on with, or another question, which is another search.
 */

import { el } from "./dom.js";
import { line } from "./text.js";

const WAIT = 250; // milliseconds after the last change of the form
const SHOWN = 3;

export class ParametersNow {
  /**
   * @param {Store} store
   * @param {Doings} doings tell when the search's own parameters change
   * @param {() => void} compare asks how the form differs; the answer comes to `show`
   * @param {() => void} putBack fills the form from the session
   */
  constructor(store, doings, compare, putBack) {
    Object.assign(this, { store, putBack });
    this.way = "go_on";
    this.touches = 0; // of the form, counted
    this.touched = false; // since the form was last compared with the search
    this.follows = false; // whether the comparison that was asked for is to bring an untouched form up to date
    this.text = el("p", { class: "lab-differs-text" });
    this.choices = [["go_on", "Go on with them", "The open search goes on with these parameters; the history says since when"], ["new", "New search", "A new search from the question on; this one stays as it is"]].map(([way, text, title]) =>
      el("button", { type: "button", text, title, value: way, on: { click: () => this.choose(way) } }));
    this.back = el("button", { type: "button", class: "lab-link", text: "put back", title: "Show the parameters of the open search again", on: { click: putBack } });
    this.choice = el("div", { class: "lab-differs-choice", role: "group", "aria-label": "Step and Run" }, ...this.choices);
    this.element = el("div", { class: "lab-differs", role: "status", hidden: true }, this.text, this.choice, this.back);
    this.timer = null;
    this.listening = (event) => {
      if (!event.target.closest?.("#lab-form") || event.target.closest(".lab-transport, .lab-differs")) return;
      clearTimeout(this.timer);
      this.touches++;
      this.touched = true;
      this.timer = setTimeout(() => {
        this.timer = null;
        if (this.store.session) compare();
      }, WAIT);
    };
    for (const kind of ["input", "change", "click"]) document.addEventListener(kind, this.listening);
    store.addEventListener("opened", () => this.show(null));
    doings.addEventListener("changed", () => {
      if (!doings.rows.length) return;
      const since = doings.rows.filter((row) => row.doing === "parameters" && row.standing).map((row) => row.last).join();
      // A form that nobody has touched follows the search: it must not take back what was changed.
      if (store.session === this.session && since !== this.since) {
        this.follows = this.element.hidden && !this.touched;
        compare();
      }
      [this.session, this.since] = [store.session, since];
    });
    this.choose("go_on");
  }

  choose(way) {
    this.way = way;
    for (const button of this.choices) button.setAttribute("aria-pressed", String(button.value === way));
  }

  /** @param {{session: string, another: string[], changed: object[]} | null} differs */
  show(differs) {
    const known = differs?.session === this.store.session ? differs : null;
    const { another = [], changed = [] } = known ?? {};
    if (this.timer === null) this.touched = false; // else what was typed since is compared next
    if (known) {
      const follows = this.follows && !this.touched;
      this.follows = false;
      if (follows && changed.length && !another.length) return this.putBack();
    }
    this.element.hidden = !another.length && !changed.length;
    if (this.element.hidden) this.choose("go_on");
    this.choice.hidden = another.length > 0;
    if (another.length) {
      this.text.replaceChildren(el("span", { text: `Step and Run start a new search: ${listed(another)} ${another.length === 1 ? "is" : "are"} another.` }));
    } else {
      const rest = changed.length - SHOWN;
      this.text.replaceChildren(
        el("b", { text: "Parameters changed: " }),
        el("span", { text: changed.slice(0, SHOWN).map((one) => `${line(one.name, 40)} ${said(one.before)} \u2192 ${said(one.after)}`).join(", ") + (rest > 0 ? `, ${rest} more` : "") }));
      this.text.title = changed.map((one) => `${line(one.name, 40)}: ${said(one.before)} \u2192 ${said(one.after)}`).join("\n");
    }
  }
}

function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function said(value) {
  if (value === true || value === false) return value ? "yes" : "no";
  return line(value, 24);
}
