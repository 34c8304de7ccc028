"""Where the nodes of a tree are drawn: leaves side by side, parents in the middle above them."""

from engine.tree import Tree


def positions(tree: Tree) -> dict[int, tuple[float, float]]:
    """(x, y) of every node: leaves at x = 0, 1, 2, ... depth-first, y = -depth."""
    places: dict[int, tuple[float, float]] = {}
    leaves = 0
    # Depth-first reversed: children come before their parent.
    order = list(tree.depth_first())
    across: dict[int, float] = {}
    for node in order:
        if not node.children:
            across[node.id] = float(leaves)
            leaves += 1
    for node in reversed(order):
        if node.children:
            first, last = across[node.children[0]], across[node.children[-1]]
            across[node.id] = (first + last) / 2
    for node in order:
        places[node.id] = (across[node.id], -float(node.depth))
    return places
