"""Sessions as the lab exports them, read back: the log is everything, the rest follows from it."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from engine import events as ev
from engine.errors import EventError, ImportFileError, ParameterError
from engine.randomness import LARGEST_SEED, is_seed
from engine.search.driver import Search
from engine.tasks.problems import LONGEST_QUESTION

FORMAT = "rest-mcts-lab session 1"
"""What the field `format` of an exported session says; the number grows when its shape changes."""

LONGEST_NAME = 200
_MOST = 10**9  # visits of a node, or its value
_ID = re.compile("[0-9a-f]{8}")
_FAMILY = "rest-mcts-lab session "
_LATEST_YEAR = 4_102_444_800.0  # the year 2100 in Unix time


class SessionFile(msgspec.Struct, frozen=True):
    """An exported session. `result` and `nodes` are for readers and are made anew from the log.

    Attributes:
        format: see `FORMAT`.
        log: its events in order.
        session: the id that it had.
        name, tags: for lists.
        created: Unix time.
    """

    format: str
    log: list[ev.AnyEvent]
    session: str = ""
    name: str = ""
    tags: list[str] = []
    created: float = 0.0


def read_session(fields: Mapping[str, Any]) -> SessionFile:
    """An exported session whose log folds into a tree.

    Raises:
        ImportFileError: it is none, or one of a newer lab; the message names what is wrong.
    """
    told = fields.get("format")
    if told != FORMAT:
        newer = isinstance(told, str) and told.startswith(_FAMILY)
        raise ImportFileError(
            f"its format is {told!r:.60}, and this lab reads {FORMAT!r}"
            + (": it comes from a newer lab" if newer else "")
        )
    try:
        found = msgspec.convert(fields, SessionFile)
    except msgspec.ValidationError as error:
        raise ImportFileError(str(error)) from error
    if not 0 <= found.created < _LATEST_YEAR:
        raise ImportFileError(f'"created" cannot be {found.created!r}: it is a Unix time')
    if found.session and not _ID.fullmatch(found.session):
        raise ImportFileError(f"its id {found.session!r:.40} is none: it has 8 hex digits")
    try:
        tree = Search(found.log, lambda answer: None).tree
    except (EventError, ParameterError, ValueError) as error:  # ValueError: damaged prints
        raise ImportFileError(f"its log does not fold: {error}") from error
    if not is_seed(tree.seed):
        raise ImportFileError(
            f"its seed {tree.seed} is out of range: it goes from 0 to {LARGEST_SEED}"
        )
    for node in tree.nodes:
        if not 0 <= node.visits <= _MOST or not all(
            abs(value) <= _MOST for value in (node.value, node.prm_value or 0.0)
        ):
            raise ImportFileError(
                f"its node {node.id} has {node.visits} visits and the value {node.value}, which no "
                "search gives"
            )
    for what, text, most in (
        ("question", tree.question, LONGEST_QUESTION),
        ("answer", tree.gold or "", LONGEST_QUESTION),
        ("name", found.name, LONGEST_NAME),
    ):
        if len(text) > most:
            raise ImportFileError(f"its {what} has {len(text):,} characters; it can have {most:,}")
    return found
