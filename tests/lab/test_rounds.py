"""Rounds in a world that can be taught: what they do, what is on disk, and that they go on."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ParameterError, TaskError
from lab.round_results import PHASES, RoundState
from lab.workbench import Workbench
from sessions.errors import AdapterNeededError, RoundInUseError, RoundNotFoundError
from tests.lab.benches import LONG
from tests.lab.classroom import UPDATES, Teacher, bench, settings, updates

Opener = Callable[..., Workbench]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def open_bench(home: Path) -> Iterator[Opener]:
    opened: list[Workbench] = []

    def make(teacher: Any = None) -> Workbench:
        opened.append(bench(home, teacher or Teacher()))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def done(lab: Workbench, home: Path, **changes: Any) -> RoundState:
    """A round to its end."""
    return lab.rounds.wait(lab.rounds.start(settings(home, **changes)), LONG)


def test_a_round_searches_learns_compares_and_comes_into_use(
    open_bench: Opener, home: Path
) -> None:
    teacher = Teacher()
    lab = open_bench(teacher)
    state = done(lab, home)
    assert (state.status, state.message) == ("done", "")
    assert [phase.status for phase in state.phases] == ["done"] * len(PHASES)
    assert set(state.curves) == {"prm", "policy"}
    assert len(state.curves["policy"]) == UPDATES
    verdict = state.verdict
    assert verdict is not None
    assert verdict.greedy is not None
    assert verdict.greedy.n == 12
    assert verdict.greedy.after.estimate == 1.0
    assert verdict.greedy.before.estimate < 1.0
    assert not verdict.greedy.broken
    assert {one.problem for one in verdict.changed} <= set(verdict.greedy.fixed)
    for one in verdict.changed:
        assert one.session_after is not None
        assert (one.gold, one.after, one.fixed) == ("1", "1", True)
        assert lab.show(one.session_after).answer == "1"
    trained = [phase.note for phase in state.phases if phase.name in ("prm", "policy")]
    assert all(note.startswith("first update after ") for note in trained)
    assert verdict.guided is not None
    assert verdict.guided.n == 6
    assert verdict.calibration is not None
    assert verdict.activated == {"policy": True, "prm": True}

    # Both models learnt, from examples whose sessions are known.
    assert [role for role, _, _ in teacher.taught] == ["prm", "policy"]
    for row in lab.adapters.rows():
        assert row.active
        meta = json.loads((home / "adapters" / row.id / "meta.json").read_text("ascii"))
        assert meta == row.meta
        assert (meta["round"], meta["parent"], meta["seed"]) == (state.id, None, 0)
        assert meta["recipe"]["name"] == "rest_mcts"
        assert meta["data"]["rows"] == sum(meta["data"]["sessions"].values()) > 0
        assert set(meta["data"]["sessions"]) <= {one.id for one in lab.sessions()}
        assert meta["evaluation"]["greedy"]["n"] == 12
        assert meta["training"]["steps"] == UPDATES
        assert "torch" in meta["versions"]
        lines = (home / meta["data"]["file"]).read_text().splitlines()
        assert len(lines) == meta["data"]["rows"]


def test_new_sessions_use_what_was_learnt_and_old_ones_go_on_as_they_were(
    open_bench: Opener, home: Path
) -> None:
    lab = open_bench()
    before = lab.create("What 900?", gold="1", algorithm="sampling", params={"samples": 1})
    lab.run(before, iterations=1)
    lab.wait(before, LONG)
    state = done(lab, home)
    assert state.verdict is not None
    policy = state.verdict.adapters["policy"]
    after = lab.create("What 900?", gold="1", algorithm="sampling", params={"samples": 1})
    for session in (before, after):
        lab.run(session, iterations=20)
        assert lab.wait(session, LONG).message == ""
    assert lab.show(after).models.policy == f"world + adapter {policy}"
    assert lab.show(before).models.policy == "world"
    assert lab.show(after).answer == "1"
    steps = [step.text for step in lab.show(after).best.steps]
    assert steps == ["step 0\n", "step 0\n", "Answer: 1\n"]

    lab.rounds.activate("base")
    back = lab.create("What 900?", algorithm="sampling", params={"samples": 1})
    assert lab.show(back).models.policy == "world"
    assert lab.rounds.activate(state.id)[0] == f"world + adapter {policy}"

    # What a session goes on with stays, until that goes on with something else.
    lab.rounds.activate("base")
    with pytest.raises(AdapterNeededError, match=f"is needed: session {after} would not go on"):
        lab.rounds.delete(state.id)
    lab.steering.use(after, lab.rounds.chosen("base"))
    lab.rounds.delete(state.id)
    assert not lab.adapters.rows()
    lab.run(after, iterations=1)
    assert lab.wait(after, LONG).message == ""


def test_a_session_of_another_model_does_not_go_on(open_bench: Opener, home: Path) -> None:
    from engine.search.driver import create
    from sessions.store import Store

    store = Store(home)
    first = create("What?", None, "mcts_star", {}, 0, "other + adapter 01234567", "world")
    session = store.create(first)
    store.close()
    with pytest.raises(ParameterError, match="other \\+ adapter 01234567, and this lab runs world"):
        open_bench().run(session, iterations=1)


def test_a_worse_policy_is_not_activated_unless_asked(open_bench: Opener, home: Path) -> None:
    lab = open_bench(Teacher(answer="no number"))
    state = done(lab, home)
    assert state.status == "done"
    verdict = state.verdict
    assert verdict is not None
    assert verdict.greedy is not None
    assert verdict.greedy.after.estimate == 0
    policy = verdict.adapters["policy"]
    assert policy is not None
    (warning,) = [one for one in verdict.warnings if "policy is not activated" in one]
    assert f"`lab rounds activate {policy}`" in warning
    assert verdict.activated == {"policy": False, "prm": True}
    assert verdict.next["policy"] is None
    assert lab.adapters.active("policy") is None
    lab.rounds.activate(policy)
    assert lab.adapters.active("policy") == policy


def test_collapsed_values_are_told_and_not_used(open_bench: Opener, home: Path) -> None:
    verdict = done(open_bench(Teacher(flat=True)), home).verdict
    assert verdict is not None
    assert verdict.calibration is not None
    assert verdict.calibration.after.spread == 0
    assert any("have collapsed: their standard deviation is 0.000" in w for w in verdict.warnings)
    assert verdict.activated == {"policy": True, "prm": False}


def test_no_activate_leaves_everything_in_use(open_bench: Opener, home: Path) -> None:
    lab = open_bench()
    verdict = done(lab, home, activate=False).verdict
    assert verdict is not None
    assert verdict.activated == {"policy": False, "prm": False}
    assert verdict.next == verdict.adapters
    assert lab.adapters.labels() == ("world", "world")


def test_a_pool_without_a_right_answer_teaches_nothing(open_bench: Opener, home: Path) -> None:
    teacher = Teacher()
    asked = settings(home)
    path = Path(asked.pool)
    path.write_text(path.read_text().replace('"1"}', '"seven"}'))
    lab = open_bench(teacher)
    state = lab.rounds.wait(lab.rounds.start(asked), LONG)
    assert (state.status, state.message) == ("done", "")
    assert teacher.taught == []
    assert [phase.name for phase in state.phases if phase.status == "skipped"] == [
        "prm",
        "policy",
        "greedy",
        "guided",
    ]
    assert state.verdict is not None
    (warning,) = state.verdict.warnings
    assert warning.startswith("No right solution was found anywhere in the pool")


def test_rounds_in_a_row_go_on_from_each_other(open_bench: Opener, home: Path) -> None:
    teacher = Teacher()
    lab = open_bench(teacher)
    last = done(lab, home, rounds=3)
    assert (last.number, last.rounds, last.status) == (3, 3, "done")
    first, second, third = lab.rounds.states()[::-1]
    assert {first.series, second.series, third.series} == {first.id}
    assert first.verdict is not None
    assert second.verdict is not None
    assert second.start == first.verdict.next
    assert third.start == second.verdict.next
    parents = {row.id: row.parent for row in lab.adapters.rows() if row.role == "policy"}
    chain = [first.verdict.adapters["policy"], second.verdict.adapters["policy"]]
    assert parents[str(chain[1])] == chain[0]
    assert parents[str(chain[0])] is None
    starts = [start and start.name for role, start, _ in teacher.taught if role == "policy"]
    assert starts == [None, *chain]
    assert len(teacher.opened) == len(set(teacher.opened)) <= 4, "those of the first are closed"
    comparison = lab.rounds.compare(first.id, third.id)
    assert comparison is not None
    assert (comparison.n, comparison.difference.estimate) == (12, 0.0)

    # Lineage: what others grew from stays, and the round that made it with it.
    with pytest.raises(AdapterNeededError, match="trained on from it"):
        lab.rounds.delete(first.id)
    with pytest.raises(AdapterNeededError, match="is the one in use"):
        lab.rounds.delete(third.id)
    lab.rounds.activate(first.id)
    assert lab.rounds.chosen(first.id) == first.verdict.adapters
    lab.rounds.activate("base", "prm")
    assert lab.adapters.start() == {"policy": chain[0], "prm": None}
    lab.rounds.delete(third.id)
    lab.rounds.delete(second.id)
    assert [state.id for state in lab.rounds.states()] == [first.id]
    assert {row.round for row in lab.adapters.rows()} == {first.id}
    assert not (home / "rounds" / third.id).exists()


def test_the_same_again_begins_anew_and_from_what_is_in_use(open_bench: Opener, home: Path) -> None:
    lab = open_bench()
    one, other = done(lab, home), done(lab, home)
    assert one.id != other.id
    assert one.verdict is not None
    assert other.start == one.verdict.adapters
    plan = lab.rounds.plan(settings(home))
    assert plan.seconds is not None
    assert plan.goes_on is None
    assert plan.policy == lab.adapters.labels()[0]


class Halting(Teacher):
    """A teacher who waits at an update, so that a test can act there."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.reached, self.on = threading.Event(), threading.Event()

    def teach(self, *arguments: Any) -> Any:
        tell = arguments[-1]

        def waiting(progress: Any) -> bool:
            if progress.step == self.at and not self.on.is_set():
                self.reached.set()
                assert self.on.wait(LONG)
            return bool(tell(progress))

        return super().teach(*arguments[:-1], waiting)


