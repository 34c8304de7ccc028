"""Changing the models of a running lab: only when nothing runs, remembered, and never mixed up."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import ParameterError
from lab.model_choice import FILE_NAME, ModelsInUseError
from lab.models import Models
from lab.results import ModelSettings
from lab.workbench import Workbench
from tests.engine.worlds import World
from tests.lab.benches import LONG, Gate, finish


class Shelf:
    """Worlds by name; says which were loaded."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.world: World = World(words=4)

    def __call__(self, settings: ModelSettings, *_: object) -> Models:
        self.loaded.append(settings.policy)
        if settings.policy == "broken/model":
            raise ParameterError("This model cannot be loaded.")
        return Models(self.world, self.world, [f"notice of {settings.policy}"])


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def bench(tmp_path: Path, shelf: Shelf) -> Iterator[Workbench]:
    made = Workbench(tmp_path, SETTINGS, shelf)
    yield made
    made.close()


SETTINGS = ModelSettings(policy="org/world", prm="org/world")
OTHER = ModelSettings(policy="some/other", prm="bundled")


def test_sessions_go_on_with_their_own_models_only(bench: Workbench, shelf: Shelf) -> None:
    first = bench.create("What?", "1")
    finish(bench, first, iterations=2)
    assert bench.choice.state().loaded == "yes"
    bench.choice.use(OTHER)
    assert bench.choice.state().loaded == "no"
    assert bench.models == OTHER
    with pytest.raises(ParameterError, match="made with the policy org/world"):
        bench.run(first, iterations=1)
    assert bench.delta(first, -1)["nodes"]
    second = bench.create("What?", "1")
    finish(bench, second, iterations=2)
    assert bench.notices() == ["notice of some/other"]
    assert bench.sessions()[0].policy == "some/other"
    bench.choice.use(SETTINGS)
    assert finish(bench, first, iterations=2).done == 2
    assert shelf.loaded == ["org/world", "some/other", "org/world"]


def test_models_at_work_are_not_changed(bench: Workbench, shelf: Shelf) -> None:
    gate = shelf.world = Gate()
    session = bench.create("What?", "1")
    bench.run(session, iterations=2000)
    assert gate.asked.acquire(timeout=LONG)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(bench.choice.use, OTHER)
        while not asked.done():  # between two model calls the change is refused
            gate.allowed.release()
            time.sleep(0.01)
        with pytest.raises(ModelsInUseError, match="A search is running: pause it"):
            asked.result(LONG)
    bench.stop(session)
    gate.let_all_through()
    assert bench.wait(session, LONG).status == "idle"
    assert bench.models == SETTINGS
    bench.choice.unload()
    assert bench.choice.state().loaded == "no"
    assert bench.models == SETTINGS


def test_a_failed_load_is_told_and_another_choice_helps(bench: Workbench) -> None:
    for device in ("auto", "cpu"):  # those before are kept, whatever else fails
        bench.choice.use(ModelSettings(policy="broken/model", device=device))
        bench.choice.load()
        while (state := bench.choice.state()).loaded not in ("failed", "yes"):
            time.sleep(0.01)
        assert (state.loaded, state.message) == ("failed", "This model cannot be loaded.")
        assert state.before == SETTINGS
    assert bench.choice.recent()[-1] == SETTINGS
    bench.choice.use(SETTINGS)
    state = bench.choice.state()
    assert (state.loaded, state.before) == ("no", None)


def test_choices_are_remembered_in_the_home(bench: Workbench) -> None:
    for k in range(12):
        bench.choice.use(ModelSettings(policy=f"org/model-{k % 10}"))
    recent = [one.policy for one in bench.choice.recent()]
    assert recent[:3] == ["org/model-1", "org/model-0", "org/model-9"]
    assert len(recent) == 8
    (bench.home / FILE_NAME).write_text("{spoilt")
    assert bench.choice.recent() == []
    bench.choice.use(OTHER)
    assert bench.choice.recent() == [OTHER, ModelSettings(policy="org/model-1")]


@pytest.mark.parametrize(
    "bad",
    [
        ModelSettings(quant="int3"),
        ModelSettings(device="gpu"),
        ModelSettings(dtype="fp8"),
        ModelSettings(policy=""),
        ModelSettings(policy="/no/such/folder"),
        ModelSettings(prm="x" * 2000),
        ModelSettings(kv_budget="much"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    bench: Workbench, bad: ModelSettings
) -> None:
    with pytest.raises(ParameterError):
        bench.choice.use(bad)
    with pytest.raises(ParameterError):
        bench.choice.fit(bad)
    assert bench.models == SETTINGS
    assert bench.choice.recent() == []
