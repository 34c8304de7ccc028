"""Preference pairs: of two steps after the same steps, which is the better one."""

from collections.abc import Iterator, Mapping
from itertools import combinations

import msgspec

from engine.exports.labels import LabelledTree, Valued
from engine.exports.rows import UNCLEAR, Found, Reject, Row, RowSettings, prompt, reply

CLOSE = "siblings whose scores do not differ enough"
LOW_PAIR = "value of the better step below the limit"
MANY = "more pairs of one node than asked for"


class _Pair(msgspec.Struct, frozen=True):
    parent: int
    better: int
    worse: int
    high: float
    low: float
    touched: bool


def pairs(found: LabelledTree, settings: RowSettings) -> Found:
    """`{content, steps, better, worse, better_score, worse_score, by}`."""
    tree = found.tree
    for pair in _pairs(found, settings):
        if isinstance(pair, Reject):
            yield pair
            continue
        data = {
            "content": tree.question,
            "steps": "".join(tree.steps(pair.parent)),
            "better": tree.node(pair.better).step,
            "worse": tree.node(pair.worse).step,
            "better_score": pair.high,
            "worse_score": pair.low,
            "by": settings.by,
        }
        yield Row(data, _about(found, pair), pair.better, pair.touched)


def preference(found: LabelledTree, settings: RowSettings) -> Found:
    """TRL's `{prompt, chosen, rejected}`.

    Plain: the steps before belong to the prompt. As messages they begin both replies, since a
    template has no half-written turn; being the same in both they leave DPO's loss as it is.
    """
    tree = found.tree
    for pair in _pairs(found, settings):
        if isinstance(pair, Reject):
            yield pair
            continue
        steps = "".join(tree.steps(pair.parent))
        before = steps if settings.chat else ""
        data = {
            "prompt": prompt(settings, tree.question, steps),
            "chosen": reply(settings, before + tree.node(pair.better).step),
            "rejected": reply(settings, before + tree.node(pair.worse).step),
        }
        yield Row(data, _about(found, pair), pair.better, pair.touched)


def _about(found: LabelledTree, pair: _Pair) -> tuple[str, ...]:
    tree = found.tree
    both = sorted((tree.node(pair.better).step, tree.node(pair.worse).step))
    return (tree.question, "".join(tree.steps(pair.parent)), *both)


def _pairs(found: LabelledTree, settings: RowSettings) -> Iterator[_Pair | Reject]:
    tree, scores = found.tree, _scores(found, settings)
    any_siblings = False
    for parent in tree.depth_first():
        scored = [child for child in parent.children if child in scores]
        candidates = []
        for one, other in combinations(scored, 2):
            any_siblings = True
            better, worse = sorted((one, other), key=lambda i: -scores[i].value)
            gap = scores[better].value - scores[worse].value
            same = tree.node(better).step == tree.node(worse).step
            if "unclear" in (tree.node(one).mark, tree.node(other).mark):
                yield Reject(better, UNCLEAR)
            elif same or gap <= 0 or gap < settings.margin:
                yield Reject(better, CLOSE)
            elif settings.low(scores[better].value):
                yield Reject(better, LOW_PAIR)
            else:
                touched = scores[better].touched or scores[worse].touched
                high, low = scores[better].value, scores[worse].value
                candidates.append(_Pair(parent.id, better, worse, high, low, touched))
        candidates.sort(key=lambda pair: pair.low - pair.high)
        yield from candidates[: settings.most_pairs]
        for pair in candidates[settings.most_pairs :]:
            yield Reject(pair.better, MANY)
    if not any_siblings:
        yield Reject(None, f"no two siblings with a score by {settings.by!r}")


def _scores(found: LabelledTree, settings: RowSettings) -> Mapping[int, Valued]:
    if settings.by == "value":
        return found.values
    method = {"q": "soft", "correct": "hard"}.get(settings.by)
    return {r.node: Valued(r.value, r.touched) for r in found.rewards(method).rows}
