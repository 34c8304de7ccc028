"""What the disk costs: putting iterations into a session, and opening a large one."""

import tempfile
import time
from pathlib import Path

from engine import events as ev
from engine.search.driver import create
from lab.bench.figures import Figure, repeat
from lab.workbench import ModelSettings, Workbench
from sessions.rows import Digest
from sessions.store import Store

BRANCH = 3
SESSIONS = 10
ITERATIONS = 20
"""Of each session that is written."""

Log = list[ev.Event]


def large_log(nodes: int) -> Log:
    """A log of so many nodes, with the events that an iteration of MCTS* has."""
    log: Log = [create("A large session", "1", "mcts_star", {}, 0, "policy", "prm")]
    count, iteration = 1, 0
    while count < nodes:
        iteration += 1
        parent = iteration - 1
        children = range(count, min(count + BRANCH, nodes))
        steps = [
            f"{one}. Someone hands {one} to someone: {one} - 1 = {one - 1}\n" for one in children
        ]
        log += [
            ev.IterationStarted(iteration),
            ev.Selected([parent], [], False),
            ev.Expanded(
                parent,
                "expanded",
                [ev.NewNode(one, step) for one, step in zip(children, steps, strict=True)],
                steps,
            ),
            ev.Evaluated([ev.NodeValue(one, 0.5) for one in children]),
            ev.BackedUp([ev.Backup(parent, 0.5, 1)]),
            ev.IterationFinished(iteration, ev.Cost(100, 30, 100, 0.1)),
        ]
        count += len(children)
    return log


def by_iteration(log: Log) -> list[Log]:
    """A log cut after each finished iteration."""
    parts: list[Log] = [[]]
    for event in log:
        parts[-1].append(event)
        if isinstance(event, ev.IterationFinished):
            parts.append([])
    return [part for part in parts if part]


def appends_per_second(sessions: int, iterations: int) -> float:
    """Iterations that the store puts on disk in a second, one transaction each."""
    log = large_log(1 + BRANCH * iterations)
    with tempfile.TemporaryDirectory() as home:
        store = Store(Path(home))
        began = time.perf_counter()
        for _ in range(sessions):
            session, length = store.create(_created(log)), 1
            for events in by_iteration(log[1:]):
                length = store.append(session, length, events, Digest())
        elapsed = time.perf_counter() - began
        store.close()
    return sessions * iterations / elapsed


def _created(log: Log) -> ev.SearchCreated:
    assert isinstance(log[0], ev.SearchCreated)
    return log[0]


def seconds_to_open(log: Log) -> float:
    """From a closed home to the whole tree as the page reads it."""
    with tempfile.TemporaryDirectory() as home:
        store = Store(Path(home))
        session = store.create(_created(log))
        store.append(session, 1, log[1:], Digest())
        store.close()
        began = time.perf_counter()
        workbench = Workbench(Path(home), ModelSettings())
        workbench.delta(session, -1)
        elapsed = time.perf_counter() - began
        workbench.close()
    return elapsed


def figures(repetitions: int, nodes: int) -> list[Figure]:
    """Iterations appended in a second, and seconds to open a session of so many nodes."""
    log = large_log(nodes)

    def appended() -> float:
        return appends_per_second(SESSIONS, ITERATIONS)

    appended()  # modules are imported, the disk is awake
    return [
        repeat("iterations appended", "1/s", repetitions, appended),
        repeat(f"open {nodes:,} nodes", "s", repetitions, lambda: seconds_to_open(log)),
    ]
