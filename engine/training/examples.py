"""What is learnt from: solutions to imitate, values to give, siblings to tell apart.

Plain texts and numbers, without tokens and without trees: `engine.training.gathering` draws them
from searches, `engine.training.batches` makes tensors of them.
"""

import msgspec

Steps = tuple[str, ...]


class Source(msgspec.Struct, frozen=True):
    """Where an example came from: a session and a node of its tree."""

    session: str
    node: int


class Solution(msgspec.Struct, frozen=True):
    """A solution that the policy is to imitate.

    Attributes:
        question, steps: the text; each step with its closing mark.
        finished: whether the end of the text follows, so that the policy learns to stop there.
        given: steps at the beginning that are only read, not learnt.
        weight: of its loss, relative to the others.
        source: where it came from.
        date: the day of the search, as in its log, "" for none; a chat template may write it.
    """

    question: str
    steps: Steps
    finished: bool = True
    given: int = 0
    weight: float = 1.0
    source: Source | None = None
    date: str = ""


class Valued(msgspec.Struct, frozen=True):
    """A partial solution with the values that the PRM is to give to its beginnings.

    values: one a step, in [0, 1]; None where nothing is to be learnt. date: as in `Solution`.
    """

    question: str
    steps: Steps
    values: tuple[float | None, ...]
    source: Source | None = None
    date: str = ""


class Pair(msgspec.Struct, frozen=True):
    """Two continuations of one beginning, the first better than the second.

    Attributes:
        question, steps: the common beginning.
        better, worse: one step or more each.
        finished: whether the end of the text follows both.
        weight: of its loss, relative to the others.
        source: where the better one came from.
        date: as in `Solution`.
    """

    question: str
    steps: Steps
    better: Steps
    worse: Steps
    finished: bool = False
    weight: float = 1.0
    source: Source | None = None
    date: str = ""


Example = Solution | Valued | Pair
