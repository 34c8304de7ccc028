"""An evaluation as a file: every answer, the whole, its table, or its curves."""

from pathlib import Path
from typing import Any

import msgspec

from engine.errors import ParameterError
from engine.exports.files import write_file
from lab.evaluation_report import Report
from lab.evaluation_words import as_csv, as_markdown, costs_as_markdown, sentences

KINDS = ("csv", "json", "md", "png", "svg")


def write(report: Report, path: Path, kind: str | None = None, force: bool = False) -> None:
    """Write a report; the file is there whole or as it was before.

    Args:
        report: what to write.
        path: the file.
        kind: one of `KINDS`; by the path's suffix if None.
        force: replace what is there.

    Raises:
        ParameterError: there is no such kind, or nothing to draw.
        ExportError: something is there already, or it cannot be written.
    """
    chosen = kind or path.suffix.lower().lstrip(".")
    if chosen not in KINDS:
        raise ParameterError(f"There is no {chosen!r} of an evaluation: take {', '.join(KINDS)}.")
    if chosen in ("png", "svg"):
        if not report.scores:
            raise ParameterError("No problem has been asked by every method yet: nothing to draw.")
        write_file(path, lambda draft: _draw(report, draft, chosen), force)
        return
    text = {"csv": as_csv, "json": _json, "md": _markdown}[chosen](report)
    write_file(path, lambda draft: _put(draft, text), force)


def _put(draft: Path, text: str) -> None:
    draft.write_text(text, "utf-8")


def _json(report: Report) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=1).decode() + "\n"


def _markdown(report: Report) -> str:
    told = "\n".join(f"- {line}" for line in sentences(report))
    return f"{as_markdown(report)}\n\n{costs_as_markdown(report)}\n\n{told}\n"


def _draw(report: Report, draft: Path, kind: str) -> None:
    """Accuracy against policy tokens, a line a method."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(report.methods):
        scores = [score for score in report.scores if score.method == name]
        if not scores:
            continue
        heights = [100 * score.accuracy.estimate for score in scores]
        below = [100 * (s.accuracy.estimate - s.accuracy.low) for s in scores]
        above = [100 * (s.accuracy.high - s.accuracy.estimate) for s in scores]
        axes.errorbar(
            [score.policy_tokens for score in scores],
            heights,
            yerr=[below, above],
            label=scores[0].title + (" (asks the oracle)" if scores[0].oracle else ""),
            marker="osD^vPX*<>"[number % 10],
            linestyle="--" if scores[0].oracle else "-",
            capsize=2,
            linewidth=1.2,
        )
    axes.set_xlabel("policy tokens of a problem")
    axes.set_ylabel(f"right, %, n = {len(report.problems)}")
    axes.set_ylim(0, 100)
    axes.grid(alpha=0.25)
    axes.legend(fontsize="small")
    figure.savefig(draft, format=kind, dpi=150)
