"""A session in time, beside another one, and replayed with something changed."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from engine.errors import LabError, ParameterError
from engine.tree import Tree
from lab.cli import app
from lab.view import node_record, outcome
from lab.what_if import WhatIf
from lab.workbench import Workbench
from tests.lab.benches import LONG, finish

Make = Callable[..., Workbench]
PARAMS = {"inf": 0.8}


def searched(bench: Workbench, iterations: int = 10, **params: Any) -> str:
    session = bench.create("What?", gold="1", seed=8, params={**PARAMS, **params})
    finish(bench, session, iterations=iterations)
    return session


def log_of(bench: Workbench, session: str) -> list[Any]:
    return bench._current(session).view.log


def folded(frames: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Nodes and facts after frames, put together as a page does."""
    nodes: dict[int, dict[str, Any]] = {}
    facts: dict[str, Any] = {}
    for frame in frames:
        for changes in frame["nodes"]:
            nodes.setdefault(changes["id"], {}).update(changes)
        facts |= {name: value for name, value in frame.items() if name != "nodes"}
    return [nodes[identifier] for identifier in sorted(nodes)], facts


def test_frames_give_the_tree_at_every_event(make: Make) -> None:
    bench = make()
    session = searched(bench)
    bench.steering.overrule(session, 1, 0.9)
    bench.steering.undo(session)
    bench.verdicts.mark(session, 2, "wrong")
    bench.steering.prune(session, 3)
    finish(bench, session, iterations=3)
    log = log_of(bench, session)
    found = bench.studies.timelines.frames(session)
    frames = found["frames"]
    assert (found["more"], found["total"]) == (0, len(frames))
    for count in range(1, len(frames) + 1):
        tree = Tree.fold(log[: frames[count - 1]["at"]])
        nodes, facts = folded(frames[:count])
        assert nodes == [node_record(node) for node in tree.nodes]
        assert facts["path"] == tree.selected_path
        if facts["kind"] in ("iteration_finished", "concluded", "pruned"):
            assert facts.get("answer") == outcome(tree).answer


def test_a_tree_tells_whether_a_person_has_acted_since_its_last_iteration(make: Make) -> None:
    bench = make()
    session = searched(bench, 3)

    def told() -> bool:
        """As the present says it, and as its history does."""
        now = bench.delta(session, -1)["tree"]["acted"]
        _, facts = folded(bench.studies.timelines.frames(session)["frames"])
        assert facts["acted"] is now
        return bool(now)

    assert told() is False
    bench.verdicts.mark(session, 2, "wrong")
    assert told() is False
    bench.steering.overrule(session, 1, 0.9)
    assert told() is True
    bench.steering.undo(session)
    assert told() is False
    bench.steering.redo(session)
    assert told() is True
    finish(bench, session, iterations=1)
    assert told() is False
    bench.steering.write(session, 0, "a step of mine")
    bench.wait(session, timeout=LONG)
    assert told() is True
    assert make().delta(session, -1)["tree"]["acted"] is True


def test_frames_come_in_parts_and_begin_anew_where_the_log_went_back(make: Make) -> None:
    bench = make()
    session = searched(bench, 4)
    timelines = bench.studies.timelines
    whole = timelines.frames(session)["frames"]
    first = timelines.frames(session, 0, limit=10)
    assert first["frames"] == whole[:10]
    assert first["more"] == len(whole) - 10
    rest = timelines.frames(session, whole[9]["at"])
    assert (rest["reset"], rest["frames"]) == (False, whole[10:])
    finish(bench, session, iterations=1)
    more = timelines.frames(session, whole[-1]["at"])
    assert not more["reset"]
    assert more["frames"][-1]["iteration"] == 5
    bench.steering.undo(session)
    anew = timelines.frames(session, more["frames"][-1]["at"])
    assert anew["reset"]
    assert anew["frames"] == whole


