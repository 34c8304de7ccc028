"""Small trees written by hand, for what is said of them."""

from collections.abc import Mapping, Sequence

from engine import events as ev
from engine.search.driver import create
from engine.tree import Tree

QUESTION = "What is 2 + 3 + 4?"


def log_of(
    paths: Sequence[Sequence[str]],
    right: Mapping[int, bool | None],
    values: Mapping[str, float] | None = None,
    question: str = QUESTION,
) -> list[ev.Event]:
    """The log of a search that found these solutions.

    Args:
        paths: steps of each branch; a step that begins like one before is the same node.
        right: place of a branch that is finished -> whether its answer is right.
        values: V by the text of the step; 0.5 where not given.
        question: of the search.
    """
    ids: dict[tuple[str, ...], int] = {(): 0}
    children: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        for depth, step in enumerate(path):
            below = children.setdefault(tuple(path[:depth]), [])
            if step not in below:
                below.append(step)
    log: list[ev.Event] = [
        create(question, "9", "mcts_star", {}, 0, "tests", "tests"),
        ev.IterationStarted(1),
    ]
    for parent, steps in sorted(children.items(), key=lambda item: len(item[0])):
        new = []
        for step in steps:
            ids[*parent, step] = len(ids)
            new.append(ev.NewNode(len(ids) - 1, step))
        known = values or {}
        log += [
            ev.Expanded(ids[parent], "expanded", new, list(steps)),
            ev.Evaluated([ev.NodeValue(one.id, known.get(one.step, 0.5)) for one in new]),
        ]
    for place, correct in right.items():
        leaf = ids[tuple(paths[place])]
        answer = None if correct is None else "9" if correct else "8"
        summary = paths[place][-1] if paths[place] else ""
        log += [ev.Judged(leaf, "end", "text"), ev.Answered(leaf, answer, correct, summary)]
    return [*log, ev.IterationFinished(1, ev.Cost())]


def small_tree() -> Tree:
    """Two branches after a common step, one right and one wrong, and one unfinished.

    Ids: 1 the common step, 2 the unfinished one; 3 and 4 below 1; 5 (right) below 3, 6 (wrong)
    below 4. By Eq. 1-2: v = 1/3, -, 2/3, 1/9, 1, 0.
    """
    return Tree.fold(small_log())


def small_log() -> list[ev.Event]:
    """The log of `small_tree`."""
    return log_of(
        [
            ["2 + 3 = 5\n", "5 + 4 = 9\n", "Answer: 9\n"],
            ["2 + 3 = 5\n", "5 + 4 = 8\n", "Answer: 8\n"],
            ["Hm.\n"],
        ],
        {0: True, 1: False},
        {"5 + 4 = 9\n": 0.8, "5 + 4 = 8\n": 0.3, "Answer: 9\n": 0.9, "Answer: 8\n": 0.2},
    )
