"""The sheet of rewards and a person's verdicts: what the script asks of them.

Rows go out as ids and numbers; the page has the texts of steps and answers already.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ui.exports import ExportDoor
from ui.interface import Workbench
from ui.reward_interface import Change, Reward, SessionRewards

MOST_ROWS = 200
"""Rows in one answer."""

KINDS = ("all", "changed", "touched", "right", "wrong", "marked", "leaves")

_MOST_LEAVES = 60
_MOST_CHANGES = 6
_COMPARED = ("value", "m", "r", "w")


class _Row:
    """A row of the table: a reward, and what verdicts that were only supposed did to it."""

    def __init__(self, reward: Reward, change: Change | None = None, gone: bool = False) -> None:
        self.reward: Reward = reward
        self.change: Change | None = change
        self.gone = gone

    def kinds(self) -> set[str]:
        """The filters that it passes."""
        reward = self.reward
        right = bool(reward.right) if reward.r is None else reward.r == 0
        leaf = (*reward.right, *reward.wrong) == (reward.node,)
        passed = {
            "all": True,
            "changed": self.change is not None,
            "touched": reward.touched,
            "right": right,
            "wrong": not right,
            "marked": reward.mark != "",
            "leaves": leaf,
        }
        return {kind for kind, its in passed.items() if its}

    def record(self) -> dict[str, Any]:
        """What the table shows."""
        reward = self.reward
        return {
            **_numbers(reward),
            "node": reward.node,
            "parent_value": reward.parent_value,
            "right": len(reward.right),
            "wrong": len(reward.wrong),
            "false_positives": len(reward.false_positives),
            "mark": reward.mark,
            "touched": reward.touched,
            "same_as": reward.same_as,
            "changed": self.change is not None,
            "before": _before(self.change),
            "gone": self.gone,
        }


_SORTS: dict[str, Callable[[_Row], Any]] = {
    "value": lambda row: row.reward.value,
    "m": lambda row: row.reward.m,
    "r": lambda row: row.reward.r,
    "w": lambda row: row.reward.w,
    "parent_value": lambda row: row.reward.parent_value,
    "right": lambda row: len(row.reward.right),
    "wrong": lambda row: len(row.reward.wrong),
    "mark": lambda row: row.reward.mark or None,
    "touched": lambda row: row.reward.touched or None,
    "change": lambda row: None if row.change is None else _moved(row.change),
}


class RewardsDoor(ExportDoor):
    """Rewards, verdicts and exports for the view.

    What is supposed comes as a list of `{node, mark}` and `{node, correct}`, the later before the
    earlier.

    Args:
        workbench: what is shown.
    """

    FUNCTIONS: tuple[str, ...] = (
        "reward_methods",
        "rewards",
        "reward",
        "reward_preview",
        "mark",
        "grade_leaf",
        "keep_verdicts",
        *ExportDoor.FUNCTIONS,
    )

    def __init__(self, workbench: Workbench) -> None:
        super().__init__(workbench)
        self._workbench = workbench

    def reward_methods(self) -> dict[str, Any]:
        """The ways to infer rewards, each with one line of explanation."""
        return {
            "methods": [
                {"name": one.name, "title": one.title, "summary": one.summary}
                for one in self._workbench.verdicts.methods()
            ]
        }

    def rewards(
        self,
        session: str,
        method: str,
        supposed: Sequence[Mapping[str, Any]] = (),
        kind: str = "all",
        sort: str = "",
        down: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> dict[str, Any]:
        """A page of the table.

        Args:
            session: id.
            method: name.
            supposed: verdicts that are tried and not kept.
            kind: one of `KINDS`.
            sort: a column, or "" for the order of the tree; rows without such a number come last.
            down: the greatest first.
            offset: of the first row.
            limit: of rows, `MOST_ROWS` at most.

        Returns:
            `rows`, the `total` of this kind, `counts` of every kind, why there are none (`empty`),
            and verdicts that decide nothing (`unused`).
        """
        found = self._rewards(session, method, supposed)
        rows = _rows(found)
        sets = [row.kinds() for row in rows]
        counts = {name: sum(name in its for its in sets) for name in KINDS}
        shown = [row for row, its in zip(rows, sets, strict=True) if kind in its]
        page = _sorted(shown, sort, down)[max(0, offset) :][: max(0, min(limit, MOST_ROWS))]
        return {
            "rows": [row.record() for row in page],
            "total": len(shown),
            "counts": counts,
            "empty": found.rewards.empty,
            "unused": [{"node": one.node, "reason": one.reason} for one in found.rewards.unused],
        }

    def reward(
        self,
        session: str,
        node: int,
        method: str,
        supposed: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """The reward of one node with its reasons; `row` is None where it has none, and `reason`
        says why.
        """
        found = self._rewards(session, method, supposed)
        change = next((one for one in found.changes if one.node == int(node)), None)
        reward = next((one for one in found.rewards.rows if one.node == int(node)), None)
        unused = next((one for one in found.rewards.unused if one.node == int(node)), None)
        return {
            "method": method,
            "row": _explained(reward),
            "before": _before(change),
            "changed": change is not None,
            "reason": "" if reward else found.rewards.empty or _NO_ROW[method == "progress"],
            "unused": unused.reason if unused else "",
        }

    def reward_preview(
        self, session: str, method: str, supposed: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """What verdicts would change, before they are given: how many rows, and some of them."""
        return _changes(self._rewards(session, method, supposed).changes)

    def mark(
        self, session: str, node: int, verdict: str, reason: str, method: str
    ) -> dict[str, Any]:
        """Mark a step; answers with what that changes."""
        changes = self.reward_preview(session, method, [{"node": node, "mark": verdict}])
        self._workbench.verdicts.mark(session, int(node), str(verdict), str(reason))
        return changes

    def grade_leaf(
        self, session: str, node: int, correct: bool | None, method: str
    ) -> dict[str, Any]:
        """Give a verdict on an answer; answers with what that changes."""
        changes = self.reward_preview(session, method, [{"node": node, "correct": correct}])
        self._workbench.verdicts.grade_leaf(session, int(node), correct)
        return changes

    def keep_verdicts(
        self, session: str, supposed: Sequence[Mapping[str, Any]], reason: str = ""
    ) -> dict[str, Any]:
        """Give all verdicts that were supposed."""
        self._workbench.verdicts.say(session, **_split(supposed), reason=str(reason))
        return {"kept": len(supposed)}

    def _rewards(
        self, session: str, method: str, supposed: Sequence[Mapping[str, Any]]
    ) -> SessionRewards:
        return self._workbench.verdicts.rewards(session, method, **_split(supposed))


_NO_ROW = {
    False: "No finished, judged solution lies at or below this step, "
    "so its branch is left out of the rewards.",
    True: "This step is neither on the way to the chosen node nor beside it.",
}


def _split(supposed: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, Any]]:
    return {
        "flips": {int(one["node"]): one["correct"] for one in supposed if "correct" in one},
        "marks": {int(one["node"]): one["mark"] for one in supposed if "mark" in one},
    }


def _rows(found: SessionRewards) -> list[_Row]:
    """Every row in the order of the tree, then those that would not be there any more."""
    changes = {change.node: change for change in found.changes}
    rows = [_Row(reward, changes.get(reward.node)) for reward in found.rewards.rows]
    gone = [_Row(c.before, c, gone=True) for c in found.changes if c.before and c.after is None]
    return rows + gone


def _sorted(rows: list[_Row], sort: str, down: bool) -> list[_Row]:
    if sort not in _SORTS:
        return rows[::-1] if down else rows
    of = _SORTS[sort]
    known = [row for row in rows if of(row) is not None]
    return sorted(known, key=of, reverse=down) + [row for row in rows if of(row) is None]


def _numbers(reward: Reward) -> dict[str, Any]:
    return {name: getattr(reward, name) for name in _COMPARED}


def _before(change: Change | None) -> dict[str, Any] | None:
    return _numbers(change.before) if change and change.before else None


def _explained(reward: Reward | None) -> dict[str, Any] | None:
    if reward is None:
        return None
    why = reward.why
    return {
        **_Row(reward).record(),
        "leaves": [
            *({"node": leaf, "counts": "right"} for leaf in reward.right[:_MOST_LEAVES]),
            *({"node": leaf, "counts": "wrong"} for leaf in reward.wrong[:_MOST_LEAVES]),
        ],
        "false_positives": list(reward.false_positives[:_MOST_LEAVES]),
        "formula": why.formula,
        "worked": why.worked,
        "sentence": why.sentence,
    }


def _changes(changes: Sequence[Change]) -> dict[str, Any]:
    """How many rows differ, and those whose value moves most."""
    most = sorted(changes, key=lambda change: -_moved(change))[:_MOST_CHANGES]
    return {
        "count": len(changes),
        "changes": [
            {
                "node": change.node,
                "before": change.before and change.before.value,
                "after": change.after and change.after.value,
            }
            for change in most
        ],
    }


def _moved(change: Change) -> float:
    """How far the value moved; a row that comes or goes moves by all of it."""
    before, after = change.before, change.after
    return abs((after.value if after else 0.0) - (before.value if before else 0.0))
