"""Rows of training data: what they say, what is left out and why, what a person decides."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as ev
from engine.errors import ParameterError
from engine.exports.collect import FORMATS, MARKS, Collection
from engine.exports.labels import LabelledTree
from engine.exports.rows import SCORES, Row, RowSettings
from engine.imports.generation import read_row
from engine.rewards.methods import METHODS, infer
from engine.search import acts
from engine.search.driver import Limits
from engine.search.registry import ALGORITHMS
from engine.tree import Tree
from tests.conformance.replay import Replay
from tests.engine.steered import Player
from tests.engine.trees import QUESTION, log_of, small_log, small_tree
from tests.engine.worlds import World, new_search, run

TRACES = sorted((Path(__file__).parents[1] / "conformance" / "traces").glob("*.json"))
FULL = [file for file in TRACES if "simple" not in file.stem]


def collect(name: str, *trees: Tree, **settings: Any) -> Collection:
    found = Collection(name, RowSettings(**settings))
    for number, tree in enumerate(trees):
        found.add(f"s{number}", tree)
    return found


def rows(name: str, *trees: Tree, **settings: Any) -> list[dict[str, Any]]:
    """The rows without the columns that tell where they come from."""
    return [
        {key: value for key, value in row.items() if key not in MARKS}
        for row in collect(name, *trees, **settings).records()
    ]


def said(*events: ev.Event) -> Tree:
    """The small tree after a person's words."""
    return Tree.fold([*small_log(), *events])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_pruned_gives_no_row_of_any_format(algorithm: str) -> None:
    player = Player(new_search(algorithm=algorithm))
    player.run(iterations=10)
    labelled = [row.node for row in infer(player.tree(), "soft").rows if row.parent == 0]
    player.act(acts.prune(labelled[0]))
    tree = player.tree()
    for name, method, by in product(FORMATS, METHODS, SCORES):
        found = FORMATS[name].rows(LabelledTree(tree, method), RowSettings(method=method, by=by))
        given = [row.node for row in found if isinstance(row, Row)]
        assert not any(tree.node(node).hidden for node in given), (name, method, by)
    assert len([row for row in infer(tree, "soft").rows if row.parent == 0]) < len(labelled)


# The formats.


def test_value_targets_are_those_of_the_paper_in_the_words_of_the_reference() -> None:
    found = rows("values", small_tree())
    start = f"Problem:{QUESTION}\nSolution:\n2 + 3 = 5\n"
    assert [row["prompt_answer"] for row in found] == [
        start,
        f"{start}5 + 4 = 9\n",
        f"{start}5 + 4 = 9\nAnswer: 9\n",
        f"{start}5 + 4 = 8\n",
        f"{start}5 + 4 = 8\nAnswer: 8\n",
    ]
    assert [row["label"] for row in found] == pytest.approx([1 / 3, 2 / 3, 1, 1 / 9, 0])


def test_traces_hold_the_whole_solution_and_its_verdict() -> None:
    assert rows("traces", small_tree()) == [
        {
            "content": QUESTION,
            "summary": "2 + 3 = 5\n5 + 4 = 9\nAnswer: 9\n",
            "label": True,
            "real_answer": "9",
        },
        {
            "content": QUESTION,
            "summary": "2 + 3 = 5\n5 + 4 = 8\nAnswer: 8\n",
            "label": False,
            "real_answer": "9",
        },
    ]
    (right,) = rows("traces", small_tree(), correct=True)
    assert right["label"] is True


def test_a_summary_follows_a_solution_that_does_not_state_its_answer() -> None:
    log = log_of([["It is nine.\n"]], {})
    log += [ev.Judged(1, "end", "text"), ev.Answered(1, "9", True, "The answer is 9")]
    (row,) = rows("traces", Tree.fold(log))
    assert row["summary"] == "It is nine.\nThe answer is 9"


@pytest.mark.parametrize("file", FULL, ids=lambda file: file.stem)
def test_generation_rows_are_those_of_the_reference(file: Path) -> None:
    replay = Replay(file)
    expected, prm = replay.trace["expected"], "value_samples_prm" in replay.trace["expected"]
    method = "hard" if prm else "reference"
    found = rows("generation", replay.search.tree, method=method)
    samples = expected["value_samples_prm" if prm else "value_samples_vm"]
    (row,) = found
    assert row["content"] == replay.trace["question"]
    assert row["real_answer"] == replay.trace["answer"]
    assert row["policy_samples"] == expected["policy_samples"]
    assert row["corr_policy_sample_num"] == sum(x["correct"] for x in expected["policy_samples"])
    assert row["total_policy_sample_num"] == len(expected["policy_samples"])
    assert [target["steps"] for target in row["value_samples"]] == [x["steps"] for x in samples]
    values = [x["value"] for x in samples]
    assert [t["value"] for t in row["value_samples"]] == pytest.approx(values, abs=1e-12)


