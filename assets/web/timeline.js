/**
 * Under the tree: every event of the search on one line. Moving along it shows the tree as it was,
 * folded in the browser from frames that are asked for once.
 */

import { el, icon } from "./dom.js";
import { Frames } from "./frames.js";
import { register } from "./keys.js";
import { count } from "./text.js";
import { TimeTrack } from "./time_track.js";

const PAUSE = { busy: 700, idle: 60 }; // milliseconds between asking for frames
const SPEEDS = [1, 4, 16, 64];
const EVENTS_A_SECOND = 4;

const PAST = "This is the tree as it was: go back to now, or fork from here, to search on or to change something.";

const KINDS = {
  search_created: "the question", iteration_started: "an iteration begins", selected: "selected", closed: "closed by the gate",
  judged: "judged by the self-critic", expanded: "expanded", evaluated: "valued by the PRM", rolled_out: "rolled out", backed_up: "backed up",
  exhausted: "nothing left below", answered: "an answer was read", iteration_finished: "iteration done", concluded: "answer chosen",
  noted: "a note", marked: "a step was marked", regraded: "an answer was judged", overruled: "a value was overruled", pruned: "pruned or brought back",
  added: "steps were added", acted: "asked for by a person", parameters_changed: "parameters changed", models_chosen: "other models", tagged: "tags",
};

export class Timeline {
  /**
   * @param {TimeStore} store
   * @param {{frames: Function, fork_at: Function, go_back_to: Function}} server
   * @param {(session: string) => void} open
   */
  constructor(store, server, open) {
    Object.assign(this, { store, server, open });
    this.frames = new Frames();
    this.place = null; // null: now
    this.speed = 1;
    this.timer = null;
    this.play = el("button", { type: "button", class: "lab-tool", title: "Play the search back", "aria-label": "Play the search back", on: { click: () => this.toggle() } }, icon("play"));
    this.faster = el("button", { type: "button", class: "lab-link lab-time-speed", title: "Speed of playing back: events a second", on: { click: () => this.nextSpeed() } });
    this.track = new TimeTrack(this.frames, { go: (place) => this.go(place), key: (event) => this.key(event) });
    this.label = el("span", { class: "lab-time-label" });
    this.element = el("section", { class: "lab-time", "aria-label": "Time", hidden: true }, this.play, this.faster, this.track.element, this.label);
    this.bar = this.makeBar();
    this.listen();
    this.draw();
  }

  makeBar() {
    const act = (text, title, run, more = "") => el("button", { type: "button", class: `lab-button${more}`, title, text, on: { click: run } });
    this.when = el("span", { class: "lab-past-when" });
    this.refused = el("span", { class: "lab-past-refused", role: "alert" });
    this.buttons = {
      fork: act("Fork from here", "A new session with everything up to here; this one stays as it is", () => this.fork()),
      back: act("Go back to here", "This session goes back to the end of the last iteration or act before here. Undo takes it forward again.", () => this.goBack()),
      now: act("Now", "Back to the present (End)", () => this.now(), " lab-primary"),
    };
    return el("div", { class: "lab-past", role: "group", "aria-label": "Another time", hidden: true }, this.when, ...Object.values(this.buttons), this.refused);
  }

  listen() {
    const { store } = this;
    store.addEventListener("opened", () => this.reset());
    store.addEventListener("changed", () => {
      if (this.element.hidden) this.draw();
      this.want();
    });
    register("[", "an event back in time", () => this.step(-1), { group: "Time" });
    register("]", "an event forward", () => this.step(1), { group: "Time" });
    register("{", "an iteration back in time", () => this.stepIteration(-1), { group: "Time" });
    register("}", "an iteration forward", () => this.stepIteration(1), { group: "Time" });
    register("\\", "back to the present", () => this.place !== null && this.now(), { group: "Time" });
  }

  reset() {
    this.stop();
    this.place = null;
    this.frames.clear();
    this.synced = null;
    this.draw();
  }

  // Frames.

  want() {
    const { store } = this;
    if (!store.tree || store.cursor === this.synced || this.waiting) return;
    this.waiting = setTimeout(() => {
      this.waiting = null;
      this.sync();
    }, store.busy ? PAUSE.busy : PAUSE.idle);
  }

  async sync() {
    const { store, frames } = this;
    const { session, cursor } = store;
    if (session === null || this.asking) return;
    this.asking = true;
    try {
      let more = true;
      while (more && session === store.session) {
        const answer = await this.server.frames({ session, after: frames.last });
        if (answer.error || session !== store.session) break;
        if (answer.reset && frames.length) this.forget();
        frames.add(answer.frames);
        // Part by part, so that the first step into the past need not fold everything.
        if (this.place === null) frames.go(frames.length - 1);
        more = answer.more > 0 && answer.frames.length > 0;
        this.draw();
      }
      this.synced = cursor;
    } catch {
      // The poll says that the lab does not answer; the next change asks again.
    } finally {
      this.asking = false;
    }
    this.want();
  }

  /** The log went back: what was known of it is no longer so. */
  forget() {
    this.now();
    this.frames.clear();
  }

  // Moving.

  /** Show the tree as it was after a frame; at the end of all that is known, the present. */
  go(place) {
    const { frames, store } = this;
    if (!frames.length) return;
    if (place >= frames.length - 1) {
      this.now();
      return;
    }
    this.place = Math.max(0, place);
    const fewer = frames.go(this.place);
    store.travel(frames, fewer);
    this.refused.textContent = "";
    this.draw();
  }

