"""Rows of training data out of one tree, in the formats of the reference and of TRL.

A row's `data` holds the fields of its format and nothing else. What gives no row is told with its
reason, so that counts add up. Prompts are other people's text and stay text.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from engine.errors import ParameterError
from engine.exports.labels import LabelledTree, Trace, is_right
from engine.rewards.methods import METHODS
from engine.rewards.rows import Reward

SCORES = ("reward", "value", "q", "correct")
"""What a step can be better by than its sibling."""

NOT_GRADED = "not graded: there is no right answer to compare with"
NOT_RIGHT = "not right"
NO_STEPS = "no steps"
UNLABELLED = "no reward: the search did not finish anything below it"
LOW = "value below the limit"
UNCLEAR = "marked unclear by a person"


class Row(msgspec.Struct, frozen=True):
    """One row.

    Attributes:
        data: its fields, ready for JSON.
        about: what it tells something of: rows that agree in it and not in `data` contradict.
        node: the node it comes from.
        touched: whether a person's word decides it.
    """

    data: dict[str, Any]
    about: tuple[str, ...]
    node: int
    touched: bool


class Reject(msgspec.Struct, frozen=True):
    """What gave no row, and why; `node` is None where it is the whole tree."""

    node: int | None
    reason: str


Found = Iterator[Row | Reject]


class RowSettings(msgspec.Struct, frozen=True):
    """What is taken from a tree, and how it is written.

    Attributes:
        method: of the rewards, see `engine.rewards`.
        correct: only right solutions.
        min_value: least label of a value target, V of a solution, or score of a pair's better step.
        by: what a pair is better by: the reward of `method`; V; the share of right solutions below
            (q); or having one at all (correct).
        margin: by how much at least; any difference if 0.
        most_pairs: of the steps below one node, those that differ most first.
        prompt: TRL's prompt; {question} is replaced.
        chat: TRL's formats as messages of user and assistant.

    Raises:
        ParameterError: a value that there is not, or out of its range.
    """

    method: str = "paper"
    correct: bool = False
    min_value: float | None = None
    by: str = "reward"
    margin: float = 0.0
    most_pairs: int = 4
    prompt: str = "{question}\n"
    chat: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ParameterError(
                f"There is no method {self.method!r} of rewards: take {', '.join(METHODS)}."
            )
        if self.by not in SCORES:
            raise ParameterError(
                f"Steps cannot be better by {self.by!r}: take {', '.join(SCORES)}."
            )
        if not 0 <= self.margin < float("inf"):
            raise ParameterError(f"margin cannot be {self.margin!r}: it takes a number from 0 on.")
        if self.most_pairs < 1:
            raise ParameterError(
                f"most_pairs cannot be {self.most_pairs!r}: it takes a whole number from 1 on."
            )
        if "{question}" not in self.prompt:
            raise ParameterError(
                f"The prompt {self.prompt!r} has no place for the question: it takes a text with "
                "{question}."
            )

    def low(self, value: float) -> bool:
        """Whether a value is below the limit."""
        return self.min_value is not None and value < self.min_value


def values(found: LabelledTree, settings: RowSettings) -> Found:
    """Value targets as the reference trains its value model on: `{prompt_answer, label}`."""
    tree, targets = found.tree, {target.node: target for target in found.targets}
    if not targets:
        yield Reject(None, found.rewards().empty)
        return
    for node in tree.depth_first():
        target = targets.get(node.id)
        if target is None:
            if node.id:
                yield Reject(node.id, UNLABELLED)
        elif target.mark == "unclear":
            yield Reject(node.id, UNCLEAR)
        elif settings.low(target.value):
            yield Reject(node.id, LOW)
        else:
            text = f"Problem:{tree.question}\nSolution:\n{''.join(tree.steps(node.id))}"
            data = {"prompt_answer": text, "label": target.value}
            yield Row(data, (text,), node.id, target.touched)


def traces(found: LabelledTree, settings: RowSettings) -> Found:
    """Policy traces of the reference: `{content, summary, label, real_answer}`.

    `summary` is the whole solution, as there.
    """
    tree = found.tree
    for trace in _traces(found, settings):
        if isinstance(trace, Reject):
            yield trace
            continue
        data = {
            "content": tree.question,
            "summary": trace.text,
            "label": trace.correct,
            "real_answer": tree.gold,
        }
        yield Row(data, (tree.question, trace.text), trace.leaf, trace.touched)


def prompt_completion(found: LabelledTree, settings: RowSettings) -> Found:
    """Right solutions as TRL's SFTTrainer reads them: `{prompt, completion}`."""
    question = found.tree.question
    only_right = msgspec.structs.replace(settings, correct=True)
    for trace in _traces(found, only_right):
        if isinstance(trace, Reject):
            yield trace
            continue
        data = {
            "prompt": prompt(settings, question),
            "completion": reply(settings, trace.text),
        }
        yield Row(data, (question, trace.text), trace.leaf, trace.touched)


