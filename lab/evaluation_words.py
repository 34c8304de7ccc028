"""An evaluation as text: a table, sentences, rows."""

import csv
import io
from collections.abc import Sequence

from engine.evaluation.contenders import contender
from lab.evaluation_compare import Comparison
from lab.evaluation_report import Report, Score, best, key
from lab.evaluation_states import Best

_NAMED = 4
"""Methods that a sentence names."""


def headline(found: Report) -> list[str]:
    """What was best at each budget, or that nothing was; and how far above the baseline."""
    return [_first(found, one) for one in best(found)]


def _first(found: Report, one: Best) -> str:
    scores = [score for score in found.scores if score.budget == one.budget]
    others = [score for score in scores if score.method != one.method and not score.oracle]
    budget, right = f"At {one.budget:,} tokens", f"{100 * one.accuracy:.1f} %"
    if one.tied:
        words = f"{budget} it is a tie: {_several([one.title, *one.tied])} are right equally often"
        words += f", {right}"
        if one.close:
            be = "is" if len(one.close) == 1 else "are"
            words += f"; {_several(one.close)} {be} not significantly behind"
    else:
        base = ", the baseline," if one.method == found.baseline else ""
        words = f"{budget} {one.title}{base} is right most often, {right}"
        if one.close:
            words += f", but not significantly more often than {_several(one.close)}"
        elif others:
            oracle = " that asks no oracle" if len(scores) > len(others) + 1 else ""
            words += f", significantly more often than every other method{oracle}"
        else:
            words = f"{budget} {one.title} answers {right} right"
    return words + _above_baseline(found, one) + "."


def _above_baseline(found: Report, one: Best) -> str:
    gap, base = found.score(one.method, one.budget).difference, contender(found.baseline)
    if gap is None or base.title in one.tied:
        return ""
    side = "below" if gap.estimate < 0 else "above"
    real = "significant" if gap.excludes_zero else "not significant"
    return f"; {abs(100 * gap.estimate):.1f} points {side} {base.title} ({real})"


def _several(titles: Sequence[str]) -> str:
    """Names with commas and an and; many are counted."""
    if len(titles) > _NAMED:
        titles = [*titles[: _NAMED - 1], f"{len(titles) - _NAMED + 1} others"]
    return " and ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)


def as_markdown(found: Report) -> str:
    """The accuracies as a table, with what they are and are not significantly above."""
    head = ["method", *(f"{budget:,} tokens" for budget in found.budgets)]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name in found.methods:
        cells = [contender(name).title]
        for budget in found.budgets:
            scores = [s for s in found.scores if (s.method, s.budget) == (name, budget)]
            cells.append(_cell(scores[0]) if scores else "")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(score: Score) -> str:
    interval = score.accuracy
    text = f"{100 * interval.estimate:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    gap = score.difference
    if gap is not None:
        mark = "" if gap.excludes_zero else " n.s."
        text += f" ({100 * gap.estimate:+z.1f}{mark})"
    return f"{text}, {score.policy_tokens:.0f}"


def costs_as_markdown(found: Report) -> str:
    """What each method took at each budget, as a table; an empty cell is not known."""
    head = ["method", "budget", "policy tokens", "PRM tokens", "seconds", "process memory"]
    gpu = any(score.gpu_memory is not None for score in found.scores)
    head += ["GPU memory"] if gpu else []
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for score in found.scores:
        cells = [
            score.title,
            f"{score.budget:,}",
            f"{score.policy_tokens:,.0f}",
            f"{score.prm_tokens:,.0f}",
            f"{score.seconds:.2f}",
            _mebibytes(score.process_memory),
        ]
        cells += [_mebibytes(score.gpu_memory)] if gpu else []
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mebibytes(count: int | None) -> str:
    return "" if count is None else f"{count / 2**20:,.0f} MiB"


def sentences(found: Report) -> list[str]:
    """What holds, in words: of each method at each budget, and what the numbers mean."""
    told = headline(found)
    told += [f"{s.title} at {s.budget:,}: {s.sentence}." for s in found.scores if s.sentence]
    if found.samples:
        chances = ", ".join(f"{one.k}: {100 * one.pass_at_k:.1f} %" for one in found.samples)
        told.append(f"Chance that one of k samples is right (pass@k, unbiased): {chances}.")
        votes = ", ".join(f"{one.k}: {100 * one.majority_at_k:.1f} %" for one in found.samples)
        told.append(f"Chance that the majority of k samples is right (majority@k): {votes}.")
    return told + notes(found)


def notes(found: Report) -> list[str]:
    """What has to be known to read the numbers."""
    told = []
    asking = sorted({s.title for s in found.scores if s.oracle})
    if asking:
        told.append(f"{', '.join(asking)} asks the right answer while it searches.")
    failed = sum(s.failed for s in found.scores if s.budget == found.budgets[-1])
    if failed:
        told.append(f"Searches that an error ended count as wrong; there are {failed:,}.")
    level = [s for s in found.scores if s.level and s.budget == found.budgets[-1]]
    if level:
        several = ", ".join(f"{s.title} {s.level:,}" for s in level)
        told.append(
            "Votes were level, and the answer that the search tree has first was taken, in so "
            f"many searches at {found.budgets[-1]:,} tokens: {several}."
        )
    if found.waiting:
        told.append(f"Not shown yet, or not at every budget: {', '.join(found.waiting)}.")
    seeds = ", ".join(map(str, found.seeds))
    told.append(
        f"n = {len(found.problems):,} problems, seeds {seeds}. Cells: % right [95 % CI] "
        f"(difference to {contender(found.baseline).title}), mean policy tokens of a problem."
    )
    told.append("Intervals are about problems, and not corrected for the number of comparisons.")
    if any(score.process_memory is not None for score in found.scores):
        told.append(
            "Process memory is the most that the whole lab took, models included, while a run of "
            "searches went on. Methods that read the same samples share it; of a run that is cut "
            "for smaller budgets it is known at the largest only."
        )
    return told


def compared(found: Comparison) -> list[tuple[str, str, str, str, str]]:
    """Two evaluations, a row a method and budget."""
    return [
        (
            row.title,
            f"{row.budget:,}",
            f"{100 * row.one.estimate:.1f} %",
            f"{100 * row.other.estimate:.1f} %",
            f"{100 * row.difference.estimate:+z.1f} points, 95 % CI "
            f"{100 * row.difference.low:z.1f} to {100 * row.difference.high:z.1f}: "
            + ("significant" if row.difference.excludes_zero else "not significant"),
        )
        for row in found.rows
    ]


def as_csv(found: Report) -> str:
    """One row a method, budget, seed and problem.

    Memory, in bytes, is that of the whole method at the budget: see `Score`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["method", "budget", "seed", "problem", "right", "answer", "policy_tokens", "prm_tokens",
         "seconds", "method_process_memory", "method_gpu_memory", "failed", "tie", "session"]
    )  # fmt: skip
    for name in found.methods:
        for budget in found.budgets:
            rows = found.grid.get(key(name, budget), [])
            score = found.score(name, budget) if rows else None
            memory = (score.process_memory, score.gpu_memory) if score else ()
            for seed, row in zip(found.seeds, rows, strict=False):
                for label, cell in zip(found.problems, row, strict=True):
                    writer.writerow(
                        [name, budget, seed, label, int(cell.right), cell.answer or "",
                         cell.tokens, cell.prm_tokens, f"{cell.seconds:.3f}", *memory,
                         int(cell.failed), cell.tie, cell.session]
                    )  # fmt: skip
    return text.getvalue()
