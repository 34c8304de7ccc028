"""The published state of one session, as pages and commands read it.

It is the fold of what is on disk, never ahead of it. Reading takes a lock for an instant and never
waits for a model or a file.
"""

import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from engine import events as ev
from engine.search.answers import AnswerGroup, best_value
from engine.search.mcts_star import MctsStarParams
from engine.search.registry import algorithm, params_of
from engine.search.selection import score
from engine.search.ties import Tie, by_vote, tie
from engine.tasks.same import comparison_for, groups
from engine.tasks.thoughts import split_thought
from engine.tree import Node, Tree, standing
from lab.results import (
    BestSolution,
    BestStep,
    ModelNames,
    PolicyTokens,
    PrmTokens,
    Refused,
    SessionResult,
    Tokens,
)

_VERSION_BITS = 24
_ACTS = (ev.Overruled, ev.Pruned, ev.Added, ev.Acted, ev.Reopened)
_LIFE_BITS = 28  # with the version below 2**53, so that a browser can hold a cursor exactly


class Outcome(msgspec.Struct, frozen=True):
    """What a tree answers: the node of its answer, that answer, all answers by weight, and what
    shares the first place with it where a vote chose it.

    Before a run is concluded this is what its conclusion would most likely be.
    """

    best: int
    answer: str | None
    correct: bool | None
    groups: list[AnswerGroup]
    tie: Tie | None = None


def outcome(tree: Tree) -> Outcome:
    """The outcome of a tree as it stands."""
    kind, params = algorithm(tree.algorithm), params_of(tree)
    found = kind.groups(tree, params)
    if tree.phase == "concluded" and tree.chosen is not None:
        best = tree.chosen
    else:
        first = next(kind.conclude(tree, params, ""))
        if isinstance(first, ev.Concluded):  # all answers are known
            best = first.chosen
        else:
            best = found[0].best if found else best_value(tree)
    node = tree.node(best)
    level = tie(found, node.answer) if by_vote(params) else None
    return Outcome(best, node.answer, node.accepted, found, level)


class View:
    """Deltas and details of a session's tree.

    Attributes:
        session: id.
        length: how many events of the log it shows.
        log: these events.
    """

    def __init__(self, session: str) -> None:
        self.session = session
        self.length = 0
        self.log: list[ev.Event] = []
        self._ahead: list[ev.Event] = []
        self._tree = Tree()
        self._records: dict[int, dict[str, Any]] = {}
        # Node to the version of its last change, the latest changes last.
        self._changed: dict[int, int] = {}
        self._facts: dict[str, Any] = {}
        self._acted = False
        self._version = 0
        self._life = _new_life()
        self._lock = threading.Lock()

    def publish(self, events: Iterable[ev.Event], aside: bool = False) -> None:
        """Show events that are on disk now.

        Args:
            events: the next ones of the log.
            aside: no iteration asks for them, so that one that is previewed goes on.

        Raises:
            EventError: one does not fit.
        """
        new = list(events)
        self._compare_answers(new)
        with self._lock:
            self.log += new
            self.length += len(new)
            if aside:
                self._show(new)
                return
            shown, self._ahead = self._ahead, []
            if any(isinstance(event, ev.Rewound) for event in new) or new[: len(shown)] != shown:
                self._fold_again()
            else:
                self._show(new[len(shown) :])

    def preview(self, events: Sequence[ev.Event]) -> None:
        """Show events of an unfinished iteration until others are on disk: all of them so far."""
        self._compare_answers(events)
        with self._lock:
            shown, self._ahead = self._ahead, list(events)
            if self._ahead[: len(shown)] != shown:
                self._fold_again()
                shown = []
            self._show(self._ahead[len(shown) :])

    def unfinished(self, node: int | None = None) -> bool:
        """Whether it shows an unfinished iteration; with a node, whether that is of it."""
        with self._lock:
            made = [event.children for event in self._ahead if isinstance(event, ev.Expanded)]
            first = len(self._tree.nodes) - sum(map(len, made))
            return bool(self._ahead) and (node is None or first <= node < len(self._tree.nodes))

    def _compare_answers(self, events: Sequence[ev.Event]) -> None:
        """Find out which answers are the same before the lock is taken: algebra may take seconds,
        and what it says is kept.
        """
        new = [event.answer for event in events if isinstance(event, ev.Answered) and event.answer]
        golds = (event.gold for event in events if isinstance(event, ev.SearchCreated))
        if new:
            known = [node.answer for node in self._tree.nodes if node.answer]
            groups([*known, *new], comparison_for(next(golds, self._tree.gold)))

    def _fold_again(self) -> None:
        """Show the whole log anew, to whoever asks next."""
        self._tree = Tree.fold(self.log)
        self._records = {node.id: node_record(node) for node in self._tree.nodes}
        self._life = _new_life()
        self._version = 1
        self._acted = acted(event for _, event in standing(self.log))
        self._changed = dict.fromkeys(self._records, 1)
        self._facts = _facts(self._tree)

    def _show(self, events: Sequence[ev.Event]) -> None:
        touched: set[int] = set()
        for event in events:
            self._tree.apply(event)
            self._acted = acted([event], self._acted)
            touched.update(touched_by(event, self._tree))
        self._version += 1
        for identifier in sorted(touched):
            self._records[identifier] = node_record(self._tree.node(identifier))
            self._changed.pop(identifier, None)
            self._changed[identifier] = self._version
        self._facts = _facts(self._tree)

    def delta(self, since: int) -> dict[str, Any]:
        """What changed since a cursor: everything if it is -1 or not one of this view's."""
        with self._lock:
            reset = not self._life <= since <= self._life + self._version
            seen = 0 if reset else since - self._life
            new = []
            for identifier in reversed(self._changed):
                if self._changed[identifier] <= seen:
                    break
                new.append(identifier)
            return {
                "session": self.session,
                "cursor": self._life + self._version,
                "reset": reset,
                "nodes": [self._records[identifier] for identifier in sorted(new)],
                "tree": {**self._facts, "held": bool(self._ahead), "acted": self._acted},
            }

    def node(self, identifier: int) -> dict[str, Any]:
        """Everything about one node.

        Raises:
            EventError: there is no such node.
        """
        with self._lock:
            node = self._tree.node(identifier)
            return _details(self._tree, node, self._facts["best_path"])

    @contextmanager
    def reading(self) -> Iterator[Tree]:
        """The tree, which does not change within the block."""
        with self._lock:
            yield self._tree


