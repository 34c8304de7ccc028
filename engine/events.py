"""What can happen to a search tree.

A session is its log of these events; `Tree.apply` is the only code that changes a tree, and a
tree's state after event n is the fold of events 1..n. Events carry results (the new value, the new
visits), never instructions to compute them, so that a log reads the same whatever version of the
search wrote it. They are msgspec structs: JSON with a `kind` tag, strictly validated on reading.

Units: values are in the range of the process reward model (by default [0, 1]); visits are counts;
`logprob` is a natural logarithm; seconds are wall-clock.
"""

from typing import Literal

import msgspec

from engine.errors import EventError

Verdict = Literal["unknown", "continue", "end"]
VerdictSource = Literal["", "text", "logits", "reply", "turn", "dead_end", "gate", "depth"]
"""What said whether a solution is finished; "turn": the model's end-of-turn token."""

ExpansionStatus = Literal["expanded", "end_by_critic", "end_no_proposals", "skipped_end"]
Mark = Literal["", "right", "wrong", "unclear"]
Origin = Literal["policy", "person", "rollout"]
StopReason = Literal[
    "",
    "gate",
    "exhausted",
    "complete",
    "unusable",
    "unfinished",
    "right",
    "iterations",
    "tokens",
    "seconds",
    "idle",
]
"""Why a search or a run ended. With "exhausted" and "complete" there are finished solutions; with
"unusable" there are none because proposals were refused, with "unfinished" for another reason.
"""


class Event(msgspec.Struct, frozen=True, tag_field="kind"):
    """Base of all events."""


class Score(msgspec.Struct, frozen=True):
    """One child's selection score: total = value + exploration (the bonus `inf` if unvisited)."""

    node: int
    value: float
    exploration: float
    total: float


class Pick(msgspec.Struct, frozen=True):
    """One decision of getBestChild: every child's score and which one was taken."""

    parent: int
    scores: list[Score]
    chosen: int


class NewNode(msgspec.Struct, frozen=True):
    """A child as it was created; `slot` and `attempt` address its random numbers.

    end: probability of the end-of-turn token that the model wrote after it, None if it wrote none.
    """

    id: int
    step: str
    slot: int = 0
    attempt: int = 0
    tokens: int = 0
    logprob: float | None = None
    end: float | None = None


class Rejected(msgspec.Struct, frozen=True):
    """A reply that gave no step: its slot and attempt, the raw text and why."""

    slot: int
    attempt: int
    raw: str
    reason: str


class NodeValue(msgspec.Struct, frozen=True):
    """The PRM's value of one node."""

    node: int
    value: float


class Backup(msgspec.Struct, frozen=True):
    """One node's V and visits after a backup."""

    node: int
    value: float
    visits: int


class RolloutStep(msgspec.Struct, frozen=True):
    """One step of a roll-out: its candidates, their values (greedy only) and the one taken.

    Without any candidate, which ends the roll-out, `chosen` and `value` are None. rejected: replies
    that gave no candidate.
    """

    candidates: list[str]
    values: list[float] | None
    chosen: int | None
    value: float | None
    verdict: Verdict
    rejected: list[Rejected] = []


class Cost(msgspec.Struct, frozen=True):
    """What one iteration took, of the policy and of the process reward model.

    unique: distinct tokens that it was the first of its search to need, a token being one together
    with all before it: what a model has to read at least. generated: tokens sampled for it. Both
    depend on the search alone, neither on stored replies, nor on interruptions, nor on batches.

    forwarded: tokens that really went through the model in the process that ran the iteration;
    cached: those that it did not have to read again; padded: positions computed for nothing.
    seconds: wall clock. They depend on what else ran and what was known, as work does.
    """

    policy_forwarded: int = 0
    policy_generated: int = 0
    prm_forwarded: int = 0
    seconds: float = 0.0
    policy_unique: int = 0
    policy_cached: int = 0
    policy_padded: int = 0
    prm_unique: int = 0
    prm_cached: int = 0
    prm_padded: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        mine, theirs = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return Cost(*(one + more for one, more in zip(mine, theirs, strict=True)))


class Read(msgspec.Struct, frozen=True):
    """Prints of the tokens that count as unique, see `engine.search.accounting`."""

    policy: str = ""
    prm: str = ""


class SearchCreated(Event, frozen=True, tag="search_created"):
    """First event of every log: makes the root.

    version: of the algorithm. One of an earlier version goes on by the rules of today's; run again,
    it may go another way. date: the day on which it began, YYYY-MM-DD, as chat templates write it;
    "" in logs that are older than this field, or where it is not known. step_format: of the policy,
    kind and digest, such as "natural-1a2b3c4d"; "" likewise.
    """

    question: str
    gold: str | None
    algorithm: str
    params: dict[str, object]
    seed: int
    policy: str
    prm: str
    version: int = 1
    date: str = ""
    step_format: str = ""


class IterationStarted(Event, frozen=True, tag="iteration_started"):
    iteration: int


class Selected(Event, frozen=True, tag="selected"):
    """Selection walked `path` (ids, root first); `terminal`: its last node meets the end gate."""

    path: list[int]
    picks: list[Pick]
    terminal: bool


class Closed(Event, frozen=True, tag="closed"):
    """The end gate closed a node: the reference's final_ans_flag."""

    node: int


class Judged(Event, frozen=True, tag="judged"):
    """The self-critic's verdict on a node.

    probability: of `end`, where it was read from logits. analysis: the textual critic's words.
    """

    node: int
    verdict: Verdict
    source: VerdictSource
    probability: float | None = None
    analysis: str = ""


class Expanded(Event, frozen=True, tag="expanded"):
    """An expansion: the distinct new children in creation order and the proposals they came from.

    Only status "expanded" counts as an expansion of the node.
    """

    node: int
    status: ExpansionStatus
    children: list[NewNode]
    proposals: list[str]
    rejected: list[Rejected] = []


