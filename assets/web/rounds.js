/**
 * The sheet of rounds: learning from searches, whether it helped, and the adapters' lineage. Four
 * screens: all rounds, one of them, a new one, the lineage.
 */

import { el, icon } from "./dom.js";
import { Lineage } from "./lineage.js";
import { KnownRounds } from "./rounds_known.js";
import { RoundList } from "./rounds_list.js";
import { NewRound } from "./rounds_new.js";
import { RoundView } from "./rounds_view.js";
import { nameOf, progressOf } from "./rounds_words.js";
import { Sheet } from "./sheet.js";

export class Rounds extends Sheet {
  /**
   * Events: "progress" (detail: a word on the round under way, "" for none).
   *
   * @param {object} server
   * @param {() => boolean} alive false once the page's element is gone
   * @param {{open: (session: string) => void, batch: (id: string) => void}} show
   */
  constructor(server, alive, show) {
    const button = (text, figure, place) => el("button", { type: "button", class: "lab-button", "aria-label": text, data: { place }, on: { click: () => this.go(place) } }, icon(figure), el("span", { text }));
    const back = el("button", { type: "button", class: "lab-tool", title: "All rounds", "aria-label": "All rounds", on: { click: () => this.go("") } }, icon("left"));
    const [lineage, add] = [button("Lineage", "branches", "lineage"), button("New round", "plus", "new")];
    super("rounds", "Rounds", [back], [lineage, add]);
    const known = new KnownRounds(server.rounds, alive);
    Object.assign(this, { known, back, add, lineageButton: lineage });
    const go = (place) => this.go(place);
    this.screens = {
      list: new RoundList(known, server, go),
      new: new NewRound(server, (id) => { known.wake(); go(id); }),
      lineage: new Lineage(server, go),
      round: new RoundView(known, server, { ...show, go }),
    };
    known.addEventListener("changed", () => this.draw());
    known.wake();
  }

  /** "list", "new", "lineage" or "round"; null while closed. */
  get screen() {
    return this.place === null ? null : { "": "list", new: "new", lineage: "lineage" }[this.place] ?? "round";
  }

  toggle() {
    if (this.place !== null) this.close();
    else this.go(this.known.active?.id ?? "");
  }

  /** @param {string} place "" for all rounds, "new", "lineage", or a round */
  go(place) {
    super.go(place);
    const { screen } = this;
    this.body.replaceChildren(this.screens[screen].element);
    this.body.scrollTop = 0;
    this.known.look(true, screen === "round" ? place : "");
    this.screens[screen].show?.(place);
    this.draw();
    this.title.focus({ preventScroll: true });
  }

  close() {
    this.known.look(false);
    super.close();
  }

  draw() {
    this.dispatchEvent(new CustomEvent("progress", { detail: this.known.active ? progressOf(this.known.active) : "" }));
    const { screen } = this;
    if (screen === null) return;
    const round = screen === "round" ? this.known.find(this.place) : null;
    this.title.textContent = { list: "Rounds", new: "New round", lineage: "Lineage of adapters" }[screen] ?? (round ? nameOf(round) : "Round");
    this.back.hidden = screen === "list";
    this.add.hidden = screen === "new";
    this.lineageButton.hidden = screen === "lineage";
    this.screens[screen].draw?.();
  }
}