@pytest.mark.parametrize("file", FULL, ids=lambda file: file.stem)
def test_an_imported_generation_row_gives_the_same_row_again(file: Path) -> None:
    tree = Replay(file).search.tree
    for method in ("reference", "hard"):
        (row,) = rows("generation", tree, method=method)
        (again,) = rows("generation", Tree.fold(read_row(row)), method=method)
        assert sorted(map(str, again["policy_samples"])) == sorted(map(str, row["policy_samples"]))
        assert {t["steps"]: t["value"] for t in again["value_samples"]} == pytest.approx(
            {t["steps"]: t["value"] for t in row["value_samples"]}, abs=1e-12
        )


def test_pairs_tell_the_better_step_by_each_score() -> None:
    def score(by: str) -> list[tuple[str, str, float, float]]:
        return [
            (row["better"], row["worse"], row["better_score"], row["worse_score"])
            for row in rows("pairs", small_tree(), by=by)
        ]

    good, bad = "5 + 4 = 9\n", "5 + 4 = 8\n"
    assert score("reward") == [(good, bad, pytest.approx(2 / 3), pytest.approx(1 / 9))]
    assert score("value") == [(good, bad, 0.8, 0.3)]
    assert score("q") == score("correct") == [(good, bad, 1.0, 0.0)]
    (row,) = rows("pairs", small_tree())
    assert (row["content"], row["steps"], row["by"]) == (QUESTION, "2 + 3 = 5\n", "reward")


def test_pairs_keep_a_margin_and_a_number() -> None:
    values = {f"{n}\n": n / 8 for n in range(5)}
    tree = Tree.fold(log_of([[step] for step in values], {}, values))
    every = rows("pairs", tree, by="value", most_pairs=99)
    assert len(every) == 10
    clear = collect("pairs", tree, by="value", most_pairs=99, margin=0.375)
    assert [(row["better"], row["worse"]) for row in clear.records()] == [
        ("4\n", "0\n"),
        ("3\n", "0\n"),
        ("4\n", "1\n"),
    ]
    assert sum(clear.counts().rejected.values()) == 7
    assert rows("pairs", tree, by="value", most_pairs=1)[0]["worse"] == "0\n"
    assert len(rows("pairs", tree, by="value", most_pairs=99, min_value=0.45)) == 4


def test_trl_formats_have_the_fields_that_trl_reads() -> None:
    solution = "2 + 3 = 5\n5 + 4 = 9\nAnswer: 9\n"
    tree = small_tree()
    assert rows("trl-sft", tree) == [{"prompt": f"{QUESTION}\n", "completion": solution}]
    assert rows("trl-sft", tree, prompt="Q: {question}\nA: ")[0]["prompt"] == f"Q: {QUESTION}\nA: "
    assert rows("trl-dpo", tree) == [
        {
            "prompt": f"{QUESTION}\n2 + 3 = 5\n",
            "chosen": "5 + 4 = 9\n",
            "rejected": "5 + 4 = 8\n",
        }
    ]
    assert rows("trl-stepwise", tree) == [
        {
            "prompt": f"{QUESTION}\n",
            "completions": ["2 + 3 = 5\n", "5 + 4 = 9\n", "Answer: 9\n"],
            "labels": [True, True, True],
        },
        {
            "prompt": f"{QUESTION}\n",
            "completions": ["2 + 3 = 5\n", "5 + 4 = 8\n", "Answer: 8\n"],
            "labels": [True, False, False],
        },
    ]


def test_trl_formats_as_messages() -> None:
    user = [{"role": "user", "content": QUESTION}]
    (row,) = rows("trl-sft", small_tree(), chat=True)
    assert row["prompt"] == user
    assert row["completion"][0]["role"] == "assistant"
    (pair,) = rows("trl-dpo", small_tree(), chat=True)
    assert pair == {
        "prompt": user,
        "chosen": [{"role": "assistant", "content": "2 + 3 = 5\n5 + 4 = 9\n"}],
        "rejected": [{"role": "assistant", "content": "2 + 3 = 5\n5 + 4 = 8\n"}],
    }
    with pytest.raises(ParameterError, match="trl-sft, trl-dpo"):
        collect("values", chat=True)


def test_braces_of_a_question_are_only_text() -> None:
    question = "What is {question} in {0} and {x!r}?"
    tree = Tree.fold(log_of([["One.\n"]], {0: True}, question=question))
    (row,) = rows("trl-sft", tree, prompt="{question} | {question}\n")
    assert row["prompt"] == f"{question} | {{question}}\n"


# What is left out.


def test_what_gives_no_row_is_counted_by_its_reason() -> None:
    unsolved = Tree.fold(log_of([["Hm.\n"]], {}))
    wrong = Tree.fold(log_of([["Nine?\n"]], {0: False}))
    ungraded = Tree.fold(log_of([["Nine?\n"]], {0: None}))
    counts = collect("values", small_tree(), unsolved, wrong).counts()
    assert (counts.rows, counts.sessions) == (5, 1)
    assert sum(counts.rejected.values()) == 1
    assert [skipped.session for skipped in counts.skipped] == ["s1", "s2"]
    assert "The only finished solution is not correct" in counts.skipped[1].reason
    counts = collect("traces", small_tree(), unsolved, ungraded, correct=True).counts()
    assert counts.rows == 1
    assert counts.rejected["not right"] == 2
    assert counts.skipped[0].reason == "no finished solution"