def test_two_searches_side_by_side(make: Make) -> None:
    bench = make()
    one = searched(bench)
    other = searched(bench, 10, exploration_constant=2.0)
    found = bench.studies.comparisons.sessions(one, other)
    trees = [Tree.fold(log_of(bench, session)) for session in (one, other)]
    assert found.one.params == {"exploration_constant": 0.1}
    assert found.other.params == {"exploration_constant": 2.0}
    for pair in found.pairs:
        assert trees[0].steps(pair.one) == trees[1].steps(pair.other)
        assert pair.values == (trees[0].node(pair.one).value, trees[1].node(pair.other).value)
    texts = [{tree.steps(node.id) for node in tree.nodes} for tree in trees]
    assert {trees[0].steps(node) for node in found.only_one} == texts[0] - texts[1]
    assert {trees[1].steps(node) for node in found.only_other} == texts[1] - texts[0]
    rows = bench.verdicts.rewards(one).rewards.by_node()
    assert [p.rewards[0] for p in found.pairs] == [
        rows[p.one].value if p.one in rows else None for p in found.pairs
    ]
    elsewhere = bench.create("What else?")
    with pytest.raises(ParameterError, match="different questions"):
        bench.studies.comparisons.sessions(one, elsewhere)


def ended(bench: Workbench, identifier: str) -> WhatIf:
    state = bench.studies.what_ifs.state(identifier)
    until = time.monotonic() + LONG
    while state.status in ("looking", "generating") and time.monotonic() < until:
        time.sleep(0.01)
        state = bench.studies.what_ifs.state(identifier)
    return state


def test_what_if(make: Make) -> None:
    bench = make()
    session = searched(bench)
    what_ifs = bench.studies.what_ifs
    supposed = what_ifs.supposition({"params": {"exploration_constant": 2.0}, "values": {"1": 0.2}})
    identifier = what_ifs.look(session, supposed)
    state = ended(bench, identifier)
    assert (state.status, state.made) == ("known", None)
    assert state.missing > 0
    assert state.likely >= state.missing
    before = len(bench.sessions())
    what_ifs.generate(identifier)
    state = ended(bench, identifier)
    assert state.status == "done"
    assert state.made is not None
    assert len(bench.sessions()) == before + 1
    assert bench.node(state.made, 1)["overruled"] == 0.2
    assert "exploration_constant = 2.0" in next(
        one.name for one in bench.sessions() if one.id == state.made
    )
    # All is stored now: looking alone makes the session.
    again = ended(bench, what_ifs.look(session, supposed))
    assert (again.status, again.missing) == ("done", 0)

    with pytest.raises(ParameterError, match="cannot be supposed"):
        what_ifs.supposition({"values": {"one": 0.2}})
    with pytest.raises(ParameterError, match="cannot be supposed"):
        what_ifs.supposition({"parameters": {}})
    wrong = what_ifs.supposition({"params": {"branch": 0}})
    failed = ended(bench, what_ifs.look(session, wrong))
    assert (failed.status, "branch cannot be 0" in failed.message) == ("failed", True)
    with pytest.raises(LabError, match="no replay"):
        what_ifs.state("nothing")


def test_compare_and_fork_on_the_command_line(make: Make) -> None:
    bench = make()
    one = searched(bench, 6)
    home = ["--home", str(bench.home)]
    forked = CliRunner().invoke(app, ["fork", one, "--at", "20", "--name", "half", *home])
    assert forked.exit_code == 0, forked.output
    other = forked.stdout.strip()
    assert other in {row.id for row in bench.sessions() if row.name == "half"}
    found = bench.studies.comparisons.sessions(one, other)
    compared = CliRunner().invoke(app, ["compare", one, other, *home])
    assert f"{len(found.pairs)} common nodes" in compared.stdout
    assert f"only in the second: {len(found.only_other)}." in compared.stdout
    as_json = CliRunner().invoke(app, ["compare", one, other, "--json", *home])
    assert msgspec.json.decode(as_json.stdout, type=type(found)) == found
