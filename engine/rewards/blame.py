"""Why a row has its numbers: the formula with the numbers in, and a sentence.

Words are made of node ids, counts and numbers only; nothing a model or a person wrote gets in.
"""

from engine.rewards.evidence import Evidence, none_correct
from engine.rewards.inferred import Estimate, Label, Rollouts
from engine.rewards.rows import Why

_QUALITY = "v = max(v_parent + w, 0) with w = (1 − v_parent) / (m + 1) · (1 − 2·r)"
_HARD = "1 if any completion is correct, else 0"
_SOFT = "correct completions / completions"


def quality(evidence: Evidence, node: int, label: Label, above: Label | None) -> Why:
    """Why v is what it is; `above` is the parent's label, None for the root."""
    node = evidence.same[node]
    m, r = label.distance - 1, int(not label.right)
    if above is None:
        nearest = evidence.nearest[node]
        words = [
            f"The empty solution has v = 0 by definition; a correct answer (node {nearest}) is "
            f"{_count(m, 'step')} away.",
            *_luck(evidence, node),
        ]
        return Why("v = 0", "v = 0", {"v": 0.0, "m": m}, " ".join(words), nearest, node)
    parent, found = _number(above.value), _number(label.inferred)
    worked = f"v = max({parent} + (1 − {parent}) / ({m} + 1) · (1 − 2·{r}), 0) = {found}"
    words = [_quality_words(evidence, node, label), *_luck(evidence, node), *_override(label)]
    return Why(
        _QUALITY,
        worked,
        {"v_parent": above.value, "m": m, "r": r, "w": label.weighted, "v": label.inferred},
        " ".join(words),
        evidence.nearest.get(label.distance_from),
        label.distance_from,
        evidence.wrong_by.get(node),
        node in evidence.overruled,
    )


def _quality_words(evidence: Evidence, node: int, label: Label) -> str:
    m = label.distance - 1
    if node in evidence.distance:
        return (
            f"A correct answer (node {evidence.nearest[node]}) is {_count(m, 'step')} away, so the "
            f"step is right (r = 0) and m = {m}."
        )
    if label.right:
        return (
            "A person marked the step right (r = 0), though no correct answer is known below it; "
            f"m = {m} is one less than its parent's, and at least 1."
        )
    return (
        f"{_wrong_reason(evidence, node)}, so the step is wrong (r = 1); m = {m} is that of node "
        f"{label.distance_from}, the nearest step before it that has one."
    )


def hard(evidence: Evidence, node: int, found: Estimate, rollouts: Rollouts) -> Why:
    """Why a hard estimate is what it is."""
    node = evidence.same[node]
    correct, total = _completions(evidence, node)
    own = rollouts.get(node, ())
    words = [_tally(evidence, node, rollouts)]
    if node in evidence.wrong_by:
        words = [f"{_wrong_reason(evidence, node)}."]
    elif evidence.protected(node) and not correct:
        words.append("A person marked the step right.")
    elif found.inferred and not correct and not any(own):
        words.append("A roll-out from further down ended correctly.")
    numbers = {"correct": correct, "total": total, "rollouts": len(own), "rollouts_ok": sum(own)}
    worked = f"{_number(found.inferred)}"
    return _estimated(evidence, node, found, (_HARD, worked), numbers, words)


def soft(evidence: Evidence, node: int, found: Estimate, rollouts: Rollouts) -> Why:
    """Why a soft estimate is what it is."""
    node = evidence.same[node]
    own, wrong = rollouts.get(node), node in evidence.wrong_by
    correct, total = (sum(own), len(own)) if own else _completions(evidence, node)
    correct = 0 if wrong else correct
    words = [f"{_wrong_reason(evidence, node)}." if wrong else _tally(evidence, node, rollouts)]
    if own and not wrong:
        words.append("Where there are roll-outs, they alone count.")
    worked = f"{correct} / {total} = {_number(found.inferred)}" if total else "0"
    numbers = {"correct": correct, "total": total}
    return _estimated(evidence, node, found, (_SOFT, worked), numbers, words)


def progress(evidence: Evidence, node: int, found: Estimate, chosen: int) -> Why:
    """Why a progress label is what it is."""
    tree = evidence.tree
    depth, total = tree.node(node).depth, tree.node(chosen).depth
    on_the_way = node in tree.path(chosen)
    formula = "depth / D" if on_the_way else "max(depth − 2, 0) / D"
    steps = depth if on_the_way else max(depth - 2, 0)
    worked = f"{steps} / {total} = {_number(steps / total)}"
    place = "on" if on_the_way else "beside"
    words = [f"Its step is number {depth}, {place} the way to node {chosen} at depth {total}."]
    first = evidence.same[node]
    if first in evidence.wrong_by:
        worked, words = "0", [f"{_wrong_reason(evidence, first)}."]
    numbers = {"depth": depth, "D": total}
    return _estimated(evidence, first, found, (formula, worked), numbers, words)


def _estimated(
    evidence: Evidence,
    node: int,
    found: Estimate,
    formula: tuple[str, str],
    numbers: dict[str, int],
    words: list[str],
) -> Why:
    return Why(
        *formula,
        {**numbers, "estimate": found.inferred},
        " ".join([*words, *_luck(evidence, node), *_override(found)]),
        evidence.nearest.get(node),
        None,
        evidence.wrong_by.get(node),
        node in evidence.overruled,
    )


def _completions(evidence: Evidence, node: int) -> tuple[int, int]:
    """How many of the finished leaves at or below count as right, and how many there are."""
    leaves = evidence.leaves(node)
    return sum(map(evidence.counts_right, leaves)), len(leaves)


def _tally(evidence: Evidence, node: int, rollouts: Rollouts) -> str:
    correct, total = _completions(evidence, node)
    words = f"Finished solutions at or below: {total}, correct: {correct}."
    own = rollouts.get(node)
    return f"{words} Roll-outs from here: {len(own)}, correct: {sum(own)}." if own else words


def _wrong_reason(evidence: Evidence, node: int) -> str:
    by = evidence.wrong_by.get(node)
    if by is None:
        return none_correct(len(evidence.leaves(node)))
    return "A person marked the step wrong" if by == node else f"A person marked node {by} wrong"


def _luck(evidence: Evidence, node: int) -> list[str]:
    lucky = evidence.false_positives(node)
    if not lucky:
        return []
    nodes = ", ".join(map(str, lucky))
    return [f"A false positive (correct answer, but a wrong step on its way): node {nodes}."]


def _override(found: Label | Estimate) -> list[str]:
    if found.overruled is None:
        return []
    return [
        f"A person overruled the value: {_number(found.value)} instead of "
        f"{_number(found.inferred)}."
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _number(value: float) -> str:
    return f"{value:.4g}"
