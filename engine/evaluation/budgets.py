"""What a search would have answered within fewer tokens, read from its log.

A budget counts tokens sampled by the policy. It is cut exactly as the driver cuts it: an iteration
that would pass it does not count, so that no method overspends.
"""

from collections.abc import Sequence

import msgspec

from engine import events as ev
from engine.evaluation.contenders import Contender
from engine.search.answers import AnswerGroup, answer_groups, best_solution
from engine.search.parameters import Parameters
from engine.search.registry import Algorithm, algorithm, params_of
from engine.search.sampling import solution_score
from engine.search.ties import by_vote, tie
from engine.tasks.same import comparison_for
from engine.tree import Node, Tree


class Outcome(msgspec.Struct, frozen=True):
    """What a search came to within a budget.

    Attributes:
        answer: None without one.
        right: by the oracle; an answer is missing is wrong.
        policy_tokens, prm_tokens, seconds: spent until there.
        iterations: finished within it.
        samples: finished solutions, those without an answer too.
        right_samples: those with the right answer.
        answers: of each different answer how many solutions have it, and whether it is right, the
            commonest first.
        failed: the search was ended by an error; that is no right answer.
        tie: what shares the first place with the answer, in words; "" if nothing does.
    """

    answer: str | None
    right: bool
    policy_tokens: int
    prm_tokens: int
    seconds: float
    iterations: int
    samples: int
    right_samples: int
    answers: tuple[tuple[int, bool], ...] = ()
    failed: bool = False
    tie: str = ""


def outcomes(log: Sequence[ev.Event], method: Contender, budgets: Sequence[int]) -> list[Outcome]:
    """The outcome of one search at each budget.

    Args:
        log: of a search that went to the largest budget, or to its end.
        method: how it searched, and how its answer is read.
        budgets: policy tokens, rising.
    """
    return readings(log, [method], budgets)[0]


def readings(
    log: Sequence[ev.Event], methods: Sequence[Contender], budgets: Sequence[int]
) -> list[list[Outcome]]:
    """The outcomes of one search in several ways of reading it: for each method, at each budget."""
    tree, found, left = Tree(), list[list[Outcome]](), list(budgets)
    for group in _iterations(log):
        before = tree.cost.policy_generated
        spent = before + _spent(group)
        begins = isinstance(group[0], ev.IterationStarted)
        while left and (spent > left[0] or (begins and before >= left[0])):
            found.append([_outcome(tree, method) for method in methods])
            left.pop(0)
        if not left:
            break
        for event in group:
            tree.apply(event)
    if left:
        found += [[_outcome(tree, method) for method in methods]] * len(left)
    return [[at[number] for at in found] for number in range(len(methods))]


def failure(budget: int, tokens: int) -> Outcome:
    """Of a search that an error ended: wrong at every budget. tokens: it had sampled."""
    return Outcome(None, False, min(budget, tokens), 0, 0.0, 0, 0, 0, failed=True)


def _iterations(log: Sequence[ev.Event]) -> list[list[ev.Event]]:
    """The events in pieces that are paid for together: the creation, each finished iteration, each
    conclusion with the answers that were read for it.
    """
    groups, ended = list[list[ev.Event]](), True
    for event in log:
        if ended or isinstance(event, ev.IterationStarted):
            groups.append([])
        groups[-1].append(event)
        ended = isinstance(event, ev.SearchCreated | ev.IterationFinished | ev.Concluded)
    return groups


def _spent(group: Sequence[ev.Event]) -> int:
    """Policy tokens of such a piece."""
    paid = (e for e in group if isinstance(e, ev.IterationFinished | ev.Concluded))
    return sum(event.cost.policy_generated for event in paid)


def _outcome(tree: Tree, method: Contender) -> Outcome:
    kind = algorithm(tree.algorithm)
    params = params_of(tree)
    leaves = [tree.node(i) for i in kind.end_leaves(tree, params)]
    chosen, voted = _chosen(tree, method, kind, params, leaves)
    level = tie(voted, chosen.answer) if chosen is not None else None
    found = answer_groups(leaves, {leaf.id: 1.0 for leaf in leaves}, comparison_for(tree.gold))
    return Outcome(
        answer=None if chosen is None else chosen.answer,
        right=chosen is not None and chosen.accepted is True,
        policy_tokens=tree.cost.policy_generated,
        prm_tokens=tree.cost.prm_unique,
        seconds=tree.cost.seconds,
        iterations=tree.iteration,
        samples=len(leaves),
        right_samples=sum(leaf.accepted is True for leaf in leaves),
        answers=tuple((group.count, group.correct is True) for group in found),
        tie="" if level is None else level.words,
    )


def _chosen(
    tree: Tree, method: Contender, kind: Algorithm, params: Parameters, leaves: list[Node]
) -> tuple[Node | None, list[AnswerGroup]]:
    """The solution that answers: for samples by the method's reading, else as the search itself
    would conclude if it ended here (it cannot read another answer any more). With it the answers
    that were voted for, [] where there is no vote.
    """
    if method.kind != "samples":
        ended = kind.conclude(tree, params, "tokens")
        chosen = next(event.chosen for event in ended if isinstance(event, ev.Concluded))
        voted = kind.groups(tree, params) if by_vote(params) else []
        return tree.node(chosen), voted
    answered = [leaf for leaf in leaves if leaf.answer is not None]
    if not answered:
        return None, []
    scores = {leaf.id: solution_score(tree, leaf, method.aggregate) for leaf in answered}
    if method.reading == "best":
        return best_solution(answered, scores), []
    weights = dict.fromkeys(scores, 1.0) if method.reading == "majority" else scores
    voted = answer_groups(answered, weights, comparison_for(tree.gold))
    return tree.node(voted[0].best), voted
