"""The process behind `engine.tasks.algebra`: questions in, verdicts out, one JSON line each.

It compares LaTeX only. Plain expressions are never given to the library's expression parser, which
ends in Python's eval: they are read as LaTeX, by a grammar.
"""

import contextlib
import json
import logging
import re
import signal
import sys
from typing import TextIO

MEMORY = 3 * 2**30
"""Most address space in bytes; a runaway product fails in here instead of filling the machine."""

DEEPEST = 20
"""Most nested braces of a formula that is read."""


def main(processor_seconds: float) -> None:
    """Answer until the pipe closes; die of the question that takes longer."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.disable(logging.CRITICAL)
    import math_verify  # noqa: F401  # slow, so before the first question

    out = sys.stdout
    sys.stdout = sys.stderr  # a library that prints must not answer
    _send(out, "ready")
    for line in sys.stdin:
        question = json.loads(line)
        _alarm(processor_seconds)
        reply = compare(question["answer"], question["gold"])
        _alarm(0.0)
        _send(out, reply)


def _alarm(seconds: float) -> None:
    """End this process after so much processor time; the signal needs no Python code to run."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _send(out: TextIO, reply: bool | str | None) -> None:
    print(json.dumps(reply), file=out, flush=True)


def compare(answer: str, gold: str) -> bool | None:
    """Whether the two are equal; None if the gold answer cannot be read."""
    from math_verify import LatexExtractionConfig, parse, verify

    if not (_readable(gold) and _readable(answer)):
        return None if not _readable(gold) else False
    configuration = [LatexExtractionConfig()]
    try:
        expected, found = (
            parse(
                f"${_as_latex(text)}$",
                configuration,
                fallback_mode="no_fallback",
                parsing_timeout=None,
            )
            for text in (gold, answer)
        )
        if not expected:
            return None
        return bool(found) and bool(verify(expected, found, strict=False, timeout_seconds=None))
    except (Exception, RecursionError):
        return False


def _readable(text: str) -> bool:
    """Whether brackets are balanced and shallow: the grammar takes for ever over others."""
    depth = deepest = 0
    for sign in text.replace("\\{", "").replace("\\}", ""):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        deepest = max(deepest, depth)
        if depth < 0:
            return False
    return depth == 0 and deepest <= DEEPEST


def _as_latex(text: str) -> str:
    """A formula without dollars; programmers' signs become LaTeX ones."""
    text = re.sub(r"\$+|\\\(|\\\)|\\\[|\\\]", " ", text).strip()
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))(?![^(\[{]*[)\]}])", "", text)
    text = re.sub(r"\bsqrt\s*\(([^()]*)\)", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<!\\)\bpi\b", r"\\pi", text)
    return text.replace("**", "^").replace("*", r"\cdot ")


if __name__ == "__main__":
    main(float(sys.argv[1]))
