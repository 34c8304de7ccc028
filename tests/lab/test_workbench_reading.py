"""What the page and the command read of sessions, and notes on them."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EventError, TaskError
from lab.models import Models
from lab.workbench import Workbench
from sessions.errors import SessionInUseError, SessionNotFoundError
from tests.engine.worlds import World
from tests.lab.benches import LONG, SETTINGS, Gate, finish, grown


def test_an_unfinished_iteration_is_neither_shown_nor_stored(
    make: Callable[..., Workbench],
) -> None:
    world = Gate()
    bench = make(world)
    session = bench.create("What?")
    bench.run(session, iterations=5)
    assert world.asked.acquire(timeout=LONG)
    assert bench.delta(session, -1)["tree"]["iteration"] == 0
    assert bench.delta(session, -1)["run"]["status"] == "running"
    bench.stop(session)
    assert bench.state(session).status == "pausing"
    world.let_all_through()
    assert bench.wait(session, timeout=LONG).status == "idle"
    assert bench.show(session).iterations == 0
    assert finish(bench, session, iterations=2).done == 2


def test_a_session_in_use_elsewhere_can_be_read_and_nothing_else(
    make: Callable[..., Workbench],
) -> None:
    world = Gate()
    holder, bench = make(world), make()
    session = holder.create("What?")
    holder.run(session, iterations=1)
    assert world.asked.acquire(timeout=LONG)
    for call in (
        lambda: bench.run(session, iterations=1),
        lambda: bench.note(session, 0, "x"),
        lambda: bench.delete(session),
    ):
        with pytest.raises(SessionInUseError, match=f"Session {session} is in use by process"):
            call()
    assert bench.show(session).iterations == 0
    assert "lab" in (bench.sessions()[0].in_use_by or "")
    assert holder.sessions()[0].in_use_by is None
    with pytest.raises(SessionInUseError, match="is running: stop it"):
        holder.delete(session)
    world.let_all_through()
    holder.wait(session, timeout=LONG)
    assert bench.show(session).iterations == 1
    bench.note(session, 0, "now")
    assert holder.node(session, 0)["note"] == "now"
    bench.delete(session)
    with pytest.raises(SessionNotFoundError):
        holder.delta(session, -1)


def test_notes_come_at_any_time_and_change_no_search(make: Callable[..., Workbench]) -> None:
    bench = make()
    noted, plain = bench.create("What?", seed=8), bench.create("What?", seed=8)
    finish(bench, plain, iterations=12)
    bench.run(noted, iterations=12)
    written = 0
    while bench.state(noted).active:
        bench.note(noted, 0, f"note {written}")
        written += 1
    bench.note(noted, None, " on the whole ")
    assert bench.node(noted, 0)["note"] == f"note {written - 1}"
    assert bench.delta(noted, -1)["tree"]["note"] == "on the whole"
    bench.note(noted, 0, "")
    assert grown(bench, noted) == grown(bench, plain)
    finish(bench, noted, iterations=1)
    with pytest.raises(EventError, match="There is no node 999"):
        bench.note(noted, 999, "x")


@settings(max_examples=15, deadline=None)
@given(looks=st.lists(st.integers(1, 4), max_size=8), seed=st.integers(0, 99))
def test_deltas_add_up_to_the_whole(
    tmp_path_factory: pytest.TempPathFactory, looks: list[int], seed: int
) -> None:
    world = World(words=9)
    bench = Workbench(tmp_path_factory.mktemp("home"), SETTINGS, lambda *_: Models(world, world))
    session = bench.create("What?", gold="1", seed=seed)
    seen: dict[int, dict[str, Any]] = {}
    cursor = -1
    for iterations in looks:
        finish(bench, session, iterations=iterations)
        delta = bench.delta(session, cursor)
        assert delta["reset"] == (cursor == -1)
        seen |= {node["id"]: node for node in delta["nodes"]}
        cursor = delta["cursor"]
        assert bench.delta(session, cursor)["nodes"] == []
        whole = bench.delta(session, -1)
        assert [seen[i] for i in sorted(seen)] == whole["nodes"]
        assert len(whole["nodes"]) == whole["tree"]["nodes"]
        msgspec.json.encode(whole)
    bench.close()


def test_a_cursor_of_another_life_gets_everything(make: Callable[..., Workbench]) -> None:
    bench = make()
    session = bench.create("What?")
    finish(bench, session, iterations=3)
    cursor = bench.delta(session, -1)["cursor"]
    assert 0 <= cursor < 2**53
    for since in (-1, 0, 5, cursor - 2**24, cursor + 1, 2**60):
        assert bench.delta(session, since)["reset"]
    other = make()
    assert other.delta(session, cursor)["reset"]
    assert other.delta(session, cursor)["nodes"] == bench.delta(session, -1)["nodes"]


def test_a_node_in_full(make: Callable[..., Workbench]) -> None:
    bench = make()
    session = bench.create("What?", gold="1", seed=1, sampling={"temperature": 0.5})
    finish(bench, session, iterations=15)
    best = bench.delta(session, -1)["tree"]["best_path"]
    for record in bench.delta(session, -1)["nodes"]:
        node = bench.node(session, record["id"])
        msgspec.json.encode(node)
        assert {key: node[key] for key in record if key != "note"} == {
            key: value for key, value in record.items() if key != "note"
        }
        assert node["best_path"] == (node["id"] in best)
        assert len(node["steps"]) == node["depth"]
        assert node["origin"] == {
            "policy": "world", "prm": "world", "seed": 1, "temperature": 0.5
        }  # fmt: skip
        if node["parent"] is None:
            assert node["selection"] is None
            continue
        assert node["steps"][-1] == node["step"]
        scores = node["selection"]["scores"]
        assert [score["node"] for score in scores if score["self"]] == [node["id"]]
        for score in scores:
            assert score["total"] == score["value"] + score["exploration"]
    with pytest.raises(EventError, match="There is no node"):
        bench.node(session, 10_000)


def test_names(make: Callable[..., Workbench]) -> None:
    bench = make()
    session = bench.create("q")
    bench.rename(session, " a name ")
    assert bench.sessions()[0].name == "a name"
    with pytest.raises(TaskError, match="name has"):
        bench.rename(session, "x" * 201)


def test_problems_and_hints(make: Callable[..., Workbench]) -> None:
    bench = Workbench(make().home)
    problems = bench.problems(limit=3)
    assert len(problems) == 3
    assert bench.hint(problems[0].content) is None
    assert "only knows short stories" in (bench.hint("What is the capital of France?") or "")
    assert bench.hint("  ") is None
    hint = bench.hint(problems[0].content, {"run_code": "true"}) or ""
    assert hint.startswith("The bundled model is not asked for Python")
    assert bench.hint(problems[0].content, {"run_code": False}) is None
    assert make().hint("What is the capital of France?", {"run_code": True}) is None
    with pytest.raises(TaskError, match="There is no split"):
        bench.problems("../x")
    bench.close()
