"""Two searches of one question side by side: the same steps, and what differs at them."""

from collections.abc import Callable
from typing import Any

import msgspec

from engine.errors import ParameterError
from engine.rewards.methods import infer
from engine.tasks.same import comparison_for, same_or_none
from engine.tree import Node, Tree
from lab.live import LiveSession
from lab.view import outcome


class Side(msgspec.Struct, frozen=True):
    """One of the two searches.

    Attributes:
        session: id.
        nodes, iterations: how many.
        answer, correct: what it answers.
        best_path: ids, root first.
        params: that differ from the other's, those of sampling too.
        policy, prm: models.
        rows: how many rewards it exports.
    """

    session: str
    nodes: int
    iterations: int
    answer: str | None
    correct: bool | None
    best_path: list[int]
    params: dict[str, Any]
    policy: str
    prm: str
    rows: int


class Pair(msgspec.Struct, frozen=True):
    """The same steps in both: ids, V, visits and reward (None: no row) of one and the other."""

    one: int
    other: int
    step: str
    depth: int
    values: tuple[float, float]
    visits: tuple[int, int]
    rewards: tuple[float | None, float | None]


class Sides(msgspec.Struct, frozen=True):
    """The comparison: pairs in the first one's order of creation, the ids that only one has, and
    whether both have the same answer, however they spell it, or both none.
    """

    one: Side
    other: Side
    pairs: list[Pair]
    only_one: list[int]
    only_other: list[int]
    same_answer: bool


class Comparisons:
    """Comparisons of the sessions of a home.

    Args:
        current: gives a session with everything that is on disk of it.
    """

    def __init__(self, current: Callable[[str], LiveSession]) -> None:
        self._current = current

    def sessions(self, one: str, other: str, method: str = "paper") -> Sides:
        """Compare two sessions.

        Args:
            one: id.
            other: id.
            method: of the rewards, see `engine.rewards.methods.METHODS`.

        Raises:
            ParameterError: they ask different questions, or there is no such method.
            StoreError: one does not exist or cannot be read.
        """
        trees = [Tree.fold(self._current(session).view.log) for session in (one, other)]
        first, second = trees
        if first.question != second.question:
            raise ParameterError(
                "These sessions ask different questions: compare two searches of the same one."
            )
        rewards = [{row.node: row.value for row in infer(tree, method).rows} for tree in trees]
        known = _by_steps(second)
        pairs: list[Pair] = []
        only_one: list[int] = []
        for steps, node in _by_steps(first).items():
            there = known.get(steps)
            if there is None:
                only_one.append(node.id)
            else:
                pairs.append(_pair(node, there, rewards[0], rewards[1]))
        paired = {pair.other for pair in pairs}
        left = _side(one, first, second, len(rewards[0]))
        right = _side(other, second, first, len(rewards[1]))
        same = same_or_none(left.answer, right.answer, comparison_for(first.gold))
        alone = [node.id for node in known.values() if node.id not in paired]
        return Sides(left, right, pairs, only_one, alone, same)


def _by_steps(tree: Tree) -> dict[tuple[str, ...], Node]:
    """The first node with each sequence of steps."""
    texts: list[tuple[str, ...]] = []
    found: dict[tuple[str, ...], Node] = {}
    for node in tree.nodes:
        texts.append(() if node.parent is None else (*texts[node.parent], node.step))
        found.setdefault(texts[-1], node)
    return found


def _pair(one: Node, other: Node, mine: dict[int, float], theirs: dict[int, float]) -> Pair:
    return Pair(
        one.id,
        other.id,
        one.step,
        one.depth,
        (one.value, other.value),
        (one.visits, other.visits),
        (mine.get(one.id), theirs.get(other.id)),
    )


def _side(session: str, tree: Tree, other: Tree, rows: int) -> Side:
    found = outcome(tree)
    mine, theirs = _flat(tree), _flat(other)
    return Side(
        session,
        len(tree.nodes),
        tree.iteration,
        found.answer,
        found.correct,
        tree.path(found.best),
        {name: value for name, value in mine.items() if theirs.get(name) != value},
        tree.policy,
        tree.prm,
        rows,
    )


def _flat(tree: Tree) -> dict[str, Any]:
    sampling = tree.params.get("sampling")
    params = {name: value for name, value in tree.params.items() if name != "sampling"}
    return {**params, **(sampling if isinstance(sampling, dict) else {}), "seed": tree.seed}
