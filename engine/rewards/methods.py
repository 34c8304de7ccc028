"""Every way to turn a finished tree into rewards, behind one function: `infer`.

A method is a pure function of the tree: the same tree gives the same rows. docs/rewards.md tells
what each one estimates and how a person's verdicts enter.
"""

from collections.abc import Callable, Mapping

import msgspec

from engine.errors import ParameterError
from engine.rewards import blame
from engine.rewards.evidence import Answerless, Evidence, leaf_verdicts, none_correct
from engine.rewards.inferred import (
    Rollouts,
    ValueTarget,
    hard,
    progress,
    quality,
    rollouts_of,
    soft,
)
from engine.rewards.rows import Reward, Rewards, Why
from engine.search.answers import best_value
from engine.tree import Tree

NO_ROLLOUTS: Rollouts = {}


class Method(msgspec.Struct, frozen=True):
    """A way to infer rewards.

    Attributes:
        name, title, summary: for commands and pages.
        answerless: what becomes of finished leaves without an answer.
        rows: makes the rows.
        trains_root: whether the empty solution is a training target, too.
    """

    name: str
    title: str
    summary: str
    answerless: Answerless
    rows: Callable[[str, Evidence, Rollouts], list[Reward]]
    trains_root: bool = False


def infer(
    tree: Tree,
    method: str = "paper",
    verdicts: Mapping[int, bool] | None = None,
    rollouts: Rollouts = NO_ROLLOUTS,
) -> Rewards:
    """The rewards of a tree; the tree is not changed.

    Args:
        tree: a searched tree, finished or not.
        method: name, see `METHODS`.
        verdicts: finished leaf -> correct, in place of the tree's own verdicts.
        rollouts: extra roll-outs for `hard` and `soft`; other methods have no use for them.

    Raises:
        ParameterError: there is no such method, or the tree's algorithm is unknown.
        EventError: a roll-out or a verdict names a node that is not there.
    """
    if method not in METHODS:
        raise ParameterError(f"There is no method {method!r}. Known are: {', '.join(METHODS)}.")
    kind = METHODS[method]
    for node in (*(verdicts or {}), *rollouts):
        tree.node(node)

    def evidence_of(by_person: bool) -> Evidence:
        given = verdicts
        if given is None:
            given = leaf_verdicts(tree, kind.answerless, by_person)
        return Evidence(tree, given, by_person)

    evidence = evidence_of(by_person=True)
    rows = kind.rows(method, evidence, rollouts_of(evidence, rollouts))
    if _judged(tree):
        plain = evidence_of(by_person=False)
        rows = _with_touched(rows, kind.rows(method, plain, rollouts_of(plain, rollouts)))
    empty = "" if rows else _why_empty(evidence)
    return Rewards(method, tuple(rows), empty, evidence.unused({r.node for r in rows}, empty))


def targets(tree: Tree, rewards: Rewards) -> list[ValueTarget]:
    """The training targets among the rows: one per partial solution, the empty one only where the
    method says so.
    """
    keeps_root = METHODS[rewards.method].trains_root
    return [
        ValueTarget(row.node, "".join(tree.steps(row.node)), row.value)
        for row in rewards.rows
        if row.same_as is None and (row.parent is not None or keeps_root)
    ]


def _judged(tree: Tree) -> bool:
    """Whether a person has given any verdict that may change a number."""
    return any(
        node.mark in ("right", "wrong") or node.regraded is not None or node.overruled is not None
        for node in tree.nodes
    )


def _with_touched(rows: list[Reward], plain: list[Reward]) -> list[Reward]:
    """The rows; touched are also those that differ from what they are without any verdict."""
    before = {row.node: row for row in plain}
    return [
        msgspec.structs.replace(row, touched=row.touched or row.differs(before.get(row.node)))
        for row in rows
    ]


