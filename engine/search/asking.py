"""What every algorithm asks about nodes, and the events that record the replies."""

from engine import events as ev
from engine.search.requests import Judge, Part, Summarise
from engine.tree import Tree


def judge(tree: Tree, nodes: list[int]) -> Part[None]:
    """Ask the self-critic about the nodes whose verdict is unknown."""
    unknown = [i for i in nodes if tree.node(i).verdict == "unknown"]
    if 0 in unknown:  # nothing is written yet, so there is nothing to ask
        yield ev.Judged(0, "continue", "text")
        unknown.remove(0)
    if not unknown:
        return
    replies = yield Judge(tuple(tree.steps(i) for i in unknown))
    for identifier, reply in zip(unknown, replies, strict=True):
        yield ev.Judged(identifier, reply.verdict, reply.source, reply.probability, reply.analysis)


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
