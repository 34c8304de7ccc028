"""Making and running sessions on a real store, with models that need no weights."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.errors import ModelError, ParameterError, TaskError
from engine.models.progress import Progress
from lab.models import Models
from lab.results import ModelSettings
from lab.workbench import Workbench
from sessions.errors import LogConflictError
from tests.comparing import lasting
from tests.engine.worlds import World
from tests.lab.benches import LONG, SETTINGS, Broken, Gate, finish, grown
from tests.lab.solving import dataset


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
        results.append(lasting(msgspec.to_builtins(bench.show(session))))
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
    # Turns go by model call, and an iteration may need one call more than another.
    assert bench.state(sessions[0]).done >= 2
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

    def load(settings: ModelSettings, progress: Progress) -> Models:
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


def test_closing_in_the_middle_keeps_finished_iterations(
    make: Callable[..., Workbench], tmp_path: Path
) -> None:
    world = World(words=9)
    bench = Workbench(tmp_path, SETTINGS, lambda *_: Models(world, world))
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


def test_nobody_waits_for_a_closed_workbench(tmp_path: Path) -> None:
    world = Gate()
    bench = Workbench(tmp_path, SETTINGS, lambda *_: Models(world, world))
    running, queued = bench.create("What?"), bench.create("Else?")
    bench.run(running)
    assert world.asked.acquire(timeout=LONG)
    bench.run(queued)
    threading.Timer(0.05, world.let_all_through).start()
    bench.close()
    assert bench.wait(running).status == "idle"
    assert bench.wait(queued).status == "idle"


def test_what_is_refused_is_told_of_a_search_and_of_a_batch(make: Callable[..., Workbench]) -> None:
    bench = make(World(empty=1.0))
    session = bench.create("What?", gold="1", algorithm="beam", params={"width": 1, "branch": 3})
    assert finish(bench, session).status == "idle"
    found = bench.show(session)
    assert found.stop == "unusable"
    assert (found.refused.refused, found.refused.asked) == (9, 9)
    assert found.refused.words == "9 of 9 proposals (100 %): 9 no reply"
    assert bench.delta(session, -1)["tree"]["refused"]["words"] == found.refused.words
    batch = bench.solve(dataset(bench, 2), algorithm="beam", params={"width": 1, "branch": 3})
    bench.wait_batch(batch, LONG)
    assert bench.refused(batch).words == "18 of 18 proposals (100 %): 18 no reply"