def _why_empty(evidence: Evidence) -> str:
    nodes = evidence.tree.nodes
    pruned = sum(n.hidden and n.finished and n.answer is not None for n in nodes)
    are = f"{pruned:,} {'is' if pruned == 1 else 'are'} pruned"
    if not evidence.accepted and pruned:
        return f"No finished solution whose answer was judged is left: {are}."
    if not evidence.accepted:
        return "There is no finished solution whose answer was judged."
    if not evidence.distance:
        return f"{none_correct(len(evidence.accepted))}{f'; {are}' if pruned else ''}."
    return "The chosen node is the root."


def _quality_rows(method: str, evidence: Evidence, rollouts: Rollouts) -> list[Reward]:
    labels = quality(evidence)
    rows = []
    for node, label in labels.items():
        parent = evidence.tree.node(node).parent
        above = None if parent is None else labels[parent]
        row = _row(method, evidence, node, label.value, blame.quality(evidence, node, label, above))
        rows.append(
            msgspec.structs.replace(
                row,
                m=label.distance - 1,
                r=int(not label.right),
                w=above and label.weighted,
                parent_value=above and above.value,
                touched=label.touched,
            )
        )
    return rows


def _hard_rows(method: str, evidence: Evidence, rollouts: Rollouts) -> list[Reward]:
    rows = []
    for node, found in hard(evidence, rollouts).items():
        why = blame.hard(evidence, node, found, rollouts)
        row = _row(method, evidence, node, found.value, why, found.touched, rollouts)
        rows.append(msgspec.structs.replace(row, r=int(not found.inferred)))
    return rows


def _soft_rows(method: str, evidence: Evidence, rollouts: Rollouts) -> list[Reward]:
    rows = []
    for node, found in soft(evidence, rollouts).items():
        why = blame.soft(evidence, node, found, rollouts)
        rows.append(_row(method, evidence, node, found.value, why, found.touched, rollouts))
    return rows


def _progress_rows(method: str, evidence: Evidence, rollouts: Rollouts) -> list[Reward]:
    tree = evidence.tree
    chosen = tree.best
    if chosen is None or tree.node(chosen).hidden:
        chosen = best_value(tree, evidence.by_person)
    rows = []
    for node, found in progress(evidence, chosen).items():
        why = blame.progress(evidence, node, found, chosen)
        rows.append(_row(method, evidence, node, found.value, why, found.touched))
    return rows


def _row(
    method: str,
    evidence: Evidence,
    node: int,
    value: float,
    why: Why,
    touched: bool = False,
    rollouts: Rollouts = NO_ROLLOUTS,
) -> Reward:
    leaves, first = evidence.leaves(node), evidence.same[node]
    own = rollouts.get(first, ())
    return Reward(
        node=node,
        parent=evidence.tree.node(node).parent,
        method=method,
        value=value,
        m=None,
        r=None,
        w=None,
        parent_value=None,
        right=tuple(leaf for leaf in leaves if evidence.counts_right(leaf)),
        wrong=tuple(leaf for leaf in leaves if not evidence.counts_right(leaf)),
        false_positives=evidence.false_positives(node),
        rollouts=(sum(own), len(own)),
        touched=touched,
        mark=evidence.mark.get(first, ""),
        same_as=None if first == node else first,
        why=why,
    )


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "paper",
            "Quality value v",
            "Eq. 1-2 of the paper; branches that reach no answer are left out.",
            "pruned",
            _quality_rows,
        ),
        Method(
            "reference",
            "Quality value v, as the reference implementation has it",
            "Eq. 1-2; dead ends and solutions without an answer count as wrong leaves.",
            "wrong",
            _quality_rows,
        ),
        Method(
            "hard",
            "Hard estimate",
            "1 if any completion below is correct, else 0 (Math-Shepherd).",
            "wrong",
            _hard_rows,
            trains_root=True,
        ),
        Method(
            "soft",
            "Soft estimate",
            "Share of the completions below that are correct (Math-Shepherd).",
            "wrong",
            _soft_rows,
            trains_root=True,
        ),
        Method(
            "progress",
            "Progress",
            "Depth on the way to the chosen node, right or wrong (the reference's simple search).",
            "wrong",
            _progress_rows,
        ),
    )
}
