"""What the page needs of rewards, verdicts and exports: a part of the workbench's shape."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol


class Method(Protocol):
    """A way to infer rewards, with one line of explanation."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...


class Reason(Protocol):
    """Where the numbers of a reward come from."""

    @property
    def formula(self) -> str: ...
    @property
    def worked(self) -> str: ...
    @property
    def sentence(self) -> str: ...


class Reward(Protocol):
    """What a method says of one node."""

    @property
    def node(self) -> int: ...
    @property
    def value(self) -> float: ...
    @property
    def m(self) -> int | None: ...
    @property
    def r(self) -> int | None: ...
    @property
    def w(self) -> float | None: ...
    @property
    def parent_value(self) -> float | None: ...
    @property
    def right(self) -> Sequence[int]: ...
    @property
    def wrong(self) -> Sequence[int]: ...
    @property
    def false_positives(self) -> Sequence[int]: ...
    @property
    def touched(self) -> bool: ...
    @property
    def mark(self) -> str: ...
    @property
    def same_as(self) -> int | None: ...
    @property
    def why(self) -> Reason: ...


class Change(Protocol):
    """A reward before and after; None where there is none."""

    @property
    def node(self) -> int: ...
    @property
    def before(self) -> Reward | None: ...
    @property
    def after(self) -> Reward | None: ...


class Unused(Protocol):
    """A person's verdict that decides no reward, and why."""

    @property
    def node(self) -> int: ...
    @property
    def reason(self) -> str: ...


class Rewards(Protocol):
    """All rewards of a tree; `empty` says why there are none."""

    @property
    def rows(self) -> Sequence[Reward]: ...
    @property
    def empty(self) -> str: ...
    @property
    def unused(self) -> Sequence[Unused]: ...


class SessionRewards(Protocol):
    """Rewards, and what verdicts that were only supposed change in them."""

    @property
    def rewards(self) -> Rewards: ...
    @property
    def changes(self) -> Sequence[Change]: ...


class Verdicts(Protocol):
    """What a person says of steps and answers, and the rewards that follow."""

    def methods(self) -> Sequence[Method]: ...
    def rewards(
        self,
        session: str,
        method: str = "paper",
        flips: Mapping[int, bool | None] | None = None,
        marks: Mapping[int, str] | None = None,
    ) -> SessionRewards: ...
    def mark(self, session: str, node: int, verdict: str, reason: str = "") -> None: ...
    def grade_leaf(self, session: str, node: int, correct: bool | None) -> None: ...
    def say(
        self,
        session: str,
        flips: Mapping[int, bool | None] | None = None,
        marks: Mapping[int, str] | None = None,
        *,
        reason: str = "",
    ) -> None: ...


class Orders(Protocol):
    """Exports by plain names. Answers are structs that msgspec turns into JSON."""

    def options(self, session: str | None) -> Any: ...
    def count(self, entered: Mapping[str, Any]) -> Any: ...
    def save(self, entered: Mapping[str, Any]) -> Any: ...


class Exports(Protocol):
    """What is exported, and the folder where it lies."""

    @property
    def folder(self) -> Path: ...
    @property
    def orders(self) -> Orders: ...
