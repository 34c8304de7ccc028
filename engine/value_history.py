"""How V of one node became what it is, event by event."""

from collections.abc import Sequence

import msgspec

from engine import events as ev
from engine.tree import Tree, standing

_CAUSES = {
    ev.Evaluated: "valued by the process reward model",
    ev.RolledOut: "roll-out",
    ev.BackedUp: "backup",
    ev.Overruled: "overruled",
    ev.Pruned: "pruned or brought back",
}


class ValuePoint(msgspec.Struct, frozen=True):
    """V from one event on.

    Attributes:
        place: of the event in the log, from 1 on.
        iteration: in which it happened, or after which.
        value: V, in the range of the process reward model.
        visits: n.
        cause: what happened, in words.
    """

    place: int
    iteration: int
    value: float
    visits: int
    cause: str


def value_history(log: Sequence[ev.Event], node: int) -> list[ValuePoint]:
    """V of a node from its first value on: a point wherever V or visits changed.

    What was gone back from does not count.

    Raises:
        EventError: there is no such node.
    """
    tree = Tree()
    found: list[ValuePoint] = []
    for place, event in standing(log):
        tree.apply(event)
        if node >= len(tree.nodes):
            continue
        one = tree.nodes[node]
        before = found[-1] if found else None
        valued = one.prm_value is not None or one.visits > 0
        if not valued or (before and (before.value, before.visits) == (one.value, one.visits)):
            continue
        cause = _CAUSES.get(type(event), "")
        found.append(ValuePoint(place, tree.iteration, one.value, one.visits, cause))
    tree.node(node)
    return found
