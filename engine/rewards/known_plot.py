"""Draws estimates with their intervals by budget: panels of curves in one SVG, no library."""

import math
from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree as Xml

import msgspec

_COLOURS = (
    "#3366cc #dc7633 #2e8b57 #8e44ad #b03a2e #606c70 #16a5a5 #b8860b #e377c2 #111111 #8fbc3f"
).split()
_WIDTH, _HEIGHT = 300, 200
_LEFT, _TOP, _RIGHT, _BELOW, _LEGEND = 56, 34, 14, 40, 210
_TICKS = 4


class Point(msgspec.Struct, frozen=True):
    """An estimate at a budget in steps, with its interval."""

    steps: float
    estimate: float
    low: float
    high: float


class Panel(msgspec.Struct, frozen=True):
    """Curves by name."""

    title: str
    curves: dict[str, list[Point]]


def drawing(rows: Sequence[Sequence[Panel]]) -> str:
    """Rows of panels as an SVG document; a row shares its vertical scale, all share colours.

    Every panel holds at least one point.
    """
    names = list(dict.fromkeys(name for row in rows for panel in row for name in panel.curves))
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
    step_x, step_y = _LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BELOW
    columns = max(map(len, rows))
    width, height = columns * step_x + _LEGEND, len(rows) * step_y
    view = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {width} {height}"}
    root = Xml.Element("svg", view | {"font-family": "sans-serif", "font-size": "11"})
    Xml.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "white"})
    points = [p for row in rows for panel in row for c in panel.curves.values() for p in c]
    steps = [math.log10(point.steps) for point in points]
    for i, row in enumerate(rows):
        heights = [y for panel in row for c in panel.curves.values() for p in c for y in _ends(p)]
        span = (min(*heights, 0.0), max(*heights, 0.0))
        for j, panel in enumerate(row):
            place = {"transform": f"translate({j * step_x + _LEFT} {i * step_y + _TOP})"}
            group = Xml.SubElement(root, "g", place)
            _panel(group, panel, colours, (min(steps), max(steps)), span)
    for i, name in enumerate(names):
        x, y = columns * step_x + 10, _TOP + 18 * i
        _line(root, (x, y), (x + 22, y), colours[name], 2.0)
        _text(root, x + 28, y + 4, name, "start")
    return Xml.tostring(root, encoding="unicode")


def _panel(
    group: Xml.Element,
    panel: Panel,
    colours: dict[str, str],
    steps: tuple[float, float],
    span: tuple[float, float],
) -> None:
    def place(log_steps: float, value: float) -> tuple[float, float]:
        across = (log_steps - steps[0]) / ((steps[1] - steps[0]) or 1.0)
        up = (value - span[0]) / ((span[1] - span[0]) or 1.0)
        return 8 + across * (_WIDTH - 16), _HEIGHT - up * _HEIGHT

    _text(group, _WIDTH / 2, -12, panel.title, "middle")
    for tick in range(_TICKS + 1):
        value = span[0] + tick * (span[1] - span[0]) / _TICKS
        y = place(0.0, value)[1]
        _line(group, (0, y), (_WIDTH, y), "#e4e4e4", 1.0)
        _text(group, -6, y + 4, f"{value:.2f}", "end")
    zero = place(0.0, 0.0)[1]
    _line(group, (0, zero), (_WIDTH, zero), "#888888", 1.0)
    for power in range(math.ceil(steps[0]), math.floor(steps[1]) + 1):
        x = place(power, 0.0)[0]
        _line(group, (x, 0), (x, _HEIGHT), "#e4e4e4", 1.0)
        _text(group, x, _HEIGHT + 15, f"{10**power:,}", "middle")
    _text(group, _WIDTH / 2, _HEIGHT + 30, "steps sampled", "middle")
    for name, curve in panel.curves.items():
        places = [place(math.log10(point.steps), point.estimate) for point in curve]
        for point, (x, y) in zip(curve, places, strict=True):
            low, high = (place(0.0, end)[1] for end in _ends(point))
            _line(group, (x, low), (x, high), colours[name], 1.0)
            mark = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "2.5", "fill": colours[name]}
            Xml.SubElement(group, "circle", mark)
        for one, next_one in pairwise(places):
            _line(group, one, next_one, colours[name], 1.8)


def _ends(point: Point) -> tuple[float, float]:
    return point.low, point.high


def _line(
    parent: Xml.Element,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str,
    width: float,
) -> None:
    names = zip(("x1", "y1", "x2", "y2"), (*start, *end), strict=True)
    ends = {name: f"{value:.1f}" for name, value in names}
    Xml.SubElement(parent, "line", {**ends, "stroke": colour, "stroke-width": f"{width:g}"})


def _text(parent: Xml.Element, x: float, y: float, words: str, anchor: str) -> None:
    at = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    Xml.SubElement(parent, "text", at).text = words
