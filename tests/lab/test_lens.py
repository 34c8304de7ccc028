"""The round lens: one tree valued by the models of every round."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import LabError
from lab.lens import Lens
from lab.workbench import Workbench
from tests.lab.benches import LONG, finish
from tests.lab.classroom import Teacher, bench, settings


def looked(opened: Workbench, session: str) -> Lens:
    lenses = opened.studies.lenses
    identifier = lenses.look(session)
    until = time.monotonic() + LONG
    while lenses.state(identifier).status == "working" and time.monotonic() < until:
        time.sleep(0.01)
    return lenses.state(identifier)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """A home with a round, whose process reward model values everything alike."""
    home = tmp_path_factory.mktemp("home")
    opened = bench(home, Teacher(flat=True))
    series = opened.rounds.start(settings(home))
    opened.rounds.wait(series)
    yield opened
    opened.close()


def test_a_column_for_every_round(taught: Workbench) -> None:
    session = taught.create("What else?", gold="1")
    finish(taught, session, iterations=6)
    nodes = taught.export(session)["nodes"]
    found = looked(taught, session)
    assert found.status == "done"
    assert [column.name for column in found.prms] == ["base", "round 1"]
    assert [column.used for column in found.prms].count(True) == 1
    base, first = found.prms
    used = next(column for column in found.prms if column.used)
    assert used.numbers[1:] == [node["prm"] for node in nodes[1:]]
    assert base.numbers != first.numbers
    assert set(first.numbers[1:]) == {0.5}
    assert base.numbers[0] is None
    assert found.policies == []  # these policies have no weights
    # The same tree is not valued again; a longer one is.
    assert looked(taught, session).id == found.id
    finish(taught, session, iterations=1)
    assert looked(taught, session).id != found.id
    with pytest.raises(LabError, match="no lens"):
        taught.studies.lenses.state("nothing")


def test_the_bundled_models_say_what_they_said(tmp_path: Path) -> None:
    opened = Workbench(tmp_path)
    problem = opened.problems("samples")[0]
    session = opened.create(problem.content, problem.answer)
    finish(opened, session, iterations=4)
    nodes = opened.export(session)["nodes"]
    found = looked(opened, session)
    assert found.status == "done", found.message
    (values,), (logprobs,) = found.prms, found.policies
    assert values.used
    assert logprobs.used
    near = 0
    for node in nodes[1:]:
        assert values.numbers[node["id"]] == pytest.approx(node["prm"], abs=2e-3)
        logprob = logprobs.numbers[node["id"]]
        assert logprob is not None
        # Sampled tokens may differ from those of the text, as where an end of text was sampled.
        near += abs(logprob - node["logprob"]) < 0.05
    assert near > len(nodes) / 2
    opened.close()
