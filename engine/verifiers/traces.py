"""Finished solutions as verifiers see them, whatever made them."""

import msgspec

from engine.tasks.same import Comparison, comparison_for
from engine.tree import Tree


class Trace(msgspec.Struct, frozen=True):
    """A finished solution.

    Attributes:
        question: problem text.
        steps: each with its closing mark.
        answer: its final answer as extracted, None if it has none.
        values: a process reward model's value in [0, 1] after each step, None where not known.
        correct: whether the answer is right, None where not known.
        compared: how answers to the problem are compared.
        date: the day of its search, as in the log, "" for none; a chat template may write it.
    """

    question: str
    steps: tuple[str, ...]
    answer: str | None = None
    values: tuple[float, ...] | None = None
    correct: bool | None = None
    compared: Comparison = "value"
    date: str = ""

    @property
    def text(self) -> tuple[str, tuple[str, ...], str]:
        """What a model is shown of it: question and steps, on its day."""
        return self.question, self.steps, self.date


def trace_of(tree: Tree, node: int) -> Trace:
    """The solution that ends in a node of a tree, with the values that the search was given.

    Raises:
        EventError: there is no such node.
    """
    leaf = tree.node(node)
    values = [tree.node(i).prm_value for i in tree.path(node)[1:]]
    known = tuple(value for value in values if value is not None)
    return Trace(
        tree.question,
        tree.steps(node),
        leaf.answer,
        known if len(known) == len(values) else None,
        leaf.accepted,
        comparison_for(tree.gold),
        tree.date,
    )