def stepwise(found: LabelledTree, settings: RowSettings) -> Found:
    """Solutions with a verdict on every step, TRL's stepwise supervision:
    `{prompt, completions, labels}`.
    """
    tree, rewards = found.tree, found.rewards().by_node()
    for trace in _traces(found, settings):
        if isinstance(trace, Reject):
            yield trace
            continue
        steps = [rewards.get(node) for node in tree.path(trace.leaf)[1:]]
        known = [step for step in steps if step is not None]
        if len(known) < len(steps):
            yield Reject(trace.leaf, f"a step without a reward by the method {found.method!r}")
            continue
        if any(step.mark == "unclear" for step in known):
            yield Reject(trace.leaf, UNCLEAR)
            continue
        data = {
            "prompt": prompt(settings, tree.question),
            "completions": list(trace.steps),
            "labels": [is_right(step) for step in known],
        }
        touched = trace.touched or any(step.touched for step in known)
        yield Row(data, (tree.question, *trace.steps), trace.leaf, touched)


def generation(found: LabelledTree, settings: RowSettings) -> Found:
    """One row a tree, as the reference's search writes it: all solutions and all value targets."""
    tree = found.tree
    targets = [target for target in _without_repeats(found) if not settings.low(target.value)]
    solutions = [t for t in found.traces if not _refused(t, settings, empty=True)]
    if not solutions and not targets:
        yield Reject(None, found.rewards().empty or "nothing that passes the filters")
        return
    data = {
        "content": tree.question,
        "policy_samples": [
            {"solution": "".join(t.steps), "summary": t.summary, "correct": bool(t.correct)}
            for t in solutions
        ],
        "value_samples": [
            {"steps": "".join(tree.steps(target.node)), "value": target.value} for target in targets
        ],
        "real_answer": tree.gold,
        "corr_policy_sample_num": sum(bool(t.correct) for t in solutions),
        "total_policy_sample_num": len(solutions),
    }
    touched = any(t.touched for t in solutions) or any(target.touched for target in targets)
    yield Row(data, (tree.question,), 0, touched)


def _without_repeats(found: LabelledTree) -> list[Reward]:
    """One target for each partial solution; as in the reference none if no leaf is right, unless
    the method does not ask for that.
    """
    if found.method != "progress" and not any(row.right for row in found.rewards().rows):
        return []
    return [t for t in found.targets if t.same_as is None and t.mark != "unclear"]


def prompt(settings: RowSettings, question: str, steps: str = "") -> str | list[dict[str, str]]:
    """What TRL shows before the part that is learnt."""
    if settings.chat:
        return [{"role": "user", "content": question}]
    before, after = settings.prompt.split("{question}", 1)
    return before + question + after + steps


def reply(settings: RowSettings, text: str) -> str | list[dict[str, str]]:
    """What TRL learns, or learns to tell."""
    return [{"role": "assistant", "content": text}] if settings.chat else text


def _traces(found: LabelledTree, settings: RowSettings) -> Iterator[Trace | Reject]:
    if not found.traces:
        yield Reject(None, "no finished solution")
    for trace in found.traces:
        reason = _refused(trace, settings)
        yield Reject(trace.leaf, reason) if reason else trace


def _refused(trace: Trace, settings: RowSettings, empty: bool = False) -> str:
    """Why a solution is not taken, "" if it is; `empty`: one without steps may be."""
    if trace.correct is None:
        return NOT_GRADED
    if not trace.steps and not empty:
        return NO_STEPS
    if settings.correct and not trace.correct:
        return NOT_RIGHT
    return LOW if settings.low(trace.value) else ""
