/**
 * What a person can have done at a node: prune it, write a step, ask for more children, roll out.
 * Each button but the first opens its few fields; what needs a model tells how it goes.
 */

import { el, icon } from "./dom.js";
import { draft, keepDraft } from "./drafts.js";
import { count, line } from "./text.js";

const STATES = { queued: "waits for its turn", loading: "the models are loading", running: "the models work", pausing: "waits for the run to end" };
const CHILDREN = 3;
const STEPS = 8;
const LOOK = 350; // milliseconds between looks at how an act goes
const PATIENCE = 2; // looks without a run until it is over

export class SteeringActs {
  /**
   * @param {Store} store
   * @param {object} does
   * @param {(pruned: boolean) => void} does.prune
   * @param {(pruned: boolean) => void} does.preview what pruning would do
   * @param {() => void} does.look
   * @param {(act: string, query: object) => Promise<boolean>} does.ask what needs a model; whether it was taken on
   */
  constructor(store, does) {
    Object.assign(this, { store, does });
    this.node = null;
    this.open = "";
    this.waiting = null; // what the models were asked for
    this.prune = this.button("prune", "Prune", () => does.prune(!this.node.pruned));
    const would = () => does.preview(!this.node.pruned);
    this.prune.addEventListener("pointerenter", (event) => event.pointerType !== "touch" && would());
    this.prune.addEventListener("focus", () => this.prune.matches(":focus-visible") && would());
    for (const kind of ["pointerleave", "blur"]) this.prune.addEventListener(kind, () => does.look());
    this.tabs = {
      write: this.button("pen", "Write", () => this.toggle("write"), "Write a step of your own below this node; the PRM values it at once (W)"),
      expand: this.button("children", "Children", () => this.toggle("expand"), "Ask the policy for more children here (E)"),
      roll_out: this.button("roll", "Roll out", () => this.toggle("roll_out"), "Write on greedily from here, to see where it leads (R)"),
    };
    this.fields = { write: this.writing(), expand: this.expanding(), roll_out: this.rolling() };
    this.why = el("p", { class: "lab-steer-why", hidden: true });
    this.progress = el("p", { class: "lab-steer-progress", role: "status", hidden: true });
    this.element = el("div", { class: "lab-steer-acts" },
      el("div", { class: "lab-steer-buttons", role: "group", "aria-label": "Do here" }, this.prune, ...Object.values(this.tabs)),
      this.why, ...Object.values(this.fields), this.progress);
  }

  button(name, text, press, title = "") {
    return el("button", { type: "button", class: "lab-steer-act", title, on: { click: press } }, icon(name), el("span", { text }));
  }

