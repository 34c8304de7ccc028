"""The round lens: one tree as it stands, valued by the models of every round."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from engine.errors import LabError
from engine.models.base import PrefixRequest
from engine.models.likelihood import likelihoods
from engine.tree import Tree
from lab.adapters import Adapters
from lab.commands import Ending
from lab.drivers import Drivers
from lab.live import LiveSession
from lab.worker import Worker
from sessions.adapters import ROLES, Role
from sessions.errors import StoreError
from sessions.store import Store

_KEPT = 8
_BATCH = 64  # nodes between two looks at whether somebody wants it to end


class Column(msgspec.Struct, frozen=True):
    """A model of a round.

    Attributes:
        name: `base`, or the round and what else tells it from others.
        adapter: id, None for the base.
        used: whether the tree was made with it.
        numbers: by node id: its value in [0, 1], or the log-probability of its step after the steps
            before; None for the root, and where it has not been asked.
    """

    name: str
    adapter: str | None
    used: bool
    numbers: list[float | None]


class Lens(msgspec.Struct, frozen=True):
    """A tree under the lens, and how far that is.

    Attributes:
        id: of the lens.
        session: whose tree it is.
        length: of the log then.
        asked: adapters of all columns, None for a base.
        status: working, done, cancelled, failed.
        done, total: nodes, of all columns together.
        prms: values.
        policies: log-probabilities; none where the policy has no weights.
        message: the error in words.
    """

    id: str
    session: str
    length: int
    asked: list[str | None]
    status: Literal["working", "done", "cancelled", "failed"] = "working"
    done: int = 0
    total: int = 0
    prms: list[Column] = []
    policies: list[Column] = []
    message: str = ""


class Lenses:
    """The lenses of this process. Safe to use from many threads; nothing waits for a model.

    Args:
        store: of the sessions.
        worker: has the models.
        adapters: of the models.
        current: gives a session with everything that is on disk of it.
    """

    def __init__(
        self,
        store: Store,
        worker: Worker,
        adapters: Adapters,
        current: Callable[[str], LiveSession],
    ) -> None:
        self._store = store
        self._worker = worker
        self._adapters = adapters
        self._current = current
        self._found: OrderedDict[str, Lens] = OrderedDict()
        self._cancelled: set[str] = set()
        self._lock = threading.Lock()

    def taught(self) -> bool:
        """Whether a round has taught a model in use: else there is nothing to compare."""
        bases = {(role, self._adapters.base(role)) for role in ROLES}
        return any((row.role, row.base) in bases for row in self._adapters.rows())

    def look(self, session: str) -> str:
        """Have a tree valued by every round; returns the lens's id at once, the known one if the
        tree has not changed since.

        Raises:
            StoreError: the session does not exist or cannot be read.
        """
        log = list(self._current(session).view.log)
        tree = Tree.fold(log)
        prms, policies = self._columns("prm", tree), self._columns("policy", tree)
        asked = [one.adapter for one in (*prms, *policies)]
        with self._lock:
            for known in self._found.values():
                same = (known.session, known.length, known.asked) == (session, len(log), asked)
                if same and known.status in ("working", "done"):
                    return known.id
            total = (len(tree.nodes) - 1) * (len(prms) + len(policies))
            new = Lens(
                secrets.token_hex(4),
                session,
                len(log),
                asked,
                total=total,
                prms=prms,
                policies=policies,
            )
            self._found[new.id] = new
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)

        def ended(ending: Ending) -> None:
            if ending.error:
                self._change(new.id, status="failed", message=ending.error)

        title = "a tree is valued by the models of every round"
        self._worker.task(title, lambda drivers: self._work(new.id, tree, drivers), ended)
        return new.id

    def cancel(self, identifier: str) -> None:
        """End the work on a lens; what is known stays."""
        self._cancelled.add(identifier)

    def state(self, identifier: str) -> Lens:
        """A lens as far as it is.

        Raises:
            LabError: there is none with this id in this process.
        """
        with self._lock:
            if identifier not in self._found:
                raise LabError(f"There is no lens {identifier[:40]!r} here: look through it again.")
            return self._found[identifier]

    def _columns(self, role: Role, tree: Tree) -> list[Column]:
        """The bare model in use, then its adapters, the oldest first."""
        base = self._adapters.base(role)
        mine = [row for row in self._adapters.rows() if (row.role, row.base) == (role, base)]
        made_with = tree.policy if role == "policy" else tree.prm
        nothing: list[float | None] = [None] * len(tree.nodes)
        columns = [Column("base", None, made_with == base, nothing)]
        for row in mine:
            name = self._round(row.round)
            if any(one.name == name for one in columns):
                name = f"{name}, {row.id}"
            label = self._adapters.label(role, row.id)
            columns.append(Column(name, row.id, made_with == label, nothing))
        return columns

    def _round(self, identifier: str) -> str:
        try:
            return f"round {self._store.rounds.row(identifier).number}"
        except StoreError:
            return f"round {identifier}"

    # In the model thread.

    def _work(self, identifier: str, tree: Tree, drivers: Drivers) -> None:
        state = self.state(identifier)
        for k, column in enumerate(state.prms):
            prm = drivers.prm(column.adapter)
            numbers: list[float | None] = [None] * len(tree.nodes)
            for nodes, requests in _parts(tree):
                if self._ends(identifier):
                    return
                for node, valuation in zip(nodes, prm.score(requests), strict=True):
                    numbers[node] = valuation.value
                self._told(identifier, "prms", k, numbers, len(nodes))
        for k, column in enumerate(state.policies):
            policy = drivers.policy(column.adapter)
            numbers = [None] * len(tree.nodes)
            for nodes, requests in _parts(tree):
                if self._ends(identifier):
                    return
                found = likelihoods(policy, requests)
                if found is None:
                    self._change(identifier, policies=[])
                    break
                for node, one in zip(nodes, found, strict=True):
                    numbers[node] = one.logprob
                self._told(identifier, "policies", k, numbers, len(nodes))
            if not self.state(identifier).policies:
                break
        self._change(identifier, status="done")

    def _ends(self, identifier: str) -> bool:
        """Whether to leave off, said in the state."""
        if self._worker.closing or identifier in self._cancelled:
            self._change(identifier, status="cancelled")
            return True
        return False

    def _told(
        self,
        identifier: str,
        which: Literal["prms", "policies"],
        k: int,
        numbers: Sequence[float | None],
        more: int,
    ) -> None:
        state = self.state(identifier)
        columns = list(getattr(state, which))
        columns[k] = msgspec.structs.replace(columns[k], numbers=list(numbers))
        self._change(identifier, done=state.done + more, **{which: columns})

    def _change(self, identifier: str, **changes: object) -> None:
        with self._lock:
            if identifier in self._found:
                known = self._found[identifier]
                self._found[identifier] = msgspec.structs.replace(known, **changes)


def _parts(tree: Tree) -> Iterator[tuple[list[int], list[PrefixRequest]]]:
    """All nodes with a step, depth-first so that texts share what has been read, some at a time."""
    nodes = [node.id for node in tree.depth_first() if node.parent is not None]
    for first in range(0, len(nodes), _BATCH):
        part = nodes[first : first + _BATCH]
        yield (
            part,
            [PrefixRequest(tree.question, tree.steps(node), date=tree.date) for node in part],
        )
