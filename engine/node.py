"""A node of a search tree: a partial solution and all that is known of it."""

from dataclasses import dataclass, field
from typing import NamedTuple

from engine import events as ev


class Source(NamedTuple):
    """What nodes are made with: the models as logs name them, and the sampling temperature."""

    policy: str
    prm: str
    temperature: float | None


@dataclass(slots=True)
class Node:
    """A partial solution: the steps from the root to here.

    Attributes:
        id: creation order, root 0.
        parent: id, None for the root.
        depth: number of steps.
        step: text of the last step, closing newline included; "" for the root.
        value: V, the present value.
        visits: n.
        prm_value: what the PRM said, before roll-outs and backups; None while not valued.
        children: ids in creation order.
        expansions: how many times children were asked for and came.
        asked: a person has had all slots below this one asked for, besides the search's own.
        verdict: the self-critic's: unknown, continue or end.
        verdict_source: where the verdict came from.
        verdict_probability: of `end`, if the critic read it from logits.
        analysis: the textual critic's words, fed to the next expansion.
        closed: the end gate closed it (final_ans_flag of the reference).
        exhausted: nothing below can change any more.
        answered: whether a final answer was looked for.
        answer, correct, summary: what was found; correct is None without an oracle answer.
        slot, attempt: address of its random numbers below its parent.
        tokens, logprob: length and log-probability of the sampled step.
        end: probability of the end-of-turn token that the model wrote after it, None for none.
        iteration: in which it was created.
        note: a person's words, "" if none.
        mark, mark_reason: a person's verdict on the step, and why.
        regraded: a person's verdict on the answer, None if the oracle's stands.
        overruled: a person's V, None if there is none; the search may have gone over it.
        locked: that V is a person's and stays whatever is found below.
        found_value: V as it was before a person overruled it, None where V is not a person's.
        origin: who wrote the step.
        pruned: a person has taken it out, with everything below.
        hidden: it or a node above it is pruned: it counts nowhere.
        tags: a person's.
        source: what it was made with.
        rolled_out: the last roll-out from it.
    """

    id: int
    parent: int | None
    depth: int
    step: str
    value: float = 0.0
    visits: int = 0
    prm_value: float | None = None
    children: list[int] = field(default_factory=list)
    expansions: int = 0
    asked: int = 0
    verdict: ev.Verdict = "unknown"
    verdict_source: ev.VerdictSource = ""
    verdict_probability: float | None = None
    analysis: str = ""
    closed: bool = False
    exhausted: bool = False
    answered: bool = False
    answer: str | None = None
    correct: bool | None = None
    summary: str = ""
    slot: int = 0
    attempt: int = 0
    tokens: int = 0
    logprob: float | None = None
    end: float | None = None
    iteration: int = 0
    note: str = ""
    mark: ev.Mark = ""
    mark_reason: str = ""
    regraded: bool | None = None
    overruled: float | None = None
    locked: bool = False
    found_value: float | None = None
    origin: ev.Origin = "policy"
    pruned: bool = False
    hidden: bool = False
    tags: tuple[str, ...] = ()
    source: Source | None = None
    rolled_out: ev.RolledOut | None = None

    @property
    def accepted(self) -> bool | None:
        """Whether its answer counts as correct: a person's verdict goes before the oracle's."""
        return self.correct if self.regraded is None else self.regraded

    @property
    def machine_value(self) -> float:
        """V without a person's word on this node."""
        return self.value if self.found_value is None else self.found_value

    @property
    def expanded(self) -> bool:
        """Whether it has children, or has ever had."""
        return bool(self.children)

    @property
    def finished(self) -> bool:
        """Whether the self-critic, a gate or a dead end says that no step follows."""
        return self.verdict == "end"

    @property
    def dead_end(self) -> bool:
        """Whether it is finished only because the policy wrote no step: a person may write one."""
        return self.finished and self.verdict_source == "dead_end"
