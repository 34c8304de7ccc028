"""The live part of the page as a Gradio component: tree, inspector, status, sessions, datasets.

Only a frame: what is shown is drawn by the scripts in `assets/web`, which poll the server functions
given here. No text of a model or a person is ever a property or a template of this component,
because Gradio would run it as markup; it travels as JSON and becomes text nodes.
"""

import json
from collections.abc import Callable
from typing import Any

import gradio as gr

from ui.static import address

ServerFunction = Callable[[dict[str, Any]], Any]

_SHEETS = (
    "fonts",
    "tokens",
    "form",
    "view",
    "tree",
    "tree_tools",
    "tree_table",
    "keys",
    "header",
    "inspector",
    "math",
    "steering",
    "history",
    "datasets",
    "sessions",
    "tour",
    "models",
    "batch",
    "rewards",
    "timeline",
    "compare",
    "study",
    "rounds",
    "rounds_new",
    "rounds_verdict",
    "lineage",
    "rounds_narrow",
    "evaluate",
    "evaluate_new",
    "narrow",
    "drawer",
)

# How the script asks Python for what needs the form: to fill it from a session ('open'), to search
# what it asks ('press'), to tell how it differs from the session ('compare'), that another question
# is being written ('question'), or to search a dataset in its way ('solve'). Gradio finds the names
# of events in this text.
#
# The whole address: a browser that has two labs open keeps the compiled text of one for the other,
# and with it the place that a path alone would be taken from.
_ON_LOAD = """
import(new URL(%s, location.href).href).then((lab) => lab.mount(
    element.querySelector(".lab-mount"), server, (event, data) => trigger(event, data)
)).catch((error) => {
    element.textContent = "The page's script did not start: " + error;
});
// events: 'open', 'press', 'compare', 'question', 'solve'
"""


def tree_view(server_functions: list[ServerFunction]) -> gr.HTML:
    """The view of one session, and the sheet of datasets over it.

    A plain `gr.HTML`, not a subclass: Gradio writes a `.pyi` file beside every module that defines
    a component class.

    Args:
        server_functions: those of `ui.server.Server`; each takes one dict and returns something
            JSON-able.
    """
    return gr.HTML(
        value=None,
        html_template='<div class="lab-mount"></div>',
        js_on_load=_ON_LOAD % json.dumps(address("main.js")),
        apply_default_css=False,
        server_functions=list(server_functions),
        elem_id="lab-view",
    )


def slot(name: str, kind: str) -> gr.HTML:
    """An empty place in the form for messages, which the script fills as plain text."""
    attributes = f'class="lab-message is-{kind}" role="alert" data-lab-slot="{name}"'
    return gr.HTML(
        value=None,
        html_template=f"<p {attributes} hidden></p>",
        js_on_load=None,
        apply_default_css=False,
        elem_classes=["lab-slot"],
    )


def place(name: str) -> gr.HTML:
    """An empty place in the form that the script fills."""
    return gr.HTML(
        value=None,
        html_template=f'<div data-lab-place="{name}"></div>',
        js_on_load=None,
        apply_default_css=False,
    )


def head() -> str:
    """Tags for the document's head: the page's own style sheets, nothing from elsewhere."""
    links = [f'<link rel="stylesheet" href="{address(f"{name}.css")}">' for name in _SHEETS]
    return "\n".join(['<meta name="color-scheme" content="light dark">', *links])