def test_values_below_the_limit_are_left_out() -> None:
    assert len(rows("values", small_tree(), min_value=0.3)) == 3
    assert len(rows("traces", small_tree(), min_value=0.5)) == 1
    (row,) = rows("generation", small_tree(), min_value=0.5)
    assert row["total_policy_sample_num"] == 1
    assert [target["value"] for target in row["value_samples"]] == pytest.approx([2 / 3, 1])


def test_the_same_row_is_there_once_and_contradictions_are_counted() -> None:
    counts = collect("values", small_tree(), small_tree()).counts()
    assert (counts.rows, counts.duplicates, counts.contradictions) == (5, 5, 0)
    counts = collect("traces", small_tree(), said(ev.Regraded(5, False))).counts()
    assert (counts.rows, counts.duplicates, counts.contradictions) == (3, 1, 1)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"method": "magic"}, "no method 'magic'"),
        ({"by": "looks"}, "better by 'looks'"),
        ({"margin": -1.0}, "margin"),
        ({"margin": float("nan")}, "margin"),
        ({"most_pairs": 0}, "most_pairs"),
        ({"prompt": "Solve it!"}, "no place for the question"),
    ],
)
def test_settings_out_of_their_range_are_named(setting: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        RowSettings(**setting)


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ParameterError, match=r"'rows'.*values, traces"):
        Collection("rows", RowSettings())


# What a person says.


def test_rows_that_a_person_decides_are_marked() -> None:
    def touched(name: str, tree: Tree) -> dict[int, bool]:
        return {row["node"]: row["touched"] for row in collect(name, tree).records()}

    assert not any(touched("values", small_tree()).values())
    flipped = said(ev.Regraded(6, True))
    assert touched("traces", flipped) == {5: False, 6: True}
    assert touched("values", flipped)[6]
    assert rows("traces", flipped)[1]["label"] is True
    assert touched("generation", flipped) == {0: True}
    assert rows("traces", said(ev.Regraded(6, True), ev.Regraded(6, None))) == rows(
        "traces", small_tree()
    )


def test_a_step_marked_wrong_makes_the_solution_wrong() -> None:
    marked = said(ev.Marked(3, "wrong", "by luck"))
    assert [row["label"] for row in rows("traces", marked)] == [False, False]
    assert collect("traces", marked).records()[0]["touched"]
    assert rows("trl-sft", marked) == []


def test_steps_marked_unclear_are_left_out() -> None:
    unclear = said(ev.Marked(4, "unclear"))
    assert len(rows("values", unclear)) == 4
    assert collect("values", unclear).counts().rejected["marked unclear by a person"] == 1
    assert rows("pairs", unclear) == []
    assert len(rows("trl-stepwise", unclear)) == 1
    assert len(rows("traces", unclear)) == 2
    assert len(rows("generation", unclear)[0]["value_samples"]) == 4


def test_an_overruled_value_decides_pairs_and_filters() -> None:
    overruled = said(ev.Overruled(4, 0.95))
    (row,) = collect("pairs", overruled, by="value").records()
    assert (row["better"], row["better_score"], row["touched"]) == ("5 + 4 = 8\n", 0.95, True)
    assert len(rows("traces", said(ev.Overruled(6, 0.7)), min_value=0.6)) == 2


def test_of_equal_rows_a_persons_stays() -> None:
    same = said(ev.Regraded(5, True))
    found = collect("traces", small_tree(), same)
    assert found.counts().duplicates == 2
    assert [(row["session"], row["touched"]) for row in found.records()] == [
        ("s1", True),
        ("s0", False),
    ]


# What holds for any tree.


@given(seed=st.integers(0, 10_000), algorithm=st.sampled_from(["mcts_star", "sampling", "beam"]))
def test_counts_add_up_and_rows_are_json(seed: int, algorithm: str) -> None:
    search = new_search(algorithm=algorithm, seed=seed)
    run(search, Limits(iterations=8), World(words=3))
    for name in FORMATS:
        for method in METHODS:
            found = collect(name, search.tree, search.tree, method=method)
            counts, records = found.counts(), found.records()
            assert counts.rows == len(records) <= counts.rows + counts.duplicates
            assert all(list(row) == list(found.columns) for row in records)
            assert json.loads(json.dumps(records)) == records
            texts = [json.dumps({k: row[k] for k in row if k not in MARKS}) for row in records]
            assert len(set(texts)) == len(texts)
            if name == "values" and records:
                nodes = len(search.tree.nodes) - (not METHODS[method].trains_root)
                total = counts.rows + counts.duplicates + sum(counts.rejected.values())
                assert total == 2 * nodes
                values = {row.node: row.value for row in infer(search.tree, method).rows}
                assert all(row["label"] == values[row["node"]] for row in records)
            assert counts.touched == 0
