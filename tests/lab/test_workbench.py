"""The workbench on a real store, with models that need no weights."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import EventError, ModelError, ParameterError, TaskError
from engine.models.base import Completion, PrefixRequest, ProposalRequest, Valuation
from lab.models import Models
from lab.results import ModelSettings, RunState
from lab.workbench import Workbench
from sessions.errors import LogConflictError, SessionInUseError, SessionNotFoundError
from tests.engine.worlds import World

SETTINGS = ModelSettings(policy="world", prm="world")
LONG = 60.0


class Gate(World):
    """A world whose proposals wait for permission, counted."""

    def __init__(self) -> None:
        super().__init__(words=9)
        self.asked = threading.Semaphore(0)
        self.allowed = threading.Semaphore(0)
        self.open = False

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        self.asked.release()
        if not self.open:
            assert self.allowed.acquire(timeout=LONG)
        return super().propose(requests)

    def let_all_through(self) -> None:
        self.open = True
        self.allowed.release(1000)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Workbench]]:
    opened = []

    def open_bench(world: World | None = None, home: Path = tmp_path, **changes: Any) -> Workbench:
        world = world or World(words=9)
        models = Models(world, world, ["a notice"])
        bench = Workbench(home, SETTINGS, changes.get("load", lambda _: models))
        opened.append((bench, world))
        return bench

    yield open_bench
    for bench, world in opened:
        if isinstance(world, Gate):
            world.let_all_through()
        bench.close()


def grown(bench: Workbench, session: str) -> list[dict[str, Any]]:
    """The tree without answers: the end of each run reads that of its best node so far."""
    nodes = bench.export(session)["nodes"]
    return [{**node, "answer": None, "correct": None} for node in nodes]


def finish(bench: Workbench, session: str, **limits: Any) -> RunState:
    bench.run(session, **limits)
    return bench.wait(session, timeout=LONG)


def test_a_session_from_question_to_answer(make: Callable[..., Workbench]) -> None:
    bench = make()
    assert bench.notices() == []
    session = bench.create(
        "  What?  ", gold="1", params={"b": "4"}, sampling={"T": 0.7}, name=" n "
    )
    assert bench.settings(session).params["branch"] == 4
    assert bench.settings(session).sampling["temperature"] == 0.7
    empty = bench.show(session)
    assert (empty.iterations, empty.nodes, empty.answer, empty.best.steps) == (0, 1, None, [])

    state = finish(bench, session, iterations=12)
    assert (state.status, state.message, state.done, state.target) == ("idle", "", 12, 12)
    assert bench.notices() == ["a notice"]
    result = bench.show(session)
    assert result.question == "What?"
    assert result.iterations == 12
    assert state.tokens == result.tokens.policy.generated > 0
    assert result.answer is not None
    assert result.correct == (result.answer == "1")
    assert result.best.steps[-1].text.startswith("Answer")
    assert result.params["sampling"] == bench.settings(session).sampling
    info = bench.sessions()[0]
    assert (info.name, info.iterations, info.nodes) == ("n", 12, result.nodes)
    assert (info.answer, info.correct, info.in_use_by) == (result.answer, result.correct, None)
    assert list(msgspec.to_builtins(result))[:10] == [
        "session", "question", "answer", "gold", "correct", "algorithm", "params", "seed",
        "iterations", "nodes",
    ]  # fmt: skip


def test_the_same_seed_gives_the_same_result_in_two_homes(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    results = []
    for home in (tmp_path / "a", tmp_path / "b"):
        bench = make(home=home)
        session = bench.create("What?", gold="1", seed=11)
        finish(bench, session, iterations=10)
        result = msgspec.to_builtins(bench.show(session))
        del result["session"], result["seconds"]
        results.append(msgspec.json.encode(result))
    assert results[0] == results[1]


def test_steps_one_by_one_make_the_tree_of_one_run(make: Callable[..., Workbench]) -> None:
    bench = make()
    once, stepwise = bench.create("What?", seed=5), bench.create("What?", seed=5)
    finish(bench, once, iterations=9)
    for _ in range(9):
        bench.run(stepwise, iterations=1)
    assert bench.wait(stepwise, timeout=LONG).status == "idle"
    assert grown(bench, once) == grown(bench, stepwise)


def test_a_run_asked_for_during_a_run_comes_after_it(make: Callable[..., Workbench]) -> None:
    world = Gate()
    bench = make(world)
    session = bench.create("What?")
    bench.run(session, iterations=1)
    assert world.asked.acquire(timeout=LONG)
    bench.run(session, iterations=2)
    assert bench.state(session).target == 3
    world.let_all_through()
    assert bench.wait(session, timeout=LONG).done == 3
    assert bench.show(session).iterations == 3


def test_a_session_goes_on_in_another_process_where_it_was(make: Callable[..., Workbench]) -> None:
    bench = make()
    whole, parts = bench.create("What?", seed=2), bench.create("What?", seed=2)
    finish(bench, whole, iterations=10)
    finish(bench, parts, iterations=4)
    other = make()  # a store of its own: the same as a second process
    before = bench.delta(parts, -1)
    finish(other, parts, iterations=6)
    after = bench.delta(parts, before["cursor"])
    assert not after["reset"]
    assert after["tree"]["iteration"] == 10
    nodes = {node["id"]: node for node in before["nodes"] + after["nodes"]}
    assert list(nodes.values()) == bench.delta(parts, -1)["nodes"]
    assert grown(bench, parts) == grown(bench, whole)
    assert finish(bench, parts, iterations=1).message == ""


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


def test_pause_ends_after_the_present_iteration(make: Callable[..., Workbench]) -> None:
    world = Gate()
    bench = make(world)
    session = bench.create("What?")
    bench.run(session)
    assert world.asked.acquire(timeout=LONG)
    bench.run(session, iterations=50)
    bench.pause(session)
    world.let_all_through()
    state = bench.wait(session, timeout=LONG)
    assert (state.status, state.done) == ("idle", 1)
    bench.pause(session)
    bench.stop(session)
    assert bench.state(session).status == "idle"


def test_sessions_take_turns(make: Callable[..., Workbench]) -> None:
    world = Gate()
    bench = make(world)
    sessions = [bench.create("What?", seed=seed) for seed in range(3)]
    bench.run(sessions[0])
    assert world.asked.acquire(timeout=LONG)
    for session in sessions[1:]:
        bench.run(session, iterations=3)
        assert bench.state(session).status == "queued"
    world.let_all_through()
    for session in sessions[1:]:
        assert bench.wait(session, timeout=LONG).done == 3
    assert bench.state(sessions[0]).done >= 3
    bench.pause(sessions[0])
    bench.wait(sessions[0], timeout=LONG)
    alone = bench.create("What?", seed=1)
    finish(bench, alone, iterations=3)
    assert grown(bench, alone) == grown(bench, sessions[1])


def test_limits_by_tokens(make: Callable[..., Workbench]) -> None:
    bench = make()
    session = bench.create("What?")
    state = finish(bench, session, tokens=200)
    assert 0 < state.tokens <= 200
    assert "tokens" not in bench.show(session).params


class Broken(World):
    """A world whose PRM fails in a way of one's choice."""

    def __init__(self) -> None:
        super().__init__(words=9)
        self.error: BaseException | None = None
        self.value: float | None = None

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        if self.error is not None:
            raise self.error
        if self.value is not None:
            return [Valuation(self.value) for _ in requests]
        return super().score(requests)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ModelError("The PRM said no."), "The PRM said no."),
        (RuntimeError("a\nb"), "Internal error (RuntimeError: a b). The whole report is in "),
        (SystemExit(3), "Internal error (SystemExit: 3)."),
    ],
)
def test_an_error_ends_the_run_and_not_the_thread(
    make: Callable[..., Workbench], tmp_path: Path, error: BaseException, message: str
) -> None:
    world = Broken()
    bench = make(world)
    session = bench.create("What?", gold="1", seed=4)
    finish(bench, session, iterations=2)
    world.error = error
    state = finish(bench, session, iterations=2)
    assert state.status == "failed"
    assert state.message.startswith(message)
    assert (tmp_path / "errors.log").exists() == message.startswith("Internal")
    assert bench.sessions()[0].in_use_by is None
    world.error = None
    assert finish(bench, session, iterations=2).status == "idle"
    assert bench.show(session).iterations == 4
    whole = bench.create("What?", gold="1", seed=4)
    finish(bench, whole, iterations=4)
    assert grown(bench, whole) == grown(bench, session)


