"""The workbench with the bundled 4-bit models, end to end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.models.base import Policy, ProcessRewardModel
from lab.models import Models, load_models
from lab.results import ModelSettings
from lab.workbench import Workbench
from tests.comparing import lasting, same

pytestmark = pytest.mark.timeout(600)  # loads models

LONG = 150.0
ITERATIONS = 4


@pytest.fixture(scope="module")
def models() -> Models:
    """Loaded once for all tests here; each workbench gets them as if it had loaded them."""
    return load_models(ModelSettings(device="cpu"))


@pytest.fixture
def bench(tmp_path: Path, models: Models) -> Iterator[Workbench]:
    bench = Workbench(tmp_path, load=lambda *_: models)
    yield bench
    bench.close()


def searched(home: Path, models: Models, seed: int) -> dict[str, Any]:
    """A search in a fresh home, as `lab search --json` prints it."""
    bench = Workbench(home, load=lambda *_: models)
    problem = bench.problems(limit=1)[0]
    session = bench.create(problem.content, gold=problem.answer, seed=seed)
    bench.run(session, iterations=ITERATIONS)
    state = bench.wait(session, timeout=LONG)
    assert (state.status, state.message, state.done) == ("idle", "", ITERATIONS)
    result: dict[str, Any] = msgspec.to_builtins(bench.show(session))
    bench.close()
    return result


def test_the_models_are_what_they_should_be(models: Models) -> None:
    policy: Policy = models.policy
    prm: ProcessRewardModel = models.prm
    assert policy.identity != prm.identity
    assert policy.identity.startswith("tiny-policy@")


def test_the_same_seed_gives_the_same_result_in_two_fresh_homes(
    tmp_path: Path, models: Models
) -> None:
    one, two = (searched(tmp_path / home, models, seed=1) for home in ("one", "two"))
    assert one["session"] != two["session"]
    same(lasting(one), lasting(two))
    assert one["nodes"] > ITERATIONS
    assert one["tokens"]["policy"]["generated"] > 0
    assert one["tokens"]["prm"]["unique"] > 0
    assert one["models"] == {"policy": "bundled", "prm": "bundled"}
    assert all(0 <= step["value"] <= 1 for step in one["best"]["steps"])


def test_a_search_that_goes_on_later_generates_nothing_twice(
    bench: Workbench, tmp_path: Path, models: Models
) -> None:
    problem = bench.problems(limit=2)[1]
    sessions = [bench.create(problem.content, gold=problem.answer, seed=2) for _ in range(2)]
    for session in sessions:
        for _ in range(ITERATIONS):
            bench.run(session, iterations=1)
        assert bench.wait(session, timeout=LONG).message == ""
    first, second = (bench.export(session) for session in sessions)
    assert first["nodes"] == second["nodes"]
    # Replies from the store count as new ones do, though no work was done for them.
    assert lasting(first["result"]) == lasting(second["result"])
    work = second["result"]["tokens"]
    assert work["policy"]["forwarded"] == work["prm"]["forwarded"] == 0
    assert work["policy"]["unique"] > 0


def test_a_user_s_own_story(bench: Workbench) -> None:
    question = (
        "Nora has 14 pears. She buys 6 more. She sells 5 pears. How many pears does Nora have now?"
    )
    assert bench.hint(question) is None
    session = bench.create(question)
    bench.run(session, tokens=150)
    state = bench.wait(session, timeout=LONG)
    assert (state.status, state.message) == ("idle", "")
    assert 0 <= state.tokens <= 150
    assert bench.show(session).correct is None


def test_a_person_writes_a_step_asks_for_more_and_looks_ahead(bench: Workbench) -> None:
    problem = bench.problems(limit=1)[0]
    session = bench.create(problem.content, gold=problem.answer, seed=1)
    bench.run(session, iterations=1)
    bench.wait(session, timeout=LONG)
    bench.steering.write(session, 0, "Let us begin with what is given.")
    assert bench.wait(session, timeout=LONG).message == ""
    mine = bench.export(session)["nodes"][-1]
    assert (mine["made_by"], mine["verdict"]) == ("person", "continue")
    assert 0 < mine["prm"] == mine["value"] < 1
    bench.steering.expand(session, mine["id"], 3, 1.5)
    bench.steering.roll_out(session, mine["id"], 2)
    assert bench.wait(session, timeout=LONG).message == ""
    count = len(bench.export(session)["nodes"])
    bench.steering.keep_rollout(session, mine["id"])
    bench.wait(session, timeout=LONG)
    bench.steering.overrule(session, mine["id"], 0.9)
    bench.run(session, iterations=2)
    assert bench.wait(session, timeout=LONG).message == ""
    nodes = bench.export(session)["nodes"]
    assert nodes[count]["made_by"] == "rollout"
    assert (nodes[mine["id"]]["value"], nodes[mine["id"]]["visits"] > 0) == (0.9, True)
    did = [item.doing for item in bench.steering.history(session)]
    assert did[2:7] == ["wrote", "asked", "rolled_out", "kept", "overruled"]
