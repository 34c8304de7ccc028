"""Verifiers compared on the same samples, read from the logs of a batch.

The PRM has valued the samples while they were drawn, so that it is not asked again. What other
models say of them is asked for in `lab.verifier_models`.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec

from engine.errors import ParameterError
from engine.evaluation.statistics import Interval, accuracy, paired_difference
from engine.search import chains
from engine.tree import Tree
from engine.verifiers.comparison import Row, compare
from engine.verifiers.registry import VERIFIERS, VOTES, Models, make_verifier
from engine.verifiers.reward_models import Known, Text
from engine.verifiers.traces import Trace, trace_of
from engine.verifiers.verifying import Verifier, Voting
from lab.evaluation_report import in_words
from lab.verifier_models import ASKED, AskState
from sessions.store import Store

BASELINE = "self-consistency"
_PRM = ("prm-last", "prm-min", "prm-product", "prm-mean")
NAMES = ("oracle", BASELINE, *_PRM, *(f"{name}{VOTES}" for name in _PRM))
"""Verifiers that need no model of their own."""
KS = (1, 2, 4, 8, 16, 32, 64)
_LEAST = 0.95
"""k is told as long as so many problems have k samples."""
_Z = 1.959963984540054


class VerifierScore(msgspec.Struct, frozen=True):
    """A verifier on the first k samples of each problem.

    Attributes:
        name, title: which.
        k: samples that it chooses from.
        problems: n, those that have as many.
        accuracy: share of problems where what it chooses is right, with Wilson's interval.
        difference: to self-consistency, paired by problem; None for itself.
        sentence: that in words.
        ranking: of pairs of a right and a wrong sample of one problem, the share that its scores
            order rightly (the area under the ROC curve within problems), a mean over the problems
            with both kinds, with a normal interval; None without such problems. A vote ranks as
            its scores do.
    """

    name: str
    title: str
    k: int
    problems: int
    accuracy: Interval
    difference: Interval | None
    sentence: str
    ranking: Interval | None


def samples_of(store: Store, batch: str) -> list[list[Trace]]:
    """The samples of each problem of a batch that is done, in the order they were drawn.

    Raises:
        StoreError: a log cannot be read.
    """
    groups = []
    for problem in store.batches.problems(batch):
        if problem.status != "done" or problem.session is None:
            continue
        tree = Tree()
        for event in store.log(problem.session):
            tree.apply(event)
        # By their first steps: short ones end earlier, and would come first by themselves.
        leaves = sorted((leaf for leaf in chains.finished(tree) if leaf), key=_first(tree))
        traces = [trace_of(tree, leaf) for leaf in leaves]
        # A sample without an answer is a wrong one.
        groups.append([msgspec.structs.replace(t, correct=t.correct is True) for t in traces])
    return groups


def _first(tree: Tree) -> Callable[[int], int]:
    return lambda leaf: tree.path(leaf)[1]


def verified(
    groups: Sequence[Sequence[Trace]],
    names: Sequence[str] = NAMES,
    ks: Sequence[int] = KS,
    scores: Mapping[str, Mapping[Text, float]] | None = None,
) -> list[VerifierScore]:
    """Every verifier on the first k samples, by k and then by name.

    Args:
        groups: samples of each problem, with the values of their steps.
        names: of verifiers that need no model of their own, `BASELINE` among them.
        ks: those that too few problems have samples for are left out.
        scores: what models have said of samples, by verifier; each is told with and without votes
            if it was asked about all samples.

    Raises:
        ParameterError: a verifier is not there, or needs a model.
        LabError: samples bring no values.
    """
    verifiers = {name: make_verifier(name, Models()) for name in names}
    verifiers |= _known(groups, scores or {})
    found: list[VerifierScore] = []
    for k in ks:
        enough = [group[:k] for group in groups if len(group) >= k]
        if enough and len(enough) >= _LEAST * len(groups):
            rows = compare(enough, verifiers, lambda: None)
            base = next(row for row in rows if row.name == BASELINE)
            found += [_score(row, base, k) for row in rows]
    return found


def _known(
    groups: Sequence[Sequence[Trace]], scores: Mapping[str, Mapping[Text, float]]
) -> dict[str, Verifier]:
    found: dict[str, Verifier] = {}
    for name in VERIFIERS:
        if name in scores and (known := Known(scores[name])).knows(groups):
            found |= {name: known, f"{name}{VOTES}": Voting(known)}
    return found


def title(name: str) -> str:
    """Of a verifier, with its votes."""
    plain = VERIFIERS[name.removesuffix(VOTES)].title
    return f"{plain} + self-consistency" if name.endswith(VOTES) else plain


def _score(row: Row, base: Row, k: int) -> VerifierScore:
    difference, sentence = None, ""
    if row is not base:
        difference = paired_difference(row.right, base.right)
        sentence = in_words(difference, title(BASELINE), len(row.right))
    return VerifierScore(
        row.name,
        title(row.name),
        k,
        len(row.right),
        accuracy(row.right),
        difference,
        sentence,
        _mean([one for one in row.ranking if one is not None]),
    )


def _mean(values: Sequence[float]) -> Interval | None:
    if not values:
        return None
    mean = statistics.fmean(values)
    half = _Z * statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 1.0
    return Interval(mean, max(0.0, mean - half), min(1.0, mean + half))


def as_markdown(scores: Sequence[VerifierScore]) -> str:
    """A row a verifier, a column each k, and the ranking at the largest."""
    ks = list(dict.fromkeys(score.k for score in scores))
    head = ["verifier", *(f"k = {k}" for k in ks), "pairs in order"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name in dict.fromkeys(score.name for score in scores):
        own = [score for score in scores if score.name == name]
        ranking = own[-1].ranking
        order = "" if ranking is None else _percent(ranking)
        lines.append("| " + " | ".join([own[0].title, *map(_cell, own), order]) + " |")
    return "\n".join(lines)


def checked_names(entered: str | None) -> tuple[str, ...]:
    """The verifiers of a list with commas, the one that all are compared to among them; none for
    an empty list.

    Raises:
        ParameterError: one is not there.
    """
    names = [part.strip() for part in (entered or "").split(",") if part.strip()]
    known = [*NAMES, *(f"{name}{votes}" for name in ASKED for votes in ("", VOTES))]
    for name in names:
        if name not in known:
            raise ParameterError(
                f"There is no verifier {name[:60]!r}: there are {', '.join(known)}."
            )
    return tuple(dict.fromkeys([BASELINE, *names])) if names else ()


def notes(scores: Sequence[VerifierScore], told: AskState | None = None) -> list[str]:
    """What has to be known to read the table."""
    if not scores:
        return ["No sample has been drawn yet."]
    counts = ", ".join(
        f"{n:,} (k = {k})" for k, n in dict.fromkeys((score.k, score.problems) for score in scores)
    )
    return [
        f"Problems: {counts}. Cells: % right [95 % CI] (difference to self-consistency on the "
        "same samples, paired by problem; n.s.: its 95 % interval holds 0).",
        "Pairs in order: of a right and a wrong sample of one problem, how often the right one "
        f"scores higher, % [95 % CI], at k = {scores[-1].k}; an equal score is half a pair.",
        *_of_models(told or AskState()),
    ]


def _of_models(told: AskState) -> list[str]:
    """How long models were asked, and which could not be."""
    spent = [f"{title(name)} {seconds:,.0f} s" for name, seconds in told.seconds.items()]
    reasons: dict[str, list[str]] = {}
    for one in told.left_out:
        reasons.setdefault(one.why, []).append(title(one.name))
    return [
        *([f"Time that models took: {', '.join(spent)}."] if spent else []),
        *(f"Not asked: {', '.join(names)}; {why}" for why, names in reasons.items()),
    ]


def _cell(score: VerifierScore) -> str:
    gap = score.difference
    text = _percent(score.accuracy)
    if gap is None:
        return text
    return f"{text} ({100 * gap.estimate:+z.1f}{'' if gap.excludes_zero else ' n.s.'})"


def _percent(one: Interval) -> str:
    return f"{100 * one.estimate:z.1f} [{100 * one.low:z.1f}, {100 * one.high:z.1f}]"