def test_training_is_paused_and_goes_on(open_bench: Opener, home: Path) -> None:
    teacher = Halting(at=5)
    lab = open_bench(teacher)
    asked = settings(home)
    series = lab.rounds.start(asked)
    assert teacher.reached.wait(LONG)
    state = lab.rounds.state(series)
    assert (state.status, state.phase) == ("running", "prm")
    phase = next(one for one in state.phases if one.name == "prm")
    assert (phase.done, phase.total, phase.status) == (4, UPDATES, "running")
    # Searches wait for the models, and say what for.
    session = lab.create("What 900?")
    lab.run(session, iterations=1)
    assert lab.state(session).message == "waits: the process reward model is being trained"
    with pytest.raises(RoundInUseError, match="pause it first"):
        lab.rounds.delete(series)
    lab.rounds.pause(series)
    assert lab.rounds.state(series).status == "pausing"
    teacher.on.set()
    assert lab.rounds.wait(series, LONG).status == "idle"
    assert lab.wait(session, LONG).message == ""
    assert lab.show(session).iterations == 1

    plan = lab.rounds.plan(asked)
    assert (plan.goes_on, plan.done) == (series, ["search", "examples"])
    nodes = lab.batches()
    assert lab.rounds.resume(series) == series
    assert lab.rounds.wait(series, LONG).status == "done"
    assert updates(home, series, "prm") == list(range(UPDATES)), "no update twice"
    assert len(lab.batches()) == len(nodes) + 4
    with pytest.raises(ParameterError, match="is done: begin a new one"):
        lab.rounds.resume(series)