def _new_life() -> int:
    """A cursor from an earlier life of the view belongs to other versions; it is told by this."""
    return (secrets.randbelow(2**_LIFE_BITS - 1) + 1) << _VERSION_BITS


def acted(events: Iterable[ev.Event], before: bool = False) -> bool:
    """Whether a person has acted on the tree since its last iteration began.

    Args:
        events: what was done, in order.
        before: whether that was so before these.
    """
    for event in events:
        if isinstance(event, ev.IterationStarted):
            before = False
        elif isinstance(event, _ACTS):
            before = True
    return before


def touched_by(event: ev.Event, tree: Tree) -> Iterable[int]:
    """The nodes whose record an event has changed."""
    match event:
        case ev.SearchCreated():
            return [0]
        case ev.Expanded():
            return [event.node, *(child.id for child in event.children)]
        case ev.Evaluated():
            return [item.node for item in event.values]
        case ev.BackedUp():
            return [item.node for item in event.backups]
        case ev.Exhausted():
            return event.nodes
        case ev.Closed() | ev.Judged() | ev.RolledOut() | ev.Answered():
            return [event.node]
        case ev.Marked() | ev.Regraded():
            return [event.node]
        case ev.Overruled():
            return [event.node, *(item.node for item in event.backups)]
        case ev.Pruned():
            below = (node.id for node in tree.depth_first(event.node))
            return [*below, *tree.path(event.node)]
        case ev.Added():
            return [*tree.path(event.node), *(child.id for child in event.children)]
        case ev.Reopened():
            return event.nodes
        case ev.Tagged():
            return [] if event.node is None else [event.node]
        case ev.Noted():
            return [] if event.node is None else [event.node]
        case _:
            return []


def node_record(node: Node) -> dict[str, Any]:
    """A node as the page sees it; a thought that its step begins with stands apart."""
    thought, shown = split_thought(node.step)
    if not shown.strip():
        thought, shown = "", node.step
    elif thought:
        shown = shown.lstrip()
    return {
        "id": node.id,
        "parent": node.parent,
        "depth": node.depth,
        "step": shown,
        **({"thought": thought} if thought else {}),
        "value": node.value,
        "visits": node.visits,
        "prm": node.prm_value,
        "verdict": node.verdict,
        "verdict_source": node.verdict_source,
        "closed": node.closed,
        "exhausted": node.exhausted,
        "expansions": node.expansions,
        "answer": node.answer,
        "correct": node.correct,
        "iteration": node.iteration,
        "note": bool(node.note),
        "mark": node.mark,
        "regraded": node.regraded,
        "overruled": node.overruled,
        "locked": node.locked,
        "pruned": node.pruned,
        "hidden": node.hidden,
        "made_by": node.origin,
        "logprob": node.logprob,
        "tags": list(node.tags),
    }


