"""The sessions of a home as a person keeps them: listed, put away, brought back, in miniature."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

import msgspec

from engine.node import Node
from engine.tree import Tree
from lab.results import RunState, SessionInfo
from lab.view import outcome
from sessions.errors import SessionInUseError
from sessions.rows import SessionRow
from sessions.store import Store

MOST_NODES = 240
"""Of a miniature: more cannot be told apart at its size."""

_LONGEST_LOG = 60_000
_KEPT = 2_000


class Miniature(msgspec.Struct, frozen=True):
    """A tree in small: its nodes in depth-first order.

    Attributes:
        depths: of each node; the root has 0.
        values: V of each, in per cent of its range, 0 to 100.
        kinds: a letter for each: `o` unfinished, `r` finished and right, `w` finished and wrong,
            `f` finished without an oracle answer.
        best: places of the nodes on the path to the best answer.
    """

    depths: list[int]
    values: list[int]
    kinds: str
    best: list[int]


class Collection:
    """See the module. Safe to use from many threads.

    Args:
        store: of the sessions.
        state: of the present or last run of a session.
        forget: called with a session that is gone for good.
    """

    def __init__(
        self, store: Store, state: Callable[[str], RunState], forget: Callable[[str], None]
    ) -> None:
        self._store = store
        self._state = state
        self._forget = forget
        self._miniatures: OrderedDict[tuple[str, int], Miniature | None] = OrderedDict()
        self._lock = Lock()

    def sessions(self) -> list[SessionInfo]:
        """All sessions but those that were put away, the newest first."""
        return self._infos(self._store.sessions())

    def put_away(self, session: str) -> None:
        """Delete a session so that it can be had back: it is in no list any more.

        Raises:
            SessionInUseError: it is running, here or in another process.
            StoreError: it does not exist.
        """
        self._check(session)
        self._store.put_away(session)

    def bring_back(self, session: str) -> None:
        """Undo `put_away`.

        Raises:
            StoreError: the session does not exist, because it was deleted for good, for example.
        """
        self._store.bring_back(session)

    def away(self) -> list[SessionInfo]:
        """What was put away, the last first."""
        return self._infos(self._store.deleted())

    def delete(self, session: str) -> None:
        """Delete a session for good.

        Raises:
            SessionInUseError: it is running, here or in another process.
            StoreError: it does not exist.
        """
        self._check(session)
        self._store.delete(session)
        self._forget(session)

    def empty(self) -> int:
        """Delete everything for good that was put away; how many sessions that was.

        Raises:
            SessionInUseError: another process works on one of them; those before it are gone.
        """
        rows = self._store.deleted()
        for row in rows:
            self.delete(row.id)
        return len(rows)

    def miniature(self, session: str) -> Miniature | None:
        """The tree of a session in small; None if its log is too long to be read for that.

        Raises:
            StoreError: it does not exist or cannot be read.
        """
        length = self._store.length(session)
        key = session, length
        with self._lock:
            if key in self._miniatures:
                self._miniatures.move_to_end(key)
                return self._miniatures[key]
        found = None
        if length <= _LONGEST_LOG:
            found = in_small(Tree.fold(self._store.events(session)))
        with self._lock:
            self._miniatures[key] = found
            while len(self._miniatures) > _KEPT:
                self._miniatures.popitem(last=False)
        return found

    def _check(self, session: str) -> None:
        if self._state(session).active:
            raise SessionInUseError(f"Session {session} is running: stop it, then delete it.")

    def _infos(self, rows: list[SessionRow]) -> list[SessionInfo]:
        holders = self._store.leases.holders()
        return [
            _info(row, self._state(row.id), str(holders[row.id]) if row.id in holders else None)
            for row in rows
        ]


def in_small(tree: Tree) -> Miniature:
    """A tree in small: of a large one the nodes that were visited most."""
    whole = [node for node in tree.depth_first() if not node.hidden]
    best = set(tree.path(outcome(tree).best))
    wanted = sorted(whole, key=lambda node: (node.id not in best, -node.visits, node.id))
    chosen = {node.id for node in wanted[:MOST_NODES]}
    nodes: list[Node] = []
    drawn: set[int | None] = {None}
    for node in whole:
        if node.id in chosen and node.parent in drawn:
            nodes.append(node)
            drawn.add(node.id)
    low, high = tree.value_range
    return Miniature(
        depths=[node.depth for node in nodes],
        values=[_per_cent(node.value, low, high) for node in nodes],
        kinds="".join(_kind(node) for node in nodes),
        best=[place for place, node in enumerate(nodes) if node.id in best],
    )


def _per_cent(value: float, low: float, high: float) -> int:
    return round(100 * min(1.0, max(0.0, (value - low) / ((high - low) or 1.0))))


def _kind(node: Node) -> str:
    if node.answer is None:
        return "o"
    return {True: "r", False: "w", None: "f"}[node.accepted]


def _info(row: SessionRow, state: RunState, in_use_by: str | None) -> SessionInfo:
    return SessionInfo(
        id=row.id,
        name=row.name,
        tags=row.tags,
        question=row.question,
        gold=row.gold,
        algorithm=row.algorithm,
        policy=row.policy,
        prm=row.prm,
        created=row.created,
        updated=row.updated,
        iterations=row.digest.iterations,
        nodes=row.digest.nodes,
        answer=row.digest.answer,
        correct=row.digest.correct,
        state=state,
        in_use_by=in_use_by,
        batch=row.batch,
        deleted=row.deleted,
    )
