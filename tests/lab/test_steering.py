"""Steering sessions of a real store, with models that need no weights."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine import events as ev
from engine.errors import EventError, LabError, ModelError, ParameterError, TaskError
from engine.models.base import Completion, PrefixRequest, ProposalRequest, Usage, Valuation
from engine.sandbox.runner import protection, run_all
from engine.search import fulfil
from engine.tree import Tree
from lab.live import digest
from lab.results import RunState
from lab.workbench import Workbench
from sessions.errors import AdapterNotFoundError, SessionInUseError
from tests.engine.worlds import World
from tests.lab import classroom
from tests.lab.benches import LONG, Gate, finish, grown

Make = Callable[..., Workbench]


def begun(bench: Workbench, iterations: int = 4, **params: Any) -> str:
    session = bench.create("What?", gold="1", seed=3, params=params)
    finish(bench, session, iterations=iterations)
    return session


def rest(bench: Workbench, session: str) -> RunState:
    state = bench.wait(session, timeout=LONG)
    assert not state.active
    return state


def folded(bench: Workbench, session: str) -> Tree:
    """What is on disk; the page and the list of sessions must tell the same."""
    log = bench._store.events(session)
    tree = Tree.fold(log)
    shown = bench.delta(session, -1)
    values = [(node["value"], node["visits"], node["hidden"]) for node in shown["nodes"]]
    assert values == [(node.value, node.visits, node.hidden) for node in tree.nodes]
    assert bench._store.session(session).digest == digest(tree)
    return tree


def held_up(make: Make) -> tuple[Workbench, Gate, str]:
    """A workbench with a session that runs, and whose model call does not come back."""
    world = Gate()
    bench = make(world)
    session = bench.create("What?", gold="1", seed=3)
    bench.run(session, iterations=1)
    world.allowed.release(100)
    rest(bench, session)
    while world.allowed.acquire(blocking=False):
        pass
    while world.asked.acquire(blocking=False):
        pass
    bench.run(session, iterations=3)
    assert world.asked.acquire(timeout=LONG)
    return bench, world, session


def test_values_branches_and_parameters_change_at_once_and_count_from_then_on(make: Make) -> None:
    bench = make()
    session = begun(bench)
    steering = bench.steering
    steering.overrule(session, 1, 1.0)
    assert folded(bench, session).node(1).value == 1.0
    steering.prune(session, 2)
    steering.parameters(session, {"branch": 5}, {"temperature": 0.2})
    tree = folded(bench, session)
    assert (tree.node(2).hidden, tree.params["branch"]) == (True, 5)
    assert bench.settings(session).sampling["temperature"] == 0.2
    visits = tree.node(1).visits, tree.node(2).visits
    assert finish(bench, session, iterations=6).message == ""
    tree = folded(bench, session)
    assert tree.node(1).visits > visits[0]
    assert tree.node(2).visits == visits[1]
    steering.prune(session, 2, False)
    steering.overrule(session, 1, None)
    assert not folded(bench, session).node(2).hidden
    assert bench.sessions()[0].in_use_by is None


def test_acts_in_a_run_are_done_after_its_iteration(make: Make) -> None:
    bench, world, session = held_up(make)
    before = len(bench._store.events(session))
    bench.steering.overrule(session, 1, 1.0)
    bench.steering.write(session, 0, "my own")
    with pytest.raises(EventError, match="There is no node 999"):
        bench.steering.prune(session, 999)
    for call in (bench.steering.undo, bench.steering.redo):
        with pytest.raises(SessionInUseError, match="is running: pause it"):
            call(session)
    with pytest.raises(SessionInUseError, match="is running: pause it, then choose models"):
        bench.steering.use(session, {"policy": None})
    assert len(bench._store.events(session)) == before
    world.let_all_through()
    state = rest(bench, session)
    assert (state.status, state.message, state.done) == ("idle", "", 3)
    found = [item.doing for item in bench.steering.history(session)]
    assert found == ["created", *["iteration"] * 2, "overruled", "wrote", *["iteration"] * 2]
    assert folded(bench, session).node(1).overruled == 1.0


def test_words_said_in_a_run_are_there_at_once_and_stay(make: Make) -> None:
    bench, world, session = held_up(make)
    answered = [n["id"] for n in bench.export(session)["nodes"] if n["answer"] is not None]
    bench.note(session, 1, "look here")
    bench.verdicts.mark(session, 1, "wrong", "slip")
    bench.steering.tag(session, None, [" a ", "a", "b"])
    if answered:
        bench.verdicts.grade_leaf(session, answered[0], True)
    tree = folded(bench, session)
    assert (tree.node(1).note, tree.node(1).mark, tree.tags) == ("look here", "wrong", ("a", "b"))
    assert bench._store.session(session).tags == ["a", "b"]
    assert bench.state(session).active
    world.let_all_through()
    assert rest(bench, session).message == ""
    bench.note(session, 1, "and here")
    assert finish(bench, session, iterations=2).message == ""
    tree = folded(bench, session)
    assert (tree.iteration, tree.node(1).note) == (6, "and here")
    plain = bench.create("What?", gold="1", seed=3)
    for iterations in (1, 3, 2):
        finish(bench, plain, iterations=iterations)
    other = folded(bench, plain)
    assert [node.value for node in tree.nodes] == [node.value for node in other.nodes]


def test_a_verdict_in_the_last_iteration_of_a_run_stays_in_the_list(make: Make) -> None:
    """The search learns of it only after it has written down what it found."""
    bench, world, session = held_up(make)
    bench.pause(session)
    leaf = next((n["id"] for n in bench.export(session)["nodes"] if n["correct"] is not None), None)
    if leaf is not None:
        bench.verdicts.grade_leaf(session, leaf, not bench.node(session, leaf)["correct"])
    bench.note(session, 0, "said last")
    world.let_all_through()
    rest(bench, session)
    folded(bench, session)


def test_steps_of_ones_own_more_children_and_rollouts(make: Make) -> None:
    bench = make()
    session = begun(bench)
    steering = bench.steering
    steering.write(session, 0, "my own\r\n")
    assert rest(bench, session).status == "idle"
    mine = bench.node(session, len(folded(bench, session).nodes) - 1)
    assert (mine["step"], mine["made_by"]) == ("my own\n", "person")
    assert mine["value"] == mine["prm"]
    steering.expand(session, mine["id"], 3, 0.4)
    rest(bench, session)
    children = folded(bench, session).node(mine["id"]).children
    assert children
    assert bench.node(session, children[0])["origin"]["temperature"] == 0.4
    steering.roll_out(session, children[0], 4)
    rest(bench, session)
    count = len(folded(bench, session).nodes)
    steering.keep_rollout(session, children[0])
    rest(bench, session)
    tree = folded(bench, session)
    assert tree.node(children[0]).rolled_out is not None
    assert [node.origin for node in tree.nodes[count:]] == ["rollout"] * (len(tree.nodes) - count)
    assert finish(bench, session, iterations=2).message == ""


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda s, i: s.write(i, 0, " "), EventError, "The step is empty"),
        (lambda s, i: s.write(i, 0, "x" * 20_001), TaskError, "has 20,001 characters"),
        (lambda s, i: s.write(i, 0, "\ud800"), TaskError, "not valid Unicode"),
        (lambda s, i: s.expand(i, 0, 65), ParameterError, "it takes 1 to 64"),
        (lambda s, i: s.roll_out(i, 77), EventError, "There is no node 77"),
        (lambda s, i: s.keep_rollout(i, 0), EventError, "has not been rolled out"),
        (lambda s, i: s.tag(i, 1, ["x" * 61]), TaskError, "60 characters each"),
        (lambda s, i: s.parameters(i, {"branch": 0}), ParameterError, "branch cannot be 0"),
        (lambda s, i: s.use(i, {"policy": "00000000"}), AdapterNotFoundError, "00000000"),
        (lambda s, i: s.rewind(i, 3), EventError, "in the midst of something"),
        (lambda s, i: s.fork(i, 10_000), EventError, "There is no event 10000"),
        (lambda s, i: s.consequences(i, 1, 7.0), EventError, "from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(
    make: Make, call: Callable[..., None], error: type[LabError], words: str
) -> None:
    bench = make()
    session = begun(bench, 1)
    length = len(bench._store.events(session))
    with pytest.raises(error, match=words):
        call(bench.steering, session)
    assert len(bench._store.events(session)) == length
    assert not bench.state(session).active


class Choosy(Gate):
    """A PRM that refuses what a person writes."""

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        if any("mine\n" in request.steps for request in requests):
            raise ModelError("The PRM cannot read this step.")
        return super().score(requests)


def test_an_act_that_fails_says_why_and_the_run_goes_on(make: Make) -> None:
    world = Choosy()
    bench = make(world)
    session, other = bench.create("What?"), bench.create("Else?")
    bench.run(session, iterations=3)
    bench.run(other, iterations=2)
    assert world.asked.acquire(timeout=LONG)
    bench.steering.write(session, 0, "mine")
    world.let_all_through()
    state = rest(bench, session)
    assert (state.status, state.done) == ("idle", 3)
    assert state.message == "The PRM cannot read this step."
    assert (rest(bench, other).status, bench.state(other).message) == ("idle", "")
    bench.steering.write(session, 0, "mine")
    state = rest(bench, session)
    assert (state.status, state.message) == ("failed", "The PRM cannot read this step.")
    assert bench.sessions()[0].in_use_by is None
    assert finish(bench, session, iterations=1).message == ""
    assert folded(bench, session).iteration == 4


# By phases.


def test_phases_are_shown_and_kept_with_their_iteration(make: Make) -> None:
    bench = make()
    session = begun(bench, 2)
    length = len(bench._store.events(session))
    phases = []
    for _ in range(5):
        bench.step(session)
        assert rest(bench, session).message == ""
        shown = bench.delta(session, -1)
        phases.append((shown["tree"]["phase"], shown["tree"]["iteration"], len(shown["nodes"])))
        kept = len(bench._store.events(session)) > length
        assert kept == (len(phases) == 5)
    assert [phase for phase, _, _ in phases] == [
        "selected", "expanded", "evaluated", "rolled out", "backed up",
    ]  # fmt: skip
    assert {iteration for _, iteration, _ in phases} == {3}
    assert phases[1][2] > phases[0][2], "new nodes are seen before they are kept"
    folded(bench, session)
    whole = bench.create("What?", gold="1", seed=3)
    finish(bench, whole, iterations=3)
    assert grown(bench, whole) == grown(bench, session)
    with pytest.raises(ParameterError, match="phases cannot be 0"):
        bench.step(session, 0)


def test_a_held_iteration_survives_notes_and_begins_anew_after_acts(make: Make) -> None:
    bench = make()
    session = begun(bench, 2)
    bench.step(session, 3)
    rest(bench, session)
    nodes = len(bench.delta(session, -1)["nodes"])
    bench.note(session, 1, "while it is held")
    bench.verdicts.mark(session, 1, "right")
    assert len(bench.delta(session, -1)["nodes"]) == nodes
    for call in (bench.steering.prune, bench.steering.expand, bench.steering.roll_out):
        with pytest.raises(EventError, match="belongs to an iteration that is not finished"):
            call(session, nodes - 1)
    bench.step(session)
    rest(bench, session)
    assert bench.delta(session, -1)["tree"]["phase"] == "rolled out", "it went on where it was"
    bench.steering.overrule(session, 1, 0.0)
    assert len(bench.delta(session, -1)["nodes"]) < nodes
    bench.step(session)
    rest(bench, session)
    shown = bench.delta(session, -1)["tree"]
    assert (shown["phase"], shown["iteration"]) == ("selected", 3)
    bench.steering.undo(session)
    rest(bench, session)
    deadline = time.monotonic() + LONG
    while bench.delta(session, -1)["tree"]["iteration"] > 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    tree = folded(bench, session)
    assert (tree.iteration, tree.node(1).overruled) == (2, 0.0), "only what was held is undone"
    assert finish(bench, session, iterations=2).message == ""
    assert folded(bench, session).iteration == 4


def test_a_task_in_between_lets_a_held_iteration_begin_anew(make: Make) -> None:
    """Training closes drivers that nobody uses."""
    bench = make()
    session = begun(bench, 1)
    bench.step(session, 2)
    rest(bench, session)
    done: list[bool] = []
    bench._worker.task("work", lambda drivers: drivers.close_idle(), lambda end: done.append(True))
    assert finish(bench, session, iterations=2).message == ""
    assert done == [True]
    assert folded(bench, session).iteration == 3


# Time.


def test_undo_redo_history_and_forks(make: Make) -> None:
    bench = make()
    session = begun(bench, 2)
    steering = bench.steering
    steering.overrule(session, 1, 0.25)
    steering.tag(session, None, ["good"])
    steering.prune(session, 1)
    full = grown(bench, session)
    history = steering.history(session)
    assert [item.doing for item in history][3:] == ["overruled", "tagged", "pruned"]
    for _ in range(3):
        steering.undo(session)
        folded(bench, session)
    assert bench._store.session(session).tags == []
    assert folded(bench, session).node(1).overruled is None
    fork = steering.fork(session)
    assert grown(bench, fork) == grown(bench, session)
    named = next(one for one in bench.sessions() if one.id == fork)
    assert named.name.startswith(f"{named.question} @ ")  # told by what it asks
    for _ in range(5):  # more often than there is something
        steering.redo(session)
    assert grown(bench, session) == full
    assert bench._store.session(session).tags == ["good"]
    for _ in range(9):
        steering.undo(session)
    assert len(folded(bench, session).nodes) == 1
    steering.rewind(session, history[-2].last)
    tree = folded(bench, session)
    assert (tree.node(1).overruled, tree.node(1).pruned) == (0.25, False)
    length = len(bench._store.events(session))
    steering.rewind(session, history[-2].last)
    assert len(bench._store.events(session)) == length, "it is there already"
    for item in history:
        made = steering.fork(session, item.last, "a fork")
        assert folded(bench, made).iteration == item.iteration
        assert finish(bench, made, iterations=1).message == ""
        assert folded(bench, made).iteration == item.iteration + 1
    assert finish(bench, session, iterations=1).message == ""


def test_an_act_on_one_branch_leaves_the_answer_of_another(make: Make) -> None:
    """The best solution answers here; the vote, which the search does not go by, says otherwise."""
    bench = make(World())
    differs = 0
    for seed in range(6):
        session = bench.create("What?", seed=seed, algorithm="beam", params={"width": 4})
        finish(bench, session)
        before = bench.show(session).answer
        tree = folded(bench, session)
        differs += bench.delta(session, -1)["tree"]["answers"][0]["answer"] != before
        aside = [n.id for n in tree.nodes[1:] if not n.finished and not n.expanded][:1]
        for node in aside:
            bench.steering.overrule(session, node, 0.5)
            assert bench.show(session).answer == before
    assert differs


@pytest.mark.parametrize("algorithm", ["mcts_star", "beam"])
def test_consequences_are_what_then_happens(make: Make, algorithm: str) -> None:
    bench = make()
    session = bench.create("What?", gold="1", seed=5, algorithm=algorithm)
    finish(bench, session, iterations=5)
    steering = bench.steering
    acts: list[tuple[float | None, bool | None]] = [
        (0.0, None), (None, None), (None, True), (1.0, None), (None, False),
    ]  # fmt: skip
    node = max(folded(bench, session).nodes[1:], key=lambda one: one.visits).id
    for value, pruned in acts:
        before = folded(bench, session)
        length = len(bench._store.events(session))
        told = steering.consequences(session, node, value, pruned)
        assert len(bench._store.events(session)) == length
        if pruned is None:
            steering.overrule(session, node, value)
        else:
            steering.prune(session, node, pruned)
        after = folded(bench, session)
        changed = [
            (one.id, one.value, other.value)
            for one, other in zip(before.nodes, after.nodes, strict=True)
            if one.value != other.value
        ]
        assert [(one.node, one.before, one.after) for one in told.values] == changed
        assert told.answer_after == bench.show(session).answer
        fork = steering.fork(session)
        finish(bench, fork, iterations=1)
        selected = [e for e in bench._store.events(fork) if isinstance(e, ev.Selected)]
        chosen = selected[-1].path if len(selected) > 5 else []
        assert told.path_after == chosen


def test_another_process_keeps_its_session(make: Make) -> None:
    bench, world, session = held_up(make)
    other = make(World(words=9))
    for call in (
        lambda: other.steering.overrule(session, 1, 0.5),
        lambda: other.note(session, 1, "mine"),
        lambda: other.steering.write(session, 0, "mine"),
        lambda: other.steering.undo(session),
        lambda: other.steering.use(session, {}),
    ):
        with pytest.raises(SessionInUseError, match="is in use by process"):
            call()
    world.let_all_through()
    rest(bench, session)
    other.steering.overrule(session, 1, 0.5)
    other.steering.undo(session)
    assert finish(bench, session, iterations=1).message == ""
    assert folded(bench, session).iteration == 5
    assert grown(bench, session) == grown(other, session)


def test_acts_and_runs_from_many_sides_never_meet_in_the_log(make: Make) -> None:
    bench = make()
    session = begun(bench, 1)
    for turn in range(12):
        bench.run(session, iterations=1)
        bench.note(session, 1, f"note {turn}")
        bench.steering.overrule(session, 1, turn / 12)
        if turn % 4 == 3:
            assert rest(bench, session).message == ""
    state = rest(bench, session)
    assert (state.status, state.message) == ("idle", "")
    tree = folded(bench, session)
    assert (tree.iteration, tree.node(1).note, tree.node(1).overruled) == (13, "note 11", 11 / 12)


def test_a_search_goes_on_with_another_adapter(tmp_path: Path) -> None:
    bench = classroom.bench(tmp_path, classroom.Teacher())
    folder = bench._store.adapters.directory("a" * 8)
    folder.mkdir(parents=True)
    (folder / "word").write_text("7")
    bench._store.adapters.add("a" * 8, "policy", "world", None, {"round": "r"})
    session = begun(bench, 2, branch=2)
    bench.steering.use(session, {"policy": "a" * 8})
    assert finish(bench, session, iterations=8).message == ""
    tree = folded(bench, session)
    new = {node.step: node.source.policy for node in tree.nodes if node.source and node.iteration}
    assert new["Answer: 7\n"] == tree.policy != "world"
    assert {node.source.policy for node in tree.nodes[1:3] if node.source} == {"world"}
    with pytest.raises(ParameterError, match="is one of the policy world, not of the prm"):
        bench.steering.use(session, {"prm": "a" * 8})
    (chosen,) = [one for one in bench.steering.history(session) if one.doing == "models"]
    bench.steering.rewind(session, chosen.before)
    assert folded(bench, session).policy == "world"
    assert finish(bench, session, iterations=1).message == ""
    bench.close()


class Endless(World):
    """Writes Python that does not end."""

    def _propose(self, request: ProposalRequest) -> Completion:
        text = f"# Step 1: Wait.\nx = {request.slot}\nwhile True: pass\n"
        return Completion(text, text, "", (1, 2), (-0.5, -0.5), Usage(5))


@pytest.mark.skipif(not protection(), reason="code of a model is not run on this machine")
@pytest.mark.parametrize("way", ["stop", "hold"])
def test_programs_that_run_do_not_hold_a_stop_or_a_pause_up(
    make: Make, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    begun = threading.Event()

    def noticed(*rest: Any, **more: Any) -> Any:
        begun.set()
        return run_all(*rest, **more)

    monkeypatch.setattr(fulfil, "run_all", noticed)
    bench = make(Endless())
    params = {"run_code": True, "branch": 8}
    session = bench.create("What?", gold="1", algorithm="rstar_math", params=params)
    bench.run(session, iterations=1)
    assert begun.wait(LONG)
    pressed = time.monotonic()
    bench.stop(session) if way == "stop" else bench.steering.hold(session)
    assert not rest(bench, session).active
    assert time.monotonic() - pressed < 2
    assert len(folded(bench, session).nodes) == 1, "nothing of them is kept"
