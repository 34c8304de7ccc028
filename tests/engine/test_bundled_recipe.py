"""The recipe of the bundled models and the weights it made."""

import json
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from engine.bundled import __main__ as recipe
from engine.bundled.corpus import IGNORED, batches, collate, demonstration, drill, written
from engine.bundled.measure import auc, load_policy, load_prm, load_stories, paired
from engine.bundled.muon import orthogonalised
from engine.bundled.prm_corpus import drawn_story, group, label, wrong_line
from engine.bundled.problems import draw_problems
from engine.bundled.sampling import sample_traces
from engine.evaluation.statistics import wilson
from engine.tasks.stories import check_steps, recognise, split_of

ASSETS = Path(__file__).parents[2] / "assets"
DEV = ASSETS / "problems" / "stories-dev.jsonl"
MODELS = ASSETS / "models"
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(MODELS / "tiny-policy")


@pytest.fixture(scope="module")
def policy():
    return load_policy(MODELS / "tiny-policy")


@given(text=st.text())
def test_newlines_and_digits_are_tokens_of_their_own(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces = [tokenizer.decode([i]) for i in ids]
    assert tokenizer.decode(ids) == text or "<" in text
    for piece in pieces:
        if "\n" in piece or any(c in "0123456789" for c in piece):
            assert len(piece) == 1


@given(seed=seeds)
def test_a_solution_is_the_tokens_of_its_lines(tokenizer, seed):
    story = drawn_story(random.Random(seed))
    prompt, lines = written(story, story.solution())
    whole = tokenizer(prompt + "".join(lines))["input_ids"]
    parts = tokenizer([prompt, *lines])["input_ids"]
    assert whole == [token for part in parts for token in part]


def test_directories_have_the_agreed_files():
    for name in ("tiny-policy", "tiny-prm"):
        step_format = json.loads((MODELS / name / "step_format.json").read_text())
        assert "{question}" in step_format["prompt"]
        assert step_format["number_sentences"] is True
        assert step_format["step_end"] == "\n"
        assert step_format["final_prefix"] == "Answer: "
        assert step_format["critic"] == "eos"
    head = json.loads((MODELS / "tiny-prm" / "value_head.json").read_text())
    assert head["outputs"] == ["v", "prefix", "step"]
    assert head["read"] in head["outputs"]


def test_the_weights_are_small():
    assert sum(p.stat().st_size for p in MODELS.rglob("*") if p.is_file()) <= 30e6


def test_the_policy_writes_the_agreed_form_and_knows_its_end(policy, tokenizer):
    rows = [json.loads(x) for x in DEV.read_text(encoding="utf-8").splitlines()][:10]
    stories = [recognise(row["content"]).story for row in rows]
    traces = sample_traces(policy, tokenizer, stories, 0, temperature=0)
    for story, trace in zip(stories, traces, strict=True):
        assert trace.whole
        assert trace.answer is not None
        assert len(trace.steps) == story.lines
    ends = {False: [], True: []}
    newline = tokenizer("\n")["input_ids"][0]
    for story, trace in zip(stories, traces, strict=True):
        prompt, lines = written(story, trace.steps)
        ids = torch.tensor([tokenizer(prompt + "".join(lines))["input_ids"]])
        with torch.inference_mode():
            chances = policy(input_ids=ids).logits[0].softmax(-1)[:, tokenizer.eos_token_id]
        at = [float(p) for p, i in zip(chances, ids[0], strict=True) if i == newline]
        ends[True].append(at[-1])
        ends[False] += at[:-1]
    assert min(ends[True]) > 0.9
    assert max(ends[False]) < 0.1


def test_the_prm_judges_the_lines_of_the_policy(policy, tokenizer):
    prm = load_prm(MODELS / "tiny-prm")
    stories = [story for story in load_stories("dev", 15) for _ in range(4)]
    traces = sample_traces(policy, tokenizer, stories, 0)
    steps, prefixes, errors = [], [], []
    for story, trace in zip(stories, traces, strict=True):
        row = label(tokenizer, story, trace.steps)
        where = torch.tensor([(0, end) for end in row.ends])
        with torch.inference_mode():
            outputs = prm.logits(torch.tensor([row.ids]), where).sigmoid()
        assert outputs.shape == (len(trace.steps), 3)
        for check, values in zip(check_steps(story, trace.steps), outputs.tolist(), strict=True):
            errors.append(abs(values[0] - check.v))
            prefixes.append((values[1], check.prefix_right))
            steps.append((values[2], check.step_right))
    assert auc(prefixes) > 0.95
    assert auc(steps) > 0.9
    assert sum(errors) / len(errors) < 0.12


def test_greedy_sampling_is_what_generate_writes(policy, tokenizer):
    stories = load_stories("dev", 3)
    traces = sample_traces(policy, tokenizer, stories, 0, temperature=0)
    for story, trace in zip(stories, traces, strict=True):
        prompt = torch.tensor([tokenizer(written(story, ())[0])["input_ids"]])
        with torch.inference_mode():
            ids = policy.generate(prompt, do_sample=False, max_new_tokens=256)[0]
        text = tokenizer.decode(ids[prompt.shape[1] :], skip_special_tokens=True)
        assert text.splitlines() == list(trace.steps)


@settings(max_examples=30)
@given(seed=seeds)
def test_groups_hold_right_and_wrong_siblings(seed):
    rng = random.Random(seed)
    story = drawn_story(rng)
    assert split_of(story) == "train"
    solutions = group(rng, story)
    truth = story.solution()
    verdicts = [all(c.prefix_right for c in check_steps(story, s)) for s in solutions]
    if len(solutions) > 1:
        assert any(verdicts)
        assert not all(verdicts)
    for steps, right in zip(solutions, verdicts, strict=True):
        assert right == (steps == truth[: len(steps)])


@settings(max_examples=50)
@given(seed=seeds)
def test_wrong_lines_are_wrong(seed):
    rng = random.Random(seed)
    story = drawn_story(rng)
    k = rng.randrange(story.lines)
    line = wrong_line(rng, story, k, story.states()[min(k, len(story.events))])
    assert line is None or line != story.solution()[k]


def test_batches_depend_on_the_seed_alone_and_learn_only_solutions(tokenizer):
    first = list(batches(3, tokenizer, 6000, 2000))
    again = list(batches(3, tokenizer, 6000, 2000))
    assert [p for _, p in first] == [p for _, p in again]
    assert all(torch.equal(a.ids, b.ids) for (a, _), (b, _) in zip(first, again, strict=True))
    assert sum(batch.tokens for batch, _ in first) >= 6000
    shown = demonstration(random.Random(0), tokenizer, 3, balanced=False)
    batch = collate([shown, drill(random.Random(0), tokenizer)], tokenizer.pad_token_id)
    learnt = batch.targets[0][batch.targets[0] != IGNORED]
    assert tokenizer.decode(learnt[:-1]).startswith("2. ")
    assert learnt[-1] == tokenizer.eos_token_id


def test_orthogonalised():
    torch.manual_seed(0)
    for shape in ((2, 8, 16), (2, 16, 8)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.min() > 0.5
        assert values.max() < 1.4


def test_statistics():
    low, high = wilson(50, 100)
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-3)
    assert paired([1, 1, 0, 1], [0, 0, 0, 1])[0] == 0.5
    assert auc([(0.9, True), (0.1, False)]) == 1
    assert auc([(0.5, True), (0.5, False)]) == 0.5
    assert auc([(0.1, True), (0.9, False), (0.05, False)]) == 0.5


def test_published_problems_come_from_the_recipe():
    published = [json.loads(x) for x in DEV.read_text(encoding="utf-8").splitlines()]
    assert draw_problems("dev", 20) == published[:20]


def test_the_recipe_runs_from_end_to_end(tmp_path):
    budget = ["--policy-tokens", "4000", "--prm-tokens", "4000", "--prm-stories", "2"]
    recipe.main(["--seed", "5", "--out", str(tmp_path), *budget])
    assert (tmp_path / "tiny-prm" / "value_head.safetensors").exists()
    untrained = load_policy(tmp_path / "tiny-policy")
    assert sum(p.numel() for p in untrained.parameters()) == pytest.approx(1.92e6, rel=0.01)