def test_a_round_goes_on_in_another_process_life(open_bench: Opener, home: Path) -> None:
    teacher = Halting(at=7)
    lab = open_bench(teacher)
    series = lab.rounds.start(settings(home))
    assert teacher.reached.wait(LONG)
    closing = threading.Thread(target=lab.close)
    closing.start()
    while not lab._worker.closing and not lab.rounds._runs[series]._stopping.is_set():
        pass
    teacher.on.set()
    closing.join(LONG)
    again = open_bench()
    assert again.rounds.state(series).status == "idle"
    assert again.rounds.start(settings(home)) == series
    assert again.rounds.wait(series, LONG).status == "done"
    assert updates(home, series, "prm") == list(range(UPDATES))


def test_a_cancelled_round_does_not_go_on(open_bench: Opener, home: Path) -> None:
    teacher = Halting(at=2)
    lab = open_bench(teacher)
    series = lab.rounds.start(settings(home))
    assert teacher.reached.wait(LONG)
    teacher.on.set()
    lab.rounds.cancel(series)
    assert lab.rounds.state(series).status == "cancelled"
    assert lab.rounds.start(settings(home)) != series
    lab.rounds.wait(lab.rounds.states()[0].id, LONG)


def test_an_error_is_told_and_the_round_goes_on_after_it(open_bench: Opener, home: Path) -> None:
    from engine.errors import TrainingError

    teacher = Teacher()
    teacher.error = TrainingError("The loss is not a number: take a lower rate.")
    lab = open_bench(teacher)
    state = done(lab, home)
    assert (state.status, state.message) == ("failed", str(teacher.error))
    teacher.error = RuntimeError("bang")
    state = done(lab, home)
    assert "Internal error (RuntimeError: bang)" in state.message
    teacher.error = None
    again = done(lab, home)
    assert (again.id, again.status, again.message) == (state.id, "done", "")


