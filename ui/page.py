"""The one page of the lab: builds it, wires its presses to the workbench, serves it.

Presses return at once: work is done by the workbench, and the view learns of it by polling. The
page keeps no state of its own between presses, so a closed tab or a second one loses nothing.
"""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from ui import exports, installed, sessions, static
from ui.batches import Batches, order
from ui.interface import Workbench
from ui.panels import SAMPLES, Entered, Form, build_panels
from ui.safety import Access, Folders, Guard, folders
from ui.server import Server, reply, words
from ui.tree_view import head, tree_view

# Takes the reply of a press to the script, as data.
_RECEIVE = "(reply) => { window.lab?.receive(reply); }"
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

_LAST: dict[str, Any] = {**_QUIET, "trigger_mode": "always_last"}
"""For what tells of the form as it is: asked again after an answer if it was asked for meanwhile;
of others Gradio drops what comes before the answer."""

_LOOK = 0.5
"""Seconds between two looks of Gradio whether an event waits. None of this page ever does, and its
own thousand looks a second take a twentieth of a core from the models."""


def build_page(workbench: Workbench, reach: Folders) -> gr.Blocks:
    """The page of a workbench, and where its paths may lead; `launch` serves it."""
    problems = list(workbench.problems("samples", limit=SAMPLES))
    batches = Batches(workbench, reach.check)
    server = Server(workbench, batches, reach.check)
    page = gr.Blocks(title="lab", fill_width=True, analytics_enabled=False)
    with page:
        with gr.Column(elem_id="lab-form"):
            form = build_panels(workbench, problems)
        view = tree_view(server.functions())
        session = gr.Textbox(value="", visible="hidden", elem_id="lab-session-id")
        Wiring(workbench, batches, form, session).connect(view)
    return page


def own_question(problems: list[Any]) -> str:
    """A script that takes a sample, and its oracle answer, away when its question is changed.

    The sample's answer beside another question would call right answers wrong. Texts go in as
    JSON, `<` escaped.
    """
    known = json.dumps({one.id: [one.content, one.answer] for one in problems})
    return (
        "(gold, sample) => { const of = "
        + known.replace("<", "\\u003c")
        + "[sample]; const asked = document.querySelector('#lab-question textarea').value; return"
        + " !of || asked === of[0] ? [gold, sample] : [gold === of[1] ? '' : gold, null]; }"
    )


class Wiring:
    """Connects the form's components to the workbench.

    Every handler returns the form's updates, where it changes, and last a reply (a dict that the
    script shows). The replies of each have a place of their own: one that comes at the same time
    would take the other's before the script has it.
    """

    def __init__(
        self,
        workbench: Workbench,
        batches: Batches,
        form: Form,
        session: gr.Textbox,
    ) -> None:
        self.workbench = workbench
        self.batches = batches
        self.form = form
        self.session = session

    def connect(self, view: gr.HTML) -> None:
        """Wire everything; called inside the page's context."""
        form = self.form
        told = self._told
        told(form.sample.input, _LAST, self.choose, form.sample, form.question, form.gold)
        # In the browser, so that it never comes after what a person typed meanwhile.
        samples = [form.gold, form.sample]
        view.question(
            None, samples, samples, js=own_question(list(form.problems.values())), **_QUIET
        )
        told(form.question.blur, _LAST, self.hint, form.question)
        form.algorithm.input(form.parameters.show, form.algorithm, form.parameters.columns, **_LAST)
        asked = [self.session, *form.inputs]
        told(view.open, _QUIET, self.open, None, self.session, *form.outputs)
        told(view.press, _QUIET, self.press, asked, self.session)
        told(view.compare, _LAST, self.compare, asked)
        told(view.solve, _QUIET, self.solve, form.inputs)

    def _told(
        self, event: Any, how: dict[str, Any], handler: Any, inputs: Any, *outputs: Any
    ) -> None:
        """Let a handler's reply go to the script."""
        outbox = gr.JSON(visible="hidden")
        event(handler, inputs, [*outputs, outbox], **how).then(
            None, outbox, None, js=_RECEIVE, **_QUIET
        )

    def press(self, event: gr.EventData, session: str, *values: Any) -> tuple[str, dict[str, Any]]:
        """Step or run: the open session, or a new one if the form asks for another search."""
        pressed = getattr(event, "pressed", None) or {}
        asked = getattr(event, "asked", None)
        try:
            entered = self.form.read(values)
            if not entered.question:
                raise ValueError("Write a question first, or pick a sample problem.")
            how = _run(self.workbench, pressed)
            session = self._session(session, entered, pressed.get("way") == "new")
            how(session)
        except Exception as error:  # whatever it is, it belongs where the person looks
            return session, reply(asked=asked, error=words(error))
        hint = self.workbench.hint(entered.question, entered.params)
        return session, reply(asked=asked, session=session, hint=hint, pressed=True, differs=None)

    def _session(self, session: str, entered: Entered, new: bool) -> str:
        """The session to go on with; a change of parameters in mid-search is recorded."""
        if session and not new:
            settings = self.workbench.settings(session)
            if not entered.another(settings):
                if entered.changed(settings):
                    self.workbench.steering.parameters(session, entered.params, entered.sampling)
                return session
        return self.workbench.create(entered.question, entered.gold, **entered.way)

    def compare(self, session: str, *values: Any) -> dict[str, Any]:
        """How the form differs from the open session."""
        if not session:
            return reply(differs=None)
        try:
            entered, settings = self.form.read(values), self.workbench.settings(session)
            return reply(
                differs={
                    "session": session,
                    "another": entered.another(settings),
                    "changed": [
                        {"name": name.replace("_", " "), "before": before, "after": after}
                        for name, (before, after) in entered.changed(settings).items()
                    ],
                }
            )
        except Exception as error:
            return reply(error=words(error))

    def choose(self, sample: str) -> tuple[Any, Any, dict[str, Any]]:
        """Question and oracle answer of a sample problem, and what is to be said of it."""
        problem = self.form.problems.get(sample)
        if problem is None:
            return gr.skip(), gr.skip(), reply(error="There is no such sample problem.")
        return problem.content, problem.answer, self.hint(problem.content)

    def hint(self, question: str) -> dict[str, Any]:
        """Whether the question is within the policy's reach."""
        try:
            return reply(hint=self.workbench.hint(question) if question.strip() else None)
        except Exception as error:
            return reply(error=words(error))

    def open(self, event: gr.EventData) -> list[Any]:
        """Show a session, or none: its settings in the form, its tree in the view."""
        nothing = [gr.skip() for _ in self.form.outputs]
        session, asked = (getattr(event, name, None) for name in ("session", "asked"))
        if not session:
            return ["", *nothing, reply(asked=asked, session=None, batch=None, hint=None)]
        try:
            filled = self.form.fill(self.workbench.settings(session))
            batch = next((s.batch for s in self.workbench.sessions() if s.id == session), None)
        except Exception as error:
            failed = reply(asked=asked, session=None, batch=None, error=words(error))
            return ["", *nothing, failed]
        return [session, *filled, reply(asked=asked, session=session, batch=batch, hint=None)]

    def solve(self, event: gr.EventData, *values: Any) -> dict[str, Any]:
        """Search a dataset in the way of the form."""
        try:
            wanted = order(getattr(event, "entered", None) or {})
            return reply(begun=self.batches.start(wanted, self.form.read(values).way))
        except Exception as error:
            return reply(begun=None, refused=words(error))


