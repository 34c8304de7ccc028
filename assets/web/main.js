/**
 * Puts the workbench together in the element of the Gradio component: one store, one poller and
 * the views that read them. Outside the element it touches only the form's message slots and
 * buttons, and the address of the page (`?session=ID`).
 */

import { Answers } from "./answers.js";
import { Controls } from "./controls.js";
import { el } from "./dom.js";
import { Header, initialTheme, setTheme } from "./header.js";
import { Inspector } from "./inspector.js";
import { Poller } from "./poll.js";
import { Status } from "./status.js";
import { Store } from "./store.js";
import { Toolbar } from "./toolbar.js";
import { TreeView } from "./tree_view.js";

/**
 * @param {HTMLElement} element
 * @param {{delta: Function, node: Function, note: Function, sessions: Function, about: Function}} server
 * @param {(event: string, data: object) => void} trigger calls Python
 */
export function mount(element, server, trigger) {
  const store = new Store();
  const poller = new Poller(store, server.delta, () => element.isConnected);
  const open = (session) => {
    remember(session);
    store.open(session);
    poller.wake();
  };
  // Python fills the form and replies with the session, which `open` then shows.
  const header = new Header(store, server, (session) => trigger("open", { session }));
  const view = new TreeView(store);
  const toolbar = new Toolbar(store, view);
  const statusLine = new Status(store);
  const controls = new Controls(store, open);
  const inspector = new Inspector(store, server);
  const answers = new Answers(store);
  const aside = el("aside", { class: "lab-inspector", "aria-label": "Inspector" }, inspector.element, answers.element);
  element.replaceChildren(
    el("div", { class: "lab-view" }, header.element,
      el("main", { class: "lab-centre" }, toolbar.element, statusLine.banner, view.element, invitation(store), statusLine.element), aside),
  );
  inspector.element.hidden = true;
  answers.draw();
  controls.draw();
  const paint = () => {
    view.readTheme();
    toolbar.paintMarks(view.painter.theme);
  };
  document.addEventListener("lab-theme", paint);
  document.fonts.ready.then(paint);
  setTheme(initialTheme());
  paint();
  const about = () => server.about({}).then((models) => models.error || header.showModels(models));
  let status = "";
  store.addEventListener("changed", () => {
    // Only loaded models can tell what is to be known about them.
    if (status === "loading" && store.run.status !== "loading") about();
    status = store.run.status;
  });
  about();
  addEventListener("popstate", () => trigger("open", { session: asked() }));
  if (asked()) trigger("open", { session: asked() });
  const receive = (reply) => {
    controls.receive(reply);
    poller.wake();
  };
  window.lab = { store, receive, position: (id) => view.position(id), view };
}

/** The session that the address of the page names, if any. */
function asked() {
  return new URLSearchParams(location.search).get("session");
}

function remember(session) {
  if (session === asked()) return;
  const address = new URL(location.href);
  if (session) address.searchParams.set("session", session);
  else address.searchParams.delete("session");
  history.pushState(null, "", address);
}

function invitation(store) {
  const box = el("div", { class: "lab-invitation" },
    el("i", { class: "lab-logo" }, el("b"), el("b"), el("b")),
    el("h2", { text: "Watch a search think" }),
    el("p", { text: "A problem is ready on the left. Press Step to take one iteration of tree search: the policy writes the next steps, the process reward model values them, and they appear here." }),
    el("p", { class: "lab-muted", text: "Or choose another sample, or ask a question of your own." }));
  const draw = () => {
    box.hidden = store.nodes.size > 0 || store.session !== null;
  };
  store.addEventListener("changed", draw);
  draw();
  return box;
}