def test_models_that_take_no_adapters_say_so(open_bench: Opener, home: Path) -> None:
    from tests.lab import classroom

    lab = Workbench(home, classroom.SETTINGS, lambda *_: classroom.models(None))
    state = lab.rounds.wait(lab.rounds.start(settings(home)), LONG)
    lab.close()
    assert (state.status, "take no adapters" in state.message) == ("failed", True)


def test_bad_settings_are_refused_before_anything_is_made(open_bench: Opener, home: Path) -> None:
    lab = open_bench()
    with pytest.raises(ParameterError, match="no recipe 'x'"):
        lab.rounds.start(settings(home, recipe="x"))
    with pytest.raises(ParameterError, match="rounds cannot be 0"):
        lab.rounds.start(settings(home, rounds=0))
    with pytest.raises(TaskError, match="none is left after the first 12"):
        lab.rounds.start(settings(home, heldout_skip=12))
    with pytest.raises(TaskError, match="8 problems are in the pool"):
        lab.rounds.start(settings(home, heldout=settings(home).pool))
    for call in (lab.rounds.state, lab.rounds.pause, lab.rounds.resume, lab.rounds.delete):
        with pytest.raises(RoundNotFoundError):
            call("nothing")
    assert lab.rounds.states() == []
    assert lab.batches() == []


def test_a_recipe_that_leaves_the_values_compares_only_answers(
    open_bench: Opener, home: Path
) -> None:
    teacher = Teacher()
    lab = open_bench(teacher)
    state = done(lab, home, recipe="rest_em")
    assert state.status == "done"
    assert [role for role, _, _ in teacher.taught] == ["policy"]
    assert state.verdict is not None
    assert state.verdict.guided is None
    assert state.verdict.greedy is not None
    notes = {phase.name: phase.note for phase in state.phases if phase.status == "skipped"}
    assert notes == {
        "prm": "the recipe leaves it as it is",
        "guided": "no new process reward model",
    }