def _run(workbench: Workbench, pressed: Mapping[str, Any]) -> Callable[[str], None]:
    """What a press does to a session.

    Raises:
        ValueError: there is no such press, or its number is not one.
    """
    what, amount = pressed.get("what"), pressed.get("amount")
    if what == "iteration":
        return lambda session: workbench.run(session, iterations=1)
    if what == "phase":
        return lambda session: workbench.step(session, 1)
    if what == "right":
        return workbench.steering.run_until_right
    if what == "end":
        return workbench.run
    if what not in ("iterations", "tokens", "seconds"):
        raise ValueError(f"The page cannot do {what!r}.")
    if not isinstance(amount, int | float) or amount < 1 or amount != int(amount):
        shown = f"{amount:g}" if isinstance(amount, int | float) else "nothing"
        raise ValueError(f"Run a whole number of {what} from 1 on, not {shown}.")
    return lambda session: workbench.run(session, **{what: int(amount)})


def launch(
    workbench: Workbench,
    access: Access | None = None,
    port: int | None = None,
    open_browser: bool = True,
    block: bool = True,
) -> tuple[gr.Blocks, str]:
    """Serve the page; returns it and its address (after it is closed, if `block`).

    Args:
        workbench: what is shown.
        access: who may use the page; whoever is at this machine if None.
        port: to listen on; any free one from 7860 on if None.
        open_browser: whether to show the page.
        block: whether to wait until it is closed.
    """
    access = access or Access()
    # Gradio asks its own address whether it is up; a proxy must not come between.
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), access.host, "localhost"]))
    page = build_page(workbench, folders(access, workbench.home))
    page._queue.sleep_when_free = page._queue.progress_update_sleep_when_free = _LOOK
    _, address, _ = page.launch(
        server_name=access.host,
        server_port=port,
        inbrowser=open_browser,
        prevent_thread_lock=True,
        share=False,
        ssr_mode=False,
        quiet=True,
        footer_links=[],
        run_history=False,
        head=head() + installed.head(),
        favicon_path=installed.ICON,
        app_kwargs={
            "routes": [
                static.route(),
                *installed.routes(),
                exports.route(workbench),
                sessions.route(workbench),
            ],
            "middleware": [Middleware(Guard, access=access)],
        },
        theme=gr.themes.Base(font=[gr.themes.Font("Inter")], font_mono=[gr.themes.Font("Mono")]),
    )
    if block:
        page.block_thread()
    return page, address
