"""Generation rows of the reference implementation, read as finished searches.

A row's solutions and value targets name steps; together they are a tree, which is told as the log
of a search of one iteration. V of a node is the target that the row gives it, else 0.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from engine import events as ev
from engine.errors import ImportFileError
from engine.search import answers
from engine.search.driver import create
from engine.tasks.final_answer import extract_answer
from engine.tasks.problems import LONGEST_QUESTION
from engine.tasks.same import comparison_for
from engine.tree import Tree

IMPORTED = "imported"
"""What stands for the models in the log of a search that was imported."""

MOST_STEPS = 100_000
_LINE = re.compile("[^\n]*\n|[^\n]+")
_STATED = re.compile(r"answer is|\\boxed", re.IGNORECASE)
_NUMBERED = re.compile(r"Step (\d+):")


class Solution(msgspec.Struct, frozen=True):
    """A finished solution of a row."""

    solution: str
    summary: str = ""
    correct: bool | None = None


class Target(msgspec.Struct, frozen=True):
    """A value target of a row; `steps` is the text of a partial solution."""

    steps: str
    value: float


class GenerationRow(msgspec.Struct, frozen=True):
    """A row that holds all solutions of a search (`sample_value` full)."""

    content: str
    policy_samples: list[Solution]
    value_samples: list[Target] = []
    real_answer: str | int | float | None = None


class SingleRow(msgspec.Struct, frozen=True):
    """A row that holds one solution (`sample_value` simple, chain of thought)."""

    content: str
    solution: str
    summary: str = ""
    accurate: bool | None = None
    value_samples: list[Target] = []
    real_answer: str | int | float | None = None
    answer: str | int | float | None = None


def read_row(fields: Mapping[str, Any]) -> list[ev.AnyEvent]:
    """The log of a search that found what a row tells.

    Args:
        fields: of the row, as decoded from JSON.

    Raises:
        ImportFileError: it is no such row; the message names the field.
    """
    row: GenerationRow | SingleRow
    try:
        if "policy_samples" in fields:
            row = msgspec.convert(fields, GenerationRow)
        else:
            row = msgspec.convert(fields, SingleRow)
    except msgspec.ValidationError as error:
        raise ImportFileError(str(error)) from error
    if isinstance(row, SingleRow):
        gold = row.real_answer if row.real_answer is not None else row.answer
        solutions = [Solution(row.solution, row.summary, row.accurate)]
    else:
        gold, solutions = row.real_answer, row.policy_samples
    if not row.content.strip():
        raise ImportFileError('"content" is empty')
    if len(row.content) > LONGEST_QUESTION:
        raise ImportFileError(
            f'"content" has {len(row.content):,} characters; it can have {LONGEST_QUESTION:,}'
        )
    return _log(row.content, None if gold is None else str(gold), solutions, row.value_samples)


def split_steps(text: str) -> tuple[str, ...]:
    """The steps of a solution's text, each with its line end.

    Where it begins with "Step 1:" a step reaches to the next number, else every line is one. A line
    end that is missing at the very end is added.
    """
    lines = _LINE.findall(text)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if not text.startswith("Step 1:"):
        return tuple(lines)
    steps: list[str] = []
    for line in lines:
        found = _NUMBERED.match(line)
        if found and int(found[1]) == len(steps) + 1:
            steps.append(line)
        else:
            steps[-1] += line
    return tuple(steps)


Steps = tuple[str, ...]


def _log(
    question: str, gold: str | None, solutions: Iterable[Solution], targets: Iterable[Target]
) -> list[ev.AnyEvent]:
    leaves = _unlike(solutions)
    targets = list(targets)
    if bad := [target.value for target in targets if not 0 <= target.value <= 1]:
        raise ImportFileError(f"a value target cannot be {bad[0]!r}: it takes a number in [0, 1]")
    values = {split_steps(target.steps): target.value for target in targets}
    children = _children([*leaves, *values])
    log: list[ev.AnyEvent] = [
        create(question, gold, "mcts_star", {}, 0, IMPORTED, IMPORTED),
        ev.IterationStarted(1),
    ]
    ids: dict[Steps, int] = {(): 0}
    for parent, below in children.items():
        new = []
        for step in below:
            new.append(ev.NewNode(len(ids), step))
            ids[*parent, step] = len(ids)
        log.append(ev.Expanded(ids[parent], "expanded", new, below))
    valued = [ev.NodeValue(ids[steps], value) for steps, value in values.items() if steps]
    if valued:
        log.append(ev.Evaluated(valued))
    for steps, leaf in leaves.items():
        if steps in children:
            raise ImportFileError(
                f"the solution {leaf.solution.strip()!r:.80} is the beginning of another one"
            )
        source: ev.VerdictSource = "reply" if leaf.summary else "dead_end"
        log += [
            ev.Judged(ids[steps], "end", source),
            ev.Answered(ids[steps], _answer(leaf, gold), leaf.correct, leaf.summary),
        ]
    log.append(ev.IterationFinished(1, ev.Cost()))
    return [*log, _conclusion(log)]


def _answer(leaf: Solution, gold: str | None) -> str | None:
    """The answer of a solution; the right one where it is called right without a word of it."""
    stated = leaf.summary or (leaf.solution if _STATED.search(leaf.solution) else "")
    return extract_answer(stated) or (gold if leaf.correct else None)


def _conclusion(log: list[ev.AnyEvent]) -> ev.Concluded:
    """The answer with the most value, as the search would choose it."""
    tree = Tree.fold(log)
    groups = answers.answer_groups(map(tree.node, tree.ends), by=comparison_for(tree.gold))
    best = max(tree.ends, key=lambda leaf: tree.node(leaf).value, default=0)
    return answers.concluded("complete", best, groups, by_vote=True)


def _unlike(solutions: Iterable[Solution]) -> dict[Steps, Solution]:
    """Solutions by their steps.

    Raises:
        ImportFileError: the same solution is told to be right and wrong.
    """
    found: dict[Steps, Solution] = {}
    for one in solutions:
        known = found.setdefault(split_steps(one.solution), one)
        if known.correct != one.correct:
            raise ImportFileError(
                f"the solution {one.solution.strip()!r:.80} is called right and not right"
            )
    return found


def _children(texts: Iterable[Steps]) -> dict[Steps, list[str]]:
    """The steps after each partial solution, parents first."""
    children: dict[Steps, dict[str, None]] = {}
    for steps in texts:
        for depth, step in enumerate(steps):
            children.setdefault(steps[:depth], {})[step] = None
    if sum(map(len, children.values())) > MOST_STEPS:
        raise ImportFileError(f"it has more than {MOST_STEPS:,} steps")
    return {parent: list(steps) for parent, steps in sorted(children.items(), key=_depth)}


def _depth(item: tuple[Steps, object]) -> int:
    return len(item[0])
