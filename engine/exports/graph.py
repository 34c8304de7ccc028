"""A tree as a networkx graph, and as GraphML for other programs."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.tree import Node, Tree

if TYPE_CHECKING:
    import networkx

_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, and the carriage return, which its readers change."""


def graph(tree: Tree) -> "networkx.DiGraph":
    """A directed graph from parents to children; nodes are ids, and hold what `attributes` tells.

    The graph itself holds question, gold, algorithm, seed, policy and prm.
    """
    import networkx

    about = {"question": tree.question, "gold": tree.gold, "algorithm": tree.algorithm}
    models = {"seed": tree.seed, "policy": tree.policy, "prm": tree.prm}
    found = networkx.DiGraph(**about, **models)
    for node in tree.nodes:
        found.add_node(node.id, **attributes(node))
        if node.parent is not None:
            found.add_edge(node.parent, node.id)
    return found


def attributes(node: Node) -> dict[str, Any]:
    """What a graph tells of a node: texts, numbers, truth values, or None where not known."""
    return {
        "step": node.step,
        "depth": node.depth,
        "value": node.value,
        "prm": node.prm_value,
        "visits": node.visits,
        "verdict": node.verdict,
        "answer": node.answer,
        "correct": node.correct,
        "regraded": node.regraded,
        "mark": node.mark,
        "overruled": node.overruled,
        "iteration": node.iteration,
        "tokens": node.tokens,
        "logprob": node.logprob,
        "note": node.note,
    }


def write_graphml(tree: Tree, path: Path) -> None:
    r"""Write a tree as GraphML.

    Attributes that are None are left out. Characters that XML cannot hold, and carriage returns,
    are written out, such as \x1b: what must be exact is exported as JSON.
    """
    import networkx

    found = graph(tree)
    for known in (found.graph, *(data for _, data in found.nodes(data=True))):
        for name, value in list(known.items()):
            if value is None:
                del known[name]
            elif isinstance(value, str):
                known[name] = writable(value)
    networkx.write_graphml_xml(found, path, encoding="utf-8")


def writable(text: str) -> str:
    """The text with everything that XML cannot hold written out."""
    return _NOT_XML.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