def test_the_time_of_a_first_round_is_told_by_searches_like_its_own(
    open_bench: Opener, home: Path
) -> None:
    lab = open_bench()
    asked = settings(home)
    assert lab.rounds.plan(asked).seconds is None
    problems = lab.dataset(asked.heldout)
    lab.wait_batch(lab.solve(problems, algorithm="sampling", parallel=4), LONG)
    assert lab.rounds.plan(asked).seconds is None, "samples tell nothing of MCTS*"
    lab.wait_batch(lab.solve(problems, iterations=6, parallel=4), LONG)
    pace = lab.batches()[0].seconds / 12
    small, large = lab.rounds.plan(asked), lab.rounds.plan(settings(home, iterations=12))
    assert small.seconds is not None
    assert large.seconds == pytest.approx(2 * small.seconds)
    # 8 problems of the pool, and 6 that are searched twice, at the least.
    assert 20 * pace < small.seconds < 60 * pace


def test_the_time_of_a_round_follows_what_is_asked_of_it(open_bench: Opener, home: Path) -> None:
    lab = open_bench()
    done(lab, home, activate=False)

    def expected(**changes: Any) -> float:
        seconds = lab.rounds.plan(settings(home, **changes), fresh=True).seconds
        assert seconds is not None
        return seconds

    same = expected()
    assert expected(pool_limit=None) == pytest.approx(same), "all of a pool of that size"
    assert expected(pool_limit=4) < same
    assert expected(heldout_limit=3) < same
    assert expected(iterations=60) > 1.5 * same


def test_a_row_of_rounds_goes_on_without_its_first(open_bench: Opener, home: Path) -> None:
    teacher = Teacher()
    lab = open_bench(teacher)
    last = done(lab, home, rounds=2, activate=False)
    first = lab.rounds.states()[-1]
    for row in lab.adapters.rows():
        row.meta["round"] = last.id  # nothing of the first is needed
    with lab._store.adapters._writes.writing() as db:
        db.execute("UPDATE adapters SET round = ?", [last.id])
    lab.rounds.delete(first.id)
    assert lab.rounds.wait(first.id, 0).id == last.id
    assert lab.rounds.wait(last.series, 0).id == last.id
    lab.rounds.cancel(last.id)


class Watching(Teacher):
    """A teacher who looks at the round while it teaches."""

    lab: Workbench
    seen: list[tuple[str, float]]

    def teach(self, *arguments: Any) -> Any:
        def looking(progress: Any) -> bool:
            state = self.lab.rounds.states()[0]
            if progress.step > 2 and state.left is not None:
                self.seen.append((state.phase, state.left))
            return bool(arguments[-1](progress))

        return super().teach(*arguments[:-1], looking)


def test_the_first_round_of_a_home_says_what_is_left(open_bench: Opener, home: Path) -> None:
    teacher = Watching(pause=0.005)
    teacher.seen = []
    teacher.lab = lab = open_bench(teacher)
    done(lab, home)
    phases = [phase for phase, _ in teacher.seen]
    assert set(phases) == {"prm", "policy"}
    assert all(left > 0 for _, left in teacher.seen)


def test_recipes_search_with_the_tokens_that_were_asked_for(open_bench: Opener, home: Path) -> None:
    lab = open_bench()
    for recipe, tokens in (("rest_mcts", 200), ("rest_em", 200), ("rest_em", 300)):
        asked = {"recipe": recipe, "tokens": tokens, "iterations": None}
        plan = lab.rounds.plan(settings(home, **asked))
        assert plan.search.endswith(f", {tokens} tokens a problem")
        assert plan.goes_on is None, "another budget is another round"
        lab.rounds.activate("base")
        state = done(lab, home, **asked)
        searches = lab.batch_problems(lab.rounds.batches(state.id)["pool"])
        each = [one.tokens for one in searches]
        assert max(each) <= tokens
        assert min(each) > 0.9 * tokens, "nothing else ended a search"
        assert state.verdict is not None
        assert state.verdict.pool_searches == 8
        assert state.verdict.pool_tokens == sum(each)
    with pytest.raises(ParameterError, match="tokens cannot be 0"):
        lab.rounds.plan(settings(home, tokens=0))