def test_a_value_that_is_no_number_never_gets_into_a_log(make: Callable[..., Workbench]) -> None:
    world = Broken()
    bench = make(world)
    session, other = bench.create("What?"), bench.create("Else?")
    world.value = float("nan")
    assert finish(bench, session, iterations=1).status == "failed"
    world.value = None
    assert finish(bench, other, iterations=2).status == "idle"
    assert bench.show(session).iterations == 0


def test_models_that_cannot_be_loaded(make: Callable[..., Workbench]) -> None:
    tries = []

    def load(settings: ModelSettings) -> Models:
        tries.append(settings)
        if len(tries) == 1:
            raise ModelError("There is no such model.")
        world = World()
        return Models(world, world)

    bench = make(load=load)
    session = bench.create("What?")
    state = finish(bench, session, iterations=1)
    assert (state.status, state.message) == ("failed", "There is no such model.")
    assert finish(bench, session, iterations=1).status == "idle"
    assert tries == [SETTINGS, SETTINGS]


def test_a_failed_write_fails_the_run_and_shows_nothing(
    make: Callable[..., Workbench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()
    session, other = bench.create("What?"), bench.create("Else?")
    finish(bench, session, iterations=2)
    append = bench._store.append

    def refuse(identifier: str, *arguments: Any) -> int:
        if identifier == session:
            raise LogConflictError("The disk is full.")
        return append(identifier, *arguments)

    monkeypatch.setattr(bench._store, "append", refuse)
    bench.run(session, iterations=3)
    assert finish(bench, other, iterations=3).status == "idle"
    assert bench.wait(session, timeout=LONG).message == "The disk is full."
    assert bench.delta(session, -1)["tree"]["iteration"] == 2
    monkeypatch.undo()
    assert finish(bench, session, iterations=3).status == "idle"
    assert bench.show(session).iterations == 5


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
    bench = Workbench(tmp_path_factory.mktemp("home"), SETTINGS, lambda _: Models(world, world))
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


@pytest.mark.parametrize("algorithm", ["sampling", "beam"])
def test_other_algorithms_run_too(make: Callable[..., Workbench], algorithm: str) -> None:
    bench = make()
    session = bench.create("What?", gold="1", algorithm=algorithm)
    assert finish(bench, session).status == "idle"
    assert bench.show(session).stop == "complete"
    assert bench.node(session, 1)["selection"] is None


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"question": " "}, TaskError, "question is empty"),
        ({"question": "x" * 20_001}, TaskError, r"has 20,001 characters; it can have 20,000"),
        ({"question": "\ud800"}, TaskError, "question is not valid Unicode"),
        ({"question": "q", "gold": "\udfff"}, TaskError, "answer is not valid Unicode"),
        ({"question": "q", "name": "x" * 201}, TaskError, "name has 201 characters"),
        ({"question": "q", "algorithm": "luck"}, ParameterError, "no algorithm 'luck'"),
        ({"question": "q", "params": {"branch": 0}}, ParameterError, "branch cannot be 0"),
        ({"question": "q", "params": {"sampling": {}}}, ParameterError, "no parameter 'sampling'"),
        ({"question": "q", "sampling": {"heat": 1}}, ParameterError, "no parameter 'heat'"),
        ({"question": "q", "seed": -1}, ParameterError, "seed cannot be -1"),
        ({"question": "q", "seed": 2**63}, ParameterError, "seed cannot be"),
    ],
)
def test_what_makes_no_session(
    make: Callable[..., Workbench], arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    bench = make()
    with pytest.raises(error, match=match):
        bench.create(**arguments)
    assert bench.sessions() == []


@pytest.mark.parametrize("limit", [{"iterations": 0}, {"tokens": -1}, {"seconds": 0.0}])
def test_a_limit_is_positive(make: Callable[..., Workbench], limit: dict[str, Any]) -> None:
    bench = make()
    session = bench.create("q")
    with pytest.raises(ParameterError, match="a limit is greater than 0"):
        bench.run(session, **limit)
    assert not bench.state(session).active


def test_a_session_does_not_go_on_with_other_models(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    session = make().create("q")
    other = Workbench(tmp_path, ModelSettings(policy="else", prm="world"))
    with pytest.raises(ParameterError, match="made with the policy world, and this lab runs else"):
        other.run(session, iterations=1)
    other.close()


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
    assert make().hint("What is the capital of France?") is None
    with pytest.raises(TaskError, match="There is no split"):
        bench.problems("../x")
    bench.close()


def test_closing_in_the_middle_keeps_finished_iterations(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    world = World(words=9)
    bench = Workbench(tmp_path, SETTINGS, lambda _: Models(world, world))
    session = bench.create("What?", seed=3)
    bench.run(session)
    while bench.delta(session, -1)["tree"]["iteration"] < 3:
        time.sleep(0.001)
    bench.close()
    again = make()
    shown = again.show(session).iterations
    assert shown >= 3
    assert again.sessions()[0].in_use_by is None
    assert finish(again, session, iterations=1).done == 1
