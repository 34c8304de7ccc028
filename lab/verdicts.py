"""What a person says of steps, answers and values, and the rewards that follow from it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from engine import events as ev
from engine.errors import EventError, TaskError
from engine.rewards.methods import METHODS, infer
from engine.rewards.preview import PersonsVerdict, preview
from engine.rewards.rows import Change, Rewards
from engine.tree import Tree
from lab.live import LiveSession
from lab.steering import Steering

LONGEST_REASON = 10_000
MARKS = ("", "right", "wrong", "unclear")

_KEPT = 8  # sets of rewards: whoever scrolls or sorts asks for the same again and again


class MethodInfo(msgspec.Struct, frozen=True):
    """A way to infer rewards: its name, what it is called, and one line of explanation."""

    name: str
    title: str
    summary: str


class SessionRewards(msgspec.Struct, frozen=True):
    """The rewards of a session, and what verdicts that were only supposed would change in them.

    `rewards` are those with the supposed verdicts; there are no changes where none were supposed.
    """

    rewards: Rewards
    changes: tuple[Change, ...]


class Verdicts:
    """A person's verdicts on the sessions of one home. Safe to use from many threads.

    All are events of the session's log, can be given while it runs, and are taken back by a later
    one.

    Args:
        current: gives a session with everything that is on disk of it.
        steering: writes down what they say.
    """

    def __init__(self, current: Callable[[str], LiveSession], steering: Steering) -> None:
        self._current = current
        self._steering = steering
        self._known: OrderedDict[tuple[object, ...], SessionRewards] = OrderedDict()
        self._lock = threading.Lock()

    def methods(self) -> list[MethodInfo]:
        """The ways to infer rewards, the paper's first."""
        return [MethodInfo(one.name, one.title, one.summary) for one in METHODS.values()]

    def rewards(
        self,
        session: str,
        method: str = "paper",
        flips: Mapping[int, bool | None] | None = None,
        marks: Mapping[int, str] | None = None,
        values: Mapping[int, float | None] | None = None,
    ) -> SessionRewards:
        """The rewards of a session as it stands; nothing is written.

        Args:
            session: id.
            method: name, see `engine.rewards.methods.METHODS`.
            flips: verdicts on answers to suppose, by leaf.
            marks: verdicts on steps to suppose, by node.
            values: overruled values to suppose, by node.

        Raises:
            ParameterError: there is no such method.
            EventError: a supposed verdict does not fit.
            TaskError: a supposed mark is not one of those there are.
            StoreError: the session does not exist or cannot be read.
        """
        supposed = _verdicts(flips, marks, values)
        view = self._current(session).view
        with view.reading() as tree:
            asked = (session, view.length, method, msgspec.json.encode(supposed))
            with self._lock:
                known = self._known.get(asked)
            if known is None:
                known = _inferred(tree, method, supposed)
                self._keep(asked, known)
        return known

    def _keep(self, asked: tuple[object, ...], found: SessionRewards) -> None:
        with self._lock:
            self._known[asked] = found
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)

    def mark(self, session: str, node: int, verdict: str, reason: str = "") -> None:
        """Say that a step is `right`, `wrong` or `unclear`; "" takes it back.

        Raises:
            TaskError: there is no such verdict; the reason is too long or no text.
            EventError: there is no such node, or it is the root.
            SessionInUseError: another process works on the session.
            StoreError: it cannot be written.
        """
        self._say(session, [_marked(node, verdict, reason)])

    def grade_leaf(self, session: str, node: int, correct: bool | None) -> None:
        """Say whether the answer of a finished solution is correct; None goes back to the oracle's.

        Raises:
            EventError: there is no such node, or it has no answer.
            SessionInUseError: another process works on the session.
            StoreError: it cannot be written.
        """
        self._say(session, [ev.Regraded(node, correct)])

    def overrule(self, session: str, node: int, value: float | None) -> None:
        """Give a node another value; None takes it back.

        Raises:
            EventError: there is no such node, it is the root, or the value is out of range.
            SessionInUseError: another process works on the session.
            StoreError: it cannot be written.
        """
        self._say(session, [ev.Overruled(node, value)])

    def say(
        self,
        session: str,
        flips: Mapping[int, bool | None] | None = None,
        marks: Mapping[int, str] | None = None,
        values: Mapping[int, float | None] | None = None,
        reason: str = "",
    ) -> None:
        """Give several verdicts at once: all of them are kept, or none.

        Args:
            session: id.
            flips: verdicts on answers, by leaf; None goes back to the oracle's.
            marks: verdicts on steps, by node; "" takes one back.
            values: overruled values, by node; None takes one back.
            reason: of all the marks that are not taken back.

        Raises:
            TaskError: a mark is not one of those there are; the reason is too long or no text.
            EventError: a verdict does not fit.
            SessionInUseError: another process works on the session.
            StoreError: they cannot be written.
        """
        said = _verdicts(flips, marks, values, reason)
        if said:
            self._say(session, said)

    def _say(self, session: str, verdicts: Sequence[PersonsVerdict]) -> None:
        for verdict in map(_checked, verdicts):
            if isinstance(verdict, ev.Overruled):
                self._steering.overrule(session, verdict.node, verdict.value)
        said = [one for one in map(_checked, verdicts) if not isinstance(one, ev.Overruled)]
        if said:
            self._steering.annotate(session, said)


def _verdicts(
    flips: Mapping[int, bool | None] | None,
    marks: Mapping[int, str] | None,
    values: Mapping[int, float | None] | None,
    reason: str = "",
) -> list[PersonsVerdict]:
    return [
        *(ev.Regraded(node, correct) for node, correct in (flips or {}).items()),
        *(_marked(node, mark, reason if mark else "") for node, mark in (marks or {}).items()),
        *(ev.Overruled(node, value) for node, value in (values or {}).items()),
    ]


def _inferred(tree: Tree, method: str, supposed: Sequence[PersonsVerdict]) -> SessionRewards:
    if not supposed:
        return SessionRewards(infer(tree, method), ())
    shown = preview(tree, method, map(_checked, supposed))
    return SessionRewards(shown.after, shown.changes)


def _marked(node: int, verdict: str, reason: str) -> ev.Marked:
    if verdict not in MARKS:
        known = ", ".join(repr(mark) for mark in MARKS)
        raise TaskError(f"A step cannot be marked {verdict!r}: take one of {known}.")
    reason = reason.strip()
    if len(reason) > LONGEST_REASON:
        raise TaskError(
            f"The reason has {len(reason):,} characters; it can have {LONGEST_REASON:,}."
        )
    try:
        reason.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TaskError(f"The reason is not valid Unicode text: {error.reason}.") from error
    return ev.Marked(node, verdict, reason)  # type: ignore[arg-type]


def _checked(verdict: PersonsVerdict) -> PersonsVerdict:
    """The verdict, if its fields have the types that can be read back.

    Raises:
        EventError: they have not.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(verdict), type(verdict))
    except msgspec.ValidationError as error:
        raise EventError(f"This verdict cannot be kept: {error}.") from error
