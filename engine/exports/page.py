"""A tree as one HTML file: drawn by Plotly, complete in itself, opened from disk without a network.

Texts are data: in a JSON block of the page and, in Plotly's labels, without any of its mark-up. The
page's own policy forbids every request.
"""

import html
import json
import re
import textwrap
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.exports.graph import attributes
from engine.exports.layout import positions
from engine.exports.words import legible, shortened
from engine.tree import Node, Tree

_HOVER_WIDTH, _HOVER_CHARACTERS = 60, 400
_SMALLEST, _LARGEST = 9.0, 26.0
_PLACE = re.compile("@@([a-z]+)@@")


def write_page(tree: Tree, path: Path) -> None:
    """Write a tree as a page."""
    from plotly.offline import get_plotlyjs

    template = (resources.files("assets") / "export" / "tree.html").read_text("utf-8")
    parts = {
        "title": html.escape(shortened(tree.question, 100)),
        "plotly": get_plotlyjs(),
        "figure": figure(tree).to_json(),
        "nodes": _json(_told(tree)),
    }
    # In one pass, so that no text can stand for a part.
    path.write_text(_PLACE.sub(lambda place: parts[place[1]], template), "utf-8")


def figure(tree: Tree) -> Any:
    """A tree as a Plotly figure: colour is V, size is visits; `customdata` are node ids."""
    import plotly.graph_objects as go

    places, (low, high) = positions(tree), tree.value_range
    best = tree.path(tree.chosen) if tree.chosen is not None else []
    nodes = tree.nodes
    most = max(node.visits for node in nodes) or 1
    edges = [(node.parent, node.id) for node in nodes if node.parent is not None]
    dots = go.Scatter(
        x=[places[node.id][0] for node in nodes],
        y=[places[node.id][1] for node in nodes],
        mode="markers",
        customdata=[node.id for node in nodes],
        hovertext=[_hover(tree, node) for node in nodes],
        hoverinfo="text",
        marker={
            "color": [node.value for node in nodes],
            "colorscale": "Viridis",
            "cmin": low,
            "cmax": high,
            "opacity": 1,
            "colorbar": {"title": {"text": "V"}, "thickness": 12},
            "size": [_SMALLEST + (_LARGEST - _SMALLEST) * (n.visits / most) ** 0.5 for n in nodes],
            "line": {"width": [_ring(node)[0] for node in nodes],
                     "color": [_ring(node)[1] for node in nodes]},
        },
    )  # fmt: skip
    return go.Figure(
        [
            _lines(places, edges, "#b9bcc2", 1),
            _lines(places, list(pairwise(best)), "#f0b400", 4),
            dots,
        ],
        {
            "showlegend": False,
            "dragmode": "pan",
            "hovermode": "closest",
            "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
            "xaxis": {"visible": False},
            "yaxis": {"visible": False},
            "plot_bgcolor": "#ffffff",
            "hoverlabel": {"align": "left"},
        },
    )


def _lines(
    places: dict[int, tuple[float, float]], edges: list[tuple[int, int]], colour: str, width: int
) -> Any:
    import plotly.graph_objects as go

    across: list[float | None] = []
    down: list[float | None] = []
    for parent, child in edges:
        across += [places[parent][0], places[child][0], None]
        down += [places[parent][1], places[child][1], None]
    line = {"color": colour, "width": width}
    return go.Scatter(x=across, y=down, mode="lines", line=line, hoverinfo="skip")


def _ring(node: Node) -> tuple[int, str]:
    """How a node is outlined: by its answer, where that is judged."""
    if node.accepted is None:
        return 1, "#7a7f88"
    return 3, "#14764a" if node.accepted else "#c0262d"


def _hover(tree: Tree, node: Node) -> str:
    text = node.step if node.parent is not None else tree.question
    lines = textwrap.wrap(shortened(text, _HOVER_CHARACTERS), _HOVER_WIDTH)
    lines.append(f"V {node.value:.3f}, visits {node.visits}, node {node.id}")
    if node.answer is not None:
        verdict = {True: ", right", False: ", wrong", None: ""}[node.accepted]
        lines.append(f"answer {shortened(node.answer, _HOVER_WIDTH)}{verdict}")
    # Plotly reads some tags in labels; escaped ones it shows as they are.
    return "<br>".join(html.escape(line, quote=False) for line in lines)


def _told(tree: Tree) -> dict[str, Any]:
    """What the page tells of a node that is clicked."""
    nodes = []
    for node in tree.nodes:
        told = {"id": node.id, "parent": node.parent, **attributes(node)}
        nodes.append({k: legible(v) if isinstance(v, str) else v for k, v in told.items()})
    question = legible(tree.question)
    gold = None if tree.gold is None else legible(tree.gold)
    return {"question": question, "gold": gold, "algorithm": tree.algorithm, "nodes": nodes}


def _json(value: object) -> str:
    """JSON that can end no script block."""
    return json.dumps(value).replace("<", "\\u003c")
