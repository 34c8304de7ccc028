"""A person's verdicts through the workbench: kept, shown, taken back, and seen in the rewards."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from engine.errors import EventError, ParameterError, TaskError
from lab.workbench import Workbench
from sessions.errors import SessionInUseError
from tests.engine.worlds import World
from tests.lab.benches import LONG, Gate, finish, grown

Make = Callable[..., Workbench]
HOSTILE = "</script><img src=x onerror=alert(1)> {0} %s '; DROP TABLE events; --"


def searched(bench: Workbench) -> tuple[str, int, int]:
    """A session, a right leaf of it and a wrong one."""
    session = bench.create("What?", gold="1", seed=8)
    finish(bench, session, iterations=25)
    rows = bench.verdicts.rewards(session).rewards.rows
    right = next(leaf for row in rows for leaf in row.right)
    wrong = next(leaf for row in rows for leaf in row.wrong)
    return session, right, wrong


@pytest.fixture(name="bench")
def open_bench(make: Make) -> Workbench:
    return make(World(words=4))


def test_verdicts_outlive_the_process_and_are_taken_back(make: Make, tmp_path: Path) -> None:
    bench = make(World(words=4))
    session, right, wrong = searched(bench)
    plain = bench.verdicts.rewards(session)
    cursor = bench.delta(session, -1)["cursor"]
    bench.verdicts.mark(session, right, "wrong", f" {HOSTILE} ")
    bench.verdicts.overrule(session, 1, 0.25)
    bench.verdicts.grade_leaf(session, wrong, True)
    assert {n["id"] for n in bench.delta(session, cursor)["nodes"]} == {0, right, 1, wrong}
    shown = bench.node(session, right)
    assert (shown["mark"], shown["mark_reason"]) == ("wrong", HOSTILE)
    bench.close()

    again = make(World(words=4), home=tmp_path)
    assert again.node(session, right) == shown
    assert again.node(session, 1)["overruled"] == 0.25
    assert again.node(session, wrong)["regraded"] is True
    rewards = again.verdicts.rewards(session).rewards.by_node()
    assert rewards[1].value == 0.25
    assert rewards[right].false_positives == (right,)
    assert rewards[wrong].right == (wrong,)
    again.verdicts.mark(session, right, "")
    again.verdicts.overrule(session, 1, None)
    again.verdicts.grade_leaf(session, wrong, None)
    assert again.verdicts.rewards(session) == plain


def test_what_is_only_supposed_is_shown_and_not_kept(bench: Workbench) -> None:
    session, right, wrong = searched(bench)
    log = bench.export(session)["log"]
    shown = bench.verdicts.rewards(session, "hard", flips={wrong: True}, marks={right: "wrong"})
    assert {wrong, right} <= {change.node for change in shown.changes}
    msgspec.json.encode(shown)
    supposed = bench.verdicts.rewards(session, values={1: 0.125})
    assert supposed.rewards.by_node()[1].value == 0.125
    assert bench.verdicts.rewards(session, "hard").changes == ()
    assert bench.export(session)["log"] == log


def test_what_does_not_fit_is_refused_and_not_kept(bench: Workbench) -> None:
    session, _, _ = searched(bench)
    log = bench.export(session)["log"]
    verdicts = bench.verdicts
    for call, error, words in (
        (lambda: verdicts.mark(session, 1, "maybe"), TaskError, "cannot be marked 'maybe'"),
        (lambda: verdicts.mark(session, 1, "right", "x" * 10_001), TaskError, "10,001 characters"),
        (lambda: verdicts.mark(session, 1, "right", "\ud800"), TaskError, "not valid Unicode"),
        (lambda: verdicts.mark(session, 0, "right"), EventError, "root holds no step"),
        (lambda: verdicts.mark(session, "1", "right"), EventError, "cannot be kept"),  # type: ignore[arg-type]
        (lambda: verdicts.overrule(session, 1, 2.0), EventError, "from 0 to 1"),
        (lambda: verdicts.overrule(session, 1, float("nan")), EventError, "from 0 to 1"),
        (lambda: verdicts.grade_leaf(session, 999, True), EventError, "no node 999"),
        (lambda: verdicts.rewards(session, "x"), ParameterError, "no method 'x'"),
        (lambda: verdicts.rewards(session, flips={0: True}), EventError, "no final answer"),
    ):
        with pytest.raises(error, match=words):
            call()
    assert bench.export(session)["log"] == log


def test_verdicts_come_at_any_time_and_change_no_search(make: Make) -> None:
    bench = make()
    judged, plain = bench.create("What?", seed=8), bench.create("What?", seed=8)
    finish(bench, plain, iterations=12)
    finish(bench, judged, iterations=1)
    bench.run(judged, iterations=11)
    while bench.state(judged).active:
        bench.verdicts.mark(judged, 1, "wrong")
        bench.verdicts.mark(judged, 1, "")
    assert grown(bench, judged) == grown(bench, plain)


def test_a_session_in_use_elsewhere_takes_no_verdict(make: Make) -> None:
    world = Gate()
    holder, bench = make(world), make()
    session = holder.create("What?")
    holder.run(session, iterations=1)
    assert world.asked.acquire(timeout=LONG)
    with pytest.raises(SessionInUseError, match="in use"):
        bench.verdicts.grade_leaf(session, 0, None)
    assert bench.verdicts.rewards(session).rewards.empty
