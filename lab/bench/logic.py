"""What an iteration costs without models: selection, events, backup, addresses and the archive.

A search grows to thousands of nodes through the driver that every run goes through. Its models are
scripted: what they say is a checksum of the text. Their own time is left out of the figures.
"""

import statistics
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from engine import events as ev
from engine.models.base import Completion, CriticMode
from engine.models.scripted import Attempt, End, Script, ScriptedPolicy, ScriptedPRM
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search, create
from engine.search.mcts_star import REFERENCE
from lab.bench.figures import Figure, summarise

LAST = 200
"""How many iterations are measured, at the end and at the beginning."""

BEFORE_ANSWERS = 4
"""Steps before a solution may end."""

Value = TypeVar("Value")


class _Table(Mapping[str, Value]):
    """A script's table without end: every text has an entry, made when it is asked for."""

    def __init__(self, entry: Callable[[str], Value]) -> None:
        self._entry = entry

    def __getitem__(self, text: str) -> Value:
        return self._entry(text)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __contains__(self, text: object) -> bool:
        return True


def script(branch: int, highest: float, ends: bool) -> Script:
    """What the scripted models say.

    Args:
        branch: how many different steps follow a text.
        highest: largest value.
        ends: whether solutions end, some at every length from the fifth step on.
    """

    def proposals(text: str) -> Sequence[Sequence[Attempt]]:
        depth, mark = text.count("\n"), zlib.crc32(text.encode())
        steps = []
        for slot in range(branch):
            ended = ends and depth >= BEFORE_ANSWERS and (mark + slot) % 5 == 0
            step = f"Answer: {slot}\n" if ended else f"{depth + 1}. {mark + slot:x} in words\n"
            steps.append([Attempt(step, step)])
        return steps

    def verdict(text: str) -> End:
        return End("end" if "Answer" in text else "continue", by_text=True)

    return Script(
        _Table(proposals),
        _Table(lambda text: highest * zlib.crc32(b"value" + text.encode()) / 2**32),
        _Table(verdict),
        _Table(lambda text: ("", text.removesuffix("\n")[-1:] or None)),
    )


class _Timed:
    """Notes the seconds it took to reply."""

    seconds = 0.0

    def _timed(self, reply: Callable[..., Any], *asked: Any) -> Any:
        began = time.perf_counter()
        found = reply(*asked)
        self.seconds += time.perf_counter() - began
        return found

    def text(self, request: Any, reply: Any) -> Sequence[int]:
        """A token for every character: unique ones are counted as in any search."""
        step = reply.step if isinstance(reply, Completion) else ""
        tokens: tuple[int, ...] = self._timed(
            lambda: tuple("".join((*request.steps, step)).encode())
        )
        return tokens


class _Policy(_Timed, ScriptedPolicy):
    def propose(self, requests: Any) -> Any:
        return self._timed(super().propose, requests)

    def judge(self, requests: Any, mode: CriticMode) -> Any:
        return self._timed(super().judge, requests, mode)

    def summarise(self, requests: Any) -> Any:
        return self._timed(super().summarise, requests)


class _Prm(_Timed, ScriptedPRM):
    def score(self, requests: Any) -> Any:
        return self._timed(super().score, requests)


def iterations(nodes: int, params: Mapping[str, object], models: Script) -> list[float]:
    """Seconds of every iteration of a search up to so many nodes, without those of its models."""
    policy, prm = _Policy(models), _Prm(models)
    first = create("What?", "1", "mcts_star", dict(params), 0, policy.identity, prm.identity)
    search = Search([first], lambda answer: answer == "1")
    driver = Driver(policy, prm, MemoryArchive())
    laps: list[float] = []
    began = 0.0

    def now() -> float:
        return time.perf_counter() - policy.seconds - prm.seconds

    def keep(search: Search, events: list[ev.Event]) -> None:
        nonlocal began
        if isinstance(events[-1], ev.IterationFinished):
            laps.append(now() - began)
        if len(search.tree.nodes) >= nodes:
            driver.pause(search)
        began = now()

    began = now()
    driver.run([search], Limits(), keep)
    return laps


def figures(repetitions: int, nodes: int) -> list[Figure]:
    """An iteration at the end of a large search, with our parameters and the reference's.

    In the search with the reference's parameters no solution ends: it would walk into the same
    finished branches for ever, and its tree would not grow.
    """
    rows = []
    for name, params, models in (
        ("MCTS*", {}, script(branch=18, highest=1.0, ends=True)),
        ("MCTS* with the reference's parameters", REFERENCE, script(3, 0.89, ends=False)),
    ):
        runs = [iterations(nodes, params, models) for _ in range(repetitions)]
        ends = [1000 * statistics.median(laps[-LAST:]) for laps in runs]
        starts = [1000 * statistics.median(laps[:LAST]) for laps in runs]
        rows += [
            summarise(f"{name}: an iteration at {nodes:,} nodes", "ms", ends, at_most=1.0),
            summarise(f"{name}: an iteration of the first {LAST}", "ms", starts),
        ]
    return rows
