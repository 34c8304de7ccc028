"""What sampling and beam search share: growing many partial solutions by one step at a time."""

from engine import events as ev
from engine.search.answers import AnswerGroup, answer_groups, best_solution, concluded
from engine.search.asking import judge, look_for_answers, no_step
from engine.search.requests import (
    Branching,
    Evaluate,
    Part,
    Proposal,
    Proposals,
    Script,
    propose,
)
from engine.tasks.same import comparison_for
from engine.tree import Tree


def open_nodes(tree: Tree) -> list[int]:
    """Ids, in creation order, of the unfinished solutions that are still to grow."""
    return sorted(tree.growing)


def finished(tree: Tree) -> list[int]:
    """Ids, depth-first, of the finished solutions, dead ends included."""
    return list(tree.ends)


def beam_slots(tree: Tree, width: int, branch: int) -> dict[int, tuple[int, ...]]:
    """What a beam asks for below each open node: at the root as much as below a full beam later."""
    return {node: tuple(range(branch if node else width * branch)) for node in open_nodes(tree)}


def grow(
    tree: Tree,
    slots: dict[int, tuple[int, ...]],
    attempts: int,
    distinct: bool,
    more: bool = False,
) -> Part[list[int]]:
    """Give every node of `slots` one child per slot, all in one request; ids of the new nodes.

    distinct: merge equal texts below a node. Otherwise each stays a node of its own: it stands for
    a sample, and votes count samples.

    more: a node without a child now is no dead end, because it is asked again.
    """
    branchings = [Branching(tree.steps(node), wanted) for node, wanted in slots.items()]
    replies = yield from propose(tree, branchings, attempts)
    new: list[int] = []
    for node, proposals in zip(slots, replies, strict=True):
        children = _new_nodes(len(tree.nodes), proposals, distinct)
        texts = [item.step for item in proposals.accepted]
        status: ev.ExpansionStatus = "expanded" if children or more else "end_no_proposals"
        yield ev.Expanded(node, status, children, texts, proposals.rejected)
        if not children and not more:
            yield no_step(node, proposals)
        new += [child.id for child in children]
    return new


def _new_nodes(first: int, proposals: Proposals, distinct: bool) -> list[ev.NewNode]:
    kept: list[Proposal] = []
    seen: set[str] = set()
    for item in proposals.accepted:
        if not distinct or item.step not in seen:
            seen.add(item.step)
            kept.append(item)
    return [item.node(first + i) for i, item in enumerate(kept)]


def keep_best(
    tree: Tree, new: list[int], width: int, finished_take_places: bool, max_depth: int
) -> Script:
    """Give up all new nodes but the `width` best; finished ones need no place unless they take
    one, and those of the largest depth go no further.
    """
    rivals = [i for i in new if finished_take_places or not tree.node(i).finished]
    # sorted() is stable: equal values keep the order of creation.
    kept = set(sorted(rivals, key=lambda i: -tree.node(i).value)[:width])
    dropped = [i for i in rivals if i not in kept or tree.node(i).depth >= max_depth]
    if dropped:
        yield ev.Exhausted(dropped)


def evaluate(tree: Tree, nodes: list[int]) -> Part[None]:
    """Let the PRM value nodes."""
    if nodes:
        values = yield Evaluate(tuple(tree.steps(i) for i in nodes))
        yield ev.Evaluated([ev.NodeValue(i, v) for i, v in zip(nodes, values, strict=True)])


def judge_and_answer(tree: Tree, nodes: list[int]) -> Part[None]:
    """Ask the self-critic about new nodes and read the answers of the finished ones."""
    yield from judge(tree, nodes)
    yield from look_for_answers(tree, [i for i in nodes if tree.node(i).finished])


def groups(tree: Tree, params: object) -> list[AnswerGroup]:
    """The answers found so far, by the sum of their V."""
    return answer_groups(map(tree.node, finished(tree)), by=comparison_for(tree.gold))


def conclude(tree: Tree, choice: str, reason: ev.StopReason) -> Script:
    """Choose the answer of the finished solution of the largest V, or by value-weighted vote."""
    yield from conclude_from(tree, finished(tree), choice, reason)


def conclude_from(tree: Tree, ends: list[int], choice: str, reason: ev.StopReason) -> Script:
    """The same with the finished solutions that count."""
    yield from look_for_answers(tree, ends)
    leaves = [tree.node(end) for end in ends]
    best = best_solution(leaves)
    first = 0 if best is None else best.id
    found = answer_groups(leaves, by=comparison_for(tree.gold))
    yield concluded(reason, first, found, choice == "vote")
