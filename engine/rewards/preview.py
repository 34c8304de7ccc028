"""What would change: rewards under verdicts that nobody has given yet."""

import copy
from collections.abc import Iterable

import msgspec

from engine import events as ev
from engine.rewards.methods import infer
from engine.rewards.rows import Change, Rewards, difference
from engine.tree import Tree

PersonsVerdict = ev.Marked | ev.Regraded | ev.Overruled


class Preview(msgspec.Struct, frozen=True):
    """Rewards as they are and as they would be, and the rows that differ."""

    before: Rewards
    after: Rewards
    changes: tuple[Change, ...]


def supposing(tree: Tree, verdicts: Iterable[PersonsVerdict]) -> Tree:
    """A tree like this one with a person's verdicts added.

    It shares what does not differ with the given tree, which stays as it is: use it before that one
    changes.

    Raises:
        EventError: a verdict does not fit; see `Tree.apply`.
    """
    other = copy.copy(tree)
    other.nodes = list(tree.nodes)
    for verdict in verdicts:
        other.nodes[verdict.node] = copy.copy(other.node(verdict.node))
        other.apply(verdict)
    return other


def preview(tree: Tree, method: str, verdicts: Iterable[PersonsVerdict]) -> Preview:
    """What a person's verdicts would change in the rewards of a tree; the tree is not changed.

    Raises:
        EventError: a verdict does not fit.
        ParameterError: there is no such method.
    """
    before = infer(tree, method)
    after = infer(supposing(tree, verdicts), method)
    return Preview(before, after, difference(before, after))


def flipped(tree: Tree, leaf: int) -> ev.Regraded:
    """The verdict that turns a leaf's answer from correct to wrong, or the other way round.

    Raises:
        EventError: there is no such node.
    """
    return ev.Regraded(leaf, not tree.node(leaf).accepted)
