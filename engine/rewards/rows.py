"""What is said of each step: one row a node, with the reasons for its numbers.

Rows hold ids and numbers only; the texts of steps, answers and reasons stay in the tree.
"""

import msgspec

from engine.events import Mark


class Why(msgspec.Struct, frozen=True):
    """Where a row's numbers come from.

    Attributes:
        formula: in symbols.
        worked: the same with the numbers in.
        numbers: every number of it by its symbol, unrounded.
        sentence: in words; node ids, counts and numbers only.
        nearest: the correct leaf that m counts the steps to, None if there is no such m.
        m_from: the node whose m this is: the row's own, or the ancestor that it was taken from.
        wrong_by: the node whose mark `wrong` decides, the row's own or one above it.
        overruled: whether a person's value stands in place of the formula's.
    """

    formula: str
    worked: str
    numbers: dict[str, float]
    sentence: str
    nearest: int | None = None
    m_from: int | None = None
    wrong_by: int | None = None
    overruled: bool = False


class Reward(msgspec.Struct, frozen=True):
    """What a method says of one node.

    Attributes:
        node, parent: ids; the root's parent is None.
        method: name, see `engine.rewards.methods.METHODS`.
        value: the training target in [0, 1]: v, or the estimate.
        m: steps still missing to a correct answer; None where the method has none.
        r: step error, 0 right or 1 wrong; None where the method has none.
        w: weighted reward, by formula even where `value` is overruled; None for the root and where
            the method has none.
        parent_value: `value` of the parent; None for the root and where the method does not ask.
        right, wrong: ids of the finished leaves at or below it, by how they count.
        false_positives: those of `wrong` whose answer is correct, but a step is marked wrong.
        rollouts: correct ones and all of the extra roll-outs that count here.
        touched: whether a person's verdict decides it: one on the step itself, a step marked wrong
            above it, or one that changes its numbers or which leaves at or below it are right.
        mark: a person's verdict on this very step.
        same_as: the first node with the same steps, whose numbers these are; None if it is this.
        why: the reasons.
    """

    node: int
    parent: int | None
    method: str
    value: float
    m: int | None
    r: int | None
    w: float | None
    parent_value: float | None
    right: tuple[int, ...]
    wrong: tuple[int, ...]
    false_positives: tuple[int, ...]
    rollouts: tuple[int, int]
    touched: bool
    mark: Mark
    same_as: int | None
    why: Why

    def differs(self, other: "Reward | None") -> bool:
        """Whether the other one, if any, has other numbers, or other leaves that are right."""
        return other is None or any(
            getattr(self, name) != getattr(other, name) for name in (*_COMPARED, "right", "wrong")
        )


class Unused(msgspec.Struct, frozen=True):
    """A person's verdict that decides no row, and why."""

    node: int
    reason: str


class Rewards(msgspec.Struct, frozen=True):
    """Everything that a method says of a tree.

    Attributes:
        method: name.
        rows: one per kept node, depth-first, the root first where the method values it.
        empty: why there are no rows, "" if there are.
        unused: verdicts of a person that decide no row.
    """

    method: str
    rows: tuple[Reward, ...]
    empty: str
    unused: tuple[Unused, ...]

    def by_node(self) -> dict[int, Reward]:
        """The rows by node id."""
        return {row.node: row for row in self.rows}


class Change(msgspec.Struct, frozen=True):
    """A row that differs: before and after (None: there is none), and the names of what differs."""

    node: int
    before: Reward | None
    after: Reward | None
    fields: tuple[str, ...]


_COMPARED = ("value", "m", "r", "w")


def difference(before: Rewards, after: Rewards) -> tuple[Change, ...]:
    """The rows whose value, m, r or w differ or that one of the two does not have, by node id."""
    old, new = before.by_node(), after.by_node()
    changes = []
    for node in sorted(old.keys() | new.keys()):
        one, other = old.get(node), new.get(node)
        fields = tuple(
            name
            for name in _COMPARED
            if one is None or other is None or getattr(one, name) != getattr(other, name)
        )
        if fields:
            changes.append(Change(node, one, other, fields))
    return tuple(changes)
