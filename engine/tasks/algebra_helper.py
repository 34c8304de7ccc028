"""The process behind `engine.tasks.algebra`: questions in, verdicts out, one JSON line each.

It compares LaTeX only. Plain expressions are never given to the library's expression parser, which
ends in Python's eval: they are read as LaTeX, by a grammar.
"""

import contextlib
import json
import re
import sys

MEMORY = 3 * 2**30
"""Most address space in bytes; a runaway product fails in here instead of filling the machine."""


def main() -> None:
    """Answer until the pipe closes."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    import logging

    logging.disable(logging.CRITICAL)
    from math_verify import verify  # noqa: F401  # slow, and before the first question

    out = sys.stdout
    sys.stdout = sys.stderr  # a library that prints must not answer
    _send(out, "ready")
    for line in sys.stdin:
        question = json.loads(line)
        _send(out, compare(question["answer"], question["gold"]))


def _send(out: object, reply: bool | str | None) -> None:
    print(json.dumps(reply), file=out, flush=True)  # type: ignore[call-overload]


def compare(answer: str, gold: str) -> bool | None:
    """Whether the two are equal; None if the gold answer cannot be read."""
    from math_verify import LatexExtractionConfig, parse, verify

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


def _as_latex(text: str) -> str:
    """A formula without dollars; programmers' signs become LaTeX ones."""
    text = re.sub(r"\$+|\\\(|\\\)|\\\[|\\\]", " ", text).strip()
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))(?![^(\[{]*[)\]}])", "", text)
    text = re.sub(r"\bsqrt\s*\(([^()]*)\)", r"\\sqrt{\1}", text)
    text = re.sub(r"(?<!\\)\bpi\b", r"\\pi", text)
    return text.replace("**", "^").replace("*", r"\cdot ")


if __name__ == "__main__":
    main()
