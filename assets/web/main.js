/**
 * Puts the workbench together in the element of the Gradio component: one store, one poller and
 * the views that read them. Outside the element it touches only the form's message slots and
 * buttons, and the address of the page (`?session=ID`, and the place of the sheet that is open, `&datasets=ID`).
 */

import { Answers } from "./answers.js";
import { installable } from "./app.js";
import { Batches } from "./batches.js";
import { ComparePanel } from "./compare_nodes.js";
import { Controls } from "./controls.js";
import { Datasets } from "./datasets.js";
import { el } from "./dom.js";
import { Evaluate } from "./evaluate.js";
import { explain } from "./explanations.js";
import { FormAsks } from "./form_asks.js";
import { invitation } from "./first_run.js";
import { Header, initialTheme, setTheme } from "./header.js";
import { Drawer } from "./drawer.js";
import { Doings, HistoryPanel } from "./history.js";
import { Inspector } from "./inspector.js";
import { InspectorTabs } from "./inspector_tabs.js";
import { listen, register } from "./keys.js";
import { KeysHelp } from "./keys_help.js";
import { PathPanel } from "./node_path.js";
import { ModelsSheet } from "./models.js";
import { ParametersNow } from "./parameters_now.js";
import { Place } from "./place.js";
import { Poller } from "./poll.js";
import { keepFocus, keepPresses } from "./redraws.js";
import { Rewards } from "./rewards.js";
import { Rounds } from "./rounds.js";
import { RunMenu } from "./run_menu.js";
import { Sessions } from "./sessions.js";
import { Status } from "./status.js";
import { Steering } from "./steering.js";
import { Study } from "./study.js";
import { TimeStore } from "./time_store.js";
import { ACTS, Timeline, detailsOf, timely } from "./timeline.js";
import { Tips } from "./tip.js";
import { Toolbar } from "./toolbar.js";
import { Tour } from "./tour.js";
import { Trail } from "./trail.js";
import { treeKeys } from "./tree_keys.js";
import { TreeTable } from "./tree_table.js";
import { TreeView } from "./tree_view.js";

/**
 * @param {HTMLElement} element
 * @param {Record<string, (query: object) => Promise<object>>} functions of `ui/server.py`
 * @param {(event: string, data: object) => void} trigger calls Python
 */
