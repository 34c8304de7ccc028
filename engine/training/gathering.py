"""Examples out of searched trees: what the policy imitates or prefers, which values are learnt.

Pure functions of a tree and its rewards; see `engine.rewards` for the rewards, and
`engine.exports` for what counts as a right solution and for which sibling is the better one.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations

from engine.exports.labels import LabelledTree
from engine.exports.pairs import pairs
from engine.exports.rows import Row, RowSettings
from engine.rewards.rows import Reward
from engine.search.answers import answer_groups
from engine.tasks.same import comparison_for
from engine.training.examples import Example, Pair, Solution, Source, Valued
from engine.training.recipes import PolicyPart, PrmPart, Score
from engine.tree import Node, Tree

_UNLIMITED = 2**31


def policy_examples(found: LabelledTree, session: str, part: PolicyPart) -> list[Example]:
    """What a tree gives a policy to learn, by a recipe; `session` is whose tree it is."""
    if part.examples == "solutions":
        return [*solutions(found, session, part.least_value, part.most)]
    if part.examples == "steps":
        return [*weighted_steps(found, session, part.by)]
    if part.examples == "own_pairs":
        return [*own_pairs(found.tree, session, part.margin, part.most)]
    return [*step_pairs(found, session, part.by, part.margin, part.most)]


def prm_examples(found: LabelledTree, session: str, part: PrmPart) -> list[Example]:
    """What a tree gives a process reward model to learn, by a recipe."""
    if part.loss == "ranking":
        return [*step_pairs(found, session, part.by, part.margin, part.most)]
    return [*valued(found, session)]


def solutions(
    found: LabelledTree, session: str, least_value: float = 0.0, most: int | None = None
) -> list[Solution]:
    """The distinct right solutions of a tree, best first.

    Args:
        found: the tree.
        session: whose tree it is.
        least_value: lowest value that the PRM gave to a finished solution: a filter of false
            positives. (Before its end even a right one is worth little by Eq. 1-2.)
        most: at most so many of a tree, so that easy questions do not outweigh hard ones.
    """
    tree = found.tree
    right = [trace for trace in found.traces if trace.correct]
    kept = [trace for trace in right if _value(tree, trace.leaf) >= least_value]
    kept.sort(key=lambda trace: (-trace.value, trace.leaf))
    distinct = {trace.steps: trace for trace in reversed(kept)}
    chosen = [trace for trace in kept if distinct[trace.steps] is trace][:most]
    return [
        Solution(tree.question, trace.steps, source=Source(session, trace.leaf), date=tree.date)
        for trace in chosen
    ]


def _value(tree: Tree, leaf: int) -> float:
    """What the PRM said of a finished solution; 1 where it was not asked."""
    value = tree.node(leaf).prm_value
    return 1.0 if value is None else value


def weighted_steps(found: LabelledTree, session: str, by: Score = "q") -> list[Solution]:
    """The steps of a tree, each with its relative correctness as weight (arXiv 2501.01478).

    A step is as correct as the share of right solutions below it, or as its V, which is the share
    of right roll-outs where the oracle scored them (`uct`); relative to the mean of its siblings,
    so that a step that does as its siblings weighs 1 and one below which everything is wrong 0.
    Steps without siblings, and those whose siblings all do the same, tell nothing and are left out,
    as are steps with weight 0.

    Args:
        found: the tree.
        session: whose tree it is.
        by: `q` for the share, `value` for V.
    """
    tree = found.tree
    shares = _values(found) if by == "value" else _shares(found)
    examples = []
    for parent in tree.depth_first():
        below = {i: shares[i] for i in _distinct(tree, parent) if i in shares}
        if len(set(below.values())) < 2:
            continue
        mean = sum(below.values()) / len(below)
        for node, share in below.items():
            if share > 0:
                examples.append(
                    Solution(
                        tree.question,
                        tree.steps(node),
                        finished=_is_solution(tree.node(node)),
                        given=parent.depth,
                        weight=share / mean,
                        source=Source(session, node),
                        date=tree.date,
                    )
                )
    return examples


def _shares(found: LabelledTree) -> dict[int, float]:
    return {row.node: row.value for row in found.rewards("soft").rows}


def _values(found: LabelledTree) -> dict[int, float]:
    """V of the steps that something was backed up to and that a person does not call unclear."""
    seen = (node for node in found.tree.nodes if node.visits and node.mark != "unclear")
    return {node.id: found.values[node.id].value for node in seen if node.id in found.values}


def _distinct(tree: Tree, parent: Node) -> list[int]:
    """Its children, of those with equal steps the first."""
    first: dict[str, int] = {}
    for child in parent.children:
        first.setdefault(tree.node(child).step, child)
    return list(first.values())


def _is_solution(node: Node) -> bool:
    return node.finished and not node.expanded and node.answer is not None


def step_pairs(
    found: LabelledTree, session: str, by: str, margin: float, most: int | None
) -> list[Pair]:
    """Sibling steps of which one is better; see `engine.exports.pairs`.

    Args:
        found: the tree.
        session: whose tree it is.
        by: what is compared.
        margin: by how much it differs at least.
        most: pairs of the children of one node.
    """
    tree = found.tree
    settings = RowSettings(method=found.method, by=by, margin=margin, most_pairs=most or _UNLIMITED)
    return [
        Pair(
            tree.question,
            tree.steps(row.node)[:-1],
            (tree.node(row.node).step,),
            (row.data["worse"],),
            source=Source(session, row.node),
            date=tree.date,
        )
        for row in pairs(found, settings)
        if isinstance(row, Row)
    ]


def own_pairs(tree: Tree, session: str, margin: float, most: int | None) -> list[Pair]:
    """Pairs of solutions of which the policy itself finds one better (after arXiv 2401.10020).

    There a large model grades its replies in words, which a small one cannot. Here the policy says
    what it believes by what it samples: a solution scores the share of all its solutions that come
    to the same answer. Neither the right answer nor the process reward model is asked.

    Args:
        tree: of independent samples.
        session: whose tree it is.
        margin: by how much the scores differ at least.
        most: at most so many, those that differ most first.
    """
    scores = _own_scores(tree)
    distinct: dict[tuple[str, ...], int] = {}
    for leaf in scores:
        distinct.setdefault(tree.steps(leaf), leaf)
    found = []
    for one, other in combinations(distinct.values(), 2):
        better, worse = sorted((one, other), key=lambda leaf: -scores[leaf])
        gap = scores[better] - scores[worse]
        if gap > 0 and gap >= margin:
            found.append((-gap, better, worse))
    found.sort(key=lambda pair: pair[0])
    chosen, used = [], set[int]()
    for _, better, worse in found:
        # Each solution once, so that a few do not make all pairs of a question.
        if not used & {better, worse}:
            used |= {better, worse}
            chosen.append((better, worse))
    return [
        Pair(
            tree.question,
            (),
            tree.steps(better),
            tree.steps(worse),
            finished=True,
            source=Source(session, better),
            date=tree.date,
        )
        for better, worse in chosen[:most]
    ]


def _own_scores(tree: Tree) -> Mapping[int, float]:
    """Share of the finished solutions with the same answer, by leaf."""
    ends = [tree.node(leaf) for leaf in tree.ends if tree.node(leaf).answer is not None]
    by = comparison_for(tree.gold)
    votes = {text: group.count for group in answer_groups(ends, by=by) for text in group.spellings}
    return {leaf.id: votes[leaf.answer or ""] / len(ends) for leaf in ends}


def valued(found: LabelledTree, session: str) -> list[Valued]:
    """The values that a tree's rewards give, every node once, along as few texts as possible."""
    tree = found.tree
    rewards = {row.node: row.value for row in found.targets if row.parent is not None}
    examples = []
    done: set[int] = set()
    for leaf in _ends(tree, found.targets):
        path = tree.path(leaf)[1:]
        values = tuple(None if i in done else rewards.get(i) for i in path)
        if any(value is not None for value in values):
            source = Source(session, leaf)
            examples.append(Valued(tree.question, tree.steps(leaf), values, source, tree.date))
        done.update(path)
    return examples


def _ends(tree: Tree, rows: Iterable[Reward]) -> list[int]:
    """The nodes among the rows that no other row lies below, the deepest first."""
    nodes = {row.node for row in rows}
    inner = {tree.node(node).parent for node in nodes}
    return sorted(nodes - inner, key=lambda node: (-tree.node(node).depth, node))
