"""The table of recipes: it goes on, compares what is comparable, and says what is significant."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.tasks.datasets import read_dataset
from engine.tasks.problems import bundled_files, bundled_problems
from engine.training.verdict import Steps
from lab.recipe_report import Entry, Report, differences, markdown
from lab.recipe_table import Table, new_problems
from lab.round_results import RoundError
from lab.workbench import Workbench
from tests.lab.classroom import Teacher, bench, settings


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Workbench]:
    lab = bench(tmp_path / "home", Teacher())
    yield lab
    lab.close()


def entry(recipe: str, seed: int, right: list[bool]) -> Entry:
    return Entry(
        recipe=recipe,
        title=recipe.upper(),
        seed=seed,
        number=1,
        round="01234567",
        right=right,
        tokens=900,
        searches=2,
        learnt={"policy": 4},
        steps=Steps(4, 4, 3),
        guided=None,
        guided_tokens=None,
        seconds={"search": 1.0, "training": 2.0},
        warnings=[],
    )


def test_new_problems_are_in_no_published_file_and_are_the_same_again(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = new_problems(tmp_path / "a", 100), new_problems(tmp_path / "b", 100)
    assert Path(one).read_bytes() == Path(other).read_bytes()
    asked = {problem.content for problem in read_dataset(one).problems}
    published = {p.content for name in bundled_files() for p in bundled_problems(name)}
    assert len(asked) == 100
    assert not asked & published


def test_rounds_become_a_table_and_are_not_done_twice(opened: Workbench, tmp_path: Path) -> None:
    out = tmp_path / "table.md"
    table = Table(opened, "twelve of the world")
    for recipe in ("rest_mcts", "mcts_process_guided"):
        asked = settings(tmp_path / "home", recipe=recipe, rounds=2, activate=False)
        table.take(asked)
    table.write(out)
    text = out.read_text()
    assert len(opened.rounds.states()) == 4
    pools = {opened.rounds.batches(state.id)["pool"] for state in opened.rounds.states()}
    assert len(pools) == 3, "the first searches are the same for both"
    assert r"| ReST-MCTS\* | 0 | 2 | 100.0 [75.8, 100.0] |" in text
    for other in ("MCTS process supervision, guided", "itself a round before"):
        assert rf"| 2 | ReST-MCTS\* - {other} | 0 | +0.0 [-26.5, 26.5] |" in text
    figures = json.loads(out.with_suffix(".json").read_text())
    assert len(figures["problems"]) == len(figures["before"]) == 12
    assert figures["setting"]["heldout"] == "twelve of the world"

    again = Table(opened, "twelve of the world")
    assert again.take(settings(tmp_path / "home", rounds=2, activate=False, parallel=2))
    assert not again.take(settings(tmp_path / "home", activate=False), run=False)
    assert len(opened.rounds.states()) == 4, "what is done is read"
    opened.rounds.activate(opened.adapters.rows()[0].id)
    with pytest.raises(RoundError, match=r"is in use in .*: recipes are compared from the bare"):
        Table(opened, "")


def test_what_is_significant_is_said_plainly() -> None:
    before = [False] * 40
    good, middling = [True] * 30 + [False] * 10, [True] * 28 + [False] * 12
    runs = [(seed, name) for seed in (0, 1) for name in ("good", "middling")]
    rights = {"good": [good, good[::-1]], "middling": [middling, good]}
    entries = [entry(name, seed, rights[name][seed]) for seed, name in runs]
    found = differences(before, entries)
    pooled = next(one for one in found if one.other == "middling" and one.seeds == [0, 1])
    assert pooled.points.estimate == pytest.approx((60 - 58) / 80)
    single = next(one for one in found if one.other == "middling" and one.seeds == [0])
    assert single.points.estimate == pytest.approx(2 / 40)
    text = markdown(Report({}, [str(n) for n in range(40)], before, entries, found))
    assert "| GOOD | 0 | 1 | 75.0 [59.8, 85.8] | +75.0 [" in text
    assert "] | 450 | 4, 3 (75 %) |" in text
    shown, not_shown = text.split("It does not, so that nothing is shown, for: ")
    assert "GOOD over the models before (+75.0)" in shown
    assert "GOOD over MIDDLING (+2.5)" in not_shown
    assert "(at most 2 runs a recipe)" in not_shown
