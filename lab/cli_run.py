"""Running a session from the command line: progress, limits, Ctrl-C."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from engine.errors import LabError
from lab import terminal

if TYPE_CHECKING:
    from lab.workbench import RunState, Workbench

POLL_SECONDS = 0.1


class RunFailedError(LabError):
    """The run of a session ended with an error."""


def run(bench: "Workbench", session: str, limits: dict[str, Any]) -> bool:
    """Run a session to its limits; False if Ctrl-C ended it earlier.

    Raises:
        RunFailedError: the model thread reports an error.
    """
    bench.run(session, **limits)
    try:
        state = _follow(bench, session)
        finished = True
    except KeyboardInterrupt:
        # At the next model call; finished iterations are on disk already.
        bench.stop(session)
        state = bench.wait(session)
        finished = False
    if state.status == "failed":
        raise RunFailedError(state.message)
    return finished


def _follow(bench: "Workbench", session: str) -> "RunState":
    """Wait for the end; on a terminal with a progress line."""
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
        console=terminal.err(),
        transient=True,
    )
    with progress if terminal.err().is_terminal else nullcontext():
        task = progress.add_task("starting", total=None, spent="")
        while True:
            state = bench.wait(session, timeout=POLL_SECONDS)
            if not state.active:
                return state
            progress.update(task, **_describe(state))


def _describe(state: "RunState") -> dict[str, Any]:
    """What the progress line says of a state."""
    if state.status != "running":
        return {"description": terminal.visible(state.message or state.status)}
    of = f" of {state.target}" if state.target else ""
    return {
        "description": f"iteration {state.done}{of}",
        "completed": state.done,
        "total": state.target or None,
        "spent": f"{state.tokens:,} tokens",
    }