class Evaluated(Event, frozen=True, tag="evaluated"):
    """The PRM valued nodes: sets both their V and their PRM value."""

    values: list[NodeValue]


class RolledOut(Event, frozen=True, tag="rolled_out"):
    """A roll-out from `node`, chosen by `pick`; its steps are not nodes. Sets V and visits."""

    node: int
    pick: Pick
    steps: list[RolloutStep]
    best: float
    value_before: float
    value_after: float
    visits: int


class BackedUp(Event, frozen=True, tag="backed_up"):
    """Values and visits from the selected node up to the root."""

    backups: list[Backup]


class Committed(Event, frozen=True, tag="committed"):
    """The search goes on below this node only: its step is taken."""

    node: int


class Exhausted(Event, frozen=True, tag="exhausted"):
    """Nothing below these nodes can change any more: selection leaves them out."""

    nodes: list[int]


class Answered(Event, frozen=True, tag="answered"):
    """The final answer read from a finished node; `correct` is None without an oracle answer."""

    node: int
    answer: str | None
    correct: bool | None
    summary: str = ""


class IterationFinished(Event, frozen=True, tag="iteration_finished"):
    """The iteration is complete; `stop` is set if the algorithm has nothing more to do.

    drawn: the first 16 hex digits of the addresses of the replies that this iteration was the
    first in its search to need; what `cost` counts. read: the tokens likewise.
    """

    iteration: int
    cost: Cost
    stop: StopReason = ""
    drawn: list[str] = []
    read: Read = Read()


class Concluded(Event, frozen=True, tag="concluded"):
    """A run of iterations ended and the tree's answers were chosen. A search may run on after it.

    best: the node with the best value by the algorithm's own rule. voted: the first node of the
    group that wins the vote over answers, None if there is no answer. chosen: best, or of the group
    that wins the vote the node with the largest V, as the parameters ask: its answer is the
    search's answer. cost, drawn, read: what reading the missing answers took, as in
    iteration_finished.
    """

    reason: StopReason
    best: int
    voted: int | None
    chosen: int
    cost: Cost = Cost()
    drawn: list[str] = []
    read: Read = Read()


class Noted(Event, frozen=True, tag="noted"):
    """A person's note on a node (None: on the whole session); an empty text removes it."""

    node: int | None
    text: str


class Marked(Event, frozen=True, tag="marked"):
    """A person's verdict on a step, with the reason; "" takes it back, reason included."""

    node: int
    verdict: Mark
    reason: str = ""


class Regraded(Event, frozen=True, tag="regraded"):
    """A person's verdict on the answer of a finished solution; None goes back to the oracle's."""

    node: int
    correct: bool | None


class Overruled(Event, frozen=True, tag="overruled"):
    """A person's V of a node, in the range of the process reward model; None takes it back.

    locked: V stays so, whatever is found below. backups: V of other nodes that follows from it, and
    of the node itself where it is taken back; visits do not change.
    """

    node: int
    value: float | None
    locked: bool = True
    backups: list[Backup] = []


class Pruned(Event, frozen=True, tag="pruned"):
    """A person takes a node out with everything below, or brings it back.

    backups: V of the nodes above, which it counts for no longer, or again; visits do not change.
    """

    node: int
    pruned: bool
    backups: list[Backup] = []


class Added(Event, frozen=True, tag="added"):
    """Children that a person wrote, asked for, or kept from a roll-out: no expansion of the search.

    temperature: that they were sampled at, if it was not that of the search. asked: the slots below
    the node that are asked for by now are smaller than this.
    """

    node: int
    children: list[NewNode]
    origin: Origin
    temperature: float | None = None
    rejected: list[Rejected] = []
    asked: int = 0


class Reopened(Event, frozen=True, tag="reopened"):
    """By what a person did just before, something is left to do below these exhausted nodes."""

    nodes: list[int]


class Acted(Event, frozen=True, tag="acted"):
    """The end of an act of several events, and what the models took for it."""

    cost: Cost = Cost()
    drawn: list[str] = []
    read: Read = Read()


class ParametersChanged(Event, frozen=True, tag="parameters_changed"):
    """The search goes on with other parameters: all of them, the policy's under "sampling"."""

    params: dict[str, object]


class ModelsChosen(Event, frozen=True, tag="models_chosen"):
    """The search goes on with other models or adapters, named as in search_created."""

    policy: str
    prm: str


class Tagged(Event, frozen=True, tag="tagged"):
    """A person's tags on a node (None: on the whole session), all of them."""

    node: int | None
    tags: list[str]


class Rewound(Event, frozen=True, tag="rewound"):
    """The state is again that after event `to` of this log, counted from 1.

    What came between stays in the log: another one can go there.
    """

    to: int


AnyEvent = (
    SearchCreated
    | IterationStarted
    | Selected
    | Closed
    | Judged
    | Expanded
    | Evaluated
    | RolledOut
    | BackedUp
    | Committed
    | Exhausted
    | Answered
    | IterationFinished
    | Concluded
    | Noted
    | Marked
    | Regraded
    | Overruled
    | Pruned
    | Added
    | Reopened
    | Acted
    | ParametersChanged
    | ModelsChosen
    | Tagged
    | Rewound
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode(event: Event) -> bytes:
    """One event as UTF-8 JSON."""
    return _encoder.encode(event)


def decode(body: bytes | str) -> AnyEvent:
    """The event of a JSON text.

    Raises:
        EventError: the text is not one of the known events.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EventError(
            f"An event of the log cannot be read ({error}). It may come from a newer lab or be "
            "damaged; nothing was changed."
        ) from error
