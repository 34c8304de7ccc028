"""Search results as text: the tree, the answer and its cost, tables.

Reads what the workbench returns as plain dictionaries; knows neither models nor the store.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lab.terminal import plain

Facts = Mapping[str, Any]

# From dark to bright with the value, and told apart by colour-blind eyes (after viridis).
_SCALE = ("color(61)", "color(31)", "color(36)", "color(77)", "color(185)")
LINES = 40
"""How many nodes of a large tree are shown unless all are asked for."""

ENDED = {
    "gate": "a finished solution passed the end gate",
    "exhausted": "nothing is left to expand",
    "idle": "it only walks known ways again, which takes no tokens",
    "complete": "all its solutions are finished",
    "unusable": "nothing usable came",
    "unfinished": "no solution came to its end: each was given up or grew too long",
}
"""Why a search has nothing more to do."""


def value_style(value: float) -> str:
    """Colour of a value in [0, 1]; values outside take the nearest end."""
    return _SCALE[min(len(_SCALE) - 1, max(0, int(value * len(_SCALE))))]


def verdict(correct: bool | None) -> Text:
    """Right, wrong, or nothing where there is no oracle answer."""
    if correct is None:
        return Text()
    return Text("right", style="green") if correct else Text("wrong", style="red")


def tree(delta: Facts, limit: int | None = LINES) -> Tree:
    """The search tree, best path marked with a star; at most `limit` nodes (None: all)."""
    nodes: Sequence[Facts] = delta["nodes"]
    best = set(delta["tree"]["best_path"])
    children: dict[int, list[Facts]] = {}
    for node in nodes:
        if node["parent"] is not None:
            children.setdefault(node["parent"], []).append(node)
    shown = _choose(nodes, best, limit)
    root = Tree(plain(delta["tree"]["question"], style="bold"), guide_style="dim")
    branches = {nodes[0]["id"]: root} if nodes else {}
    for node in nodes:  # creation order: a parent comes before its children
        branch = branches.get(node["id"])
        if branch is None:
            continue
        below = children.get(node["id"], [])
        for child in below:
            if child["id"] in shown:
                branches[child["id"]] = branch.add(_line(child, child["id"] in best))
        hidden = sum(child["id"] not in shown for child in below)
        if hidden:
            branch.add(Text(f"... {hidden} more", style="dim"))
    return root


def _choose(nodes: Sequence[Facts], best: set[int], limit: int | None) -> set[int]:
    """The best path with its siblings, then the most visited nodes whose parent is shown."""
    if limit is None or len(nodes) <= limit:
        return {node["id"] for node in nodes}
    chosen = {node["id"] for node in nodes if node["id"] in best or node["parent"] in best}
    # A parent has at least the visits of its child and a smaller id, so it is chosen first.
    for node in sorted(nodes, key=lambda node: (-node["visits"], node["id"])):
        if len(chosen) >= limit:
            break
        if node["parent"] is None or node["parent"] in chosen:
            chosen.add(node["id"])
    return chosen


def _line(node: Facts, best: bool) -> Text:
    line = Text("* " if best else "  ", style="bold" if best else "")
    line.append(f"{node['value']:.2f}", style=value_style(node["value"]))
    line.append(f" n {node['visits']:<3} ", style="dim")
    line.append_text(plain(node["step"].rstrip("\n"), style="bold" if best else ""))
    if node["answer"] is not None:
        if node["answer"] not in node["step"]:
            line.append(" = ", style="dim")
            line.append_text(plain(node["answer"]))
        if node["correct"] is not None:
            line.append("  ")
            line.append_text(verdict(node["correct"]))
    return line


def summary(result: Facts) -> Text:
    """The answer, whether it is right, what is level with it, what it took, what was refused."""
    text = Text()
    if result["answer"] is None:
        text.append("No answer yet", style="bold")
    else:
        text.append("Answer ")
        text.append_text(plain(result["answer"], style="bold"))
        text.append("  ")
        text.append_text(verdict(result["correct"]))
    if result["gold"] is not None:
        text.append_text(plain(f"  (expected {result['gold']})"))
    if result.get("tie"):
        text.append("\n")
        text.append_text(plain(result["tie"]["words"]))
    policy, prm = result["tokens"]["policy"], result["tokens"]["prm"]
    text.append(
        f"\n{result['iterations']:,} iterations, {result['nodes']:,} nodes, "
        f"{result['seconds']:.1f} s{_ended(result)}\n"
        f"policy: {policy['generated']:,} tokens generated, {_work(policy)}\n"
        f"PRM: {_work(prm)}"
    )
    if words := result["refused"]["words"]:
        text.append("\nrefused: ")
        text.append_text(plain(words))
    return text


def _work(tokens: Facts) -> str:
    """How many tokens were needed, and what the model really did for them."""
    padded = f", {tokens['padded']:,} padded" if tokens["padded"] else ""
    return (
        f"{tokens['unique']:,} unique, {tokens['forwarded']:,} forwarded, "
        f"{tokens['cached']:,} read again from the cache{padded}"
    )


def _ended(result: Facts) -> str:
    stop, refused = result["stop"], result["refused"]
    if stop not in ENDED:
        return ""
    words = f"; ended: {ENDED[stop]}"
    if stop == "unusable":
        of = f"{refused['refused']:,} of {refused['asked']:,}"
        words += f": {of} proposals were refused"
    return words


def table(columns: Iterable[tuple[str, str]], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table without lines; `columns` are (heading, "left" or "right")."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading, side in columns:
        grid.add_column(heading, justify="right" if side == "right" else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(plain(cell) if isinstance(cell, str) else cell for cell in row))
    return grid
