"""Rows of many trees together: without duplicates, counted, with the reasons of what is missing.

Of rows with the same data one stays, a person's before others. Rows that tell different things of
the same text both stay, since both were found, and are counted.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.errors import ParameterError
from engine.exports import pairs, rows
from engine.exports.labels import LabelledTree
from engine.exports.rows import Found, Row, RowSettings
from engine.tree import Tree

MARKS = {"session": "text", "node": "count", "touched": "verdict"}
"""Columns that every format has beside its own: where a row comes from, and whether a person's word
decides it."""


class Format(msgspec.Struct, frozen=True):
    """A format of rows.

    Attributes:
        name: for commands.
        summary: one line.
        rows: those of a tree.
        columns: its fields and their types, see `engine.exports.files`.
        chat_columns: the same as messages; empty if it has no such form.
    """

    name: str
    summary: str
    rows: Callable[[LabelledTree, RowSettings], Found]
    columns: Mapping[str, str]
    chat_columns: Mapping[str, str] = {}


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format(
            "values",
            "Value targets of the reference: prompt_answer, label.",
            rows.values,
            {"prompt_answer": "text", "label": "number"},
        ),
        Format(
            "traces",
            "Policy traces of the reference: content, summary, label, real_answer.",
            rows.traces,
            {"content": "text", "summary": "text", "label": "verdict", "real_answer": "text"},
        ),
        Format(
            "generation",
            "Generation rows of the reference: one a tree, with all solutions and value targets.",
            rows.generation,
            {
                "content": "text",
                "policy_samples": "solutions",
                "value_samples": "targets",
                "real_answer": "text",
                "corr_policy_sample_num": "count",
                "total_policy_sample_num": "count",
            },
        ),
        Format(
            "pairs",
            "Preference pairs of sibling steps, with their scores.",
            pairs.pairs,
            {
                "content": "text",
                "steps": "text",
                "better": "text",
                "worse": "text",
                "better_score": "number",
                "worse_score": "number",
                "by": "text",
            },
        ),
        Format(
            "trl-sft",
            "Right solutions for TRL's SFTTrainer: prompt, completion.",
            rows.prompt_completion,
            {"prompt": "text", "completion": "text"},
            {"prompt": "messages", "completion": "messages"},
        ),
        Format(
            "trl-dpo",
            "Sibling steps for TRL's DPOTrainer: prompt, chosen, rejected.",
            pairs.preference,
            {"prompt": "text", "chosen": "text", "rejected": "text"},
            {"prompt": "messages", "chosen": "messages", "rejected": "messages"},
        ),
        Format(
            "trl-stepwise",
            "Solutions with a verdict on every step for TRL: prompt, completions, labels.",
            rows.stepwise,
            {"prompt": "text", "completions": "texts", "labels": "verdicts"},
        ),
    )
}


class Skipped(msgspec.Struct, frozen=True):
    """A session that gave no row, and why."""

    session: str
    reason: str


class Counts(msgspec.Struct, frozen=True):
    """What came of a selection of sessions.

    Attributes:
        rows: how many there are.
        touched: of these, those that a person's word decides.
        sessions: that gave a row which stayed.
        duplicates: rows left out because another one has the same data.
        contradictions: rows that tell something else than an earlier one of the same text.
        rejected: how many steps, solutions, pairs or whole searches gave no row, by reason.
        skipped: sessions that have nothing for this format.
    """

    rows: int
    touched: int
    sessions: int
    duplicates: int
    contradictions: int
    rejected: dict[str, int]
    skipped: list[Skipped]


class Collection:
    """Rows of one format.

    Args:
        name: of the format.
        settings: what is taken.

    Raises:
        ParameterError: there is no such format, or it has no messages.
    """

    def __init__(self, name: str, settings: RowSettings) -> None:
        if name not in FORMATS:
            raise ParameterError(f"There is no format {name!r} of rows: take {', '.join(FORMATS)}.")
        self.format = FORMATS[name]
        self.settings = settings
        if settings.chat and not self.format.chat_columns:
            chats = ", ".join(one.name for one in FORMATS.values() if one.chat_columns)
            raise ParameterError(f"{name} has no form as messages; these have one: {chats}.")
        self._kept: list[tuple[str, Row]] = []
        self._places: dict[bytes, int] = {}
        self._told: set[bytes] = set()
        self._duplicates = self._contradictions = 0
        self._rejected: Counter[str] = Counter()
        self._skipped: list[Skipped] = []

    def add(self, session: str, tree: Tree) -> None:
        """Add the rows of a session's tree."""
        for found in self.format.rows(LabelledTree(tree, self.settings.method), self.settings):
            if isinstance(found, Row):
                self._take(session, found)
            elif found.node is None:
                self.skip(session, found.reason)
            else:
                self._rejected[found.reason] += 1

    def skip(self, session: str, reason: str) -> None:
        """Note a session that has no rows."""
        self._skipped.append(Skipped(session, reason))

    def leave_out(self, reason: str, count: int) -> None:
        """Note sessions that are not looked at."""
        if count:
            self._rejected[reason] += count

    def _take(self, session: str, row: Row) -> None:
        same = _digest(row.data)
        known = self._places.get(same)
        if known is not None:
            self._duplicates += 1
            if row.touched and not self._kept[known][1].touched:
                self._kept[known] = (session, row)
            return
        about = _digest(row.about)
        self._contradictions += about in self._told
        self._told.add(about)
        self._places[same] = len(self._kept)
        self._kept.append((session, row))

    @property
    def columns(self) -> Mapping[str, str]:
        """The fields of `records`, and their types."""
        own = self.format.chat_columns if self.settings.chat else self.format.columns
        return {**own, **MARKS}

    def records(self) -> list[dict[str, Any]]:
        """The rows that stayed, in the order of sessions and nodes, each with `MARKS`."""
        return [
            {**row.data, "session": session, "node": row.node, "touched": row.touched}
            for session, row in self._kept
        ]

    def counts(self) -> Counts:
        """What came of it."""
        return Counts(
            rows=len(self._kept),
            touched=sum(row.touched for _, row in self._kept),
            sessions=len({session for session, _ in self._kept}),
            duplicates=self._duplicates,
            contradictions=self._contradictions,
            rejected=dict(self._rejected.most_common()),
            skipped=self._skipped,
        )


def _digest(value: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).digest()
