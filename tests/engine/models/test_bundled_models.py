"""The models that come with the lab, as a search uses them: 4-bit where this CPU can."""

from importlib import resources
from pathlib import Path

import pytest

from engine.models.base import PrefixRequest, ProposalRequest, Sampling
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_policy import TransformersPolicy, load_policy
from engine.models.transformers_prm import TransformersPRM, load_prm
from engine.tasks.problems import bundled_problems

QUESTION = bundled_problems("stories-dev")[0].content
GREEDY = Sampling(temperature=0.0)


@pytest.fixture(scope="module")
def models() -> tuple[TransformersPolicy, TransformersPRM]:
    folder = Path(str(resources.files("assets") / "models"))
    pool = ModelPool()
    policy = load_policy(ModelSpec(path=str(folder / "tiny-policy"), device="cpu"), pool)
    prm = load_prm(ModelSpec(path=str(folder / "tiny-prm"), device="cpu"), pool)
    return policy, prm


def greedy_solution(policy: TransformersPolicy) -> tuple[str, ...]:
    steps: tuple[str, ...] = ()
    for _ in range(12):
        if policy.judge([PrefixRequest(QUESTION, steps)], "verdict")[0].verdict == "end":
            break
        request = ProposalRequest(QUESTION, steps, 0, 0, 0, GREEDY)
        steps += (policy.propose([request])[0].step,)
    return steps


def test_a_question_is_solved_step_by_step(
    models: tuple[TransformersPolicy, TransformersPRM],
) -> None:
    policy, prm = models
    steps = greedy_solution(policy)
    assert all(step.endswith("\n") and step.count("\n") == 1 for step in steps)
    assert steps[-1].startswith("Answer: ")
    answer = policy.summarise([PrefixRequest(QUESTION, steps)])[0].answer
    assert answer is not None
    assert answer.isdecimal()
    prefixes = [PrefixRequest(QUESTION, steps[:k]) for k in range(len(steps) + 1)]
    values = [found.value for found in prm.score(prefixes)]
    assert values[0] == 0.0
    assert all(0.0 < value < 1.0 for value in values[1:])


def test_the_critic_goes_on_before_the_answer_and_ends_after_it(
    models: tuple[TransformersPolicy, TransformersPRM],
) -> None:
    policy, _ = models
    steps = greedy_solution(policy)
    before = policy.judge([PrefixRequest(QUESTION, steps[:-1])], "verdict")[0]
    assert (before.verdict, before.source) == ("continue", "logits")
    assert before.probability is not None
    assert before.probability < 0.1


def test_siblings_differ_and_keep_the_form(
    models: tuple[TransformersPolicy, TransformersPRM],
) -> None:
    policy, prm = models
    problems = bundled_problems("stories-dev")[:8]
    requests = [
        ProposalRequest(problem.content, (), 0, slot, 0, Sampling())
        for problem in problems
        for slot in range(6)
    ]
    found = policy.propose(requests)
    steps = {(r.question, one.step) for r, one in zip(requests, found, strict=True)}
    assert len(steps) > len(problems)
    assert sum(": " in step for _, step in steps) > len(steps) / 2
    scored = prm.score([PrefixRequest(question, (step,)) for question, step in steps])
    assert len({one.value for one in scored}) > len(problems)
