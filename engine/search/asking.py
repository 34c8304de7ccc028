"""What every algorithm asks about nodes, and the events that record the replies."""

from collections.abc import Sequence

from engine import events as ev
from engine.models.base import Steps
from engine.search.requests import Judge, Part, Proposal, Proposals, Summarise
from engine.tree import Tree


def judge(tree: Tree, nodes: list[int]) -> Part[None]:
    """Ask the self-critic about the nodes whose verdict is unknown.

    A node after which the model ended its turn is finished; nobody need be asked.
    """
    unknown = [i for i in nodes if tree.node(i).verdict == "unknown"]
    if 0 in unknown:  # nothing is written yet, so there is nothing to ask
        yield ev.Judged(0, "continue", "text")
        unknown.remove(0)
    for identifier in unknown:
        if (end := tree.node(identifier).end) is not None:
            yield ev.Judged(identifier, "end", "turn", end)
    unknown = [i for i in unknown if tree.node(i).end is None]
    if not unknown:
        return
    replies = yield Judge(tuple(tree.steps(i) for i in unknown))
    for identifier, reply in zip(unknown, replies, strict=True):
        yield ev.Judged(identifier, reply.verdict, reply.source, reply.probability, reply.analysis)


def verdicts(proposed: Sequence[tuple[Steps, Proposal]]) -> Part[list[ev.Verdict]]:
    """Verdicts on solutions that are no nodes, each with the proposal of its last step."""
    asked = tuple(steps for steps, last in proposed if last.end is None)
    replies = iter((yield Judge(asked)) if asked else [])
    return [next(replies).verdict if last.end is None else "end" for _, last in proposed]


def no_step(node: int, found: Proposals) -> ev.Judged:
    """A node below which nothing came: the model has ended its turn there, or it is a dead end."""
    if found.end is not None:
        return ev.Judged(node, "end", "turn", found.end)
    return ev.Judged(node, "end", "dead_end")


def look_for_answers(tree: Tree, nodes: list[int]) -> Part[None]:
    """Read the final answers of nodes that have not been asked yet.

    No reply at all means that there are no tokens left for reading: the answers stay unknown.
    """
    open_nodes = [i for i in dict.fromkeys(nodes) if not tree.node(i).answered]
    if not open_nodes:
        return
    replies = yield Summarise(tuple(tree.steps(i) for i in open_nodes))
    if replies is None:
        return
    for identifier, reply in zip(open_nodes, replies, strict=True):
        yield ev.Answered(identifier, reply.answer, reply.correct, reply.summary)
