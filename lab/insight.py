"""How well the process reward model agrees with what a person said, and what to judge next."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from engine import events as ev
from engine.errors import ParameterError
from engine.evaluation.statistics import Interval, wilson
from engine.node import Node
from engine.rewards.methods import infer
from engine.rewards.preview import flipped, supposing
from engine.rewards.rows import Reward, difference
from engine.tree import Tree
from lab.live import LiveSession
from sessions.store import Store

Scope = Literal["session", "dataset", "all"]
SCOPES: tuple[Scope, ...] = ("session", "dataset", "all")

BINS = 5
FEW = 20
"""With fewer labels than this a calibration says next to nothing."""

TRIED = 80
"""Candidates whose verdict is tried; a try infers all rewards of the tree."""

_Z = 1.959963984540054


class Label(msgspec.Struct, frozen=True):
    """What a person said of a node, and what the process reward model had said.

    Attributes:
        session: id.
        node: id.
        kind: a mark of a step, a verdict on an answer, or an overruled value.
        label: 1 right, 0 wrong; an overruled value as a share of the range of values.
        value: of the process reward model, likewise in [0, 1].
    """

    session: str
    node: int
    kind: Literal["mark", "answer", "value"]
    label: float
    value: float


class Bin(msgspec.Struct, frozen=True):
    """Labels whose nodes have a value from `low` on, below `high`: how many, their mean value, and
    the mean label with its 95 % interval.
    """

    low: float
    high: float
    count: int
    value: float
    label: Interval


class Calibration(msgspec.Struct, frozen=True):
    """A process reward model against a person.

    Attributes:
        prm: the model, as logs name it.
        scope: what was looked at.
        labels: how many.
        kinds: how many of each kind.
        sessions: in how many sessions.
        others: labels of nodes that another model valued, left out.
        brier: mean squared difference of value and label, 0 is best; None without labels.
        base: that of always saying the mean label.
        mean: the mean label.
        bins: those with labels, from low to high.
        few: whether there are too few labels to tell.
    """

    prm: str
    scope: Scope
    labels: int
    kinds: dict[str, int]
    sessions: int
    others: int
    brier: Interval | None
    base: float | None
    mean: float | None
    bins: list[Bin]
    few: bool


class Candidate(msgspec.Struct, frozen=True):
    """A node whose verdict would be worth having.

    Attributes:
        node: id.
        verdict: that was tried, the contrary of what counts now: on the answer of a finished
            solution (`answer right`, `answer wrong`) or on a step (`step right`, `step wrong`).
        rows: rewards that would change.
        value: of the process reward model, as a share of the range of values.
        unsure: how unsure it is: 1 - |2 value - 1|.
        score: rows times unsure.
    """

    node: int
    verdict: str
    rows: int
    value: float
    unsure: float
    score: float


class Candidates(msgspec.Struct, frozen=True):
    """Nodes to judge next, the best first; how many were tried, of how many."""

    method: str
    best: list[Candidate]
    tried: int
    possible: int


class Insights:
    """See the module. Safe to use from many threads.

    Args:
        store: of the sessions.
        current: gives a session with everything that is on disk of it.
    """

    def __init__(self, store: Store, current: Callable[[str], LiveSession]) -> None:
        self._store = store
        self._current = current

    def calibration(self, session: str, scope: Scope = "session") -> Calibration:
        """The process reward model of a session against what a person said.

        Args:
            session: id.
            scope: this session, all of its dataset, or all of the home.

        Raises:
            ParameterError: there is no such scope.
            StoreError: a session does not exist or cannot be read.
        """
        if scope not in SCOPES:
            raise ParameterError(f"There is no scope {scope!r}: take one of {', '.join(SCOPES)}.")
        with self._current(session).view.reading() as tree:
            prm = tree.prm
        mine: list[Label] = []
        others = 0
        for one in self._within(session, scope):
            log = self._current(one).view.log if one == session else self._store.events(one)
            tree = Tree.fold(log)
            for label in labels(one, tree):
                source = tree.node(label.node).source
                if source is not None and source.prm == prm:
                    mine.append(label)
                else:
                    others += 1
        return measured(mine, prm, scope, others)

    def _within(self, session: str, scope: Scope) -> list[str]:
        if scope == "session":
            return [session]
        labelled = self._store.labelled.sessions()
        if scope == "all":
            return labelled
        rows = {row.id: row.batch for row in self._store.sessions()}
        datasets = {row.id: row.dataset for row in self._store.batches.rows()}
        dataset = datasets.get(rows.get(session) or "")
        if dataset is None:
            return [session]
        return [one for one in labelled if datasets.get(rows.get(one) or "") == dataset]

    def annotate_next(
        self, session: str, method: str = "paper", limit: int = 12, tried: int = TRIED
    ) -> Candidates:
        """The nodes whose verdict would change most of what is exported, where the process reward
        model is unsure.

        Args:
            session: id.
            method: of the rewards.
            limit: most nodes of the answer.
            tried: most nodes whose verdict is tried; those come first whose branch has many rows.

        Raises:
            ParameterError: there is no such method.
            StoreError: the session does not exist or cannot be read.
        """
        tree = Tree.fold(self._current(session).view.log)
        before = infer(tree, method)
        rows = before.by_node()
        possible = sorted(_verdicts(tree, rows), key=lambda one: -_promise(tree, rows, one.node))
        found = []
        for verdict in possible[:tried]:
            changes = len(difference(before, infer(supposing(tree, [verdict]), method)))
            node = tree.node(verdict.node)
            value = _share(tree, node)
            found.append(
                Candidate(
                    node.id,
                    _words(verdict),
                    changes,
                    value,
                    _unsure(value),
                    changes * _unsure(value),
                )
            )
        found.sort(key=lambda one: (-one.score, one.node, one.verdict))
        best = [one for one in found if one.score > 0][:limit]
        return Candidates(method, best, min(tried, len(possible)), len(possible))


def labels(session: str, tree: Tree) -> list[Label]:
    """What a person said of the nodes of a tree that the process reward model had valued: one label
    a node, a mark before a verdict on the answer before a value; unclear steps have none.
    """
    found: list[Label] = []
    for node in tree.nodes:
        if node.prm_value is None:
            continue
        value = _scaled(tree, node.prm_value)
        if node.mark in ("right", "wrong"):
            found.append(Label(session, node.id, "mark", float(node.mark == "right"), value))
        elif node.regraded is not None:
            found.append(Label(session, node.id, "answer", float(node.regraded), value))
        elif node.overruled is not None and not node.mark:
            label = _scaled(tree, node.overruled)
            found.append(Label(session, node.id, "value", label, value))
    return found


def measured(found: Sequence[Label], prm: str, scope: Scope, others: int = 0) -> Calibration:
    """The calibration that labels give."""
    n = len(found)
    mean = sum(one.label for one in found) / n if n else None
    errors = [(one.value - one.label) ** 2 for one in found]
    return Calibration(
        prm,
        scope,
        n,
        {kind: sum(one.kind == kind for one in found) for kind in ("mark", "answer", "value")},
        len({one.session for one in found}),
        others,
        _mean(errors),
        None if mean is None else sum((mean - one.label) ** 2 for one in found) / n,
        mean,
        [one for k in range(BINS) for one in _bin(found, k)],
        n < FEW,
    )


def _bin(found: Sequence[Label], k: int) -> list[Bin]:
    low, high = k / BINS, (k + 1) / BINS
    here = [one for one in found if min(int(one.value * BINS), BINS - 1) == k]
    if not here:
        return []
    right, n = sum(one.label for one in here), len(here)
    bottom, top = wilson(right, n)
    share = Interval(right / n, max(0.0, bottom), min(1.0, top))
    return [Bin(low, high, n, sum(one.value for one in here) / n, share)]


def _mean(numbers: Sequence[float]) -> Interval | None:
    """The mean with its interval by the normal approximation, as wide as can be for one number."""
    n = len(numbers)
    if n == 0:
        return None
    mean = sum(numbers) / n
    if n == 1:
        return Interval(mean, 0.0, 1.0)
    spread = math.sqrt(sum((one - mean) ** 2 for one in numbers) / (n - 1))
    half = _Z * spread / math.sqrt(n)
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half))


def _scaled(tree: Tree, value: float) -> float:
    low, high = tree.value_range
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _share(tree: Tree, node: Node) -> float:
    return _scaled(tree, node.value if node.prm_value is None else node.prm_value)


def _unsure(value: float) -> float:
    return 1.0 - abs(2.0 * value - 1.0)


_Verdict = ev.Marked | ev.Regraded


def _verdicts(tree: Tree, rows: dict[int, Reward]) -> Iterable[_Verdict]:
    """The contrary of what counts now, of every answer and step that nobody has judged yet."""
    ends = set(tree.ends)
    for node in tree.nodes:
        if node.hidden or node.mark or node.regraded is not None:
            continue
        if node.id in ends and node.accepted is not None:
            yield flipped(tree, node.id)
        if node.parent is not None and node.id in rows:
            yield ev.Marked(node.id, "wrong" if rows[node.id].right else "right")


def _promise(tree: Tree, rows: dict[int, Reward], node: int) -> float:
    """How much a verdict may change: rows at, above and beside the way to its leaves."""
    row = rows.get(node)
    leaves = len(row.right) + len(row.wrong) if row else 1
    return _unsure(_share(tree, tree.node(node))) * (leaves + tree.node(node).depth)


def _words(verdict: _Verdict) -> str:
    if isinstance(verdict, ev.Regraded):
        return "answer right" if verdict.correct else "answer wrong"
    return f"step {verdict.verdict}"