def _facts(tree: Tree) -> dict[str, Any]:
    found = outcome(tree)
    cost = msgspec.to_builtins(tree.cost)
    return {
        "question": tree.question,
        "gold": tree.gold,
        "algorithm": tree.algorithm,
        "seed": tree.seed,
        "iteration": tree.iteration,
        "phase": tree.phase,
        "stop": tree.stop,
        "refused": msgspec.to_builtins(Refused.of(tree.refusals)),
        "range": list(tree.value_range),
        "path": tree.selected_path,
        "picks": msgspec.to_builtins(tree.picks),
        "rollout": _rollout(tree.rollout),
        "best": found.best,
        "voted": tree.voted,
        "best_path": tree.path(found.best),
        "answer": found.answer,
        "correct": found.correct,
        "answers": msgspec.to_builtins(found.groups),
        "tie": msgspec.to_builtins(found.tie),
        "cost": cost,
        "last_cost": msgspec.to_builtins(tree.costs[-1]) if tree.costs else None,
        "nodes": len(tree.nodes),
        "note": tree.note,
    }


def _rollout(found: ev.RolledOut | None) -> dict[str, Any] | None:
    """A roll-out, of the search or asked for by a person: the steps that it took."""
    if found is None:
        return None
    taken = [step for step in found.steps if step.chosen is not None]
    return {
        "node": found.node,
        "best": found.best,
        "value_before": found.value_before,
        "value_after": found.value_after,
        "steps": [
            {
                "text": step.candidates[step.chosen or 0],
                "value": step.value,
                "verdict": step.verdict,
            }
            for step in taken
        ],
    }


def _details(tree: Tree, node: Node, best_path: list[int]) -> dict[str, Any]:
    source = node.source or tree.source
    return {
        **node_record(node),
        "steps": list(tree.steps(node.id)),
        "shown_steps": [split_thought(step)[1].lstrip() or step for step in tree.steps(node.id)],
        "verdict_probability": node.verdict_probability,
        "analysis": node.analysis,
        "summary": node.summary,
        "slot": node.slot,
        "attempt": node.attempt,
        "tokens": node.tokens,
        "logprob": node.logprob,
        "note": node.note,
        "mark_reason": node.mark_reason,
        "best_path": node.id in best_path,
        "rolled_out": _rollout(node.rolled_out),
        "selection": _selection(tree, node),
        "origin": {
            "policy": source.policy,
            "prm": source.prm,
            "seed": tree.seed,
            "temperature": source.temperature,
        },
    }


def _selection(tree: Tree, node: Node) -> dict[str, Any] | None:
    """How selection would score a node and its siblings now; None where nothing selects."""
    params = params_of(tree)
    if node.parent is None or not isinstance(params, MctsStarParams):
        return None
    parent = tree.node(node.parent)
    scores = []
    for child in map(tree.node, parent.children):
        # A parent without visits has no scores yet: they divide its visits by the child's.
        now = score(parent, child, params) if parent.visits else None
        scores.append(
            {
                "node": child.id,
                "value": child.value,
                "exploration": now and now.exploration,
                "total": now and now.total,
                "visits": child.visits,
                "step": child.step,
                "exhausted": child.exhausted,
                "self": child.id == node.id,
            }
        )
    return {
        "parent_visits": parent.visits,
        "c": params.exploration_constant,
        "bonus": params.inf,
        "scores": scores,
    }


def node_records(tree: Tree) -> list[dict[str, Any]]:
    """Every node as the page sees it, with its note in words."""
    return [{**node_record(node), "note": node.note} for node in tree.nodes]


def session_result(session: str, tree: Tree) -> SessionResult:
    """The outcome of a session, as commands print it."""
    found, cost = outcome(tree), tree.cost
    path = [tree.node(identifier) for identifier in tree.path(found.best)]
    return SessionResult(
        session=session,
        question=tree.question,
        answer=found.answer,
        gold=tree.gold,
        correct=found.correct,
        tie=found.tie,
        algorithm=tree.algorithm,
        params=tree.params,
        seed=tree.seed,
        iterations=tree.iteration,
        nodes=len(tree.nodes),
        tokens=Tokens(
            PolicyTokens(
                cost.policy_unique,
                cost.policy_generated,
                cost.policy_forwarded,
                cost.policy_cached,
                cost.policy_padded,
            ),
            PrmTokens(cost.prm_unique, cost.prm_forwarded, cost.prm_cached, cost.prm_padded),
        ),
        best=BestSolution(path[-1].value, [BestStep(node.step, node.value) for node in path[1:]]),
        stop=tree.stop,
        refused=Refused.of(tree.refusals),
        models=ModelNames(tree.policy, tree.prm),
        seconds=cost.seconds,
        costs=list(tree.costs),
    )