  now() {
    this.stop();
    this.place = null;
    this.store.comeBack();
    this.draw();
  }

  step(by) {
    if (this.frames.length < 2) return false;
    this.stop();
    this.go((this.place ?? this.frames.length - 1) + by);
    return true;
  }

  /** To the end of the iteration before, or of the next one. */
  stepIteration(by) {
    const { frames } = this;
    if (frames.length < 2) return false;
    this.stop();
    const here = this.place ?? frames.length - 1;
    const ends = [...frames.starts.map((start) => start - 1), frames.length - 1];
    this.go(by < 0 ? (ends.findLast((end) => end < here) ?? 0) : (ends.find((end) => end > here) ?? frames.length - 1));
    return true;
  }

  key(event) {
    const last = this.frames.length - 1;
    const run = {
      ArrowLeft: () => this.step(-1), ArrowDown: () => this.step(-1), ArrowRight: () => this.step(1), ArrowUp: () => this.step(1),
      PageDown: () => this.stepIteration(-1), PageUp: () => this.stepIteration(1), Home: () => this.go(0), End: () => this.go(last), Escape: () => this.now(), " ": () => this.toggle(),
    }[event.key];
    if (!run || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  }

  // Playing.

  toggle() {
    if (this.timer !== null) {
      this.stop();
      return;
    }
    if (this.frames.length < 2) return;
    if (this.place === null) this.go(0);
    this.began = { time: performance.now(), place: this.place ?? 0 };
    this.timer = requestAnimationFrame(() => this.tick());
    this.draw();
  }

  tick() {
    const { time, place } = this.began;
    const goal = place + Math.floor(((performance.now() - time) / 1000) * EVENTS_A_SECOND * this.speed);
    if (goal !== this.place) this.go(goal);
    if (this.place === null || !this.element.isConnected) return;
    this.timer = requestAnimationFrame(() => this.tick());
  }

  stop() {
    if (this.timer === null) return;
    cancelAnimationFrame(this.timer);
    this.timer = null;
    this.draw();
  }

  nextSpeed() {
    this.speed = SPEEDS[(SPEEDS.indexOf(this.speed) + 1) % SPEEDS.length];
    if (this.timer !== null) this.began = { time: performance.now(), place: this.place ?? 0 };
    this.draw();
  }

  // Acts.

  async fork() {
    const answer = await this.ask(this.server.fork_at);
    if (answer) this.open(answer.session);
  }

  async goBack() {
    if (await this.ask(this.server.go_back_to)) this.now();
  }

  /** Say that the past cannot be searched on, beside the ways out. */
  refuse() {
    this.stop();
    this.refused.textContent = "";
    // Said anew, so that a second press is heard as well.
    requestAnimationFrame(() => (this.refused.textContent = PAST));
    this.bar.scrollIntoView({ block: "nearest" });
  }

  async ask(act) {
    const { session, past } = this.store;
    this.stop();
    const answer = await act({ session, at: past.at }).catch(() => ({ error: "The lab does not answer." }));
    this.refused.textContent = answer.error ?? "";
    return answer.error ? null : answer;
  }

  // Drawing.

  draw() {
    const { frames, place, store } = this;
    const past = place !== null;
    // With the tree, not after it: what comes below a tree later moves all of it.
    this.element.hidden = Math.max(frames.length, store.nodes.size) < 2;
    this.bar.hidden = !past;
    const frame = frames.list[place ?? frames.length - 1];
    this.play.replaceChildren(icon(this.timer === null ? "play" : "pause"));
    this.play.setAttribute("aria-pressed", String(this.timer !== null));
    this.faster.textContent = `${this.speed}\u00d7`;
    this.label.textContent = past ? `event ${count(place + 1)} of ${count(frames.length)}` : frame ? `now \u00b7 ${count(frames.length)} ${frames.length === 1 ? "event" : "events"}` : "now";
    if (frame) {
      const words = `iteration ${count(frame.iteration)}, ${KINDS[frame.kind] ?? frame.kind}`;
      this.when.replaceChildren(el("b", { text: "As it was" }), el("span", { text: words }));
      this.track.show(place, past ? words : "now");
    }
    this.buttons.back.disabled = store.busy;
  }
}

/** What may not be asked of the server while another time is shown, in words. */
export function timely(server, store, acts) {
  const refuse = () => Promise.resolve({ error: PAST });
  return Object.fromEntries(Object.entries(server).map(([name, ask]) => [name, acts.has(name) ? (query) => (store.past ? refuse() : ask(query)) : ask]));
}

/** What a person may do to a search: all that `timely` is to refuse. */
export const ACTS = new Set(["note", "mark", "grade_leaf", "keep_verdicts", "overrule", "prune", "write_step", "expand", "roll_out", "keep_rollout", "tag", "undo", "redo"]);

/**
 * Details of a node as it was: the present ones once, and what the tree of another time says of it.
 *
 * @param {TimeStore} store
 * @param {(query: {session: string, node: number}) => Promise<object>} ask
 */
export function detailsOf(store, ask) {
  let known = new Map();
  const forget = () => store.past === null && (known = new Map());
  for (const event of ["travelled", "opened"]) store.addEventListener(event, forget);
  return async (query) => {
    if (store.past === null) return ask(query);
    if (!known.has(query.node)) known.set(query.node, await ask(query));
    const detail = known.get(query.node);
    const record = store.nodes.get(query.node);
    if (detail.error || !record) return detail;
    return { ...detail, ...record, note: detail.note, best_path: store.bestPath.has(record.id), selection: null };
  };
}
