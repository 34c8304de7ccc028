"""A tree as a still picture, for papers: PNG, SVG or PDF by matplotlib, which needs no browser.

Kaleido, Plotly's own way, starts a Chromium; matplotlib draws in this process and knows all three.
"""

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.exports.layout import positions
from engine.exports.words import shortened
from engine.tree import Node, Tree

SUFFIXES = (".png", ".svg", ".pdf")

_ROW, _COLUMN, _FRAME = 0.22, 2.2, 1.2  # inches
_BAR = 3.0  # inches
_LARGEST = 40.0  # inches; at _DPI a picture of 6,000 dots
_DPI = 150
_LABEL, _TITLE = 34, 110  # characters
_LEAST_ROW = 0.15  # inches that a line of text needs


def write_picture(tree: Tree, path: Path, kind: str) -> None:
    """Draw a tree from left to right: colour is V, size is visits, the chosen path is wide.

    Steps are written beside their nodes as long as there is room.

    Args:
        tree: a search.
        path: where.
        kind: png, svg or pdf.
    """
    import matplotlib
    from matplotlib.figure import Figure

    places = {node: (-y, -x) for node, (x, y) in positions(tree).items()}
    deep = max(x for x, _ in places.values()) + 1
    rows = 1 - min(y for _, y in places.values())
    height, width = min(_LARGEST, rows * _ROW + _FRAME), min(_LARGEST, deep * _COLUMN + _FRAME)
    # Text of an SVG stays text: it can be searched, and the viewer has the fonts for it.
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "tree", "path.simplify": False}
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        _draw(axes, tree, places, labelled=(height - _FRAME) / rows >= _LEAST_ROW)
        axes.set_xlim(-0.15, deep - 0.1)
        axes.set_ylim(-rows + 0.3, 0.7)
        stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        figure.savefig(path, format=kind, dpi=_DPI, metadata=stamp)


def _draw(axes: Any, tree: Tree, places: dict[int, tuple[float, float]], labelled: bool) -> None:
    from matplotlib.collections import LineCollection

    nodes, (low, high) = tree.nodes, tree.value_range
    best = tree.path(tree.chosen) if tree.chosen is not None else []
    edges = [(node.parent, node.id) for node in nodes if node.parent is not None]
    for pairs, colour, wide in ((edges, "#b9bcc2", 0.8), (list(pairwise(best)), "#f0b400", 3.0)):
        # Along the parent's height, then to the child: labels stay beside the lines.
        lines = [
            [places[parent], (places[parent][0], places[child][1]), places[child]]
            for parent, child in pairs
        ]
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=wide, zorder=1))
    most = max(node.visits for node in nodes) or 1
    dots = axes.scatter(
        [places[node.id][0] for node in nodes],
        [places[node.id][1] for node in nodes],
        c=[node.value for node in nodes],
        s=[20 + 110 * node.visits / most for node in nodes],
        cmap="viridis",
        vmin=low,
        vmax=high,
        edgecolors=[_ring(node) for node in nodes],
        linewidths=[0.6 if node.accepted is None else 1.8 for node in nodes],
        zorder=2,
    )
    axes.figure.colorbar(dots, ax=axes, label="V", fraction=0.03, pad=0.01, shrink=_bar(axes))
    axes.set_axis_off()
    axes.set_title(shortened(tree.question, _TITLE), fontsize=9, loc="left", parse_math=False)
    if labelled:
        for node in nodes[1:]:
            axes.annotate(
                f"{shortened(node.step, _LABEL)}  {node.value:.2f}",
                places[node.id],
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=6,
                parse_math=False,
                zorder=3,
            )


def _bar(axes: Any) -> float:
    """Height of the colour bar as a share of the picture's."""
    return min(1.0, _BAR / float(axes.figure.get_figheight()))


def _ring(node: Node) -> str:
    if node.accepted is None:
        return "#7a7f88"
    return "#14764a" if node.accepted else "#c0262d"