  writing() {
    this.step = el("textarea", { rows: "3", maxlength: "20000", placeholder: "The next step, in your words", "aria-label": "Step", on: { input: () => this.drafted(), keydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.write();
      else if (event.key === "Escape") this.toggle("");
      else return;
      event.preventDefault();
      event.stopPropagation();
    } } });
    return el("div", { class: "lab-steer-form", hidden: true }, this.step,
      el("div", { class: "lab-steer-go" }, primary("Add step", () => this.write()), el("span", { class: "lab-muted", text: "Ctrl + Enter" })));
  }

  expanding() {
    const submit = () => this.ask("expand", { count: asked(this.count), temperature: asked(this.heat) }, `${this.count.value} more children are asked for`);
    this.count = field("Children", { min: "1", max: "64", step: "1", value: String(CHILDREN) }, submit, () => this.toggle(""));
    this.heat = field("Temperature T", { min: "0", max: "5", step: "0.1", title: "Empty: that of the search" }, submit, () => this.toggle(""));
    return el("div", { class: "lab-steer-form is-line", hidden: true }, label("children", this.count), label("temperature T", this.heat), primary("Ask", submit));
  }

  rolling() {
    const submit = () => this.ask("roll_out", { steps: asked(this.steps) }, "a roll-out is on its way");
    this.steps = field("Steps", { min: "1", max: "100", step: "1", value: String(STEPS) }, submit, () => this.toggle(""));
    return el("div", { class: "lab-steer-form is-line", hidden: true }, label("steps at most", this.steps), primary("Roll out", submit));
  }

  show(node) {
    const { session } = this.store;
    const other = node.id !== this.node?.id || session !== this.session;
    [this.node, this.session] = [node, session];
    if (other) {
      this.step.value = this.begun(); // first: what is written elsewhere must not become a draft here
      this.toggle("");
      if (!this.waiting) this.tell("");
    }
    this.drafted();
    const temperature = this.store.settings?.sampling?.temperature;
    this.heat.placeholder = temperature === undefined ? "" : String(temperature);
    const root = node.parent === null;
    this.prune.hidden = root;
    this.prune.lastElementChild.textContent = node.pruned ? "Restore" : "Prune";
    this.prune.title = node.pruned ? "Bring the branch back (X)" : "Take this branch out of the search, its answers and its exports; it can be restored (X)";
    const { why, acts } = possible(node);
    for (const [name, tab] of Object.entries(this.tabs)) tab.disabled = !acts.includes(name);
    this.why.hidden = !why;
    this.why.textContent = why;
    if (this.open && !acts.includes(this.open)) this.toggle("");
    this.watch();
  }

  /** The step that was begun here, unless it has become a node meanwhile. */
  begun() {
    const { node, session, store } = this;
    const text = draft("step", session, node.id);
    const there = store.childrenOf(node.id).some((id) => store.nodes.get(id).step.trimEnd() === text.trimEnd());
    if (text && there) keepDraft("step", session, node.id, "");
    return there ? "" : text;
  }

  /** Keep what is being written, and say so where it is not seen. */
  drafted() {
    const { node, session, step } = this;
    keepDraft("step", session, node.id, step.value);
    this.tabs.write.lastElementChild.textContent = step.value && this.open !== "write" ? "Write \u2026" : "Write";
  }

  toggle(name) {
    this.open = this.open === name ? "" : name;
    for (const [key, fields] of Object.entries(this.fields)) {
      fields.hidden = key !== this.open;
      this.tabs[key].setAttribute("aria-expanded", String(key === this.open));
    }
    if (this.node) this.drafted();
    if (this.open) (this.open === "write" ? this.step : this.fields[this.open].querySelector("input")).focus();
  }

  write() {
    this.ask("write_step", { text: this.step.value }, "the PRM is asked about your step");
  }

  async ask(act, query, what) {
    const { node } = this;
    this.waiting = null;
    this.tell(what);
    const asked = { session: this.store.session, node: node.id, children: this.store.childrenOf(node.id).length, rolled: JSON.stringify(node.rolled_out), text: query.text, count: query.count, act, what, looks: 0 };
    if (!(await this.does.ask(act, { node: node.id, ...query }))) return this.tell("");
    if (this.node.id === asked.node && this.session === asked.session) this.toggle("");
    this.waiting = asked;
    return this.look();
  }

  /** Look again and again how what was asked for goes. */
  look() {
    clearTimeout(this.timer);
    this.watch();
    if (this.waiting) this.timer = setTimeout(() => this.look(), LOOK);
  }

  /** What was asked for may have come, or failed. */
  watch() {
    const { waiting, store } = this;
    if (!waiting) return;
    const came = store.childrenOf(waiting.node).slice(waiting.children).map((id) => store.nodes.get(id));
    if (waiting.session !== store.session) this.done("");
    else if (waiting.act === "write_step" && came.length && came.at(-1).prm !== null) this.written(came.at(-1));
    else if (waiting.act === "roll_out" && this.rolled()) this.done("");
    else if (waiting.act === "expand" && came.length) this.done(arrived(came.length, waiting.count));
    else if (store.busy) this.tell(`${waiting.what}: ${store.run.message ? line(store.run.message, 120) : STATES[store.run.status] ?? store.run.status}\u2026`);
    else if (++waiting.looks > PATIENCE) this.ended();
  }

  /** Whether the roll-out that was asked for is shown. */
  rolled() {
    const { node, waiting } = this;
    return node.id === waiting.node && JSON.stringify(node.rolled_out) !== waiting.rolled;
  }

  /** Whoever writes goes on from there. */
  written(node) {
    const { session, node: parent, text } = this.waiting;
    const here = this.store.selected === parent;
    if (this.node.id === parent && this.step.value === text) this.step.value = "";
    if (draft("step", session, parent) === text) keepDraft("step", session, parent, "");
    this.done("");
    if (here) this.store.select(node.id);
  }

  /** The models are done, and no node has come. */
  ended() {
    const { run } = this.store;
    if (run.status === "failed" || run.message) this.done(line(run.message, 400), true);
    else this.done(this.waiting.act === "expand" ? "Nothing new came: the policy wrote steps that are there already, or none that can be used." : "");
  }

  done(text, failed = false) {
    this.waiting = null;
    this.tell(text, failed);
  }

  tell(text, failed = false) {
    this.progress.hidden = !text;
    this.progress.textContent = text;
    this.progress.classList.toggle("is-error", failed);
  }
}

/** How many children came of those asked for, and what became of the others. */
function arrived(came, asked) {
  const said = `${count(came)} ${came === 1 ? "child" : "children"} came`;
  if (came >= asked) return `${said}.`;
  const lost = asked - came;
  return `${said}; ${lost === 1 ? "the other proposal was a step that is" : `the other ${count(lost)} proposals were steps that are`} there already, or could not be used.`;
}

/** What can be done below a node, and why not all of it. */
function possible(node) {
  if (node.hidden) return { acts: [], why: node.pruned ? "Pruned: restore it to go on here." : "A node above is pruned: restore that one to go on here." };
  if (node.verdict !== "end") return { acts: ["write", "expand", "roll_out"], why: "" };
  if (node.verdict_source !== "dead_end") return { acts: [], why: "Finished: no step follows it." };
  return { acts: ["write", "expand"], why: "Dead end: the policy wrote no step here. Write one, or ask for more children." };
}

function primary(text, press) {
  return el("button", { type: "button", class: "lab-button lab-primary", text, on: { click: press } });
}

function field(name, options, submit, leave) {
  return el("input", { type: "number", "aria-label": name, ...options, on: { keydown: (event) => {
    if (event.key === "Enter") submit();
    else if (event.key === "Escape") leave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  } } });
}

function label(text, input) {
  return el("label", { class: "lab-steer-field" }, el("span", { text }), input);
}

function asked(input) {
  return input.value === "" ? null : Number(input.value);
}
