"""Which solution a verifier believes, on solutions whose best one is plain, and on real models."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.errors import ModelError, ParameterError, TaskError
from engine.models.base import PrefixRequest, Reply, Usage, Valuation
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_policy import TransformersPolicy, load_policy
from engine.models.transformers_prm import load_prm
from engine.tree import Tree
from engine.verifiers.__main__ import main
from engine.verifiers.comparison import compare, table
from engine.verifiers.judges import JUDGE, YES_NO, Judge, PolicyMarker
from engine.verifiers.registry import VERIFIERS, Models, make_verifier
from engine.verifiers.reward_models import StepValues
from engine.verifiers.traces import Trace, trace_of
from engine.verifiers.verifying import AGGREGATES, Verified, ranking_quality, verify, verify_all
from tests.engine.models.conftest import LINES, logits_by_hand, write_model
from tests.engine.trees import QUESTION, log_of

MODELS = Path(__file__).resolve().parents[2] / "assets" / "models"


def trace(answer: str | None, *values: float, correct: bool | None = None) -> Trace:
    steps = tuple(f"step {k} of {answer}: {v}\n" for k, v in enumerate(values))
    return Trace("Q", steps, answer, values, correct)


SOLUTIONS = (
    trace("7", 0.9, 0.2, 0.8, correct=False),
    trace("7", 0.5, 0.5, 0.5, correct=False),
    trace("5", 0.6, 0.7, correct=True),
    trace("7", 0.1, correct=False),
    trace(None, 1.0, correct=False),
)


class Tabled:
    """A reward model whose value is written at the end of the last step; counts what it reads."""

    identity = "tabled"

    def __init__(self) -> None:
        self.asked: list[PrefixRequest] = []

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        self.asked += requests
        return [Valuation(float(r.steps[-1].split(": ")[-1]), Usage(1)) for r in requests]

    def text(self, request: PrefixRequest, reply: Reply) -> Sequence[int]:
        return ()


class Marks:
    """A marker that gives each solution the same shares."""

    identity = "marks"

    def __init__(self, *shares: float) -> None:
        self.given = shares

    def shares(
        self, requests: Sequence[PrefixRequest], text: str, replies: Sequence[str]
    ) -> list[tuple[tuple[float, ...], Usage]]:
        assert len(replies) == len(self.given)
        return [(self.given, Usage(2))] * len(requests)


ALL = Models(Tabled(), Tabled(), Tabled())


@pytest.mark.parametrize(
    ("name", "scores", "chosen"),
    [
        ("oracle", (0, 0, 1, 0, 0), 2),
        ("self-consistency", (0.6, 0.6, 0.2, 0.6, 0), 0),
        ("prm-last", (0.8, 0.5, 0.7, 0.1, 1), 0),
        ("prm-min", (0.2, 0.5, 0.6, 0.1, 1), 2),
        ("prm-product", (0.144, 0.125, 0.42, 0.1, 1), 2),
        ("prm-mean", (1.9 / 3, 0.5, 0.65, 0.1, 1), 2),
        ("value", (0.8, 0.5, 0.7, 0.1, 1), 0),
        ("orm", (0.8, 0.5, 0.7, 0.1, 1), 0),
        ("prm-last+sc", (0.8, 0.5, 0.7, 0.1, 1), 0),
        ("prm-min+sc", (0.2, 0.5, 0.6, 0.1, 1), 1),
        ("prm-product+sc", (0.144, 0.125, 0.42, 0.1, 1), 2),
    ],
)
def test_scores_and_choice(name: str, scores: tuple[float, ...], chosen: int) -> None:
    for models in (ALL, Models(orm=ALL.orm, value=ALL.value)):
        found = verify(SOLUTIONS, make_verifier(name, models))
        assert found.scores == pytest.approx(scores)
        assert found.chosen == chosen


def test_a_solution_without_answer_is_believed_only_where_all_are() -> None:
    none = [trace(None, 0.1), trace(None, 0.3)]
    for name in ("prm-last", "prm-last+sc"):
        assert verify(none, make_verifier(name, ALL)).chosen == 1
        assert verify([], make_verifier(name, ALL)) == Verified((), None)


def test_an_outcome_model_reads_one_step_and_a_value_model_the_steps() -> None:
    outcome, value = Tabled(), Tabled()
    verify(SOLUTIONS, make_verifier("orm", Models(orm=outcome)))
    verify(SOLUTIONS, make_verifier("value", Models(value=value)))
    assert [r.steps for r in outcome.asked] == [("".join(t.steps),) for t in SOLUTIONS]
    assert [r.steps for r in value.asked] == [t.steps for t in SOLUTIONS]


def test_what_models_did_is_told_by_problem() -> None:
    one, two = verify_all([SOLUTIONS[:2], SOLUTIONS[2:3]], make_verifier("prm-mean", ALL))
    assert (one.usage, two.usage) == (Usage(6), Usage(2))


def test_a_mark_is_the_mean_of_all_replies() -> None:
    even = verify(SOLUTIONS[:1], Judge(Marks(0, 0, 0.25, 0.25, 0, 0.5), JUDGE))
    assert even.scores == pytest.approx(((2 + 3) / 5 * 0.25 + 0.5,))
    assert verify(SOLUTIONS[:1], Judge(Marks(0.7, 0.3), YES_NO)).scores == pytest.approx((0.7,))


def test_ranking_quality_counts_pairs() -> None:
    assert ranking_quality(SOLUTIONS, (0.9, 0.4, 0.5, 0.5, 0.1)) == (0 + 1 + 0.5 + 1) / 4
    assert ranking_quality(SOLUTIONS[:2], (0.9, 0.4)) is None


def test_verifiers_are_compared_on_the_same_solutions() -> None:
    groups = [SOLUTIONS, SOLUTIONS[:2]]
    names = ("oracle", "self-consistency", "prm-min", "prm-min+sc")
    forgotten: list[int] = []
    verifiers = {name: make_verifier(name, ALL) for name in names}
    rows = compare(groups, verifiers, lambda: forgotten.append(1))
    assert len(forgotten) == len(names)
    assert [row.right for row in rows] == [
        [True, False],
        [False, False],
        [True, False],
        [False, False],
    ]
    assert [row.ranking for row in rows] == [[1.0, None], [0.25, None], [0.75, None], [0.75, None]]
    assert rows[2].usage == Usage(3 + 3 + 2 + 1 + 1 + 3 + 3)
    lines = table(rows, "self-consistency").splitlines()
    assert lines[2].startswith("| oracle | 50.0 [")
    assert lines[4].endswith(" | 75.0 | 8 |")


def test_solutions_of_a_tree_bring_its_values() -> None:
    values = {"one\n": 0.2, "two\n": 0.9, "three\n": 0.4}
    tree = Tree.fold(log_of([["one\n", "two\n"], ["three\n"]], {0: True, 1: False}, values))
    found = [trace_of(tree, node) for node in tree.ends]
    assert found == [
        Trace(QUESTION, ("one\n", "two\n"), "9", (0.2, 0.9), True),
        Trace(QUESTION, ("three\n",), "8", (0.4,), False),
    ]
    assert verify(found, make_verifier("prm-min", Models())).chosen == 1


def test_what_is_missing_is_said() -> None:
    with pytest.raises(ParameterError, match="There is no verifier 'best'"):
        make_verifier("best", ALL)
    with pytest.raises(ParameterError, match="needs an outcome reward model"):
        make_verifier("orm", Models())
    with pytest.raises(ParameterError, match="needs a value model of its own"):
        make_verifier("value+sc", Models(prm=ALL.prm))
    with pytest.raises(ParameterError, match="needs a policy that can be asked"):
        make_verifier("self-reward", Models(marker=Marks(1, 0)))
    with pytest.raises(ParameterError, match="no votes"):
        make_verifier("oracle+sc", ALL)
    with pytest.raises(TaskError, match="right"):
        verify([trace("7", 0.1)], make_verifier("oracle", ALL))
    with pytest.raises(TaskError, match="no values"):
        verify([Trace("Q", ("1\n",), "1")], make_verifier("prm-min", Models()))
    assert all(kind.summary.endswith(".") for kind in VERIFIERS.values())


def test_the_steps_of_all_solutions_are_read_once() -> None:
    spec = ModelSpec(path=str(MODELS / "tiny-prm"), quant="none", dtype="fp32", device="cpu")
    prm = load_prm(spec, ModelPool(kv_budget=math.inf))
    question = "Tom has 12 apples. He gets 30 more apples. How many apples does Tom have?"
    steps = ("Tom has 12 apples.\n", "12 + 30 = 42\n", "Answer: 42\n")
    other = (*steps[:2], "Answer: 24\n")
    traces = [Trace(question, one, one[-1][8:-1]) for one in (steps, other)]
    found = {how: verify(traces, StepValues(how, prm)) for how in AGGREGATES}
    texts = [prm.text(PrefixRequest(question, one), Valuation(0)) for one in (steps, other)]
    unique = {tuple(text[:k]) for text in texts for k in range(1, len(text) + 1)}
    assert found["last"].usage.forwarded == len(unique)
    assert sum(one.usage.forwarded for one in found.values()) == len(unique)
    assert found["last"].scores == pytest.approx(
        [prm.score([PrefixRequest(question, one)])[0].value for one in (steps, other)], abs=1e-6
    )
    product, least = found["product"].scores, found["min"].scores
    assert all(a <= b <= c for a, b, c in zip(product, least, found["mean"].scores, strict=True))


def test_verifiers_are_compared_by_one_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "verifiers.json"
    asked = "--limit 2 --samples 2 --quant none --verifiers self-consistency prm-min+sc oracle"
    assert main([*asked.split(), "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "| prm-min+sc |" in printed
    assert "2 problems" in printed
    found = json.loads(out.read_bytes())
    assert [row["name"] for row in found["rows"]] == ["self-consistency", "prm-min+sc", "oracle"]
    assert found["rows"][1]["usage"]["forwarded"] > 0
    assert main(["--limit", "1", "--verifiers", "best"]) == 2
    assert main(["--limit", "1", "--verifiers", "judge"]) == 2


def open_policy(directory: Path) -> TransformersPolicy:
    spec = ModelSpec(path=str(directory), quant="none", dtype="fp32", device="cpu")
    return load_policy(spec, ModelPool(kv_budget=math.inf))


def test_a_policy_marks_by_the_logits_of_its_reply(tmp_path: Path) -> None:
    chat = write_model(tmp_path / "chat", chat=True, max_position_embeddings=1024)
    policy = open_policy(chat)
    solution = Trace("What is 1 + 1?", ("Step 1: 1 + 1 = 2\n", "Step 2: The answer is 2\n"), "2")
    marker = PolicyMarker(policy)
    (found,) = marker.shares([PrefixRequest(solution.question, solution.steps)], "Mark?", "012345")
    asked = "".join(piece.text for piece in policy.format.instruction(solution.question))
    messages = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": policy.format.joined(solution.steps).strip()},
        {"role": "user", "content": "Mark?"},
    ]
    tokenizer = policy.handle.base.tokenizer
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    ids = tokenizer.encode(text, add_special_tokens=False)
    digits = [tokenizer.encode(str(k), add_special_tokens=False)[0] for k in range(6)]
    shares = logits_by_hand(policy.handle, ids)[-1, digits].softmax(-1)
    assert found[0] == pytest.approx(shares.tolist(), abs=1e-4)

    names = ("judge", "self-reward", "yes-no")
    verified = [
        verify([solution], make_verifier(n, Models(marker=marker, own=marker))) for n in names
    ]
    assert all(0 < one.scores[0] < 1 for one in verified)
    assert all(one.usage.cached > 0.8 * len(ids) for one in verified)


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    chat = PolicyMarker(open_policy(write_model(tmp_path / "chat", chat=True)))
    with pytest.raises(ModelError, match="longer than the context"):
        verify([Trace("Q", ("1\n",) * 600, "1")], Judge(chat, JUDGE))
    with pytest.raises(ModelError, match="take a chat model"):
        PolicyMarker(open_policy(write_model(tmp_path / "lines", step_format=LINES)))
