"""An evaluation as text: a table, sentences, rows."""

import csv
import io

from engine.evaluation.contenders import contender
from lab.evaluation_compare import Comparison
from lab.evaluation_report import Report, Score, best, key
from lab.evaluation_states import EvaluationState


def headline(found: Report) -> list[str]:
    """What was best at each budget, and whether the difference to the baseline is real."""
    told = []
    for first in best(found):
        score = found.score(first.method, first.budget)
        words = f"At {first.budget:,} tokens {first.title} is right most often: "
        words += f"{100 * first.accuracy:.1f} %"
        if first.method == found.baseline:
            words += ", the baseline."
        elif score.difference is not None:
            gap = 100 * score.difference.estimate
            real = "significant" if score.difference.excludes_zero else "not significant"
            title = contender(found.baseline).title
            words += f", {abs(gap):.1f} points above {title} ({real})."
        else:
            words += "."
        told.append(words)
    return told


def as_markdown(found: Report) -> str:
    """The scores as a table, and what is significant, in words."""
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
        text += f" ({100 * gap.estimate:+.1f}{mark})"
    return f"{text}, {score.policy_tokens:.0f}"


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
    if found.waiting:
        told.append(f"Not shown yet, or not at every budget: {', '.join(found.waiting)}.")
    seeds = ", ".join(map(str, found.seeds))
    told.append(
        f"n = {len(found.problems):,} problems, seeds {seeds}. Cells: % right [95 % CI] "
        f"(difference to {contender(found.baseline).title}), mean policy tokens of a problem."
    )
    told.append("Intervals are about problems, and not corrected for the number of comparisons.")
    return told


def memory(state: EvaluationState) -> list[str]:
    """The most memory that its runs took, a sentence; none where nobody has looked."""
    most = {
        name: max((run.memory.get(name, 0) for run in state.runs), default=0)
        for name in ("resident", "cuda")
    }
    told = [f"{most['resident'] / 2**20:,.0f} MiB"] if most["resident"] else []
    told += [f"{most['cuda'] / 2**20:,.0f} MiB on the GPU"] if most["cuda"] else []
    return [f"Peak memory of the lab while it searched: {', '.join(told)}."] if told else []


def compared(found: Comparison) -> list[tuple[str, str, str, str, str]]:
    """Two evaluations, a row a method and budget."""
    return [
        (
            row.title,
            f"{row.budget:,}",
            f"{100 * row.one.estimate:.1f} %",
            f"{100 * row.other.estimate:.1f} %",
            f"{100 * row.difference.estimate:+.1f} points, 95 % CI "
            f"{100 * row.difference.low:.1f} to {100 * row.difference.high:.1f}: "
            + ("significant" if row.difference.excludes_zero else "not significant"),
        )
        for row in found.rows
    ]


def as_csv(found: Report) -> str:
    """One row a method, budget, seed and problem."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["method", "budget", "seed", "problem", "right", "answer", "policy_tokens", "failed",
         "session"]
    )  # fmt: skip
    for name in found.methods:
        for budget in found.budgets:
            for seed, row in zip(found.seeds, found.grid.get(key(name, budget), []), strict=False):
                for label, cell in zip(found.problems, row, strict=True):
                    writer.writerow(
                        [name, budget, seed, label, int(cell.right), cell.answer or "",
                         cell.tokens, int(cell.failed), cell.session]
                    )  # fmt: skip
    return text.getvalue()