export function mount(element, functions, trigger) {
  const alive = () => element.isConnected;
  const store = new TimeStore();
  const server = timely(functions, store, ACTS);
  const poller = new Poller(store, server.delta, alive);
  const batches = new Batches(server.batches, alive);
  // Python fills the form and replies with the session, which `receive` then shows.
  let coming = null; // where the session that was asked for stands in a batch
  let settled = true; // whether the address is to follow what the page shows
  const unsettled = (change) => {
    settled = false;
    change();
    settled = true;
  };
  const asks = new FormAsks(trigger, (error) => controls.say("error", error));
  let filling; // the session that is asked for and not yet shown
  const fill = (session) => {
    filling = session;
    asks.ask("open", () => ({ session }));
  };
  const ask = (session, trail = null) => {
    coming = { session, trail };
    unsettled(() => closeSheets());
    view.canvas.focus({ preventScroll: true });
    fill(session);
  };
  const openBatch = (id) => datasets.go(id);
  const datasets = new Datasets(batches, server, { open: ask, solve: (entered) => trigger("solve", { entered }) });
  const rewards = new Rewards(store, server);
  const rounds = new Rounds(server, alive, { open: ask, batch: openBatch });
  const sessions = new Sessions(store, server, { open: ask, beneath: fill, batch: openBatch, export: (ids) => rewards.exportSome(ids) });
  const study = new Study(store, server, { open: ask, method: () => rewards.state.method, supposed: () => rewards.state.supposed });
  const evaluate = new Evaluate(server, alive, { open: ask, batch: openBatch });
  const sheets = [sessions, datasets, rewards, study, evaluate, rounds];
  const models = new ModelsSheet(server, alive, { lineage: () => rounds.go("lineage"), changed: (others) => about(others) });
  sheets.push(models);
  const closeSheets = (but = null) => sheets.forEach((sheet) => sheet !== but && sheet.close());
  const header = new Header(store, batches, server, { session: ask, batch: openBatch, sheet: (name) => sheets.find((sheet) => sheet.name === name).toggle() });
  const trail = new Trail(header.trail, batches, server, { session: ask, batch: openBatch });
  const view = new TreeView(store, server);
  const table = new TreeTable(store, view);
  const help = new KeysHelp();
  const place = new Place(store, view, sheets);
  const tour = new Tour({ tree: () => someTree(store, server, ask), node: () => someNode(store, tabs) });
  header.help({ tour: () => tour.start(), keys: () => help.toggle() });
  const toolbar = new Toolbar(store, view, table, () => help.toggle());
  toolbar.element.firstElementChild.append(rewards.shortcut.element);
  const statusLine = new Status(store, batches, openBatch);
  const open = (session) => {
    store.open(session);
    place.remember();
    poller.wake();
  };
  const doings = new Doings(store, server, () => poller.wake());
  const parametersNow = new ParametersNow(store, doings, () => trigger("compare", {}), () => fill(store.session));
  const press = (pressed) => {
    if (store.past) timeline.refuse();
    else asks.ask("press", () => ({ pressed: { ...pressed, way: parametersNow.way } }));
  };
  // Gradio's own event of a field that is written in leaves a paste out.
  document.addEventListener("input", ({ target }) => alive() && target.closest?.("#lab-question") && trigger("question", {}));
  const controls = new Controls(store, open, parametersNow);
  const runMenu = new RunMenu(store, server, doings, press, (error) => controls.say("error", error));
  controls.put("transport", parametersNow.element, runMenu.element);
  const steering = new Steering(store, server, () => poller.wake());
  const inspector = new Inspector(store, { ...server, node: detailsOf(store, server.node) }, steering, rewards.section);
  const answers = new Answers(store);
  const comparing = new ComparePanel(store, { show: () => tabs.go("compare"), sessions: () => study.go("compare") });
  view.element.addEventListener("picked", ({ detail }) => comparing.pick(detail));
  const tabs = new InspectorTabs(store, [
    { name: "node", title: "Node", panel: inspector },
    { name: "path", title: "Path", panel: new PathPanel(store) },
    { name: "answers", title: "Answers", panel: answers },
    { name: "compare", title: "Compare", panel: comparing },
    { name: "history", title: "History", panel: new HistoryPanel(doings, store, ask) },
  ]);
  const timeline = new Timeline(store, server, ask);
  for (const event of ["travelled", "opened"]) store.addEventListener(event, () => root.classList.toggle("is-past", store.past !== null));
  const aside = el("aside", { class: "lab-inspector", "aria-label": "Inspector", tabindex: "-1" }, tabs.element);
  const root = el("div", { class: "lab-view" }, header.element,
    el("main", { class: "lab-centre" }, toolbar.element, statusLine.banner, view.element, table.element, invitation(store, server, { open: ask, tour: () => tour.start() }), timeline.bar, timeline.element, statusLine.element), aside, ...sheets.map((sheet) => sheet.element), help.element, tour.element);
  element.replaceChildren(root);
  const drawer = new Drawer(root, aside, view);
  toolbar.element.append(drawer.button);
  const details = () => {
    drawer.toggle(true);
    aside.focus({ preventScroll: true });
  };
  treeKeys(view, { details, table: () => table.show(!table.shown), legend: () => toolbar.legend.toggle() });
  register("?", "these keys", () => help.toggle(), { group: "View" });
  const leave = () => view.canvas.focus({ preventScroll: true });
  // A key while another session is on its way would act on the one that is left.
  const leaving = () => filling !== undefined && filling !== store.session;
  listen(alive, () => leaving() || help.element.open || !tour.element.hidden || sheets.some((sheet) => sheet.place !== null), (target) => target === view.canvas, leave);
  root.addEventListener("leave", leave);
  keepPresses(alive);
  const home = () => sheets.find((sheet) => sheet.place !== null)?.title ?? view.canvas;
  keepFocus(root, home);
  explain(new Tips(root), { store, batches, server, header, statusLine });
  answers.draw();
  const paint = () => {
    view.readTheme();
    toolbar.paintMarks();
  };
  document.addEventListener("lab-theme", paint);
  document.fonts.ready.then(paint);
  setTheme(initialTheme());
  paint();
  const about = (others = false) => server.about({}).then((models) => {
    if (others) controls.say("error", ""); // which models the lab runs may be what it said
    if (models.error) return;
    header.showModels(models);
    datasets.form.offer(models.bundled);
  });
  let status = "";
  store.addEventListener("changed", () => {
    // Only loaded models can tell what is to be known about them.
    if (status === "loading" && store.run.status !== "loading") about();
    status = store.run.status;
    batches.search(store.busy);
  });
  for (const sheet of sheets) {
    sheet.addEventListener("moved", () => {
      const open = sheet.place !== null;
      if (open) unsettled(() => closeSheets(sheet));
      header.showSheet(sheets.find((one) => one.place !== null)?.name ?? null);
      if (settled) place.remember();
      if (settled && !open) header.sheets[sheet.name].focus();
    });
  }
  for (const sheet of [rounds, evaluate]) sheet.addEventListener("progress", ({ detail }) => header.showBadge(sheet.name, detail));
  const visit = () => {
    const { session, sheet, place: there } = place.visit();
    if (session !== (filling === undefined ? store.session : filling)) fill(session);
    unsettled(() => (sheet ? sheet.go(there) : closeSheets()));
  };
  about();
  batches.wake();
  installable();
  addEventListener("popstate", visit);
  visit();
  const receive = (reply) => {
    if (!reply) return;
    if ("begun" in reply) {
      datasets.receive(reply);
      return;
    }
    if (!("asked" in reply)) controls.receive(reply);
    else if (!asks.awaits(reply)) fill(store.session); // the form shows what came too late
    else {
      show(reply);
      asks.done();
    }
  };
  const show = (reply) => {
    if (reply.pressed) {
      unsettled(() => closeSheets());
      timeline.now();
    }
    const before = store.session;
    controls.receive(reply);
    if (reply.session === filling || reply.error) filling = undefined;
    if ("batch" in reply) {
      const known = coming?.session === reply.session ? coming.trail : null;
      trail.show(reply.batch ? known ?? { batch: reply.batch } : null);
      store.batch = reply.batch;
      place.restoreDraft(reply.session);
    } else if (store.session !== before) {
      trail.show(null);
    }
    poller.wake();
  };
  window.lab = { store, receive, position: (id) => view.position(id), view, table, batches, datasets, rewards, rounds, evaluate, timeline, study };
}

/** A node to look at: the selected one, or that of the best answer. */
function someNode(store, tabs) {
  if (store.selected === null) store.select([...store.bestPath].pop() ?? 0);
  tabs.go("node");
}

/** A tree to look at: the open session's, or that of a sample problem. */
async function someTree(store, server, open) {
  if (store.session) return;
  const { problems = [] } = await server.samples({}).catch(() => ({}));
  const begun = problems.length ? await server.begin({ problem: problems[0].id, iterations: 8 }).catch(() => ({})) : {};
  if (begun.session) open(begun.session);
}
