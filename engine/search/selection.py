"""Which child a search walks into: the paper's UCT-like score and the reference's tie rule."""

import math
from collections.abc import Iterable
from typing import Protocol

from engine.events import Pick, Score
from engine.randomness import choose
from engine.tree import Node, Tree


class SelectionParams(Protocol):
    """The parameters that selection reads."""

    @property
    def exploration_constant(self) -> float: ...
    @property
    def inf(self) -> float: ...
    @property
    def tie_rule(self) -> str: ...


def score(parent: Node, child: Node, params: SelectionParams) -> Score:
    """V + c sqrt(2 ln N / n) of a visited child, V + inf of an unvisited one.

    N are the parent's visits, n the child's. `inf` is finite, so with a small one an unvisited
    child of low V can stay unvisited (ReST-MCTS*, Alg. 2, and the reference implementation).
    """
    if child.visits == 0:
        bonus = params.inf
    else:
        bonus = params.exploration_constant * math.sqrt(2 * math.log(parent.visits) / child.visits)
    return Score(child.id, child.value, bonus, child.value + bonus)


def best_child(
    tree: Tree, parent: Node, candidates: Iterable[int], params: SelectionParams
) -> Pick:
    """The candidate with the largest score; ties by `tie_rule` among equals in creation order.

    A random tie is drawn from the address (seed, parent, visits), so a replay draws the same.
    """
    scores = [score(parent, tree.node(identifier), params) for identifier in candidates]
    top = max(item.total for item in scores)
    equal = [item.node for item in scores if item.total == top]
    if params.tie_rule == "last":
        chosen = equal[-1]
    elif params.tie_rule == "random" and len(equal) > 1:
        chosen = equal[choose(equal, "tie", tree.seed, parent.id, parent.visits)]
    else:
        chosen = equal[0]
    return Pick(parent.id, scores, chosen)
